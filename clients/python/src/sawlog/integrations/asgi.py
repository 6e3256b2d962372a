"""ASGI: an event for each HTTP request and each websocket. For Starlette, FastAPI, Quart, Django and bare applications.

    app.add_middleware(EventMiddleware)           # Starlette, FastAPI
    application = EventMiddleware(application)    # any
"""

from __future__ import annotations

from typing import Any, Awaitable, Callable, Dict, FrozenSet

from ..context import Context
from . import http

Scope = Dict[str, Any]
Receive = Callable[[], Awaitable[Dict[str, Any]]]
Send = Callable[[Dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class EventMiddleware:
    """Method, path, query, headers, client_ip, response_status_code, response_size, exception; for a websocket its path and
    how many messages went each way."""

    def __init__(
        self, app: Application, name: str = "request", hidden_headers: FrozenSet[str] = http.SECRET_HEADERS
    ) -> None:
        self.app = app
        self.name = name
        self.hidden_headers = hidden_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        with Context(self.name) as event:
            self._request(event, scope)

            async def counted_receive() -> Dict[str, Any]:
                message = await receive()
                if message["type"] == "websocket.receive" and event.writable:
                    event.add("received", 1)
                return message

            async def counted_send(message: Dict[str, Any]) -> None:
                if event.writable:
                    self._response(event, message)
                await send(message)

            try:
                await self.app(scope, counted_receive if scope["type"] == "websocket" else receive, counted_send)
            except BaseException as error:
                event.set("exception", http.exception(error))
                raise

    def _request(self, event: Context, scope: Scope) -> None:
        if "method" in scope:
            event.set("method", scope["method"])
        event.set("path", scope["path"])
        if scope.get("query_string"):
            event.set("query", scope["query_string"].decode("latin-1"))
        event.set("headers", http.headers(scope.get("headers", ()), self.hidden_headers))
        if scope.get("client"):
            event.set("client_ip", scope["client"][0])

    @staticmethod
    def _response(event: Context, message: Dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            event.set("response_status_code", message["status"])
        elif kind == "http.response.body":
            event.add("response_size", len(message.get("body", b"")))
        elif kind == "websocket.send":
            event.add("sent", 1)
        elif kind == "websocket.close":
            event.set("close_code", message.get("code", 1000))
