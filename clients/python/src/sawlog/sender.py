"""The queue between the application and the receiver: bounded, never waited for, emptied by a thread of its own.

An event is held until the receiver acknowledges the chunk that carries it; a chunk that is sent again keeps its id, by
which the receiver tells that it has it already. Knows nothing of contexts, of what is in an event, and of any protocol.
"""

from __future__ import annotations

import base64
import collections
import logging
import os
import random
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Callable, Deque, Dict, List, Optional, Tuple

from .transport import Link, LinkError, Timed, Transport

_log = logging.getLogger("sawlog.sender")

# What an event costs beside its own bytes: its place in the queue and the objects around it.
_OVERHEAD = 150
# A longer event is dropped whatever room there is: a receiver that refuses it would never get any other.
_EVENT_MOST = 16 * 1024 * 1024
# At most this many bytes are on their way before the sender waits for their acknowledgements.
_WINDOW = 4 * 1024 * 1024
_PAUSE_FIRST, _PAUSE_MOST = 0.1, 10.0

# A tag, when it was in seconds since 1970, and its bytes.
Entry = Tuple[str, Optional[float], bytes]
DropReport = Callable[[int], Entry]


@dataclass(frozen=True)
class Options:
    """How events wait and travel. Sizes in bytes, times in seconds."""

    queue_bytes: int = 16 * 1024 * 1024
    chunk_bytes: int = 1024 * 1024
    interval: float = 0.2
    ack_timeout: float = 60.0
    exit_timeout: float = 2.0


@dataclass(frozen=True)
class Stats:
    """Counts of events since the start of this process."""

    # Those that found room, the sender's own reports of drops included.
    accepted: int
    acknowledged: int
    dropped: int
    waiting: int
    connected: bool


class _Chunk:
    __slots__ = ("id", "message", "events", "size")

    def __init__(self, transport: Transport, tag: str, entries: List[Timed], size: int) -> None:
        self.id = base64.b64encode(os.urandom(16)).decode()
        self.message = transport.message(tag, entries, self.id)
        self.events = len(entries)
        self.size = size


class Sender:
    """Takes entries from any thread and brings them to the receiver."""

    def __init__(self, transport: Transport, options: Options, drop_report: DropReport) -> None:
        self._transport = transport
        self._options = options
        self._room = options.queue_bytes
        self._drop_report = drop_report
        self._fresh()
        _senders.add(self)

    def _fresh(self) -> None:
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._entries: Deque[Entry] = collections.deque()
        self._bytes = 0
        self._accepted = self._done = self._dropped = self._told = 0
        self._asleep = True
        self._hurry = False
        self._closing: Optional[float] = None
        # Only the thread touches these.
        self._thread: Optional[threading.Thread] = None
        self._taken: Deque[Entry] = collections.deque()
        self._pending: Deque[_Chunk] = collections.deque()
        self._connection: Optional[Link] = None
        self._pause = 0.0
        self._complained = False

    def put(self, tag: str, at: Optional[float], body: bytes) -> bool:
        """Queues one entry; `False` where there was no room and it was dropped and counted. Never waits for the network."""
        size = len(body) + _OVERHEAD
        with self._lock:
            held = self._bytes + size
            if held > self._room or size > _EVENT_MOST or self._closing is not None:
                self._dropped += 1
                return False
            self._bytes = held
            self._accepted += 1
            self._entries.append((tag, at, body))
            if not self._asleep:
                return True
            self._asleep = False
        self._rouse()
        return True

    def stats(self) -> Stats:
        """What became of the events so far."""
        with self._lock:
            waiting = self._accepted - self._done
            return Stats(self._accepted, self._done, self._dropped, waiting, self._connection is not None)

    def flush(self, timeout: float) -> bool:
        """Waits until all that was queued before is acknowledged; `False` where it is not within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._lock:
            until = self._accepted
            if self._done >= until:
                return True
            self._asleep = False
            self._hurry = True
        self._rouse()
        with self._lock:
            while self._done < until:
                left = deadline - time.monotonic()
                if left <= 0 or not self._settled.wait(left):
                    return self._done >= until
        return True

    def close(self, timeout: Optional[float] = None) -> int:
        """Takes nothing more, sends what waits for at most `timeout` seconds (`exit_timeout` where not given) and ends;
        returns how many events were not acknowledged by then."""
        timeout = self._options.exit_timeout if timeout is None else timeout
        with self._lock:
            if self._closing is None:
                self._closing = time.monotonic() + timeout
            thread = self._thread
            idle = self._done == self._accepted
        self._wake.set()
        if thread is not None:
            thread.join(timeout + 1.0)
        elif not idle:
            # There is no thread where the interpreter would not start one any more.
            self._run()
        with self._lock:
            return self._accepted - self._done

    def _rouse(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="sawlog-sender", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:
                        # The interpreter is ending; close() sends what waits.
                        self._asleep = True
                        return
                    self._thread = thread
                    self._flush_in_workers()
        self._wake.set()

    def _flush_in_workers(self) -> None:
        """Worker processes of `multiprocessing` end without the exit handlers of the interpreter."""
        workers = sys.modules.get("multiprocessing.util")
        process = sys.modules.get("multiprocessing.process")
        if workers is not None and process is not None and process.parent_process() is not None:
            workers.Finalize(None, self.flush, args=(self._options.exit_timeout,), exitpriority=0)

    # What follows runs on the sender's thread.

    def _run(self) -> None:
        while True:
            try:
                if not self._step():
                    break
            except Exception:
                # Whatever it is, the thread must go on: nobody would start it again.
                _log.exception("the sender of events failed and goes on")
                self._disconnect()
                self._rest(_PAUSE_MOST)
        self._disconnect()

    def _step(self) -> bool:
        """One round; `False` where there is nothing more to do for ever."""
        if not self._pending:
            self._take()
        if not self._pending:
            return self._sleep()
        if self._closing is not None and time.monotonic() >= self._closing:
            return False
        try:
            self._deliver()
        except (OSError, LinkError) as error:
            self._failed(error)
        return True

    def _sleep(self) -> bool:
        """Waits for the first event, then a little for those that follow it."""
        with self._lock:
            if self._entries or self._closing is not None:
                return bool(self._entries)
            self._asleep = True
            self._wake.clear()
        self._wake.wait()
        # Cleared before the questions are asked, so that whoever answers them anew is heard.
        self._wake.clear()
        if not self._hurry and self._closing is None:
            self._wake.wait(self._options.interval)
        self._hurry = False
        return True

    def _take(self) -> None:
        """Makes chunks of what waits, up to a window: one tag in each, no event twice."""
        if not self._taken:
            with self._lock:
                self._taken, self._entries = self._entries, self._taken
        self._report_drops()
        by_tag: Dict[str, List[Timed]] = {}
        sizes: Dict[str, int] = {}
        window = 0
        while self._taken and window < _WINDOW:
            tag, at, body = self._taken.popleft()
            size = len(body) + _OVERHEAD
            entries = by_tag.setdefault(tag, [])
            entries.append((at, body))
            sizes[tag] = sizes.get(tag, 0) + size
            window += size
            if sizes[tag] >= self._options.chunk_bytes:
                self._pending.append(_Chunk(self._transport, tag, by_tag.pop(tag), sizes.pop(tag)))
        for tag, entries in by_tag.items():
            self._pending.append(_Chunk(self._transport, tag, entries, sizes[tag]))

    def _report_drops(self) -> None:
        with self._lock:
            dropped, self._told = self._dropped - self._told, self._dropped
            if not dropped:
                return
            entry = self._drop_report(dropped)
            self._accepted += 1
            self._bytes += len(entry[2]) + _OVERHEAD
        self._taken.append(entry)

    def _deliver(self) -> None:
        """Sends all pending chunks, then waits for the acknowledgement of each."""
        if self._connection is None:
            self._connection = self._transport.connect(self._patience())
        for chunk in self._pending:
            self._connection.send(chunk.message)
        waiting = {chunk.id for chunk in self._pending}
        while waiting:
            id = self._connection.ack(self._patience())
            if id in waiting:
                waiting.remove(id)
                self._settle(id)
                self._pause = 0.0
        if self._complained:
            self._complained = False
            _log.warning("events are sent to %s again", self._transport.name)

    def _patience(self) -> float:
        if self._closing is None:
            return self._options.ack_timeout
        return max(0.0, min(self._options.ack_timeout, self._closing - time.monotonic()))

    def _settle(self, id: str) -> None:
        chunk = next(chunk for chunk in self._pending if chunk.id == id)
        self._pending.remove(chunk)
        with self._lock:
            self._bytes -= chunk.size
            self._done += chunk.events
            self._settled.notify_all()

    def _failed(self, error: Exception) -> None:
        self._disconnect()
        if not self._complained and self._closing is None:
            self._complained = True
            _log.warning("events wait: %s: %s", self._transport.name, error)
        self._rest(self._pause)
        # The first attempt after a success is made at once: the receiver may just have closed an idle connection.
        self._pause = min(max(self._pause * 2, _PAUSE_FIRST), _PAUSE_MOST)

    def _rest(self, pause: float) -> None:
        deadline = time.monotonic() + pause * random.uniform(0.75, 1.25)
        while self._closing is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._wake.wait(left)
            self._wake.clear()
        # Little time is left; a receiver that comes back within it shall still get the events.
        time.sleep(max(0.0, min(_PAUSE_FIRST, self._closing - time.monotonic())))

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _in_child(self) -> None:
        """A forked process has neither the thread nor a connection of its own; what waits is its parent's to send."""
        self._disconnect()
        self._fresh()


_senders: weakref.WeakSet[Sender] = weakref.WeakSet()


def _in_child() -> None:
    for sender in list(_senders):
        sender._in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
