"""Codecs against others' in one process, interleaved: microseconds, the best of many."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import orjson
from tritonclient.grpc import service_pb2
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from payloads import binary_request, grpc_request, json_request, values
from srv_codecs.grpc import bind_request
from srv_codecs.rest import OutputForms, decode_request, encode_response
from srv_protocol.inference import InferOutputTensor, ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Function = Callable[[], object]

# Any: protobuf makes its classes at run time.
UpbRequest: Any = cast("Any", service_pb2).ModelInferRequest
_ROUNDS: Final = 15
# Seconds that each function runs in each round.
_SLICE: Final = 0.02
_PROTO: Final = Path(__file__).resolve().parents[1] / "protocol" / "srv_protocol" / "proto"


def measure() -> dict[str, dict[str, float]]:
    """Return microseconds by what is done and by who does it."""
    with TemporaryDirectory() as folder:
        general = _compile_stock(folder)
        cases = {**_protobuf_cases(general), **_json_cases(), **_bytes_cases()}
        return {name: _measure(functions) for name, functions in cases.items()}


def _measure(functions: Mapping[str, Function]) -> dict[str, float]:
    counts: dict[str, int] = {}
    for name, function in functions.items():
        function()
        start = time.process_time()
        function()
        counts[name] = max(1, int(_SLICE / max(time.process_time() - start, 1e-6)))
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(_ROUNDS):
        for name, function in functions.items():
            start = time.process_time()
            for _ in range(counts[name]):
                function()
            best[name] = min(best[name], (time.process_time() - start) / counts[name] * 1e6)
    return best


def _compile_stock(folder: str) -> Any:
    """Return the request class that betterproto2's own compiler makes of the same definitions."""
    package = Path(folder, "stock")
    package.mkdir()
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{_PROTO}", f"--python_betterproto2_out={package}"]
    subprocess.run([*command, *map(str, _PROTO.glob("inference*.proto"))], check=True, capture_output=True)
    (package / "__init__.py").touch()
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("stock.inference").ModelInferRequest
    finally:
        sys.path.remove(folder)


def _parse(data: bytes) -> object:
    request = ModelInferRequest.parse(data)
    bind_request(request)
    return request.inputs[0].data.array


def _parse_by(parse: Callable[[bytes], Any], data: bytes) -> object:
    return _arrays(parse(data))


def _protobuf_cases(general: Any) -> dict[str, dict[str, Function]]:
    small, large = values(4), values(1 << 20)
    integers = {
        "20 bits": np.random.default_rng(3).integers(0, 1 << 20, 65536),
        "62 bits": np.random.default_rng(3).integers(0, 1 << 62, 65536),
        "7 bits": np.random.default_rng(3).integers(0, 128, 65536),
    }
    messages = {
        "two small raw tensors": grpc_request("sum", {"x": small, "y": small}),
        "4 MiB raw": grpc_request("sum", {"x": large}),
        "65,536 FP32 typed": grpc_request("sum", {"x": values(65536)}, typed=True),
        **{
            f"65,536 INT64 of {bits}, typed": grpc_request("sum", {"x": each}, typed=True)
            for bits, each in integers.items()
        },
    }
    cases: dict[str, dict[str, Function]] = {}
    for name, request in messages.items():
        data = request.body[5:]
        cases[f"protobuf to arrays, {name}"] = {
            "srv": partial(_parse, data),
            "upb": partial(_parse_by, UpbRequest.FromString, data),
            "betterproto2": partial(_parse_by, general.parse, data),
        }
        ours, upb, stock = ModelInferRequest.parse(data), UpbRequest.FromString(data), general.parse(data)
        cases[f"message to protobuf, {name}"] = {
            "srv": partial(bytes, ours),
            "upb": upb.SerializeToString,
            "betterproto2": partial(bytes, stock),
        }
    return cases


def _arrays(message: Any) -> object:
    if message.raw_input_contents:
        return [np.frombuffer(each, np.float32) for each in message.raw_input_contents]
    contents = message.inputs[0].contents
    if message.inputs[0].datatype == "FP32":
        return np.array(contents.fp32_contents, np.float32)
    return np.array(contents.int64_contents, np.int64)


def _json_cases() -> dict[str, dict[str, Function]]:
    cases: dict[str, dict[str, Function]] = {}
    for count in (4, 64, 1024, 65536):
        data = json_request("sum", {"x": values(count)}).body
        cases[f"JSON request to array, {count:,} FP32"] = {
            "srv": partial(decode_request, data),
            "json": partial(_read_json, json.loads, data),
            "orjson": partial(_read_json, orjson.loads, data),
        }
        array = values(count)
        cases[f"array to JSON response, {count:,} FP32"] = {
            "srv": partial(_write, array),
            "json": partial(_write_json, array),
            "orjson": partial(_write_orjson, array),
        }
    return cases


def _read_json(parse: Callable[[bytes], Any], data: bytes) -> object:
    return np.array(parse(data)["inputs"][0]["data"], np.float32)


def _write(array: np.ndarray[Any, np.dtype[Any]]) -> object:
    return encode_response(_response(array), OutputForms())


def _write_json(array: np.ndarray[Any, np.dtype[Any]]) -> object:
    return json.dumps(_document(array.reshape(-1).tolist())).encode()


def _write_orjson(array: np.ndarray[Any, np.dtype[Any]]) -> object:
    return orjson.dumps(_document(array.reshape(-1)), option=orjson.OPT_SERIALIZE_NUMPY)


def _response(array: np.ndarray[Any, np.dtype[Any]]) -> ModelInferResponse:
    outputs = [InferOutputTensor("output-0", "FP32", list(array.shape), data=array)]
    return ModelInferResponse("sum", outputs=outputs)


def _document(data: object) -> object:
    output = {"name": "output-0", "datatype": "FP32", "shape": [1, 4], "data": data}
    return {"model_name": "sum", "outputs": [output]}


def _bytes_cases() -> dict[str, dict[str, Function]]:
    words = np.array([f"word {index}" for index in range(65536)], object)
    request = binary_request("sum", {"x": words})
    length = request.headers["Inference-Header-Content-Length"]
    tail = request.body[int(length) :]
    encoded = np.array([each.encode() for each in words.tolist()], object)
    response = ModelInferResponse("m", outputs=[InferOutputTensor("o", "BYTES", [65536], data=encoded)])
    return {
        "65,536 BYTES elements to an array": {
            "srv": partial(decode_request, request.body, length),
            "tritonclient": partial(deserialize_bytes_tensor, tail),
        },
        "an array to 65,536 BYTES elements": {
            "srv": partial(encode_response, response, OutputForms(default=True)),
            "tritonclient": partial(serialize_byte_tensor, encoded),
        },
    }
