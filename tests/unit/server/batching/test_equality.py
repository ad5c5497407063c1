"""Whatever requests are answered together: each has the bytes that it has when it is answered alone."""

# pyright: reportUnknownParameterType=false, reportUnknownVariableType=false
# Pyarrow's stubs leave type arguments open.

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa  # noqa: TC002  # a hint that decode_args reads
import pytest
from batches import serve_batched as serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import NOT_IN_JSON, arrays

from srv import Headers, MLModel, decode_args
from srv.dataplane._timeline import Timeline
from srv.types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput
from srv_codecs.grpc import bind_request, lower_request, lower_response
from srv_codecs.rest import decode_request, encode_response
from srv_protocol.datatypes import DATATYPES
from srv_protocol.inference import ModelInferRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv._server import Server


class Echo(MLModel):
    """Returns what it was given, in the form that it had."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        outputs = [ResponseOutput(each.name, each.datatype, each.shape, data=each.data) for each in payload.inputs]
        return InferenceResponse(outputs=outputs, parameters={"k": payload.parameters.get("k")})


class Lists(MLModel):
    """Returns the Python values."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        return InferenceResponse(
            outputs=[
                ResponseOutput(each.name, each.datatype, each.shape, data=each.data.root) for each in payload.inputs
            ]
        )


class Arrays(MLModel):
    """Takes arrays."""

    @decode_args
    def predict(self, x: np.ndarray, z: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Answer."""
        return x, (x if z is None else z)


class Texts(MLModel):
    """Takes text, and fails for bytes that are none."""

    @decode_args
    async def predict(self, x: list[str], z: list[bytes] | None = None) -> tuple[list[str], list[bytes]]:
        """Answer."""
        return [each * 2 for each in x], (z or [each.encode() for each in x])


class Arrow(MLModel):
    """Takes Arrow arrays."""

    @decode_args
    def predict(self, x: pa.Array, z: pa.Array | None = None) -> pa.Array:  # type: ignore[type-arg]  # not at run time
        """Answer."""
        return x if z is None else z


class Sum(MLModel):
    """Has one row for any number of them, and fails for what cannot be added."""

    @decode_args
    def predict(self, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Answer."""
        return np.asarray([x.sum() if z is None else z.sum()])


@st.composite
def requests(draw: st.DrawFn, datatypes: Sequence[str], widths: Sequence[list[int]]) -> tuple[str, bytes, str | None]:
    """Return a request's form, its bytes, and the size of its JSON."""
    # Few of each, so that some agree.
    datatype = draw(st.sampled_from([datatypes[0], draw(st.sampled_from(datatypes))]))
    form = draw(st.sampled_from(["raw", "binary", *([] if datatype in NOT_IN_JSON else ["flat", "nested", "typed"])]))
    plain = form in {"flat", "nested"}
    rows, width = draw(st.integers(0, 3)), draw(st.sampled_from(widths))
    pattern = draw(arrays(datatype, json=plain or draw(st.integers(0, 9)) > 0).filter(lambda each: each.size > 0))
    array = np.resize(pattern, [rows, *width])
    inputs = [
        RequestInput(name, datatype, list(array.shape), data=array) for name in draw(st.sampled_from(["x", "xz"]))
    ]
    parameters = draw(st.sampled_from([{}, {}, {"k": 1}, {"priority": 3}]))
    request = InferenceRequest(
        model_name="m", id=draw(st.sampled_from(["", "1", "2"])), inputs=inputs, parameters=parameters
    )
    if form in {"raw", "typed"}:
        return "gRPC", bytes(lower_request(request, typed=form == "typed")), None
    head = {"id": request.id, "parameters": {**parameters, "binary_data_output": form == "binary"}}
    if plain:
        values = np.vectorize(bytes.decode, otypes=[object])(array) if datatype == "BYTES" and array.size else array
        data = (values if form == "nested" else values.reshape(-1)).tolist()
        tensors = [{"name": each.name, "datatype": datatype, "shape": each.shape, "data": data} for each in inputs]
        return "REST", json.dumps({**head, "inputs": tensors}).encode(), None
    tail = [bytes(each) for each in lower_request(request, typed=False).raw_input_contents]
    tensors = [
        {"name": each.name, "datatype": datatype, "shape": each.shape, "parameters": {"binary_data_size": len(data)}}
        for each, data in zip(inputs, tail, strict=True)
    ]
    text = json.dumps({**head, "inputs": tensors}).encode()
    return "REST", b"".join([text, *tail]), str(len(text))


async def answer(server: Server, form: str, body: bytes, size: str | None) -> tuple[str, object]:
    """Return the bytes that the client gets, or its error."""
    dataplane = server.backend.dataplane
    try:
        if form == "REST":
            request, forms = decode_request(body, size, model="m")
            encoded = await dataplane.infer(request, Headers(), Timeline(), lambda each: encode_response(each, forms))
            return "answer", b"".join(encoded.parts)
        request = ModelInferRequest.parse(body)
        wish = bind_request(request)
        return "answer", await dataplane.infer(
            request, Headers(), Timeline(), lambda each: bytes(lower_response(each, wish, typed=wish.typed))
        )
    except Exception as error:  # noqa: BLE001  # of any kind
        return type(error).__name__, str(error)


ALL = tuple(DATATYPES)
FLAT: list[list[int]] = [[]]
FLAT_OR_NOT: list[list[int]] = [[], [2]]


@pytest.mark.parametrize(
    ("runtime", "datatypes", "widths"),
    [
        (Echo, ALL, FLAT_OR_NOT),
        (Lists, ALL, FLAT_OR_NOT),
        (Arrays, ALL, FLAT_OR_NOT),
        (Texts, ["BYTES"], FLAT),
        (Arrow, ALL, FLAT),
        (Sum, ["FP32", "INT64", "BYTES"], [[1]]),
    ],
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), size=st.integers(2, 9))
def test_each_request_is_answered_as_if_it_were_alone(
    runtime: type[MLModel], datatypes: Sequence[str], widths: Sequence[list[int]], data: st.DataObject, size: int
) -> None:
    asked = data.draw(st.lists(requests(datatypes, widths), min_size=2, max_size=8))

    async def run() -> tuple[list[object], list[object]]:
        async with serve(runtime, max_batch_size=size, max_batch_time=0.0) as server:
            alone: list[object] = [await answer(server, *each) for each in asked]
        async with serve(runtime, max_batch_size=size) as server:
            return alone, list(await asyncio.gather(*(answer(server, *each) for each in asked)))

    alone, together = asyncio.run(run())
    assert together == alone
