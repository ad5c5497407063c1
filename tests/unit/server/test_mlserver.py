"""What ``import mlserver`` gives to model code."""

from __future__ import annotations

import asyncio
import importlib
import json
import pickle
import subprocess
import sys
import typing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tensors import pb

import srv
import srv.codecs
import srv.errors
import srv.types
from srv import MLModel, ModelSettings
from srv.mlserver import codecs as names
from srv.mlserver import converters, texts, utils
from srv.mlserver._aliases import SOURCES, install_aliases
from srv_protocol.errors import CodecError, CodecNotFound, InferenceError, InvalidInput
from srv_protocol.inference import Headers, InferInputTensor, InferOutputTensor, InferTensorContents, TensorMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def aliases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let ``import mlserver`` work here, and nowhere else."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    install_aliases()
    install_aliases()
    yield
    for name in [each for each in sys.modules if each.partition(".")[0] == "mlserver"]:
        del sys.modules[name]


# ---- The modules


@pytest.mark.parametrize("alias", SOURCES)
def test_every_name_of_a_module_is_ours(alias: str) -> None:
    module = importlib.import_module(alias)
    sources = [importlib.import_module(each) for each in SOURCES[alias]]

    assert set(module.__all__) == {name for source in sources for name in source.__all__} <= set(dir(module))
    for name in module.__all__:
        owner = next(source for source in sources if name in source.__all__)
        assert getattr(module, name) is getattr(owner, name)


@pytest.mark.parametrize(
    ("module", "given"),
    [
        ("mlserver", "MLModel Settings ModelSettings __version__ types codecs errors"),
        ("mlserver.model", "MLModel"),
        ("mlserver.settings", "Settings ModelSettings ModelParameters CORSSettings"),
        ("mlserver.version", "__version__"),
        (
            "mlserver.types",
            (
                "Datatype Parameters TensorData RequestInput RequestOutput InferenceRequest ResponseOutput "
                "InferenceResponse MetadataTensor MetadataModelResponse MetadataServerResponse "
                "InferenceErrorResponse RepositoryIndexRequest "
                "RepositoryIndexResponseItem RepositoryIndexResponse State MetadataModelErrorResponse "
                "MetadataServerErrorResponse RepositoryIndexErrorResponse RepositoryLoadErrorResponse "
                "RepositoryUnloadErrorResponse"
            ),
        ),
        (
            "mlserver.errors",
            (
                "MLServerError InvalidModelURI ModelNotFound ModelNotReady InferenceError ModelParametersMissing "
                "InvalidModelContext MetricNotFound EnvironmentNotFound WorkerStop InvalidMessageHeaders "
                "InvalidBatchingMethod"
            ),
        ),
        ("mlserver.codecs.errors", "CodecError CodecNotFound InputsNotFound OutputNotFound"),
        (
            "mlserver.codecs",
            (
                "NumpyCodec NumpyRequestCodec StringCodec StringRequestCodec Base64Codec DatetimeCodec PandasCodec "
                "InputCodec RequestCodec DecodedParameterName register_input_codec register_request_codec has_decoded "
                "get_decoded get_decoded_or_raw encode_inference_response encode_response_output decode_request_input "
                "decode_inference_request decode_args CodecError"
            ),
        ),
        ("mlserver.codecs.base", "find_input_codec find_request_codec find_input_codec_by_payload"),
        ("mlserver.codecs.decorator", "decode_args"),
        ("mlserver.codecs.lists", "is_list_of as_list"),
        ("mlserver.codecs.numpy", "NumpyCodec to_datatype to_dtype _to_ndarray _encode_data"),
        ("mlserver.codecs.json", "JSONEncoderWithArray encode_to_json decode_json_input_or_output"),
        ("mlserver.codecs.string", "StringCodec encode_str decode_str"),
        ("mlserver.codecs.utils", "SingleInputRequestCodec InputOrOutput inject_batch_dimension _save_decoded"),
        ("mlserver.utils", "get_model_uri generate_uuid get_import_path to_absolute_path"),
        ("mlserver.grpc.converters", "ModelInferRequestConverter ModelInferResponseConverter"),
    ],
)
def test_names_that_users_import_are_there(module: str, given: str) -> None:
    for name in given.split():
        namespace: dict[str, object] = {}
        exec(f"from {module} import {name}", namespace)  # noqa: S102  # our own text
        assert name in namespace


def test_types_are_the_same_objects() -> None:
    types: Any = importlib.import_module("mlserver.types")
    top: Any = importlib.import_module("mlserver")

    assert types.InferenceRequest is srv.types.InferenceRequest is top.types.InferenceRequest
    assert top.MLModel is MLModel
    assert top.errors.MLServerError is srv.errors.SrvError
    assert issubclass(top.errors.InferenceError, srv.errors.InferenceError)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("from mlserver import MLServer", "mlserver.MLServer"),
        ("import mlserver.kafka", "mlserver.kafka"),
        ("from mlserver.parallel.worker import Worker", "mlserver.parallel"),
        ("from mlserver.types import Nonsense", "mlserver.types.Nonsense"),
    ],
)
def test_an_import_of_what_srv_does_not_have_says_so(statement: str, name: str) -> None:
    with pytest.raises(ImportError, match=rf"^srv has no counterpart of {name}$"):
        exec(statement, {})  # noqa: S102  # our own text
    top: Any = importlib.import_module("mlserver")
    with pytest.raises(AttributeError, match=r"^srv has no counterpart of mlserver\.nonsense$"):
        _ = top.nonsense


def test_importing_srv_changes_nothing() -> None:
    """Only where a model is loaded is there a finder, the last one; and an installed MLServer is found as before."""
    code = (
        "import sys, srv; before = list(sys.meta_path)\n"
        "try: import mlserver\n"
        "except ModuleNotFoundError: pass\n"
        "else: raise SystemExit('found')\n"
        "from srv.runtimes._importer import ModelCode; ModelCode('m', None)\n"
        "assert type(sys.meta_path[-1]).__module__ == 'srv.mlserver._aliases', sys.meta_path\n"
        "import mlserver\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- Settings


def test_model_settings_are_made_of_a_dict() -> None:
    document = {
        "model": "m",
        "implementation": MLModel,
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
        "parameters": {"uri": "./x", "extra": {"a": 1}, "more": 2},
    }

    settings = ModelSettings.parse_obj(document)

    assert (settings.name, settings.implementation) == ("m", MLModel)
    assert settings.implementation_ == "srv.runtimes._model.MLModel"
    assert settings.inputs == [TensorMetadata("x", "FP32", [-1])]
    assert (settings.parameters.uri, settings.parameters.extra, settings.parameters.more) == ("./x", {"a": 1}, 2)
    assert ModelSettings.model_validate(settings) is settings
    assert ModelSettings.model_validate({"name": "m", "implementation": "a.B"}).implementation_ == "a.B"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"name": "m"}, "ModelSettings.implementation: expected a value, got nothing"),
        ({"implementation": "a.B"}, "ModelSettings.name: expected a value, got nothing"),
        ({"name": 1, "implementation": "a.B"}, "name: expected `str`, got `int`"),
        ({"name": "m", "implementation": "a.B", "parameters": []}, "expected `object`, got `array`"),
        ([], "ModelSettings: expected `object`, got `array`"),
    ],
)
def test_a_dict_that_is_wrong_is_named(document: object, text: str) -> None:
    with pytest.raises(srv.errors.SettingsError, match=text):
        ModelSettings.model_validate(document)


# ---- Codecs


def tensor(content_type: str | None = None, datatype: str = "INT64", **options: Any) -> InferInputTensor:
    data = options.pop("data", [1, 2])
    return InferInputTensor(
        "x", datatype, [len(data)], {"content_type": content_type} if content_type else None, data=data
    )


def test_a_decoded_value_is_kept_where_it_came_from() -> None:
    given = tensor("np")
    plain = tensor()
    request = srv.types.InferenceRequest(inputs=[given, plain])

    assert names.decode_inference_request(request) is request
    assert (names.has_decoded(given), names.has_decoded(plain), names.has_decoded(request)) == (True, False, False)
    decoded: Any = names.get_decoded(given)
    assert decoded.tolist() == [1, 2]
    assert names.get_decoded_or_raw(given) is decoded
    assert (names.get_decoded_or_raw(plain), names.get_decoded(plain)) == (plain.data, None)
    assert names.get_decoded_or_raw(request) is request
    assert given == tensor("np")


def test_requests_are_decoded_by_the_settings_and_inputs_by_metadata() -> None:
    settings = ModelSettings.model_validate(
        {"name": "m", "implementation": MLModel, "parameters": {"content_type": "np"}}
    )
    request = srv.types.InferenceRequest(inputs=[tensor()])
    metadata = {"x": TensorMetadata("x", "INT64", [-1], {"content_type": "np"})}

    decoded: Any = names.decode_inference_request(request, settings, metadata)

    assert decoded.tolist() == [1, 2]
    assert names.get_decoded(request) is decoded
    assert names.has_decoded(request.inputs[0])
    with pytest.raises(CodecNotFound, match="input 'x': no input codec for content type 'nonsense'"):
        names.decode_request_input(tensor("nonsense"))


def test_values_are_encoded_by_content_type_or_by_their_own_type() -> None:
    output = srv.types.RequestOutput(name="y")
    settings = ModelSettings(name="m", implementation=MLModel)

    encoded = names.encode_response_output(["a"], output)
    assert encoded is not None
    assert (encoded.datatype, encoded.parameters.content_type) == ("BYTES", "str")
    metadata = {"y": TensorMetadata("y", "BYTES", [-1], {"content_type": "base64"})}
    encoded = names.encode_response_output([b"a"], output, metadata)
    assert encoded is not None
    assert encoded.parameters.content_type == "base64"
    assert names.encode_response_output(object(), output) is None
    response = names.encode_inference_response(np.ones(2), settings)
    assert response is not None
    assert (response.model_name, response.outputs[0].name) == ("m", "output-1")
    assert names.encode_inference_response(object(), settings) is None


def test_codecs_are_found_by_content_type_and_payload() -> None:
    assert names.find_input_codec("np") is srv.codecs.NumpyCodec
    assert names.find_request_codec("np") is srv.codecs.NumpyRequestCodec
    assert names.find_input_codec("nonsense") is names.find_input_codec(None) is None
    assert names.find_request_codec("nonsense") is names.find_request_codec("") is None
    assert names.find_input_codec_by_payload(np.ones(1)) is srv.codecs.NumpyCodec
    assert names.find_request_codec_by_payload(np.ones(1)) is srv.codecs.NumpyRequestCodec
    assert names.find_input_codec(payload=["a"], type_hint=np.ndarray) is srv.codecs.StringCodec
    assert names.find_request_codec(payload=["a"]) is srv.codecs.StringRequestCodec
    assert names.find_input_codec(content_type="np", payload=["a"]) is srv.codecs.NumpyCodec
    assert names.find_input_codec() is None
    assert names.find_request_codec() is None


@pytest.mark.parametrize(
    ("hint", "codec"),
    [
        (np.ndarray, srv.codecs.NumpyCodec),
        (typing.List[str], srv.codecs.StringCodec),  # noqa: UP006  # as MLServer's users write it
        (list[bytes], srv.codecs.Base64Codec),
        (typing.List[typing.Union[str, datetime]], srv.codecs.DatetimeCodec),  # noqa: UP006, UP007
        (dict, None),
        (None, None),
    ],
)
def test_input_codecs_are_found_by_hint(hint: object, codec: object) -> None:
    assert names.find_input_codec(type_hint=hint) is names.find_input_codec_by_type_hint(hint) is codec


def test_request_codecs_are_found_by_hint() -> None:
    pd = pytest.importorskip("pandas")

    assert names.find_request_codec_by_type_hint(pd.DataFrame) is srv.codecs.PandasCodec
    assert names.find_request_codec(type_hint=list[str]) is srv.codecs.StringRequestCodec
    assert srv.codecs.PandasCodec.JsonContentType == "pd_json"


def test_text_and_json() -> None:
    assert (texts.encode_str("é"), texts.decode_str("é".encode()), texts.decode_str("é")) == (b"\xc3\xa9", "é", "é")
    assert texts.encode_to_json({"a": np.arange(2), "b": "é"}) == '{"a":[0,1],"b":"é"}'.encode()
    assert texts.encode_to_json([np.float32(0.5)], use_bytes=False) == "[0.5]"
    assert texts.encode_to_json_bytes({"a": b"b", "c": [1]}) == b'{"a":"b","c":[1]}'
    assert texts.decode_from_bytelike_json_to_dict(b'{"a": 1}') == {"a": 1}
    cells = tensor(datatype="BYTES", data=['{"a": 1}', b"[2]"])
    assert texts.decode_json_input_or_output(cells) == [{"a": 1}, [2]]
    for encode in (texts.encode_to_json, texts.encode_to_json_bytes):
        with pytest.raises(ValueError, match="Out of range float"):
            encode(float("nan"))


def test_a_request_codec_of_one_input() -> None:
    class Texts(names.SingleInputRequestCodec):
        InputCodec = srv.codecs.StringCodec
        ContentType = "texts"

    request = Texts.encode_request(["a"])
    response = Texts.encode_response("m", ["b"], "1")

    assert (request.inputs[0].name, response.outputs[0].name) == ("input-1", "output-1")
    assert (request.parameters.content_type, response.model_version) == ("texts", "1")
    assert (Texts.decode_request(request), Texts.decode_response(response)) == (["a"], ["b"])
    names._save_decoded(request.inputs[0], ["kept"])
    assert Texts.decode_request(request) == ["kept"]
    assert Texts.can_encode(["a"])
    assert not Texts.can_encode(1)
    with pytest.raises(CodecError, match="Texts: expected exactly one input, got 0"):
        Texts.decode_request(srv.types.InferenceRequest())
    with pytest.raises(CodecError, match="Texts: expected exactly one output, got 0"):
        Texts.decode_response(srv.types.InferenceResponse())
    with pytest.raises(CodecError, match="InputCodec: expected an input codec, got none"):
        names.SingleInputRequestCodec.can_encode(1)


def test_small_helpers() -> None:
    assert names.is_list_of(["a"], str)
    assert not names.is_list_of(["a", 1], str)
    assert not names.is_list_of(("a",), str)
    assert (names.as_list("ab"), names.as_list([1])) == (["ab"], [1])
    assert (names.inject_batch_dimension([3]), names.inject_batch_dimension([2, 3])) == ([3, 1], [2, 3])
    assert names.to_dtype(tensor()) == np.dtype("<i8")
    assert names.to_datatype(np.dtype("f4")) == "FP32"
    assert names._to_ndarray(tensor()).tolist() == [1, 2]
    assert names._to_ndarray(InferOutputTensor("y", "INT64", [1], data=[3])).tolist() == [3]
    assert names._encode_data(np.ones((2, 1)), "FP64") == [1.0, 1.0]
    assert (
        json.dumps({"a": np.arange(2), "b": np.float32(0.5)}, cls=texts.JSONEncoderWithArray)
        == '{"a": [0, 1], "b": 0.5}'
    )
    with pytest.raises(TypeError):
        json.dumps(object(), cls=texts.JSONEncoderWithArray)
    with pytest.raises(CodecError, match="unknown datatype 'FP99'"):
        names.to_dtype(tensor(datatype="FP99"))
    with pytest.raises(InferenceError, match="complex"):
        names.to_datatype(np.dtype(complex))


# ---- The rest


def test_utils() -> None:
    settings = ModelSettings(name="m", implementation=MLModel)
    request = srv.types.InferenceRequest()

    assert len({utils.generate_uuid(), utils.generate_uuid()}) == 2
    assert utils.get_import_path(ModelSettings) == "srv._model_settings.ModelSettings"
    assert utils.to_absolute_path(settings, "/a") == "/a"
    response = srv.types.InferenceResponse("m", parameters={"a": 1})
    assert utils.insert_headers(request, {"A": "b"}) is request
    assert request.parameters.headers == {"a": "b"}
    response.parameters.headers = request.parameters.headers
    assert utils.extract_headers(response) == Headers({"a": "b"})
    assert utils.extract_headers(response) is None
    assert response.parameters == {"a": 1}
    found: Any = importlib.import_module("mlserver.utils")
    with pytest.raises(srv.errors.InvalidModelURI):
        asyncio.run(found.get_model_uri(settings, wellknown_filenames=["a"]))


@pytest.mark.parametrize("use_raw", [False, True])
@pytest.mark.parametrize(("datatype", "data"), [("INT64", [1, 2]), ("BYTES", ["a", "bc"]), ("FP16", [0.5])])
def test_converters_change_the_form_of_the_data_alone(use_raw: bool, datatype: str, data: list[object]) -> None:
    request = srv.types.InferenceRequest(
        id="i",
        parameters={"a": 1},
        inputs=[tensor(datatype=datatype, data=data)],
        outputs=[srv.types.RequestOutput(name="y")],
    )
    response = srv.types.InferenceResponse("m", outputs=[InferOutputTensor("y", datatype, [len(data)], data=data)])

    sent = converters.ModelInferRequestConverter.from_types(request, "m", "1", use_raw=use_raw)
    answered = converters.ModelInferResponseConverter.from_types(response, use_raw=use_raw)

    raw = use_raw or datatype == "FP16"
    assert (len(sent.raw_input_contents), len(answered.raw_output_contents)) == ((1, 1) if raw else (0, 0))
    for made in (srv.types.InferenceRequest.parse(bytes(sent)), pb.ModelInferRequest.FromString(bytes(sent))):
        received = converters.ModelInferRequestConverter.to_types(made)
        assert (received.model_name, received.model_version, received.id) == ("m", "1", "i")
        assert (dict(received.parameters), received.outputs[0].name) == ({"a": 1}, "y")
        assert srv.codecs.NumpyCodec.decode_input(received.inputs[0]).tolist() == [
            each.encode() if isinstance(each, str) else each for each in data
        ]
        assert converters.ModelInferRequestConverter.to_types(received) is received
    found = converters.ModelInferResponseConverter.to_types(pb.ModelInferResponse.FromString(bytes(answered)))
    assert srv.codecs.NumpyCodec.decode_output(found.outputs[0]).tolist() == [
        each.encode() if isinstance(each, str) else each for each in data
    ]


def test_converters_of_metadata_give_what_they_get() -> None:
    model = srv.types.MetadataModelResponse(name="m")
    server = srv.types.MetadataServerResponse(name="s")

    assert converters.ModelMetadataResponseConverter.to_types(model) is model
    assert converters.ModelMetadataResponseConverter.from_types(model) is model
    assert converters.ServerMetadataResponseConverter.to_types(server) is server
    assert converters.ServerMetadataResponseConverter.from_types(server) is server


def test_a_message_that_does_not_fit_itself_is_refused() -> None:
    contents = InferTensorContents(int64_contents=[1])
    request = srv.types.InferenceRequest(inputs=[InferInputTensor("x", "INT64", [2], contents=contents)])
    response = srv.types.InferenceResponse(
        outputs=[InferOutputTensor("y", "INT64", [2])], raw_output_contents=[b"", b""]
    )

    with pytest.raises(InvalidInput, match="expected 2 elements"):
        converters.ModelInferRequestConverter.to_types(request)
    with pytest.raises(InferenceError, match="raw_output_contents: expected 1 entries, got 2"):
        converters.ModelInferResponseConverter.to_types(response)


def test_errors_with_a_status_are_pickled_with_it() -> None:
    error: Any = pickle.loads(pickle.dumps(srv.errors.MLServerError("no", 422)))  # noqa: S301  # our own

    assert (error.message, error.status_code, str(error)) == ("no", 422, "no")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ("InvalidModelURI('m')", "Invalid URI specified for model m"),
        ("InvalidModelURI('m', 'x')", r"Invalid URI specified for model m \(x\)"),
        ("ModelNotReady('m')", "Model m is not ready yet."),
        ("ModelNotReady('m', '1')", "Model m with version 1 is not ready yet."),
        ("ModelParametersMissing('m', 'uri')", "Parameters missing for model m uri."),
        ("InvalidMessageHeaders(['a'])", r"Invalid message headers: missing \['a'\]"),
        ("InvalidBatchingMethod('p')", "Method p can't be used for adaptive batching."),
        ("MetricNotFound('n')", "Metric not found: n."),
        ("EnvironmentNotFound('m')", "Environment not found for model m."),
        ("WorkerStop(1)", "Worker ended with exit code 1."),
        ("ModelNotFound('m', None)", "Request for unknown model: 'm' is not found"),
    ],
)
def test_errors_are_constructed_as_in_mlserver(made: str, text: str) -> None:
    errors: Any = importlib.import_module("mlserver.errors")

    with pytest.raises(srv.errors.MLServerError, match=f"^{text}$"):
        raise eval(f"errors.{made}", {"errors": errors})  # noqa: S307  # our own text


def test_the_tensors_of_a_table_alone() -> None:
    """As MLServer's runtimes for scikit-learn want them."""
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a": [1], "b": ["x"]})

    outputs = srv.codecs.PandasCodec.encode_outputs(table)

    assert [(each.name, each.datatype) for each in outputs] == [("a", "INT64"), ("b", "BYTES")]
    assert [each.name for each in srv.codecs.PandasCodec.encode_inputs(table)] == ["a", "b"]
