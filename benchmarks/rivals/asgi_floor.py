"""A bare uvicorn application that receives a body and answers ``/N`` with N bytes: ``asgi_floor.py PORT``."""

import functools
import sys

import uvicorn


@functools.cache
def answer(size: int) -> bytes:
    return bytes(size)


async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    body = answer(int(scope["path"][1:]))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="critical")
