"""Django: an event for each request, sync and async.

    MIDDLEWARE = ["sawlog.integrations.django.EventMiddleware", …]      # first, so that it sees all

The settings SAWLOG_HOST (the receiver; without it `sawlog.configure` is the program's) and SAWLOG_NAME (the event's name,
"request") are looked at.
"""

from __future__ import annotations

from typing import Any, Callable, FrozenSet

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings

from ..configuration import configure
from ..context import Context
from . import http


class EventMiddleware:
    """Method, path, uri, headers, client_ip, view, user, version, revision, response_status_code, response_size,
    response_headers, exception."""

    sync_capable = True
    async_capable = True
    hidden_headers: FrozenSet[str] = http.SECRET_HEADERS

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        self.configure()
        self.name = self.event_name()
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def configure(self) -> None:
        """Once, when Django makes the middleware."""
        if getattr(settings, "SAWLOG_HOST", None):
            configure(settings.SAWLOG_HOST)

    def event_name(self) -> str:
        """What the events are called."""
        return str(getattr(settings, "SAWLOG_NAME", "request"))

    def __call__(self, request: Any) -> Any:
        if self._async:
            return self._awaited(request)
        with Context(self.name) as event:
            self._request(event, request)
            response = self.get_response(request)
            self._response(event, request, response)
            return response

    async def _awaited(self, request: Any) -> Any:
        with Context(self.name) as event:
            self._request(event, request)
            response = await self.get_response(request)
            self._response(event, request, response)
            return response

    def process_exception(self, request: Any, error: BaseException) -> None:
        """Called by Django for what a view raises; the answer to it comes the usual way."""
        event = getattr(request, "sawlog_event", None)
        if event is not None and event.writable:
            event.set("exception", http.exception(error))

    def _request(self, event: Context, request: Any) -> None:
        request.sawlog_event = event
        event.set("method", request.method)
        event.set("path", request.path)
        event.set("headers", http.environ_headers(request.META, self.hidden_headers))
        event.set("client_ip", request.META.get("REMOTE_ADDR"))
        try:
            event.set("uri", request.build_absolute_uri())
        except Exception as error:
            # The host header of the request may be one that Django refuses; the answer is Django's to give.
            event.set("uri_error", str(error))

    def _response(self, event: Context, request: Any, response: Any) -> None:
        if not event.writable:
            return
        match = getattr(request, "resolver_match", None)
        if match is not None:
            event.set("view", match.view_name or getattr(match, "_func_path", ""))
        # Only a user that somebody asked for already: to ask here would query the database.
        user = request.__dict__.get("_cached_user")
        if user is not None:
            event.set("user", getattr(user, "pk", None))
        for key in ("version", "revision"):
            if hasattr(request, key):
                event.set(key, getattr(request, key))
        event.set("response_status_code", response.status_code)
        if not response.streaming:
            event.set("response_size", len(response.content))
        event.set("response_headers", http.headers(response.items(), self.hidden_headers))
