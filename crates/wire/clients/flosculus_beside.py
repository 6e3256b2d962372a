"""flosculus 0.3.0 (PyPI) and `flosculusd` of the agent follow the same files by the same configuration, and what both send is
compared record by record: flosculus_beside.py BINARY FOLDER"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from checks import Skip, check, run
from node import PATIENCE, Node, nanoseconds

CONFIG = "".join(
    f"""
[[input]]
id = "{whose}"
type = "forward"
listen = "127.0.0.1:0"
add_tag_prefix = "{whose}"
"""
    for whose in ("theirs", "ours")
)
# The README's own expressions: the built-in one, and the "timed combined" one with an optional tail.
TIMED = (
    r"""(?P<remote>[^ ]*) (?P<host>[^ ]*) (?P<user>[^ ]*) \[(?P<time>[^\]]*)\] "(?P<method>\S+)(?: +(?P<path>[^\"]*) +\S*)?" """
    r"""(?P<code>[^ ]*) (?P<size>[^ ]*)(?: "(?P<referer>[^\"]*)" "(?P<agent>[^\"]*)")"""
    r"""(?: (?P<request_time>[^ ]+) (?P<upstream_time>[^ ]+) (?P<pipe>[.p|]))?"""
)
INI = """
[flosculus]
remote_host = 127.0.0.1
remote_port = PORT

[log:FOLDER/access.log]
tag = example.api.access
format = nginx
remote_host = 127.0.0.1
remote_port = PORT

; A tag without a dot, and a format of its own.
[log:FOLDER/timed.log]
tag = timed
format = EXPRESSION
remote_host = 127.0.0.1
remote_port = PORT
"""
SEVEN_HOURS = 7 * 3600 * 10**9


def lines(count, tail=""):
    """Lines of a web server, with a `garbage` between, and two with a zone."""
    made = []
    for number in range(count):
        zone = "+0700" if number % 10 == 0 else "+0000"
        request = ["GET /a/%d?x=é HTTP/1.1", "POST  /b%%20%d  HTTP/1.0", "QUIT%d", "HEAD /%d HTTP/2.0"][number % 4] % number
        end = tail if number % 3 else ""
        made.append(
            f'127.0.0.{number % 7} - {["-", "bob"][number % 2]} [03/Dec/2013:16:{number // 60:02}:{number % 60:02} {zone}] '
            f'"{request}" {200 + number} {number * 17} "-" "Mozilla/5.0 (X11; Linux x86_64) {number}"{end}'
        )
        if number % 25 == 24:
            made.append("garbage")
    return made


class Program:
    """A follower of the files, ended by its id."""

    def __init__(self, command, own):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=own)

    def wait(self, files):
        """Waits until it has each of these files open, at its end."""
        until = time.monotonic() + PATIENCE
        while not all(self.is_at_end(file) for file in files):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            assert time.monotonic() < until, "it does not follow its files"
            time.sleep(0.1)

    def is_at_end(self, path):
        process = Path(f"/proc/{self.process.pid}")
        for number in os.listdir(process / "fd"):
            try:
                if os.readlink(process / "fd" / number) == str(path):
                    position = (process / "fdinfo" / number).read_text().split()[1]
                    return int(position) == path.stat().st_size
            except FileNotFoundError:
                # It was closed meanwhile.
                continue
        return False

    def end(self):
        self.process.kill()
        self.process.wait()


class Ours(Program):
    """Our own says when it is ready, and reads without a position of the descriptor."""

    def __init__(self, command, own):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=own)

    def wait(self, files):
        line = self.process.stdout.readline()
        assert line.startswith("sawlog-agent ready"), line


def start(node, whose):
    folder = node.folder.parent / "flosculus"
    ini = INI.replace("PORT", str(node.port(whose))).replace("FOLDER", str(folder / "logs")).replace("EXPRESSION", TIMED)
    own = folder / whose
    own.mkdir()
    (own / "flosculus.ini").write_text(ini)
    if whose == "theirs":
        program = Path(sys.executable).parent / "flosculusd"
        return Program([program, "-c", own / "flosculus.ini"], own)
    link = own / "flosculusd"
    link.symlink_to(Path(node.binary).with_name("sawlog-agent"))
    return Ours([link, "-c", own / "flosculus.ini"], own)


def rows(node, tag, count):
    found = node.found(f"_tag:={tag}", count)
    return sorted(((nanoseconds(row["_time"]), json.loads(row["_line"])) for row in found), key=lambda row: row[1]["code"])


def same(node, tag, made):
    """Both sent the same records, in the time that is right: the original takes a zone for its own."""
    matching = [line for line in made if line != "garbage"]
    for (theirs_at, theirs), (ours_at, ours), line in zip(
        rows(node, f"theirs.{tag}", len(matching)), rows(node, f"ours.{tag}", len(matching)), matching
    ):
        # A group without a match is nil in the original, and not there in ours, as in Fluentd.
        theirs = {key: value for key, value in theirs.items() if value is not None}
        assert theirs == ours, (theirs, ours)
        assert theirs_at - ours_at == (SEVEN_HOURS if "+0700" in line else 0), (theirs_at, ours_at, line)


@check("flosculus 0.3.0 (PyPI) and flosculusd send the same records of the same files")
def beside(node):
    logs = node.folder.parent / "flosculus/logs"
    logs.mkdir(parents=True)
    access, timed = lines(100), lines(100, " 0.012 0.011 p")
    for name in ("access.log", "timed.log"):
        # What was there before is passed over by both.
        (logs / name).write_text(lines(3)[0] + "\n")
    if sys.version_info >= (3, 12):
        raise Skip("flosculus 0.3.0 needs a Python before 3.12")
    theirs, ours = start(node, "theirs"), start(node, "ours")
    try:
        for program in (theirs, ours):
            program.wait([logs / "access.log", logs / "timed.log"])
        for name, made in (("access.log", access), ("timed.log", timed)):
            with open(logs / name, "a") as file:
                file.write("".join(line + "\n" for line in made))
        same(node, "example.api.access", access)
        same(node, "timed", timed)
        # A rotation ends the original (on Python 3); ours goes on, with what came before, while and after.
        os.rename(logs / "access.log", logs / "access.log.1")
        (logs / "access.log").write_text(lines(7)[1] + "\n")
        assert len(rows(node, "ours.example.api.access", 101)) == 101
    finally:
        theirs.end()
        ours.end()


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    node = Node(sys.argv[1], f"{sys.argv[2]}/flosculus-hub", CONFIG)
    subprocess.run(["rm", "-rf", f"{sys.argv[2]}/flosculus"], check=True)
    try:
        run(node)
    finally:
        node.kill()
