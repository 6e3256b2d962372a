"""Real clients publish to a real RabbitMQ, and a real sawlog takes it: logcollect 0.14, python-logstash's AMQP handler and
`amqp-publish`; then sawlog is killed again and again. Arguments: the binary, an empty folder. Ends with 0 where all is well."""

import contextlib
import json
import logging
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

PATIENCE = 180
SERVER = shutil.which("rabbitmq-server", path=f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}")
KILLS = int(os.environ.get("SAWLOG_KILLS", "10"))


def until(what, so):
    deadline = time.monotonic() + PATIENCE
    while True:
        result = so()
        if result:
            return result
        if time.monotonic() > deadline:
            sys.exit(f"not in {PATIENCE} s: {what}")
        time.sleep(0.1)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def loopback():
    """An address of this machine on which 5672 is free: logcollect knows no other port."""
    for last in range(2, 250):
        address = f"127.77.5.{last}"
        with contextlib.suppress(OSError), socket.create_server((address, 5672)):
            return address
    sys.exit("port 5672 is taken on all addresses: stop that server")


@contextlib.contextmanager
def broker(folder, host):
    names_port, dist_port = free_port(), free_port()
    folder.mkdir()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = {host}:5672\nlog.console = false\nloopback_users = none\n")
    (folder / "plugins").write_text("[].")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"sawlog-{dist_port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_DIST_PORT": str(dist_port),
        "ERL_EPMD_PORT": str(names_port),
    }
    names = subprocess.Popen(["epmd", "-port", str(names_port)], stdin=subprocess.DEVNULL)
    output = (folder / "output").open("ab")
    server = subprocess.Popen(
        [SERVER], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    import pika

    def answers():
        with contextlib.suppress(Exception):
            pika.BlockingConnection(pika.ConnectionParameters(host, socket_timeout=5)).close()
            return True

    try:
        until("rabbitmq-server answers", answers)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        names.kill()
        names.wait()


class Node:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.process = None

    def start(self):
        command = [self.binary, "run", "--config", self.folder / "sawlog.toml", "--data", self.folder / "data"]
        self.process = subprocess.Popen(command + ["--http", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("sawlog ready"):
                self.http = next(word[5:] for word in line.split() if word.startswith("http="))
                return
        sys.exit("the node ended before it was ready")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, path, **parameters):
        with urllib.request.urlopen(f"{self.http}{path}?{urllib.parse.urlencode(parameters)}") as answer:
            return answer.read().decode()

    def search(self, query):
        return [json.loads(line) for line in self.ask("/api/v1/search", query=query).splitlines()]


def config(host):
    def one(queue, exchange, kind, durable):
        return (
            f'[[input]]\ntype = "amqp"\nid = "{queue}"\nuri = "amqp://guest:guest@{host}/"\nqueue = "{queue}"\n'
            f'exchange = "{exchange}"\nexchange_type = "{kind}"\nrouting_keys = ["#"]\ndurable = {durable}\n'
            f'exchange_durable = {durable}\ntag = "{queue}"\nprefetch = 50\n\n'
        )

    return (
        one("lc", "logstash", "topic", "false")
        + one("pl", "python", "fanout", "false")
        + one("kills", "kills", "topic", "true")
    )


def logcollect(node, host):
    """logcollect 0.14 publishes, and every field and time is found"""
    # Its dependency anyjson is of a time before dicts kept their order; what is sent is the same.
    from logcollect.boot import default_config

    default_config(broker_uri=f"amqp://guest:guest@{host}/", activity_identity={"project": "github"})
    logger = logging.getLogger("test.sub")
    logger.setLevel(logging.DEBUG)
    until("logcollect's exchange is there", lambda: bound(host, "lc"))
    before = time.time()
    logger.info("hello %s", "world", extra={"req_id": 5})
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("bad")
    rows = until("logcollect's two records", lambda: len(found := node.search("_tag:lc")) == 2 and found)
    bad, hello = sorted(rows, key=lambda row: row["message"])
    want(hello, message="hello world", logger="test.sub", levelname="INFO", project="github", type="Logstash")
    want(bad, message="bad", levelname="ERROR", logger="test.sub", threadName="MainThread")
    assert float(hello["req_id"]) == 5 and hello["@version"] == "1", hello
    assert "ZeroDivisionError: division by zero" in bad["exc_info"], bad
    assert abs(seconds(hello["_time"]) - before) < 60, (hello, before)
    assert hello["_time"].rstrip("Z") == hello["@timestamp"].rstrip("Z"), hello
    logging.getLogger().handlers.clear()


def python_logstash(node, host):
    """python-logstash's AMQP handler publishes version 0 and 1, and both are found in the same names"""
    from logstash.handler_amqp import AMQPLogstashHandler

    for version in (0, 1):
        logger = logging.getLogger(f"pl{version}")
        handler = AMQPLogstashHandler(host=host, exchange="python", version=version)
        logger.addHandler(handler)
        logger.error("oops", extra={"a": 1})
        logger.removeHandler(handler)
    rows = until("python-logstash's events", lambda: len(found := node.search("_tag:pl")) == 2 and found)
    for row in rows:
        want(row, message="oops", type="logstash")
        assert float(row["a"]) == 1 and row["@version"] == "1", row


def want(row, **fields):
    for name, value in fields.items():
        assert row.get(name) == value, (name, value, row)


def seconds(text):
    import datetime

    return datetime.datetime.fromisoformat(text[:26].rstrip("Z")).replace(tzinfo=datetime.timezone.utc).timestamp()


def bound(host, queue):
    import pika

    with contextlib.closing(pika.BlockingConnection(pika.ConnectionParameters(host))) as connection:
        with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
            connection.channel().queue_declare(queue, passive=True)
            return True


def amqp_publish(host, body):
    subprocess.run(
        ["amqp-publish", "--server", host, "--exchange", "kills", "--routing-key", "k", "--persistent", "--body", body],
        check=True,
    )


def kills(node, host):
    """amqp-publish and pika publish while sawlog is killed again and again: nothing lost, nothing doubled"""
    import pika

    until("the queue is there", lambda: bound(host, "kills"))
    amqp_publish(host, json.dumps({"n": 0}))
    until("amqp-publish's message", lambda: node.search("_tag:kills"))
    published = 1
    connection = pika.BlockingConnection(pika.ConnectionParameters(host))
    channel = connection.channel()
    channel.confirm_delivery()
    persistent = pika.BasicProperties(delivery_mode=2)
    for _ in range(KILLS):
        for _ in range(200):
            channel.basic_publish("kills", "k", json.dumps({"n": published}), persistent)
            published += 1
        time.sleep(random.random() * 0.5)
        node.kill()
        node.start()
    connection.close()

    def all_there():
        return len({row["n"] for row in node.search("_tag:kills")}) >= published

    until("every message", all_there)
    rows = [int(row["n"]) for row in node.search("_tag:kills")]
    assert sorted(rows) == list(range(published)), f"{len(rows)} rows of {published} messages"


def main():
    binary, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    host = loopback()
    with broker(folder / "broker", host):
        (folder / "sawlog.toml").write_text(config(host))
        node = Node(binary, folder)
        node.start()
        try:
            for check in (logcollect, python_logstash, kills):
                check(node, host)
                print(f"ok   {check.__doc__}", flush=True)
        finally:
            node.kill()


main()
