"""Literal bytes both ways: what is on the wire today must be read and written for ever."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from srv_protocol._gen.grpc_health_v1 import HealthCheckResponse, ServingStatus
from srv_protocol._gen.grpc_reflection_v1 import ExtensionRequest, ServerReflectionRequest
from srv_protocol._gen.model_config import (
    All,
    DataType,
    ModelConfig,
    ModelInput,
    ModelTransactionPolicy,
    ModelVersionPolicy,
)
from srv_protocol.errors import WireError
from srv_protocol.inference import (
    CudaSharedMemoryRegisterRequest,
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    InferStatistics,
    InferTensorContents,
    LogSettingsRequest,
    LogSettingsRequestSettingValue,
    ModelConfigResponse,
    ModelIndex,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelStatistics,
    ModelStatisticsResponse,
    ModelStreamInferResponse,
    Parameters,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
    ServerLiveResponse,
    StatisticDuration,
    TensorMetadata,
)

if TYPE_CHECKING:
    from srv_protocol._message import Message

# Each line is one field, indented below the message or map entry that holds it.
CASES: Final[dict[str, tuple[Message, str]]] = {
    "live": (ServerLiveResponse(live=True), "08 01"),
    "not-live": (ServerLiveResponse(), ""),
    "ready": (ModelReadyRequest("iris", "2"), "0a 04 69726973 | 12 01 32"),
    "request-contents": (
        ModelInferRequest(
            "m",
            id="7",
            inputs=[
                InferInputTensor("x", "INT32", [2], contents=InferTensorContents(int_contents=[-1, 300])),
                InferInputTensor("s", "BYTES", [2], contents=InferTensorContents(bytes_contents=[b"", b"a"])),
            ],
            outputs=[InferRequestedOutputTensor("y")],
        ),
        """0a 01 6d
           1a 01 37
           2a 1d
              0a 01 78
              12 05 494e543332
              1a 01 02
              2a 0e
                 12 0c ffffffffffffffffff01 ac02
           2a 14
              0a 01 73
              12 05 4259544553
              1a 01 02
              2a 05 42 00 | 42 01 61
           32 03
              0a 01 79""",
    ),
    "request-raw": (
        ModelInferRequest(
            "m", inputs=[InferInputTensor("x", "FP32", [1, 2])], raw_input_contents=[bytes.fromhex("0000803f000000c0")]
        ),
        """0a 01 6d
           2a 0d
              0a 01 78
              12 04 46503332
              1a 02 01 02
           3a 08 0000803f 000000c0""",
    ),
    "parameters": (
        ModelInferRequest(
            parameters=Parameters({"b": False, "i": -1, "u": (1 << 64) - 1, "s": "", "d": -0.0, "content_type": "np"})
        ),
        """22 07 | 0a 01 62 | 12 02 | 08 00
           22 10 | 0a 01 69 | 12 0b | 10 ffffffffffffffffff01
           22 10 | 0a 01 75 | 12 0b | 28 ffffffffffffffffff01
           22 07 | 0a 01 73 | 12 02 | 1a 00
           22 0e | 0a 01 64 | 12 09 | 21 0000000000000080
           22 14 | 0a 0c 636f6e74656e745f74797065 | 12 04 | 1a 02 6e70""",
    ),
    "response": (
        ModelInferResponse(
            "m",
            "1",
            "7",
            outputs=[
                InferOutputTensor("y", "BOOL", [3], contents=InferTensorContents(bool_contents=[True, False, True])),
                InferOutputTensor("z", "FP64", [1], contents=InferTensorContents(fp64_contents=[float("inf")])),
            ],
        ),
        """0a 01 6d
           12 01 31
           1a 01 37
           2a 13
              0a 01 79
              12 04 424f4f4c
              1a 01 03
              2a 05
                 0a 03 01 00 01
           2a 18
              0a 01 7a
              12 04 46503634
              1a 01 01
              2a 0a
                 3a 08 000000000000f07f""",
    ),
    "response-raw": (ModelInferResponse("m", raw_output_contents=[b"\x01", b""]), "0a 01 6d | 32 01 01 | 32 00"),
    "stream-error": (ModelStreamInferResponse(error_message="no"), "0a 02 6e6f"),
    "stream-empty-response": (ModelStreamInferResponse(infer_response=ModelInferResponse()), "12 00"),
    "metadata": (
        ModelMetadataResponse("m", ["1", "2"], "p", [TensorMetadata("x", "FP32", [-1, 3], {"content_type": "np"})]),
        """0a 01 6d
           12 01 31
           12 01 32
           1a 01 70
           22 2c
              0a 01 78
              12 04 46503332
              1a 0b ffffffffffffffffff01 03
              22 14
                 0a 0c 636f6e74656e745f74797065
                 12 04 1a 02 6e70""",
    ),
    "config": (
        ModelConfig(
            name="m",
            max_batch_size=8,
            input=[ModelInput(name="x", data_type=DataType.TYPE_FP32, dims=[-1])],
            backend="b",
            model_transaction_policy=ModelTransactionPolicy(decoupled=True),
        ),
        """0a 01 6d
           20 08
           2a 11
              0a 01 78
              10 0b
              22 0a ffffffffffffffffff01
           8a01 01 62
           9a01 02
              08 01""",
    ),
    "statistics": (
        ModelStatisticsResponse(
            [ModelStatistics("m", inference_count=300, inference_stats=InferStatistics(StatisticDuration(1, 1 << 40)))]
        ),
        """0a 13
              0a 01 6d
              20 ac02
              32 0b
                 0a 09 08 01 | 10 808080808020""",
    ),
    "index": (
        RepositoryIndexResponse([ModelIndex("m", state="READY")]),
        """0a 0a
              0a 01 6d
              1a 05 5245414459""",
    ),
    "load": (
        RepositoryModelLoadRequest(model_name="m", parameters=Parameters({"file:1/a": b"\xff"})),
        """12 01 6d
           1a 0f
              0a 08 66696c653a312f61
              12 03 | 22 01 ff""",
    ),
    "load with a configuration": (
        RepositoryModelLoadRequest(model_name="m", parameters=Parameters({"config": "{}"})),
        """12 01 6d
           1a 0e
              0a 06 636f6e666967
              12 04 | 1a 02 7b7d""",
    ),
    "unload": (
        RepositoryModelUnloadRequest(model_name="m", parameters=Parameters({"unload_dependents": False})),
        """12 01 6d
           1a 17
              0a 11 756e6c6f61645f646570656e64656e7473
              12 02 | 08 00""",
    ),
    "configuration": (
        ModelConfigResponse(
            ModelConfig(
                name="m",
                max_batch_size=8,
                version_policy=ModelVersionPolicy(all=All()),
                input=[ModelInput(name="x", data_type=DataType.TYPE_STRING, dims=[-1])],
                model_transaction_policy=ModelTransactionPolicy(),
            )
        ),
        """0a 1f
              0a 01 6d
              1a 02 | 12 00
              20 08
              2a 11
                 0a 01 78
                 10 0d
                 22 0a ffffffffffffffffff01
              9a01 00""",
    ),
    "log": (
        LogSettingsRequest({"v": LogSettingsRequestSettingValue(uint32_param=0)}),
        "0a 07 | 0a 01 76 | 12 02 | 10 00",
    ),
    "cuda": (
        CudaSharedMemoryRegisterRequest("r", b"\x00\x01", -1, 1),
        "0a 01 72 | 12 02 0001 | 18 ffffffffffffffffff01 | 20 01",
    ),
    "health": (HealthCheckResponse(ServingStatus.SERVING), "08 01"),
    "reflection": (
        ServerReflectionRequest("h", file_containing_extension=ExtensionRequest("a.B", 5)),
        """0a 01 68
           2a 07
              0a 03 612e42
              10 05""",
    ),
}


def wire(text: str) -> bytes:
    """Return the bytes of a case."""
    return bytes.fromhex(re.sub(r"[\s|]", "", text))


@pytest.mark.parametrize(("message", "text"), CASES.values(), ids=CASES)
def test_written(message: Message, text: str) -> None:
    """The message is written as these bytes."""
    assert bytes(message).hex(" ") == wire(text).hex(" ")


@pytest.mark.parametrize(("message", "text"), CASES.values(), ids=CASES)
def test_read(message: Message, text: str) -> None:
    """The bytes are read as this message, whichever buffer they come in."""
    assert type(message).parse(wire(text)) == message
    assert type(message).parse(bytearray(wire(text))) == message
    assert type(message).parse(memoryview(b"-" + wire(text) + b"-")[1:-1]) == message


@pytest.mark.parametrize(("message", "text"), CASES.values(), ids=CASES)
def test_truncated(message: Message, text: str) -> None:
    """A message that ends too early is an error, or ends between two fields: then those before it are all there."""
    whole = wire(text)
    for size in range(len(whole)):
        try:
            part = type(message).parse(whole[:size])
        except WireError:
            continue
        assert bytes(part) == whole[:size]


@pytest.mark.parametrize("text", [text for _, text in CASES.values()], ids=CASES)
def test_truncated_within(text: str) -> None:
    """Inside of another message, every truncation of it is an error, for the length before it says how long it is."""
    whole = wire(text)
    framed = b"\x0a" + bytes((len(whole) & 0x7F | 0x80, len(whole) >> 7)) + whole
    for size in range(1, len(framed)):
        with pytest.raises(WireError):
            ModelStatisticsResponse.parse(framed[:size])
