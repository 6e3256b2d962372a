"""A real node for the scripts of clients: started over a fresh folder on free ports of the loopback, asked over HTTP, and
ended by its process id."""

import json
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

# Longest that a condition is waited for; generous, since a test machine may have much else to do.
PATIENCE = 90.0


class Node:
    """Runs `sawlog run` with a configuration; `{folder}` in it stands for the node's folder."""

    def __init__(self, binary, folder, config, before=()):
        self.binary = binary
        # Words that come before its command, such as `taskset`.
        self.before = list(before)
        self.folder = Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "sawlog.toml").write_text(config.replace("{folder}", str(self.folder)))
        self.start()

    def start(self):
        """Starts it, also again after `stop`; its data stay."""
        command = [*self.before, self.binary, "run", "-c", self.folder / "sawlog.toml", "--http", "127.0.0.1:0", "--data", self.folder / "data"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("sawlog ready"):
                break
        else:
            raise RuntimeError(f"the node ended with {self.process.wait()} before it was ready")
        self.addresses = dict(word.split("=", 1) for word in line.split()[2:])
        threading.Thread(target=lambda: [None for _ in self.process.stdout], daemon=True).start()

    def stop(self):
        """Ends it in an orderly way."""
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0, self.process.returncode

    def kill(self):
        """Ends it if it still runs."""
        self.process.kill()
        self.process.wait()

    def port(self, name):
        """The port of the input of that name."""
        return int(self.addresses[name].rsplit(":", 1)[1])

    def search(self, query):
        """Every row that a query finds."""
        parameters = urllib.parse.urlencode({"query": query, "limit": 100000})
        with urllib.request.urlopen(f"{self.addresses['http']}/api/v1/search?{parameters}", timeout=PATIENCE) as answer:
            return [json.loads(line) for line in answer]

    def found(self, query, count):
        """The rows that a query finds once there are so many, in order of time; exactly so many."""
        until = time.monotonic() + PATIENCE
        rows = self.search(query)
        while len(rows) < count and time.monotonic() < until:
            time.sleep(0.1)
            rows = self.search(query)
        assert len(rows) == count, f"{query}: {len(rows)} rows and not {count}: {rows[:5]}"
        return sorted(rows, key=lambda row: nanoseconds(row["_time"]))


def nanoseconds(text):
    """`2023-11-14T22:13:20.25Z` as nanoseconds since 1970."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * 10**9 + int(fraction.ljust(9, "0") or 0)


def certificate(folder):
    """Makes `cert.pem` and `key.pem` for localhost in a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
