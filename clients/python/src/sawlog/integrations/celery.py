"""Celery: an event where a task is sent and one for each run of it, in the tree of whoever sent it.

    from sawlog.integrations import celery
    celery.install()

Call it where both the senders and the workers of tasks come along, such as the module that makes the application. The
receiver is configured by `sawlog.configure`, before or after; workers that fork keep it.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from celery import signals, states

from .. import configuration
from ..context import Context
from . import http

# What a task's message carries of the event that sent it.
_ID_HEADER = "sawlog_id"

_runs: Dict[Any, Context] = {}
_name = "celery.task"


def install(name: str = "") -> None:
    """Connects to Celery's signals, once. Runs of tasks are events `<name>.celery.task`, sending `.celery.task_sent`."""
    global _name
    _name = f"{name}.celery.task" if name else "celery.task"
    signals.before_task_publish.connect(_mark, dispatch_uid="sawlog")
    signals.after_task_publish.connect(_sent, dispatch_uid="sawlog")
    signals.task_prerun.connect(_begin, dispatch_uid="sawlog")
    signals.task_failure.connect(_failed, dispatch_uid="sawlog")
    signals.task_retry.connect(_retried, dispatch_uid="sawlog")
    signals.task_postrun.connect(_end, dispatch_uid="sawlog")
    signals.worker_process_shutdown.connect(_flush, dispatch_uid="sawlog")
    signals.worker_shutdown.connect(_flush, dispatch_uid="sawlog")


def _mark(headers: Optional[Dict[str, Any]] = None, **_: Any) -> None:
    # Made here and not in _sent, which comes too late to write into the message.
    event = Context(".celery.task_sent")
    if headers is not None:
        headers.setdefault(_ID_HEADER, event.id)


def _sent(sender: Any = None, headers: Optional[Dict[str, Any]] = None, body: Any = None, **_: Any) -> None:
    # The first message protocol has all of it in the body.
    about = headers if headers is not None and "task" in headers else body if isinstance(body, dict) else {}
    with Context(".celery.task_sent", id=(headers or {}).get(_ID_HEADER)) as event:
        event.set("task", str(about.get("task", sender)))
        event.set("task_id", about.get("id"))
        event.set("eta", about.get("eta"))


def _begin(task_id: Any = None, task: Any = None, args: Any = None, kwargs: Any = None, **_: Any) -> None:
    request = task.request
    event = _runs[task_id] = Context(_name, id=request.get(_ID_HEADER)).start()
    event.set("task", task.name)
    event.set("task_id", str(task_id))
    event.set("retries", request.retries)
    event.set("expires", request.expires)
    event.set("delivery_info", request.delivery_info)
    event.set("args", args)
    event.set("kwargs", kwargs)


def _failed(task_id: Any = None, exception: Any = None, **_: Any) -> None:
    event = _runs.get(task_id)
    if event is not None and event.writable:
        event.set("exception", http.exception(exception))


def _retried(request: Any = None, einfo: Any = None, **_: Any) -> None:
    event = _runs.get(request.id)
    if event is not None and event.writable:
        event.set("result_state", states.RETRY)
        event.set("exception", str(einfo))


def _end(task_id: Any = None, state: Any = None, **_: Any) -> None:
    event = _runs.pop(task_id, None)
    if event is not None:
        if event.writable and "result_state" not in event.body:
            event.set("result_state", str(state))
        event.done()


def _flush(**_: Any) -> None:
    # Worker processes end without the exit handlers of the interpreter.
    configuration.flush()
