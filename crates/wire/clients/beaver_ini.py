"""Beaver's configurations, run by the agent under the name `beaver`, with the receivers that its users have: a real Redis, and
Logstash's inputs of a real node: beaver_ini.py BINARY FOLDER"""

import http.server as http_server
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from checks import Skip, check, run
from node import PATIENCE, Node

CONFIG = """
[[input]]
id = "logstash"
type = "logstash"
listen = "127.0.0.1:0"

[[input]]
id = "gelf"
type = "gelf"
listen = "127.0.0.1:0"
"""
LINES = [f"line {number} größe \"x\"" for number in range(200)]
GLOBAL = """
[beaver]
confd_path: {folder}/no-conf.d
logstash_version: {version}
hostname: web01
format: {format}
{more}

[{folder}/logs/*.log]
type: mytype
tags: tag1,tag2
add_field: env,prod
start_position: beginning
"""


class Beaver:
    """The agent as `beaver`, over a folder of its own; killed by its id at the end."""

    def __init__(self, node, name, format_, version, more):
        folder = node.folder.parent / "beaver" / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "logs").mkdir(parents=True)
        self.log = folder / "logs/a.log"
        self.log.write_text("".join(line + "\n" for line in LINES))
        ini = GLOBAL.format(folder=folder, version=version, format=format_, more=more)
        (folder / "beaver.ini").write_text(ini)
        link = folder / "beaver"
        link.symlink_to(Path(node.binary).with_name("sawlog-agent"))
        self.process = subprocess.Popen([link, "-c", folder / "beaver.ini"], cwd=folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def envelope(event, path, message):
    """A version 1 event is Beaver's own, but for its time."""
    event = dict(event)
    at = event.pop("@timestamp")
    assert len(at) == 24 and at.endswith("Z"), at
    wanted = {"@version": 1, "host": "web01", "file": str(path), "message": message, "type": "mytype",
              "tags": ["tag1", "tag2"], "env": ["prod"]}
    assert event == wanted, (event, wanted)


class Redis:
    """A redis-server on a port that was free a moment ago."""

    def __init__(self, folder):
        program = shutil.which("redis-server")
        if not program:
            raise Skip("there is no redis-server")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
                   "--appendonly", "no", "--requirepass", "secret", "--loglevel", "warning"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
                break
            except OSError:
                assert time.monotonic() < until and self.process.poll() is None, "redis-server does not start"
                time.sleep(0.1)
        self.file = self.socket.makefile("rb")
        assert self.ask("AUTH", "secret") == b"OK"

    def ask(self, *words):
        words = [word.encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self.answer()

    def answer(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        assert kind != b"-", line
        return int(rest) if kind == b":" else rest

    def end(self):
        self.process.kill()
        self.process.wait()


@check("beaver's ini with the transport redis, as a list, to a real Redis")
def redis_list(node):
    redis = Redis(node.folder.parent / "redis-list")
    try:
        more = f"transport: redis\nredis_url: redis://:secret@127.0.0.1:{redis.port}/2"
        assert redis.ask("SELECT", "2") == b"OK"
        with Beaver(node, "redis-list", "json", 1, more) as beaver:
            until = time.monotonic() + PATIENCE
            while redis.ask("LLEN", "logstash:beaver") < len(LINES) and time.monotonic() < until:
                time.sleep(0.1)
            events = [json.loads(event) for event in redis.ask("LRANGE", "logstash:beaver", "0", "-1")]
            assert len(events) == len(LINES), len(events)
            for event, line in zip(events, LINES):
                envelope(event, beaver.log, line)
    finally:
        redis.end()


@check("beaver's ini with the transport redis, as a channel, to a real Redis")
def redis_channel(node):
    redis = Redis(node.folder.parent / "redis-channel")
    try:
        assert redis.ask("SUBSCRIBE", "c")[0] == b"subscribe"
        more = f"transport: redis\nredis_url: redis://:secret@127.0.0.1:{redis.port}\nredis_namespace: c\nredis_data_type: channel"
        with Beaver(node, "redis-channel", "raw", 1, more):
            got = [redis.answer()[2].decode() for _ in LINES]
        assert got == LINES, got[:3]
    finally:
        redis.end()


def to_node(name, input_, format_, version, transport):
    @check(f"beaver's ini: {name}")
    def sends(node):
        more = transport.format(port=node.port(input_))
        own = "".join(letter for letter in name if letter.isalnum())
        with Beaver(node, own, format_, version, more) as beaver:
            word = "full_message" if format_ == "gelf" else "message"
            field = "file" if format_ == "gelf" or version == 1 else "path"
            rows = node.found(f'{field}:="{beaver.log}"', len(LINES))
            records = [json.loads(row["_line"]) for row in rows]
            assert sorted(record[word] for record in records) == sorted(LINES)
            for record in records:
                assert record["host"] == "web01" and record["env"] == ["prod"] and record["tags"] == ["tag1", "tag2"], record
                assert format_ == "gelf" or record["type"] == "mytype", record


to_node("tcp, json of version 1", "logstash", "json", 1, "transport: tcp\ntcp_host: 127.0.0.1\ntcp_port: {port}")
to_node("tcp, json of version 0", "logstash", "json", 0, "transport: tcp\ntcp_host: 127.0.0.1\ntcp_port: {port}")
to_node("udp, json of version 1", "logstash", "json", 1, "transport: udp\nudp_host: 127.0.0.1\nudp_port: {port}")
to_node("tcp, gelf", "gelf", "gelf", 1, "transport: tcp\ntcp_host: 127.0.0.1\ntcp_port: {port}")


@check("beaver's ini: http, an event in each request")
def http(node):
    bodies = []

    class Receiver(http_server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http_server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        more = f"transport: http\nhttp_url: http://127.0.0.1:{server.server_port}/in"
        with Beaver(node, "http", "json", 1, more) as beaver:
            until = time.monotonic() + PATIENCE
            while len(bodies) < len(LINES) and time.monotonic() < until:
                time.sleep(0.1)
        server.shutdown()
    assert len(bodies) == len(LINES), len(bodies)
    for body, line in zip(bodies, LINES):
        envelope(json.loads(body), beaver.log, line)

if __name__ == "__main__":
    node = Node(sys.argv[1], f"{sys.argv[2]}/beaver-hub", CONFIG)
    try:
        run(node)
    finally:
        node.kill()
