"""Fused array kernels: compiled where a C compiler was found at install, else plain NumPy with equal results."""

from autograd.kernels.fusion import apply_elementwise, fusable, is_fusable, is_fused

__all__ = ["apply_elementwise", "fusable", "is_fusable", "is_fused"]
