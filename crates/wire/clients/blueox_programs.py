"""BlueOx's programs and protocol, played against the agent by the names of those programs: blueox_programs.py BINARY FOLDER

A pyzmq peer pushes, asks and subscribes as the original clients do; where there is a Python 2.7, the original client and
programs of blueox 0.11.3 (PyPI) are peers, too.
"""

import json
import os
import subprocess
import time

import msgpack
from blueox_peer import PATIENCE, Oxd, Programs, event, free_ports, place, play, pusher, python_2, viewer, wait_for
from checks import check, run


@check("oxd takes what pyzmq pushes, streams it and writes it to files, byte for byte; what is bad disturbs nobody")
def collecting(programs, folder):
    oxd = Oxd(programs, folder + "/collecting")
    push, all_of_it = pusher(oxd.collect), viewer(oxd, b"request")

    def streamed():
        push.send_multipart(event("request.probe", 0))
        return all_of_it.poll(200)

    wait_for("the stream", streamed)
    sent = {kind: event(kind, 5) for kind in ["request", "request.sql", "a-b"]}
    evil = event("../../../evil", 1)
    for frames in [
        sent["request"],
        (b"\x02" + sent["request"][0][1:], sent["request"][1]),
        (sent["request"][1],),
        sent["request"] + (b"more",),
        (sent["request"][0], b"\xdf\xff\xff\xff\xff"),
        evil,
        sent["request.sql"],
        sent["a-b"],
    ]:
        push.send_multipart(frames)
    seen = []
    while len(seen) < 2:
        assert all_of_it.poll(PATIENCE * 1_000), seen
        kind, data = all_of_it.recv_multipart()
        if kind != b"request.probe":
            seen.append((kind.decode(), data))
    assert dict(seen) == {kind: sent[kind][1] for kind in ["request", "request.sql"]}, seen
    def written():
        files = oxd.files()
        return all(files.get(f"{kind}-20261120.log") == data for kind, (_, data) in sent.items())

    wait_for("files that hold what was sent, byte for byte", written)
    wait_for("the odd type", lambda: any("evil" in name for name in oxd.files()))
    assert not os.path.exists(folder + "/evil-20261120.log") and not os.path.exists(folder + "/../evil-20261120.log")
    status = oxd.ask({"cmd": "STATUS"})
    assert status["events"]["request"]["last"] == 1_795_217_048.071435 and "vm" in status["hosts"], status
    assert status["lag"] is not None and status["last"] > 0
    assert oxd.ask({"cmd": "SOCK_COLLECT"}) == {"port": oxd.collect}
    for odd in [{"cmd": "NO"}, {}, b"\x93\x01\x02\x03", b"\xc1"]:
        assert oxd.ask(odd) == {"error": "Unknown Command"}, odd
    oxd.end()


@check("oxview shows files and the live stream, oxctl the status")
def viewing(programs, folder):
    oxd = Oxd(programs, folder + "/viewing")
    push, one = pusher(oxd.collect), event("request.sql", 5)
    push.send_multipart(event("request", 5))
    push.send_multipart(one)
    wait_for("a file", lambda: oxd.files().get("request.sql-20261120.log") == one[1])
    file = f"{oxd.logs}/20261120/request.sql-20261120.log"
    with open(file, "rb") as data:
        lines = programs.run("oxview", data=data.read()).splitlines()
    assert [json.loads(line)["body"]["n"] for line in lines] == [5], lines
    stored = programs.run(
        "oxview", f"--log-path={oxd.logs}", "--type-name=request.sql", "--start-date=20261120", "--end-date=20261120"
    )
    assert stored.splitlines() == lines, stored
    assert b"request" in programs.run("oxctl", f"--host=127.0.0.1:{oxd.control}", "status")
    raw = json.loads(programs.run("oxctl", "--raw", "-H", f"127.0.0.1:{oxd.control}"))
    assert set(raw) == {"last", "lag", "events", "hosts"}, raw
    assert b"  request  Last " in programs.run("oxctl", "-H", f"127.0.0.1:{oxd.control}")
    live = programs.start("oxview", "-H", f"127.0.0.1:{oxd.control}", "--type-name=request*", stdout=subprocess.PIPE)
    os.set_blocking(live.stdout.fileno(), False)
    push, shown = pusher(oxd.collect), []

    def arrives():
        push.send_multipart(event("other", 1))
        push.send_multipart(event("request.live", 77))
        shown.append(live.stdout.read() or b"")
        return b"\n" in b"".join(shown)

    # What is sent is text here, which JSON of Python 2 can hold.
    wait_for("the live view", arrives)
    line = json.loads(b"".join(shown).splitlines()[0])
    assert line["type"].startswith("request") and line["host"] == "vm", line
    live.kill()
    live.wait()
    oxd.end()


@check("while the centre is away and nodes are killed nothing is lost or doubled; oxctl re-points a node to a backup")
def queueing(programs, folder):
    count = 2_000
    ports, others = free_ports(2), free_ports(2)
    local = Oxd(programs, folder + "/local", f"--forward=127.0.0.1:{ports[1]}", log=False)
    push = pusher(local.collect)
    for number in range(count):
        push.send_multipart(event("request", number))
    # Of one socket the last is durable when all before it is; what the socket still holds nobody has acknowledged.
    push.send_multipart(event("request.last", count))
    wait_for("the last is taken", lambda: "request.last" in local.ask({"cmd": "STATUS"})["events"])
    push.close()
    local.kill()
    local.start()
    centre = Oxd(programs, folder + "/centre", ports=ports)
    wait_for("some came", lambda: centre.events())
    centre.kill()
    local.kill()
    local.start()
    centre.start()
    numbers = lambda oxd: sorted(one[b"body"][b"n"] for one in oxd.events() if one[b"type"] != b"request.probe")
    wait_for("all came", lambda: len(numbers(centre)) >= count + 1)
    assert numbers(centre) == list(range(count + 1)), "lost or doubled"
    # When what was sent after them has come, all that was sent again has been acknowledged.
    push = pusher(local.collect)
    push.send_multipart(event("request.probe", 0))
    wait_for("the probe", lambda: any(one[b"type"] == b"request.probe" for one in centre.events()))
    assert numbers(centre) == list(range(count + 1)), "lost or doubled"
    centre.kill()
    backup = Oxd(programs, folder + "/backup", ports=others)
    push.send_multipart(event("request", -1))
    programs.run("oxctl", "-H", f"127.0.0.1:{local.control}", "forward", f"127.0.0.1:{backup.collect}")
    push.send_multipart(event("request", -2))
    wait_for("the backup has them", lambda: numbers(backup) == [-2, -1])
    local.kill()
    local.start()
    push.send_multipart(event("request", -3))
    wait_for("it stays there", lambda: numbers(backup) == [-3, -2, -1])
    push.close()
    assert b"true" in programs.run("oxctl", "-H", f"127.0.0.1:{backup.control}", "shutdown")
    assert backup.process.wait(PATIENCE) == 0
    local.end()


@check("oxingest makes events of its input and of files")
def ingesting(programs, folder):
    oxd = Oxd(programs, folder + "/ingesting")
    programs.run("oxingest", "-H", f"127.0.0.1:{oxd.collect}", "lines", data=b"one\ntwo \n")
    wait_for("lines", lambda: [one[b"body"] for one in oxd.events()] == [{b"data": b"one"}, {b"data": b"two"}])
    path = folder + "/followed"
    open(path, "w").close()
    process = programs.start("oxingest", "-H", f"127.0.0.1:{oxd.collect}", "-F", f"tailed:{path}")

    def followed():
        with open(path, "a") as file:
            file.write("more\n")
        return any(one[b"type"] == b"tailed" for one in oxd.events())

    wait_for("a followed file", followed)
    process.terminate()
    process.wait(PATIENCE)
    oxd.end()


CLIENT = """
import logging, sys, time, blueox
blueox.configure("127.0.0.1", int(sys.argv[1]))
log = logging.getLogger("app")
log.addHandler(blueox.LogHandler())
for index in range(3):
    with blueox.Context("request"):
        blueox.set("n", index)
        blueox.set("response.status", 200)
        with blueox.timeit("took"):
            with blueox.Context(".sql"):
                blueox.set("query", u"sel\\xe9ct")
            log.error("boom %d", index)
blueox.shutdown()
"""


LISTED = """
import sys
from blueox import store
print " ".join(sorted(one.type_name for one in store.list_log_files(sys.argv[1])))
"""


@check("blueox 0.11.3 on Python 2.7: its client, oxd, oxview, oxctl and oxingest, against ours in both directions")
def originals(ours, folder):
    python2, packages = python_2(folder)
    theirs = Programs(folder, python2=python2, packages=packages)
    oxd = Oxd(ours, folder + "/with-originals")
    client = [python2, "-c", CLIENT]
    environment = dict(os.environ, PYTHONPATH=packages)
    subprocess.run(client + [str(oxd.collect)], env=environment, check=True, timeout=PATIENCE)
    kinds = lambda oxd: sorted(one[b"type"].decode() for one in oxd.events())
    all_of_it = ["request"] * 3 + ["request.log"] * 3 + ["request.sql"] * 3
    wait_for("the client's events", lambda: kinds(oxd) == all_of_it)
    status = json.loads(theirs.run("oxctl", "--raw", "-H", f"127.0.0.1:{oxd.control}"))
    assert set(status["events"]) == set(all_of_it), status
    day = time.strftime("%Y%m%d", time.gmtime(oxd.events()[0][b"end"]))
    name = f"{oxd.logs}/{day}/request-{day}.log"
    if os.path.exists(name):
        with open(name, "rb") as file:
            data = file.read()
        shown = [theirs.run("oxview", data=data), ours.run("oxview", data=data)]
        parsed = [[json.loads(line) for line in text.splitlines()] for text in shown]
        assert parsed[0] == parsed[1] and len(parsed[0]) == 3, shown
        # The original oxstore asks S3 even for files of this machine, so that only its library can be asked.
        listed = subprocess.run(
            [python2, "-c", LISTED, oxd.logs], env=environment, check=True, capture_output=True, timeout=PATIENCE
        )
        assert listed.stdout.split() == sorted(kind.encode() for kind in set(all_of_it)), listed
    theirs.run("oxingest", "-H", f"127.0.0.1:{oxd.collect}", "lines", data=b"one\n")
    wait_for("a line", lambda: "lines" in kinds(oxd))
    live = theirs.start("oxview", "-H", f"127.0.0.1:{oxd.control}", "-n", "request", stdout=subprocess.PIPE)
    os.set_blocking(live.stdout.fileno(), False)
    shown, push = [], pusher(oxd.collect)

    def streamed():
        end = time.time()
        data = {"body": {"n": 9}, "end": end, "pid": 1, "start": end, "host": "vm", "type": "request", "id": "i"}
        push.send_multipart((event("request", 0, end)[0], msgpack.packb(data, use_bin_type=False)))
        shown.append(live.stdout.read() or b"")
        return b"".join(shown)

    wait_for("the original oxview", streamed)
    live.kill()
    # An original relays to ours, and ours to an original.
    relay = Oxd(theirs, folder + "/relay", f"--forward=127.0.0.1:{oxd.collect}", log=False, data=False)
    relayed = pusher(relay.collect)
    relayed.send_multipart(event("relayed", 1))
    wait_for("the relayed event", lambda: "relayed" in kinds(oxd))
    centre = Oxd(theirs, folder + "/original", data=False)
    local = Oxd(ours, folder + "/to-original", f"--forward=127.0.0.1:{centre.collect}", log=False)
    forwarded, sent = pusher(local.collect), [event("forwarded", number) for number in range(100)]
    for one in sent:
        forwarded.send_multipart(one)
    whole = b"".join(data for _, data in sent)
    wait_for("the original's file", lambda: any(data == whole for data in centre.files().values()))
    for one in [relay, centre, local]:
        one.process.terminate()
        one.process.wait(PATIENCE)
    oxd.end()


def main():
    _, agent, folder = place("blueox")
    play(lambda: run(Programs(folder, agent), folder))


main()
