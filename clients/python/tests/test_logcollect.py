"""logcollect's interface, by the forward protocol and to a real RabbitMQ; against logcollect's own captured events."""

import json
import logging
import logging.config
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from sawlog.logcollect import AMQPHandler, AMQPLogstashFormatter, boot, celery_config, default_config, django_dict_config

# The two events that logcollect 0.14.0 sends for the two records of `send_two`.
KEYS = "@timestamp @version message host tags type seq levelname logger stack_info process req_id project application".split()
ERROR_KEYS = [key for key in KEYS if key != "req_id"] + ["exc_info", "lineno", "threadName"]
IDENTITY = {"project": "github", "application": "backend"}


@pytest.fixture(autouse=True)
def handlers_end():
    yield
    from sawlog.logcollect.handler import open_handlers

    for handler in open_handlers():
        for logger in (logging.getLogger(), logging.getLogger("celery.task")):
            logger.removeHandler(handler)
        handler._sender.close(0)
        handler.close()


def send_two():
    logger = logging.getLogger("test.sub")
    logger.info("hello %s", "world", extra={"req_id": 5})
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("bad")


def check_two(first, second):
    assert list(first) == KEYS and list(second) == ERROR_KEYS
    assert (first["message"], first["logger"], first["levelname"]) == ("hello world", "test.sub", "INFO")
    assert (first["@version"], first["tags"], first["type"], first["seq"]) == (1, [], "Logstash", 1)
    assert (first["req_id"], first["project"], first["process"], first["stack_info"]) == (5, "github", os.getpid(), None)
    assert second["message"] == "bad" and second["levelname"] == "ERROR" and second["threadName"] == "MainThread"
    assert second["exc_info"].startswith("Traceback") and second["exc_info"].endswith("division by zero\n")
    now = time.strftime("%Y-%m-%dT%H:", time.gmtime())
    assert first["@timestamp"].startswith(now) and first["@timestamp"].endswith("Z") and len(first["@timestamp"]) == 27


def test_events_go_straight_to_a_forward_input(receiver):
    handler = default_config(f"forward://{receiver.address}", activity_identity=IDENTITY)
    assert default_config() is handler, "called again it changes nothing"
    send_two()
    logging.getLogger("sawlog.sender").warning("not this one")
    logging.getLogger("amqp").warning("nor this")
    assert handler.wait()
    check_two(*receiver.wait(2))
    assert {tag for tag, _, _ in receiver.events} == {"logstash.test.sub"}


def test_through_an_agent(agent, receiver):
    handler = default_config(f"forward://{agent.address}", activity_identity=IDENTITY)
    send_two()
    assert handler.wait()
    records = receiver.wait(2)
    assert [record["message"] for record in records] == ["hello world", "bad"]


def test_django_settings(receiver):
    LOGGING = {"version": 1, "disable_existing_loggers": False, "loggers": {"noisy": {"level": "ERROR"}}}
    assert django_dict_config(LOGGING, f"forward://{receiver.address}", activity_identity=IDENTITY, level="INFO") == "logcollect"
    assert LOGGING["loggers"][""] == {"handlers": ["logcollect"], "level": "INFO"}
    before = logging.getLogger().handlers[:]
    logging.config.dictConfig(LOGGING)
    (handler,) = [handler for handler in logging.getLogger().handlers if isinstance(handler, AMQPHandler)]
    send_two()
    logging.getLogger("noisy").warning("not this one")
    assert handler.wait()
    check_two(*receiver.wait(2))
    for old in before:
        logging.getLogger().addHandler(old)


def test_django_settings_that_name_logcollect_already():
    LOGGING = {
        "handlers": {"mine": {"class": "logcollect.handler.AMQPHandler", "broker_uri": "forward://there"}},
        "formatters": {"form": {"()": "logcollect.formatter.AMQPLogstashFormatter"}},
        "loggers": {"": {"handlers": ["other"], "level": "ERROR"}},
    }
    assert django_dict_config(LOGGING, "amqp://ignored/") == "mine"
    assert LOGGING["handlers"]["mine"]["class"] == "sawlog.logcollect.handler.AMQPHandler"
    assert LOGGING["handlers"]["mine"]["broker_uri"] == "forward://there"
    assert LOGGING["handlers"]["mine"]["formatter"] == "form"
    assert LOGGING["loggers"][""] == {"handlers": ["other", "mine"], "level": "ERROR"}
    with pytest.raises(ValueError):
        django_dict_config({"handlers": {"logcollect": {"class": "logging.NullHandler"}}})


def test_celery_tasks(receiver):
    pytest.importorskip("celery")
    from celery import signals
    from celery.utils.log import get_task_logger

    celery_config(f"forward://{receiver.address}", activity_identity=IDENTITY)
    signals.worker_process_init.send(sender=None)
    logger = get_task_logger("shop.tasks")
    logger.setLevel(logging.INFO)
    logger.info("in a task")
    signals.worker_process_shutdown.send(sender=None)
    (record,) = receiver.wait(1)
    assert (record["logger"], record["message"], record["project"]) == ("shop.tasks", "in a task", "github")


def test_a_full_queue_never_blocks(receiver):
    receiver.close()
    logger = logging.getLogger("full")
    handler = AMQPHandler(f"forward://{receiver.address}", queue_bytes=20_000, exit_timeout=0)
    logger.addHandler(handler)
    begin = time.perf_counter()
    for n in range(1000):
        logger.warning("n %d", n)
    assert time.perf_counter() - begin < 1
    counts = handler.stats()
    assert counts.dropped > 0 and counts.dropped + counts.accepted >= 1000
    logger.removeHandler(handler)


def test_sequence_and_odd_values():
    formatter = AMQPLogstashFormatter(message_type="T", tags=["a"], activity_identity={"process": "overridden"})
    record = logging.LogRecord("l", logging.INFO, __file__, 1, "m", (), None)
    record.odd, record.nested = object, {"set": {1}}
    numbers = [json.loads(formatter.format(record))["seq"] for _ in range(1002)]
    assert numbers == list(range(1, 1001)) + [1000, 1000]
    later = logging.LogRecord("l", logging.INFO, __file__, 1, "m", (), None)
    later.created = record.created + 1
    assert json.loads(formatter.format(later))["seq"] == 1
    event = json.loads(formatter.format(record))
    assert (event["odd"], event["nested"], event["process"]) == ("<class 'object'>", {"set": "{1}"}, "overridden")
    assert (event["type"], event["tags"]) == ("T", ["a"])


def test_addresses_that_cannot_be():
    with pytest.raises(ValueError):
        AMQPHandler("http://there")


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """A RabbitMQ of its own on a free port; ended with the tests."""
    pytest.importorskip("amqp")
    if server() is None:
        pytest.skip("there is no rabbitmq-server")
    broker = Broker(tmp_path_factory.mktemp("rabbitmq"))
    yield broker
    broker.end()


def server():
    """The program itself: that of Debian in the path changes to a user of its own."""
    return shutil.which("rabbitmq-server", path=f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


class Broker:
    def __init__(self, folder: pathlib.Path):
        self.port, dist_port, epmd_port = free_ports(3)
        self.uri = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = false\n")
        (folder / "plugins").write_text("[].")
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"sawlog-{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(dist_port),
            # Its own name service, which would outlive it.
            "ERL_EPMD_PORT": str(epmd_port),
        }
        self._log = folder / "output"
        self._names = subprocess.Popen(["epmd", "-port", str(epmd_port)], stdin=subprocess.DEVNULL)
        self._process = subprocess.Popen(
            [server()], env=self._environment, stdin=subprocess.DEVNULL,
            stdout=self._log.open("ab"), stderr=subprocess.STDOUT, start_new_session=True,
        )
        import amqp

        deadline = time.monotonic() + 60
        while True:
            try:
                connection = amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=1)
                connection.connect()
                break
            except Exception as error:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    pytest.fail(f"rabbitmq-server does not start: {error}; {self._log.read_text()[-2000:]}")
                time.sleep(0.2)
        connection.close()

    def end(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._names.kill()
        self._names.wait()

    def reader(self, durable):
        """A connection with a queue that is bound to everything below `logstash`."""
        import amqp

        connection = amqp.Connection(f"127.0.0.1:{self.port}")
        connection.connect()
        channel = connection.channel()
        channel.exchange_declare("logstash", "topic", durable=durable, auto_delete=False)
        channel.queue_declare("taken", durable=durable, auto_delete=False)
        channel.queue_bind("taken", "logstash", "logstash.#")
        return connection, channel


class Proxy:
    """Between a client and the broker: ends connections when asked, and when `deaf` keeps the broker's answers back."""

    def __init__(self, to_port):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._to_port = to_port
        self._sockets = []
        self.deaf = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        sockets, self._sockets = self._sockets, []
        for end in sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to_port))
            self._sockets += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source, sink, answers):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if not (answers and self.deaf):
                    sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            end.close()


def drain(channel):
    messages = []
    while True:
        message = channel.basic_get("taken", no_ack=True)
        if message is None:
            return messages
        messages.append(message)


def test_rabbitmq(broker):
    """What arrives is what logcollect sends."""
    connection, channel = broker.reader(durable=True)
    handler = default_config(broker.uri, durable=True, activity_identity=IDENTITY)
    send_two()
    assert handler.wait(10)
    first, second = drain(channel)
    check_two(json.loads(first.body), json.loads(second.body))
    assert first.delivery_info["routing_key"] == "logstash.test.sub"
    connection.collect()


def test_rabbitmq_cut_off_again_and_again(broker):
    """What the broker took without our hearing of it is sent again under the same id; nothing is missing."""
    connection, channel = broker.reader(durable=True)
    proxy = Proxy(broker.port)
    handler = AMQPHandler(f"amqp://guest:guest@127.0.0.1:{proxy.port}/")
    logger = logging.getLogger("test.cut")
    logger.addHandler(handler)
    for round in range(10):
        for n in range(30):
            logger.warning("n", extra={"n": round * 30 + n})
        # Confirmations are lost now and then, messages and connections always.
        proxy.deaf = round % 2 == 0
        time.sleep(0.05)
        proxy.cut()
        proxy.deaf = False
    assert handler.wait(40)
    assert handler.stats().dropped == 0
    messages = drain(channel)
    by_id = {message.properties["message_id"]: json.loads(message.body)["n"] for message in messages}
    assert sorted(by_id.values()) == list(range(300))
    logger.removeHandler(handler)
    connection.collect()
    proxy.close()


def test_a_broker_that_refuses(broker, caplog):
    handler = AMQPHandler(f"amqp://nobody:wrong@127.0.0.1:{broker.port}/", exit_timeout=0)
    logger = logging.getLogger("refused")
    logger.addHandler(handler)
    logger.warning("x")
    assert not handler.wait(2)
    assert "events wait: amqp://" in caplog.text
    logger.removeHandler(handler)


def test_a_program_ends_without_losing_its_last_records(receiver):
    program = f"""
import logging
from sawlog.logcollect import default_config
default_config("forward://{receiver.address}", activity_identity={{"project": "p"}})
logging.getLogger("last").info("words")
"""
    environment = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    (record,) = receiver.wait(1)
    assert (record["message"], record["project"]) == ("words", "p")


def test_names_of_the_interface():
    assert boot.default_config is default_config
