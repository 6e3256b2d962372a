"""Publishing to a topic exchange of AMQP 0-9-1 with confirms, as a transport of the sender. Needs the package `amqp`."""

from __future__ import annotations

import collections
import ssl
import time
from dataclasses import dataclass
from typing import Any, Deque, Dict, List, Tuple
from urllib.parse import SplitResult, unquote

from ..transport import LinkError, Timed

# Routing key, bodies, id of the chunk.
_Message = Tuple[str, List[bytes], str]


@dataclass(frozen=True)
class Exchange:
    """What is declared, so that it is there before the first message."""

    name: str = "logstash"
    type: str = "topic"
    durable: bool = False
    auto_delete: bool = False


class Amqp:
    """A broker and an exchange of it. Raises ImportError where the package `amqp` is missing."""

    def __init__(self, uri: SplitResult, exchange: Exchange) -> None:
        import amqp

        self._amqp = amqp
        self._exchange = exchange
        secure = uri.scheme == "amqps"
        host, port = uri.hostname or "localhost", uri.port or (5671 if secure else 5672)
        self.name = f"{uri.scheme}://{host}:{port}"
        self._parameters: Dict[str, Any] = {
            "host": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "userid": unquote(uri.username or "guest"),
            "password": unquote(uri.password or "guest"),
            # The path as it stands, as logcollect takes it: "/" is the vhost "/".
            "virtual_host": uri.path or "/",
            "ssl": ssl.create_default_context() if secure else False,
        }

    def message(self, tag: str, entries: List[Timed], chunk: str) -> _Message:
        """One AMQP message per entry, the tag as routing key."""
        return tag, [body for _, body in entries], chunk

    def connect(self, patience: float) -> Channel:
        """A channel in confirm mode with the exchange declared."""
        timeout = max(0.001, min(10.0, patience))
        connection = self._amqp.Connection(connect_timeout=timeout, read_timeout=timeout, **self._parameters)
        try:
            connection.connect()
            channel = connection.channel()
            exchange = self._exchange
            channel.exchange_declare(
                exchange.name, exchange.type, durable=exchange.durable, auto_delete=exchange.auto_delete
            )
            channel.confirm_select()
        except self._amqp.exceptions.AMQPError as error:
            connection.collect()
            raise LinkError(f"the broker refuses: {error}") from error
        return Channel(self._amqp, connection, channel, exchange.name)


class Channel:
    """An open channel: chunks are taken when the broker has confirmed each of their messages."""

    def __init__(self, amqp: Any, connection: Any, channel: Any, exchange: str) -> None:
        self._amqp = amqp
        self._connection = connection
        self._channel = channel
        self._exchange = exchange
        self._published = 0
        self._confirmed = 0
        # Delivery tags that came out of order.
        self._early: Dict[int, bool] = {}
        # The last delivery tag of each chunk, and the chunk.
        self._chunks: Deque[Tuple[int, str]] = collections.deque()
        self._refused = False
        channel.events["basic_ack"].add(self._confirm)
        channel.events["basic_nack"].add(self._refuse)

    def send(self, message: _Message) -> None:
        """Publishes each entry."""
        routing_key, bodies, chunk = message
        try:
            for number, body in enumerate(bodies):
                self._channel.basic_publish(
                    self._amqp.Message(body, message_id=f"{chunk}-{number}", content_type="application/json"),
                    self._exchange,
                    routing_key,
                )
        except self._amqp.exceptions.AMQPError as error:
            raise LinkError(f"the broker refuses: {error}") from error
        self._published += len(bodies)
        self._chunks.append((self._published, chunk))

    def ack(self, timeout: float) -> str:
        """The oldest chunk, once the broker has all of it."""
        deadline = time.monotonic() + timeout
        try:
            while self._confirmed < self._chunks[0][0]:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise LinkError(f"no confirmation within {timeout:g} s")
                self._connection.drain_events(timeout=left)
                if self._refused:
                    raise LinkError("the broker did not take a message")
        except self._amqp.exceptions.AMQPError as error:
            raise LinkError(f"the broker refuses: {error}") from error
        return self._chunks.popleft()[1]

    def close(self) -> None:
        """Drops the connection."""
        self._connection.collect()

    def _confirm(self, delivery_tag: int, multiple: bool) -> None:
        if multiple:
            self._confirmed = max(self._confirmed, delivery_tag)
        else:
            self._early[delivery_tag] = True
        while self._early.pop(self._confirmed + 1, False):
            self._confirmed += 1

    def _refuse(self, delivery_tag: int, multiple: bool) -> None:
        self._refused = True
