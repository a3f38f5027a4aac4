"""Optimisers, and the base class to write others on, under PyTorch's names."""

import autograd as _autograd

if getattr(_autograd, "__title__", None) != "chainrule":
    raise ImportError(
        f"optim needs chainrule's autograd, but 'autograd' is another package at {_autograd.__file__} (HIPS autograd "
        "has the same import name). Run: pip uninstall --yes autograd chainrule, then install chainrule again."
    )

from optim import lr_scheduler
from optim.adagrad import Adadelta, Adagrad, RMSprop
from optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from optim.layerwise import LAMB, Adafactor, Muon
from optim.optimizer import Optimizer
from optim.sgd import SGD
from optim.sign import Lion, Rprop

__all__ = [
    "LAMB", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Muon", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "lr_scheduler",
]  # fmt: skip
