"""Elementwise programs over arrays, in one pass over memory: built from fusion.c."""

from typing import Any

VERSION: int
SCRATCH: int
CONSTANT: int
operations: tuple[str, ...]

def run(program: bytes, constants: tuple[float, ...], columns: tuple[tuple[Any, ...], ...], threads: int) -> bool: ...
