"""The three ways in which programs set up logcollect: plain, in Django's settings, in a worker of Celery."""

from __future__ import annotations

import logging
import logging.config
from typing import Any, Dict, Mapping, Optional, Union

from .formatter import AMQPLogstashFormatter
from .handler import AMQPHandler, open_handlers

_HANDLERS = ("sawlog.logcollect.handler.AMQPHandler", "logcollect.handler.AMQPHandler")
_FORMATTERS = ("sawlog.logcollect.formatter.AMQPLogstashFormatter", "logcollect.formatter.AMQPLogstashFormatter")
_NAME = "logcollect"

Level = Union[int, str]
Identity = Optional[Mapping[str, Any]]


def default_config(
    broker_uri: str = "amqp://localhost/",
    exchange: str = "logstash",
    routing_key: str = "logstash",
    durable: bool = False,
    auto_delete: bool = False,
    level: Level = "DEBUG",
    activity_identity: Identity = None,
) -> AMQPHandler:
    """All records of the program, from DEBUG on. Called again it changes nothing and gives the handler there is."""
    logging.getLogger().setLevel("DEBUG")
    return _ensure(
        logging.getLogger(), broker_uri, exchange, routing_key, durable, auto_delete, level, activity_identity
    )


def django_dict_config(
    LOGGING: Dict[str, Any],
    broker_uri: str = "amqp://localhost/",
    exchange: str = "logstash",
    routing_key: str = "logstash",
    durable: bool = False,
    auto_delete: bool = False,
    level: Level = "DEBUG",
    activity_identity: Identity = None,
) -> str:
    """Completes a dictionary for `logging.config.dictConfig`, what stands in it goes first; the name of the handler. Raises
    ValueError where the name `logcollect` is taken by another."""
    handlers = LOGGING.setdefault("handlers", {})
    formatters = LOGGING.setdefault("formatters", {})
    handler = _named(handlers, "class", _HANDLERS)
    formatter = _named(formatters, "()", _FORMATTERS)
    formatters[formatter].setdefault("activity_identity", dict(activity_identity or {}))
    root = LOGGING.setdefault("loggers", {}).setdefault("", {})
    if handler not in root.setdefault("handlers", []):
        root["handlers"].append(handler)
    root.setdefault("level", level)
    defaults = {
        "broker_uri": broker_uri,
        "exchange": exchange,
        "routing_key": routing_key,
        "durable": durable,
        "auto_delete": auto_delete,
        "level": level,
        "formatter": formatter,
    }
    for key, value in defaults.items():
        handlers[handler].setdefault(key, value)
    return handler


def celery_config(
    broker_uri: str = "amqp://localhost/",
    exchange: str = "logstash",
    routing_key: str = "logstash",
    durable: bool = True,
    level: Level = "DEBUG",
    auto_delete: bool = False,
    activity_identity: Identity = None,
    collect_root_logs: bool = False,
) -> None:
    """The records of tasks, in each process of a worker of Celery; with `collect_root_logs` all others too."""
    from celery import signals
    from celery.utils.log import task_logger

    loggers = [task_logger, logging.getLogger()] if collect_root_logs else [task_logger]

    def begin(**_: Any) -> None:
        for logger in loggers:
            _ensure(logger, broker_uri, exchange, routing_key, durable, auto_delete, level, activity_identity)

    def end(**_: Any) -> None:
        # Worker processes end without the exit handlers of the interpreter.
        for handler in task_logger.handlers:
            if isinstance(handler, AMQPHandler):
                handler.wait(2.0)

    signals.worker_process_init.connect(begin, weak=False)
    signals.worker_ready.connect(begin, weak=False)
    signals.worker_process_shutdown.connect(end, weak=False)


def _ensure(
    logger: logging.Logger,
    broker_uri: str,
    exchange: str,
    routing_key: str,
    durable: bool,
    auto_delete: bool,
    level: Level,
    activity_identity: Identity,
) -> AMQPHandler:
    """The handler on `logger`: its own, else that of another logger, else a new one."""
    known = [item for item in logger.handlers if isinstance(item, AMQPHandler)]
    if known:
        return known[0]
    handler = next(iter(open_handlers()), None)
    if handler is None:
        handler = AMQPHandler(
            broker_uri, exchange, durable=durable, routing_key=routing_key, auto_delete=auto_delete
        )
        handler.setFormatter(AMQPLogstashFormatter(activity_identity=activity_identity))
        handler.setLevel(level)
    logger.addHandler(handler)
    return handler


def _named(section: Dict[str, Any], key: str, ours: Any) -> str:
    """The name of what is of our class in a section of LOGGING, entered where nothing is."""
    for name, entry in section.items():
        if entry.get(key) in ours:
            entry[key] = ours[0]
            return str(name)
    if _NAME in section:
        raise ValueError(f"LOGGING has something else under the name {_NAME!r}")
    section[_NAME] = {key: ours[0]}
    return _NAME
