"""Sends events with the fluent-logger package from PyPI and looks for them: fluent_logger.py PORT HTTP_BASE."""

import json
import sys
import time
import urllib.parse
import urllib.request

from fluent import event, sender
from fluent.sender import EventTime


def search(base, query):
    with urllib.request.urlopen(f"{base}/api/v1/search?{urllib.parse.urlencode({'query': query})}") as answer:
        return [json.loads(line) for line in answer]


def main():
    port, base = int(sys.argv[1]), sys.argv[2]
    logger = sender.FluentSender("py", host="127.0.0.1", port=port, nanosecond_precision=True)
    at = EventTime(1700000000.25)
    sent = {"text": "from python", "n": -3, "big": 2**63, "f": 1.0, "none": None, "list": [1, "a", {"b": True}], "é": "ü"}
    assert logger.emit_with_time("web.access", at, sent), logger.last_error
    # The plain interface, with whole seconds.
    sender.setup("py", host="127.0.0.1", port=port)
    event.Event("follow", {"text": "from python", "user": "u1"})
    sender.get_global_sender().close()
    logger.close()
    for _ in range(100):
        found = search(base, '"from python"')
        if len(found) == 2:
            break
        time.sleep(0.1)
    assert len(found) == 2, found
    by_tag = {record["_tag"]: record for record in found}
    record = by_tag["py.web.access"]
    assert record["_time"] == "2023-11-14T22:13:20.250Z", record
    assert json.loads(record["_line"]) == sent, record["_line"]
    assert list(json.loads(record["_line"])) == list(sent), "key order"
    assert '"f":1.0' in record["_line"], "a float stays one"
    assert by_tag["py.follow"]["user"] == "u1"


main()
