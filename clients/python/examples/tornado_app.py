"""A Tornado application with sub-contexts and timed queries: SAWLOG_HOST=127.0.0.1:24224 python tornado_app.py [PORT]"""

import asyncio
import logging
import sqlite3
import sys

import tornado.web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

import sawlog
from sawlog.integrations.tornado import SampleRequestHandler


class Database:
    """Each query is an event `.sql` below the request that makes it."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)")
        self._connection.executemany("INSERT INTO item (name) VALUES (?)", [(f"item {n}",) for n in range(100)])

    def query(self, statement: str, *values: object) -> list:
        with sawlog.Context(".sql") as event:
            event.set("query", statement)
            with sawlog.timeit("execute"):
                rows = self._connection.execute(statement, values).fetchall()
            event.set("rows", len(rows))
            return rows


class Item(SampleRequestHandler):
    """One item, or 404."""

    def initialize(self, database: Database) -> None:
        self.database = database

    async def get(self, item: str) -> None:
        rows = self.database.query("SELECT name FROM item WHERE id = ?", int(item))
        with sawlog.Context(".render"):
            await asyncio.sleep(0.001)
        if not rows:
            logging.warning("no item %s", item)
            raise tornado.web.HTTPError(404)
        self.write({"name": rows[0][0]})


async def main() -> None:
    sawlog.configure()
    logging.getLogger().addHandler(sawlog.LogHandler())
    sockets = bind_sockets(int(sys.argv[1]) if len(sys.argv) > 1 else 8888, "127.0.0.1")
    server = HTTPServer(tornado.web.Application([(r"/items/(\d+)", Item, {"database": Database()})]))
    server.add_sockets(sockets)
    print(f"listening on {sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
