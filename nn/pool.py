"""Pooling layers over one, two and three axes."""

from __future__ import annotations

from typing import Any

from nn.convolution import sides_of
from nn.module import Module
from nn.pooling import adaptive_maxima, adaptive_means, avg_pool1d, max_windows, mean_windows, norm_windows, put_back

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _MaxPool(Module):
    ndim: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        args = (self.kernel_size, self.stride, self.padding, self.dilation)
        return max_windows(type(self).__name__, self.ndim, input, args, self.ceil_mode, self.return_indices)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """:func:`max_pool1d` as a module."""

    ndim = 1


class MaxPool2d(_MaxPool):
    """:func:`max_pool2d` as a module."""

    ndim = 2


class MaxPool3d(_MaxPool):
    """:func:`max_pool3d` as a module."""

    ndim = 3


class _MaxUnpool(Module):
    ndim: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = sides_of(name, "kernel_size", kernel_size, self.ndim, 1)
        self.stride = self.kernel_size if stride is None else sides_of(name, "stride", stride, self.ndim, 1)
        self.padding = sides_of(name, "padding", padding, self.ndim, 0)

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        args = (self.kernel_size, self.stride, self.padding, output_size)
        return put_back(type(self).__name__, self.ndim, input, indices, *args)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """:func:`max_unpool1d` as a module."""

    ndim = 1


class MaxUnpool2d(_MaxUnpool):
    """:func:`max_unpool2d` as a module."""

    ndim = 2


class MaxUnpool3d(_MaxUnpool):
    """:func:`max_unpool3d` as a module."""

    ndim = 3


class AvgPool1d(Module):
    """:func:`avg_pool1d` as a module."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = sides_of("AvgPool1d", "kernel_size", kernel_size, 1, 1)
        self.stride = self.kernel_size if stride is None else sides_of("AvgPool1d", "stride", stride, 1, 1)
        self.padding = sides_of("AvgPool1d", "padding", padding, 1, 0)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Any) -> Any:
        return avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    ndim: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Any) -> Any:
        args = (self.kernel_size, self.stride, self.padding)
        options = (self.ceil_mode, self.count_include_pad, self.divisor_override)
        return mean_windows(type(self).__name__, self.ndim, input, args, *options)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """:func:`avg_pool2d` as a module."""

    ndim = 2


class AvgPool3d(_AvgPool):
    """:func:`avg_pool3d` as a module."""

    ndim = 3


class _LPPool(Module):
    ndim: int

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        args = (float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)
        return norm_windows(type(self).__name__, self.ndim, input, *args)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """:func:`lp_pool1d` as a module."""

    ndim = 1


class LPPool2d(_LPPool):
    """:func:`lp_pool2d` as a module."""

    ndim = 2


class LPPool3d(_LPPool):
    """:func:`lp_pool3d` as a module."""

    ndim = 3


class _AdaptiveMaxPool(Module):
    ndim: int

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        return adaptive_maxima(type(self).__name__, self.ndim, input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """:func:`adaptive_max_pool1d` as a module."""

    ndim = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """:func:`adaptive_max_pool2d` as a module."""

    ndim = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """:func:`adaptive_max_pool3d` as a module."""

    ndim = 3


class _AdaptiveAvgPool(Module):
    ndim: int

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Any) -> Any:
        return adaptive_means(type(self).__name__, self.ndim, input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """:func:`adaptive_avg_pool1d` as a module."""

    ndim = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """:func:`adaptive_avg_pool2d` as a module."""

    ndim = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """:func:`adaptive_avg_pool3d` as a module."""

    ndim = 3
