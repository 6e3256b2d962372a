"""What the tests share: a receiver, an agent before it, and a clean slate after each test."""

from __future__ import annotations

import logging
import pathlib
import signal

import pytest
from agent import Agent, binary
from receiver import Receiver

import sawlog

# Started in the background of a shell, the tests, and so the programs that they start, would not heed SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_slate(monkeypatch):
    for name in ("SAWLOG_HOST", "BLUEOX_HOST", "BLUEOX_CLIENT_HOST"):
        monkeypatch.delenv(name, raising=False)
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)
    sawlog.shutdown(0)
    sawlog.clear_contexts()
    for handler in list(logging.getLogger().handlers):
        if type(handler).__module__.startswith("sawlog"):
            logging.getLogger().removeHandler(handler)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def recorded():
    """The contexts that are finished in the test, instead of sending them."""
    finished = []
    sawlog.configure(recorder=finished.append)
    return finished


@pytest.fixture
def agent(receiver, tmp_path: pathlib.Path):
    if not binary().is_file():
        pytest.skip(f"there is no {binary()}; build it with: cargo build -p sawlog-agent")
    agent = Agent(tmp_path, receiver.port)
    yield agent
    agent.stop()
