"""A FastAPI application: SAWLOG_HOST=127.0.0.1:24224 python fastapi_app.py [PORT]"""

import asyncio
import logging
import socket
import sys

import fastapi
import uvicorn

import sawlog
from sawlog.integrations.asgi import EventMiddleware

app = fastapi.FastAPI()
app.add_middleware(EventMiddleware)


async def look_up(item: int) -> dict:
    with sawlog.Context(".lookup") as event:
        event.set("item", item)
        await asyncio.sleep(0.001)
        return {"name": f"item {item}"} if item <= 100 else {}


@app.get("/items/{item}")
async def one(item: int) -> dict:
    # Tasks inherit the request, so both are below it.
    found, _ = await asyncio.gather(look_up(item), look_up(item + 1))
    if not found:
        logging.warning("no item %s", item)
        raise fastapi.HTTPException(404)
    return found


def main() -> None:
    sawlog.configure()
    logging.getLogger().addHandler(sawlog.LogHandler())
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000))
    # asyncio sets this only on sockets that it makes itself; without it an answer in two parts waits 40 ms for its second.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"listening on {listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listener])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
