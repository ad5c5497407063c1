"""The interface of MLModel: what runtimes call, and what they may say of themselves."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from srv import MLModel, ModelParameters, ModelSettings
from srv._state import Changes
from srv.codecs import (
    Base64Codec,
    DatetimeCodec,
    NumpyCodec,
    NumpyRequestCodec,
    PandasCodec,
    RequestCodec,
    StringCodec,
    StringRequestCodec,
    get_decoded,
    get_decoded_or_raw,
    has_decoded,
)
from srv.controlplane._entry import ModelState
from srv.controlplane._registry import ModelRegistry
from srv.errors import CodecError, CodecNotFound, InferenceError, LoadError
from srv.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataTensor,
    Parameters,
    RequestInput,
    RequestOutput,
    ResponseOutput,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from srv.types import MetadataModelResponse


def content_type(name: str | None) -> Parameters:
    return Parameters(content_type=name)


def make_model(
    *, inputs: str | None = None, outputs: str | None = None, request: str | None = None, kind: type[MLModel] = MLModel
) -> MLModel:
    """Return a runtime whose settings and metadata say these content types."""
    return kind(
        ModelSettings(
            name="m",
            implementation=kind,
            inputs=[MetadataTensor("x", "BYTES", [-1], content_type(inputs))] if inputs else [],
            outputs=[MetadataTensor("y", "BYTES", [-1], content_type(outputs))] if outputs else [],
            parameters=ModelParameters(content_type=request),
        )
    )


def make_input(own: str | None = None, data: object = b"YWI=", name: str = "x") -> RequestInput:
    """Return an input that `base64` decodes to ``b"ab"``, `str` to ``"YWI="``, and `np` to an array."""
    return RequestInput(name=name, datatype="BYTES", shape=[1], data=[data], parameters=content_type(own))


# Which of the four says what -> what decode makes of the input.
DECODE = {
    "nobody": (None, None, None, [b"YWI="]),
    "the default": (None, None, Base64Codec, [b"ab"]),
    "the metadata": (None, "str", None, ["YWI="]),
    "the metadata before the default": (None, "str", Base64Codec, ["YWI="]),
    "the input": ("base64", None, None, [b"ab"]),
    "the input before the default": ("base64", None, StringCodec, [b"ab"]),
    "the input before the metadata": ("base64", "str", None, [b"ab"]),
    "the input before all": ("base64", "str", NumpyCodec, [b"ab"]),
}


@pytest.mark.parametrize(("own", "metadata", "default", "expected"), DECODE.values(), ids=DECODE)
def test_decode_goes_by_the_input_then_the_metadata_then_the_default(
    own: str | None, metadata: str | None, default: Any, expected: list[object]
) -> None:
    assert make_model(inputs=metadata).decode(make_input(own), default) == expected


# Who says what of the request, and of the input -> what decode_request gives.
DECODE_REQUEST: dict[str, tuple[str | None, str | None, Any, str | None, str | None, object]] = {
    "the default": (None, None, StringRequestCodec, None, None, ["YWI="]),
    "the settings": (None, "str", None, None, None, ["YWI="]),
    "the settings before the default": (None, "str", NumpyRequestCodec, None, None, ["YWI="]),
    "the request": ("str", None, None, None, None, ["YWI="]),
    "the request before the settings": ("str", "np", None, None, None, ["YWI="]),
    "the request before the default": ("str", None, NumpyRequestCodec, None, None, ["YWI="]),
    "the input first": ("str", None, None, "base64", None, [b"ab"]),
    "the metadata first": ("str", None, None, None, "base64", [b"ab"]),
    "the input before the metadata": ("np", None, None, "base64", "str", [b"ab"]),
}


@pytest.mark.parametrize(
    ("request_type", "settings", "default", "own", "metadata", "expected"), DECODE_REQUEST.values(), ids=DECODE_REQUEST
)
def test_decode_request_goes_by_the_request_then_the_settings_then_the_default(
    request_type: str | None,
    settings: str | None,
    default: Any,
    own: str | None,
    metadata: str | None,
    expected: object,
) -> None:
    request = InferenceRequest(inputs=[make_input(own)], parameters=content_type(request_type))
    assert make_model(inputs=metadata, request=settings).decode_request(request, default) == expected


def test_a_request_that_nobody_says_anything_of_is_itself() -> None:
    request = InferenceRequest(inputs=[make_input(), make_input("base64", name="z")])
    assert make_model().decode_request(request) is request
    assert [has_decoded(each) for each in request.inputs] == [False, True]
    assert get_decoded(request.inputs[0]) is None
    assert [list(get_decoded_or_raw(each)) for each in request.inputs] == [[b"YWI="], [b"ab"]]  # type: ignore[call-overload]


@pytest.mark.parametrize("by_metadata", [False, True])
@pytest.mark.parametrize(
    ("column", "data", "expected"),
    [
        ("datetime", "2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("base64", b"YWI=", b"ab"),
        ("pd_json", '{"a": [1]}', {"a": [1]}),
        ("str", b"YWI=", "YWI="),
        ("np", b"YWI=", b"YWI="),
    ],
)
def test_a_column_of_a_frame_has_the_content_type_of_its_input(
    column: str, data: object, expected: object, *, by_metadata: bool
) -> None:
    model = make_model(inputs=column if by_metadata else None, request="pd")
    request = InferenceRequest(inputs=[make_input(None if by_metadata else column, data)])
    frame: Any = model.decode_request(request)
    assert frame["x"].tolist() == [expected]


def test_an_input_is_decoded_once() -> None:
    model = make_model(inputs="str")
    tensor = make_input()
    assert model.decode(tensor) is model.decode(tensor)
    tensor.data = [b"new"]
    assert model.decode(tensor) == ["new"]
    tensor.parameters.content_type = "np"
    assert isinstance(model.decode(tensor), np.ndarray)


def test_a_request_codec_of_the_users_own_sees_decoded_inputs() -> None:
    class Joined(RequestCodec[str]):
        @classmethod
        def decode_request(cls, request: InferenceRequest) -> str:
            return " ".join(str(get_decoded_or_raw(each)) for each in request.inputs)

    request = InferenceRequest(inputs=[make_input("str", b"a"), make_input("base64", name="z")])
    assert make_model().decode_request(request, Joined) == "['a'] [b'ab']"


TIME = datetime(2026, 11, 22, tzinfo=UTC)
# Who says what, and the payload -> content type and data of the output.
ENCODE: dict[str, tuple[str | None, str | None, Any, object, str | None, list[object]]] = {
    "the payload": (None, None, None, ["a"], "str", [b"a"]),
    "the payload before the default": (None, None, DatetimeCodec, ["2026-11-22"], "str", [b"2026-11-22"]),
    "the default": (None, None, StringCodec, "a", "str", [b"a"]),
    "the metadata": (None, "base64", None, [b"ab"], "base64", [b"YWI="]),
    "the metadata before the payload": (None, "datetime", None, ["2026-11-22"], "datetime", [b"2026-11-22"]),
    "the request": ("datetime", None, None, ["2026-11-22"], "datetime", [b"2026-11-22"]),
    "the request before the metadata": ("pd_json", "str", None, ["a"], "pd_json", [b'"a"']),
}


@pytest.mark.parametrize(("wanted", "metadata", "default", "payload", "found", "data"), ENCODE.values(), ids=ENCODE)
def test_encode_goes_by_the_request_then_the_metadata_then_the_payload_then_the_default(
    wanted: str | None, metadata: str | None, default: Any, payload: object, found: str | None, data: list[object]
) -> None:
    output = make_model(outputs=metadata).encode(payload, RequestOutput("y", content_type(wanted)), default)
    assert (output.name, output.parameters.content_type, output.data.root) == ("y", found, data)


def test_an_output_that_the_client_wants_otherwise_than_it_can_be_is_the_clients_error() -> None:
    wanted = RequestOutput("y", content_type("str"))
    with pytest.raises(CodecError) as caught:
        make_model().encode(np.zeros(1), wanted)
    assert str(caught.value) == (
        "output 'y': expected a list of str, got ndarray (content type 'str' is what the request asks for)"
    )
    with pytest.raises(InferenceError, match=r"expected a list of str, got ndarray$"):
        make_model(outputs="str").encode(np.zeros(1), RequestOutput("y"))
    with pytest.raises(InferenceError, match=r"^output 'y': no codec encodes float$"):
        make_model().encode(1.5, RequestOutput("y"))


def test_an_unknown_content_type_is_an_error_wherever_it_stands() -> None:
    with pytest.raises(CodecNotFound, match=r"^input 'x': no input codec for content type 'nope'; there are 'arrow'"):
        make_model().decode(make_input("nope"))
    with pytest.raises(CodecNotFound, match=r"^input 'x': no input codec for content type 'pd', which is one of whole"):
        make_model(inputs="pd").decode(make_input())
    with pytest.raises(CodecNotFound, match=r"^no request codec for content type 'base64', which is one of single"):
        make_model(request="base64").decode_request(InferenceRequest())
    with pytest.raises(CodecNotFound, match=r"^output 'y': no input codec for content type 'nope'"):
        make_model().encode(["a"], RequestOutput("y", content_type("nope")))


def test_encode_response_goes_by_the_settings_then_the_payload_then_the_default() -> None:
    class Greedy(RequestCodec[object]):
        ContentType = "greedy"

        @classmethod
        def can_encode(cls, payload: object) -> bool:
            return not isinstance(payload, list)

        @classmethod
        def encode_response(
            cls, model_name: str, payload: object, model_version: str | None = None
        ) -> InferenceResponse:
            del payload
            return InferenceResponse(model_name, model_version, id="greedy")

    frame = pd.DataFrame({"a": [1]})
    assert make_model().encode_response(frame).parameters.content_type == "pd"
    assert make_model(request="pd").encode_response(np.zeros(2)).parameters.content_type == "np"
    assert make_model().encode_response(np.zeros(2), PandasCodec).parameters.content_type == "np"
    assert make_model().encode_response(1.5, Greedy).id == "greedy"
    with pytest.raises(InferenceError, match=r"^model 'm': no codec encodes float as a response$"):
        make_model().encode_response(1.5)

    from srv_codecs.content_types import codec_scope, register_request_codec, release_codecs

    Greedy.__module__ = "srv_models.greedy.models"
    with codec_scope("srv_models.greedy"):
        register_request_codec(Greedy)
        assert make_model().encode_response(frame).parameters.content_type == "pd"
        assert make_model(request="greedy").encode_response(frame).id == "greedy"
        assert make_model(request="greedy").encode_response(["a"]).parameters.content_type == "str"
        release_codecs("srv_models.greedy")


# --- what a runtime says of itself ------------------------------------------------------------------------------


def load(runtime: type[MLModel], check: Callable[[ModelRegistry, MLModel], object], **settings: Any) -> Any:
    """Load a model, and return what `check` makes of it."""

    async def run() -> Any:
        registry = ModelRegistry(Changes())
        await registry.load(ModelSettings(name="m", implementation=runtime, **settings))
        try:
            return check(registry, registry.find("m").runtime)
        finally:
            await registry.close()

    return asyncio.run(run())


def nothing(*_: object) -> None:
    """Do nothing with a model that is loaded."""


class Returns(MLModel):
    """Returns from load() what `value` says, having set `ready` if `sets` says something."""

    value: Any = None
    sets: Any = None
    before: Any = None

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        if self.before is not None:
            self.ready = self.before

    async def load(self) -> Any:
        if self.sets is not None:
            self.ready = self.sets
        return self.value


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("value", "sets", "before", "ready"),
    [
        (True, None, None, True),
        (None, None, None, True),
        (1, None, None, True),
        ("loaded", None, None, True),
        (object(), None, None, True),
        (True, False, None, True),
        (None, False, None, False),
        (None, True, None, True),
        (None, None, False, True),
    ],
    ids=str,
)
def test_what_load_returns_says_whether_the_model_is_ready(
    value: object, sets: bool | None, before: bool | None, ready: bool, *, plain: bool
) -> None:
    namespace: dict[str, Any] = {"value": value, "sets": sets, "before": before}
    if plain:

        def load_plainly(self: Returns) -> Any:
            if self.sets is not None:
                self.ready = self.sets
            return self.value

        namespace["load"] = load_plainly
    runtime = type("Returning", (Returns,), namespace)
    assert load(runtime, lambda registry, model: (registry.is_ready("m"), model.ready)) == (ready, ready)


@pytest.mark.parametrize("value", [False, 0, "", [], np.False_], ids=repr)
def test_what_is_false_is_a_load_that_failed(value: object) -> None:
    runtime = type("Returning", (Returns,), {"value": value})
    with pytest.raises(LoadError, match=r"load\(\) returned "):
        load(runtime, nothing)


def test_what_users_of_mlserver_write_in_load() -> None:
    class Wild(MLModel):
        async def load(self) -> bool:
            self.seen = self._settings.name, self._inputs, self.inputs[0].name, self.outputs, self.version
            base: Any = super()
            self.ready = await base.load()
            self.outputs = [MetadataTensor(name="y", datatype="FP32", shape=[-1])]
            self.inputs.append(MetadataTensor(name="z", datatype="FP32", shape=[-1]))
            return self.ready

        async def metadata(self) -> MetadataModelResponse:
            base: Any = super()
            found: MetadataModelResponse = await base.metadata()
            found.platform = "mine"
            return found

        async def unload(self) -> bool:
            base: Any = super()
            return bool(await base.unload())

    first = MetadataTensor(name="x", datatype="FP32", shape=[-1])

    def check(registry: ModelRegistry, model: Any) -> None:
        assert model.ready
        assert model.seen == ("m", [*model.inputs], "x", [], None)
        assert [each.name for each in model.inputs] == ["x", "z"]
        assert [each.name for each in model.outputs] == ["y"]
        assert model.settings.name == model.name == "m"
        assert registry.is_ready("m")

    load(Wild, check, inputs=[first])

    async def read() -> None:
        model = Wild(ModelSettings(name="m", implementation=Wild, inputs=[first]))
        found = await model.metadata()
        assert (found.name, found.platform, found.inputs) == ("m", "mine", [first])

    asyncio.run(read())


def test_a_runtime_that_says_that_it_is_not_ready_is_not_and_who_waits_is_told() -> None:
    """From any thread, at any time."""

    class Moody(MLModel):
        pass

    async def run() -> None:
        changes = Changes()
        registry = ModelRegistry(changes)
        await registry.load(ModelSettings(name="m", implementation=Moody))
        (entry,) = registry.entries()
        runtime = registry.find("m").runtime
        for ready, state in ((False, ModelState.UNAVAILABLE), (True, ModelState.READY)):
            changed = changes.next()
            thread = threading.Thread(target=setattr, args=(runtime, "ready", ready))
            thread.start()
            async with asyncio.timeout(60):
                await changed.wait()
            thread.join()
            assert (registry.is_ready("m"), entry.says_ready, entry.shown[0]) == (ready, ready, state)
        await registry.close()
        assert not runtime.ready

    asyncio.run(run())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"parameters": ModelParameters(content_type="nope")},
            "parameters.content_type: no request codec for content type 'nope'; there are 'arrow'",
        ),
        (
            {"parameters": ModelParameters(content_type="base64")},
            "parameters.content_type: no request codec for content type 'base64', which is one of single tensors",
        ),
        (
            {"inputs": [MetadataTensor("x", "BYTES", [-1], content_type("nope"))]},
            "inputs[0].parameters.content_type: no input codec for content type 'nope'",
        ),
        (
            {"outputs": [MetadataTensor("y", "BYTES", [-1], content_type("pd"))]},
            "outputs[0].parameters.content_type: no input codec for content type 'pd', which is one of whole requests",
        ),
        (
            {"inputs": [MetadataTensor("x", "BYTES", [-1], Parameters(content_type=5))]},
            "parameters.content_type: expected a string, got 5",
        ),
    ],
)
def test_a_model_whose_content_types_nobody_knows_is_not_loaded(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(LoadError) as caught:
        load(Returns, nothing, **settings)
    assert text in str(caught.value)


def test_a_response_is_made_as_mlservers_documentation_makes_it() -> None:
    response = InferenceResponse(
        model_name="m",
        outputs=[ResponseOutput(name="y", shape=[1, 2], datatype="FP32", data=[1.0, 2.0])],
        parameters=Parameters(headers={"foo": "bar"}),
    )
    assert response.outputs[0].data == [1.0, 2.0]
    assert dict(response.parameters.headers or {}) == {"foo": "bar"}
