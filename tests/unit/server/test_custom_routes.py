"""The routes of custom handlers in memory: who answers, with what, and which errors there are."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from fronts import in_memory
from httpx import ASGITransport, AsyncClient
from litestar import Response as LitestarResponse

from srv import MLModel, ModelParameters, ModelSettings, Settings, custom_handler
from srv.errors import InvalidInput
from srv.rest._app import rest_app
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from httpx import Response
    from numpy.typing import NDArray

    from srv._server import Server

pytestmark = pytest.mark.filterwarnings("ignore:.* declared using deprecated inferred style")

HEADER_LENGTH = "inference-header-content-length"


@dataclass
class Point:
    x: int


class StarletteResponse:
    """What Starlette's, and so FastAPI's, responses are to a server."""

    status_code = 201

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/plain"), (b"x-own", b"1")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": b"own"})


class Dumped:
    def model_dump(self, mode: str) -> dict[str, str]:
        return {"mode": mode}


RESULTS: Mapping[str, object] = {
    "text": "a",
    "none": None,
    "array": np.arange(4).reshape(2, 2),
    "scalar": {"a": [np.float32(1.5), np.bool_(True)]},
    "point": Point(1),
    "pydantic": [Dumped()],
    "bytes": b"\x00\x01",
    "nan": {"a": [float("nan")]},
    "nan array": np.array([1, np.nan]),
    "unfit": object(),
    "starlette": StarletteResponse(),
    "litestar": LitestarResponse({"a": 1}, status_code=202),
    "split": LitestarResponse("a", headers={"x-a": "b\r\nx-c: d"}),
    "named badly": LitestarResponse("a", headers={"x a": "b"}),
    "no status": LitestarResponse("a", status_code=999),
    "latin-1": LitestarResponse("a", headers={"x-a": "\xfc\tb"}),
}


class Request:
    """A class of that name."""


class HTTPException(Exception):
    """What FastAPI's is."""

    def __init__(self, status_code: int, detail: object, headers: dict[str, str] | None = None) -> None:
        self.status_code = status_code
        self.detail = detail
        self.headers = headers


class Model(MLModel):
    @custom_handler("/results/{name}", rest_method="GET")
    async def results(self, name: str) -> object:
        return RESULTS[name]

    @custom_handler("/sum")
    def sum(self, numbers: list[int]) -> int:
        return sum(numbers)

    @custom_handler("/sum", "GET")
    def version_of(self) -> str | None:
        return self.version

    @custom_handler("/infer-like")
    async def infer_like(self, request: InferenceRequest) -> InferenceResponse:
        data: NDArray[np.int32] = np.asarray(request.inputs[0].data, np.int32)
        return InferenceResponse(outputs=[ResponseOutput("y", "INT32", list(data.shape), data=data * 2)])

    @custom_handler("/request/{id}", "PUT")
    async def request(self, request: Request) -> dict[str, object]:
        given: Any = request
        return {
            "body": (await given.body()).decode(),
            "json": await given.json(),
            "header": given.headers["x-a"],
            "query": given.query_params["q"],
            "id": given.path_params["id"],
        }

    @custom_handler("/unfit-response")
    def unfit(self) -> None:
        bytes(InferenceRequest(id=cast("str", 1)))

    @custom_handler("/refuse")
    async def refuse(self) -> None:
        message = "not this one"
        raise InvalidInput(message)

    @custom_handler("/http/{status}")
    async def http(self, status: int, detail: Any) -> None:
        raise HTTPException(status, detail, {"x-why": "so"})

    @custom_handler("/ready", "GET")
    def is_ready(self) -> str:
        return "never"

    @custom_handler("/handled", "GET")
    async def handled(self) -> bool:
        return sys.exc_info() == (None, None, None)

    @custom_handler("/break")
    def fail(self) -> None:
        raise KeyError("secret")

    @custom_handler("/echo")
    def echo(self, body: bytes) -> bytes:
        return body

    @custom_handler("/v2/models/echo/infer")
    def hidden(self) -> str:
        return "never"

    @custom_handler("/infer")
    def hidden_too(self) -> str:
        return "at the root alone"


class Other(MLModel):
    @custom_handler("/sum")
    def sum(self) -> str:
        return "the other"

    @custom_handler("/results/{name}", "GET")
    def results(self, name: str) -> str:
        return name

    @custom_handler("/other")
    def other(self) -> str:
        return "other"


def settings(cls: type[MLModel], name: str, version: str | None = None) -> ModelSettings:
    return ModelSettings(name=name, implementation=cls, parameters=ModelParameters(version=version))


@contextlib.asynccontextmanager
async def rest(
    *models: ModelSettings, server_settings: Settings | None = None
) -> AsyncGenerator[tuple[AsyncClient, Server]]:
    async with in_memory(server_settings or Settings()) as server:
        app: Any = rest_app(server.backend)
        for each in models or (settings(Model, "m"),):
            await server.registry.load(each)
        transport, headers = ASGITransport(app), {"Accept-Encoding": "identity"}
        async with AsyncClient(transport=transport, headers=headers, base_url="http://test") as client:
            yield client, server


def error(response: Response) -> str:
    assert response.headers["content-type"] == "application/json"
    text: str = response.json()["error"]
    return text


async def text(client: AsyncClient, method: str, path: str, **given: Any) -> object:
    response = await client.request(method, path, **given)
    return response.json() if response.status_code == 200 else (response.status_code, error(response))


# ---- Routes


@pytest.mark.parametrize(
    "path",
    ["/sum", "/sum/", "/v2//models/m/sum", "/v2/models/m/sum", "/v2/models/m/sum/", "/v2/models/m/versions/3/sum"],
)
def test_a_handler_has_a_route_of_its_model_of_its_version_and_of_the_root(path: str) -> None:
    async def run() -> None:
        async with rest(settings(Model, "m", "3")) as (client, _):
            assert await text(client, "POST", path, json=[1, 2]) == 3

    asyncio.run(run())


def test_the_default_version_is_that_of_inference() -> None:
    async def run() -> None:
        async with rest(*(settings(Model, "m", version) for version in ("9", "10", "2"))) as (client, server):
            assert await text(client, "GET", "/sum") == "10"
            assert await text(client, "GET", "/v2/models/m/sum") == "10"
            assert await text(client, "GET", "/v2/models/m/versions/2/sum") == "2"
            assert await text(client, "GET", "/v2/models/m/versions/7/sum") == (
                404,
                "Request for unknown model: 'm' version 7 is not found",
            )
            await server.registry.unload("m", "10")
            assert await text(client, "GET", "/sum") == "9"

    asyncio.run(run())


def test_a_path_that_two_models_claim_is_neithers_at_the_root() -> None:
    async def run() -> None:
        async with rest(settings(Model, "m"), settings(Other, "other")) as (client, server):
            assert await text(client, "POST", "/sum", json=[1]) == (
                404,
                "POST /sum: 2 models have a route of this path; expected one of /v2/models/m/sum, /v2/models/other/sum",
            )
            assert await text(client, "POST", "/v2/models/m/sum", json=[1]) == 1
            assert await text(client, "POST", "/v2/models/other/sum") == "the other"
            # Another method is another route, and so is another path.
            assert await text(client, "GET", "/sum") is None
            assert await text(client, "POST", "/other") == "other"
            await server.registry.unload("m")
            assert await text(client, "POST", "/sum") == "the other"

    asyncio.run(run())


def test_routes_come_and_go_with_their_models() -> None:
    async def run() -> None:
        async with rest(settings(Model, "m")) as (client, server):
            await server.registry.load(settings(Other, "m"))
            assert await text(client, "POST", "/v2/models/m/sum") == "the other"
            assert await text(client, "POST", "/echo") == (404, "Not Found")
            await server.registry.unload("m")
            assert await text(client, "POST", "/other") == (404, "Not Found")
            assert (await client.post("/v2/models/m/other")).status_code == 404

    asyncio.run(run())


def test_the_servers_own_routes_come_first_which_a_warning_says(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with rest() as (client, _):
            assert (await client.post("/v2/models/echo/infer", json={"inputs": []})).json()["model_name"] == "echo"
            assert (await client.post("/v2/models/m/infer", json={"inputs": []})).status_code == 501
            assert await text(client, "POST", "/infer") == "at the root alone"
            assert (await client.get("/v2/models/m/ready")).json() == {"name": "m", "ready": True}
            assert (await client.head("/v2/models/m/ready")).status_code == 405
            assert (await client.head("/ready")).status_code == 200

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())

    assert sorted(record.message for record in caplog.records if "comes first" in record.message) == [
        "model 'm': Model.hidden(): POST /v2/models/echo/infer is a route of the server's own, which comes first",
        "model 'm': Model.hidden_too(): POST /v2/models/m/infer is a route of the server's own, which comes first",
        "model 'm': Model.is_ready(): GET /v2/models/m/ready is a route of the server's own, which comes first",
    ]


def test_methods() -> None:
    """Another method is 405 with those that there are, HEAD is GET, and OPTIONS names them all."""

    async def run() -> None:
        async with rest() as (client, _):
            for path in ("/sum", "/v2/models/m/sum"):
                refused = await client.delete(path)
                assert (refused.status_code, error(refused)) == (405, "Method Not Allowed")
                assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
                options = await client.options(path)
                assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
                assert (await client.head(path)).status_code == 200
            # A path of the server's own has both.
            assert (await client.get("/v2/models/m/infer")).headers["allow"] == "OPTIONS, POST"
            assert (await client.get("/v2/models/nobody/infer")).status_code == 405

    asyncio.run(run())


def test_parts_of_a_path_are_unescaped_each_by_itself() -> None:
    async def run() -> None:
        async with rest(settings(Other, "m")) as (client, _):
            for path, expected in (("a%2Fb", "a/b"), ("%C3%A9%20", "é "), ("a%252Fb", "a%2Fb")):
                assert await text(client, "GET", f"/v2/models/m/results/{path}") == expected
                assert await text(client, "GET", f"/results/{path}") == expected

    asyncio.run(run())


def test_requests_are_counted_by_their_route() -> None:
    async def run() -> str:
        async with rest(settings(Other, "m")) as (client, server):
            await client.get("/results/a")
            await client.get("/v2/models/m/results/b")
            await client.get("/v2/models/m/versions/1/results/b")
            return server.metrics.render().decode()

    counted = asyncio.run(run())

    assert 'requests_total{method="GET",path="/results/{name}",status_code="200"} 1.0' in counted
    assert 'requests_total{method="GET",path="/v2/models/{name}/results/{name}",status_code="200"} 1.0' in counted
    assert 'requests_total{method="GET",path="unmatched",status_code="404"} 1.0' in counted


# ---- Results


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", "a"),
        ("none", None),
        ("array", [[0, 1], [2, 3]]),
        ("scalar", {"a": [1.5, True]}),
        ("point", {"x": 1}),
        ("pydantic", [{"mode": "json"}]),
        ("nan", (500, "Model.results(): NaN and infinities have no JSON form")),
        ("nan array", (500, "Model.results(): NaN and infinities have no JSON form")),
        ("unfit", (500, "Model.results(): the result has no JSON form: expected what JSON can carry, got object")),
    ],
)
def test_results_become_json(name: str, expected: object) -> None:
    async def run() -> None:
        async with rest() as (client, _):
            got = await text(client, "GET", f"/results/{name}")
            if isinstance(expected, tuple):
                assert isinstance(got, tuple)
                assert got[0] == expected[0]
                assert expected[1] in got[1]
            else:
                assert got == expected

    asyncio.run(run())


def test_nan_is_null_where_the_settings_say_so() -> None:
    async def run() -> None:
        async with rest(server_settings=Settings(json_nonfinite="null")) as (client, _):
            assert await text(client, "GET", "/results/nan") == {"a": [None]}

    asyncio.run(run())


def test_other_results_have_their_own_form() -> None:
    async def run() -> None:
        async with rest() as (client, _):
            raw = await client.get("/results/bytes")
            assert (raw.content, raw.headers["content-type"]) == (b"\x00\x01", "application/octet-stream")
            own = await client.get("/results/starlette")
            assert (own.status_code, own.content, own.headers["x-own"]) == (201, b"own", "1")
            own = await client.get("/results/litestar")
            assert (own.status_code, own.json()) == (202, {"a": 1})

    asyncio.run(run())


def test_inference_requests_and_responses_are_those_of_infer() -> None:
    tensor = {"name": "x", "datatype": "INT32", "shape": [2]}

    async def run() -> None:
        async with rest() as (client, _):
            given: dict[str, Any] = {"id": "7", "inputs": [{**tensor, "data": [1, 2]}]}
            response = await client.post("/v2/models/m/infer-like", json=given)
            outputs = [{"name": "y", "datatype": "INT32", "shape": [2], "data": [2, 4]}]
            assert response.json() == {"model_name": "m", "id": "7", "outputs": outputs}
            data = np.array([1, 2], "<i4").tobytes()
            head = json.dumps(
                {
                    "inputs": [{**tensor, "parameters": {"binary_data_size": 8}}],
                    "parameters": {"binary_data_output": True},
                }
            ).encode()
            response = await client.post("/infer-like", content=head + data, headers={HEADER_LENGTH: str(len(head))})
            length = int(response.headers[HEADER_LENGTH])
            assert np.frombuffer(response.content[length:], "<i4").tolist() == [2, 4]
            assert (await client.post("/infer-like")).status_code == 400

    asyncio.run(run())


def test_a_class_called_request_is_given_the_request() -> None:
    async def run() -> None:
        async with rest() as (client, _):
            response = await client.put("/v2/models/m/request/9?q=r", json=[1], headers={"x-a": "b"})
            assert response.json() == {"body": "[1]", "json": [1], "header": "b", "query": "r", "id": "9"}

    asyncio.run(run())


# ---- Errors, sizes and encodings


def test_errors_have_the_form_of_all_others(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with rest() as (client, _):
            assert await text(client, "POST", "/refuse") == (400, "not this one")
            assert await text(client, "POST", "/break") == (500, "internal server error")
            # The model's fault, as in predict.
            assert (await client.post("/unfit-response")).status_code == 500
            assert (await client.put("/request/1?q=r", content=b"{", headers={"x-a": "b"})).status_code == 400
            for query in ("%ff", "text=%ff", "&".join(["a=1"] * 1001)):
                refused = await client.post(f"/sum?{query}", json=[])
                assert (refused.status_code, error(refused)[:7]) == (400, "query: ")
            assert error(await client.get("/results/%ff")).startswith("path: ")
            assert await text(client, "POST", "/http/418", json="teapot") == (418, "teapot")
            assert await text(client, "POST", "/http/409", json={"a": 1}) == (409, '{"a":1}')
            assert (await client.post("/http/409", json="x")).headers["x-why"] == "so"
            assert await text(client, "POST", "/sum", json=["a"]) == (400, "body[0]: expected `int`, got `str`")

    asyncio.run(run())

    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    (logged,) = [each for each in errors if isinstance(each, KeyError)]
    assert logged.__context__ is None


def test_a_handler_handles_no_exception_but_its_own() -> None:
    async def run() -> None:
        async with rest() as (client, _):
            assert (await client.get("/handled")).json() is True

    asyncio.run(run())


def test_a_head_that_cannot_be_sent_is_an_error_of_the_models() -> None:
    """The HTTP server would close the connection without a word."""

    async def run() -> None:
        async with rest() as (client, _):
            for name, message in (
                ("split", r"invalid header b'x-a': b'b\r\nx-c: d'"),
                ("named badly", "invalid header b'x a': b'b'"),
                ("no status", "expected a status from 200 to 599, got 999"),
            ):
                refused = await client.get(f"/results/{name}")
                assert (refused.status_code, error(refused)) == (500, f"a custom handler's response: {message}")
            assert (await client.get("/results/latin-1")).headers["x-a"] == "\xfc\tb"
            refused = await client.post("/http/1000", json="x")
            assert (refused.status_code, error(refused)[-8:]) == (500, "got 1000")

    asyncio.run(run())


def test_bodies_have_the_limit_and_the_encodings_of_inference() -> None:
    async def run() -> None:
        async with rest(server_settings=Settings(max_request_size=100)) as (client, _):
            assert (await client.post("/echo", content=b"a" * 100)).content == b"a" * 100
            assert (await client.post("/echo", content=b"a" * 101)).status_code == 413
            small = gzip.compress(b"b" * 50)
            response = await client.post("/echo", content=small, headers={"content-encoding": "gzip"})
            assert response.content == b"b" * 50
            bomb = gzip.compress(b"b" * 500)
            assert (await client.post("/echo", content=bomb, headers={"content-encoding": "gzip"})).status_code == 413
            unknown = await client.post("/echo", content=b"c", headers={"content-encoding": "br"})
            assert (unknown.status_code, unknown.headers["accept-encoding"]) == (501, "gzip, deflate")

    asyncio.run(run())


def test_answers_are_compressed_for_those_who_ask() -> None:
    async def run() -> None:
        async with rest() as (client, _):
            response = await client.post("/echo", content=b"a" * 5000, headers={"accept-encoding": "gzip"})
            assert response.headers["content-encoding"] == "gzip"
            assert response.content == b"a" * 5000

    asyncio.run(run())
