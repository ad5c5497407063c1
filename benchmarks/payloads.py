"""The scenarios: what is sent, what has to come back, and the targets that are set for it."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tritonclient.grpc import service_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

# Any: protobuf makes its classes at run time.
_messages: Final[Any] = service_pb2
_HEADER_LENGTH: Final = "Inference-Header-Content-Length"
_DATATYPES: Final = {"f4": "FP32", "f8": "FP64", "i8": "INT64", "i4": "INT32", "O": "BYTES"}
_NUMPY: Final = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8", "INT32": "<i4"}
_TYPED: Final = {"FP32": "fp32_contents", "INT64": "int64_contents"}


@dataclass(frozen=True)
class Request:
    """Bytes to send again and again.

    Attributes:
        body: over gRPC the message behind its five bytes of prefix.
    """

    model: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """One kind of request.

    Attributes:
        protocol: ``rest`` or ``grpc``.
        make: makes the request.
        expected: the values of the answer's first output.
        rivals: who can answer it, besides srv and the floor.
        connections: of the load; over gRPC each has two calls at once.
        faster: how many times faster than MLServer srv is to be, in requests per second and in CPU.
        floor: how many times the floor's CPU srv may take at most.
        seconds: of a round, where one is not enough for the slowest.
        against: the scenario whose MLServer figures `faster` is meant of, where MLServer cannot do this one.
    """

    name: str
    protocol: str
    make: Callable[[], Request]
    expected: Callable[[], Array]
    rivals: tuple[str, ...] = ("mlserver", "mlserver-worker", "kserve")
    connections: int = 4
    faster: float | None = None
    floor: float | None = None
    against: str = ""
    seconds: int = 0


def values(count: int) -> Array:
    """Return the same floats each time, in the shape ``[1, count]``."""
    return np.random.default_rng(1).random((1, count), np.float32)


def json_request(model: str, tensors: Mapping[str, Array]) -> Request:
    """Return a request of V2 JSON."""
    inputs = [
        {"name": name, "shape": list(each.shape), "datatype": _datatype(each), "data": each.tolist()}
        for name, each in tensors.items()
    ]
    return Request(model, json.dumps({"inputs": inputs}).encode(), {"Content-Type": "application/json"})


def binary_request(model: str, tensors: Mapping[str, Array]) -> Request:
    """Return a request of V2 JSON with the tensors behind it, which wants its outputs in the same way."""
    raw = [_raw(each) for each in tensors.values()]
    inputs = [
        {
            "name": name,
            "shape": list(each.shape),
            "datatype": _datatype(each),
            "parameters": {"binary_data_size": len(data)},
        }
        for (name, each), data in zip(tensors.items(), raw, strict=True)
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(len(head))}
    return Request(model, b"".join((head, *raw)), headers)


def grpc_request(model: str, tensors: Mapping[str, Array], *, typed: bool = False) -> Request:
    """Return a message with raw or with typed contents."""
    message = _messages.ModelInferRequest(model_name=model)
    for name, each in tensors.items():
        tensor = message.inputs.add(name=name, datatype=_datatype(each), shape=each.shape)
        if typed:
            getattr(tensor.contents, _TYPED[tensor.datatype]).extend(each.reshape(-1).tolist())
        else:
            message.raw_input_contents.append(_raw(each))
    body: bytes = message.SerializeToString()
    return Request(model, struct.pack(">BI", 0, len(body)) + body)


def _datatype(array: Array) -> str:
    return _DATATYPES[array.dtype.str.lstrip("<|=")]


def _raw(array: Array) -> bytes:
    if array.dtype.kind != "O":
        return array.tobytes()
    encoded = [str(each).encode() for each in array.reshape(-1).tolist()]
    return b"".join(struct.pack("<I", len(each)) + each for each in encoded)


def read_rest(body: bytes, header_length: str | None) -> Array:
    """Return the first output of a REST answer, flat."""
    head = body if header_length is None else body[: int(header_length)]
    output = json.loads(head)["outputs"][0]
    dtype = _NUMPY[output["datatype"]]
    if "data" in output:
        return np.array(output["data"], dtype).reshape(-1)
    return np.frombuffer(body[len(head) :][: output["parameters"]["binary_data_size"]], dtype)


def read_grpc(body: bytes) -> Array:
    """Return the first output of a gRPC answer, flat."""
    message = _messages.ModelInferResponse.FromString(body)
    output = message.outputs[0]
    if message.raw_output_contents:
        return np.frombuffer(message.raw_output_contents[0], _NUMPY[output.datatype])
    contents: Any = output.contents
    return np.array(getattr(contents, _TYPED[output.datatype]), _NUMPY[output.datatype])


def _sum(count: int) -> Callable[[], Array]:
    return lambda: values(count).sum(axis=-1)


def _of(make: Callable[..., Request], model: str, count: int, **options: Any) -> Callable[[], Request]:
    return lambda: make(model, {"x": values(count)}, **options)


def _integers() -> Array:
    return np.random.default_rng(2).integers(-(10**9), 10**9, (256, 4))


def _mixed() -> dict[str, Array]:
    words = np.array([f"word {index}" for index in range(32)], object).reshape(32, 1)
    return {"a": values(64), "b": np.arange(64, dtype=np.int64).reshape(64, 1), "words": words}


def _mixed_expected() -> Array:
    tensors = _mixed()
    return np.array([tensors["a"].sum(), tensors["b"].sum(), 32])


_RAW: Final = ("kserve",)
SCENARIOS: Final = (
    Scenario("REST JSON, 4 values", "rest", _of(json_request, "sum", 4), _sum(4), faster=6, floor=2.5),
    Scenario("REST JSON, 1,024 values", "rest", _of(json_request, "sum", 1024), _sum(1024), faster=6, floor=3),
    Scenario("REST JSON, 65,536 values", "rest", _of(json_request, "sum", 65536), _sum(65536), faster=4, floor=1.3),
    Scenario(
        "REST JSON, INT64 [256, 4]",
        "rest",
        lambda: json_request("sum", {"x": _integers()}),
        lambda: _integers().sum(axis=-1),
        faster=6,
        floor=3,
    ),
    Scenario(
        "REST JSON, three inputs", "rest", lambda: json_request("mixed", _mixed()), _mixed_expected, faster=6, floor=3
    ),
    Scenario(
        "REST binary, 4 values",
        "rest",
        _of(binary_request, "sum", 4),
        _sum(4),
        _RAW,
        faster=6,
        floor=2.2,
        against="REST JSON, 4 values",
    ),
    Scenario(
        "REST binary, 1,024 values",
        "rest",
        _of(binary_request, "sum", 1024),
        _sum(1024),
        _RAW,
        faster=6,
        floor=2.2,
        against="REST JSON, 1,024 values",
    ),
    Scenario("REST binary, 256 KiB", "rest", _of(binary_request, "sum", 65536), _sum(65536), _RAW),
    Scenario(
        "REST binary, 4 MiB, sum",
        "rest",
        _of(binary_request, "sum", 1 << 20),
        _sum(1 << 20),
        _RAW,
        faster=25,
        floor=0.4,
        against="gRPC raw, 4 MiB, sum",
        connections=1,
        seconds=3,
    ),
    Scenario(
        "REST binary, 4 MiB, identity",
        "rest",
        _of(binary_request, "identity", 1 << 20),
        lambda: values(1 << 20),
        _RAW,
        faster=30,
        floor=0.6,
        against="gRPC raw, 4 MiB, identity",
        connections=1,
        seconds=3,
    ),
    Scenario("gRPC raw, 4 values", "grpc", _of(grpc_request, "sum", 4), _sum(4), faster=5, floor=0.6),
    Scenario("gRPC raw, three inputs", "grpc", lambda: grpc_request("mixed", _mixed()), _mixed_expected),
    Scenario("gRPC raw, 256 KiB, sum", "grpc", _of(grpc_request, "sum", 65536), _sum(65536), faster=10, floor=1),
    Scenario("gRPC raw, 4 MiB, sum", "grpc", _of(grpc_request, "sum", 1 << 20), _sum(1 << 20), faster=10, floor=1),
    Scenario(
        "gRPC raw, 4 MiB, identity",
        "grpc",
        _of(grpc_request, "identity", 1 << 20),
        lambda: values(1 << 20),
        faster=10,
    ),
    Scenario("gRPC typed, 1,024 values", "grpc", _of(grpc_request, "sum", 1024, typed=True), _sum(1024)),
    Scenario("gRPC typed, 65,536 values", "grpc", _of(grpc_request, "sum", 65536, typed=True), _sum(65536), faster=5),
)
