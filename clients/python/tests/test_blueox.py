"""Programs of BlueOx over `sawlog.blueox`: names, environment, and the events of its golden vectors."""

import datetime
import decimal
import logging
import sys
import threading

import msgpack
import pytest

import sawlog
import sawlog.blueox as blueox
from sawlog import context
from sawlog.encoding import Encoder

# What BlueOx 0.11.3 sends for the program below, in the order sent.
SENT_BY_BLUEOX = """
87a4626f647983a57175657279a773656cc3a96374a26474aa323031332d31322d3130a164a3312e35a3656e64cb41dac035a6049264a3706964cd4d43a57374617274cb41dac035a6048a72a4686f7374a2766da474797065ab726571756573742e73716ca26964da00203662303064363938363863333436613932623831383539383636303363623436
87a4626f647983a36d7367a6626f6f6d2031a46e616d65a3617070a56c6576656ca54552524f52a3656e64cb41dac035a60496e1a3706964cd4d43a57374617274cb41dac035a6049681a4686f7374a2766da474797065ab726571756573742e6c6f67a26964da00203662303064363938363863333436613932623831383539383636303363623436
87a4626f647985ac726571756573745f74696d65cb3ec0000000000000a16e05a16c92a161a162aa757365725f6167656e74a46375726ca8726573706f6e736581a6737461747573ccc8a3656e64cb41dac035a60497faa3706964cd4d43a57374617274cb41dac035a604352ba4686f7374a2766da474797065a772657175657374a26964da00203662303064363938363863333436613932623831383539383636303363623436
"""
# What stands in them of time and place, and differs from run to run.
VOLATILE = ("start", "end", "pid", "host")


def program(id=None):
    """A request with a query, a log line, a counter, a list and a timer, as BlueOx's readme shows them."""
    handler = blueox.LogHandler()
    logger = logging.getLogger("app")
    logger.addHandler(handler)
    try:
        with blueox.Context("request", id=id):
            blueox.set("user_agent", "curl")
            with blueox.Context(".sql"):
                blueox.set("query", "seléct")
                blueox.set("dt", datetime.date(2013, 12, 10))
                blueox.set("d", decimal.Decimal("1.5"))
            logger.error("boom %d", 1)
            with blueox.timeit("request_time"):
                blueox.add("n", 2)
                blueox.add("n", 3)
            blueox.append("l", "a")
            blueox.append("l", "b")
            blueox.set("response.status", 200)
    finally:
        logger.removeHandler(handler)


def test_events_are_those_of_blueox():
    expected = [msgpack.unpackb(bytes.fromhex(line)) for line in SENT_BY_BLUEOX.split()]
    finished = []
    blueox.configure("127.0.0.1", 3514, recorder=finished.append)
    program(id=expected[0]["id"])
    sent = [msgpack.unpackb(Encoder().pack(event.to_dict())) for event in finished]
    assert all(isinstance(event[field], type(expected[0][field])) for event in sent for field in VOLATILE)
    for events in (expected, sent):
        assert 0 < events[2]["body"].pop("request_time") < 1
    kept = [{key: event[key] for key in expected[0] if key not in VOLATILE} for event in sent]
    assert kept == [{key: event[key] for key in event if key not in VOLATILE} for event in expected]
    assert expected[2]["body"]["response"] == {"status": 200}


@pytest.mark.parametrize("way", ["argument", "environment", "configure"])
def test_programs_reach_a_forward_input(receiver, monkeypatch, way):
    if way == "argument":
        blueox.default_configure(receiver.address)
    elif way == "environment":
        monkeypatch.setenv("BLUEOX_HOST", receiver.address)
        blueox.default_configure()
    else:
        blueox.configure("127.0.0.1", receiver.port)
    program()
    blueox.shutdown()
    receiver.wait(3)
    assert sorted(tag for tag, _, _ in receiver.events) == ["request", "request.log", "request.sql"]
    program()
    receiver.wait(3)


def test_through_an_agent(agent, receiver):
    blueox.default_configure(agent.address)
    program()
    blueox.shutdown()
    records = {record["type"]: record for record in receiver.wait(3)}
    assert records["request.sql"]["body"] == {"query": "seléct", "dt": "2013-12-10", "d": "1.5"}
    assert records["request.sql"]["id"] == records["request.log"]["id"] == records["request"]["id"]
    assert records["request.sql"]["parent"] == records["request"]["span"]


def test_unknown_values_are_none(receiver):
    blueox.default_configure(receiver.address)
    with blueox.Context("a"):
        blueox.set("known", 1)
        blueox.set("unknown", object())
    blueox.shutdown()
    assert receiver.wait(1)[0]["body"] == {"known": 1, "unknown": None}


def test_addresses(monkeypatch):
    assert blueox.ports.default_collect_host() == "127.0.0.1:3514"
    assert blueox.ports.default_collect_host("central") == "central:3514"
    assert blueox.ports.default_control_host("[::1]") == "[::1]:3513"
    monkeypatch.setenv("BLUEOX_CLIENT_HOST", "there:1")
    assert blueox.client.default_host() == "there:1"
    assert blueox.ports.forward_port(3514) == 24224 and blueox.ports.forward_port(5000) == 5000
    with pytest.raises(blueox.Error):
        blueox.default_configure("host:port")


def test_nothing_is_sent_without_host_or_port():
    for host, port in ((None, None), ("h", None), (None, 1)):
        blueox.configure(host, port)
        program()
        assert sawlog.stats() is None


def test_modules_and_names():
    from sawlog.blueox import client, errors, logger, network, ports, timer, utils
    from sawlog.blueox.context import top_context

    assert issubclass(logger.LogHandler, logging.Handler) and timer.timeit is blueox.timeit
    assert blueox.client is client and blueox.errors is errors and blueox.network is network and blueox.ports is ports
    target = {}
    utils.set_deep(target, "a.b", [1, 2])
    assert utils.get_deep(target, "a.b.1") == 2 and utils.get_deep(target, "a.c", 7) == 7
    with blueox.Context("r"), blueox.Context(".s"):
        assert top_context().name == "r" and blueox.find_context("..").name == "r"
    with pytest.raises(AttributeError):
        blueox.nothing_of_this_name


def test_own_loggers_are_left_out(recorded):
    handler = blueox.LogHandler("notes")
    for name in ("blueox.network", "sawlog.sender", "app"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.warning("x")
        logger.removeHandler(handler)
    assert [(event.name, event.body["name"]) for event in recorded] == [("notes", "app")]


def test_files_of_oxd_are_read():
    data = b"".join(bytes.fromhex(line) for line in SENT_BY_BLUEOX.split())
    events = list(blueox.client.decode_stream([data[:100], data[100:]]))
    assert [event["type"] for event in events] == ["request.sql", "request.log", "request"]
    assert [len(group) for group in blueox.client.Grouper(events * 2)] == [3, 3]
    many = [{"id": n, "type": "r.s"} for n in range(2000)] + [{"id": 0, "type": "r"}, {"id": 1999, "type": "r"}]
    grouper = blueox.client.Grouper(many)
    assert [len(group) for group in grouper] == [1, 2] and grouper.size == 998


def test_the_live_stream_is_read():
    zmq = pytest.importorskip("zmq")
    with zmq.Context() as zmq_context, zmq_context.socket(zmq.REP) as control, zmq_context.socket(zmq.XPUB) as stream:
        control_port = control.bind_to_random_port("tcp://127.0.0.1")
        stream_port = stream.bind_to_random_port("tcp://127.0.0.1")

        def serve():
            assert msgpack.unpackb(control.recv()) == {"cmd": "SOCK_STREAM"}
            control.send(msgpack.packb({"port": stream_port}))
            assert stream.recv() == b"\x01request"
            for line in SENT_BY_BLUEOX.split():
                data = bytes.fromhex(line)
                stream.send_multipart([msgpack.unpackb(data)["type"].encode(), data])

        server = threading.Thread(target=serve)
        server.start()
        first = next(iter(blueox.client.subscribe_stream(f"127.0.0.1:{control_port}", "request")))
        server.join()
    assert first["type"] == "request", "sub-events begin with the name, and are not it"


def test_importing_needs_no_framework():
    import subprocess

    frameworks = {"tornado", "django", "flask", "celery", "zmq", "amqp"}
    program = f"import sys, sawlog, sawlog.blueox; print([m for m in sys.modules if m in {frameworks}])"
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "[]", done.stderr
