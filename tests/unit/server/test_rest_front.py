"""The REST front in memory: requests go straight into the ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fronts import in_memory
from httpx import ASGITransport, AsyncClient

from srv import Settings
from srv.rest._app import rest_app

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from httpx import Response

    from srv._server import Server

# Litestar's newer way to declare the parameters of a path is not in all the releases that are supported.
pytestmark = pytest.mark.filterwarnings("ignore:.* declared using deprecated inferred style")

HEADER_LENGTH = "inference-header-content-length"
STREAM = "/v2/models/breaking/infer_stream"


@contextlib.asynccontextmanager
async def rest(settings: Settings | None = None) -> AsyncGenerator[tuple[AsyncClient, Server]]:
    settings = settings or Settings()
    async with in_memory(settings) as server:
        app: Any = rest_app(server.backend)
        transport, headers = ASGITransport(app), {"Accept-Encoding": "identity"}
        async with AsyncClient(transport=transport, headers=headers, base_url="http://test") as client:
            yield client, server


def body(*values: int) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "INT32", "shape": [len(values)], "data": list(values)}]}


def error(response: Response) -> str:
    assert response.headers["content-type"] == "application/json"
    text: str = response.json()["error"]
    return text


def test_json_in_json_out_with_headers_both_ways() -> None:
    async def run() -> None:
        async with rest() as (client, _):
            response = await client.post(
                "/v2/models/echo/infer", json={"id": "7", **body(1, 2)}, headers={"X-Sent": "a"}
            )

        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-seen"] == "a"
        assert HEADER_LENGTH not in response.headers
        assert response.json() == {
            "model_name": "echo",
            "id": "7",
            "outputs": [{"name": "x", "datatype": "INT32", "shape": [2], "data": [1, 2]}],
        }

    asyncio.run(run())


def test_binary_in_binary_out() -> None:
    async def run() -> None:
        data = np.arange(1000, dtype="<f8").tobytes()
        tensor = {"name": "x", "datatype": "FP64", "shape": [1000], "parameters": {"binary_data_size": len(data)}}
        head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
        async with rest() as (client, _):
            response = await client.post(
                "/v2/models/echo/infer", content=head + data, headers={HEADER_LENGTH: str(len(head))}
            )

        assert response.headers["content-type"] == "application/octet-stream"
        assert int(response.headers["content-length"]) == len(response.content)
        size = int(response.headers[HEADER_LENGTH])
        assert response.content[size:] == data
        assert json.loads(response.content[:size])["outputs"] == [tensor]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "text"),
    [
        ("POST", "/v2/models/echo/infer", b"", 400, "the request body is empty; expected an inference request"),
        ("POST", "/v2/models/echo/infer", b"{", 400, "truncated"),
        ("POST", "/v2/models/refusing/infer", b"ok", 400, "x: not this one"),
        ("POST", "/v2/models/unknown/infer", b"ok", 404, "unknown"),
        ("POST", "/v2/models/echo/versions/9/infer", b"ok", 404, "9"),
        ("POST", "/v2/models/echo/infer", b" " * 1001, 413, "1001 bytes"),
        ("POST", "/v2/models/breaking/infer", b"ok", 501, "decoupled"),
        ("GET", "/v2/models/unknown", b"", 404, "unknown"),
        ("POST", "/v2/repository/models/unknown/unload", b"", 404, "unknown"),
        ("POST", "/v2/repository/models/unknown/load", b"", 400, "there is no such model"),
        ("GET", "/v2/models/echo/infer", b"", 405, "Method Not Allowed"),
        ("GET", "/elsewhere", b"", 404, "Not Found"),
    ],
)
def test_errors_have_their_status_and_one_form(method: str, path: str, content: bytes, status: int, text: str) -> None:
    async def run() -> None:
        sent = json.dumps(body(1)).encode() if content == b"ok" else content
        async with rest(Settings(max_request_size=1000)) as (client, _):
            response = await client.request(method, path, content=sent)

        assert response.status_code == status
        assert text in error(response)

    asyncio.run(run())


def test_an_exception_of_a_runtime_is_logged_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with rest() as (client, _):
            response = await client.post("/v2/models/broken/infer", json=body(1))

        assert response.status_code == 500
        assert error(response) == "internal server error"
        assert "KeyError: 'secret'" in caplog.text

    asyncio.run(run())


def test_an_error_in_a_stream_is_its_last_event() -> None:
    async def run() -> None:
        async with rest() as (client, _):
            response = await client.post(STREAM, json=body(2))

        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        *events, end = response.text.split("\n\n")
        assert end == ""
        first, second, last = (json.loads(event.removeprefix("data: ")) for event in events)
        assert [each["outputs"][0]["data"] for each in (first, second)] == [[0], [1]]
        assert last == {"error": "internal server error"}

    asyncio.run(run())


def test_an_error_before_the_first_event_has_a_status() -> None:
    async def run() -> None:
        async with rest() as (client, _):
            response = await client.post(STREAM, json=body(0))

        assert response.status_code == 500
        assert error(response) == "internal server error"

    asyncio.run(run())


def test_readiness_follows_the_servers_life() -> None:
    async def run() -> None:
        async with rest() as (client, server):

            async def statuses() -> list[int]:
                paths = ("/v2/health/live", "/v2/health/ready", "/v2/models/echo/ready")
                return [(await client.get(path)).status_code for path in paths]

            assert await statuses() == [200, 503, 200]
            server.state.set_started()
            assert await statuses() == [200, 200, 200]
            server.state.set_stopping()
            assert await statuses() == [200, 503, 503]

    asyncio.run(run())


def test_an_unloaded_model_is_in_the_index_and_answers_no_more() -> None:
    async def run() -> None:
        async with rest() as (client, _):
            assert (await client.post("/v2/repository/models/echo/unload")).status_code == 200
            index = {each["name"]: each for each in (await client.post("/v2/repository/index")).json()}
            response = await client.post("/v2/models/echo/infer", json=body(1))

        assert (index["echo"]["state"], index["echo"]["reason"]) == ("UNAVAILABLE", "unloaded")
        assert index["broken"]["state"] == "READY"
        assert response.status_code == 404
        assert "no available versions" in error(response)

    asyncio.run(run())


def test_requests_are_counted_by_route() -> None:
    async def run() -> None:
        async with rest() as (client, server):
            await client.post("/v2/models/echo/infer", json=body(1))
            await client.get("/elsewhere")
            await client.get("/v2/health/live")
            counted = [line for line in server.metrics.render().decode().splitlines() if "_requests_total{" in line]

        assert sorted(counted) == [
            'rest_server_requests_total{method="GET",path="unmatched",status_code="404"} 1.0',
            'rest_server_requests_total{method="POST",path="/v2/models/{name}/infer",status_code="200"} 1.0',
        ]

    asyncio.run(run())
