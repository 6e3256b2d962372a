"""Contexts: names, ids, bodies, sampling, threads and tasks. The tables of names are what BlueOx 0.11.3 answers."""

import asyncio
import concurrent.futures
import contextvars
import threading
import time

import pytest

import sawlog

# Contexts around, the name asked for, the name that it gets, whether it has the id of one around it.
NAMES = [
    ([], "a", "a", False),
    ([], ".a", "a", False),
    ([], "^.a", "a", False),
    ([], "a..b", "a..b", False),
    (["r"], ".s", "r.s", True),
    (["r"], "rx", "rx", False),
    (["r"], ".r", "r", True),
    (["r"], "^.t", "r.t", True),
    (["r"], "^.r", "r", True),
    (["r"], "r.s", "r.s", True),
    # BlueOx raises IndexError here.
    (["r"], "r", "r", True),
    (["r", ".s"], ".s.t", "r.s.t", True),
    (["r", ".s"], ".t", "r.s.t", True),
    (["r", ".s"], ".s", "r.s", True),
    (["r", ".s"], ".r", "r", True),
    (["r", ".s"], "^.t", "r.t", True),
    (["r", ".s"], "^.s.t", "r.s.t", True),
    (["r", ".s"], "r.s", "r.s", True),
    (["r", ".s"], "r.x", "r.x", True),
    (["r", ".s"], "x", "x", False),
    (["a.b"], "a.c", "a.c", False),
    (["a.b"], "a.b.c", "a.b.c", True),
    (["a.b"], ".b", "a.b", True),
    (["a.b"], ".a", "a", True),
    (["a.b"], ".c", "a.b.c", True),
    (["a.b"], ".a.b.c", "a.b.c", True),
    (["a.b"], "a", "a", False),
    (["r", ".s", ".u"], ".s", "r.s", True),
    (["r", ".s", ".u"], ".u", "r.s.u", True),
    (["r", ".s", ".u"], ".s.q", "r.s.q", True),
    (["r", ".s", ".u"], ".x", "r.s.u.x", True),
    (["r", "x"], ".s", "x.s", True),
    (["r", "x"], "^.t", "r.t", True),
    (["r", "x"], "r.y", "r.y", True),
]


@pytest.mark.parametrize("around,given,name,inherits", NAMES)
def test_name_and_id(around, given, name, inherits):
    stack = [sawlog.Context(outer).start() for outer in around]
    context = sawlog.Context(given)
    assert context.name == name
    assert (context.id in [outer.id for outer in stack]) == inherits


@pytest.mark.parametrize("around", [[], ["r"]])
@pytest.mark.parametrize("given", ["..a", "^a", "", ".", "^", "^."])
def test_names_that_cannot_be(around, given):
    for outer in around:
        sawlog.Context(outer).start()
    with pytest.raises(ValueError):
        sawlog.Context(given)


def test_ids_are_those_of_blueox_and_sort_by_time():
    first = sawlog.Context("a").id
    assert len(first) == 32 and int(first, 16)
    assert abs(int(first[:8], 16) - time.time()) < 5
    assert sawlog.Context("a").id != first
    assert sawlog.Context("a", id=7).id == 7


def test_body(recorded):
    with sawlog.Context("request") as c:
        c.set("user", 7)
        c.set("two", 1, 2)
        c.set("map", a=1)
        c.set("map", b=2)
        c.set("response.status", 200)
        c.append("l", "a")
        sawlog.append("l", "b")
        c.set("l.0", "A")
        c.add("n", 2)
        sawlog.add("n", 3)
        sawlog.set("module", True)
        with sawlog.timeit("spent"):
            pass
        with pytest.raises(ValueError):
            c.set("a.0.b", 1)
        with pytest.raises(ValueError):
            c.set("user.name", 1)
        with pytest.raises(ValueError):
            c.append("user", 1)
    spent = recorded[0].body.pop("spent")
    assert 0 <= spent < 1
    assert recorded[0].body == {
        "user": 7,
        "two": [1, 2],
        "map": {"a": 1, "b": 2},
        "response": {"status": 200},
        "l": ["A", "b"],
        "n": 5,
        "module": True,
        "a": {},
    }


def test_writing_outside_is_an_error_and_module_functions_do_nothing():
    context = sawlog.Context("a")
    for _ in range(2):
        with pytest.raises(ValueError):
            context.set("k", 1)
        with context:
            pass
    sawlog.set("k", 1)
    sawlog.append("k", 1)
    sawlog.add("k", 1)
    with sawlog.timeit("k"):
        pass
    assert sawlog.current_context() is None and sawlog.find_context("^") is None


def test_parents_spans_and_find(recorded):
    with sawlog.Context("r") as top:
        with sawlog.Context(".s") as middle:
            with sawlog.Context(".t") as inner:
                assert sawlog.find_context("^") is top
                assert sawlog.find_context("..") is middle
                assert sawlog.find_context(".") is inner is sawlog.current_context()
                assert sawlog.find_context("r.s") is middle
                assert sawlog.find_context("nobody") is None
    assert [c.name for c in recorded] == ["r.s.t", "r.s", "r"]
    assert inner.parent is middle and middle.parent is top and top.parent is None
    assert len({inner.span, middle.span, top.span}) == 3 and inner.id == top.id
    assert top.start_time <= middle.start_time <= inner.start_time <= inner.end_time <= middle.end_time <= top.end_time


def test_stop_done_and_going_on(recorded):
    first = sawlog.Context("a").start()
    begun = first.start_time
    first.stop()
    assert sawlog.current_context() is None and recorded == []
    first.start()
    assert sawlog.current_context() is first and first.start_time == begun
    inner = sawlog.Context("b").start()
    first.done()
    assert sawlog.current_context() is inner
    inner.done()
    assert sawlog.current_context() is None
    first.done()
    assert recorded == [first, inner]


def test_sent_where_the_block_raises(recorded):
    with pytest.raises(KeyError):
        with sawlog.Context("a"):
            raise KeyError
    assert [c.name for c in recorded] == ["a"]


def test_wrapped_functions(recorded):
    @sawlog.context_wrap("work")
    def work(n):
        sawlog.set("n", n)
        return n + 1

    @sawlog.context_wrap(".later")
    async def later():
        await asyncio.sleep(0)
        sawlog.set("there", True)

    assert work(1) == 2
    asyncio.run(later())
    assert [(c.name, c.body) for c in recorded] == [("work", {"n": 1}), ("later", {"there": True})]


@pytest.mark.parametrize("who", [".", "a", "..", "^", "top"])
def test_sampling_by_rate(recorded, who):
    for rate, kept in ((0.0, 0), (1.0, 20)):
        recorded.clear()
        for _ in range(20):
            with sawlog.Context("top"), sawlog.Context(".a", sample=(who, rate)):
                with sawlog.Context(".below"):
                    sawlog.set("k", 1)
        names = [c.name for c in recorded]
        assert names.count("top.a") == names.count("top.a.below") == kept and names.count("top") == 20


def test_an_ancestor_decides_once_per_type(recorded):
    seen = set()
    for _ in range(40):
        with sawlog.Context("top"):
            for _ in range(5):
                with sawlog.Context(".middle"), sawlog.Context(".a", sample=("^", 0.5)):
                    pass
        kept = [c.name for c in recorded].count("top.middle.a")
        recorded.clear()
        assert kept in (0, 5)
        seen.add(kept)
    assert seen == {0, 5}


def test_own_sampling_decides_each_time(recorded):
    for _ in range(400):
        with sawlog.Context("a", sample=(".", 0.5)):
            pass
    assert 100 < len(recorded) < 300


def test_threads_have_their_own(recorded):
    names = []

    def work():
        names.append(sawlog.Context(".s").name)
        with sawlog.Context("thread"):
            names.append(sawlog.Context(".s").name)

    with sawlog.Context("main"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert pool.submit(contextvars.copy_context().run, lambda: sawlog.Context(".s").name).result() == "main.s"
    assert names == ["s", "thread.s"]


def test_tasks_keep_apart_and_inherit(recorded):
    async def sub(n):
        with sawlog.Context(".sub") as c:
            await asyncio.sleep(0.001)
            sawlog.set("n", n)
            assert sawlog.current_context() is c

    async def request(n):
        with sawlog.Context("request") as c:
            c.set("n", n)
            await asyncio.gather(sub(n), sub(n), asyncio.to_thread(sawlog.set, "threaded", n))

    async def main():
        await asyncio.gather(*(request(n) for n in range(50)))

    asyncio.run(main())
    top = {c.id: c for c in recorded if c.name == "request"}
    assert len(top) == 50 and all(c.body == {"n": c.body["n"], "threaded": c.body["n"]} for c in top.values())
    below = [c for c in recorded if c.name == "request.sub"]
    assert len(below) == 100
    assert all(c.body["n"] == top[c.id].body["n"] and c.parent is top[c.id] for c in below)


def test_a_task_that_outlives_its_request(recorded):
    async def main():
        after = asyncio.Event()

        async def late():
            await after.wait()
            sawlog.set("ignored", 1)
            with sawlog.Context(".late"):
                pass

        with sawlog.Context("request"):
            task = asyncio.ensure_future(late())
            await asyncio.sleep(0)
        after.set()
        await task

    asyncio.run(main())
    assert [(c.name, c.body) for c in recorded] == [("request", {}), ("request.late", {})]
    assert recorded[0].id == recorded[1].id


def test_not_configured_does_nothing():
    assert sawlog.stats() is None and sawlog.flush() and sawlog.shutdown() == 0
    with sawlog.Context("a") as c:
        c.set("k", 1)
    sawlog.configure()
    assert sawlog.stats() is None
