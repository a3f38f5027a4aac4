"""Tools around modules: clipping of gradients, parameters as a vector, parametrisations, packed sequences."""

from nn.utils import parametrizations, parametrize, rnn
from nn.utils.parameters import (
    check_finite_gradients,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    functional_call,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)

__all__ = [
    "check_finite_gradients", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "functional_call",
    "get_total_norm", "parameters_to_vector", "parametrizations", "parametrize", "rnn", "vector_to_parameters",
]  # fmt: skip
