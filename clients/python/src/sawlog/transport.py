"""What the sender asks of a protocol: to make a message of a chunk, to connect, to write, and to say what was taken."""

from __future__ import annotations

from typing import Any, List, Optional, Protocol, Tuple

# When an event was, in seconds since 1970, and its bytes. What a protocol makes of the time is made on the sender's thread.
Timed = Tuple[Optional[float], bytes]


class LinkError(Exception):
    """The other side does not speak the protocol, refuses, or does not answer. Trying again may help."""


class Link(Protocol):
    """An open connection. Its methods raise OSError or LinkError where it is of no use any more."""

    def send(self, message: Any) -> None:
        """Writes all of a message."""

    def ack(self, timeout: float) -> str:
        """Waits at most `timeout` seconds for the next chunk that was taken; its id."""

    def close(self) -> None:
        """Closes this process's end, without any word to the other: a fork may have left it to two processes."""


class Transport(Protocol):
    """A protocol and whom it is spoken with."""

    @property
    def name(self) -> str:
        """Whom, for people."""

    def message(self, tag: str, entries: List[Timed], chunk: str) -> Any:
        """What a link sends for a chunk, also when it is sent again."""

    def connect(self, patience: float) -> Link:
        """A link, made within `patience` seconds. Raises OSError or LinkError."""
