"""Loops over arrays that NumPy would need many passes for: built from the C files beside this one."""

from typing import Any

VERSION: int
SCRATCH: int
CONSTANT: int
operations: tuple[str, ...]
kernels: tuple[str, ...]
kernel_inputs: tuple[str, ...]
kernel_outputs: tuple[str, ...]
kernel_dtypes: tuple[str, ...]

def run(program: bytes, constants: tuple[float, ...], columns: tuple[tuple[Any, ...], ...], threads: int) -> bool: ...
def run_rows(kernel: int, inputs: tuple[Any, ...], outputs: tuple[Any, ...], length: int, parameter: float) -> None: ...
