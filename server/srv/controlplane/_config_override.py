"""A model configuration that a load request brings in place of what the model's settings say."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from srv.controlplane._entry import version_key
from srv.runtimes._derived import OPTIONAL
from srv_codecs.json import parse_json
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InvalidInput, LoadError, Unsupported
from srv_protocol.inference import Parameters, TensorMetadata
from srv_protocol.model_config import DataType, ModelConfig, ModelInput, ModelInstanceGroupKind
from srv_protocol.proto_json import from_json, given_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from srv._model_settings import ModelSettings
    from srv_protocol.model_config import ModelOutput, ModelVersionPolicy

APPLIED: Final = (
    "name",
    "platform",
    "max_batch_size",
    "input",
    "output",
    "parameters",
    "version_policy",
    "response_cache",
)
"""The fields that take the place of settings."""

CHECKED: Final = ("instance_group", "model_transaction_policy", "sequence_batching")
"""The fields that must say what is so anyway."""

ACCEPTED: Final = (
    "backend",
    "runtime",
    "default_model_filename",
    "cc_model_filenames",
    "optimization",
    "dynamic_batching",
)
"""The fields that say how Triton would run the model: shown in the configuration, and without effect."""

REFUSED: Final = (
    "ensemble_scheduling",
    "model_warmup",
    "model_operations.op_library_filename",
    "model_repository_agents.agents",
    "model_metrics.metric_control",
    "metric_tags",
    "batch_input",
    "batch_output",
    "input.reshape",
    "input.is_shape_tensor",
    "input.is_non_linear_format_io",
    "input.allow_ragged_batch",
    "output.reshape",
    "output.is_shape_tensor",
    "output.is_non_linear_format_io",
    "output.label_filename",
    "instance_group.gpus",
    "instance_group.rate_limiter",
    "instance_group.passive",
    "instance_group.secondary_devices",
)
"""The fields that would change answers, and that this server cannot honour: they may have their default only."""

_document: Final = msgspec.json.Decoder(dict[str, object])
_INT64: Final = re.compile("[0-9]{1,19}")
_DATATYPES: Final = {spec.config: name for name, spec in DATATYPES.items()}


@dataclass(frozen=True, slots=True)
class ConfigOverride:
    """A configuration for one load of a model; what it does not give stays as the settings say.

    Attributes:
        config: the configuration.
        given: the names of the fields that were given, defaults included.
    """

    config: ModelConfig
    given: frozenset[str]

    @classmethod
    def parse(cls, text: str, name: str) -> ConfigOverride:
        """Read the JSON of a model's configuration.

        Raises:
            InvalidInput: it is no such JSON, it is another model's, or a value is none that a model can have.
            Unsupported: it asks for something that this server does not do.
        """
        place = f"failed to load '{name}': config"
        try:
            document = parse_json(_document, text.encode())
        except InvalidInput as error:
            raise InvalidInput(error.message.replace("the request body", place, 1)) from None
        config = from_json(ModelConfig, document, place)
        _check(config, name, place)
        return cls(config, frozenset(given_fields(ModelConfig, document, place)))

    def choose(self, found: Sequence[ModelSettings]) -> list[ModelSettings]:
        """Return those of a model's versions that the version policy names; all without one.

        Raises:
            LoadError: it names none of them, or one that does not exist.
        """
        policy = self.config.version_policy
        chosen = list(found) if policy is None else _choose(policy, found)
        if not chosen:
            raise LoadError(
                f"failed to load '{found[0].name}': at least one version must be available under the version policy"
            )
        return chosen

    def apply(self, settings: ModelSettings) -> ModelSettings:
        """Return a version's settings with the configuration in the place of what they say.

        Raises:
            InvalidInput: a tensor has no datatype.
        """
        config, parameters = self.config, settings.parameters
        if "parameters" in self.given:
            # A configuration has text only, so that other values cannot be meant.
            kept = {key: value for key, value in parameters.extra.items() if not isinstance(value, str)}
            given = {key: each.string_value for key, each in config.parameters.items()}
            parameters = dataclasses.replace(parameters, extra=kept | given)
        batched = (config.max_batch_size if "max_batch_size" in self.given else settings.max_batch_size) > 0
        # Any: each is of its own field's type.
        changes: dict[str, Any] = {
            "platform": config.platform,
            "max_batch_size": config.max_batch_size,
            "input": _tensors(config.input, settings.inputs, batched=batched),
            "output": _tensors(config.output, settings.outputs, batched=batched),
        }
        if config.response_cache is not None and "response_cache" in self.given:
            changes["response_cache"] = config.response_cache.enable
        names = {"response_cache": "cache_enabled", "input": "inputs", "output": "outputs"}
        applied = {names.get(name, name): value for name, value in changes.items() if name in self.given}
        return dataclasses.replace(settings, **applied, parameters=parameters, config=config)


def _choose(policy: ModelVersionPolicy, found: Sequence[ModelSettings]) -> list[ModelSettings]:
    by_age = sorted(found, key=lambda each: version_key(each.version or ""))
    if policy.latest is not None:
        return by_age[max(0, len(by_age) - policy.latest.num_versions) :]
    if policy.specific is None:
        return by_age
    wanted = set(policy.specific.versions)
    chosen = [each for each in by_age if _number(each) in wanted]
    missing = wanted - {_number(each) for each in chosen}
    if missing:
        versions = ", ".join(map(str, sorted(missing)))
        raise LoadError(f"failed to load '{found[0].name}': version {versions} is not in the model repository")
    return chosen


def _number(settings: ModelSettings) -> int | None:
    """Return a version of Triton's kind: a number, which leading zeros leave what it is."""
    digits = (settings.version or "").lstrip("0") or (settings.version or "")[-1:]
    return int(digits) if _INT64.fullmatch(digits) else None


def _tensors(
    given: Sequence[ModelInput | ModelOutput], known: Sequence[TensorMetadata], *, batched: bool
) -> list[TensorMetadata]:
    # Hints for decoding, such as a content type, have no form in a configuration.
    hints = {each.name: {**each.parameters, OPTIONAL: None} for each in known}
    return [
        TensorMetadata(
            name=each.name,
            datatype=_DATATYPES[each.data_type.name],
            shape=[-1, *each.dims] if batched else list(each.dims),
            parameters=Parameters({**hints.get(each.name, {}), **_optional(each)}),
        )
        for each in given
    ]


def _optional(tensor: ModelInput | ModelOutput) -> dict[str, bool]:
    return {OPTIONAL: True} if isinstance(tensor, ModelInput) and tensor.optional else {}


# ---- Checks


def _check(config: ModelConfig, name: str, place: str) -> None:
    if config.name not in {"", name}:
        raise InvalidInput(f"{place}.name: expected {name!r}, got {config.name!r:.80}")
    if config.max_batch_size < 0:
        raise InvalidInput(f"{place}.max_batch_size: expected 0 or more, got {config.max_batch_size}")
    for path in REFUSED:
        if any(_is_set(value) for value in _at((config,), path)):
            raise Unsupported(f"{place}.{path}: not supported")
    for field, tensors in (("input", config.input), ("output", config.output)):
        _check_tensors(tensors, f"{place}.{field}")
    for index, group in enumerate(config.instance_group):
        where = f"{place}.instance_group[{index}]"
        if index or group.count > 1:
            raise Unsupported(f"{where}: expected one instance, which is what every model has")
        if group.kind is ModelInstanceGroupKind.KIND_GPU:
            raise Unsupported(f"{where}.kind: expected KIND_CPU; where a model computes is for its code to say")


def _check_tensors(tensors: Sequence[ModelInput | ModelOutput], place: str) -> None:
    seen: set[str] = set()
    for index, tensor in enumerate(tensors):
        where = f"{place}[{index}]"
        if not tensor.name or tensor.name in seen:
            raise InvalidInput(f"{where}.name: expected a name of its own, got {tensor.name!r:.80}")
        seen.add(tensor.name)
        if tensor.data_type is DataType.TYPE_INVALID:
            raise InvalidInput(f"{where}.data_type: expected one of {', '.join(_DATATYPES)}, got TYPE_INVALID")
        wrong = [each for each in tensor.dims if each < -1]
        if wrong:
            raise InvalidInput(f"{where}.dims: expected sizes, or -1 for any size, got {wrong[0]}")


def _at(values: Iterable[object], path: str) -> Iterator[object]:
    """Yield what stands at a path: of every element where there is a list, nothing where a message is not set."""
    name, _, rest = path.partition(".")
    for value in values:
        found: object = getattr(value, name)
        inner = cast("list[object]", found) if isinstance(found, list) else [] if found is None else [found]
        yield from _at(inner, rest) if rest else inner


def _is_set(value: object) -> bool:
    # A message counts once it is there, whatever it holds.
    return value not in ("", False, {}) if isinstance(value, str | bool | dict) else True
