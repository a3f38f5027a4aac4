"""Loops over arrays: compiled where a C compiler was found at install, else plain NumPy."""

from autograd.kernels.fusion import apply_elementwise, fusable, is_fusable, is_fused
from autograd.kernels.rows import in_rows, row_kernel

__all__ = ["apply_elementwise", "fusable", "in_rows", "is_fusable", "is_fused", "row_kernel"]
