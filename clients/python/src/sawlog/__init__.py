"""Application events for sawlog: contexts, timers and logs, sent by the forward protocol with acknowledgements.

    import sawlog

    sawlog.configure("127.0.0.1:24224")
    with sawlog.Context("request") as request:
        request.set("user", 7)
        with sawlog.Context(".sql"):
            sawlog.set("query", "SELECT 1")

Until `configure` is called with a receiver, or the environment names one in SAWLOG_HOST and `configure` is called
without, nothing is sent and next to nothing done.
"""

from .configuration import configure, flush, shutdown, stats
from .context import (
    Context,
    add,
    append,
    clear_contexts,
    context_wrap,
    current_context,
    find_context,
    set,
    timeit,
)
from .logs import LogHandler
from .sender import Stats

__version__ = "0.1.0"

__all__ = [
    "Context",
    "LogHandler",
    "Stats",
    "add",
    "append",
    "clear_contexts",
    "configure",
    "context_wrap",
    "current_context",
    "find_context",
    "flush",
    "set",
    "shutdown",
    "stats",
    "timeit",
]
