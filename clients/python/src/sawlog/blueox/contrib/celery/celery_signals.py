"""`blueox.contrib.celery.celery_signals`: importing it connects Celery's signals, with Django's settings where there are
any."""

from __future__ import annotations

import os
from typing import Any

from celery import signals

from ....integrations import celery as _integration
from .. import settings as blueox_settings


def _setting(name: str, default: Any) -> Any:
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        return default
    from django.conf import settings

    return getattr(settings, name, default)


@signals.worker_process_init.connect(weak=False, dispatch_uid="sawlog.blueox")  # type: ignore[untyped-decorator]
def _configure(**_: Any) -> None:
    blueox_settings.configure_by(_setting)


_integration.install(_setting("BLUEOX_NAME", ""))
