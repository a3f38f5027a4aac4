"""Convolutional layers over one, two and three axes, and their transposes."""

from __future__ import annotations

from math import prod, sqrt
from operator import index
from typing import Any

from nn import init
from nn._windows import Sides
from nn.convolution import convolution, least_sides, padding_of, pairs_of, sides_of, transposed
from nn.module import Module
from nn.padding import pad
from nn.parameter import Parameter, unset

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _Layer(Module):
    """What convolutions and their transposes have in common: parameters, checks of arguments and text."""

    ndim: int
    transposed: bool
    bias: Parameter | None

    def _set_up(
        self,
        channels: tuple[int, int],
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        output_padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        dtype: Any,
    ) -> None:
        name, ndim = type(self).__name__, self.ndim
        if groups < 1 or min(channels) < 0 or any(n % groups for n in channels):
            raise ValueError(f"{name}(): {groups} groups do not divide {channels[0]} and {channels[1]} channels")
        self.in_channels, self.out_channels = channels
        self.kernel_size = sides_of(name, "kernel_size", kernel_size, ndim, 1)
        self.stride = sides_of(name, "stride", stride, ndim, 1)
        self.padding = padding_of(name, padding, ndim, self.stride)
        self.dilation = sides_of(name, "dilation", dilation, ndim, 1)
        self.output_padding = sides_of(name, "output_padding", output_padding, ndim, 0)
        self.groups = groups
        self.padding_mode = padding_mode
        first, second = channels if self.transposed else channels[::-1]
        self.weight = unset(first, second // groups, *self.kernel_size, dtype=dtype)
        self.register_parameter("bias", unset(self.out_channels, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and biases anew from ``U(−1/√n, 1/√n)``, n the entries of one kernel, as in PyTorch."""
        bound = 1 / sqrt(max(1, prod(self.weight.shape[1:])))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        zeros = (0,) * self.ndim
        parts = {
            "padding": (self.padding, zeros if not isinstance(self.padding, str) else None),
            "dilation": (self.dilation, (1,) * self.ndim),
            "output_padding": (self.output_padding, zeros),
            "groups": (self.groups, 1),
            "bias": (self.bias is not None, True),
            "padding_mode": (self.padding_mode, "zeros"),
        }
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        return text + "".join(f", {key}={value}" for key, (value, default) in parts.items() if value != default)


class _Conv(_Layer):
    """What Conv1d, Conv2d and Conv3d have in common."""

    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(
                f"{type(self).__name__}(): padding_mode is 'zeros', 'reflect', 'replicate' or 'circular'; "
                f"got {padding_mode!r}"
            )
        channels = in_channels, out_channels
        self._set_up(channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, dtype)

    def forward(self, input: Any) -> Any:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            pairs = pairs_of(self.padding, self.kernel_size, self.dilation)
            input = pad(input, [side for pair in reversed(pairs) for side in pair], self.padding_mode)
            padding = 0
        return convolution(self.ndim, input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _ConvTranspose(_Layer):
    """What ConvTranspose1d, ConvTranspose2d and ConvTranspose3d have in common."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros" or isinstance(padding, str):
            raise ValueError(
                f"{type(self).__name__}() takes padding_mode 'zeros' and integers as padding; got {padding_mode!r} "
                f"and {padding!r}"
            )
        self._set_up(
            (in_channels, out_channels), kernel_size, stride, padding, dilation, output_padding, groups, bias,
            padding_mode, dtype,
        )  # fmt: skip

    def forward(self, input: Any, output_size: Any = None) -> Any:
        extra = self.output_padding if output_size is None else self._padding_for(input.shape, output_size)
        return transposed(
            self.ndim, input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _padding_for(self, shape: Sides, output_size: Any) -> Sides:
        """The output padding that gives ``output_size``: sides alone, or a whole shape."""
        wanted = tuple(map(index, output_size))
        if len(wanted) not in (self.ndim, len(shape)):
            raise ValueError(
                f"{type(self).__name__}(): output_size has {self.ndim} or {len(shape)} entries for inputs {shape}; "
                f"got {output_size}"
            )
        wanted = wanted[-self.ndim :]
        padding: Any = self.padding
        least = least_sides(shape[-self.ndim :], self.kernel_size, self.stride, padding, self.dilation)
        extra = tuple(n - m for n, m in zip(wanted, least, strict=True))
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise ValueError(
                f"{type(self).__name__}(): output_size lies between {least} and {most} for inputs {shape}; got {wanted}"
            )
        return extra


class Conv1d(_Conv):
    """Convolution of (N, C_in, L) or (C_in, L); see :class:`Conv2d`."""

    ndim = 1


class Conv2d(_Conv):
    """Convolution of (N, C_in, H, W) or (C_in, H, W): :func:`conv2d` with a weight and a bias of its own.

    Parameters
    ----------
    in_channels, out_channels : int
        C_in and C_out.
    kernel_size : int or one for each axis
    stride, padding, dilation, groups
        As of :func:`conv2d`.
    bias : bool
        Whether there is one.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What lies around the input; see :func:`nn.functional.pad`.
    dtype : optional
        Of the parameters; float32 by default.

    Raises
    ------
    ValueError
        For sizes out of range, groups that do not divide the channels, and an unknown padding or mode.

    Notes
    -----
    ``weight`` has shape (C_out, C_in/groups, *kernel_size), ``bias`` (C_out,) or is None; both start from
    ``U(−1/√n, 1/√n)`` with n = C_in/groups · prod(kernel_size), as in PyTorch.
    """

    ndim = 2


class Conv3d(_Conv):
    """Convolution of (N, C_in, D, H, W) or (C_in, D, H, W); see :class:`Conv2d`."""

    ndim = 3


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of (N, C_in, L) or (C_in, L); see :class:`ConvTranspose2d`."""

    ndim = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of (N, C_in, H, W) or (C_in, H, W): :func:`conv_transpose2d` with its parameters.

    Parameters
    ----------
    in_channels, out_channels : int
        C_in and C_out.
    kernel_size : int or one for each axis
    stride, padding, output_padding, groups, dilation
        As of :func:`conv_transpose2d`.
    bias : bool
        Whether there is one.
    padding_mode : "zeros"
        There is no other.
    dtype : optional
        Of the parameters; float32 by default.

    Raises
    ------
    ValueError
        For sizes out of range, groups that do not divide the channels, and a padding or mode that is not zeros.

    Notes
    -----
    ``forward(input, output_size=None)``: a size, in place of the output padding, for the last axes or all of them.
    ``weight`` has shape (C_in, C_out/groups, *kernel_size), ``bias`` (C_out,) or is None; both start from
    ``U(−1/√n, 1/√n)`` with n = C_out/groups · prod(kernel_size), as in PyTorch.
    """

    ndim = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of (N, C_in, D, H, W) or (C_in, D, H, W); see :class:`ConvTranspose2d`."""

    ndim = 3
