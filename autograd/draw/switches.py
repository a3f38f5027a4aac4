"""Values of switches, refused where they mean nothing."""

from __future__ import annotations

from typing import Any

__all__ = ["at_least", "one_of"]


def one_of(switch: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Refuse what is none of ``choices``; 1 is not True."""
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise ValueError(f"{switch} is one of {', '.join(map(repr, choices))}; got {value!r}")


def at_least(switch: str, value: Any, least: int) -> None:
    """Refuse anything but a whole number from ``least`` on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{switch} is a whole number, {least} or more; got {value!r}")
