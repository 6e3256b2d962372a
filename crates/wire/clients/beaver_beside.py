"""Beaver 36.3.1 (PyPI) on Python 2.7 and `beaver` of the agent follow the same files by the same configuration, and what both
print is compared; then ours goes on where the original's sincedb says: beaver_beside.py BINARY FOLDER"""

import glob
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from checks import Skip, check, run

PATIENCE = 90
# Of what Beaver names itself, what its transport `stdout` needs; versions that Python 2.7 still takes.
PACKAGES = ["Beaver==36.3.1", "conf_d==0.0.4", "glob2==0.3", "msgpack-pure==0.1.3", "python-daemon==1.6.1", "lockfile==0.12.2",
            "six==1.16.0"]
INI = """
[beaver]
confd_path: {folder}/no-conf.d
logstash_version: {version}
hostname: web01
format: {format}
transport: stdout
sincedb_path: {folder}/{sincedb}

[{folder}/logs/*.log]
type: mytype
tags: tag1,tag2
add_field: env,prod
start_position: {start}
"""


def python2():
    """A Python 2.7 that runs."""
    places = [shutil.which("python2.7"), *glob.glob(os.path.expanduser("~/.pyenv/versions/2.7*/bin/python2.7"))]
    for place in filter(None, places):
        if subprocess.run([place, "-c", "pass"], capture_output=True).returncode == 0:
            return place
    raise Skip("there is no python2.7, which Beaver needs")


def original(folder):
    """The command of the original, installed once, and its environment."""
    python, home = python2(), folder / "beaver-36.3.1"
    if not (home / ".complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", home]
        installed = subprocess.run([*pip, *PACKAGES], capture_output=True, text=True)
        if installed.returncode:
            raise Skip(f"Beaver cannot be installed: {installed.stderr.strip().splitlines()[-1:]}")
        (home / ".complete").touch()
    # `-u`: what it prints goes out at once.
    return [python, "-u", home / "bin/beaver"], {**os.environ, "PYTHONPATH": str(home)}


def ours(folder, binary):
    link = folder / "beaver"
    if not link.is_symlink():
        link.symlink_to(Path(binary).with_name("sawlog-agent"))
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    return [link], environment


class Beaver:
    """One of both; its lines come one by one. Ended by its id, as its users do, or killed."""

    def __init__(self, command, ini, cwd):
        program, environment = command
        # The original prints its events there, among its own log.
        errors = subprocess.STDOUT if "PYTHONPATH" in environment else subprocess.DEVNULL
        cwd.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen([*program, "-c", ini], cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=errors)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            # Ours says that it is ready; lines of the original's log begin with a time in brackets.
            if not line.startswith((b"sawlog-agent", b"[2")):
                self.lines.put(line.rstrip(b"\n"))

    def take(self, count):
        return [self.lines.get(timeout=PATIENCE) for _ in range(count)]

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
        return list(self.lines.queue)


def prepare(folder, name, **more):
    folder = folder / "beaver-beside" / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "logs").mkdir(parents=True)
    values = {"folder": folder, "version": 1, "format": "json", "start": "beginning", "sincedb": "since.db", **more}
    (folder / "beaver.ini").write_text(INI.format(**values))
    return folder


LINES = [f'line {number} größe "x" \\ \t{{"a":{number}}}' for number in range(100)]
OBJECTS = [json.dumps({"n": number, "text": "é \" \\", "deep": {"a": [1, None, 2.5]}}) for number in range(50)] + ["no JSON"]


def beside(name, lines, parse, **more):
    @check(f"Beaver 36.3.1 (PyPI) and beaver print the same of the same files: {name}")
    def same(binary, root):
        theirs_command = original(root)
        folder = prepare(root, "".join(letter for letter in name if letter.isalnum()), **more)
        (folder / "logs/a.log").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        both = []
        for command, own in ((theirs_command, "theirs"), (ours(folder, binary), "ours")):
            # Each has positions of its own.
            ini = folder / f"{own}.ini"
            ini.write_text((folder / "beaver.ini").read_text().replace("since.db", f"{own}.db"))
            beaver = Beaver(command, ini, folder / own)
            try:
                both.append([parse(line) for line in beaver.take(len(lines))])
            finally:
                beaver.end()
        for theirs, ours_ in zip(*both):
            if more.get("format") == "gelf":
                # The original leaves a section's tags and fields out of this format.
                assert ours_.pop("_tags") == ["tag1", "tag2"] and ours_.pop("_env") == ["prod"], ours_
            assert theirs == ours_, (theirs, ours_)


def timeless(*keys):
    """An event without what is of the moment at which it was read."""

    def parse(line):
        event = json.loads(line.rstrip(b"\0"))
        for key in keys:
            event.pop(key)
        return event

    return parse


beside("json of version 1", LINES, timeless("@timestamp"))
beside("json of version 0", LINES, timeless("@timestamp"), version=0)
beside("rawjson", OBJECTS, timeless("@timestamp"), format="rawjson")
beside("raw", LINES, bytes, format="raw")
beside("gelf", LINES, timeless("timestamp"), format="gelf")


@check("beaver goes on behind the lines that the original's sincedb has")
def moves(binary, root):
    theirs_command = original(root)
    folder = prepare(root, "moves", start="end")
    log = folder / "logs/a.log"
    log.write_text("")
    beaver = Beaver(theirs_command, folder / "beaver.ini", folder)
    try:
        # It follows from the end on: what comes before it looks would be passed over.
        until, written = time.monotonic() + PATIENCE, 0
        while beaver.lines.empty():
            assert time.monotonic() < until, "it follows nothing"
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"before {written}\n")
            written += 1
            time.sleep(0.5)
    finally:
        beaver.end()
    with open(log, "a", encoding="utf-8") as file:
        file.write("".join(f"while nobody looked {number}\n" for number in range(5)))
    beaver = Beaver(ours(folder, binary), folder / "beaver.ini", folder / "ours")
    try:
        got = [json.loads(line)["message"] for line in beaver.take(5)]
        with open(log, "a", encoding="utf-8") as file:
            file.write("last\n")
        got += [json.loads(line)["message"] for line in beaver.take(1)]
    finally:
        rest = beaver.end()
    assert got == [f"while nobody looked {number}" for number in range(5)] + ["last"], got
    assert not rest, rest


if __name__ == "__main__":
    root = Path(sys.argv[2])
    root.mkdir(parents=True, exist_ok=True)
    run(sys.argv[1], root)
