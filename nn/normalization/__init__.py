"""Normalisation: the functions and their modules."""

from nn.normalization.batch import BatchNorm1d, BatchNorm2d, BatchNorm3d, batch_norm
from nn.normalization.instance import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, instance_norm
from nn.normalization.layer import GroupNorm, LayerNorm, RMSNorm, group_norm, layer_norm, rms_norm
from nn.normalization.response import LocalResponseNorm, local_response_norm, normalize

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
    "LayerNorm", "LocalResponseNorm", "RMSNorm", "batch_norm", "group_norm", "instance_norm", "layer_norm",
    "local_response_norm", "normalize", "rms_norm",
]  # fmt: skip
