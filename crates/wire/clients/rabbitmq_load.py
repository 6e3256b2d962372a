"""Events of logcollect's form at a steady rate through a real RabbitMQ into a node that has one core, while it is searched:
rabbitmq_load.py BINARY FOLDER SECONDS RATE. Says as Markdown how far behind what can be found is, what it costs, and how long
the values of a field of a million different ones take."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

from node import Node, nanoseconds
from rabbitmq import Broker, until

# Programs that publish, each its part of the rate.
PUBLISHERS = 4
# Different values of `req_id`: each comes once before one comes again.
DIFFERENT = 1_000_000
CONFIG = """
[[input]]
type = "amqp"
uri = "amqp://guest:guest@{host}/"
queue = "load"
exchange = "load"
routing_keys = ["#"]
durable = true
tag = "load"
"""
SEARCHES = [
    ("a word, newest first", "search", {"query": "_tag:load timeout", "limit": 50}),
    ("a phrase and a field", "search", {"query": '_tag:load levelname:ERROR "by the bank"', "limit": 50}),
    ("rows of the last minute by level", "search", {"query": "_tag:load | stats count() by levelname", "start": "1m"}),
    ("one request", "search", {"query": "_tag:load req_id:=r17", "limit": 50}),
    ("values of a field of two", "values", {"query": "_tag:load", "field": "levelname", "start": "10m"}),
]


def now():
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


def event(number):
    """One as a Django program sends it over logcollect."""
    bad = number % 50 == 0
    request = (number * 7_919) % DIFFERENT
    words = "declined by the bank after a timeout" if bad else "paid"
    return {
        "@timestamp": now(), "@version": 1, "message": f"order {number} of user {request % 5000}: {words} in {number % 977} ms",
        "host": f"web-{number % 7}", "tags": [], "type": "Logstash", "seq": number % 1000 + 1, "levelname": "ERROR" if bad else "INFO",
        "logger": "shop.views.checkout", "stack_info": None, "process": 4711 + number % 7, "req_id": f"r{request}",
        "project": "shop", "application": "backend", "subsystem": "checkout",
    }


def publish(host, seconds, rate, part_of):
    """Publishes its part of the events at the rate; says how many, and how far it was behind at worst."""
    import pika

    connection = pika.BlockingConnection(pika.ConnectionParameters(host, heartbeat=0))
    channel = connection.channel()
    persistent = pika.BasicProperties(delivery_mode=2)
    began, number, worst = time.monotonic(), 0, 0.0
    while number < seconds * rate:
        due = min(int((time.monotonic() - began) * rate), seconds * rate)
        worst = max(worst, (due - number) / rate)
        while number < due:
            channel.basic_publish("load", "logstash.shop", json.dumps(event(number * PUBLISHERS + part_of)), persistent)
            number += 1
        connection.process_data_events(0)
        time.sleep(0.005)
    connection.close()
    print(json.dumps({"published": number, "behind": worst}))


def ask(node, route, parameters):
    """What a route answers, and seconds until all of it is there."""
    address = f"{node.addresses['http']}/api/v1/{route}?{urllib.parse.urlencode(parameters)}"
    began = time.monotonic()
    with urllib.request.urlopen(address, timeout=120) as answer:
        text = answer.read()
    return text, time.monotonic() - began


def processor(pid):
    """Seconds of processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Most resident memory of a process, MB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


def part(numbers, share):
    numbers = sorted(numbers)
    return numbers[min(len(numbers) - 1, int(len(numbers) * share))] if numbers else float("nan")


class Searching(threading.Thread):
    """Asks how old the newest row is, and one search after the other, four times a second."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.ended = node, False
        self.lags, self.took, self.failed = [], {name: [] for name, *_ in SEARCHES}, []

    def run(self):
        turn = 0
        while not self.ended:
            began = time.monotonic()
            name, route, parameters = SEARCHES[turn % len(SEARCHES)]
            turn += 1
            try:
                row, _ = ask(self.node, "search", {"query": "_tag:load", "limit": 1})
                if row:
                    self.lags.append(time.time() - nanoseconds(json.loads(row)["_time"]) / 1e9)
                self.took[name].append(ask(self.node, route, parameters)[1])
            except OSError as error:
                self.failed.append(str(error))
            time.sleep(max(0.0, 0.25 - (time.monotonic() - began)))


def main(binary, folder, seconds, rate):
    broker = Broker(folder / "broker")
    node = None
    try:
        node = Node(binary, folder / "node", CONFIG.replace("{host}", broker.host), ["taskset", "-c", "0"])
        until("its queue is there", lambda: broker.waiting("load") is not None)
        before, searching = processor(node.process.pid), Searching(node)
        searching.start()
        command = [sys.executable, __file__, "--publish", broker.host, str(seconds), str(rate // PUBLISHERS)]
        publishers = [subprocess.Popen([*command, str(one)], stdout=subprocess.PIPE) for one in range(PUBLISHERS)]
        each = [json.loads(publisher.communicate()[0]) for publisher in publishers]
        said = {"published": sum(one["published"] for one in each), "behind": max(one["behind"] for one in each)}
        ended = time.monotonic()
        waiting = broker.waiting("load")

        def stored():
            return int(node.search("_tag:load | stats count() as n")[0]["n"])

        until("all is stored", lambda: stored() >= said["published"], 600)
        after = time.monotonic() - ended
        searching.ended = True
        searching.join()
        cost = processor(node.process.pid) - before
        print(f"| {seconds} s of {rate} events a second, one core | |\n|---|---|")
        print(f"| published; publishers were behind by at most | {said['published']}; {said['behind']:.2f} s |")
        print(f"| stored, each once | {stored()} |")
        print(f"| age of the newest row found: median, 99 %, most | {' / '.join(f'{part(searching.lags, share):.2f}' for share in (0.5, 0.99, 1))} s |")
        print(f"| waiting in RabbitMQ at the end; stored after | {waiting}; {after:.1f} s |")
        print(f"| processor time, share of the core | {cost:.0f} s, {100 * cost / seconds:.0f} % |")
        print(f"| most resident memory | {resident(node.process.pid):.0f} MB |")
        print(f"| searches that failed | {len(searching.failed)} {searching.failed[:1] or ''} |")
        for name, took in searching.took.items():
            print(f"| {name}: median, most ({len(took)} times) | {1000 * part(took, 0.5):.0f} / {1000 * part(took, 1):.0f} ms |")
        values(node)
    finally:
        if node:
            node.kill()
        broker.end()


def values(node):
    """How long the values of the field take that has a value for each request."""
    different = int(node.search("_tag:load | stats count_distinct(req_id) as n")[0]["n"])
    for name, more in [("all time", {}), ("all time, of errors", {"query": "_tag:load levelname:ERROR"}), ("the last 5 minutes", {"start": "5m"})]:
        took = sorted(ask(node, "values", {"query": "_tag:load", "field": "req_id", **more})[1] for _ in range(7))
        print(f"| values of a field of {different} different ones, {name}: best, median | {1000 * took[0]:.0f} / {1000 * took[3]:.0f} ms |")


if __name__ == "__main__":
    if sys.argv[1] == "--publish":
        publish(sys.argv[2], *map(int, sys.argv[3:6]))
    else:
        main(sys.argv[1], Path(sys.argv[2]) / "rabbitmq-load", int(sys.argv[3]), int(sys.argv[4]))
