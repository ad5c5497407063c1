"""The tables of the page on content types say what the code does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pages import read_table

from srv import MLModel, ModelParameters, ModelSettings, codecs
from srv.codecs import Base64Codec, NumpyCodec, StringCodec, StringRequestCodec
from srv.errors import InferenceError
from srv.types import InferenceRequest, MetadataTensor, Parameters, RequestInput, RequestOutput
from srv_codecs.content_types import CodecRegistry, input_codecs, request_codecs

if TYPE_CHECKING:
    from collections.abc import Callable

PRECEDENCE = {row[0].strip("`"): row[1:] for row in read_table("docs/content-types.md", "method")}


def model(content_type: str | None, request: str | None = None) -> MLModel:
    """Return a runtime of which an input and an output ``x`` have a content type, and requests another."""
    tensors = [MetadataTensor("x", "BYTES", [-1], Parameters(content_type=content_type))]
    parameters = ModelParameters(content_type=request)
    settings = ModelSettings(name="m", implementation=MLModel, inputs=tensors, outputs=tensors, parameters=parameters)
    return MLModel(settings)


def tensor(content_type: str | None) -> RequestInput:
    return RequestInput(
        name="x", datatype="BYTES", shape=[1], data=[b"YWI="], parameters=Parameters(content_type=content_type)
    )


def decode(says: set[str]) -> object:
    default = NumpyCodec if "`default_codec`" in says else None
    own = tensor("base64" if "the input's own" in says else None)
    return model("str" if "the model's metadata" in says else None).decode(own, default)


def decode_request(says: set[str]) -> object:
    request = InferenceRequest(
        inputs=[tensor(None)], parameters=Parameters(content_type="np" if "the request's own" in says else None)
    )
    default = codecs.PandasCodec if "`default_codec`" in says else None
    return model(None, "str" if "the model's settings" in says else None).decode_request(request, default)


def encode(says: set[str]) -> object:
    wanted = Parameters(content_type="pd_json" if "the requested output's own" in says else None)
    default = Base64Codec if "`default_codec`" in says else None
    payload: object = ["2026-11-22"] if "the type of the payload" in says else b"ab"
    metadata = "datetime" if "the model's metadata" in says else None
    return model(metadata).encode(payload, RequestOutput("x", wanted), default).parameters.content_type


def encode_response(says: set[str]) -> object:
    import pandas as pd

    payload: object = pd.DataFrame({"a": ["x"]}) if "the type of the payload" in says else object()
    settings = "pd" if "the model's settings" in says else None
    default = Constant if "`default_codec`" in says else None
    return model(None, settings).encode_response(payload, default).parameters.content_type


class Constant(StringRequestCodec):
    """Encodes anything as one text."""

    ContentType = "constant"

    @classmethod
    def encode_response(cls, model_name: str, payload: Any, model_version: str | None = None, **_: Any) -> Any:
        del payload
        response = StringRequestCodec.encode_response(model_name, ["x"], model_version)
        response.parameters.content_type = cls.ContentType
        return response


ANSWERS: dict[str, tuple[Callable[[set[str]], object], dict[str, Callable[[Any], bool]]]] = {
    "decode": (
        decode,
        {
            "the input's own": lambda found: found == [b"ab"],
            "the model's metadata": lambda found: found == ["YWI="],
            "`default_codec`": lambda found: found.tolist() == [b"YWI="],
            "the data as it is": lambda found: found.root == [b"YWI="],
        },
    ),
    "decode_request": (
        decode_request,
        {
            "the request's own": lambda found: found.tolist() == [b"YWI="],
            "the model's settings": lambda found: found == ["YWI="],
            "`default_codec`": lambda found: found["x"].tolist() == ["YWI="],
            "the request itself": lambda found: isinstance(found, InferenceRequest),
        },
    ),
    "encode": (
        encode,
        {
            "the requested output's own": lambda found: found == "pd_json",
            "the model's metadata": lambda found: found == "datetime",
            "the type of the payload": lambda found: found == StringCodec.ContentType,
            "`default_codec`": lambda found: found == "base64",
        },
    ),
    "encode_response": (
        encode_response,
        {
            "the model's settings": lambda found: found == "pd",
            "the type of the payload": lambda found: found == "pd",
            "`default_codec`": lambda found: found == "constant",
            "an error": lambda _: False,
        },
    ),
}


@pytest.mark.parametrize("method", PRECEDENCE)
def test_the_table_of_precedence_holds(method: str) -> None:
    """Of those that say something, the first in the table's row counts."""
    call, expected = ANSWERS[method]
    order = PRECEDENCE[method]
    assert sorted(order) == sorted(expected)
    for index, first in enumerate(order):
        says = set(order[index:])
        if first == "an error":
            with pytest.raises(InferenceError):
                call(says)
        else:
            assert expected[first](call(says)), (method, first)


def test_the_table_of_codecs_is_complete() -> None:
    rows = read_table("docs/content-types.md", "content type")
    registries: dict[str, CodecRegistry[Any]] = {"a tensor": input_codecs, "a request": request_codecs}
    for noun, registry in registries.items():
        listed = [(row[0].strip("`"), row[2].strip("`")) for row in rows if row[1] == noun]
        found = [registry.find(name) for name in registry.content_types]
        ours = sorted(
            (codec.ContentType, codec.__name__) for codec in found if codec.__module__.startswith("srv_codecs.")
        )
        assert sorted(listed) == ours
        assert all(getattr(codecs, name) is registry.find(content_type) for content_type, name in listed)
