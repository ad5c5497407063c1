"""What runtimes do, in any environment: each case has the same outcome with the server's packages and without them."""
# ruff: noqa: UP006, UP007, UP035, UP045  # hints as runtimes for Python 3.10 have them

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated, Any, AsyncIterator, Callable, Dict, List, Optional, TypedDict, Union

import numpy as np

import srv
from srv import Headers, MLModel, ModelSettings, Output, custom_handler, decode_args
from srv.codecs import (
    Base64Codec,
    DatetimeCodec,
    JsonCellsCodec,
    NumpyCodec,
    NumpyRequestCodec,
    StringCodec,
    StringRequestCodec,
)
from srv.runtimes._handler_results import encode_json
from srv.runtimes._handlers import find_handlers
from srv.types import Datatype, InferenceRequest, InferenceResponse, MetadataModelResponse, Parameters, RequestInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NUMBERS = np.arange(6.0, dtype="<f4").reshape(2, 3)


class Labels(TypedDict):
    label: list[str]
    score: np.ndarray


@dataclasses.dataclass
class Point:
    x: int
    y: float | None = None


class Everything(MLModel):
    async def load(self) -> bool:
        srv.register("corpus_calls", "how often")
        return True

    @decode_args
    def predict(
        self, a: np.ndarray, b: List[str], headers: Headers, c: Optional[np.ndarray] = None, d: Union[str, None] = None
    ) -> Labels:
        logging.getLogger(__name__).info("called")
        total = a.sum(axis=1) if c is None else a.sum(axis=1) + c
        return {"label": [f"{each}-{headers.get('x', d)}" for each in b], "score": total}

    @custom_handler("/add/{x}", "GET")
    def add(self, x: int, y: float = 0.5, tags: List[int] = []) -> Dict[str, Any]:  # noqa: B006
        return {"sum": x + y, "tags": tags}

    @custom_handler("/point")
    def point(self, point: Point, more: Optional[Dict[str, List[float]]] = None) -> object:
        return {"point": point, "more": more, "array": NUMBERS}

    @custom_handler("/raw")
    def raw(self, request: InferenceRequest, headers: Headers, body: bytes) -> object:
        return [request.id, headers.get("a"), len(body)]


class Named(MLModel):
    @decode_args
    async def predict(self, text: str) -> tuple[Annotated[str, Output("upper")], Annotated[np.ndarray, Output("size")]]:
        return text.upper(), np.array([len(text)])


class Streaming(MLModel):
    @decode_args
    async def predict_stream(self, a: list[str]) -> AsyncIterator[str]:
        for each in a:
            yield each


def settings(runtime: Any, **more: Any) -> ModelSettings:
    return ModelSettings(name="m", implementation=runtime, **more)


def request(**more: Any) -> InferenceRequest:
    return InferenceRequest(
        id="7",
        inputs=[NumpyCodec.encode_input("a", NUMBERS), StringCodec.encode_input("b", ["é", "y"])],
        **more,
    )


class Call:
    """A request to a handler."""

    def __init__(
        self, body: bytes = b"", path: Mapping[str, str] | None = None, query: Mapping[str, list[str]] | None = None
    ) -> None:
        self.body = memoryview(body)
        self.path: Mapping[str, str] = path or {}
        self.query: Mapping[str, Sequence[str]] = query or {}
        self.headers = Headers([("a", "1")])

    def request(self) -> object:
        return None

    def inference_request(self) -> InferenceRequest:
        return request()


def handle(name: str, **given: Any) -> object:
    handler = next(each for each in find_handlers(Everything(settings(Everything))) if each.name.endswith(name))
    result = handler.invoke(handler.arguments.bind(Call(**given)))
    return json.loads(encode_json(result, "here", nonfinite_as_null=True))


def dumped(response: Any) -> object:
    return json.loads(response.json())


def mlserver() -> object:
    """Import MLServer's names, as model code does."""
    importlib.import_module("srv.mlserver._aliases").install_aliases()
    found: dict[str, Any] = {}
    code = """
from mlserver import MLModel, types
from mlserver.codecs import NumpyCodec, decode_args, StringCodec
from mlserver.utils import get_model_uri
from mlserver.errors import MLServerError
from mlserver.grpc.converters import ModelInferRequestConverter
from mlserver.settings import ModelSettings, Settings
from mlserver.logging import logger
import mlserver.repository, mlserver.metrics, mlserver.handlers
request = types.InferenceRequest(inputs=[StringCodec.encode_input("a", ["x"])])
sent = ModelInferRequestConverter.from_types(request, model_name="m")
"""
    exec(code, found)  # noqa: S102
    return [found["MLModel"] is MLModel, found["Settings"](debug=True).debug, len(bytes(found["sent"]))]


def stream() -> object:
    async def run() -> list[object]:
        model: Any = Streaming(settings(Streaming))
        asked = InferenceRequest(inputs=[StringCodec.encode_input("a", ["x", "y"])])

        async def requests() -> Any:
            yield asked

        return [dumped(each) async for each in model.predict_stream(requests())]

    return asyncio.run(run())


def metadata(runtime: Any) -> object:
    return dumped(asyncio.run(runtime(settings(runtime)).metadata()))


def typed() -> object:
    model: Any = Everything(settings(Everything))
    asked = request(parameters=Parameters(headers={"x": "h"}))
    return [dumped(model.predict(asked)), dumped(model.predict(request()))]


def named() -> object:
    model: Any = Named(settings(Named))
    return dumped(asyncio.run(model.predict(InferenceRequest(inputs=[StringCodec.encode_input("text", ["é"])]))))


def missing() -> object:
    model: Any = Everything(settings(Everything))
    return model.predict(InferenceRequest(inputs=[NumpyCodec.encode_input("a", NUMBERS)]))


CASES: dict[str, Callable[[], object]] = {
    "predict": typed,
    "a missing input": missing,
    "named outputs": named,
    "stream": stream,
    "metadata": lambda: [metadata(Everything), metadata(Named)],
    "a handler's path and query": lambda: handle("add", path={"x": "3"}, query={"y": ["1e2"], "tags": ["1", "2"]}),
    "a handler's wrong path": lambda: handle("add", path={"x": "three"}),
    "a handler's body": lambda: handle("point", body=b'{"point": {"x": 1, "y": 2}, "more": {"a": [1, 2.5]}}'),
    "a handler's wrong body": lambda: handle("point", body=b'{"point": {"x": "1"}}'),
    "a handler's incomplete body": lambda: handle("point", body=b'{"point": {}}'),
    "parts of a request": lambda: handle("raw", body=b"xyz"),
    "request codecs": lambda: [
        dumped(NumpyRequestCodec.encode_response("m", NUMBERS)),
        dumped(StringRequestCodec.encode_response("m", ["a", "b"])),
        NumpyRequestCodec.decode_request(InferenceRequest(inputs=request().inputs[:1])).tolist(),
    ],
    "codecs": lambda: [
        Base64Codec.decode_input(Base64Codec.encode_input("x", [b"\x00\xff"]))[0].hex(),
        [str(each) for each in DatetimeCodec.decode_input(StringCodec.encode_input("x", ["2024-01-01T10Z"]))],
        JsonCellsCodec.decode_output(JsonCellsCodec.encode_output("x", [{"a": [1, None]}, 2.5])),
    ],
    "no JSON in a cell": lambda: JsonCellsCodec.decode_input(StringCodec.encode_input("x", ["2"])),
    "validation": lambda: dumped(
        InferenceRequest.model_validate_json(
            '{"inputs": [{"name": "a", "shape": [2], "datatype": "FP64", "data": [1, 2.5]}], "id": "\\u00e9"}'
        )
    ),
    "wrong validation": lambda: InferenceRequest.parse_obj({"inputs": [{"name": 3}]}),
    "the wire": lambda: NumpyCodec.decode_input(
        RequestInput(name="a", datatype="INT32", shape=[2], data=[1, 2])
    ).tolist(),
    "answers": lambda: [
        dumped(InferenceResponse(model_name="m", outputs=[NumpyCodec.encode_output("o", NUMBERS)])),
        dumped(MetadataModelResponse(name="m", platform="p")),
        f"{Datatype.FP32} {Datatype.FP32!s} {json.dumps({Datatype.BYTES: Datatype.BOOL})}",
    ],
    "settings": lambda: [
        settings("a.B", max_batch_size=3).max_batch_size,
        ModelSettings.parse_obj({"name": "x", "implementation": "a.B", "parameters": {"own": [1]}}).parameters.own,
    ],
    "wrong settings": lambda: ModelSettings.parse_obj({"name": "x", "implementation": "a.B", "max_batch_size": "1"}),
    "more wrong settings": lambda: settings("a.B", warm_workers=3),
    "mlserver": mlserver,
}


def outcomes() -> dict[str, object]:
    """Return what comes of each case: a result, or an error's class and text."""
    found: dict[str, object] = {}
    for name, case in CASES.items():
        try:
            found[name] = case()
        except Exception as error:  # noqa: BLE001
            found[name] = f"{type(error).__name__}: {error}"
    return found


def environment() -> dict[str, object]:
    """Return what the environment is, and what of the server's it sees."""

    def imported(name: str) -> str:
        try:
            return str(importlib.import_module(name).__file__)
        except ModuleNotFoundError as error:
            return f"no {error.name}"

    names = ("betterproto2", "typing_extensions", "msgspec", "pyarrow", "pandas", "grpclib", "litestar", "uvicorn")
    before = {name: name in sys.modules for name in names}
    return {
        "python": list(sys.version_info[:2]),
        "loaded": [name for name, there in before.items() if there],
        "imports": {name: imported(name) for name in names},
        "version": importlib.import_module("importlib.metadata").version("srv-inference"),
        "path": sys.path,
    }
