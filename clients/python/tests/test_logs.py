"""`logging` records as events."""

import logging

import pytest

import sawlog


@pytest.fixture
def logger():
    logger = logging.getLogger("app.part")
    handler = sawlog.LogHandler()
    logging.getLogger().addHandler(handler)
    logger.setLevel(logging.INFO)
    return logger


def test_records_are_events_below_the_current_context(recorded, logger):
    with sawlog.Context("request") as c:
        logger.info("hello %s", "you", extra={"user": 7})
        logger.debug("not wanted")
    logger.warning("outside")
    assert [(e.name, e.body) for e in recorded if e is not c] == [
        ("request.log", {"name": "app.part", "level": "INFO", "msg": "hello you", "user": 7}),
        ("log", {"name": "app.part", "level": "WARNING", "msg": "outside"}),
    ]
    assert recorded[0].id == c.id and recorded[0].parent is c
    assert recorded[0].start_time == recorded[0].end_time


def test_exceptions(recorded, logger):
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("bad")
    assert recorded[0].body["exception"].endswith("ZeroDivisionError: division by zero")


def test_own_loggers_and_unsampled_contexts_are_left_out(recorded, logger):
    logging.getLogger("sawlog.sender").warning("about itself")
    with sawlog.Context("request", sample=(".", 0.0)):
        logger.warning("not kept")
    assert recorded == []


def test_another_type(recorded):
    logger = logging.getLogger("other")
    handler = sawlog.LogHandler("notes")
    logger.addHandler(handler)
    with sawlog.Context("request"):
        logger.warning("x")
    logger.removeHandler(handler)
    assert recorded[0].name == "notes"


def test_a_record_that_cannot_be_formatted_raises_nothing(recorded, logger, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.warning("%d", "no number")
    assert recorded == []
