"""What the integrations of BlueOx read from a framework's settings: BLUEOX_HOST and BLUEOX_NAME."""

from __future__ import annotations

from typing import Any, Callable

from .. import configure, default_configure

_MISSING = object()


def configure_by(get: Callable[[str, Any], Any]) -> None:
    """BLUEOX_HOST names the receiver; empty: nothing is sent; not there: the environment decides."""
    host = get("BLUEOX_HOST", _MISSING)
    if host is _MISSING:
        default_configure()
    elif host:
        default_configure(host)
    else:
        configure(None, None)


def name_by(get: Callable[[str, Any], Any], event: str) -> str:
    """`<BLUEOX_NAME>.<event>`."""
    return ".".join((get("BLUEOX_NAME", "") or "", event))
