"""Wires the parts: contexts to the queue, the queue to the receiver, and the end of the program to the last flush.

Until `configure` finds a receiver everything in this package does nothing.
"""

from __future__ import annotations

import atexit
import os
import ssl
import threading
import time
from typing import Any, Callable, Dict, Optional, Tuple

from . import context as _context
from .context import Context
from .encoding import COMPRESSORS, Encoder, Fallback, as_text
from .forward import Forward, Receiver
from .sender import Entry, Options, Sender, Stats
from .transport import Transport

DEFAULT_PORT = 24224

# The environment that names the receiver where the program does not: HOST, HOST:PORT or [v6]:PORT.
ENVIRONMENT = "SAWLOG_HOST"

_DEFAULT = Options()
_lock = threading.Lock()
_recorder: Optional[Recorder] = None


class Recorder:
    """Makes a record of a finished context and queues it."""

    def __init__(self, transport: Transport, options: Options, fallback: Fallback) -> None:
        self._encoder = Encoder(fallback)
        self.sender = Sender(transport, options, self._drop_report)
        self._put = self.sender.put
        self._pack = self._encoder.pack

    def __call__(self, context: Context) -> None:
        """Never raises and never waits for the network."""
        self._put(context.name, context.end_time, self._pack(context.to_dict()))

    def _drop_report(self, count: int) -> Entry:
        event = Context("sawlog.dropped")
        event.start_time = event.end_time = time.time()
        event.body["count"] = count
        return event.name, event.end_time, self._pack(event.to_dict())


def configure(
    address: Optional[str] = None,
    *,
    shared_key: Optional[str] = None,
    user: str = "",
    password: str = "",
    tls: "bool | ssl.SSLContext" = False,
    ca_file: Optional[str] = None,
    hostname: str = "",
    compress: str = "",
    queue_bytes: int = _DEFAULT.queue_bytes,
    chunk_bytes: int = _DEFAULT.chunk_bytes,
    interval: float = _DEFAULT.interval,
    ack_timeout: float = _DEFAULT.ack_timeout,
    exit_timeout: float = _DEFAULT.exit_timeout,
    fallback: Fallback = as_text,
    recorder: Optional[Callable[[Context], None]] = None,
) -> None:
    """Names the receiver; without `address` that of the environment's SAWLOG_HOST, and without both nothing is sent.

    - `shared_key`, `user`, `password`, `hostname`: the forward protocol's handshake.
    - `tls`: `True`, or a context of one's own; `ca_file`: the certificates to trust instead of the system's.
    - `compress`: "", "gzip" or "zstd" (Python 3.14, or the package zstandard).
    - `queue_bytes`: what may wait in memory; above it events are dropped and counted.
    - `interval`: seconds that an event waits for company; `chunk_bytes`: the longest message.
    - `ack_timeout`: seconds without an acknowledgement until all is sent again; `exit_timeout`: seconds that the end of
      the program waits for the receiver.
    - `fallback`: makes of a value of an unknown type one that can be sent.
    - `recorder`: a function that gets the finished contexts, instead of sending them.

    Raises ValueError for an address or a compression that does not exist, ImportError where zstd is not to be had.
    """
    if recorder is not None:
        shutdown()
        _context.set_recorder(recorder)
        return
    address = address or os.environ.get(ENVIRONMENT)
    if not address:
        shutdown()
        return
    host, port = split_address(address, DEFAULT_PORT)
    if compress:
        if compress not in COMPRESSORS:
            raise ValueError(f"compress is one of {', '.join(COMPRESSORS)}, not {compress!r}")
        COMPRESSORS[compress]()
    if tls is True:
        tls = ssl.create_default_context(cafile=ca_file)
    receiver = Receiver(host, port, shared_key, user, password, tls or None, hostname)
    options = Options(queue_bytes, chunk_bytes, interval, ack_timeout, exit_timeout)
    _install(Recorder(Forward(receiver, compress), options, fallback))


def split_address(address: str, default_port: int) -> Tuple[str, int]:
    """Host and port of HOST, HOST:PORT, [v6], [v6]:PORT. Raises ValueError where the port is no number of a port."""
    host, port = address, ""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port[1:] if port.startswith(":") else port
    elif address.count(":") == 1:
        host, port = address.split(":")
    if not port:
        return host, default_port
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} has no valid port")
    return host, int(port)


def flush(timeout: float = 5.0) -> bool:
    """Waits until all events so far are acknowledged; `False` where they are not within `timeout` seconds."""
    recorder = _recorder
    return True if recorder is None else recorder.sender.flush(timeout)


def shutdown(timeout: Optional[float] = None) -> int:
    """Sends what waits, for at most `timeout` seconds (`exit_timeout` where not given), and does nothing from then on.
    Returns how many events were not acknowledged. Fit as a reload hook."""
    return _install(None, timeout)


def stats() -> Optional[Stats]:
    """The counts of this process; `None` where nothing is sent."""
    recorder = _recorder
    return None if recorder is None else recorder.sender.stats()


def current_recorder() -> Optional[Recorder]:
    """What events are sent by; `None` where nothing is sent."""
    return _recorder


def _install(recorder: Optional[Recorder], timeout: Optional[float] = None) -> int:
    global _recorder
    with _lock:
        before, _recorder = _recorder, recorder
        _context.set_recorder(recorder)
    return 0 if before is None else before.sender.close(timeout)


def _in_child() -> None:
    global _lock
    _lock = threading.Lock()


atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
