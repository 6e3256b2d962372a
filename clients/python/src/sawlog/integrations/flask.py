"""Flask: an event for each request, with the endpoint that answered it.

    Events(app)        # or Events().init_app(app)

The settings SAWLOG_HOST (the receiver; without it `sawlog.configure` is the program's) and SAWLOG_NAME (the event's name,
"request") of the application's configuration are looked at.
"""

from __future__ import annotations

from typing import Any, Optional

import flask

from ..configuration import configure
from ..context import Context
from . import http


class Events:
    """Method, path, url, headers, client_ip, endpoint, user, response_status_code, response_size, exception."""

    def __init__(self, app: Optional[flask.Flask] = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Begins with the next request of `app`."""
        self.name = app.config.get("SAWLOG_NAME", "request")
        if app.config.get("SAWLOG_HOST"):
            configure(app.config["SAWLOG_HOST"])
        app.before_request(self.begin)
        app.after_request(self.answered)
        app.teardown_request(self.end)

    def begin(self) -> None:
        """Before the request."""
        request = flask.request
        event = flask.g.sawlog_event = Context(self.name).start()
        event.set("method", request.method)
        event.set("path", request.path)
        event.set("url", request.url)
        event.set("headers", http.environ_headers(request.environ, self.hidden_headers))
        event.set("client_ip", request.remote_addr)
        if request.endpoint is not None:
            event.set("endpoint", request.endpoint)

    def answered(self, response: flask.Response) -> flask.Response:
        """With the response."""
        event = flask.g.get("sawlog_event")
        if event is not None and event.writable:
            for key in ("version", "revision"):
                if hasattr(flask.request, key):
                    event.set(key, getattr(flask.request, key))
            user = getattr(flask.request, "user", None)
            if user is not None:
                event.set("user", getattr(user, "id", None))
            event.set("response_status_code", response.status_code)
            if not response.is_streamed:
                event.set("response_size", response.calculate_content_length())
        return response

    def end(self, error: Optional[BaseException] = None) -> None:
        """After the request, whatever came of it. A view that raises has been answered with 500 by then, or has none."""
        event = flask.g.pop("sawlog_event", None)
        if event is not None:
            if error is not None and event.writable:
                event.set("exception", http.exception(error))
            event.done()

    hidden_headers: Any = http.SECRET_HEADERS
    name = "request"
