from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv import ModelParameters, ModelSettings
from srv.controlplane._config_override import ACCEPTED, APPLIED, CHECKED, REFUSED, ConfigOverride
from srv.errors import InvalidInput, LoadError, SrvError, Unsupported
from srv.types import MetadataTensor
from srv_protocol.model_config import ModelConfig

SETTINGS = ModelSettings(
    name="m",
    implementation="models.Runtime",
    platform="old",
    max_batch_size=4,
    inputs=[MetadataTensor("x", "FP32", [-1, 2], {"content_type": "np"})],
    outputs=[MetadataTensor("y", "FP32", [-1])],
    parameters=ModelParameters(version="1", extra={"a": "text", "n": 7}),
)


def parse(**config: object) -> ConfigOverride:
    return ConfigOverride.parse(json.dumps(config), "m")


def versions(*names: str) -> list[ModelSettings]:
    return [
        ModelSettings(name="m", implementation="models.Runtime", parameters=ModelParameters(version=name))
        for name in names
    ]


def test_every_field_of_a_configuration_is_in_one_table() -> None:
    tables = [*APPLIED, *CHECKED, *ACCEPTED, *dict.fromkeys(path.partition(".")[0] for path in REFUSED)]
    partly = {"input", "output", "instance_group"}

    assert sorted(set(tables)) == sorted(field for field in vars(ModelConfig()) if not field.startswith("_"))
    assert sorted(tables) == sorted([*set(tables), *partly])


def test_what_is_given_takes_the_place_of_the_settings() -> None:
    changed = parse(
        name="m",
        platform="new",
        max_batch_size="16",
        input=[
            {"name": "x", "data_type": "TYPE_INT32", "dims": [3]},
            {"name": "s", "data_type": "TYPE_STRING", "dims": ["-1"]},
        ],
        output=[{"name": "z", "data_type": "TYPE_BF16"}],
        parameters={"b": {"string_value": "1"}},
    ).apply(SETTINGS)

    assert (changed.platform, changed.max_batch_size) == ("new", 16)
    assert changed.inputs == [
        MetadataTensor("x", "INT32", [-1, 3], {"content_type": "np"}),
        MetadataTensor("s", "BYTES", [-1, -1]),
    ]
    assert changed.outputs == [MetadataTensor("z", "BF16", [-1])]
    assert changed.parameters.extra == {"n": 7, "b": "1"}
    assert changed.version == "1"


def test_what_is_not_given_stays_as_the_settings_say() -> None:
    changed = parse(backend="python").apply(SETTINGS)

    for field in ("platform", "max_batch_size", "inputs", "outputs", "parameters"):
        assert getattr(changed, field) == getattr(SETTINGS, field)


def test_a_default_that_is_given_counts() -> None:
    changed = parse(max_batch_size=0, input=[], platform="").apply(SETTINGS)

    assert (changed.platform, changed.max_batch_size, changed.inputs) == ("", 0, [])
    assert changed.outputs == SETTINGS.outputs


def test_shapes_have_the_batch_dimension_of_the_size_that_counts() -> None:
    tensors = [{"name": "x", "data_type": "TYPE_FP32", "dims": [2]}]

    assert parse(input=tensors).apply(SETTINGS).inputs[0].shape == [-1, 2]
    assert parse(input=tensors, max_batch_size=0).apply(SETTINGS).inputs[0].shape == [2]


def choose(policy: dict[str, Any], *names: str) -> list[str | None]:
    return [each.version for each in parse(version_policy=policy).choose(versions(*names))]


def test_a_version_policy_chooses_by_number() -> None:
    names = ("10", "9", "word", "2")

    assert choose({"latest": {"num_versions": 1}}, *names) == ["10"]
    assert choose({"latest": {"num_versions": 2}}, *names) == ["9", "10"]
    assert choose({"latest": {"numVersions": 99}}, *names) == ["word", "2", "9", "10"]
    assert choose({"all": {}}, *names) == ["word", "2", "9", "10"]
    assert choose({"specific": {"versions": ["9", 2]}}, *names) == ["2", "9"]
    assert [each.version for each in parse().choose(versions(*names))] == list(names)


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        ({"latest": {}}, "at least one version must be available under the version policy"),
        ({"specific": {}}, "at least one version must be available under the version policy"),
        ({"specific": {"versions": [1, 7, 8]}}, "failed to load 'm': version 7, 8 is not in the model repository"),
    ],
)
def test_a_version_policy_that_nothing_fits_fails(policy: dict[str, Any], error: str) -> None:
    with pytest.raises(LoadError, match=error):
        choose(policy, "1")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "failed to load 'm': config is no valid JSON"),
        ("{", "failed to load 'm': config is no valid JSON"),
        ("[]", "failed to load 'm': config: expected `object`, got `array`"),
        ('{"x": ' * 100_000, "failed to load 'm': config is no valid JSON: it is nested too deeply"),
        ('{"name": ' + "[" * 900 + "]" * 900 + "}", "failed to load 'm': config.name: expected text, got an array"),
        ('{"colour": 1, "input": []}', "failed to load 'm': config: ModelConfig has no field 'colour'"),
        ('{"name": "other"}', "failed to load 'm': config.name: expected 'm', got 'other'"),
        ('{"max_batch_size": -1}', "failed to load 'm': config.max_batch_size: expected 0 or more, got -1"),
        ('{"max_batch_size": ' + "9" * 4000 + "}", "failed to load 'm': config.max_batch_size: expected an integer"),
        ('{"input": [{"name": "x"}]}', "failed to load 'm': config.input[0].data_type: expected one of TYPE_BOOL"),
        ('{"output": [{"data_type": 1}]}', "failed to load 'm': config.output[0].name: expected a name of its own"),
        (
            '{"input": [{"name": "x", "data_type": 1}, {"name": "x", "data_type": 1}]}',
            "failed to load 'm': config.input[1].name: expected a name of its own, got 'x'",
        ),
        (
            '{"input": [{"name": "x", "data_type": 1, "dims": [1, -2]}]}',
            "failed to load 'm': config.input[0].dims: expected sizes, or -1 for any size, got -2",
        ),
    ],
    ids=lambda each: each[-30:] or "empty",
)
def test_what_is_no_configuration_is_refused_with_its_place(text: str, error: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        ConfigOverride.parse(text, "m")

    assert raised.value.message.startswith(error)


def _with(path: str, value: object) -> dict[str, Any]:
    """Return a configuration that sets one field, whose path may lead into lists."""
    name, _, rest = path.partition(".")
    if name in {"input", "output"}:
        return {name: [{"name": "x", "data_type": 1, **_with(rest, value)}]}
    if not rest:
        return {name: value}
    return {name: [_with(rest, value)] if name == "instance_group" else _with(rest, value)}


VALUES: dict[str, object] = {
    "ensemble_scheduling": {},
    "model_warmup": [{}],
    "model_operations.op_library_filename": ["x"],
    "model_repository_agents.agents": [{}],
    "model_metrics.metric_control": [{}],
    "metric_tags": {"a": "b"},
    "batch_input": [{}],
    "batch_output": [{}],
    "input.reshape": {},
    "output.reshape": {},
    "output.label_filename": "../../etc/passwd",
    "instance_group.gpus": [0],
    "instance_group.rate_limiter": {},
    "instance_group.secondary_devices": [{}],
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_the_server_cannot_honour_is_refused_and_its_default_is_not(path: str) -> None:
    value = VALUES.get(path, True)
    with pytest.raises(Unsupported, match=rf"failed to load 'm': config\.{path}: not supported"):
        parse(**_with(path, value))

    defaults: dict[type, object] = {bool: False, str: "", list: [], dict: None}
    parse(**_with(path, defaults[type(value)]))


@pytest.mark.parametrize(
    "groups", [[{"count": 2}], [{}, {}], [{"kind": "KIND_GPU"}]], ids=["two", "two groups", "on a GPU"]
)
def test_more_than_one_instance_or_one_elsewhere_is_refused(groups: list[Any]) -> None:
    with pytest.raises(Unsupported, match=r"config\.instance_group\[\d\]"):
        parse(instance_group=groups)


@pytest.mark.parametrize("field", ACCEPTED)
def test_what_only_says_how_triton_would_run_the_model_is_accepted(field: str) -> None:
    values: dict[str, object] = {"cc_model_filenames": {"7.5": "x"}, "optimization": {"priority": 1}}
    parse(**{field: values.get(field, {"max_queue_delay_microseconds": "9"} if field == "dynamic_batching" else "x")})


SCALARS = st.none() | st.booleans() | st.integers() | st.text()
NAMES = st.sampled_from(["name", "input", "dims", "data_type", "x"])


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner)))
def test_any_json_is_a_configuration_or_an_error_that_says_where(document: object) -> None:
    try:
        ConfigOverride.parse(json.dumps(document), "m").apply(SETTINGS)
        text = ""
    except SrvError as error:
        text = error.message

    assert not text or text.startswith("failed to load 'm': config")
