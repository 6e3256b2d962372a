"""`blueox.utils`: reading and writing maps by dotted keys."""

from __future__ import annotations

from typing import Any, Dict

from ..body import set_deep as _set_deep

__all__ = ["get_deep", "set_deep"]


def get_deep(target: Any, key: str, default: Any = None) -> Any:
    """The value at `key`; a number in it is a place in a list."""
    value = target
    for part in key.split("."):
        try:
            value = value[int(part)] if part.isdigit() and isinstance(value, (list, tuple)) else value[part]
        except (KeyError, IndexError, TypeError):
            return default
    return value


def set_deep(target: Dict[str, Any], key: str, value: Any) -> None:
    """Puts a value at `key`."""
    _set_deep(target, key, (value,), {})
