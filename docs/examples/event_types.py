#!/usr/bin/env python3
"""Counts events by type as they come: event_types.py [--every SECONDS] [--reports N] [http://127.0.0.1:7514]

Follows the node's live stream over HTTP and prints each few seconds how many events of each type came, and how many of
them bear an exception or the level error. SAWLOG_TOKEN in the environment is sent where the node wants one.
"""

import argparse
import collections
import json
import os
import time
import urllib.parse
import urllib.request


def records(base, query):
    """Records as they come; None now and then, so that time passes also while nothing comes."""
    request = urllib.request.Request(f"{base}/api/v1/tail?" + urllib.parse.urlencode({"query": query}))
    if os.environ.get("SAWLOG_TOKEN"):
        request.add_header("Authorization", f"Bearer {os.environ['SAWLOG_TOKEN']}")
    event = ""
    with urllib.request.urlopen(request) as stream:
        for raw in stream:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: ") and event not in ("open", "lag"):
                yield json.loads(line[6:])
            elif not line:
                event = ""
            else:
                yield None


def failed(record):
    return "body.exception" in record or str(record.get("body.level", "")).lower() == "error"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("base", nargs="?", default="http://127.0.0.1:7514")
    options.add_argument("--every", type=float, default=10, help="seconds between two reports")
    options.add_argument("--reports", type=int, default=0, help="end after so many; 0 is never")
    given = options.parse_args()
    came, bad = collections.Counter(), collections.Counter()
    due, reports = time.monotonic() + given.every, 0
    for record in records(given.base.rstrip("/"), "type:*"):
        if record is not None:
            came[record["type"]] += 1
            bad[record["type"]] += failed(record)
        if time.monotonic() < due or not came:
            continue
        print(time.strftime("%H:%M:%S"))
        for name, count in came.most_common():
            print(f"  {name:32} {count:7}  {bad[name]} failed")
        print(flush=True)
        came.clear(), bad.clear()
        due, reports = time.monotonic() + given.every, reports + 1
        if reports == given.reports:
            return


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
