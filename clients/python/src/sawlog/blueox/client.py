"""`blueox.client`: reading events, from a file as `oxd` writes it or from the live stream of a sawlog or an `oxd`.

The live stream needs the package pyzmq.
"""

from __future__ import annotations

import sys
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, Optional

import msgpack

from . import ports

# Seconds of silence after which the stream's port is asked for again, or without an answer given up.
_SILENCE = 5.0

Event = Dict[str, Any]


def default_host(host: Optional[str] = None) -> str:
    """HOST:PORT of the control port, by the environment's BLUEOX_CLIENT_HOST."""
    return ports.default_control_host(host)


def decode_stream(stream: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream of bytes, such as an open log file."""
    unpacker = _unpacker()
    for data in stream:
        unpacker.feed(data)
        yield from unpacker


def stdin_stream() -> Iterator[Event]:
    """The events of the standard input, as they come."""
    source: BinaryIO = sys.stdin.buffer
    read = getattr(source, "read1", source.read)
    return decode_stream(iter(lambda: read(64 * 1024), b""))


def subscribe_stream(control_host: str, subscribe: Optional[str] = None) -> Iterator[Event]:
    """The live events of one type, of those that begin with a name (`request*`), or of all. Ends when the control port does
    not answer."""
    import zmq

    prefix = not subscribe or subscribe.endswith("*")
    name = (subscribe or "").rstrip("*").encode()
    context: Any = zmq.Context.instance()
    while True:
        port = _stream_port(context, control_host)
        if port is None:
            return
        with context.socket(zmq.SUB) as socket:
            socket.setsockopt(zmq.SUBSCRIBE, name)
            socket.connect(f"tcp://{control_host.rpartition(':')[0]}:{port}")
            while socket.poll(int(_SILENCE * 1000)):
                parts = socket.recv_multipart()
                if len(parts) == 2 and (prefix or parts[0] == name):
                    unpacker = _unpacker()
                    unpacker.feed(parts[1])
                    yield from unpacker


class Grouper:
    """Lists of the events that share an id, each given out when its outermost event comes, which is the last. Of ids that stay
    open at most `max_size` are kept, the oldest go."""

    def __init__(self, stream: Iterable[Event], max_size: int = 1000) -> None:
        self.stream = stream
        self.max_size = max_size
        self._open: Dict[Any, List[Event]] = {}

    @property
    def size(self) -> int:
        """How many ids are open."""
        return len(self._open)

    def __iter__(self) -> Iterator[List[Event]]:
        for event in self.stream:
            id = event["id"]
            if id not in self._open:
                if len(self._open) >= self.max_size:
                    del self._open[next(iter(self._open))]
                self._open[id] = []
            self._open[id].append(event)
            if "." not in event["type"]:
                yield self._open.pop(id)


def _stream_port(context: Any, control_host: str) -> Optional[int]:
    import zmq

    with context.socket(zmq.REQ) as socket:
        socket.linger = 0
        socket.connect(f"tcp://{control_host}")
        socket.send(msgpack.packb({"cmd": "SOCK_STREAM"}, use_bin_type=False))
        if not socket.poll(int(_SILENCE * 1000)):
            return None
        answer = msgpack.unpackb(socket.recv(), raw=False)
    return answer["port"] if isinstance(answer, dict) and isinstance(answer.get("port"), int) else None


def _unpacker() -> msgpack.Unpacker:
    # BlueOx's own events may hold text that is not UTF-8.
    return msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", strict_map_key=False)
