"""The integrations, each with the real framework; one that is not installed is skipped."""

import asyncio
import logging
import threading

import pytest

import sawlog
from sawlog.integrations import http


def named(recorded, name):
    return [event for event in recorded if event.name == name]


def test_headers():
    pairs = [(b"Accept", b"a"), (b"accept", b"b"), ("Cookie", "secret"), ("X", "\xe9")]
    assert http.headers(pairs) == {"accept": "a, b", "cookie": http.HIDDEN, "x": "\xe9"}
    environ = {"HTTP_X_A": "1", "CONTENT_LENGTH": "", "CONTENT_TYPE": "t", "HTTP_AUTHORIZATION": "s", "SERVER_NAME": "n"}
    assert http.environ_headers(environ) == {"x-a": "1", "content-type": "t", "authorization": http.HIDDEN}


def test_wsgi(recorded):
    from wsgiref.util import setup_testing_defaults

    from sawlog.integrations.wsgi import EventMiddleware

    def app(environ, start_response):
        with sawlog.Context(".sql"):
            pass
        if environ["PATH_INFO"] == "/early":
            raise KeyError("early")
        start_response("201 Created", [])

        def parts():
            sawlog.set("streaming", True)
            yield b"12"
            if environ["PATH_INFO"] == "/late":
                raise KeyError("late")
            yield b"345"

        return parts()

    def call(path):
        environ = {"PATH_INFO": path, "QUERY_STRING": "q=1", "REMOTE_ADDR": "1.2.3.4"}
        setup_testing_defaults(environ)
        body = EventMiddleware(app)(environ, lambda *_: None)
        try:
            return b"".join(body)
        finally:
            body.close()

    assert call("/a") == b"12345"
    for path in ("/early", "/late"):
        with pytest.raises(KeyError):
            call(path)
    assert sawlog.current_context() is None
    whole, early, late = named(recorded, "request")
    assert whole.body["headers"] == {"host": "127.0.0.1"}
    del whole.body["headers"]
    assert whole.body == {
        "method": "GET",
        "path": "/a",
        "query": "q=1",
        "client_ip": "1.2.3.4",
        "response_status_code": 201,
        "streaming": True,
        "response_size": 5,
    }
    assert "early" in early.body["exception"] and "response_size" not in early.body
    assert "late" in late.body["exception"] and late.body["response_size"] == 2
    assert [event.parent for event in named(recorded, "request.sql")] == [whole, early, late]


def test_asgi_with_fastapi(recorded):
    fastapi = pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    from fastapi.testclient import TestClient
    from starlette.responses import StreamingResponse

    from sawlog.integrations.asgi import EventMiddleware

    app = fastapi.FastAPI()
    app.add_middleware(EventMiddleware)

    @app.get("/items/{item}")
    async def item(item: int):
        with sawlog.Context(".sql"):
            await asyncio.sleep(0.001)
        sawlog.set("item", item)
        return {"item": item}

    @app.get("/threaded")
    def threaded():
        sawlog.set("threaded", True)
        return "ok"

    @app.get("/stream")
    async def stream():
        async def parts():
            for part in ("ab", "cde"):
                sawlog.append("parts", part)
                yield part

        return StreamingResponse(parts())

    @app.get("/bad")
    async def bad():
        raise KeyError("bad")

    @app.websocket("/ws")
    async def ws(socket: fastapi.WebSocket):
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close(4000)

    client = TestClient(app, raise_server_exceptions=False)
    with client:
        assert client.get("/items/7?q=1", headers={"Authorization": "secret"}).json() == {"item": 7}
        client.get("/threaded")
        assert client.get("/stream").text == "abcde"
        assert client.get("/bad").status_code == 500
        with client.websocket_connect("/ws") as socket:
            socket.send_text("hello")
            assert socket.receive_text() == "hello"
    whole, threaded, stream, bad, websocket = named(recorded, "request")
    headers = whole.body.pop("headers")
    assert headers["authorization"] == http.HIDDEN and headers["host"] == "testserver"
    assert whole.body == {
        "method": "GET",
        "path": "/items/7",
        "query": "q=1",
        "client_ip": "testclient",
        "item": 7,
        "response_status_code": 200,
        "response_size": 10,
    }
    (sql,) = named(recorded, "request.sql")
    assert sql.id == whole.id and sql.parent is whole
    assert threaded.body["threaded"] is True
    assert stream.body["parts"] == ["ab", "cde"] and stream.body["response_size"] == 5
    assert "KeyError: 'bad'" in bad.body["exception"]
    assert (websocket.body["received"], websocket.body["sent"], websocket.body["close_code"]) == (1, 1, 4000)


def flask_requests(app, client):
    @app.get("/a")
    def a():
        with sawlog.Context(".sql"):
            sawlog.set("query", "q")
        return "hello", 201

    @app.get("/bad")
    def bad():
        raise KeyError("bad")

    assert client.get("/a?q=1").status_code == 201
    assert client.get("/bad").status_code == 500
    assert client.get("/none").status_code == 404
    assert sawlog.current_context() is None


def test_flask(recorded):
    flask = pytest.importorskip("flask")
    from sawlog.integrations.flask import Events

    app = flask.Flask("tests")
    Events(app)
    flask_requests(app, app.test_client())
    whole, bad, none = named(recorded, "request")
    assert whole.body.pop("headers")["host"] == "localhost"
    assert whole.body == {
        "method": "GET",
        "path": "/a",
        "url": "http://localhost/a?q=1",
        "client_ip": "127.0.0.1",
        "endpoint": "a",
        "response_status_code": 201,
        "response_size": 5,
    }
    assert named(recorded, "request.sql")[0].parent is whole
    assert "KeyError: 'bad'" in bad.body["exception"] and bad.body["response_status_code"] == 500
    assert none.body["response_status_code"] == 404 and "endpoint" not in none.body


def test_blueox_flask(receiver):
    flask = pytest.importorskip("flask")
    from sawlog.blueox.contrib.flask import BlueOxMiddleware

    app = flask.Flask("tests")
    app.config.update(BLUEOX_HOST=receiver.address, BLUEOX_NAME="shop")
    BlueOxMiddleware(app)
    flask_requests(app, app.test_client())
    assert sawlog.flush()
    records = receiver.wait(4)
    assert [record["type"] for record in records].count("shop.request") == 3
    app = flask.Flask("tests")
    app.config.update(BLUEOX_HOST="")
    BlueOxMiddleware(app)
    assert sawlog.stats() is None


@pytest.fixture(scope="session")
def django_site():
    django = pytest.importorskip("django")
    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import path

    def hello(request, n):
        with sawlog.Context(".sql"):
            pass
        request.version = "1.2"
        return HttpResponse("x" * n, headers={"X-Answer": "1", "Set-Cookie": "secret"})

    async def later(request):
        await asyncio.sleep(0)
        sawlog.set("later", True)
        return HttpResponse("later")

    def bad(request):
        raise KeyError("bad")

    urls = [path("hello/<int:n>", hello, name="hello"), path("later", later), path("bad", bad)]
    settings.configure(
        ROOT_URLCONF=type("urls", (), {"urlpatterns": urls}),
        MIDDLEWARE=["sawlog.integrations.django.EventMiddleware"],
        ALLOWED_HOSTS=["testserver"],
        DEBUG_PROPAGATE_EXCEPTIONS=False,
        SECRET_KEY="x",
        LOGGING_CONFIG=None,
    )
    django.setup()
    return settings


def test_django(django_site, recorded):
    from django.test import AsyncClient, Client

    client = Client(raise_request_exception=False)
    assert client.get("/hello/3?q=1").content == b"xxx"
    assert client.get("/bad").status_code == 500
    assert client.get("/hello/1", headers={"host": "evil"}).status_code in (200, 400)
    asyncio.run(AsyncClient().get("/later"))
    whole, bad, evil, later = named(recorded, "request")
    whole.body.pop("headers")
    answered = whole.body.pop("response_headers")
    assert answered["x-answer"] == "1" and answered["set-cookie"] == http.HIDDEN
    assert whole.body == {
        "method": "GET",
        "path": "/hello/3",
        "uri": "http://testserver/hello/3?q=1",
        "client_ip": "127.0.0.1",
        "view": "hello",
        "version": "1.2",
        "response_status_code": 200,
        "response_size": 3,
    }
    assert named(recorded, "request.sql")[0].parent is whole
    assert "KeyError: 'bad'" in bad.body["exception"] and bad.body["response_status_code"] == 500
    assert "evil" in evil.body["uri_error"]
    assert later.body["later"] is True and later.body["response_status_code"] == 200


def test_blueox_django(django_site, receiver):
    from django.test import Client, override_settings

    middleware = ["sawlog.blueox.contrib.django.middleware.Middleware"]
    with override_settings(MIDDLEWARE=middleware, BLUEOX_HOST=receiver.address, BLUEOX_NAME="site"):
        Client().get("/hello/3")
    assert sawlog.flush()
    records = receiver.wait(2)
    assert [record["type"] for record in records] == ["site.request.sql", "site.request"] or sorted(
        record["type"] for record in records
    ) == ["site.request", "site.request.sql"]
    with override_settings(MIDDLEWARE=middleware, BLUEOX_HOST=None):
        Client().get("/hello/3")
    assert sawlog.stats() is None


@pytest.fixture
def celery_app():
    celery = pytest.importorskip("celery")
    app = celery.Celery("tests", broker="memory://", backend="cache+memory://")
    app.conf.broker_transport_options = {"polling_interval": 0.01}
    app.conf.update(worker_hijack_root_logger=False, task_always_eager=False, broker_connection_retry_on_startup=False)
    return app


def test_celery(recorded, celery_app):
    from celery.contrib.testing.worker import start_worker

    from sawlog.integrations import celery as integration

    tries = []

    @celery_app.task(name="tests.work", bind=True, max_retries=1, default_retry_delay=0)
    def work(self, n, again=False):
        with sawlog.Context(".step"):
            sawlog.set("n", n)
        if n < 0:
            raise KeyError("negative")
        if again and not tries:
            tries.append(n)
            raise self.retry()
        return n + 1

    integration.install("shop")
    with start_worker(celery_app, pool="solo", perform_ping_check=False, shutdown_timeout=5):
        with sawlog.Context("request") as request:
            good = work.delay(1)
            bad = work.delay(-1)
            again = work.delay(2, again=True)
        assert good.get(timeout=10) == 2 and again.get(timeout=10) == 3
        with pytest.raises(KeyError):
            bad.get(timeout=10)
    for _ in range(200):
        if len(named(recorded, "shop.celery.task")) == 4:
            break
        threading.Event().wait(0.01)
    sent = named(recorded, "request.celery.task_sent")
    assert [event.body["task_id"] for event in sent][:3] == [good.id, bad.id, again.id]
    assert all(event.body["task"] == "tests.work" and event.id == request.id for event in sent)
    runs = named(recorded, "shop.celery.task")
    assert {event.id for event in runs} == {request.id}, "in the tree of the sender"
    by_task = {}
    for event in runs:
        by_task.setdefault(event.body["task_id"], []).append(event.body)
    (body,) = by_task[good.id]
    assert (body["task"], body["result_state"], list(body["args"]), body["kwargs"]) == ("tests.work", "SUCCESS", [1], {})
    (body,) = by_task[bad.id]
    assert body["result_state"] == "FAILURE" and "KeyError: 'negative'" in body["exception"]
    first, second = by_task[again.id]
    assert (first["result_state"], second["result_state"], second["retries"]) == ("RETRY", "SUCCESS", 1)
    steps = named(recorded, "shop.celery.task.step")
    assert len(steps) == 4 and all(step.parent in runs for step in steps)


def serve_tornado(handlers, talk):
    """Runs `talk(base)` against a server of `handlers`."""
    import tornado.httpserver
    import tornado.netutil
    import tornado.web

    async def main():
        (socket,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server = tornado.httpserver.HTTPServer(tornado.web.Application(handlers))
        server.add_sockets([socket])
        await talk(f"http://127.0.0.1:{socket.getsockname()[1]}")
        server.stop()
        await server.close_all_connections()

    logging.getLogger("tornado.access").disabled = True
    logging.getLogger("tornado.application").disabled = True
    asyncio.run(main())


def test_tornado(recorded):
    pytest.importorskip("tornado")
    import tornado.web

    from sawlog.integrations.tornado import AsyncHTTPClient, SampleRequestHandler

    class Main(SampleRequestHandler):
        async def get(self, n):
            with sawlog.Context(".sql"):
                await asyncio.sleep(0.002)
                sawlog.set("n", n)
            self.write({"n": n})
            sawlog.set("n", n)

    class Bad(SampleRequestHandler):
        def get(self):
            raise KeyError("bad")

    class Refused(SampleRequestHandler):
        def get(self):
            raise tornado.web.HTTPError(403)

    async def talk(base):
        client = AsyncHTTPClient(force_instance=True)
        with sawlog.Context("caller"):
            await asyncio.gather(*(client.fetch(f"{base}/a/{n}") for n in range(8)))
            for path, code in (("/bad", 500), ("/refused", 403)):
                with pytest.raises(Exception) as caught:
                    await client.fetch(base + path)
                assert caught.value.code == code
            assert sawlog.current_context().name == "caller"
        client.close()

    serve_tornado([("/a/(.*)", Main), ("/bad", Bad), ("/refused", Refused)], talk)
    requests = named(recorded, "request")
    assert len(requests) == 10
    good = [event for event in requests if event.body["response_status_code"] == 200]
    for event in good:
        assert event.body["uri"] == f"/a/{event.body['n']}" and event.body["method"] == "GET"
        assert event.body["response_size"] == 10 and "host" in event.body["headers"]
    sql = named(recorded, "request.sql")
    assert len(sql) == 8 and all(event.body["n"] == event.parent.body["n"] for event in sql)
    (bad,) = [event for event in requests if event.body["response_status_code"] == 500]
    assert "KeyError: 'bad'" in bad.body["exception"]
    (refused,) = [event for event in requests if event.body["response_status_code"] == 403]
    assert "exception" not in refused.body
    fetched = named(recorded, "caller.httpclient")
    assert sorted(event.body["response"]["code"] for event in fetched) == [200] * 8 + [403, 500]
    assert {event.body["request"]["method"] for event in fetched} == {"GET"}


def test_blueox_tornado(receiver):
    """The sample of BlueOx: handlers of old style, `install()`, the reload hook."""
    pytest.importorskip("tornado")
    import tornado.autoreload
    import tornado.gen
    import tornado.web

    import sawlog.blueox as blueox

    blueox.default_configure(receiver.address)
    blueox.tornado_utils.install()
    tornado.autoreload.add_reload_hook(blueox.shutdown)

    class Main(blueox.tornado_utils.SampleRequestHandler):
        @blueox.tornado_utils.coroutine
        def get(self):
            with blueox.Context(".sql", sample=("..", 1.0)):
                yield tornado.gen.sleep(0.001)
            assert self.blueox_ctx is blueox.current_context()
            self.write("hello")

    class Plain(blueox.tornado_utils.BlueOxRequestHandlerMixin, tornado.web.RequestHandler):
        blueox_name = "plain"

        def get(self):
            blueox.set("k", 1)
            self.finish("x")

    async def talk(base):
        client = blueox.tornado_utils.AsyncHTTPClient(force_instance=True)
        await asyncio.gather(*(client.fetch(f"{base}/") for _ in range(5)))
        await client.fetch(f"{base}/plain")
        client.close()

    serve_tornado([("/", Main), ("/plain", Plain)], talk)
    for hook in tornado.autoreload._reload_hooks:
        hook()
    assert sawlog.stats() is None
    records = receiver.wait(5 + 5 + 6 + 1)
    types = [record["type"] for record in records]
    assert (types.count("request"), types.count("request.sql"), types.count("httpclient")) == (5, 5, 6)
    spans = {record["span"]: record for record in records}
    for record in records:
        if record["type"] == "request.sql":
            parent = spans[record["parent"]]
            assert parent["id"] == record["id"] and parent["body"]["response_size"] == 5
        if record["type"] == "plain":
            assert record["body"] == {"k": 1}
