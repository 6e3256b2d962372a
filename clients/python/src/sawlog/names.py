"""How the name of a context and its parent follow from the name it is given and the contexts around it.

Knows nothing of time, bodies and sending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Optional, Tuple

if TYPE_CHECKING:
    from .context import Context

# Names are few and are asked for at every context; the table is emptied where a program makes names without end.
_joined: Dict[Tuple[str, str], str] = {}
_JOINED_MOST = 4096


def resolve(given: str, current: Optional[Context]) -> Tuple[str, Optional[Context]]:
    """The full name and the parent of a context that is called `given` inside of `current`.

    `.sub` is relative to the current context, `^.sub` to the outermost; any other name is absolute, and has a parent
    where a context around it bears a prefix of it. Raises ValueError where `given` is empty, begins with `..`, or has
    no dot after `^`.
    """
    first = given[:1]
    if first == ".":
        if given[1:2] in (".", ""):
            raise ValueError(f"a context cannot be called {given!r}: what follows the dot must be a name")
        if current is None:
            return given[1:], None
        name = _join(current.name, given)
        return name, _nearest(name, current) or current
    if first == "^":
        if given[1:2] != "." or given[2:3] in (".", ""):
            raise ValueError(f"a context cannot be called {given!r}: write ^.name for one below the outermost")
        if current is None:
            return given[2:], None
        top = outermost(current)
        name = _join(top.name, given[1:])
        return name, _nearest(name, current) or top
    if not first:
        raise ValueError("a context needs a name")
    if current is None:
        return given, None
    return given, _nearest(given, current) or _namesake(given, current)


def outermost(current: Context) -> Context:
    """The first context of the chain that ends in `current`."""
    while current.previous is not None:
        current = current.previous
    return current


def find(name: str, current: Optional[Context]) -> Optional[Context]:
    """The context that `name` means inside of `current`: `.` itself, `..` the one around it, `^` the outermost, else the
    innermost that bears the name."""
    if current is None or name == ".":
        return current
    if name == "..":
        return current.previous
    if name == "^":
        return outermost(current)
    return _namesake(name, current)


def _join(name: str, relative: str) -> str:
    """`relative` put below `name`. Where its first part stands in `name` already, it is put there: `.sql` called from
    within `request.sql.retry` is `request.sql`, so that code that is called at any depth gives its events one name."""
    key = (name, relative)
    joined = _joined.get(key)
    if joined is None:
        parts, below = name.split("."), relative[1:].split(".")
        if below[0] in parts:
            parts = parts[: parts.index(below[0])]
        joined = ".".join(parts + below)
        if len(_joined) >= _JOINED_MOST:
            _joined.clear()
        _joined[key] = joined
    return joined


def _nearest(name: str, context: Optional[Context]) -> Optional[Context]:
    """The innermost context whose name is a proper prefix of `name`, by whole parts."""
    while context is not None:
        length = len(context.name)
        if length < len(name) and name[length] == "." and name.startswith(context.name):
            return context
        context = context.previous
    return None


def _namesake(name: str, context: Optional[Context]) -> Optional[Context]:
    while context is not None and context.name != name:
        context = context.previous
    return context
