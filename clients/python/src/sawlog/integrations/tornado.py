"""Tornado: an event for each request of a handler and for each fetch of the client.

    class Main(SampleRequestHandler):
        async def get(self): …

The loop of Tornado is that of asyncio, where each request is a task of its own: nothing has to be patched.
"""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Optional, Union

import tornado.httpclient
import tornado.simple_httpclient
import tornado.web

from ..context import Context
from . import http


class EventHandlerMixin:
    """Before `tornado.web.RequestHandler` in a handler's bases: the request is the current context of its methods."""

    event_name = "request"
    event: Optional[Context] = None

    def prepare(self) -> Any:
        """Begins the event."""
        self.event = Context(self.event_name).start()
        return super().prepare()  # type: ignore[misc]

    def on_finish(self) -> None:
        """Ends it; what `on_finish` of the handler's other bases writes is in it."""
        super().on_finish()  # type: ignore[misc]
        self._end()

    def on_connection_close(self) -> None:
        """The client went away. The handler's method may still be at work, so the event ends with it, in `on_finish`, or
        here where the method never answers."""
        super().on_connection_close()  # type: ignore[misc]
        if self.event is not None and self.event.writable:
            self.event.set("connection_closed", True)

    def _end(self) -> None:
        if self.event is not None:
            self.event.done()
            self.event = None


class SampleRequestHandler(EventHandlerMixin, tornado.web.RequestHandler):
    """A base for handlers: method, uri, headers, client_ip, response_status_code, response_size, exception."""

    hidden_headers: FrozenSet[str] = http.SECRET_HEADERS

    def prepare(self) -> Any:
        """Begins the event with what is known of the request."""
        prepared = super().prepare()
        self._set("headers", http.headers(self.request.headers.get_all(), self.hidden_headers))
        self._set("method", self.request.method)
        self._set("uri", self.request.uri)
        self._set("client_ip", self.request.remote_ip)
        return prepared

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Keeps the traceback of what is not an answer in the shape of an exception."""
        if value is not None and not isinstance(value, tornado.web.HTTPError):
            self._set("exception", http.exception(value))
        super().log_exception(typ, value, tb)

    def write(self, chunk: Union[str, bytes, Dict[Any, Any]]) -> None:
        """Counts what is written, in bytes as they will be sent."""
        before = sum(map(len, self._write_buffer))
        super().write(chunk)
        if self.event is not None and self.event.writable:
            self.event.add("response_size", sum(map(len, self._write_buffer)) - before)

    def on_finish(self) -> None:
        """Ends the event."""
        self._set("response_status_code", self.get_status())
        super().on_finish()

    def _set(self, key: str, value: Any) -> None:
        if self.event is not None and self.event.writable:
            self.event.set(key, value)


class AsyncHTTPClient(tornado.simple_httpclient.SimpleAsyncHTTPClient):
    """Each fetch is an event `.httpclient`: request.uri, request.method, request.size, response.code, response.size."""

    event_name = ".httpclient"

    def fetch(self, request: Any, raise_error: bool = True, **kwargs: Any) -> Any:
        """As that of Tornado."""
        if not isinstance(request, tornado.httpclient.HTTPRequest):
            request = tornado.httpclient.HTTPRequest(url=request, **kwargs)
            kwargs = {}
        event = Context(self.event_name).start()
        event.set("request.uri", request.url)
        event.set("request.method", request.method)
        event.set("request.size", len(request.body or b""))
        # Others may begin while this one is on its way; it is not around them.
        event.stop()

        def fetched(future: Any) -> None:
            event.start()
            error = None if future.cancelled() else future.exception()
            response = getattr(error, "response", None)
            if error is None and not future.cancelled():
                response = future.result()
            event.set("response.code", 599 if response is None else response.code)
            event.set("response.size", len(getattr(response, "body", None) or b""))
            if error is not None and response is None:
                event.set("exception", repr(error))
            event.done()

        future = super().fetch(request, raise_error=raise_error, **kwargs)
        future.add_done_callback(fetched)
        return future
