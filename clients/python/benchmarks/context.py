"""What a context costs the thread that makes it: python benchmarks/context.py [HOST:PORT]

With an address events are sent there; without, to a receiver in this process's child that acknowledges everything.
Microseconds per context of the calling thread, the best and the median of several rounds; the sender's thread is not in
`thread`, and is in `process`.
"""

import multiprocessing
import socket
import statistics
import sys
import time

import msgpack

import sawlog

ROUNDS, CONTEXTS = 15, 10_000


def acknowledge(listener: socket.socket) -> None:
    """A receiver that takes chunks and answers each."""
    connection, _ = listener.accept()
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=64 * 1024 * 1024)
    while True:
        received = connection.recv(1 << 20)
        if not received:
            return
        unpacker.feed(received)
        for _tag, _entries, option in unpacker:
            connection.sendall(msgpack.packb({"ack": option["chunk"]}))


def bare() -> None:
    with sawlog.Context("request"):
        pass


def usual() -> None:
    with sawlog.Context("request") as context:
        context.set("user", 7)
        context.set("path", "/a/b")
        context.set("response.status", 200)


def nested() -> None:
    with sawlog.Context("request"):
        with sawlog.Context(".sql") as context:
            context.set("query", "SELECT 1")


def measure(name: str, work, contexts: int) -> None:
    thread, process = [], []
    for _ in range(ROUNDS):
        begin, begin_process = time.thread_time(), time.process_time()
        for _ in range(CONTEXTS):
            work()
        thread.append((time.thread_time() - begin) / CONTEXTS / contexts * 1e6)
        sawlog.flush(30)
        process.append((time.process_time() - begin_process) / CONTEXTS / contexts * 1e6)
    print(
        f"{name:34} thread {min(thread):5.2f} (median {statistics.median(thread):5.2f})"
        f"   process {statistics.median(process):5.2f}  µs per context"
    )


def main() -> None:
    measure("not configured, no fields", bare, 1)
    if len(sys.argv) > 1:
        sawlog.configure(sys.argv[1], queue_bytes=256 << 20)
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        multiprocessing.get_context("fork").Process(target=acknowledge, args=(listener,), daemon=True).start()
        sawlog.configure(f"127.0.0.1:{listener.getsockname()[1]}", queue_bytes=256 << 20)
    measure("sent, no fields", bare, 1)
    measure("sent, three fields", usual, 1)
    measure("sent, request and .sql", nested, 2)
    print(sawlog.stats())


if __name__ == "__main__":
    main()
