"""`blueox.tornado_utils`: BlueOx's mix-ins for Tornado."""

from __future__ import annotations

from typing import FrozenSet, Optional

import tornado.gen

from ..context import Context
from ..integrations import tornado as _integration

# Contexts are kept apart by asyncio itself.
coroutine = tornado.gen.coroutine


def install() -> None:
    """Has nothing left to do; kept for the programs that call it."""


class BlueOxRequestHandlerMixin(_integration.EventHandlerMixin):
    """The request as a context, `blueox_ctx`, called `blueox_name`."""

    blueox_name = "request"

    @property
    def event_name(self) -> str:  # type: ignore[override]
        """Under BlueOx's name of it."""
        return self.blueox_name

    @property
    def blueox_ctx(self) -> Optional[Context]:
        """The context of the request."""
        return self.event


class SampleRequestHandler(BlueOxRequestHandlerMixin, _integration.SampleRequestHandler):
    """Headers, method, uri, response_size, response_status_code, exception. Like BlueOx's it hides no header."""

    hidden_headers: FrozenSet[str] = frozenset()


class AsyncHTTPClient(_integration.AsyncHTTPClient):
    """Each fetch is an event called `blueox_name`."""

    blueox_name = ".httpclient"

    @property
    def event_name(self) -> str:  # type: ignore[override]
        """Under BlueOx's name of it."""
        return self.blueox_name


__all__ = ["AsyncHTTPClient", "BlueOxRequestHandlerMixin", "SampleRequestHandler", "coroutine", "install"]

