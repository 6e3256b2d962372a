"""Contexts: typed events with a name, an id, a start, an end and a body that grows while the work is done.

The current context is a `contextvars.ContextVar`, so that threads, asyncio tasks and frameworks on asyncio each have
their own without any patching. Knows nothing of encoding and sending: a finished context is given to the recorder.
"""

from __future__ import annotations

import functools
import os
import platform
import random
import time
from contextvars import ContextVar
from typing import Any, Callable, Dict, Optional, Tuple, TypeVar

from . import body as _body
from . import names

_Function = TypeVar("_Function", bound=Callable[..., Any])

Sample = Tuple[str, float]

_current: ContextVar[Optional["Context"]] = ContextVar("sawlog_context", default=None)
_recorder: Optional[Callable[["Context"], None]] = None

HOST = platform.node()
_pid = os.getpid()

# Its own generator: a program that seeds the one of the module must not get the same ids again.
_random = random.Random()
_bits = _random.getrandbits
_now = time.time

# "" is in it, as in every text: an empty name is refused where names are resolved.
_RELATIVE = ".^"

_NEW, _RUNNING, _STOPPED, _SENT = range(4)


class Context:
    """An event in the making: `with Context("request") as c: c.set("user", 7)`, or `start()` and `done()`.

    `type_name` may be relative, see `names.resolve`. `id` is that of the parent, or a new one that sorts by time.
    `sample` is a pair `(who, rate)`: with `"."` or the own name each event is kept with the probability `rate`; with
    `".."` (the context around), `"^"` (the outermost) or a context's name it is decided once for all events of this
    type within that context. Below a context that is not kept, none is.
    """

    __slots__ = ("name", "id", "parent", "previous", "enabled", "body", "start_time", "end_time", "_span", "_decided",
                 "_state")

    def __init__(self, type_name: str, id: Any = None, sample: Optional[Sample] = None) -> None:
        current = _current.get()
        if current is None and type_name[:1] not in _RELATIVE:
            self.name, parent = type_name, None
        else:
            self.name, parent = names.resolve(type_name, current)
        self.parent: Optional[Context] = parent
        self.previous: Optional[Context] = current
        self.body: Dict[str, Any] = {}
        self.start_time: Optional[float] = None
        self.end_time: Optional[float] = None
        self._span: Optional[str] = None
        self._decided: Optional[Dict[str, bool]] = None
        self._state = _NEW
        if id is not None:
            self.id: Any = id
        elif parent is not None:
            self.id = parent.id
        else:
            self.id = new_id(_now())
        self.enabled: bool = parent is None or parent.enabled
        if sample is not None and self.enabled:
            self.enabled = self._sampled(sample, current)

    def _sampled(self, sample: Sample, current: Optional[Context]) -> bool:
        who, rate = sample
        by = None
        if who == "..":
            by = self.parent
        elif who != "." and who != self.name:
            by = names.find(who, current)
        if by is None:
            return _random.random() <= rate
        if by._decided is None:
            by._decided = {}
        return by._decided.setdefault(self.name, _random.random() <= rate)

    @property
    def span(self) -> str:
        """The id of this one event, 16 hex digits; `id` is shared by all events of a tree."""
        span = self._span
        if span is None:
            span = self._span = _bits(64).to_bytes(8, "big").hex()
        return span

    @property
    def data(self) -> Dict[str, Any]:
        """The body under its older name."""
        return self.body

    @property
    def writable(self) -> bool:
        """Whether it is between its start and its end."""
        return self._state == _RUNNING

    def start(self) -> Context:
        """Makes it the current context. A stopped one goes on, with its first start."""
        if self._state in (_NEW, _STOPPED):
            self.previous = _current.get()
            _current.set(self)
            self._state = _RUNNING
            self.end_time = None
            if self.start_time is None:
                self.start_time = _now()
        return self

    def stop(self) -> None:
        """Ends it without sending it; the context that was current before is so again."""
        if self._state == _RUNNING:
            self._state = _STOPPED
            self.end_time = _now()
            current = _current.get()
            if current is self:
                _current.set(self.previous)
            else:
                # Ended before those inside of it, or from another task whose chain it is no part of.
                while current is not None:
                    if current.previous is self:
                        current.previous = self.previous
                        break
                    current = current.previous

    def done(self) -> None:
        """Ends it and sends it, once."""
        self.stop()
        if self._state == _STOPPED:
            self._state = _SENT
            if self.enabled and _recorder is not None:
                _recorder(self)

    def to_dict(self) -> Dict[str, Any]:
        """The record of it, as it is sent."""
        parent = self.parent
        if parent is None:
            return {"type": self.name, "id": self.id, "span": self._span or self.span, "host": HOST, "pid": _pid,
                    "start": self.start_time, "end": self.end_time, "body": self.body}
        return {"type": self.name, "id": self.id, "span": self._span or self.span, "parent": parent._span or parent.span,
                "host": HOST, "pid": _pid, "start": self.start_time, "end": self.end_time, "body": self.body}

    def __enter__(self) -> Context:
        # The usual case of start(), without its questions.
        if self._state != _NEW:
            return self.start()
        self.previous = _current.get()
        _current.set(self)
        self._state = _RUNNING
        self.start_time = _now()
        return self

    def __exit__(self, *exception: object) -> None:
        # The usual case of done(), likewise.
        if self._state != _RUNNING or _current.get() is not self:
            self.done()
            return
        self._state = _SENT
        self.end_time = _now()
        _current.set(self.previous)
        if self.enabled and _recorder is not None:
            _recorder(self)

    def _writes(self) -> bool:
        if self._state != _RUNNING:
            raise ValueError(f"the context {self.name!r} is not between its start and its end")
        return self.enabled

    def set(self, key: str, *values: Any, **merged: Any) -> None:
        """Sets `key` (dots nest) to a value, to a list of several values, or merges keyword arguments into a map there.

        Raises ValueError outside of start and end, where a number stands within the key, and where the path leads
        through something that is no map."""
        if self._writes():
            if len(values) == 1 and not merged and "." not in key:
                self.body[key] = values[0]
            else:
                _body.set_deep(self.body, key, values, merged)

    def append(self, key: str, value: Any) -> None:
        """Appends `value` to the list at `key`, which is made where there is none."""
        if self._writes():
            _body.append_deep(self.body, key, value)

    def add(self, key: str, value: Any) -> None:
        """Adds `value` to the number at `key`, 0 where there is none."""
        if self._writes():
            _body.add_deep(self.body, key, value)


def new_id(at: float) -> str:
    """Four bytes of the time in seconds and twelve of chance, in hex: ids sort by time."""
    return (int(at) << 96 | _bits(96)).to_bytes(16, "big").hex()


class timeit:
    """Puts the seconds that a `with` block takes into the current context: `with timeit("render"): …`."""

    __slots__ = ("key", "_context", "_start")

    def __init__(self, key: str) -> None:
        self.key = key
        self._context: Optional[Context] = None
        self._start = 0.0

    def __enter__(self) -> timeit:
        self._context = _current.get()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        elapsed = time.perf_counter() - self._start
        if self._context is not None and self._context.writable:
            self._context.set(self.key, elapsed)


def current_context() -> Optional[Context]:
    """The innermost context of this thread or task."""
    return _current.get()


def find_context(name: str) -> Optional[Context]:
    """`.` the current context, `..` the one around it, `^` the outermost, else the innermost that bears the name."""
    return names.find(name, _current.get())


def clear_contexts() -> None:
    """Forgets the contexts of this thread or task, as a task should that outlives the request that began it."""
    _current.set(None)


def set(key: str, *values: Any, **merged: Any) -> None:
    """`Context.set` on the current context; nothing without one."""
    context = _current.get()
    if context is not None and context.writable:
        context.set(key, *values, **merged)


def append(key: str, value: Any) -> None:
    """`Context.append` on the current context; nothing without one."""
    context = _current.get()
    if context is not None and context.writable:
        context.append(key, value)


def add(key: str, value: Any) -> None:
    """`Context.add` on the current context; nothing without one."""
    context = _current.get()
    if context is not None and context.writable:
        context.add(key, value)


def context_wrap(type_name: str, sample: Optional[Sample] = None) -> Callable[[_Function], _Function]:
    """A decorator: each call of the function is a context. Coroutine functions are measured until they end."""

    def wrap(function: _Function) -> _Function:
        import inspect

        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with Context(type_name, sample=sample):
                    return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with Context(type_name, sample=sample):
                return function(*args, **kwargs)

        return called  # type: ignore[return-value]

    return wrap


def instant(type_name: str, body: Dict[str, Any], at: float) -> None:
    """Sends an event without duration below the current context."""
    if _recorder is None:
        return
    event = Context(type_name)
    if event.enabled:
        event.body = body
        event.start_time = event.end_time = at
        event._state = _SENT
        _recorder(event)


def set_recorder(recorder: Optional[Callable[[Context], None]]) -> None:
    """What finished contexts are given to; `None` makes everything here do nothing."""
    global _recorder
    _recorder = recorder


def _in_child() -> None:
    """A forked process needs other random numbers, and leaves it to its parent to send what was begun there."""
    global _pid
    _pid = os.getpid()
    _random.seed()
    context = _current.get()
    while context is not None:
        context._state = _SENT
        context = context.previous


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
