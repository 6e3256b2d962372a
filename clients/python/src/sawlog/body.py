"""Writing into the body of an event by dotted keys. Knows nothing of contexts."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple


def set_deep(body: Dict[str, Any], key: str, values: Sequence[Any], merged: Mapping[str, Any]) -> None:
    """Sets one value, a list of several, or merges a map."""
    if len(values) == 1:
        _put(*_last(body, key), values[0])
    elif values:
        _put(*_last(body, key), list(values))
    if merged:
        holder, last = _last(body, key)
        there = _get(holder, last)
        if not isinstance(there, dict):
            there = {}
            _put(holder, last, there)
        there.update(merged)


def append_deep(body: Dict[str, Any], key: str, value: Any) -> None:
    """Appends to the list there. Raises ValueError where something else is there."""
    holder, last = _last(body, key)
    there = _get(holder, last)
    if there is None:
        _put(holder, last, [value])
    elif isinstance(there, list):
        there.append(value)
    else:
        raise ValueError(f"there is no list at {key!r}")


def add_deep(body: Dict[str, Any], key: str, value: Any) -> None:
    """Adds to the number there."""
    holder, last = _last(body, key)
    there = _get(holder, last)
    _put(holder, last, value if there is None else there + value)


def _last(body: Dict[str, Any], key: str) -> Tuple[Any, Any]:
    """The map or list that holds the last part of `key`, made where it is missing, and that part."""
    if "." not in key:
        return body, key
    *path, last = key.split(".")
    holder: Any = body
    for part in path:
        if part.isdigit():
            raise ValueError(f"{key!r}: a number may stand only at the end of a key")
        if not isinstance(holder, dict):
            raise ValueError(f"{key!r}: there is no map before {part!r}")
        inner = holder.get(part)
        if inner is None:
            inner = holder[part] = {}
        holder = inner
    if not isinstance(holder, (dict, list)):
        raise ValueError(f"{key!r}: there is no map before {last!r}")
    if isinstance(holder, list):
        if not last.isdigit() or int(last) >= len(holder):
            raise ValueError(f"{key!r}: there is no such place in the list")
        return holder, int(last)
    return holder, last


def _get(holder: Any, last: Any) -> Any:
    return holder.get(last) if isinstance(holder, dict) else holder[last]


def _put(holder: Any, last: Any, value: Any) -> None:
    holder[last] = value
