"""logcollect 0.14, python-logstash's AMQP handler and `amqp-publish` publish to a real RabbitMQ, and a real node takes it; then
the node is killed, the broker restarted and their connection cut, again and again: rabbitmq_senders.py BINARY FOLDER.
SAWLOG_CRASHES is how often; 15 where it is not given."""

import contextlib
import json
import logging
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

from checks import Skip, check, run
from node import PATIENCE, Node, nanoseconds

CRASHES = int(os.environ.get("SAWLOG_CRASHES", "15"))
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


class Proxy:
    """Stands between the node and the broker. Deaf, it lets nothing of the node through: what the broker has delivered is
    stored, and its acknowledgement never arrives."""

    def __init__(self, host):
        self.to = (host, 5672)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.deaf = False
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            try:
                far = socket.create_connection(self.to, timeout=5)
            except OSError:
                near.close()
                continue
            self.open.append((near, far))
            threading.Thread(target=self.pass_on, args=(near, far), daemon=True).start()

    def pass_on(self, near, far):
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select(1):
                    data = key.fileobj.recv(65536)
                    if not data:
                        raise OSError
                    if key.fileobj is far or not self.deaf:
                        key.data.sendall(data)
        near.close()
        far.close()

    def cut(self):
        """Cuts what is open now."""
        cut, self.open = self.open, []
        for one in sum(cut, ()):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def config(host, port):
    def one(queue, exchange, kind, durable, at=host):
        return f"""
[[input]]
type = "amqp"
id = "{queue}"
uri = "amqp://guest:guest@{at}/"
queue = "{queue}"
exchange = "{exchange}"
exchange_type = "{kind}"
routing_keys = ["#"]
durable = {durable}
exchange_durable = {durable}
tag = "{queue}"
prefetch = 50
reconnect = "1s"
"""

    return (
        one("lc", "logstash", "topic", "false")
        + one("pl", "python", "fanout", "false")
        + one("crashes", "crashes", "topic", "true", f"127.0.0.1:{port}")
    )


def has(row, **fields):
    for name, value in fields.items():
        assert row.get(name) == value, (name, value, row)


@check("logcollect 0.14 publishes, and every field and time is found")
def logcollect(node, broker, proxy):
    from logcollect.boot import default_config

    until("its queue is there", lambda: broker.waiting("lc") is not None)
    # It takes what other libraries log, too, as it would in a program.
    default_config(broker_uri=f"amqp://guest:guest@{broker.host}/", activity_identity={"project": "github"})
    logger = logging.getLogger("test.sub")
    before = time.time()
    logger.info("hello %s", "world", extra={"req_id": 5})
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("bad")
    logging.getLogger().handlers.clear()
    hello, bad = node.found("_tag:lc logger:=test.sub", 2)
    common = {"logger": "test.sub", "type": "Logstash", "project": "github", "@version": "1", "process": os.getpid()}
    has(hello, message="hello world", levelname="INFO", req_id=5, host=socket.gethostname(), **common)
    has(bad, message="bad", levelname="ERROR", threadName="MainThread", **common)
    assert "ZeroDivisionError: division by zero" in bad["exc_info"], bad
    # It writes local time and calls it UTC.
    zone = datetime.now().astimezone().utcoffset().total_seconds()
    assert abs(nanoseconds(hello["_time"]) / 1e9 - zone - before) < 60, (hello, before)
    assert nanoseconds(hello["@timestamp"]) == nanoseconds(hello["_time"]), hello


@check("python-logstash's AMQP handler publishes version 0 and 1, and both are found in the same names")
def python_logstash(node, broker, proxy):
    from logstash.handler_amqp import AMQPLogstashHandler

    until("its queue is there", lambda: broker.waiting("pl") is not None)
    for version in (0, 1):
        logger = logging.getLogger(f"pl{version}")
        logger.propagate = False
        handler = AMQPLogstashHandler(host=broker.host, exchange="python", version=version)
        logger.addHandler(handler)
        logger.error("oops", extra={"a": 1})
        logger.removeHandler(handler)
    for row in node.found("_tag:pl", 2):
        has(row, message="oops", type="logstash", a=1, **{"@version": "1"})


@check("amqp-publish publishes, and its message is found")
def amqp_publish(node, broker, proxy):
    if not shutil.which("amqp-publish"):
        raise Skip("there is no amqp-publish")
    until("its queue is there", lambda: broker.waiting("crashes") is not None)
    event = {"@timestamp": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"), "@version": 1, "message": "by hand"}
    command = ["amqp-publish", "--server", broker.host, "--exchange", "crashes", "--routing-key", "k", "--body", json.dumps(event)]
    subprocess.run(command, check=True)
    (row,) = node.found('_tag:crashes "by hand"', 1)
    assert nanoseconds(row["_time"]) == nanoseconds(row["@timestamp"]), row


@check(f"{CRASHES} crashes of the node, of the broker and of their connection: nothing is lost, nothing doubled")
def crashes(node, broker, proxy):
    import pika

    logging.getLogger("pika").setLevel(logging.CRITICAL)
    chance = random.Random(17)
    persistent = pika.BasicProperties(delivery_mode=2)
    published, not_acknowledged, kinds = 0, 0, {}

    def publish(channel, count):
        nonlocal published
        for _ in range(count):
            channel.basic_publish("crashes", "k", json.dumps({"n": published}), persistent)
            published += 1

    for crash in range(CRASHES):
        # The broker takes longest; the others are between any two words of node and broker, or surely before the ack.
        kind = "the broker is restarted" if crash % 15 == 14 else chance.choice(["cut", "cut before ack", "kill", "kill before ack"])
        kinds[kind] = kinds.get(kind, 0) + 1
        with contextlib.closing(broker.connection()) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            publish(channel, 60)
            if kind.endswith("before ack"):
                until("the queue is read", lambda: not broker.waiting("crashes"))
                proxy.deaf = True
                publish(channel, 30)
                # Without an answer to earlier acknowledgements it may take none of these, or up to its prefetch.
                deadline = time.monotonic() + 1
                while time.monotonic() < deadline:
                    if node.search(f"_tag:crashes n:>={published - 30} | limit 1"):
                        not_acknowledged += 1
                        break
                    time.sleep(0.02)
            else:
                time.sleep(chance.random() * 0.2)
        if kind == "the broker is restarted":
            broker.stop()
            broker.start()
        if kind.startswith("kill"):
            node.kill()
        proxy.cut()
        proxy.deaf = False
        if kind.startswith("kill"):
            node.start()

    def numbers():
        text = node.search('_tag:crashes -"by hand" | stats count() as rows, min(n) as first, max(n) as last')
        return text[0] if text else {}

    # The queue is empty and stays so: what was delivered and not acknowledged would be back by now.
    until("every message is stored", lambda: int(numbers().get("rows", 0)) >= published and broker.waiting("crashes") == 0)
    rows = sorted(int(row["n"]) for row in node.search('_tag:crashes -"by hand"'))
    doubled = len(rows) - len(set(rows))
    lost = sorted(set(range(published)) - set(rows))
    told = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
    print(f"     {published} messages; {told}; {not_acknowledged} times stored and not acknowledged", flush=True)
    assert not lost and not doubled, f"lost {lost[:10]}, doubled {doubled}"
    assert CRASHES < 10 or not_acknowledged, "no crash came between journal and acknowledgement"


if __name__ == "__main__":
    if not SERVER:
        print("SKIPPED clients of RabbitMQ: there is no rabbitmq-server", flush=True)
        sys.exit()
    folder = Path(sys.argv[2]) / "rabbitmq"
    broker = Broker(folder / "broker")
    try:
        proxy = Proxy(broker.host)
        node = Node(sys.argv[1], folder / "node", config(broker.host, proxy.port))
        try:
            run(node, broker, proxy)
        finally:
            node.kill()
    finally:
        broker.end()
