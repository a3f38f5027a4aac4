"""The functions behind the modules, under the names PyTorch has them."""

from nn.activation import log_softmax, relu, sigmoid, softmax, tanh
from nn.distance import cosine_similarity, pairwise_distance
from nn.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout
from nn.embedding import embedding, embedding_bag
from nn.linear import linear
from nn.loss import cross_entropy, half_mse_loss, mse_loss
from nn.normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    normalize,
    rms_norm,
)

__all__ = [
    "alpha_dropout",
    "batch_norm",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "group_norm",
    "half_mse_loss",
    "instance_norm",
    "layer_norm",
    "linear",
    "local_response_norm",
    "log_softmax",
    "mse_loss",
    "normalize",
    "pairwise_distance",
    "relu",
    "rms_norm",
    "sigmoid",
    "softmax",
    "tanh",
]
