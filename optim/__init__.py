"""Optimisers, and the base class to write others on, under PyTorch's names."""

import autograd as _autograd

if getattr(_autograd, "__title__", None) != "chainrule":
    raise ImportError(
        f"optim needs chainrule's autograd, but 'autograd' is another package at {_autograd.__file__} (HIPS autograd "
        "has the same import name). Run: pip uninstall --yes autograd chainrule, then install chainrule again."
    )

from optim import lr_scheduler, swa_utils
from optim.adagrad import Adadelta, Adagrad, RMSprop
from optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from optim.checkpoint import load_checkpoint, save_checkpoint
from optim.evolution import EvolutionStrategy
from optim.grad_scaler import GradScaler
from optim.layerwise import LAMB, Adafactor, Muon
from optim.lbfgs import LBFGS
from optim.optimizer import Optimizer
from optim.sgd import SGD
from optim.sign import Lion, Rprop
from optim.swa_utils import Lookahead

__all__ = [
    "LAMB", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "EvolutionStrategy",
    "GradScaler", "Lion",
    "Lookahead", "Muon", "NAdam", "Optimizer", "RAdam", "RMSprop", "Rprop", "load_checkpoint", "lr_scheduler",
    "save_checkpoint", "swa_utils",
]  # fmt: skip
