"""BlueOx's programs and a peer of its protocol, for the checks that play them."""

import io
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import msgpack
import zmq
from checks import Skip

# Longest that a condition is waited for; generous, since a test machine may have much else to do.
PATIENCE = 120
context = zmq.Context()
running = []


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(what, check):
    end = time.monotonic() + PATIENCE
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


class Programs:
    """The programs, by name: sawlog's, or the originals."""

    def __init__(self, folder, binary=None, python2=None, packages=None):
        self.prefix = {}
        self.environment = dict(os.environ)
        names = ["oxd", "oxview", "oxctl", "oxstore", "oxingest", "oxstash"]
        if binary:
            self.bin = os.path.join(folder, "bin-" + os.path.basename(binary))
            os.makedirs(self.bin, exist_ok=True)
            for name in names:
                link = os.path.join(self.bin, name)
                if not os.path.lexists(link):
                    os.symlink(binary, link)
                self.prefix[name] = [link]
        else:
            self.environment["PYTHONPATH"] = packages
            for name in names:
                self.prefix[name] = [python2, os.path.join(packages, "bin", name)]

    def run(self, name, *arguments, data=None, code=0, **more):
        done = subprocess.run(
            self.prefix[name] + list(arguments),
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            env=self.environment,
            timeout=PATIENCE,
            **more,
        )
        assert done.returncode == code, (name, arguments, done)
        return done.stdout

    def start(self, name, *arguments, **more):
        process = subprocess.Popen(
            self.prefix[name] + list(arguments), env=self.environment, stdin=subprocess.DEVNULL, **more
        )
        running.append(process)
        return process


class Oxd:
    """A running oxd."""

    def __init__(self, programs, folder, *arguments, ports=None, log=True, data=True):
        self.programs, self.folder, self.arguments = programs, folder, list(arguments)
        self.control, self.collect = ports or free_ports(2)
        self.arguments += [f"--control=127.0.0.1:{self.control}", f"--collect=127.0.0.1:{self.collect}"]
        self.logs = os.path.join(folder, "logs")
        os.makedirs(folder, exist_ok=True)
        if log:
            self.arguments.append(f"--log-path={self.logs}")
        if data:
            self.arguments.append(f"--data={os.path.join(folder, 'data')}")
        self.start()

    def start(self):
        self.process = self.programs.start("oxd", *self.arguments, stdout=open(self.folder + "/out", "a"))
        wait_for("oxd answers", lambda: self.ask({"cmd": "SOCK_COLLECT"}, 1_000))

    def ask(self, request, patience=PATIENCE * 1_000):
        asking = context.socket(zmq.REQ)
        asking.linger = 0
        asking.connect(f"tcp://127.0.0.1:{self.control}")
        asking.send(request if isinstance(request, bytes) else msgpack.packb(request))
        answer = msgpack.unpackb(asking.recv()) if asking.poll(patience) else None
        asking.close()
        return answer

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0

    def files(self):
        """The bytes of each file, by the name without its directories."""
        found = {}
        for folder, _, names in os.walk(self.logs):
            for name in names:
                if name.endswith(".log") and "/." not in folder:
                    with open(os.path.join(folder, name), "rb") as file:
                        found[name] = file.read()
        return found

    def events(self):
        events = []
        for data in self.files().values():
            try:
                # A file that is being written to may end in the middle of an event.
                events += list(msgpack.Unpacker(io.BytesIO(data), raw=True, strict_map_key=False))
            except msgpack.OutOfData:
                pass
        return events


def event(kind, number, end=1_795_217_048.071435):
    """META and DATA as the original client makes them."""
    data = {
        "body": {"query": "sel\u00e9ct".encode(), "n": number, "l": [1, 2.5, None, True], "raw": b"\xff\xfe", "long": "x" * 40},
        "end": end,
        "pid": 19779,
        "start": end - 0.5,
        "host": "vm",
        "type": kind,
        "id": "6b00d69868c346a92b8185986603cb46",
    }
    meta = struct.pack("!Bd64p64p", 3, end, b"vm", kind.encode()[:63])
    return meta, msgpack.packb(data, use_bin_type=False)


def pusher(port):
    push = context.socket(zmq.PUSH)
    push.linger = PATIENCE * 1_000
    push.connect(f"tcp://127.0.0.1:{port}")
    return push


def viewer(oxd, prefix):
    port = oxd.ask({"cmd": "SOCK_STREAM"})["port"]
    assert 35_000 <= port <= 36_000, port
    subscribe = context.socket(zmq.SUB)
    subscribe.connect(f"tcp://127.0.0.1:{port}")
    subscribe.setsockopt(zmq.SUBSCRIBE, prefix)
    return subscribe


def python_2(folder):
    """A Python 2.7, and the folder of the original's packages for it."""
    told = None
    # Under pyenv the name alone need not run.
    for environment in [os.environ, dict(os.environ, PYENV_VERSION="2.7.18")]:
        if told is None or told.returncode:
            try:
                program = ["python2.7", "-c", "import sys; print(sys.executable)"]
                told = subprocess.run(program, env=environment, capture_output=True, timeout=PATIENCE)
            except OSError:
                break
    if told is None or told.returncode:
        raise Skip("there is no Python 2.7")
    python2 = told.stdout.decode().strip()
    packages = os.path.abspath(os.path.join(folder, "..", "blueox-packages"))
    if not os.path.exists(os.path.join(packages, ".complete")):
        pip = [python2, "-m", "pip", "install", "--quiet", "--upgrade", "--target", packages, "blueox==0.11.3"]
        installed = subprocess.run(pip, capture_output=True, timeout=600)
        if installed.returncode:
            raise Skip(f"blueox 0.11.3 cannot be installed ({installed.stderr.decode(errors='replace').strip()[-200:]})")
        open(os.path.join(packages, ".complete"), "w").close()
    return python2, packages


def play(check_all):
    """Runs checks, and leaves nothing running behind them."""
    try:
        check_all()
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
        context.destroy(linger=0)


def place(name):
    """The binaries `sawlog` and `sawlog-agent` of the command line, and an empty folder of that name."""
    sawlog = os.path.abspath(sys.argv[1])
    folder = os.path.join(os.path.abspath(sys.argv[2]), name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return sawlog, os.path.join(os.path.dirname(sawlog), "sawlog-agent"), folder
