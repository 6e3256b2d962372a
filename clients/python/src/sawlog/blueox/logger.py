"""`blueox.logger`."""

from __future__ import annotations

import logging
from typing import Any, Dict

from ..logs import LogHandler as _LogHandler
from ..logs import exception_text


class LogHandler(_LogHandler):
    """Events `.log` of the current context with name, level, msg and exception."""

    ignored = ("blueox", "sawlog")

    def body(self, record: logging.LogRecord) -> Dict[str, Any]:
        """The four fields."""
        body: Dict[str, Any] = {"name": record.name, "level": record.levelname, "msg": record.getMessage()}
        if record.exc_info:
            body["exception"] = exception_text(record)
        return body
