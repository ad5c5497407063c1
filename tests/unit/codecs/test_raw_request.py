from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from srv_codecs.rest import decode_raw_request
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import TensorMetadata


def decode(body: bytes, *inputs: tuple[str, list[int]], batched: bool = False) -> Any:
    declared = [TensorMetadata(f"x{index}", datatype, shape) for index, (datatype, shape) in enumerate(inputs)]
    (tensor,) = decode_raw_request(memoryview(body), declared, "m", batched=batched).inputs
    assert tensor.data.array is not None
    assert list(tensor.data.array.shape) == tensor.shape
    return tensor.data.array


@pytest.mark.parametrize(
    ("shape", "batched", "expected"),
    [([2, 3], False, (2, 3)), ([-1, 3], False, (2, 3)), ([2, -1], False, (2, 3)), ([-1, 6], True, (1, 6)),
     ([-1, 2, -1], True, (1, 2, 3))],
)  # fmt: skip
def test_the_shape_follows_from_the_metadata_and_the_size(
    shape: list[int], batched: bool, expected: tuple[int, ...]
) -> None:
    values = np.arange(6, dtype="<i2")
    body = values.tobytes()
    array = decode(body, ("INT16", shape), batched=batched)

    assert array.shape == expected
    assert array.reshape(-1).tolist() == values.tolist()
    assert np.shares_memory(array, np.frombuffer(body, np.uint8))


def test_a_bytes_input_is_the_whole_body() -> None:
    assert decode(b"abc", ("BYTES", [1])).tolist() == [b"abc"]
    assert decode(b"", ("BYTES", [-1, 1]), batched=True).tolist() == [[b""]]


@pytest.mark.parametrize(
    ("body", "inputs", "text"),
    [
        (b"", [], "Raw request must only have 1 input (found 1) to be deduced but got 0 inputs in 'm'"),
        (b"", [("FP32", [1]), ("FP32", [1])], "but got 2 inputs"),
        (b"", [("FP32", [-1, -1])], "more than one variable-sized dimension"),
        (b"abc", [("FP32", [-1])], "expected a multiple of 4 bytes"),
        (b"abcd", [("FP32", [-1, 0])], "expected a multiple of 0 bytes"),
        (b"abcd", [("FP32", [2])], "Expected 8, got 4 bytes"),
        (b"abcd", [("BYTES", [2])], "For BYTE datatype raw input 'x0', the model must have input shape [1]"),
        (b"abcd", [("BYTES", [-1])], "must have input shape [1]"),
    ],
)
def test_what_cannot_be_deduced_is_refused(body: bytes, inputs: list[tuple[str, list[int]]], text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        decode(body, *inputs)

    assert text in str(raised.value)
