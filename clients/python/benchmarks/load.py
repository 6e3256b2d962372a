"""What contexts cost the thread of an application that is under load: python benchmarks/load.py [tornado_app|fastapi_app]

Starts that example (both, where none is named) as a server, asks it from several connections at once for a while, and times
every call of a context on the thread that makes it: by the clock, so that what else the machine does is in it, which is why
medians are printed. What the clock itself takes is measured in the same place by a call that does nothing, and taken off. The receiver takes and acknowledges everything. The last line is what counts: microseconds of a whole
context, which is made, entered, written to and left.
"""

import argparse
import asyncio
import collections
import http.client
import importlib
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from context import acknowledge

import sawlog

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
NAMES = ["tornado_app", "fastapi_app"]
# What begins and ends a context is called by itself or by a `with`.
TIMED = ["__init__", "__enter__", "start", "set", "__exit__", "done"]


def serve(example: str) -> None:
    """The example as it is, but for the clock around what it calls."""
    spent = collections.defaultdict(list)
    clock = time.perf_counter_ns

    def timed(name, function):
        durations = spent[name]

        def call(*arguments, **named):
            begin = clock()
            result = function(*arguments, **named)
            durations.append(clock() - begin)
            return result

        return call

    for name in TIMED:
        setattr(sawlog.Context, name, timed(name, getattr(sawlog.Context, name)))
    nothing, create = timed("clock", lambda _: None), sawlog.Context.__init__

    def made(context, *arguments, **named):
        nothing(context)
        create(context, *arguments, **named)

    sawlog.Context.__init__ = made
    sys.argv = [example, "0"]
    sys.path.insert(0, str(EXAMPLES))
    try:
        running = importlib.import_module(example).main()
        if running is not None:
            asyncio.run(running)
    except KeyboardInterrupt:
        pass
    sawlog.flush(10)
    told = {name: {"calls": len(of), "median": statistics.median(of), "p99": sorted(of)[len(of) * 99 // 100]}
            for name, of in spent.items() if of}
    print(json.dumps({"spent": told, "dropped": sawlog.stats().dropped}), flush=True)


def ask(port: int, until: float, counts: list) -> None:
    """Asks for one item after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    asked = 0
    while time.monotonic() < until:
        connection.request("GET", f"/items/{asked % 90 + 1}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        asked += 1
    counts.append(asked)


def measure(example: str, seconds: float, connections: int) -> float:
    listener = socket.create_server(("127.0.0.1", 0))
    receiver = multiprocessing.get_context("fork").Process(target=acknowledge, args=(listener,), daemon=True)
    receiver.start()
    environment = {**os.environ, "SAWLOG_HOST": f"127.0.0.1:{listener.getsockname()[1]}"}
    command = [sys.executable, __file__, "--serve", example]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            port = int(process.stdout.readline().split()[-1])
            counts: list = []
            until = time.monotonic() + seconds
            threads = [threading.Thread(target=ask, args=(port, until, counts)) for _ in range(connections)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            process.send_signal(signal.SIGINT)
            told = json.loads(process.stdout.readline())
        finally:
            process.kill()
    receiver.kill()
    spent = told["spent"]
    print(f"{example}: {sum(counts) / seconds:.0f} requests a second over {connections} connections, "
          f"{spent['__init__']['calls']} contexts, {told['dropped']} dropped")
    clock, whole = spent["clock"]["median"] / 1000, 0.0
    for name in TIMED:
        if name not in spent:
            continue
        of = spent[name]
        per_context = of["calls"] / spent["__init__"]["calls"]
        median = of["median"] / 1000 - clock
        whole += median * per_context
        print(f"  {name:10} {median:6.2f} µs (p99 {of['p99'] / 1000:6.1f}), {per_context:.1f} to a context")
    print(f"  a context {whole:7.2f} µs, without the {clock:.2f} µs of each look at the clock", flush=True)
    return whole


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("example", nargs="*", choices=[*NAMES, []])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--serve", choices=NAMES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    for example in given.example or NAMES:
        measure(example, given.seconds, given.connections)


if __name__ == "__main__":
    main()
