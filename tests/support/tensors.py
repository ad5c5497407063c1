"""Tensors of every datatype, and the four forms in which V2 carries them."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any, Final

import ml_dtypes
import numpy as np
from tritonclient.grpc import service_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from serving import Answer

pb: Final[Any] = service_pb2
"""The messages that tritonclient publishes, which have no types."""

Array = Any
"""An array of any dtype: tests compare, they do not calculate."""

_LIMITS: Final = {f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}


def _integers(name: str) -> NDArray[np.generic]:
    info = np.iinfo(name)
    return np.array([[info.min, 0, 1], [2, 100, info.max]], name)


def _strings() -> NDArray[np.object_]:
    array = np.empty((2, 3), object)
    array[:] = [[b"", b"a", "é€😀".encode()], [b"nul\0inside", b'"quoted\\"', b"x" * 300]]
    return array


_FLOATS: Final = [[0.0, -1.5, 1e-3], [3.0, 1024.0, -0.0]]

SAMPLES: Final[dict[str, Array]] = {
    "BOOL": np.array([[True, False, True], [False, False, True]]),
    **{datatype: _integers(name) for datatype, name in _LIMITS.items()},
    "FP16": np.array(_FLOATS, np.float16),
    "BF16": np.array(_FLOATS, ml_dtypes.bfloat16),
    "FP32": np.array([[0.0, -1.5, 1e-3], [np.finfo("f4").max, np.finfo("f4").tiny, -0.0]], np.float32),
    "FP64": np.array([[0.0, -1.5, 1e-3], [np.finfo("f8").max, 5e-324, -0.0]], np.float64),
    "BYTES": _strings(),
}
"""A tensor of shape [2, 3] for each datatype, with the limits of its range."""

NOT_IN_JSON: Final = ("FP16", "BF16")
"""The datatypes that have neither a JSON form nor typed contents."""

CONTENTS: Final = {
    "BOOL": "bool_contents",
    **{f"INT{bits}": "int_contents" for bits in (8, 16, 32)},
    "INT64": "int64_contents",
    **{f"UINT{bits}": "uint_contents" for bits in (8, 16, 32)},
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def variants(datatype: str) -> dict[str, Array]:
    """Return tensors of a datatype: of shape [2, 3], one element, a scalar, and without elements."""
    sample = SAMPLES[datatype]
    return {
        "2x3": sample,
        "one": sample[1:, 1].reshape(1),
        "scalar": sample[1, 1:2].reshape(()),
        "empty": sample[:0],
        "empty_inside": sample.reshape(2, 3, 1)[:, :, :0],
    }


def to_raw(array: Array) -> bytes:
    """Return the raw contents."""
    if array.dtype == object:
        return b"".join(struct.pack("<I", len(item)) + item for item in array.ravel())
    return bytes(np.ascontiguousarray(array).tobytes())


def from_raw(data: bytes, datatype: str, shape: Sequence[int]) -> Array:
    """Return the array that raw contents hold."""
    if datatype != "BYTES":
        return np.frombuffer(data, SAMPLES[datatype].dtype).reshape(shape)
    items: list[bytes] = []
    while data:
        (size,) = struct.unpack_from("<I", data)
        items.append(data[4 : 4 + size])
        assert len(items[-1]) == size
        data = data[4 + size :]
    return _objects(items, shape)


def _objects(items: Sequence[bytes], shape: Sequence[int]) -> Array:
    array = np.empty(len(items), object)
    array[:] = items
    return array.reshape(shape)


def to_list(array: Array) -> list[Any]:
    """Return the elements as JSON has them, flat."""
    return [item.decode() if isinstance(item, bytes) else item for item in array.ravel().tolist()]


def same(one: Array, other: Array) -> bool:
    """Say whether two arrays are equal in dtype, shape and every bit."""
    return bool(one.dtype == other.dtype and one.shape == other.shape and to_raw(one) == to_raw(other))


def digest(array: Array) -> str:
    """Return what the model ``report`` calls an array's digest."""
    if array.dtype == object:
        return hashlib.sha256(json.dumps([list(item) for item in array.ravel()]).encode()).hexdigest()
    return hashlib.sha256(to_raw(array)).hexdigest()


def json_body(arrays: dict[str, Array], **members: object) -> bytes:
    """Return a REST request of JSON tensors; names are ``name:DATATYPE``."""
    inputs = [
        {"name": name, "datatype": datatype, "shape": list(array.shape), "data": to_list(array)}
        for name, datatype, array in _named(arrays)
    ]
    return json.dumps({"inputs": inputs, **members}).encode()


def binary_body(arrays: dict[str, Array], **members: Any) -> tuple[bytes, dict[str, str]]:
    """Return a REST request with binary tensors, and the header that it needs; the outputs are to be binary too."""
    raw = [to_raw(array) for array in arrays.values()]
    inputs = [
        {
            "name": name,
            "datatype": datatype,
            "shape": list(array.shape),
            "parameters": {"binary_data_size": len(data)},
        }
        for (name, datatype, array), data in zip(_named(arrays), raw, strict=True)
    ]
    parameters = {"binary_data_output": True, **members.pop("parameters", {})}
    head = json.dumps({"inputs": inputs, "parameters": parameters, **members}).encode()
    return b"".join([head, *raw]), {"Inference-Header-Content-Length": str(len(head))}


def grpc_request(model: str, arrays: dict[str, Array], *, typed: bool = False, **members: Any) -> Any:
    """Return a gRPC request with raw or typed tensors."""
    request = pb.ModelInferRequest(model_name=model, **members)
    for name, datatype, array in _named(arrays):
        tensor = request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        if typed:
            getattr(tensor.contents, CONTENTS[datatype]).extend(array.ravel().tolist())
        else:
            request.raw_input_contents.append(to_raw(array))
    return request


def rest_outputs(answer: Answer) -> dict[str, Array]:
    """Return the outputs of a REST response."""
    assert answer.status == 200, answer.body[:1000]
    size = answer.headers.get("Inference-Header-Content-Length")
    assert answer.type == ("application/json" if size is None else "application/octet-stream")
    pos = len(answer.body) if size is None else int(size)
    outputs: dict[str, Array] = {}
    for output in json.loads(answer.body[:pos])["outputs"]:
        name, datatype, shape = output["name"], output["datatype"], output["shape"]
        if "data" in output:
            assert "parameters" not in output
            data = output["data"]
            if datatype == "BYTES":
                outputs[name] = _objects([item.encode() for item in data], shape)
            else:
                outputs[name] = np.array(data, SAMPLES[datatype].dtype).reshape(shape)
        else:
            end = pos + output["parameters"]["binary_data_size"]
            assert end <= len(answer.body)
            outputs[name] = from_raw(answer.body[pos:end], datatype, shape)
            pos = end
    assert pos == len(answer.body)
    return outputs


def grpc_outputs(response: Any) -> dict[str, Array]:
    """Return the outputs of a gRPC response."""
    raw = list(response.raw_output_contents)
    assert len(raw) in {0, len(response.outputs)}
    outputs: dict[str, Array] = {}
    for index, output in enumerate(response.outputs):
        shape = list(output.shape)
        if raw:
            assert not output.HasField("contents")
            outputs[output.name] = from_raw(raw[index], output.datatype, shape)
            continue
        values = list(getattr(output.contents, CONTENTS[output.datatype]))
        if output.datatype == "BYTES":
            outputs[output.name] = _objects(values, shape)
        else:
            outputs[output.name] = np.array(values, SAMPLES[output.datatype].dtype).reshape(shape)
    return outputs


def _named(arrays: dict[str, Array]) -> list[tuple[str, str, Array]]:
    return [(key.split(":")[0], key.split(":")[1], array) for key, array in arrays.items()]
