"""BlueOx's interface over sawlog: a program of BlueOx runs with `import sawlog.blueox as blueox`.

The events go to a forward input of sawlog. Its port is 24224; BlueOx's own port of collection, 3514, in BLUEOX_HOST or in
an argument, means it as well, so that what stands in a program's environment need not change.
"""

from __future__ import annotations

import importlib
from typing import Any, Callable, Optional, Union

from .. import configuration as _configuration
from ..context import (
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
from . import context, errors, logger, network, ports, timer, utils
from .errors import Error
from .logger import LogHandler

__title__ = "blueox"
# The interface's version, which programs may look at.
__version__ = "0.11.3"

__all__ = [
    "Context",
    "Error",
    "LogHandler",
    "add",
    "append",
    "clear_contexts",
    "configure",
    "context",
    "context_wrap",
    "current_context",
    "default_configure",
    "errors",
    "find_context",
    "logger",
    "network",
    "ports",
    "set",
    "shutdown",
    "timeit",
    "timer",
    "utils",
]

Recorder = Union[None, str, Callable[[Context], None]]


def configure(host: Optional[str], port: Optional[int], recorder: Recorder = None) -> None:
    """Names the receiver; without host or port all calls do nothing. `recorder` may be a function that gets the finished
    contexts; the names of BlueOx's own ways to send all mean sawlog's."""
    if callable(recorder):
        _configuration.configure(recorder=recorder)
    elif host and port:
        network.init(host, port)
    else:
        shutdown()


def default_configure(host: Optional[str] = None) -> None:
    """Names the receiver by `host`, HOST or HOST:PORT, else by the environment's BLUEOX_HOST, else 127.0.0.1. Raises
    `Error` where the port is no number."""
    address = ports.default_collect_host(host)
    name, _, port = address.rpartition(":")
    if not port.isdigit():
        raise Error(f"{address!r} has no valid port")
    configure(name.strip("[]"), int(port))


def shutdown() -> None:
    """Sends what waits and does nothing from then on. Fit as a reload hook of Tornado."""
    network.close()


def __getattr__(name: str) -> Any:
    # Those that need a framework or pyzmq are loaded when a program names them.
    if name in ("tornado_utils", "client", "contrib"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
