"""Checkpoints: everything a training needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.random import default_generator
from nn.files import load_with_metadata, save

__all__ = ["load_checkpoint", "save_checkpoint"]

VERSION = "1"


def _packed(value: Any, path: str, arrays: dict[str, Any]) -> Any:
    """``value`` as JSON can hold it; arrays go to ``arrays`` under their paths."""
    value = bare(value)
    if isinstance(value, np.ndarray) or (isinstance(value, np.generic) and value.dtype.kind not in "biuf"):
        arrays[path] = value
        return {"array": path}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {"dict": [[key, _packed(entry, f"{path}.{key}", arrays)] for key, entry in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_packed(entry, f"{path}.{i}", arrays) for i, entry in enumerate(value)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a checkpoint cannot hold '{path}', a {type(value).__name__}")


def _unpacked(value: Any, arrays: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return np.array(bare(arrays[content]))
    if kind == "dict":
        return {key: _unpacked(entry, arrays) for key, entry in content}
    entries = [_unpacked(entry, arrays) for entry in content]
    return tuple(entries) if kind == "tuple" else entries


def save_checkpoint(path: str | os.PathLike[str], *, step: int = 0, extra: Any = None, **parts: Any) -> None:
    """Write the states of a model, an optimiser, schedules, … to one safetensors file.

    Parameters
    ----------
    path : path
        The file appears whole or not at all: whoever is killed while writing leaves what was there before.
    step : int
        Where the training is.
    extra : numbers, strings, arrays, and nested lists, tuples and dicts of these
        Whatever else is to be kept.
    **parts : objects with ``state_dict()``
        Under any names: ``model=…, optimizer=…, scheduler=…``. Generators of NumPy may be parts too.

    Raises
    ------
    TypeError
        For parts without a state and values that a file cannot hold.

    Notes
    -----
    The library's random state is kept as well. Everything but the arrays is JSON in the file's header.
    """
    arrays: dict[str, Any] = {}
    states = {name: _state(name, part) for name, part in parts.items()}
    content = {
        "version": VERSION,
        "step": int(step),
        "random": default_generator().bit_generator.state,
        "extra": extra,
        "parts": states,
    }
    header = json.dumps(_packed(content, "checkpoint", arrays))
    save(arrays, path, {"checkpoint": header})


def _state(name: str, part: Any) -> Any:
    if isinstance(part, np.random.Generator):
        return part.bit_generator.state
    if not hasattr(part, "state_dict"):
        raise TypeError(f"'{name}' has no state_dict(): a {type(part).__name__} cannot be a part of a checkpoint")
    return part.state_dict()


def load_checkpoint(path: str | os.PathLike[str], **parts: Any) -> tuple[int, Any]:
    """Give the parts the states that :func:`save_checkpoint` wrote, and the library its random state.

    Parameters
    ----------
    path : path
    **parts : objects with ``load_state_dict()``
        Under the names they were saved with.

    Returns
    -------
    step, extra : as they were saved

    Raises
    ------
    FileNotFoundError
        Where there is no file.
    ValueError
        For a file that is no checkpoint, and parts that are not in it.
    """
    arrays, metadata = load_with_metadata(path)
    if "checkpoint" not in metadata:
        raise ValueError(f"{os.fspath(path)} is no checkpoint")
    content = _unpacked(json.loads(metadata["checkpoint"]), arrays)
    missing = [name for name in parts if name not in content["parts"]]
    if missing:
        raise ValueError(f"{os.fspath(path)} has no part {', '.join(missing)}; it has {', '.join(content['parts'])}")
    for name, part in parts.items():
        state = content["parts"][name]
        if isinstance(part, np.random.Generator):
            part.bit_generator.state = state
        else:
            part.load_state_dict(state)
    default_generator().bit_generator.state = content["random"]
    return content["step"], content["extra"]
