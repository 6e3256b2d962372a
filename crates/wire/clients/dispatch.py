"""Real servers that an agent dispatches to: OpenSearch and SeaweedFS's S3, each killed in the middle and started again: dispatch.py
BINARY FOLDER; OPENSEARCH names the folder of OpenSearch's jars and launcher, WEED the program weed."""

import gzip
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as xml
from pathlib import Path

import msgpack

from checks import Skip, check, run
from node import PATIENCE

LINES = 4000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what):
    """What a condition gives, once it gives something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            found = condition()
        except (OSError, http.client.HTTPException):
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"in vain: {what}")


class Server:
    """A process that is killed by its id, and started again over the same folder."""

    def __init__(self, name, folder, ready):
        self.folder = folder / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.ready = ready
        self.start()

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.process.poll() is not None or self.ready(self), f"{self.folder.name} is ready")
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]

    def kill(self):
        self.process.kill()
        self.process.wait()


class OpenSearch(Server):
    def __init__(self, folder):
        jars = os.environ.get("OPENSEARCH", "")
        if not jars or not shutil.which("java"):
            raise Skip("there is no OpenSearch, or no java")
        self.jars, self.port = jars, free_port()
        super().__init__("opensearch", folder, lambda own: own.ask("GET", "/_cluster/health").get("status") in ("green", "yellow"))

    def command(self):
        return ["java", "-Xmx384m", "-XX:+UseSerialGC", "-cp", f"{self.jars}/lib/*", f"{self.jars}/Start.java", self.folder, str(self.port)]

    def ask(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or "{}")

    def count(self, index):
        self.ask("POST", f"/{index}/_refresh")
        return self.ask("GET", f"/{index}/_count")["count"]

    def documents(self, index, most):
        self.ask("POST", f"/{index}/_refresh")
        hits = self.ask("GET", f"/{index}/_search?size={most}")["hits"]["hits"]
        return [(hit["_index"], hit["_source"]) for hit in hits]


class Weed(Server):
    """SeaweedFS with its S3, whose only user is known by a key."""

    def __init__(self, folder):
        self.program = os.environ.get("WEED", "")
        if not self.program:
            raise Skip("there is no weed")
        self.ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
        # Ports of its own that it makes by adding 10,000 must be ports, too.
        while any(port > 55000 for port in self.ports.values()):
            self.ports = {name: free_port() % 40000 + 10000 for name in self.ports}
        super().__init__("weed", folder, lambda own: own.answers())

    def command(self):
        identity = {"name": "me", "credentials": [{"accessKey": "KEY", "secretKey": "SECRET"}],
                    "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        open_to_read = {"name": "anonymous", "actions": ["Read", "List"]}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity, open_to_read]}))
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        ports = self.ports
        return [self.program, "-logtostderr", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}", f"-master.port={ports['master']}",
                f"-volume.port={ports['volume']}", "-filer", f"-filer.port={ports['filer']}", "-s3", f"-s3.port={ports['s3']}",
                f"-s3.config={self.folder / 's3.json'}", "-master.volumeSizeLimitMB=64", "-volume.max=20"]

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['s3']}{path}", timeout=PATIENCE) as answer:
            return answer.read()

    def answers(self):
        try:
            self.get("/")
        except urllib.error.HTTPError as error:
            return error.code < 500
        return True

    def objects(self, bucket):
        listed = xml.fromstring(self.get(f"/{bucket}?list-type=2&max-keys=1000"))
        return sorted(key.text for key in listed.iter() if key.tag.endswith("}Key"))


class Agent:
    """An agent with an output, that follows a file."""

    def __init__(self, binary, folder, name, output):
        self.binary = Path(binary).with_name("sawlog-agent")
        self.folder = folder / f"agent-{name}"
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "logs").mkdir(parents=True)
        self.log = self.folder / "logs/app.log"
        self.log.write_text("")
        self.written = 0
        config = f"""
<source>
  @type tail
  path {self.folder}/logs/app.log
  pos_file {self.folder}/pos
  tag app.web
  read_from_head true
  <parse>
    @type json
  </parse>
</source>
<match **>
{output}
</match>
"""
        (self.folder / "fluent.conf").write_text(config)
        self.start()

    def start(self):
        command = [self.binary, "run", "-c", self.folder / "fluent.conf", "--data", self.folder / "data"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def write(self, count, poison=None):
        with open(self.log, "a") as log:
            for _ in range(count):
                record = {"n": self.written, "text": f"größe \"{self.written}\""}
                if self.written == poison:
                    record["n"] = "no number"
                log.write(json.dumps(record, ensure_ascii=False) + "\n")
                self.written += 1
                if self.written % 500 == 0:
                    log.flush()
                    time.sleep(0.05)

    def dead(self, *words):
        command = [self.binary, "dead", *words, "--data", self.folder / "data"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def stash(server, folder, binary):
    """BlueOx's oxstash, told what versions without mapping types need, brings events of a captured file."""
    end = 1700000000.25
    events = [{"type": "request", "id": f"{n:032x}", "host": "web", "pid": 7, "start": end - 0.5, "end": end, "body": {"n": n}}
              for n in range(1200)]
    captured = b"".join(msgpack.packb(event) for event in events)
    command = [binary, "ox", "oxstash", "--typeless", "--elasticsearch", f"127.0.0.1:{server.port}", "--verbose"]
    told = subprocess.run(command, input=captured, check=True, capture_output=True, timeout=PATIENCE).stderr.decode()
    assert told.count(" 0 of them refused") == 3, told
    found = server.documents("blueox-2023.11.14", 10_000)
    assert sorted(source["body"]["n"] for _, source in found) == list(range(1200)), len(found)
    source = found[0][1]
    assert source["duration"] == 0.5 and source["@timestamp"] == "2023-11-14T22:13:20.250000Z", source
    assert {key: source[key] for key in ("type", "host", "pid", "end")} == {"type": "request", "host": "web", "pid": 7, "end": end}, source


@check("OpenSearch, killed in the middle, has each row once; a poisoned one is a dead letter, and there after its replay; oxstash")
def opensearch(folder, binary):
    server = OpenSearch(folder)
    agent = None
    try:
        template = folder / "opensearch/template.json"
        template.write_text(json.dumps({"index_patterns": ["app-*"], "mappings": {"properties": {"n": {"type": "long"}}}}))
        agent = Agent(binary, folder, "opensearch", f"""
  @type elasticsearch
  host 127.0.0.1
  port {server.port}
  logstash_format true
  logstash_prefix app-${{tag[1]}}
  include_tag_key true
  template_name app
  template_file {template}
""")
        agent.write(LINES // 4, poison=77)
        until(lambda: server.count("app-*"), "the first rows")
        server.kill()
        agent.write(LINES // 4)
        server.start()
        agent.write(LINES // 4)
        agent.kill()
        agent.write(LINES // 4)
        agent.start()
        server.kill()
        server.start()
        until(lambda: server.count("app-*") >= LINES - 1, "all rows")
        documents = server.documents("app-*", 10_000)
        numbers = sorted(source["n"] for _, source in documents)
        assert numbers == [n for n in range(LINES) if n != 77], (len(numbers), len(set(numbers)))
        index, source = documents[0]
        assert index.startswith("app-web-20") and source["tag"] == "app.web" and "@timestamp" in source, (index, source)
        letters = agent.dead("list")
        assert "mapper_parsing_exception" in letters, letters
        assert "no number" in agent.dead("show"), letters
        # What it was refused for is mended: the field may be a text now.
        server.ask("DELETE", "/app-*")
        server.ask("PUT", "/_template/app", {"index_patterns": ["app-*"], "mappings": {"properties": {"n": {"type": "keyword"}}}})
        agent.dead("replay", "--all")
        replayed = until(lambda: server.count("app-*") and server.documents("app-*", 10), "the letter")
        assert [source["n"] for _, source in replayed] == ["no number"], replayed
        stash(server, folder, binary)
    finally:
        server.kill()
        if agent:
            agent.kill()


@check("SeaweedFS's S3, killed in the middle, has each row in exactly one object")
def s3(folder, binary):
    server = Weed(folder)
    agent = None
    try:
        agent = Agent(binary, folder, "s3", f"""
  @type s3
  s3_bucket archive
  s3_endpoint http://127.0.0.1:{server.ports['s3']}
  force_path_style true
  aws_key_id KEY
  aws_sec_key SECRET
  path logs/${{tag}}/
  <format>
    @type json
  </format>
  <buffer tag,time>
    timekey 1d
    timekey_use_utc true
    flush_mode interval
    flush_interval 1s
    chunk_limit_size 16k
  </buffer>
""")

        def rows():
            names = server.objects("archive")
            texts = [gzip.decompress(server.get(f"/archive/{name}")).decode() for name in names]
            return names, [json.loads(line)["n"] for text in texts for line in text.splitlines()]

        agent.write(LINES // 4)
        until(lambda: rows()[1], "the first rows")
        server.kill()
        agent.write(LINES // 4)
        time.sleep(2)
        server.start()
        agent.write(LINES // 4)
        agent.kill()
        agent.write(LINES // 4)
        agent.start()
        until(lambda: len(rows()[1]) >= LINES, "all rows")
        names, numbers = rows()
        assert sorted(numbers) == list(range(LINES)), (len(numbers), len(set(numbers)))
        assert all(name.startswith("logs/app.web/20") and name.endswith(".gz") for name in names), names
    finally:
        server.kill()
        if agent:
            agent.kill()


if __name__ == "__main__":
    run(Path(sys.argv[2]) / "dispatch", sys.argv[1])
