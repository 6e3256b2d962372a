"""`blueox.context`: the contexts are sawlog's own."""

from ..context import (
    Context,
    add,
    append,
    clear_contexts,
    context_wrap,
    current_context,
    find_context,
    set,
)

__all__ = [
    "Context",
    "add",
    "append",
    "clear_contexts",
    "context_wrap",
    "current_context",
    "find_context",
    "set",
    "top_context",
]


def top_context() -> "Context | None":
    """The outermost context."""
    return find_context("^")
