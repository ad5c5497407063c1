"""Where codecs are found."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from srv_codecs import content_types
from srv_codecs.content_types import (
    CodecRegistry,
    InputCodec,
    LazyCodec,
    NumpyCodec,
    NumpyRequestCodec,
    RequestCodec,
    StringCodec,
    codec_scope,
    find_input_codec,
    find_request_codec,
    input_codecs,
    register_input_codec,
    register_request_codec,
    release_codecs,
    request_codecs,
)
from srv_protocol.errors import CodecError, CodecNotFound, InferenceError, InvalidInput
from srv_protocol.inference import InferInputTensor, InferOutputTensor, ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from srv_codecs.content_types import AnyInputCodec


class ReverseCodec(InputCodec[str]):
    ContentType = "reverse"

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        return isinstance(payload, str)

    @classmethod
    def encode_output(cls, name: str, payload: str) -> InferOutputTensor:
        return InferOutputTensor(name, "BYTES", [1], data=[payload[::-1].encode()])

    @classmethod
    def decode_input(cls, request_input: InferInputTensor) -> str:
        return StringCodec.decode_input(request_input)[0][::-1]


class FirstTensorCodec(RequestCodec[str]):
    ContentType = "first"

    @classmethod
    def encode_response(cls, model_name: str, payload: str, model_version: str | None = None) -> ModelInferResponse:
        return ModelInferResponse(model_name, model_version, outputs=[ReverseCodec.encode_output("first", payload)])

    @classmethod
    def decode_request(cls, request: ModelInferRequest) -> str:
        return ReverseCodec.decode_input(request.inputs[0])


def make_registry() -> CodecRegistry[AnyInputCodec]:
    return CodecRegistry(
        "input", InputCodec, [NumpyCodec], [LazyCodec("lazy", "no_such_package", "no_such_module", "Codec")]
    )


def test_a_codec_is_found_by_its_content_type() -> None:
    registry = make_registry()
    assert registry.register(ReverseCodec) is ReverseCodec
    assert registry.find("reverse") is ReverseCodec
    assert registry.find("np") is NumpyCodec
    assert registry.content_types == ("lazy", "np", "reverse")


def test_an_unknown_content_type_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(CodecNotFound) as caught:
        make_registry().find("nope")
    assert str(caught.value) == "no input codec for content type 'nope'; there are 'lazy', 'np'"


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("np", "ContentType: the input codec for 'np' is already NumpyCodec"),
        ("lazy", "ContentType: the input codec for 'lazy' is already Codec"),
        ("", "ContentType: expected the name of a content type, got none"),
        (3, "ContentType: expected the name of a content type, got 3"),
    ],
)
def test_a_second_codec_of_a_content_type_is_refused(content_type: Any, text: str) -> None:
    class Second(InputCodec[object]):
        ContentType = content_type

    with pytest.raises(CodecError) as caught:
        make_registry().register(Second)
    assert str(caught.value).endswith(text)


def test_a_codec_whose_package_is_missing_is_an_error_that_names_it() -> None:
    with pytest.raises(CodecNotFound) as caught:
        make_registry().find("lazy", "tensor 'x'")
    assert str(caught.value) == (
        "tensor 'x': the input codec for content type 'lazy' needs no_such_module, which is not installed"
    )


def test_a_codec_is_found_by_the_type_of_a_value() -> None:
    registry = make_registry()
    registry.register(ReverseCodec)
    assert registry.find_for(np.zeros(1)) is NumpyCodec
    assert registry.find_for("text") is ReverseCodec
    assert registry.find_for(1.5) is None


def test_iteration_keeps_the_order_of_registration() -> None:
    registry: CodecRegistry[AnyInputCodec] = CodecRegistry("input", InputCodec, [StringCodec])
    registry.register(NumpyCodec)
    assert list(registry) == [StringCodec, NumpyCodec]


def test_decorators_register_and_return_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_codecs, "_codecs", dict(input_codecs._codecs))
    monkeypatch.setattr(request_codecs, "_codecs", dict(request_codecs._codecs))
    assert register_input_codec(ReverseCodec) is ReverseCodec
    assert register_request_codec(FirstTensorCodec) is FirstTensorCodec
    assert input_codecs.find("reverse") is ReverseCodec
    assert request_codecs.find("first") is FirstTensorCodec


def test_what_clients_need_follows_from_what_servers_need() -> None:
    assert ReverseCodec.encode_input("x", "abc") == InferInputTensor("x", "BYTES", [1], data=[b"cba"])
    assert ReverseCodec.decode_output(ReverseCodec.encode_output("y", "abc")) == "abc"
    assert FirstTensorCodec.decode_request(FirstTensorCodec.encode_request("abc")) == "abc"
    assert FirstTensorCodec.decode_response(FirstTensorCodec.encode_response("m", "abc")) == "abc"


def test_a_codec_that_lacks_a_method_says_so() -> None:
    class Empty(InputCodec[object]):
        ContentType = "empty"

    class EmptyRequest(RequestCodec[object]):
        ContentType = "empty"

    assert not Empty.can_encode(1)
    assert not EmptyRequest.can_encode(1)
    with pytest.raises(InferenceError, match=r"^output 'y': Empty does not encode int: it has no encode_output$"):
        Empty.encode_output("y", 1)
    with pytest.raises(CodecError, match=r"^input 'x': Empty does not decode: it has no decode_input$"):
        Empty.decode_input(InferInputTensor("x"))
    with pytest.raises(
        InferenceError, match=r"^model 'm': EmptyRequest does not encode int: it has no encode_response$"
    ):
        EmptyRequest.encode_response("m", 1)
    with pytest.raises(CodecError, match=r"^model 'm': EmptyRequest does not decode: it has no decode_request$"):
        EmptyRequest.decode_request(ModelInferRequest("m"))


def test_every_content_type_has_its_codec() -> None:
    assert input_codecs.content_types == ("arrow", "base64", "datetime", "np", "pd_json", "str")
    assert request_codecs.content_types == ("arrow", "arrow-table", "np", "pd", "str")
    for registry in (input_codecs, request_codecs):
        for content_type in registry.content_types:
            assert registry.find(content_type).ContentType == content_type


def test_a_content_type_of_its_own_comes_before_that_of_the_metadata() -> None:
    tensor = InferInputTensor("x", "BYTES", [1], {"content_type": "str"})
    assert find_input_codec(tensor, "np") is StringCodec
    assert find_input_codec(InferInputTensor("x"), "np") is NumpyCodec
    assert find_input_codec(InferInputTensor("x")) is None
    assert find_request_codec(ModelInferRequest(), "np") is NumpyRequestCodec
    assert find_request_codec(ModelInferRequest()) is None


def test_an_unknown_content_type_is_never_ignored() -> None:
    with pytest.raises(CodecNotFound, match=r"^input 'x': no input codec for content type 'nope'"):
        find_input_codec(InferInputTensor("x", parameters={"content_type": "nope"}))
    with pytest.raises(CodecNotFound, match=r"^no request codec for content type 'nope'"):
        find_request_codec(ModelInferRequest(), "nope")
    with pytest.raises(InvalidInput, match="expected a string, got 5"):
        find_input_codec(InferInputTensor("x", parameters={"content_type": 5}))


def test_neither_pandas_nor_arrow_is_loaded_before_it_is_needed() -> None:
    program = """
import sys
from srv_codecs import content_types, hints
from srv_codecs.content_types import input_codecs, request_codecs
input_codecs.content_types, list(input_codecs), request_codecs.find_for(1.5)
assert not {"pandas", "pyarrow"} & set(sys.modules), "too early"
content_types.ArrowCodec
assert "pyarrow" in sys.modules and "pandas" not in sys.modules
assert [codec.__name__ for codec in input_codecs][-1] == "ArrowCodec"
request_codecs.find("pd")
assert "pandas" in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_public_name_is_there() -> None:
    for name in content_types.__all__:
        assert getattr(content_types, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        content_types.Nope  # noqa: B018


# --- codecs of models -------------------------------------------------------------------------------------------


def codec_of(package: str, content_type: str = "mine", name: str = "Mine") -> AnyInputCodec:
    """Return a codec as the code of a model defines it."""
    namespace = {"ContentType": content_type, "__module__": f"{package}.models", "__qualname__": name}
    return type(name, (ReverseCodec,), namespace)


def register(registry: CodecRegistry[AnyInputCodec], package: str, codec: AnyInputCodec) -> AnyInputCodec:
    with codec_scope(package):
        return registry.register(codec)


def test_models_may_each_have_a_codec_of_their_own_for_a_content_type() -> None:
    registry = make_registry()
    packages = ["srv_models.m_v1_1", "srv_models.m_v2_2", "srv_models.m_v1_11"]
    codecs = {package: register(registry, package, codec_of(package)) for package in packages}
    for package, codec in codecs.items():
        with codec_scope(package):
            assert registry.find("mine") is codec
            assert registry.find("np") is NumpyCodec
            assert list(registry) == [NumpyCodec, codec]
            assert registry.find_for("text") is codec
            assert registry.content_types == ("lazy", "mine", "np")
    assert list(registry) == [NumpyCodec]
    with pytest.raises(CodecNotFound, match=r"'mine'; there are 'lazy', 'np'$"):
        registry.find("mine")


def test_a_model_that_is_loaded_anew_has_its_new_codec_and_the_requests_on_the_old_one_the_old() -> None:
    registry = make_registry()
    old = register(registry, "srv_models.m_1", codec_of("srv_models.m_1"))
    new = register(registry, "srv_models.m_2", codec_of("srv_models.m_2"))
    with codec_scope("srv_models.m_1"):
        assert registry.find("mine") is old
        registry.release("srv_models.m_1")
        with pytest.raises(CodecNotFound):
            registry.find("mine")
    with codec_scope("srv_models.m_2"):
        assert registry.find("mine") is new


@pytest.mark.parametrize(
    ("content_type", "text"), [("mine", "already Mine"), ("np", "already NumpyCodec"), ("lazy", "already Codec")]
)
def test_a_model_cannot_have_two_codecs_for_a_content_type(content_type: str, text: str) -> None:
    registry = make_registry()
    register(registry, "srv_models.m_1", codec_of("srv_models.m_1"))
    with pytest.raises(CodecError, match=text):
        register(registry, "srv_models.m_1", codec_of("srv_models.m_1", content_type, "Other"))


def test_a_class_whose_module_runs_again_takes_the_place_of_the_old_one() -> None:
    registry = make_registry()
    for package in ("srv_models.m_1", ""):
        register(registry, package, codec_of("srv_models.m_1"))
        again = register(registry, package, codec_of("srv_models.m_1"))
        with codec_scope(package):
            assert registry.find("mine") is again


def test_what_an_installed_package_registers_while_a_model_imports_it_is_there_for_all() -> None:
    registry = make_registry()
    codec = register(registry, "srv_models.m_1", codec_of("installed"))
    assert registry.find("mine") is codec


def test_the_decorators_know_the_model_whose_code_runs() -> None:
    package = "srv_models.m_1"
    with codec_scope(package):
        codec = register_input_codec(codec_of(package))
        assert find_input_codec(InferInputTensor("x"), "mine") is codec
        release_codecs(package)
        assert "mine" not in input_codecs.content_types
