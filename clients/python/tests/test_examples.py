"""The examples run, under load, and their events are trees."""

import collections
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
REQUESTS = 200
MISSING = REQUESTS // 10


@pytest.mark.parametrize(
    "example,needs,below",
    [
        # Tornado logs each answer that is no success itself.
        ("tornado_app", ["tornado"], {"request.sql": REQUESTS, "request.render": REQUESTS, "request.log": 2 * MISSING}),
        ("fastapi_app", ["fastapi", "uvicorn"], {"request.lookup": 2 * REQUESTS}),
    ],
)
def test_example(receiver, example, needs, below):
    for module in needs:
        pytest.importorskip(module)
    environment = {**os.environ, "SAWLOG_HOST": receiver.address}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, EXAMPLES / f"{example}.py", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        base = f"http://127.0.0.1:{int(process.stdout.readline().split()[-1])}"

        def get(n):
            # Every tenth item does not exist.
            try:
                with urllib.request.urlopen(f"{base}/items/{n % 90 + 1 if n % 10 else 1000}", timeout=10) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            codes = collections.Counter(pool.map(get, range(REQUESTS)))
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        finally:
            process.kill()
    assert codes == {200: REQUESTS - MISSING, 404: MISSING}
    expected = {"request": REQUESTS, "request.log": MISSING, **below}
    records = receiver.wait(sum(expected.values()))
    assert collections.Counter(record["type"] for record in records) == expected
    spans = {record["span"]: record for record in records}
    for record in records:
        if "parent" in record:
            parent = spans[record["parent"]]
            assert parent["type"] == "request" and parent["id"] == record["id"]
            assert parent["start"] <= record["start"] <= record["end"] <= parent["end"]
    statuses = collections.Counter(r["body"]["response_status_code"] for r in records if r["type"] == "request")
    assert statuses == codes
