"""The short way for plain tensors over gRPC gives what the general way gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import IN_JSON, NOT_IN_JSON, same, tensors

from srv_codecs import _grpc
from srv_codecs._forms import OutputForms
from srv_protocol.errors import SrvError
from srv_protocol.inference import InferInputTensor, InferOutputTensor, ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

TENSORS = st.lists(tensors((*IN_JSON, *NOT_IN_JSON)), max_size=3)


def both(run: Callable[[], Any]) -> list[Any]:
    """Return what comes out with the short way and without it: a value, or the error's text."""
    found: list[Any] = []
    for short in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not short:
                patch.setattr(_grpc, "bind_plain", lambda _inputs, _raw: False)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # as it is
                patch.setattr(_grpc, "raw_tensor", lambda _output: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # as it is
            try:
                found.append(run())
            except SrvError as error:
                found.append(f"{type(error).__name__}: {error}")
    return found


@given(TENSORS, st.booleans(), st.sampled_from([None, -1, 0, 1, 2, 1 << 62]), st.booleans())
def test_requests_are_bound_the_same(
    given_: list[Any], typed: bool, dimension: int | None, drop: bool
) -> None:  # drawn
    """Arrays, the form of the answer and errors: of shapes that fit and of others, with too few raw entries too."""
    inputs = [
        InferInputTensor(f"x{index}", datatype, list(array.shape), data=array)
        for index, (datatype, array) in enumerate(given_)
    ]
    data = bytes(_grpc.lower_request(ModelInferRequest("m", inputs=inputs), typed=typed))

    def bind() -> Any:
        request = ModelInferRequest.parse(data)
        if request.inputs and dimension is not None:
            request.inputs[-1].shape = [*request.inputs[-1].shape[1:], dimension]
        if drop:
            del request.raw_input_contents[:1]
        forms = _grpc.bind_request(request)
        return forms, [each.data.array for each in request.inputs]

    first, second = both(bind)
    if isinstance(first, str) or isinstance(second, str):
        assert first == second
        return
    assert first[0] == second[0]
    assert all(same(one, other) for one, other in zip(first[1], second[1], strict=True))


@given(TENSORS, st.booleans(), st.sampled_from([None, -1, 0, 1]))
def test_responses_are_lowered_the_same(given_: list[Any], transposed: bool, dimension: int | None) -> None:  # drawn
    """Bytes and errors: of arrays that are contiguous and of others, of shapes that fit and of others."""
    outputs: list[InferOutputTensor] = []
    for index, (datatype, array) in enumerate(given_):
        data: np.ndarray[Any, Any] = array.T if transposed else array
        shape = list(data.shape) if dimension is None else [*data.shape, dimension]
        outputs.append(InferOutputTensor(f"y{index}", datatype, shape, {"k": index}, data=data))
    response = ModelInferResponse("m", "1", "id", {"p": True}, outputs)
    first, second = both(lambda: bytes(_grpc.lower_response(response, OutputForms(), typed=False)))
    assert first == second
