"""`blueox.contrib.flask`."""

from __future__ import annotations

from typing import FrozenSet

import flask

from ....integrations.flask import Events
from .. import settings


class BlueOxMiddleware(Events):
    """Events `<BLUEOX_NAME>.request`; the receiver is BLUEOX_HOST. Like BlueOx's it hides no header."""

    hidden_headers: FrozenSet[str] = frozenset()

    def __init__(self, app: flask.Flask) -> None:
        self.app = app
        settings.configure_by(app.config.get)
        super().__init__(app)
        self.name = settings.name_by(app.config.get, "request")
