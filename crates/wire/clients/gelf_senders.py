"""graypy and pygelf over every transport against a real node: gelf_senders.py BINARY FOLDER

What is expected of a row is what the library itself says that it makes of a log record."""

import hashlib
import json
import logging
import shutil
import sys
from decimal import Decimal

import graypy
import pygelf
from checks import Skip, check, run
from node import Node, certificate, nanoseconds

CONFIG = """
[[input]]
id = "gelf"
type = "gelf"
listen = "127.0.0.1:0"
"""
TLS = """
[[input]]
id = "tls"
type = "gelf"
listen = "127.0.0.1:0"
tls_cert = "{folder}/../gelf-certificate/cert.pem"
tls_key = "{folder}/../gelf-certificate/key.pem"
"""
# Does not compress to less than several datagrams.
LONG = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(300))


def log(name, handler, make):
    """Logs through a handler; what `make` says that was sent, as dictionaries."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    made = []

    class Remember(logging.Handler):
        def emit(self, record):
            made.append(make(record))

    logger.addHandler(Remember())
    extra = {"req_id": 7, "user": "ü", "ratio": 0.25}
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(level, "%s says %d: é \"quoted\"", name, level, extra=extra)
    logger.error("two\nlines of %s", name)
    try:
        raise ValueError("no such thing")
    except ValueError:
        logger.exception("failed: %s", name)
    logger.info(LONG)
    handler.close()
    return made


def expected(sent):
    """A message as it is stored: `short_message` is `message`, extra fields are without their underscore."""
    record = {}
    for key, value in sent.items():
        if key.startswith("_") and key[1:] not in sent:
            key = key[1:]
        record["message" if key == "short_message" else key] = value
    return record


def compare(node, name, sent):
    """Every message of `sent` is a row, with all its fields and its time to the digit."""
    rows = node.found(f'facility:="{name}" OR app:="{name}"', len(sent))
    wanted = sorted(sent, key=lambda one: one["timestamp"])
    for row, one in zip(rows, wanted):
        line = json.loads(row["_line"])
        record = expected(one)
        del record["timestamp"]
        line.pop("timestamp", None)
        assert line == record, (line, record)
        at = int(Decimal(repr(one["timestamp"])) * 10**9)
        assert nanoseconds(row["_time"]) == at, (row["_time"], one["timestamp"])


def graypy_check(name, make):
    @check(f"graypy: {name}")
    def sends(node):
        handler = make(node)
        handler.facility = f"graypy {name}"
        compare(node, handler.facility, log(handler.facility, handler, handler._make_gelf_dict))


def pygelf_check(name, make):
    @check(f"pygelf: {name}")
    def sends(node):
        app = f"pygelf {name}"
        options = {"include_extra_fields": True, "debug": True, "_app": app}
        handler = make(node, options)
        # The same record is made the same again; uncompressed, to be read here.
        reader = pygelf.GelfUdpHandler("127.0.0.1", 9, compress=False, **options)
        read = lambda record: json.loads(reader.convert_record_to_gelf(record))
        compare(node, app, log(app, handler, read))


def secured(node):
    """The address of the input that speaks TLS."""
    if "tls" not in node.addresses:
        raise Skip("there is no openssl to make a certificate with")
    return "localhost", node.port("tls")


def ca(node):
    return str(node.folder.parent / "gelf-certificate/cert.pem")


HOST = "127.0.0.1"
graypy_check("UDP, compressed, in chunks", lambda node: graypy.GELFUDPHandler(HOST, node.port("gelf")))
graypy_check("UDP, plain", lambda node: graypy.GELFUDPHandler(HOST, node.port("gelf"), compress=False))
graypy_check("TCP", lambda node: graypy.GELFTCPHandler(HOST, node.port("gelf")))
graypy_check(
    "TLS", lambda node: graypy.GELFTLSHandler(*secured(node), validate=True, ca_certs=ca(node))
)
graypy_check("HTTP, compressed", lambda node: graypy.GELFHTTPHandler(HOST, node.port("gelf")))
graypy_check("HTTP, plain", lambda node: graypy.GELFHTTPHandler(HOST, node.port("gelf"), compress=False))

pygelf_check("UDP, compressed, in chunks", lambda node, options: pygelf.GelfUdpHandler(HOST, node.port("gelf"), **options))
pygelf_check(
    "UDP, plain", lambda node, options: pygelf.GelfUdpHandler(HOST, node.port("gelf"), compress=False, **options)
)
pygelf_check("TCP", lambda node, options: pygelf.GelfTcpHandler(HOST, node.port("gelf"), **options))
pygelf_check(
    "TLS",
    lambda node, options: pygelf.GelfTlsHandler(
        validate=True, ca_certs=ca(node), **dict(zip(("host", "port"), secured(node))), **options
    ),
)
pygelf_check("HTTP, compressed", lambda node, options: pygelf.GelfHttpHandler(HOST, node.port("gelf"), **options))
pygelf_check(
    "HTTP, plain", lambda node, options: pygelf.GelfHttpHandler(HOST, node.port("gelf"), compress=False, **options)
)
pygelf_check(
    "HTTPS",
    lambda node, options: pygelf.GelfHttpsHandler(*secured(node), validate=True, ca_certs=ca(node), **options),
)

if __name__ == "__main__":
    binary, folder = sys.argv[1:]
    config = CONFIG
    if shutil.which("openssl"):
        certificate(f"{folder}/gelf-certificate")
        config += TLS
    node = Node(binary, f"{folder}/gelf", config)
    try:
        run(node)
    finally:
        node.kill()
