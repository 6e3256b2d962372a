"""python-logstash over TCP and UDP, and logstash_formatter, in both versions of the event, against a real node:
logstash_senders.py BINARY FOLDER"""

import json
import logging
import logging.handlers
import sys

import logstash
import logstash_formatter
from checks import check, run
from node import Node, nanoseconds

CONFIG = """
[[input]]
id = "logstash"
type = "logstash"
listen = "127.0.0.1:0"
"""
HOST = "127.0.0.1"
# Event version 0 in the names of version 1.
NAMES = {"@message": "message", "@tags": "tags", "@type": "type", "@source_host": "host", "@source_path": "path"}


class Lines(logging.handlers.SocketHandler):
    """A line of JSON for each record over TCP; logstash_formatter itself sends nothing."""

    def __init__(self, port, formatter):
        super().__init__(HOST, port)
        self.setFormatter(formatter)

    def makePickle(self, record):
        return self.format(record).encode() + b"\n"


def expected(event):
    """An event as it is stored: version 0 in the names of version 1, `@fields` at the top."""
    if "@message" not in event:
        # Some send it as a number.
        return event | {"@version": "1"}
    record = {"@version": "1"}
    for key, value in event.items():
        if key == "@fields":
            # A name that is taken stays as it came.
            record |= {name: inner for name, inner in value.items() if name not in NAMES.values()}
        elif key != "@source":
            record[NAMES.get(key, key)] = value
    return record


def recorded(handler):
    """What a handler has sent, as it has sent it; the times of logstash_formatter are those of the call."""
    made, send = [], handler.makePickle

    def make(record):
        bytes_ = send(record)
        made.append(json.loads(bytes_))
        return bytes_

    handler.makePickle = make
    return made


def sends(name, make):
    @check(name)
    def the_check(node):
        word = "".join(letter for letter in name if letter.isalnum())
        handler = make(node.port("logstash"))
        made = recorded(handler)
        logger = logging.getLogger(word)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(handler)
        for number in range(20):
            logger.info("%s says %d: é \"quoted\"", word, number, extra={"number": number, "own": {"a": [1, None]}})
        logger.error("%s in\ntwo lines", word)
        try:
            raise ValueError("no such thing")
        except ValueError:
            logger.exception("%s failed", word)
        handler.close()
        rows = node.found(f"{word}", 22)
        found = sorted(((nanoseconds(row["_time"]), json.loads(row["_line"])) for row in rows), key=str)
        wanted = sorted(((nanoseconds(event["@timestamp"]), expected(event)) for event in made), key=str)
        found = sorted(found, key=lambda pair: pair[1]["message"])
        wanted = sorted(wanted, key=lambda pair: pair[1]["message"])
        for have, want in zip(found, wanted):
            assert have == want, (have, want)


for version in (0, 1):
    sends(
        f"python-logstash: TCP, version {version}",
        lambda port, version=version: logstash.TCPLogstashHandler(HOST, port, version=version, tags=["a", "é"]),
    )
    sends(
        f"python-logstash: UDP, version {version}",
        lambda port, version=version: logstash.LogstashHandler(HOST, port, version=version, message_type="mine"),
    )
sends("logstash_formatter: version 0", lambda port: Lines(port, logstash_formatter.LogstashFormatter()))
sends("logstash_formatter: version 1", lambda port: Lines(port, logstash_formatter.LogstashFormatterV1()))

if __name__ == "__main__":
    node = Node(sys.argv[1], f"{sys.argv[2]}/logstash", CONFIG)
    try:
        run(node)
    finally:
        node.kill()
