"""Neural-network layers, losses and initialisation on the engine's primitives, under PyTorch's names."""

import autograd as _autograd

if getattr(_autograd, "__title__", None) != "chainrule":
    raise ImportError(
        f"nn needs chainrule's autograd, but 'autograd' is another package at {_autograd.__file__} (HIPS autograd has "
        "the same import name). Run: pip uninstall --yes autograd chainrule, then install chainrule again."
    )

from nn import functional, init, utils
from nn.activation import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from nn.container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from nn.distance import CosineSimilarity, PairwiseDistance
from nn.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout
from nn.embedding import Embedding, EmbeddingBag
from nn.files import load, save
from nn.flatten import Flatten, Unflatten
from nn.linear import Identity, Linear
from nn.loss import CrossEntropyLoss, HalfMSELoss, MSELoss
from nn.module import Module
from nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
)
from nn.parameter import Parameter

__all__ = [
    "AlphaDropout",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "Embedding",
    "EmbeddingBag",
    "FeatureAlphaDropout",
    "Flatten",
    "GroupNorm",
    "HalfMSELoss",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "PairwiseDistance",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Unflatten",
    "functional",
    "init",
    "load",
    "save",
    "utils",
]
