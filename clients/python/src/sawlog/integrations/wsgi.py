"""WSGI: an event for each request, ended when the server has taken the last byte. For any WSGI application.

    application = EventMiddleware(application)
"""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, Iterable, Iterator, List, Optional

from ..context import Context
from . import http

Environ = Dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class EventMiddleware:
    """Method, path, query, headers, client_ip, response_status_code, response_size, exception."""

    def __init__(
        self, app: Application, name: str = "request", hidden_headers: FrozenSet[str] = http.SECRET_HEADERS
    ) -> None:
        self.app = app
        self.name = name
        self.hidden_headers = hidden_headers

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        event = Context(self.name).start()
        event.set("method", environ["REQUEST_METHOD"])
        event.set("path", environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        if environ.get("QUERY_STRING"):
            event.set("query", environ["QUERY_STRING"])
        event.set("headers", http.environ_headers(environ, self.hidden_headers))
        if "REMOTE_ADDR" in environ:
            event.set("client_ip", environ["REMOTE_ADDR"])

        def begin(status: str, headers: List[Any], exc_info: Any = None) -> Any:
            if event.writable:
                event.set("response_status_code", int(status.split(" ", 1)[0]))
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        try:
            return _Body(event, self.app(environ, begin))
        except BaseException as error:
            event.set("exception", http.exception(error))
            event.done()
            raise


class _Body:
    """The body of a response; its end, or that of the connection, ends the event."""

    def __init__(self, event: Context, parts: Iterable[bytes]) -> None:
        self._event = event
        self._parts = parts
        self._iterator: Optional[Iterator[bytes]] = None
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._iterator is None:
                self._iterator = iter(self._parts)
            part = next(self._iterator)
        except StopIteration:
            raise
        except BaseException as error:
            if self._event.writable:
                self._event.set("exception", http.exception(error))
            raise
        self._size += len(part)
        return part

    def close(self) -> None:
        """Called by the server at the end, whatever came before."""
        try:
            if hasattr(self._parts, "close"):
                self._parts.close()
        finally:
            if self._event.writable:
                self._event.set("response_size", self._size)
            self._event.done()
