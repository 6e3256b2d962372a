"""A real `sawlog-agent` for the tests: takes events on a port of the loopback and forwards them to a receiver.

The binary is named by SAWLOG_AGENT, else it is the workspace's own debug build.
"""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]


def binary() -> pathlib.Path:
    return pathlib.Path(os.environ.get("SAWLOG_AGENT", ROOT / "target/debug/sawlog-agent"))


class Agent:
    """Runs from the constructor until `kill` or `stop`; `start` goes on over the same data on the same port."""

    def __init__(self, folder: pathlib.Path, to_port: int, security: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._folder = folder
        (folder / "sawlog.toml").write_text(
            f"""
data = "{folder}/data"

[[input]]
type = "forward"
listen = "{self.address}"
{security}

[[output]]
type = "forward"
to = "127.0.0.1:{to_port}"
lane = false
"""
        )
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [binary(), "run", "-c", self._folder / "sawlog.toml"], stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline()
        assert line.startswith("sawlog-agent ready"), line

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)
            self._process.stdout.close()
