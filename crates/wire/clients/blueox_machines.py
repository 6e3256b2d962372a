"""BlueOx's programs as people call them, by the command lines of its readme: blueox_machines.py BINARY FOLDER

Two machines that are network namespaces of this one, so that ports are the usual ones and the centre is called `master`; and a
bucket of SeaweedFS (PyPI) for `oxstore`. Where there is a Python 2.7, the original client and oxd take part.
"""

import bz2
import io
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import msgpack
from blueox_peer import PATIENCE, Oxd, Programs, event, free_ports, place, play, python_2, running, wait_for
from checks import Skip, check, run


class Machine:
    """A network of its own with its own /etc/hosts, for as long as this runs."""

    def __init__(self, name, folder, path):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        hosts = os.path.join(self.folder, "hosts")
        with open(hosts, "w") as file:
            file.write("127.0.0.1 localhost\n10.213.7.1 master\n10.213.7.2 local\n")
        up = f"ip link set lo up && mount --bind '{hosts}' /etc/hosts && echo up && exec sleep infinity"
        holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", up], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        running.append(holder)
        told = holder.stdout.readline().decode().strip()
        if told != "up":
            raise Skip(f"no network of its own can be made here ({told})")
        self.pid = str(holder.pid)
        self.environment = dict(os.environ, PATH=f"{path}:{os.environ['PATH']}")

    def command(self, line):
        return ["nsenter", "--target", self.pid, "--net", "--mount", "sh", "-c", f"cd '{self.folder}' && {line}"]

    def run(self, line, code=0, **more):
        """What a line of the shell prints."""
        done = subprocess.run(
            self.command(line), env={**self.environment, **more}, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PATIENCE,
        )
        assert done.returncode == code, (line, done)
        return done.stdout.decode()

    def start(self, line):
        process = subprocess.Popen(
            self.command("exec " + line), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        running.append(process)
        return process


def two_machines(folder, path):
    try:
        master, local = Machine("master", folder, path), Machine("local", folder, path)
        ends = ["type", "veth", "peer", "name", "ox0", "netns", local.pid]
        made = subprocess.run(["ip", "link", "add", "ox0", "netns", master.pid, *ends], capture_output=True)
    except FileNotFoundError as missing:
        raise Skip(f"there is no `{missing.filename}`") from missing
    if made.returncode:
        raise Skip(f"machines cannot be connected here ({made.stderr.decode().strip()})")
    for machine, address in (master, "10.213.7.1"), (local, "10.213.7.2"):
        machine.run(f"ip addr add {address}/24 dev ox0 && ip link set ox0 up")
    return master, local


# The program of the readme: a request with its queries, its user and a line of its log.
README = """
import logging, sys
blueox = __import__(sys.argv[1], fromlist=["Context"])
blueox.default_configure()
handler = blueox.LogHandler()
handler.setLevel(logging.INFO)
logging.getLogger("").addHandler(handler)

def execute(query):
    with blueox.Context(".db"):
        blueox.set("query", query)
        with blueox.timeit("query_time"):
            rows = [1, 2, 3]
        blueox.set("row_count", len(rows))
    with blueox.Context("^.cache", sample=("..", 1.0)):
        blueox.set("key", "k")

for number in range(5):
    with blueox.Context("request"):
        blueox.set("user_agent", u"s\\xe9lenium")
        blueox.set("number", number)
        with blueox.timeit("request_time"):
            execute("SELECT 1")
            logging.error("it failed")
        blueox.set("response.status", 200)
        blueox.set("response.size", 512)
blueox.shutdown()
"""


def verbatim(folder, path, ox):
    """The command lines of BlueOx's readme, and those that it only promised; `ox` makes of a program's name how it is called."""
    master, local = two_machines(folder, path)
    logs = os.path.join(master.folder, "log")
    oxd, oxview, oxctl, oxingest = map(ox, ["oxd", "oxview", "oxctl", "oxingest"])
    centre = master.start(f'{oxd} --collect="*:3514" --log-path={logs}')
    node = local.start(f"{oxd} --forward=master:3514")
    for process in centre, node:
        assert b" ready " in process.stdout.readline()
    seen = local.start(f'{oxview} -H localhost:3513 --type-name="request*"')
    seen_by_env = local.start(f"env BLUEOX_CLIENT_HOST=localhost {oxview} -H localhost --type-name=notices")
    for process in seen, seen_by_env:
        os.set_blocking(process.stdout.fileno(), False)
    local.run(f'echo "I\'m all done" | {oxingest} notices')
    shown = {seen: b"", seen_by_env: b""}

    def streamed():
        local.run(f"echo one | {oxingest} request.probe; echo two | {oxingest} notices; echo three | {oxingest} other")
        for process in shown:
            shown[process] += process.stdout.read() or b""
        return all(b"\n" in text for text in shown.values())

    wait_for("both views", streamed)
    for process, kind in (seen, "request.probe"), (seen_by_env, "notices"):
        process.terminate()
        assert {json.loads(line)["type"] for line in shown[process].splitlines() if line.endswith(b"}")} == {kind}
    status = local.run(f"{oxctl} status")
    assert status.startswith("Host: 127.0.0.1:3513\nLast: ") and "  notices  Last " in status, status
    day = time.strftime("%Y%m%d", time.gmtime())

    def written():
        folders = os.listdir(logs) if os.path.exists(logs) else []
        files = {one: f"{logs}/{one}/notices-{one}.log" for one in folders}
        return [one for one, file in files.items() if os.path.exists(file) and os.path.getsize(file)]

    # It may be midnight.
    day = wait_for("a file of the centre", written)[0]
    lines = master.run(f"cat {logs}/{day}/notices-{day}.log | {oxview}").splitlines()
    assert json.loads(lines[0])["body"] == {"data": "I'm all done"}, lines
    stored = master.run(f'{oxview} --log-path={logs} --type-name="notices" --start-date={day} --end-date={day}')
    assert stored.splitlines()[0] == lines[0], stored
    pretty = master.run(f"cat {logs}/{day}/notices-{day}.log | {oxview} -p")
    assert pretty.startswith("\n=== notices (") and '    "body": {' in pretty, pretty
    follow(local, oxingest, lambda: master.run(f"{oxview} --log-path={logs} --type-name=oxingest.sys"))
    assert json.loads(local.run(f"{oxctl} shutdown")) == {"ok": True}
    assert node.wait(PATIENCE) == 0
    assert "Error connecting" in local.run(f"{oxctl} status 2>&1", code=1)
    assert json.loads(master.run(f"{oxctl} shutdown")) == {"ok": True}
    assert centre.wait(PATIENCE) == 0


def follow(local, oxingest, found):
    """Types are taken from the names of followed files."""
    open(os.path.join(local.folder, "sys.log"), "w").close()
    following = local.start(f"{oxingest} -F sys.log")

    def followed():
        local.run("echo more >> sys.log")
        return '"data": "more"' in found()

    wait_for("a followed file", followed)
    following.terminate()


@check("BlueOx's command lines, verbatim, on two machines: oxd, oxview, oxctl, oxingest")
def by_name(sawlog, agent, folder):
    verbatim(os.path.join(folder, "by-name"), Programs(folder, agent).bin, lambda name: name)


@check("the same as `sawlog ox …`, whose centre is a node with a store")
def by_command(sawlog, agent, folder):
    short = {"oxview": "sawlog ox view", "oxctl": "sawlog ox ctl"}
    path = os.path.dirname(sawlog)
    verbatim(os.path.join(folder, "by-command"), path, lambda name: short.get(name, f"sawlog ox {name}"))


def found_events(sawlog, data, *arguments):
    told = subprocess.run(
        [sawlog, "events", "--json", "--data", data, *arguments], capture_output=True, check=True, timeout=PATIENCE
    )
    return [json.loads(line) for line in told.stdout.splitlines()]


@check("the readme's program on blueox 0.11.3, through a real oxd, is trees of `sawlog events`, each value with its type")
def through_an_original(sawlog, agent, folder):
    folder = os.path.join(folder, "through")
    python2, packages = python_2(os.path.dirname(folder))
    centre = Oxd(Programs(folder, sawlog), os.path.join(folder, "centre"), "--http=127.0.0.1:0", log=False)
    theirs = Programs(folder, python2=python2, packages=packages)
    relay = Oxd(theirs, os.path.join(folder, "oxd"), f"--forward=127.0.0.1:{centre.collect}", log=False, data=False)
    environment = dict(os.environ, PYTHONPATH=packages, BLUEOX_HOST=f"127.0.0.1:{relay.collect}")
    began = time.time()
    subprocess.run([python2, "-c", README, "blueox"], env=environment, check=True, timeout=PATIENCE)
    data = os.path.join(centre.folder, "data")
    wait_for("trees", lambda: sum(len(tree["events"]) for tree in found_events(sawlog, data, "request")) == 20)
    trees = found_events(sawlog, data, "request*")
    assert [tree["events"][0]["body"]["number"] for tree in trees] == [4, 3, 2, 1, 0], trees
    for tree in trees:
        shape = sorted((one["depth"], one["type"]) for one in tree["events"])
        assert shape == [(0, "request"), (1, "request.cache"), (1, "request.db"), (1, "request.log")], shape
        bodies = {one["type"]: one["body"] for one in tree["events"]}
        took = bodies["request"].pop("request_time"), bodies["request.db"].pop("query_time")
        assert all(isinstance(seconds, float) and 0 <= seconds < PATIENCE for seconds in took), took
        assert bodies["request"].pop("number") in range(5)
        assert bodies == {
            "request": {"user_agent": "s\u00e9lenium", "response": {"status": 200, "size": 512}},
            "request.db": {"query": "SELECT 1", "row_count": 3},
            "request.cache": {"key": "k"},
            "request.log": {"name": "root", "level": "ERROR", "msg": "it failed"},
        }, bodies
        assert len(tree["id"]) == 32 and began - 1 < tree["start"] < time.time() and tree["events"][0]["pid"] > 1
    # The relay told nobody what it had sent, and the node counts what came so.
    status = subprocess.run([sawlog, "status", "--json", "--data", data], capture_output=True, check=True)
    inputs = [part for part in json.loads(status.stdout)["parts"] if part["role"] == "input"]
    assert sum(part.get("best_effort", 0) for part in inputs) == 20, inputs
    relay.process.terminate()
    centre.end()


@check("the readme's program on `import sawlog.blueox as blueox`, by a forward input, is the same trees")
def by_the_successor(sawlog, agent, folder):
    folder = os.path.join(folder, "successor")
    os.makedirs(folder)
    data = os.path.join(folder, "data")
    node = subprocess.Popen(
        [sawlog, "run", "--http", "127.0.0.1:0", "--forward", "127.0.0.1:0", "--data", data], stdout=subprocess.PIPE
    )
    running.append(node)
    forward = node.stdout.readline().decode().split("forward=")[1].split()[0]
    library = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../clients/python/src")
    environment = dict(os.environ, PYTHONPATH=library, BLUEOX_HOST=forward)
    subprocess.run([sys.executable, "-c", README, "sawlog.blueox"], env=environment, check=True, timeout=PATIENCE)
    wait_for("trees", lambda: sum(len(tree["events"]) for tree in found_events(sawlog, data, "request")) == 20)
    shapes = {tuple(sorted(one["type"] for one in tree["events"])) for tree in found_events(sawlog, data, "request")}
    assert shapes == {("request", "request.cache", "request.db", "request.log")}, shapes
    node.terminate()
    assert node.wait(PATIENCE) == 0


def seaweed(folder):
    """A bucket `events` of SeaweedFS; the environment by which it is reached."""
    weed = os.environ.get("WEED", "")
    if not weed:
        raise Skip("there is no weed")
    data = os.path.join(folder, "weed")
    os.makedirs(data)
    parts = ["s3", "master", "volume", "filer", "admin"]
    free = free_ports(2 * len(parts))
    s3 = free[0]
    ports = [f"-{part}.port={port}" for part, port in zip(parts, free)]
    ports += [f"-{part}.port.grpc={port}" for part, port in zip(parts, free[len(parts):])]
    environment = dict(
        os.environ, AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret", AWS_ENDPOINT_URL=f"http://127.0.0.1:{s3}",
        BLUEOX_BUCKET="events",
    )
    ports += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false"]
    command = [weed, "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    process = subprocess.Popen(
        [*command, "-bucket=events", *ports],
        env=environment, stdout=open(data + "/out", "w"), stderr=subprocess.STDOUT,
    )
    running.append(process)

    def answers():
        assert process.poll() is None, f"SeaweedFS ended, see {data}/out"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{s3}/events", timeout=10)
        except urllib.error.HTTPError as error:
            # It wants a signature, and has the bucket.
            return error.code == 403
        except OSError:
            return False

    wait_for("SeaweedFS", answers)
    return process, environment


def write(logs, day, name, data):
    os.makedirs(f"{logs}/{day}", exist_ok=True)
    with open(f"{logs}/{day}/{name}", "wb") as file:
        file.write(data)


@check("oxstore keeps files in a bucket of S3: archive, upload, download, cat")
def bucket(sawlog, agent, folder):
    folder = os.path.join(folder, "bucket")
    os.makedirs(folder)
    process, environment = seaweed(folder)
    oxstore = Programs(folder, agent)
    oxstore.environment = environment
    logs = os.path.join(folder, "logs")
    now = time.time()
    days = {ago: time.strftime("%Y%m%d", time.gmtime(now - ago * 86_400)) for ago in (0, 2, 3, 9)}
    events = {day: b"".join(event("request", number)[1] for number in range(ago * 50)) for ago, day in days.items()}
    for day, data in events.items():
        write(logs, day, f"request-{day}.log", data)
    write(logs, days[3], f"request.sql-{days[3]}.log", event("request.sql", 1)[1])
    # Longer than what is downloaded at once, and of an hour.
    long = os.urandom(20 << 20)
    write(logs, days[2], f"lines-{days[2]}13.log", long)
    oxstore.run("oxstore", "-v", "archive", "-p", logs, "--retain-days", "7")
    left = sorted(name for _, _, names in os.walk(logs) for name in names)
    assert left == sorted(
        [f"request-{days[0]}.log", f"request-{days[2]}.log.bz2", f"request-{days[3]}.log.bz2",
         f"request.sql-{days[3]}.log.bz2", f"lines-{days[2]}13.log.bz2"]
    ), left
    host = os.uname().nodename
    span = ["-s", days[9], "-e", days[0]]
    # Of the bucket, also what is no longer here; today's is being written to, and was left.
    cat = oxstore.run("oxstore", "cat", "-b", "events", *span, "request")
    assert cat == events[days[9]] + events[days[3]] + events[days[2]], len(cat)
    here = oxstore.run("oxstore", "cat", "--local", "-p", logs, *span, "request")
    assert here == events[days[3]] + events[days[2]] + events[days[0]], len(here)
    assert oxstore.run("oxstore", "cat", "-s", f"{days[2]} 13:00", "-e", f"{days[2]} 13:30", "lines") == long
    assert oxstore.run("oxstore", "cat", "-s", f"{days[2]} 14:00", "-e", f"{days[2]} 15:00", "lines") == b""
    into = os.path.join(folder, "downloaded")
    os.makedirs(into)
    name = f"request-{days[3]}-{host}.log.bz2"
    for _ in range(2):
        oxstore.run("oxstore", "download", "-s", days[3], "request", cwd=into)
        assert os.listdir(into) == [name], os.listdir(into)
        with open(os.path.join(into, name), "rb") as file:
            assert bz2.decompress(file.read()) == events[days[3]]
    # What has grown since goes again, what has not does not.
    with open(f"{logs}/{days[2]}/request-{days[2]}.log.bz2", "ab") as file:
        file.write(bz2.compress(event("request", -1)[1]))
    oxstore.run("oxstore", "upload", "-p", logs, "--zipped-only")
    cat = oxstore.run("oxstore", "cat", "-s", days[2], "request")
    assert [one[b"body"][b"n"] for one in msgpack.Unpacker(io.BytesIO(cat), raw=True)][-1] == -1
    environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
    refused = subprocess.run(
        [*oxstore.prefix["oxstore"], "upload", "-p", logs], env=environment, capture_output=True, timeout=PATIENCE
    )
    assert refused.returncode == 1 and b"403" in refused.stderr, refused
    process.kill()


def main():
    sawlog, agent, folder = place("blueox-machines")
    play(lambda: run(sawlog, agent, folder))


main()
