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
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

from checks import Skip, check, run
from node import Node, nanoseconds
from rabbitmq import SERVER, Broker, until

CRASHES = int(os.environ.get("SAWLOG_CRASHES", "15"))


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


@check("a tenant at its rate is pushed back, another one's messages go on; nothing is lost")
def limits(node, broker, proxy):
    import pika

    def of(tenant):
        return f"""
[[input]]
type = "amqp"
id = "{tenant}"
tenant = "{tenant}"
uri = "amqp://guest:guest@{broker.host}/"
queue = "{tenant}"
exchange = "{tenant}"
exchange_type = "fanout"
prefetch = 50
"""

    house = Node(node.binary, node.folder.with_name("limits"), 'tenants = "calm, loud"\n' + of("calm") + of("loud"))
    data = ["--data", house.folder / "data"]

    def count(tenant):
        command = [house.binary, "search", "* | stats count()", "--json", *data]
        told = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "SAWLOG_TENANT": tenant})
        return json.loads(told.stdout)["count"]

    try:
        subprocess.run([house.binary, "tenant", "limit", "loud", "--records-per-second", "20", *data], check=True)
        until("their queues are there", lambda: all(broker.waiting(tenant) is not None for tenant in ("calm", "loud")))
        with contextlib.closing(broker.connection()) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            persistent = pika.BasicProperties(delivery_mode=2)
            for tenant in ("loud", "calm"):
                for n in range(240):
                    channel.basic_publish(tenant, "", json.dumps({"n": n}), persistent)
        until("calm has all", lambda: count("calm") == 240)
        assert count("loud") < 240 and broker.waiting("loud"), (count("loud"), broker.waiting("loud"))
        until("loud has all", lambda: count("loud") == 240 and broker.waiting("loud") == 0)
        # What was not acknowledged in time would be back by now.
        assert (count("calm"), count("loud")) == (240, 240)
    finally:
        house.kill()


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
