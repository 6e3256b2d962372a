"""Events as MessagePack: whatever a body holds becomes something that can be sent, and nothing is raised for it.

Knows nothing of queues and connections.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import struct
import threading
import uuid
from typing import Any, Callable, List, Mapping, Optional

import msgpack

from .transport import Timed

# `repr` of an unknown value is cut here, in characters.
REPR_MOST = 1000
# A value that lies deeper is sent as its text; msgpack itself refuses more than 511.
_DEPTH_MOST = 64

_pack_head = struct.Struct(">3sII").pack

Fallback = Callable[[Any], Any]


def as_text(value: Any) -> Any:
    """What is sent for a value of an unknown type: its `repr`, cut."""
    try:
        text = repr(value)
    except Exception as error:  # a repr of others may raise anything
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= REPR_MOST else text[:REPR_MOST] + "…"


class Encoder:
    """Packs records. May be used from several threads."""

    def __init__(self, fallback: Fallback = as_text) -> None:
        self._fallback = fallback
        # A packer keeps its buffer between calls and is not to be shared between threads.
        self._packers = threading.local()

    def pack(self, value: Any) -> bytes:
        """MessagePack of `value`; what cannot be packed is replaced within it."""
        try:
            return self._packers.pack(value)  # type: ignore[no-any-return]
        except Exception:
            # The thread has no packer yet, or it was left in the middle of what it could not pack.
            self._packers.pack = msgpack.Packer(default=self._default).pack
        try:
            return self._packers.pack(value)  # type: ignore[no-any-return]
        except Exception:
            # Half a surrogate, numbers of more than 64 bits, maps within themselves or changed by another thread meanwhile.
            del self._packers.pack
        return msgpack.packb(self._plain(value, 0), unicode_errors="backslashreplace")  # type: ignore[no-any-return]

    def _default(self, value: Any) -> Any:
        if isinstance(value, decimal.Decimal):
            return str(value)
        if isinstance(value, datetime.datetime):
            return value.timestamp()
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, datetime.timedelta):
            return value.total_seconds()
        if isinstance(value, uuid.UUID):
            return str(value)
        if isinstance(value, enum.Enum):
            return value.value
        if isinstance(value, (set, frozenset)):
            return list(value)
        if isinstance(value, Mapping):
            return {str(key): value[key] for key in value}
        return self._fallback(value)

    def _plain(self, value: Any, depth: int) -> Any:
        """The same of types that can be packed for certain."""
        if value is None or isinstance(value, (bool, float, str, bytes, bytearray)):
            return value
        if isinstance(value, int):
            return value if -(2**63) <= value < 2**64 else str(value)
        if depth >= _DEPTH_MOST:
            return as_text(value)
        if isinstance(value, dict):
            return {self._plain_key(key): self._plain(value[key], depth + 1) for key in list(value) if key in value}
        if isinstance(value, (list, tuple)):
            return [self._plain(item, depth + 1) for item in list(value)]
        try:
            known = self._default(value)
        except Exception:
            known = as_text(value)
        return known if known is value else self._plain(known, depth + 1)

    @staticmethod
    def _plain_key(key: Any) -> Any:
        known = key is None or isinstance(key, (str, bytes, bool, float)) or (isinstance(key, int) and abs(key) < 2**63)
        return key if known else as_text(key)


def entry_time(at: float) -> bytes:
    """The head of an entry: an array of two, and the EventTime of `at`, to the microsecond."""
    seconds = int(at)
    microseconds = int((at - seconds) * 1_000_000 + 0.5)
    if microseconds > 999_999:
        microseconds = 999_999
    return _pack_head(b"\x92\xd7\x00", seconds & 0xFFFFFFFF, microseconds * 1000)


def message(tag: str, entries: List[Timed], chunk: str, compress: str) -> bytes:
    """A PackedForward message that asks for an acknowledgement of `chunk`. The receiver takes its own time where an entry has
    none."""
    payload = b"".join([entry_time(at or 0.0) + record for at, record in entries])
    option = {"size": len(entries), "chunk": chunk}
    if compress:
        payload = COMPRESSORS[compress]()(payload)
        option["compressed"] = compress
    return msgpack.packb([tag, payload, option], unicode_errors="backslashreplace")  # type: ignore[no-any-return]


def _gzip() -> Callable[[bytes], bytes]:
    import gzip

    return lambda payload: gzip.compress(payload, 3, mtime=0)


def _zstd() -> Callable[[bytes], bytes]:
    """From the standard library where it has it, else from the package `zstandard`. Raises ImportError."""
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        import zstandard

        return lambda payload: zstandard.ZstdCompressor(level=3).compress(payload)
    return zstd.compress  # type: ignore[no-any-return,unused-ignore]


# By the name that the protocol gives them: what makes a function that compresses.
COMPRESSORS = {"gzip": _gzip, "zstd": _zstd}
