"""When two requests ask the same."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import same, tensors

from srv.types import InferenceRequest, Parameters, RequestInput, RequestOutput
from srv_codecs.digest import detach_shared_memory, digest_request
from srv_protocol.errors import InvalidInput

VALUES = st.one_of(st.booleans(), st.integers(-9, 9), st.sampled_from([0.0, -0.0, 1.0]), st.text(max_size=2))


def request(data: Any, datatype: str = "FP32", shape: Any = None, **members: Any) -> InferenceRequest:
    shape = list(np.shape(data)) if shape is None else shape
    return InferenceRequest(inputs=[RequestInput("x", datatype, shape, data=data)], **members)


@given(tensors(json=True))
def test_every_form_of_a_tensor_has_one_digest(tensor: Any) -> None:
    datatype, array = tensor
    forms: list[Any] = [array, array.reshape(-1), np.asfortranarray(array)]
    if datatype != "BYTES":
        forms.append(array.astype(array.dtype.newbyteorder(">")) if array.dtype.itemsize > 1 else array)
    if datatype not in {"FP16", "BF16"}:
        forms += [array.tolist(), array.reshape(-1).tolist()] if array.ndim else [array.reshape(-1).tolist()]
    shape = list(array.shape)

    assert len({digest_request(request(each, datatype, shape)) for each in forms}) == 1


@given(tensors(), tensors())
def test_equal_digests_are_of_equal_tensors(one: Any, other: Any) -> None:
    digests = [digest_request(request(array, datatype)) for datatype, array in (one, other)]

    assert (digests[0] == digests[1]) == (one[0] == other[0] and same(one[1], other[1]))


@given(st.dictionaries(st.sampled_from("ab"), VALUES), st.dictionaries(st.sampled_from("ab"), VALUES))
def test_equal_digests_are_of_equal_parameters(one: dict[str, Any], other: dict[str, Any]) -> None:
    digests = [digest_request(request([1.0], parameters=each)) for each in (one, other)]

    assert (digests[0] == digests[1]) == (repr(sorted(one.items())) == repr(sorted(other.items())))


def test_text_and_bytes_are_the_same_elements() -> None:
    digests = {digest_request(request(each, "BYTES", [2])) for each in (["a", "ü"], [b"a", "ü".encode()])}

    assert len(digests) == 1


@pytest.mark.parametrize(
    "other",
    [
        request([0.0]),
        request([[-0.0]]),
        request([-0.0], "FP64"),
        request([-0.0], parameters={"p": 1}),
        request([-0.0], outputs=[RequestOutput("y")]),
        request([-0.0], outputs=[RequestOutput("y", Parameters(classification=1))]),
        InferenceRequest(inputs=[RequestInput("y", "FP32", [1], data=[-0.0])]),
        InferenceRequest(inputs=[RequestInput("x", "FP32", [1], Parameters(content_type="np"), data=[-0.0])]),
        InferenceRequest(),
    ],
)
def test_whatever_a_model_may_see_is_in_the_digest(other: InferenceRequest) -> None:
    assert digest_request(other) != digest_request(request([-0.0]))


def test_elements_do_not_run_into_each_other() -> None:
    assert digest_request(request([b"ab", b""], "BYTES")) != digest_request(request([b"a", b"b"], "BYTES"))


def test_model_id_headers_and_form_are_not_in_the_digest() -> None:
    plain = request([1.0], outputs=[RequestOutput("y")])
    dressed = request(
        [1.0],
        model_name="m",
        model_version="1",
        id="7",
        parameters=Parameters({"binary_data_output": True, "priority": 1}, headers={"authorization": "secret"}),
        outputs=[RequestOutput("y", Parameters(binary_data=False))],
    )

    assert digest_request(dressed, {"priority"}) == digest_request(plain)


def test_data_that_does_not_fit_has_no_digest() -> None:
    with pytest.raises(InvalidInput):
        digest_request(request([1.0, 2.0], shape=[1]))


def test_a_view_of_a_mapping_is_copied_and_nothing_else() -> None:
    mapping = mmap.mmap(-1, 8)
    mapped = np.frombuffer(memoryview(mapping).toreadonly(), "f4")
    plain = np.frombuffer(bytes(8), "f4")
    asked = [request(mapped), request(plain)]
    for each in asked:
        detach_shared_memory(each)
    arrays = [each.inputs[0].data.array for each in asked]

    assert not np.shares_memory(arrays[0], mapped)
    assert arrays[1] is plain
