"""From the queue to a receiver that acknowledges: nothing lost, nothing doubled, the application never held up."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from receiver import Receiver

import sawlog


def send(count, name="request"):
    for n in range(count):
        with sawlog.Context(name) as c:
            c.set("n", n)


def numbers(records):
    return [record["body"]["n"] for record in records]


def test_an_event_and_what_it_holds(receiver):
    sawlog.configure(receiver.address)
    with sawlog.Context("request") as top:
        top.set("n", 2**40)
        top.set("response.status", 200)
        top.set("bytes", b"\xff\x00")
        with sawlog.Context(".sql") as sql:
            sql.set("query", "seléct")
    assert sawlog.flush()
    receiver.wait(2)
    events = {tag: (at, record) for tag, at, record in receiver.events}
    at, request = events["request"]
    assert list(request) == ["type", "id", "span", "host", "pid", "start", "end", "body"]
    assert request == {
        "type": "request",
        "id": top.id,
        "span": top.span,
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "start": top.start_time,
        "end": top.end_time,
        "body": {"n": 2**40, "response": {"status": 200}, "bytes": b"\xff\x00"},
    }
    assert at.code == 0 and abs(int.from_bytes(at.data[:4], "big") - top.end_time) < 1
    _, below = events["request.sql"]
    assert (below["id"], below["parent"]) == (top.id, top.span)


@pytest.mark.parametrize("compress", ["", "gzip", "zstd"])
def test_every_event_once_and_in_order(receiver, compress):
    if compress == "zstd":
        pytest.importorskip("zstandard")
    sawlog.configure(receiver.address, compress=compress, chunk_bytes=20_000)
    send(3000)
    assert sawlog.flush()
    assert numbers(receiver.wait(3000)) == list(range(3000))
    assert len(receiver.chunks) >= 10 and set(receiver.chunks.values()) == {1}
    assert {option.get("compressed", "") for option in receiver.options} == {compress}
    counts = sawlog.stats()
    assert (counts.accepted, counts.acknowledged, counts.dropped, counts.waiting) == (3000, 3000, 0, 0)


def test_sent_soon_without_flush(receiver):
    sawlog.configure(receiver.address, interval=0.02)
    send(1)
    receiver.wait(1, timeout=2)
    time.sleep(0.05)
    send(1)
    receiver.wait(2, timeout=2)


def test_many_threads(receiver):
    sawlog.configure(receiver.address)
    threads = [threading.Thread(target=send, args=(500, f"t{t}")) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sawlog.flush()
    receiver.wait(4000)
    for t in range(8):
        assert [r["body"]["n"] for tag, _, r in receiver.events if tag == f"t{t}"] == list(range(500))


def test_many_tasks(receiver):
    sawlog.configure(receiver.address)

    async def request(n):
        with sawlog.Context("request") as c:
            await asyncio.sleep(0)
            c.set("n", n)

    async def main():
        await asyncio.gather(*(request(n) for n in range(1000)))

    asyncio.run(main())
    assert sawlog.flush()
    assert sorted(numbers(receiver.wait(1000))) == list(range(1000))


def test_a_receiver_that_is_cut_off_again_and_again(receiver):
    sawlog.configure(receiver.address, interval=0.01, chunk_bytes=3000)
    for n in range(30):
        for i in range(40):
            with sawlog.Context("request") as c:
                c.set("n", n * 40 + i)
        time.sleep(0.005)
        receiver.cut()
    assert sawlog.flush(20)
    assert sorted(numbers(receiver.wait(1200))) == list(range(1200))


def test_a_receiver_that_comes_late(receiver):
    receiver.close()
    sawlog.configure(receiver.address, interval=0.01)
    send(100)
    assert not sawlog.flush(0.3)
    assert sawlog.stats().waiting == 100 and not sawlog.stats().connected
    late = Receiver(receiver.port)
    assert sawlog.flush(10)
    assert numbers(late.wait(100)) == list(range(100))
    late.close()


def test_a_missing_acknowledgement_sends_the_same_chunk_again(receiver):
    receiver.acks = False
    sawlog.configure(receiver.address, interval=0.01, ack_timeout=0.2)
    send(1)
    assert not sawlog.flush(0.7)
    (chunk,) = receiver.chunks
    assert receiver.chunks[chunk] >= 2
    receiver.acks = True
    assert sawlog.flush(5)
    receiver.wait(1)
    assert list(receiver.chunks) == [chunk]


def test_a_full_queue_drops_counts_and_tells(receiver):
    receiver.close()
    sawlog.configure(receiver.address, queue_bytes=100_000)
    begin = time.perf_counter()
    send(2000)
    assert time.perf_counter() - begin < 1, "the application does not wait"
    dropped = sawlog.stats().dropped
    assert 0 < dropped < 2000
    late = Receiver(receiver.port)
    assert sawlog.flush(10)
    # Room again: the next events tell of what is missing.
    send(1)
    # Once for the event, and once for the report that the sender put beside it.
    assert sawlog.flush(10) and sawlog.flush(10)
    assert sawlog.stats().dropped == dropped
    reports = [record["body"]["count"] for tag, _, record in late.events if tag == "sawlog.dropped"]
    assert sum(reports) == dropped
    # A report itself may take the room of an event between two, never that of one that was taken.
    kept = numbers([record for tag, _, record in late.events if tag == "request"])
    assert len(kept) == 2000 - dropped + 1 and kept[:-1] == sorted(kept[:-1])
    assert sawlog.stats().accepted == sawlog.stats().acknowledged == len(late.events)
    late.close()


@pytest.mark.parametrize("queue,length", [(10_000, 20_000), (1 << 30, 17 << 20)])
def test_an_event_that_is_too_long_is_dropped_and_others_go_on(receiver, queue, length):
    sawlog.configure(receiver.address, queue_bytes=queue)
    with sawlog.Context("a") as c:
        c.set("k", "x" * length)
    assert sawlog.stats().dropped == 1
    send(1)
    assert sawlog.flush() and sawlog.flush()
    assert sorted(record["type"] for record in receiver.wait(2)) == ["request", "sawlog.dropped"]


def test_what_is_no_text_and_no_answer(receiver):
    """Answers that are not of the protocol end the connection, not the sender."""
    listener = socket.create_server(("127.0.0.1", 0))
    answers = [b"\xc1\xc1\xc1", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x93\xa4HELO\x80\x80", b"\xdb\x7f\xff\xff\xff", b""]

    def serve():
        for answer in answers:
            connection, _ = listener.accept()
            connection.recv(100_000)
            connection.sendall(answer)
            connection.close()
        listener.close()
        proper.append(Receiver(port))

    port, proper = listener.getsockname()[1], []
    thread = threading.Thread(target=serve)
    thread.start()
    sawlog.configure(f"127.0.0.1:{port}", interval=0.01)
    send(5)
    assert sawlog.flush(15)
    thread.join()
    proper[0].wait(5)
    proper[0].close()


def test_shared_key_and_user():
    receiver = Receiver(shared_key="k", users={"u": "p"})
    sawlog.configure(receiver.address, shared_key="k", user="u", password="p")
    send(3)
    assert sawlog.flush()
    receiver.wait(3)
    for keys, reason in [
        ({"shared_key": "wrong", "user": "u", "password": "p"}, "shared_key mismatch"),
        ({"shared_key": "k", "user": "u", "password": "wrong"}, "username/password mismatch"),
    ]:
        sawlog.configure(receiver.address, exit_timeout=0, **keys)
        send(1)
        assert not sawlog.flush(0.3)
        assert receiver.refused[-1] == reason
    receiver.wait(3)
    receiver.close()


def test_a_wanted_key_that_is_not_given(caplog):
    receiver = Receiver(shared_key="k")
    sawlog.configure(receiver.address, exit_timeout=0)
    send(1)
    assert not sawlog.flush(0.3)
    assert "wants a shared key" in caplog.text
    receiver.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True,
        capture_output=True,
    )
    return folder


def test_tls(certificate, caplog):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    receiver = Receiver(tls=server, shared_key="k")
    sawlog.configure(receiver.address, tls=True, ca_file=str(certificate / "cert.pem"), shared_key="k")
    send(50)
    assert sawlog.flush()
    receiver.wait(50)
    # A certificate that nobody vouches for is refused.
    sawlog.configure(receiver.address, tls=True, exit_timeout=0)
    send(1)
    assert not sawlog.flush(0.3)
    assert "certificate" in caplog.text.lower()
    receiver.wait(50)
    receiver.close()


def run_program(address, program, **environment):
    """Runs a program of its own, as an application would be."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "SAWLOG_HOST": address, **environment},
        timeout=30,
        capture_output=True,
        text=True,
    )


def test_the_end_of_a_program_sends_what_waits(receiver):
    ended = run_program(
        receiver.address,
        """
        import atexit, sawlog
        atexit.register(lambda: None)
        sawlog.configure(interval=60)
        for n in range(100):
            with sawlog.Context("request") as c:
                c.set("n", n)
        """,
    )
    assert ended.returncode == 0 and ended.stderr == ""
    assert numbers(receiver.wait(100)) == list(range(100))


def test_the_end_of_a_program_does_not_hang(receiver):
    receiver.close()
    begin = time.monotonic()
    ended = run_program(
        receiver.address,
        """
        import sawlog
        sawlog.configure(exit_timeout=0.5)
        with sawlog.Context("request"):
            pass
        """,
    )
    assert ended.returncode == 0 and time.monotonic() - begin < 5


def test_events_of_exit_handlers(receiver):
    """No thread can be started at the end of the interpreter; they are sent all the same."""
    ended = run_program(
        receiver.address,
        """
        import sawlog, atexit
        sawlog.configure()
        def last():
            with sawlog.Context("last"):
                pass
        atexit.register(last)
        """,
    )
    assert ended.returncode == 0 and ended.stderr == ""
    assert [record["type"] for record in receiver.wait(1)] == ["last"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork(receiver):
    """The child sends its own events; what waited at the fork is sent by the parent alone."""
    sawlog.configure(receiver.address, interval=0.3)
    with sawlog.Context("parent") as outer:
        send(10, "before")
        child = os.fork()
        if child == 0:
            try:
                assert sawlog.stats().accepted == 0
                with sawlog.Context(".child") as c:
                    c.set("pid", os.getpid())
                outer.done()
                os._exit(0 if sawlog.flush() else 1)
            except BaseException:
                os._exit(2)
        _, status = os.waitpid(child, 0)
        assert os.WEXITSTATUS(status) == 0
    assert sawlog.flush()
    receiver.wait(12)
    tags = [tag for tag, _, _ in receiver.events]
    assert sorted(tags) == ["before"] * 10 + ["parent", "parent.child"]
    (below,) = [record for tag, _, record in receiver.events if tag == "parent.child"]
    assert below["pid"] == child == below["body"]["pid"] and below["id"] == outer.id


def work(n):
    with sawlog.Context("work") as c:
        c.set("n", n)
    return c.id


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_worker_processes(receiver, method):
    """Workers of multiprocessing end without exit handlers; their events arrive, with ids of their own."""
    sawlog.configure(receiver.address, interval=60)
    send(5)
    context = multiprocessing.get_context(method)
    configure = sawlog.configure if method != "fork" else int
    arguments = (receiver.address,) if method != "fork" else ()
    processes = [context.Process(target=worker, args=(configure, arguments, n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
        assert process.exitcode == 0
    assert sawlog.flush()
    records = receiver.wait(8)
    ids = {record["id"] for record in records}
    assert len(ids) == 8


def worker(configure, arguments, n):
    configure(*arguments)
    work(n)


def test_agent_takes_and_keeps(agent, receiver):
    """Through a real agent, types and all."""
    sawlog.configure(agent.address)
    with sawlog.Context("request") as c:
        c.set("values", [None, True, -1, 2**63, 1.5, "é", b"\xff"])
        c.set("map", {"x": {"y": 1}})
    send(500)
    assert sawlog.flush()
    records = receiver.wait(501)
    assert records[0]["body"] == {"values": [None, True, -1, 2**63, 1.5, "é", b"\xff"], "map": {"x": {"y": 1}}}
    assert records[0]["start"] == c.start_time and records[0]["end"] == c.end_time
    assert numbers(records[1:]) == list(range(500))
    assert {tag for tag, _, _ in receiver.events} == {"request"}


def test_agent_is_killed_in_the_middle(agent, receiver):
    """Nothing that found room is lost, and what is sent again is recognised by its chunk."""
    sawlog.configure(agent.address, interval=0.005, chunk_bytes=5000)
    sent = 0
    for round in range(4):
        for _ in range(25):
            for _ in range(20):
                with sawlog.Context("request") as c:
                    c.set("n", sent)
                sent += 1
            time.sleep(0.002)
        agent.kill()
        with sawlog.Context("request") as c:
            c.set("n", sent)
        sent += 1
        agent.start()
    assert sawlog.flush(20)
    assert sawlog.stats().dropped == 0
    assert sorted(numbers(receiver.wait(sent, timeout=20))) == list(range(sent))
    time.sleep(0.2)
    receiver.wait(sent)


def test_agent_with_a_shared_key(receiver, tmp_path):
    from agent import Agent, binary

    if not binary().is_file():
        pytest.skip(f"there is no {binary()}")
    agent = Agent(tmp_path, receiver.port, 'shared_key = "k"\nusers = ["u:p"]')
    try:
        sawlog.configure(agent.address, shared_key="k", user="u", password="p", compress="gzip")
        send(20)
        assert sawlog.flush()
        receiver.wait(20)
        sawlog.configure(agent.address, shared_key="k", user="u", password="no", exit_timeout=0)
        send(1)
        assert not sawlog.flush(0.3)
        receiver.wait(20)
    finally:
        agent.stop()


def test_agent_over_tls(receiver, tmp_path, certificate):
    from agent import Agent, binary

    if not binary().is_file():
        pytest.skip(f"there is no {binary()}")
    cert, key = certificate / "cert.pem", certificate / "key.pem"
    agent = Agent(tmp_path, receiver.port, f'tls_cert = "{cert}"\ntls_key = "{key}"\nshared_key = "k"')
    try:
        sawlog.configure(agent.address, tls=True, ca_file=str(cert), shared_key="k")
        send(20)
        assert sawlog.flush()
        receiver.wait(20)
    finally:
        agent.stop()


def test_interrupted_program(receiver):
    """SIGINT ends a program through its exit handlers."""
    program = textwrap.dedent(
        """
        import sawlog, time
        sawlog.configure(interval=60)
        with sawlog.Context("request"):
            pass
        print("sent", flush=True)
        time.sleep(60)
        """
    )
    environment = {**os.environ, "SAWLOG_HOST": receiver.address}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.wait(10)
    receiver.wait(1)
