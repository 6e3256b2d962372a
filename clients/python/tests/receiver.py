"""A receiver of the forward protocol for the tests: keeps every record with its types, takes a chunk once."""

from __future__ import annotations

import collections
import gzip
import hashlib
import os
import socket
import ssl
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

import msgpack


class Receiver:
    """Listens on a free port. `events` holds (tag, EventTime, record) in the order of arrival."""

    def __init__(
        self,
        port: int = 0,
        *,
        acks: bool = True,
        shared_key: Optional[str] = None,
        users: Optional[Dict[str, str]] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.events: List[Tuple[str, msgpack.ExtType, Any]] = []
        self.chunks: Dict[str, int] = collections.Counter()
        self.options: List[Dict[str, Any]] = []
        self.acks = acks
        self.refused: List[str] = []
        self._shared_key = shared_key
        self._users = users
        self._tls = tls
        self._changed = threading.Condition()
        self._connections: List[socket.socket] = []
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def wait(self, count: int, timeout: float = 10.0) -> List[Any]:
        """The records, once there are `count`; fails where they do not come or there are more."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while len(self.events) < count and self._changed.wait(max(0.0, deadline - time.monotonic())):
                pass
            assert len(self.events) == count, f"{len(self.events)} events instead of {count}"
            return [record for _, _, record in self.events]

    def cut(self) -> None:
        """Ends all connections."""
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._connections.clear()

    def close(self) -> None:
        """Listens no more."""
        self._open = False
        try:
            # Wakes a thread that is in accept(), which close() alone does not.
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.cut()

    def _accept(self) -> None:
        while self._open:
            try:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            except OSError:
                continue

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._connections.append(connection)
            unpacker = msgpack.Unpacker(raw=False, max_buffer_size=1 << 30, unicode_errors="surrogateescape")
            if self._shared_key is not None and not self._shake_hands(connection, unpacker):
                connection.close()
                return
            while True:
                received = connection.recv(1 << 20)
                if not received:
                    return
                unpacker.feed(received)
                for message in unpacker:
                    self._take(connection, message)
        except OSError:
            pass

    def _take(self, connection: socket.socket, message: Any) -> None:
        tag, payload, option = message
        if option.get("compressed") == "gzip":
            payload = gzip.decompress(payload)
        elif option.get("compressed") == "zstd":
            import zstandard

            payload = zstandard.ZstdDecompressor().decompress(payload)
        entries = msgpack.Unpacker(raw=False, max_buffer_size=1 << 30, unicode_errors="surrogateescape", strict_map_key=False)
        entries.feed(payload)
        events = [(tag, at, record) for at, record in entries]
        with self._changed:
            assert option["size"] == len(events)
            self.options.append(option)
            self.chunks[option["chunk"]] += 1
            if self.chunks[option["chunk"]] == 1:
                self.events.extend(events)
            self._changed.notify_all()
        if self.acks:
            connection.sendall(msgpack.packb({"ack": option["chunk"]}))

    def _shake_hands(self, connection: socket.socket, unpacker: msgpack.Unpacker) -> bool:
        nonce, auth = os.urandom(16), os.urandom(16) if self._users is not None else b""
        connection.sendall(msgpack.packb(["HELO", {"nonce": nonce, "auth": auth, "keepalive": True}]))
        ping = None
        while ping is None:
            unpacker.feed(connection.recv(4096))
            ping = next(unpacker, None)
        if len(ping) != 6:
            return False
        _, name, salt, digest, user, login = ping
        key = self._shared_key.encode()
        reason = ""
        if digest != _digest(salt.encode(), name.encode(), nonce, key):
            reason = "shared_key mismatch"
        elif self._users is not None:
            if login != _digest(auth, user.encode(), self._users.get(user, os.urandom(8).hex()).encode()):
                reason = "username/password mismatch"
        if reason:
            self.refused.append(reason)
            connection.sendall(msgpack.packb(["PONG", False, reason, "", ""]))
            return False
        pong = ["PONG", True, "", "receiver", _digest(salt.encode(), b"receiver", nonce, key)]
        connection.sendall(msgpack.packb(pong))
        return True


def _digest(*parts: bytes) -> str:
    return hashlib.sha512(b"".join(parts)).hexdigest()
