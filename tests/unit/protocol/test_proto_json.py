"""Protobuf's JSON of the model configuration, with Google's protobuf as the judge."""

from __future__ import annotations

import json
import math
from typing import Any, Final, cast

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from srv_protocol._gen.descriptors import FILES
from srv_protocol.errors import InvalidInput
from srv_protocol.model_config import (
    DataType,
    ModelConfig,
    ModelDynamicBatching,
    ModelInput,
    ModelParameter,
    ModelQueuePolicy,
    ModelSequenceBatching,
    ModelTensorReshape,
    StrategyDirect,
)
from srv_protocol.proto_json import from_json, given_fields, to_json

POOL: Final = descriptor_pool.DescriptorPool()
POOL.AddSerializedFile(FILES["model_config.proto"])
DESCRIPTOR: Final[Any] = POOL.FindMessageTypeByName("inference.ModelConfig")
GOOGLE: Final[Any] = message_factory.GetMessageClass(DESCRIPTOR)

TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=5)
SCALARS: Final[dict[str, Any]] = {
    "TYPE_STRING": TEXT,
    "TYPE_BOOL": st.booleans(),
    "TYPE_INT32": st.integers(-(1 << 31), (1 << 31) - 1),
    "TYPE_INT64": st.integers(-(1 << 63), (1 << 63) - 1),
    "TYPE_UINT32": st.integers(0, (1 << 32) - 1),
    "TYPE_UINT64": st.integers(0, (1 << 64) - 1),
    "TYPE_FLOAT": st.floats(width=32),
    "TYPE_DOUBLE": st.floats(),
}
KINDS: Final[dict[int, str]] = {
    getattr(FieldDescriptor, name): name for name in (*SCALARS, "TYPE_MESSAGE", "TYPE_ENUM")
}
LONG: Final = {"TYPE_INT64", "TYPE_UINT64"}


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _values(field: Any) -> st.SearchStrategy[Any]:
    kind = KINDS[field.type]
    if kind == "TYPE_MESSAGE":
        return _documents(field.message_type)
    if kind == "TYPE_ENUM":
        return st.sampled_from([each.name for each in field.enum_type.values])
    found: st.SearchStrategy[Any] = SCALARS[kind]
    return found


@st.composite
def _documents(draw: st.DrawFn, descriptor: Any) -> dict[str, Any]:
    """Return what JSON may say of a message: a few of its fields, and one of each oneof."""
    fields = [each for each in descriptor.fields if draw(st.integers(0, len(descriptor.fields))) < 3]
    found: dict[str, Any] = {}
    taken: set[str] = set()
    for field in fields:
        group = field.containing_oneof
        if group is not None and group.name in taken:
            continue
        if group is not None:
            taken.add(group.name)
        if _is_map(field):
            key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
            found[field.name] = draw(st.dictionaries(_values(key).map(str), _values(value), max_size=2))
        elif field.is_repeated:
            found[field.name] = draw(st.lists(_values(field), max_size=2))
        else:
            found[field.name] = draw(_values(field))
    return found


def _with_words(value: object) -> Any:
    """Return JSON values with NaN and infinities as text, which JSON has no other form for."""
    if isinstance(value, dict):
        return {key: _with_words(each) for key, each in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_with_words(each) for each in cast("list[object]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _with_numbers(descriptor: Any, document: dict[str, Any]) -> dict[str, Any]:
    """Return Google's JSON with integers of 64 bits as numbers."""

    def convert(field: Any, value: Any) -> Any:
        kind = KINDS[field.type]
        if kind == "TYPE_MESSAGE":
            return _with_numbers(field.message_type, value)
        return int(value) if kind in LONG else value

    found: dict[str, Any] = {}
    for name, value in document.items():
        field = descriptor.fields_by_name[name]
        if _is_map(field):
            inner = field.message_type.fields_by_name["value"]
            found[name] = {key: convert(inner, each) for key, each in value.items()}
        else:
            found[name] = [convert(field, each) for each in value] if field.is_repeated else convert(field, value)
    return found


def _google_json(message: Any, *, camel: bool = False) -> dict[str, Any]:
    text = json_format.MessageToJson(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=not camel
    )
    found: dict[str, Any] = json.loads(text)
    return found


@given(_documents(DESCRIPTOR))
def test_json_says_what_googles_says_with_long_integers_as_numbers(document: dict[str, Any]) -> None:
    google = json_format.ParseDict(_with_words(document), GOOGLE())
    ours = ModelConfig.parse(google.SerializeToString())

    assert to_json(ours) == _with_numbers(DESCRIPTOR, _google_json(google))


@given(_documents(DESCRIPTOR))
def test_what_googles_parser_reads_is_read_the_same(document: dict[str, Any]) -> None:
    """Also numbers as text and names in lowerCamelCase, which is how Google writes them."""
    google = json_format.ParseDict(_with_words(document), GOOGLE())
    for written in (_with_words(document), _google_json(google), _google_json(google, camel=True)):
        ours = from_json(ModelConfig, written, "config")

        assert GOOGLE.FromString(bytes(ours)).SerializeToString(deterministic=True) == google.SerializeToString(
            deterministic=True
        )


@given(_documents(DESCRIPTOR))
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    config = from_json(ModelConfig, _with_words(document), "config")

    assert bytes(from_json(ModelConfig, to_json(config), "config")) == bytes(config)


def test_fields_that_have_no_presence_are_always_there_and_others_only_if_set() -> None:
    assert to_json(ModelInput()) == {
        "name": "",
        "data_type": "TYPE_INVALID",
        "format": "FORMAT_NONE",
        "dims": [],
        "is_shape_tensor": False,
        "allow_ragged_batch": False,
        "optional": False,
        "is_non_linear_format_io": False,
    }
    assert to_json(ModelInput(reshape=ModelTensorReshape()))["reshape"] == {"shape": []}
    assert to_json(ModelSequenceBatching(direct=StrategyDirect(minimum_slot_utilization=0.1)))["direct"] == {
        "max_queue_delay_microseconds": 0,
        "minimum_slot_utilization": 0.1,
    }
    policies = {7: ModelQueuePolicy(max_queue_size=1)}
    assert list(to_json(ModelDynamicBatching(priority_queue_policy=policies))["priority_queue_policy"]) == ["7"]  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportUnknownVariableType]  # a JSON object


def test_a_number_that_an_enum_does_not_know_stays_a_number() -> None:
    assert to_json(ModelInput(data_type=DataType(99)))["data_type"] == 99


def test_null_stands_for_a_field_that_is_not_given() -> None:
    assert given_fields(ModelConfig, {"name": None, "maxBatchSize": 1}, "config") == {"max_batch_size": 1}
    assert from_json(ModelConfig, {"name": None, "parameters": None}, "config") == ModelConfig()


@pytest.mark.parametrize("value", [16, 16.0, "16"], ids=["integer", "float", "text"])
def test_an_integer_may_be_text_or_a_float_without_fraction(value: object) -> None:
    assert from_json(ModelConfig, {"max_batch_size": value}, "config").max_batch_size == 16


def test_an_enum_may_be_its_number() -> None:
    found = from_json(ModelInput, {"data_type": 11}, "input")

    assert found.data_type is DataType.TYPE_FP32


def test_a_map_of_messages_is_an_object() -> None:
    found = from_json(ModelConfig, {"parameters": {"k": {"string_value": "v"}}}, "config")

    assert found.parameters == {"k": ModelParameter("v")}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ([], "config: expected an object, got an array"),
        ({"nmae": "m", "x": 1}, "config: ModelConfig has no field 'nmae', 'x'"),
        ({"max_batch_size": 1, "maxBatchSize": 1}, "config.max_batch_size: given twice"),
        (
            {"max_batch_size": True},
            "config.max_batch_size: expected an integer from -2147483648 to 2147483647, got True",
        ),
        ({"max_batch_size": 1.5}, "got 1.5"),
        ({"max_batch_size": "1 "}, "got '1 '"),
        ({"max_batch_size": 1 << 31}, "got 2147483648"),
        ({"max_batch_size": {}}, "got an object"),
        ({"name": 1}, "config.name: expected text, got 1"),
        ({"input": {}}, "config.input: expected an array, got an object"),
        ({"input": [None]}, "config.input[0]: expected an object, got null"),
        ({"input": [{}, {"dims": [1, "x"]}]}, "config.input[1].dims[1]: expected an integer"),
        ({"input": [{"data_type": "FP32"}]}, "config.input[0].data_type: expected one of TYPE_INVALID, TYPE_BOOL"),
        ({"input": [{"data_type": 99}]}, "got 99"),
        ({"input": [{"data_type": True}]}, "got True"),
        ({"input": [{"optional": "true"}]}, "config.input[0].optional: expected true or false, got 'true'"),
        ({"parameters": {"k": 1}}, "config.parameters['k']: expected an object, got 1"),
        ({"parameters": []}, "config.parameters: expected an object, got an array"),
        (
            {"dynamic_batching": {"priority_queue_policy": {"x": {}}}},
            "config.dynamic_batching.priority_queue_policy['x']",
        ),
        (
            {"dynamic_batching": {}, "sequence_batching": {}},
            "config: expected only one of dynamic_batching and sequence",
        ),
        ({"sequence_batching": {"direct": {"minimum_slot_utilization": 1e39}}}, "expected a number of 32 bits"),
        ({"sequence_batching": {"direct": {"minimum_slot_utilization": "x"}}}, "expected a number, got 'x'"),
        ({"sequence_batching": {"direct": {"minimum_slot_utilization": 10**400}}}, "expected a number"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(document: object, error: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        from_json(ModelConfig, document, "config")

    assert error in raised.value.message
