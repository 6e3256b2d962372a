#!/usr/bin/env python3
"""Tells how long events take, by their type: sawlog tail --json 'type:*' | slow.py [--every EVENTS] [--events EVENTS]

Every so many events it prints a table of the last 1,000 of each type: how many, median, 95th percentile, maximum in
milliseconds, and the id of the slowest, for `sawlog events --id ID`.
"""

import argparse
import collections
import json
import sys


def share(sorted_values, part):
    return sorted_values[min(len(sorted_values) - 1, int(part * len(sorted_values)))]


def show(by_type):
    print(f"{'type':32} {'events':>7} {'median':>9} {'p95':>9} {'max':>9}  slowest")
    for name, events in sorted(by_type.items()):
        times = sorted(took for took, _ in events)
        slowest = max(events)[1]
        print(f"{name:32} {len(times):7} {share(times, .5):9.2f} {share(times, .95):9.2f} {times[-1]:9.2f}  {slowest}")
    print(flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--every", type=int, default=100, help="events between two tables")
    options.add_argument("--events", type=int, default=0, help="end after so many; 0 is never")
    given = options.parse_args()
    by_type = collections.defaultdict(lambda: collections.deque(maxlen=1000))
    count = 0
    for line in sys.stdin:
        event = json.loads(line)
        try:
            by_type[event["type"]].append(((event["end"] - event["start"]) * 1000, str(event["id"])))
        except (KeyError, TypeError):
            continue  # a line of a log, which took no time
        count += 1
        if count % given.every == 0:
            show(by_type)
        if count == given.events:
            break


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        pass
