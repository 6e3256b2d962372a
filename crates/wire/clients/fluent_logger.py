"""fluent-logger (PyPI) in all its modes against a real node: fluent_logger.py BINARY FOLDER"""

import json
import logging
import sys
import time

import msgpack
from checks import check, run
from fluent import asyncsender, event, handler, sender
from fluent.sender import EventTime
from node import PATIENCE, Node, nanoseconds

CONFIG = """
[[input]]
id = "tcp"
type = "forward"
listen = "127.0.0.1:0"

[[input]]
id = "unix"
type = "forward"
unix = "{folder}/fluent.sock"
"""
# Every type that msgpack has and that fluent-logger sends.
MIXED = {
    "text": "from python", "n": -3, "big": 2**63, "f": 1.0, "half": 1.5, "none": None, "yes": True,
    "list": [1, "a", {"b": True}], "map": {"in": {"side": 1}}, "é": "ü\n\"", "": "",
}
AT = 1700000000


def stored(node, tag, sent):
    """The rows of a tag are exactly `sent`: pairs of a time in nanoseconds (or None for any) and a record."""
    rows = node.found(f"_tag:={tag}", len(sent))
    found = [(nanoseconds(row["_time"]), json.loads(row["_line"])) for row in rows]
    for (time_, record), (sent_time, sent_record) in zip(found, sent):
        assert record == sent_record, (record, sent_record)
        assert list(record) == list(sent_record), f"order of keys: {list(record)}"
        assert [type(value) for value in record.values()] == [type(value) for value in sent_record.values()]
        assert sent_time is None or time_ == sent_time, (time_, sent_time)


def tcp(node, tag, **options):
    return sender.FluentSender(tag, host="127.0.0.1", port=node.port("tcp"), **options)


@check("fluent-logger (PyPI): whole seconds, every type")
def seconds(node):
    logger = tcp(node, "seconds")
    for number in range(100):
        assert logger.emit_with_time("a", AT + number, MIXED | {"number": number}), logger.last_error
    logger.close()
    stored(node, "seconds.a", [((AT + number) * 10**9, MIXED | {"number": number}) for number in range(100)])


@check("fluent-logger (PyPI): nanosecond_precision")
def nanos(node):
    logger = tcp(node, "nanos", nanosecond_precision=True)
    assert logger.emit_with_time("a", EventTime(AT, 123456789), MIXED), logger.last_error
    assert logger.emit_with_time("a", EventTime(AT + 0.5), {"n": 2}), logger.last_error
    before = time.time_ns()
    assert logger.emit("now", {"n": 3}), logger.last_error
    after = time.time_ns()
    # Without a label the tag is the sender's own.
    assert logger.emit_with_time(None, EventTime(AT, 1), {"n": 4}), logger.last_error
    logger.close()
    stored(node, "nanos.a", [(AT * 10**9 + 123456789, MIXED), (AT * 10**9 + 500000000, {"n": 2})])
    stored(node, "nanos", [(AT * 10**9 + 1, {"n": 4})])
    row = node.found("_tag:=nanos.now", 1)[0]
    # It keeps the fraction in a float, so it is good for a microsecond.
    assert before - 1000 <= nanoseconds(row["_time"]) <= after + 1000, (before, row, after)


@check("fluent-logger (PyPI): bytes, and msgpack_kwargs of the old MessagePack without bin")
def packed(node):
    logger = tcp(node, "packed")
    assert logger.emit_with_time("bin", AT, {"b": b"\xff\x00"}), logger.last_error
    logger.close()
    logger = tcp(node, "packed", msgpack_kwargs={"use_bin_type": False})
    assert logger.emit_with_time("old", AT, {"text": b"bytes as text", "n": 1}), logger.last_error
    logger.close()
    stored(node, "packed.old", [(AT * 10**9, {"text": "bytes as text", "n": 1})])
    line = json.loads(node.found("_tag:=packed.bin", 1)[0]["_line"])
    assert line == {"b": {"$bin": "/wA="}}, line


@check("fluent-logger (PyPI): the interface of events")
def events(node):
    sender.setup("event", host="127.0.0.1", port=node.port("tcp"))
    event.Event("follow", {"from": "a", "to": "b"})
    event.Event("at", {"n": 1}, time=AT)
    sender.get_global_sender().close()
    stored(node, "event.follow", [(None, {"from": "a", "to": "b"})])
    stored(node, "event.at", [(AT * 10**9, {"n": 1})])


@check("fluent-logger (PyPI): FluentHandler")
def log_handler(node):
    port = node.port("tcp")
    own = handler.FluentHandler("handler.log", host="127.0.0.1", port=port, nanosecond_precision=True)
    own.setFormatter(handler.FluentRecordFormatter({"level": "%(levelname)s", "where": "%(module)s"}))
    logger = logging.getLogger("fluent handler")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(own)
    for message in ({"k": "v"}, "plain é", '{"json": [1, 2.5]}'):
        logger.warning(message)
        time.sleep(0.002)
    try:
        raise ValueError("no such")
    except ValueError:
        logger.exception("with a trace")
    own.close()
    base = {"level": "WARNING", "where": "fluent_logger"}
    rows = node.found("_tag:=handler.log", 4)
    records = [json.loads(row["_line"]) for row in rows]
    assert records[:3] == [base | {"k": "v"}, base | {"message": "plain é"}, base | {"json": [1, 2.5]}], records
    assert records[3]["message"].startswith("with a trace") and "ValueError: no such" in str(records[3]), records[3]


@check("fluent-logger (PyPI): asyncsender, also with a circular queue")
def in_the_background(node):
    for tag, circular in (("waits", False), ("circular", True)):
        logger = asyncsender.FluentSender(
            tag, host="127.0.0.1", port=node.port("tcp"), queue_circular=circular, queue_maxsize=10_000
        )
        for number in range(1000):
            assert logger.emit_with_time("a", AT + number, {"number": number})
        logger.close()
        stored(node, f"{tag}.a", [((AT + number) * 10**9, {"number": number}) for number in range(1000)])


@check("fluent-logger (PyPI): Unix socket; what waits in its buffer while a node restarts arrives")
def restart(node):
    own = Node(node.binary, node.folder.parent / "fluent-restart", CONFIG)
    try:
        logger = sender.FluentSender("unix", host=f"unix://{own.folder}/fluent.sock", nanosecond_precision=True)
        sent = [(AT * 10**9 + number, {"number": number}) for number in range(30)]
        emit = lambda number: logger.emit_with_time("a", EventTime(AT, number), {"number": number})
        for number in range(10):
            assert emit(number), logger.last_error
        stored(own, "unix.a", sent[:10])
        own.stop()
        for number in range(10, 29):
            assert not emit(number), "nobody is there"
        assert logger.pendings
        own.start()
        until = time.monotonic() + PATIENCE
        assert emit(29), logger.last_error
        assert not logger.pendings and time.monotonic() < until
        logger.close()
        stored(own, "unix.a", sent)
    finally:
        own.kill()


@check("fluent-logger (PyPI): what its buffer has no room for is given to the handler, and nothing else")
def overflow(node):
    lost = []
    # Nobody listens on the port of a socket that is only bound.
    logger = sender.FluentSender(
        "overflow", host="127.0.0.1", port=1, bufmax=60, timeout=1, buffer_overflow_handler=lost.append
    )
    for number in range(4):
        logger.emit_with_time("a", AT, {"number": number})
    unpacker = msgpack.Unpacker()
    for part in lost:
        unpacker.feed(part)
    given = list(unpacker)
    assert given, "the handler is called"
    logger.port = node.port("tcp")
    assert logger.emit_with_time("a", AT + 9, {"number": 9}), logger.last_error
    logger.close()
    kept = [number for number in range(4) if number not in [one[2]["number"] for one in given]]
    stored(node, "overflow.a", [(AT * 10**9, {"number": number}) for number in kept] + [((AT + 9) * 10**9, {"number": 9})])


if __name__ == "__main__":
    node = Node(sys.argv[1], f"{sys.argv[2]}/fluent-logger", CONFIG)
    try:
        run(node)
    finally:
        node.kill()
