"""One connection of the forward protocol as its client: connect, TLS, HELO, PING and PONG, messages, acknowledgements.

Knows nothing of queues and of what is sent again.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, List, Optional

import msgpack

from .encoding import message
from .transport import LinkError, Timed

# What a receiver says is small: more than this without the end of one answer is not the forward protocol.
_ANSWER_MOST = 64 * 1024


@dataclass(frozen=True)
class Receiver:
    """Where events go, and what is needed to be let in."""

    host: str = "127.0.0.1"
    port: int = 24224
    shared_key: Optional[str] = None
    user: str = ""
    password: str = ""
    tls: Optional[ssl.SSLContext] = None
    hostname: str = ""
    timeout: float = 10.0


class Forward:
    """The forward protocol with one receiver; chunks are PackedForward, compressed where `compress` says how."""

    def __init__(self, receiver: Receiver, compress: str = "") -> None:
        self._receiver = receiver
        self._compress = compress
        self.name = f"{receiver.host}:{receiver.port}"

    def message(self, tag: str, entries: List[Timed], chunk: str) -> bytes:
        """A message that asks for an acknowledgement of `chunk`."""
        return message(tag, entries, chunk, self._compress)

    def connect(self, patience: float) -> Connection:
        """A connection that may be written to."""
        return Connection(self._receiver, patience)


class Connection:
    """An open connection that may be written to. Raises OSError or LinkError where it cannot be made."""

    def __init__(self, receiver: Receiver, patience: float) -> None:
        """`patience` bounds each wait in seconds, as the receiver's `timeout` does."""
        self._receiver = receiver
        self._timeout = max(0.001, min(receiver.timeout, patience))
        self._unpacker = msgpack.Unpacker(raw=False, max_buffer_size=_ANSWER_MOST, unicode_errors="surrogateescape")
        self._socket = socket.create_connection((receiver.host, receiver.port), self._timeout)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if receiver.tls is not None:
                self._socket = receiver.tls.wrap_socket(self._socket, server_hostname=receiver.host)
            if receiver.shared_key is not None:
                self._shake_hands(receiver.shared_key)
        except BaseException:
            self._socket.close()
            raise

    def send(self, message: bytes) -> None:
        """Writes all of it. Raises OSError."""
        self._socket.settimeout(self._timeout)
        self._socket.sendall(message)

    def ack(self, timeout: float) -> str:
        """The next acknowledged chunk. Raises LinkError where none comes in time, OSError where the connection ends."""
        answer = self._answer(timeout)
        if isinstance(answer, dict) and isinstance(answer.get("ack"), str):
            return str(answer["ack"])
        if isinstance(answer, list) and answer[:1] == ["HELO"]:
            raise LinkError("the receiver wants a shared key")
        raise LinkError(f"the receiver answered {answer!r}, which is no acknowledgement")

    def close(self) -> None:
        """Closes this process's end, without any word to the other."""
        self._socket.close()

    def _answer(self, timeout: float) -> Any:
        deadline = time.monotonic() + timeout
        while True:
            try:
                return next(self._unpacker)
            except StopIteration:
                pass
            except (ValueError, msgpack.exceptions.UnpackException) as error:
                raise LinkError(f"the receiver's answer is no MessagePack: {error}") from error
            left = deadline - time.monotonic()
            if left <= 0:
                raise LinkError(f"no answer within {timeout:g} s")
            self._socket.settimeout(left)
            try:
                received = self._socket.recv(16 * 1024)
            except socket.timeout:
                continue
            if not received:
                raise LinkError("the receiver closed the connection")
            try:
                self._unpacker.feed(received)
            except msgpack.exceptions.BufferFull as error:
                raise LinkError("the receiver's answer has no end") from error

    def _shake_hands(self, shared_key: str) -> None:
        receiver = self._receiver
        helo = self._answer(self._timeout)
        if not (isinstance(helo, list) and len(helo) == 2 and helo[0] == "HELO" and isinstance(helo[1], dict)):
            raise LinkError("the receiver did not begin with HELO")
        nonce, auth = _bytes(helo[1].get("nonce")), _bytes(helo[1].get("auth"))
        key = shared_key.encode()
        salt = os.urandom(16).hex()
        name = receiver.hostname or socket.gethostname()
        login = _digest(auth, receiver.user.encode(), receiver.password.encode()) if auth else ""
        ping = ["PING", name, salt, _digest(salt.encode(), name.encode(), nonce, key), receiver.user, login]
        self.send(msgpack.packb(ping))
        pong = self._answer(self._timeout)
        if not (isinstance(pong, list) and len(pong) == 5 and pong[0] == "PONG"):
            raise LinkError("the receiver did not answer with PONG")
        if pong[1] is not True:
            raise LinkError(f"the receiver refuses: {pong[2]}")
        if _bytes(pong[4]) != _digest(salt.encode(), _bytes(pong[3]), nonce, key).encode():
            raise LinkError("the receiver does not know the shared key")


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return value if isinstance(value, bytes) else b""


def _digest(*parts: bytes) -> str:
    return hashlib.sha512(b"".join(parts)).hexdigest()
