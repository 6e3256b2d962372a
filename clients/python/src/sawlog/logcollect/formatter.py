"""A `logging` record as the Logstash event that logcollect makes of it: the same keys in the same order."""

from __future__ import annotations

import datetime
import json
import logging
import socket
import traceback
from typing import Any, Dict, List, Mapping, Optional

from ..encoding import as_text

# What of a record is told under another name, or not.
_LEFT_OUT = frozenset(
    "args asctime created exc_info exc_text filename funcName id levelname levelno lineno module msecs message msg name"
    " pathname processName relativeCreated thread threadName taskName".split()
)
_SIMPLE = (str, bool, dict, float, int, list, type(None))
_SEQUENCE_MOST = 1000


class AMQPLogstashFormatter(logging.Formatter):
    """`activity_identity` is merged into each event. Unlike logcollect's its timestamps, which end in Z, are in UTC."""

    def __init__(
        self,
        message_type: str = "Logstash",
        tags: Optional[List[str]] = None,
        fqdn: bool = False,
        activity_identity: Optional[Mapping[str, Any]] = None,
        max_seq_no: int = _SEQUENCE_MOST,
    ) -> None:
        super().__init__()
        self.message_type = message_type
        self.tags = list(tags or [])
        self.host = socket.getfqdn() if fqdn else socket.gethostname()
        self.activity_identity = dict(activity_identity or {})
        self._left_out = _LEFT_OUT - set(self.activity_identity)
        self._most = max_seq_no
        self._created: Optional[float] = None
        self._sequence = 0

    def event(self, record: logging.LogRecord) -> Dict[str, Any]:
        """The event as a map."""
        at = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        event: Dict[str, Any] = {
            "@timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "@version": 1,
            "message": record.getMessage(),
            "host": self.host,
            "tags": self.tags,
            "type": self.message_type,
            "seq": self._number(record.created),
            "levelname": record.levelname,
            "logger": record.name,
        }
        for key, value in vars(record).items():
            if key not in self._left_out:
                event[key] = value if isinstance(value, _SIMPLE) else as_text(value)
        event.update(self.activity_identity)
        if record.exc_info:
            event["exc_info"] = "".join(traceback.format_exception(*record.exc_info))
            event["lineno"] = record.lineno
            event["process"] = record.process
            event["threadName"] = record.threadName
        return event

    def format(self, record: logging.LogRecord) -> str:
        """The event as JSON."""
        return json.dumps(self.event(record), default=as_text)

    def _number(self, created: float) -> int:
        """1 to 1000 for the records of one moment, to keep their order."""
        if created != self._created:
            self._created, self._sequence = created, 0
        self._sequence = min(self._sequence + 1, self._most)
        return self._sequence
