"""Real servers that an agent dispatches to: OpenSearch, MongoDB's protocol, HDFS and SeaweedFS's S3, each stopped in the middle and
started again: dispatch.py BINARY FOLDER; OPENSEARCH, MONGO and HDFS name the folders of their jars and launchers, WEED the program
weed. One after the other, so that there is never more than one JVM."""

import contextlib
import gzip
import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as xml
from pathlib import Path

import msgpack

from checks import Skip, check, run
from node import PATIENCE

LINES = 4000
# How rows go to files and objects of many.
CHUNKS = """  <format>
    @type json
  </format>
  <buffer tag,time>
    timekey 1d
    timekey_use_utc true
    flush_mode interval
    flush_interval 1s
    chunk_limit_size 16k
  </buffer>
"""


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
        try:
            until(lambda: self.process.poll() is not None or self.ready(self), f"{self.folder.name} is ready")
        except AssertionError:
            self.kill()
            raise
        assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Ends it as a system does that goes down."""
        self.process.terminate()
        self.process.wait(PATIENCE)


class Jars(Server):
    """A server that runs in a JVM, by a launcher beside its jars."""

    def __init__(self, name, folder, ready, *flags, classes=()):
        self.jars, self.port = os.environ.get(name.upper(), ""), free_port()
        if not self.jars or not shutil.which("java"):
            raise Skip(f"there are no jars of {name}, or no java")
        self.flags = ["-XX:+UseSerialGC", *flags, "-cp", ":".join([f"{self.jars}/lib/*", *classes])]
        super().__init__(name, folder, ready)

    def command(self):
        return ["java", *self.flags, f"{self.jars}/Start.java", self.folder, str(self.port)]


class OpenSearch(Jars):
    def __init__(self, folder):
        super().__init__("opensearch", folder, lambda own: own.ask("GET", "/_cluster/health").get("status") in ("green", "yellow"), "-Xmx384m")

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


class Mongo(Jars):
    """A server of MongoDB's protocol over a file. Asked by the oldest form of a question that such servers answer."""

    def __init__(self, folder):
        super().__init__("mongo", folder, lambda own: own.command_of("admin", "ping")["ok"], "-Xmx128m")

    def command_of(self, database, name, value=1, **more):
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as server:
            body = bson({name: value, **more, "$db": database})
            server.sendall(struct.pack("<iiiiIB", 21 + len(body), 1, 0, 2013, 0, 0) + body)
            answer = server.makefile("rb")
            (length,) = struct.unpack("<i", answer.read(4))
            return unbson(answer.read(length - 4)[17:])[0]

    def count(self, collection):
        return self.command_of("logs", "count", collection)["n"]

    def documents(self, collection, most):
        return self.command_of("logs", "find", collection, batchSize=most, limit=most)["cursor"]["firstBatch"]


def bson(document):
    """A map of whole numbers, texts and lists of maps as BSON."""
    out = b""
    for key, value in document.items():
        if isinstance(value, int):
            out += b"\x10" + key.encode() + b"\0" + struct.pack("<i", value)
        elif isinstance(value, str):
            out += b"\x02" + key.encode() + b"\0" + struct.pack("<i", len(value.encode()) + 1) + value.encode() + b"\0"
        elif isinstance(value, list):
            out += b"\x04" + key.encode() + b"\0" + bson({str(at): item for at, item in enumerate(value)})
        else:
            out += b"\x03" + key.encode() + b"\0" + bson(value)
    return struct.pack("<i", len(out) + 5) + out + b"\0"


def unbson(data):
    """A document of BSON and what stands behind it; texts of a type are values of that type's Python."""
    (length,) = struct.unpack_from("<i", data)
    inside, rest, document = data[4:length - 1], data[length:], {}
    while inside:
        kind, inside = inside[0], inside[1:]
        key, inside = inside.split(b"\0", 1)
        if kind in (3, 4):
            value, inside = unbson(inside)
            value = list(value.values()) if kind == 4 else value
        elif kind == 2:
            (size,) = struct.unpack_from("<i", inside)
            value, inside = inside[4:3 + size].decode(), inside[4 + size:]
        elif kind == 5:
            (size,) = struct.unpack_from("<i", inside)
            value, inside = inside[5:5 + size], inside[5 + size:]
        else:
            size, form = {1: (8, "<d"), 8: (1, "?"), 9: (8, "<q"), 10: (0, ""), 16: (4, "<i"), 18: (8, "<q"), 7: (12, "12s")}[kind]
            value, inside = (struct.unpack(form, inside[:size]) or (None,))[0], inside[size:]
            value = ("date", value) if kind == 9 else value
        document[key.decode()] = value
    return document, rest


class Hdfs(Jars):
    """A name node and a data node, asked over WebHDFS."""

    def __init__(self, folder):
        # Where it looks for pages that its jars do not have.
        pages = folder / "hdfs-pages"
        for name in ("hdfs", "datanode"):
            (pages / "webapps" / name).mkdir(parents=True, exist_ok=True)
        # Its libraries make classes as Java before 16 let everybody do.
        super().__init__("hdfs", folder, lambda own: own.takes(), "-Xmx256m", "--add-opens", "java.base/java.lang=ALL-UNNAMED", classes=[str(pages)])

    def ask(self, method, path, what, body=None):
        address = f"http://127.0.0.1:{self.port}/webhdfs/v1{urllib.parse.quote(path)}?op={what}&user.name=me"
        with urllib.request.urlopen(urllib.request.Request(address, body, method=method), timeout=PATIENCE) as answer:
            return answer.read()

    def takes(self):
        """Whether its data node is there, so that it has left its safe mode: directories can be made."""
        return json.loads(self.ask("PUT", "/ready", "MKDIRS"))["boolean"]

    def files(self, path="/logs"):
        listed = json.loads(self.ask("GET", path, "LISTSTATUS"))["FileStatuses"]["FileStatus"]
        for file in listed:
            name = f"{path}/{file['pathSuffix']}"
            if file["type"] == "DIRECTORY":
                yield from self.files(name)
            elif file["length"]:
                yield name

    def texts(self):
        return {name: self.ask("GET", name, "OPEN").decode() for name in self.files()}


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
        self.configure(output)
        self.start()

    def configure(self, output):
        """With another output it goes on after its next start."""
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

    def start(self):
        command = [self.binary, "run", "-c", self.folder / "fluent.conf", "--data", self.folder / "data"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def write(self, count, poison=None, spoilt=None):
        with open(self.log, "a") as log:
            for _ in range(count):
                record = {"n": self.written, "text": f"größe \"{self.written}\""}
                if self.written == poison:
                    record.update(spoilt)
                log.write(json.dumps(record, ensure_ascii=False) + "\n")
                self.written += 1
                if self.written % 500 == 0:
                    log.flush()
                    time.sleep(0.05)

    def dead(self, *words):
        command = [self.binary, "dead", *words, "--data", self.folder / "data"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def troubles(agent, begin, stop, spoilt, arrived, pause=0):
    """All lines, with one that is spoilt, while the server is stopped and begun again, and the agent killed."""
    agent.write(LINES // 4, poison=77, spoilt=spoilt)
    until(arrived, "the first rows")
    stop()
    agent.write(LINES // 4)
    time.sleep(pause)
    begin()
    agent.write(LINES // 4)
    agent.kill()
    agent.write(LINES // 4)
    agent.start()


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
    with contextlib.ExitStack() as ends:
        ends.callback(server.kill)
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
        ends.callback(agent.kill)
        troubles(agent, server.start, server.kill, {"n": "no number"}, lambda: server.count("app-*"))
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


@check("MongoDB's protocol, stopped in the middle, has each row once; a poisoned one is a dead letter, and there after its replay")
def mongo(folder, binary):
    server = Mongo(folder)

    def output(index):
        return f"""
  @type mongo
  host 127.0.0.1
  port {server.port}
  database logs
  collection {index}
  tag_mapped
  remove_tag_prefix app.
  include_tag_key true
"""

    with contextlib.ExitStack() as ends:
        ends.callback(server.kill)
        agent = Agent(binary, folder, "mongo", output("web"))
        ends.callback(agent.kill)
        # An index of the server's own users: no two documents may have one `u`.
        index = {"key": {"u": 1}, "name": "u_1", "unique": 1, "sparse": 1}
        server.command_of("logs", "createIndexes", "web", indexes=[index])
        server.command_of("logs", "insert", "web", documents=[{"_id": "theirs", "u": "taken"}])
        troubles(agent, server.start, server.end, {"u": "taken"}, lambda: server.count("web") > 1)
        server.end()
        server.start()
        until(lambda: server.count("web") >= LINES, "all rows")
        documents = [document for document in server.documents("web", 2 * LINES) if document["_id"] != "theirs"]
        numbers = sorted(document["n"] for document in documents)
        assert numbers == [n for n in range(LINES) if n != 77], (len(numbers), len(set(numbers)))
        one = documents[0]
        assert one["tag"] == "app.web" and one["time"][0] == "date" and one["text"] == f'größe "{one["n"]}"', one
        assert len(one["_id"]) == 16, one
        letters = agent.dead("list")
        assert "11000" in letters and "taken" in agent.dead("show"), letters
        # What it was refused for is mended.
        server.command_of("logs", "delete", "web", deletes=[{"q": {"_id": "theirs"}, "limit": 1}])
        agent.dead("replay", "--all")
        until(lambda: server.count("web") == LINES, "the letter")
        assert 77 in [document["n"] for document in server.documents("web", 2 * LINES)]


@check("HDFS over WebHDFS, killed in the middle, has each row in one place; one that can have no file is a dead letter, and there after its replay")
def hdfs(folder, binary):
    server = Hdfs(folder)

    def output(path):
        return f"""
  @type webhdfs
  host 127.0.0.1
  port {server.port}
  path {path}
  username me
{CHUNKS}"""

    def numbers():
        try:
            return [json.loads(line)["n"] for text in server.texts().values() for line in text.splitlines()]
        except urllib.error.HTTPError:
            return []

    def has(wanted, what):
        # Between two looks what was begun and cut off may be in a file; what counts is how it ends.
        until(lambda: len(numbers()) >= wanted, what)

    with contextlib.ExitStack() as ends:
        ends.callback(server.kill)
        agent = Agent(binary, folder, "hdfs", output("/logs/${tag[1]}${missing}/%Y%m%d.log"))
        ends.callback(agent.kill)
        troubles(agent, server.start, server.kill, {"missing": "x" * 99 + "/../y:" + "z" * 99}, numbers, pause=2)
        has(LINES, "all rows")
        found = numbers()
        assert sorted(found) == list(range(LINES)), (len(found), len(set(found)))
        names = sorted(server.texts())
        assert len(names) == 2 and all(name.startswith("/logs/web") and name.count("/") == 3 for name in names), names
        # A row whose file can have no name.
        agent.end()
        agent.configure(output("/logs/${deep}/rows.log"))
        agent.start()
        agent.write(10, poison=LINES + 5, spoilt={"deep": "at hand"})
        until(lambda: agent.dead("list").count("can be no path") > 0, "letters")
        has(LINES + 1, "the row that has a file")
        agent.end()
        agent.configure(output("/logs/late/rows.log"))
        agent.dead("replay", "--all")
        agent.start()
        has(LINES + 10, "the letters")
        found = numbers()
        assert sorted(found) == list(range(LINES + 10)), (len(found), len(set(found)))


@check("SeaweedFS's S3, killed in the middle, has each row in exactly one object; one whose object can have no name is a dead letter, and there after its replay")
def s3(folder, binary):
    server = Weed(folder)

    def output(path):
        return f"""
  @type s3
  s3_bucket archive
  s3_endpoint http://127.0.0.1:{server.ports['s3']}
  force_path_style true
  aws_key_id KEY
  aws_sec_key SECRET
  path {path}
{CHUNKS}"""

    def rows():
        names = server.objects("archive")
        texts = [gzip.decompress(server.get(f"/archive/{urllib.parse.quote(name)}")).decode() for name in names]
        return names, [json.loads(line)["n"] for text in texts for line in text.splitlines()]

    with contextlib.ExitStack() as ends:
        ends.callback(server.kill)
        # Only a row that says much has a name that is too long.
        agent = Agent(binary, folder, "s3", output("logs/${tag}/" + "${much}" * 11))
        ends.callback(agent.kill)
        troubles(agent, server.start, server.kill, {"much": "x" * 200}, lambda: rows()[1], pause=2)
        until(lambda: len(rows()[1]) >= LINES - 1, "all rows")
        names, numbers = rows()
        assert sorted(numbers) == [n for n in range(LINES) if n != 77], (len(numbers), len(set(numbers)))
        assert all(name.startswith("logs/app.web/20") and name.endswith(".gz") for name in names), names
        letters = agent.dead("list")
        assert "can be no name of an object" in letters, letters
        agent.end()
        agent.configure(output("logs/${tag}/"))
        agent.dead("replay", "--all")
        agent.start()
        until(lambda: len(rows()[1]) >= LINES, "the letter")
        assert sorted(rows()[1]) == list(range(LINES))


if __name__ == "__main__":
    run(Path(sys.argv[2]) / "dispatch", sys.argv[1])
