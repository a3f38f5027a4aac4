"""Saved states: safetensors files, which PyTorch and others read and write too."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.dispatch import bare

__all__ = ["load", "save"]


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('saving and loading need the safetensors package: pip install "chainrule[files]"') from error
    return safetensors.numpy


def save(state: Mapping[str, Any], path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
    """Write named tensors or arrays, such as ``model.state_dict()``, to a safetensors file.

    The file appears whole or not at all: an interrupted save leaves what was there before. Raises TypeError
    for values that are no tensors, ValueError for dtypes the format lacks, ImportError without safetensors.
    """
    library = _safetensors()
    if not isinstance(state, Mapping):
        raise TypeError(f"save() takes a dict of tensors, such as model.state_dict(); got {type(state).__name__}")
    arrays = {}
    for name, value in state.items():
        array = bare(value)
        if not isinstance(name, str) or not isinstance(array, (np.ndarray, np.generic)):
            raise TypeError(f"save() takes names and tensors; {name!r} is a {type(value).__name__}")
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise ValueError(f"a safetensors file cannot hold {name!r} of dtype {array.dtype}")
        arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
    path = os.path.abspath(path)
    content = library.save(arrays, dict(metadata) if metadata else None)
    partial = Path(f"{path}.{secrets.token_hex(8)}")  # as readable for others as any new file: `tempfile` is private
    try:
        with open(partial, "xb") as file:
            file.write(content)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The named tensors of a safetensors file, for ``model.load_state_dict``.

    Raises FileNotFoundError, ValueError for a file of another format, and ImportError without safetensors.
    """
    return load_with_metadata(path)[0]


def load_with_metadata(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The named tensors of a safetensors file, and the strings in its header; raises as :func:`load` does."""
    library = _safetensors()
    with open(path, "rb") as file:
        content = file.read()
    try:
        arrays = library.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except Exception as error:
        raise ValueError(f"{os.fspath(path)} is no safetensors file: {error}") from error
    return {name: Tensor(array) for name, array in arrays.items()}, header.get("__metadata__", {})
