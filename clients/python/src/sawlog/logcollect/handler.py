"""The `logging` handler: formats, queues, never waits. Knows nothing of how the queue is emptied."""

from __future__ import annotations

import logging
import weakref
from typing import Any, Callable, List, Optional, Tuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from ..configuration import DEFAULT_PORT
from ..encoding import Encoder
from ..forward import Forward, Receiver
from ..sender import Entry, Options, Sender, Stats
from ..transport import Transport
from .amqp import Amqp, Exchange
from .formatter import AMQPLogstashFormatter

# Those of the transports: what they say of their troubles would be sent through them.
_OWN = ("sawlog", "amqp")

_open: weakref.WeakSet[AMQPHandler] = weakref.WeakSet()

Encode = Callable[[AMQPLogstashFormatter, logging.LogRecord], bytes]


class AMQPHandler(logging.Handler):
    """Sends records as Logstash events with the routing key, or tag, `<routing_key>.<logger>`. Raises ValueError for a URI of
    another scheme than amqp, amqps and forward, ImportError where the package `amqp` is wanted and missing."""

    def __init__(
        self,
        broker_uri: str = "amqp://localhost/",
        exchange: str = "logstash",
        exchange_type: str = "topic",
        durable: bool = True,
        routing_key: str = "logstash",
        auto_delete: bool = False,
        queue_bytes: int = Options.queue_bytes,
        exit_timeout: float = Options.exit_timeout,
    ) -> None:
        super().__init__()
        self.routing_key = routing_key
        self.setFormatter(AMQPLogstashFormatter())
        declared = Exchange(exchange, exchange_type, durable, auto_delete)
        transport, self._encode = _transport(broker_uri, declared)
        options = Options(queue_bytes=queue_bytes, exit_timeout=exit_timeout)
        self._sender = Sender(transport, options, self._drop_report)
        _open.add(self)

    def setFormatter(self, fmt: Optional[logging.Formatter]) -> None:
        """Takes a formatter that makes events; any other is left aside."""
        if isinstance(fmt, AMQPLogstashFormatter):
            self.formatter = fmt

    def emit(self, record: logging.LogRecord) -> None:
        """Queues the record; where there is no room it is dropped and counted."""
        if record.name.split(".")[0] in _OWN:
            return
        try:
            self._sender.put(*self._entry(record))
        except Exception:
            self.handleError(record)

    def stats(self) -> Stats:
        """What became of the records so far."""
        return self._sender.stats()

    def wait(self, timeout: float = 5.0) -> bool:
        """Waits until all records so far are confirmed; `False` where they are not within `timeout` seconds."""
        return self._sender.flush(timeout)

    def close(self) -> None:
        """Sends what waits, for at most `exit_timeout` seconds; `logging` calls it at the end of the program."""
        _open.discard(self)
        self._sender.close()
        super().close()

    def _entry(self, record: logging.LogRecord) -> Entry:
        assert isinstance(self.formatter, AMQPLogstashFormatter)
        return f"{self.routing_key}.{record.name}", record.created, self._encode(self.formatter, record)

    def _drop_report(self, count: int) -> Entry:
        text = "%d records were dropped: the queue was full"
        record = logging.LogRecord("sawlog.logcollect", logging.WARNING, __file__, 0, text, (count,), None)
        return self._entry(record)


def open_handlers() -> List[AMQPHandler]:
    """The handlers of this process that are not closed."""
    return list(_open)


def _transport(uri: str, exchange: Exchange) -> Tuple[Transport, Encode]:
    parts = urlsplit(uri)
    if parts.scheme in ("amqp", "amqps"):
        return Amqp(parts, exchange), lambda formatter, record: formatter.format(record).encode()
    if parts.scheme == "forward":
        encoder = Encoder()
        return Forward(_receiver(parts)), lambda formatter, record: encoder.pack(formatter.event(record))
    raise ValueError(f"{uri!r}: events are sent to amqp://, amqps:// or forward://")


def _receiver(parts: SplitResult) -> Receiver:
    query = parse_qs(parts.query)
    context: Any = None
    if query.get("tls", ["0"])[0] not in ("0", "false", "no"):
        import ssl

        context = ssl.create_default_context(cafile=query.get("ca_file", [None])[0])
    return Receiver(
        host=parts.hostname or "localhost",
        port=parts.port or DEFAULT_PORT,
        shared_key=query.get("shared_key", [None])[0],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=context,
    )
