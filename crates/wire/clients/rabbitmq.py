"""A real RabbitMQ for the scripts of clients: over a fresh folder, on an address of its own of the loopback, ended by its process
id."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

from checks import Skip
from node import PATIENCE

# The program itself: that of Debian in the path changes to a user of its own.
SERVER = shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin:/usr/local/sbin")


def until(what, so, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not (result := so()):
        assert time.monotonic() < deadline, f"not in {patience} s: {what}"
        time.sleep(0.1)
    return result


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def address():
    """An address of this machine on which 5672 is free: logcollect knows no other port."""
    for last in range(2, 250):
        host = f"127.77.5.{last}"
        with contextlib.suppress(OSError), socket.create_server((host, 5672)):
            return host
    raise Skip("port 5672 is taken on all addresses")


class Broker:
    """A RabbitMQ of the checks' own, with a name service of its own."""

    def __init__(self, folder):
        self.host = address()
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        settings = f"listeners.tcp.1 = {self.host}:5672\nlog.console = false\nloopback_users = none\n"
        (folder / "rabbitmq.conf").write_text(settings)
        (folder / "plugins").write_text("[].")
        names, distribution = free_port(), free_port()
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"sawlog-{distribution}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(names),
        }
        self.names = subprocess.Popen(["epmd", "-port", str(names)], stdin=subprocess.DEVNULL)
        self.start()

    def start(self):
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [SERVER], env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        until("rabbitmq-server answers", self.answers, 3 * PATIENCE)

    def stop(self):
        """Ends it as an operator does."""
        self.process.terminate()
        self.process.wait(PATIENCE)

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.names.kill()
        self.names.wait()

    def connection(self):
        import pika

        return pika.BlockingConnection(pika.ConnectionParameters(self.host, socket_timeout=5, heartbeat=0))

    def answers(self):
        with contextlib.suppress(Exception):
            self.connection().close()
            return True

    def waiting(self, queue):
        """Messages that nobody has got yet; None where there is no such queue."""
        import pika

        with contextlib.closing(self.connection()) as connection:
            with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
                return connection.channel().queue_declare(queue, passive=True).method.message_count
