"""`blueox.contrib.django.middleware`."""

from __future__ import annotations

from typing import FrozenSet

from django.conf import settings

from ....integrations.django import EventMiddleware
from .. import settings as blueox_settings


def _setting(name: str, default: object) -> object:
    return getattr(settings, name, default)


class Middleware(EventMiddleware):
    """Events `<BLUEOX_NAME>.request`; the receiver is BLUEOX_HOST. Like BlueOx's it hides no header."""

    hidden_headers: FrozenSet[str] = frozenset()

    def configure(self) -> None:
        """By BLUEOX_HOST."""
        blueox_settings.configure_by(_setting)

    def event_name(self) -> str:
        """By BLUEOX_NAME."""
        return blueox_settings.name_by(_setting, "request")
