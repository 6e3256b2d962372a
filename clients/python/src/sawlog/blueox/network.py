"""`blueox.network`: where the events go."""

from __future__ import annotations

from typing import Any

from .. import configuration
from ..context import Context
from .ports import forward_port


def nothing(_value: Any) -> None:
    """What BlueOx sends for a value that it cannot: none."""
    return None


def init(host: str, port: int) -> None:
    """Begins to send to the forward input at `host`."""
    bracketed = f"[{host}]" if ":" in host else host
    configuration.configure(f"{bracketed}:{forward_port(port)}", fallback=nothing)


def send(context: Context) -> None:
    """Queues a context as it is."""
    recorder = configuration.current_recorder()
    if recorder is not None:
        recorder(context)


def close() -> None:
    """Sends what waits and ends."""
    configuration.shutdown()
