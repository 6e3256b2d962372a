"""`logging` records as events below the current context. Knows nothing of queues and connections."""

from __future__ import annotations

import logging
from typing import Any, Dict, Optional, Tuple

from . import context as _context

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_formatter = logging.Formatter()


class LogHandler(logging.Handler):
    """Each record is an event `.log` of the current context, or of the type that is given: name, level, msg, exception,
    and what was passed as `extra`. This package's own loggers are left out."""

    ignored: Tuple[str, ...] = ("sawlog",)

    def __init__(self, type_name: Optional[str] = None, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.type_name = type_name or ".log"

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] in self.ignored:
            return
        try:
            _context.instant(self.type_name, self.body(record), record.created)
        except Exception:
            self.handleError(record)

    def body(self, record: logging.LogRecord) -> Dict[str, Any]:
        """What the event says of the record."""
        body: Dict[str, Any] = {"name": record.name, "level": record.levelname, "msg": record.getMessage()}
        if record.exc_info:
            body["exception"] = exception_text(record)
        body.update((key, value) for key, value in vars(record).items() if key not in _PLAIN)
        return body


def exception_text(record: logging.LogRecord) -> Optional[str]:
    """The traceback of a record, made once for all handlers."""
    if not record.exc_text and record.exc_info and record.exc_info[0] is not None:
        record.exc_text = _formatter.formatException(record.exc_info)
    return record.exc_text
