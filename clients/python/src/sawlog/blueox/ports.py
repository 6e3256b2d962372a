"""`blueox.ports`: how addresses are completed. Programs of BlueOx name its ports; events go to sawlog's forward input."""

from __future__ import annotations

import os
from typing import Optional

from ..configuration import DEFAULT_PORT

ENV_VAR_CONTROL_HOST = "BLUEOX_CLIENT_HOST"
ENV_VAR_COLLECT_HOST = "BLUEOX_HOST"

DEFAULT_HOST = "127.0.0.1"
DEFAULT_CONTROL_PORT = 3513
DEFAULT_COLLECT_PORT = 3514


def default_control_host(host: Optional[str] = None) -> str:
    """HOST:PORT of the control port, for readers of the live stream."""
    return _complete(host or os.environ.get(ENV_VAR_CONTROL_HOST) or DEFAULT_HOST, DEFAULT_CONTROL_PORT)


def default_collect_host(host: Optional[str] = None) -> str:
    """HOST:PORT that events are sent to."""
    return _complete(host or os.environ.get(ENV_VAR_COLLECT_HOST) or DEFAULT_HOST, DEFAULT_COLLECT_PORT)


def forward_port(port: int) -> int:
    """The port of the forward input that `port` means."""
    return DEFAULT_PORT if port == DEFAULT_COLLECT_PORT else port


def _complete(host: str, port: int) -> str:
    if host.count(":") == 0 or host.endswith("]"):
        return f"{host}:{port}"
    return host
