"""Settings of one model: ``model-settings.json``.

Values come from environment variables ``SRV_MODEL_*``, then the file, then the default. The fields of `parameters`
have variables of their own (``SRV_MODEL_URI``), which rank above the same keys in the JSON of
``SRV_MODEL_PARAMETERS``.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, cast

from srv._conversion import Limits
from srv._environment import (
    Given,
    build,
    check_fields,
    field_types,
    layer,
    parse_object,
    read_object,
    resolve,
    variables,
)
from srv._model_parameters import ModelParameters, check_name
from srv._settings import Count, NonEmpty, Seconds, no_effect, unknown_keys
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import SettingsError
from srv_protocol.inference import TensorMetadata
from srv_protocol.model_config import ModelConfig  # noqa: TC001  # the fields' annotations are evaluated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

MODEL_SETTINGS_FILE: Final = "model-settings.json"

UNSUPPORTED_MODEL_SETTINGS: Final[Mapping[str, tuple[object, ...]]] = MappingProxyType(
    {
        "warm_workers": (False,),
        "parameters.inference_pool_gid": (None,),
        "parameters.autogenerate_inference_pool_gid": (False,),
    }
)
"""Known settings that have no effect yet -> the values that change nothing, which need no warning."""

IDENTITY: Final = frozenset({"name", "implementation", "uri", "version"})
"""What tells one model from another: variables may set it only where there is one model."""

_ALIASES: Final[Mapping[str, str]] = MappingProxyType({"model": "name", "implementation_": "implementation"})

Dimension = Annotated[int, Limits(ge=-1)]

_logger: Final = logging.getLogger("srv")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Settings of one model.

    Attributes:
        name: not empty, no spaces around it, and fit to stand in a URL.
        implementation: the runtime: an import string ``module.Class``, or in Python the class itself.
        cache_enabled: keep the responses, if the server's settings say so too.
        max_batch_size: above 0 the first dimension of all inputs and outputs is that of a batch. Without
            `max_batch_time` it is also the largest batch that a request may have, as in Triton.
        platform: for the model's metadata, as are `versions` (of its framework), `inputs` and `outputs`.
        source: the ``model-settings.json`` that it was read from.
        config: the configuration that a load request brought, which the other fields follow already.
        warnings: what the loader noticed; see :meth:`log_warnings`.

    Raises:
        SettingsError: a value does not have the type of its field, or the name is none.
    """

    name: str
    implementation: str | type[object]
    platform: str = ""
    versions: list[str] = field(default_factory=list[str])
    inputs: list[TensorMetadata] = field(default_factory=list[TensorMetadata])
    outputs: list[TensorMetadata] = field(default_factory=list[TensorMetadata])
    max_batch_size: Count = 0
    max_batch_time: Seconds = 0.0
    cache_enabled: bool = False
    parallel_workers: int | None = None
    warm_workers: bool = False
    parameters: ModelParameters = field(default_factory=ModelParameters)
    source: Path | None = None
    config: ModelConfig | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # MLServer's users write None for "no parameters".
        if cast("object", self.parameters) is None:
            object.__setattr__(self, "parameters", ModelParameters())
        check_fields(self, skip=_CHECKED_APART)
        source = cast("object", self.source)
        if source is not None and not isinstance(source, Path):
            message = f"ModelSettings.source: expected `Path | null`, got `{type(source).__name__}`"
            raise SettingsError(message)
        check_name(self.name, "ModelSettings.name")
        implementation = cast("object", self.implementation)
        if not implementation or not isinstance(implementation, str | type):
            message = f"ModelSettings.implementation: expected `module.Class` or a class, got {implementation!r}"
            raise SettingsError(message)
        for side in ("inputs", "outputs"):
            for index, tensor in enumerate(cast("Iterable[object]", getattr(self, side))):
                _check_tensor(tensor, f"ModelSettings.{side}[{index}]")

    @property
    def implementation_(self) -> str:
        """The import string of the runtime, as MLServer calls it."""
        if isinstance(self.implementation, str):
            return self.implementation
        return f"{self.implementation.__module__}.{self.implementation.__qualname__}"

    @property
    def version(self) -> str | None:
        """The model's version."""
        return self.parameters.version

    @property
    def folder(self) -> Path | None:
        """The folder of `source`: the model's own."""
        return None if self.source is None else self.source.parent

    def log_warnings(self) -> None:
        """Log `warnings`, and what is set that has no effect yet, to ``srv``."""
        for warning in self.warnings:
            _logger.warning("%s", warning)
        for path, idle in UNSUPPORTED_MODEL_SETTINGS.items():
            holder = self.parameters if path.startswith("parameters.") else self
            value = getattr(holder, path.removeprefix("parameters."), None)
            if value is not None and value not in idle:
                _logger.warning("%s: %s: %s", self.source or f"model {self.name!r}", path, no_effect(value))

    @classmethod
    def parse_file(
        cls, path: Path | str, environ: Mapping[str, str] | None = None, *, sole: bool = True
    ) -> ModelSettings:
        """Read a ``model-settings.json``.

        The name is the folder's if nothing gives one; ``model`` and ``implementation_`` are accepted for ``name`` and
        ``implementation``. A relative `uri` is resolved against the folder, and so are `environment_path` and
        `environment_tarball`, unless only the working directory has them.

        Args:
            path: the file.
            environ: environment variables that rank above the file; see :func:`srv.settings.read_environment`.
            sole: whether this is the repository's only model. A variable counts for every model, so with several of
                them ``SRV_MODEL_NAME``, ``_IMPLEMENTATION``, ``_URI`` and ``_VERSION`` would make all the same:
                for ``sole=False`` they are left out, with a warning.

        Raises:
            SettingsError: the file cannot be read, or a value in it or in a variable is wrong.
        """
        source = Path(path).absolute()
        file, warnings = _read_model_file(source)
        packed = file.pop("parameters", None)
        file_parameters = {} if packed is None or packed.value is None else layer(parse_object(packed), packed.place)
        given, given_parameters = _model_variables(environ or {})
        if not sole:
            for variable in (given, given_parameters):
                for name in IDENTITY & variable.keys():
                    warnings.append(f"{variable.pop(name).place}: ignored for {source}, which is not the only model")

        parameters = _parameters(given, given_parameters, file_parameters)
        parameters["uri"] = _resolve_uri(cast("str | None", parameters.get("uri")), source.parent)
        for name in ("environment_path", "environment_tarball"):
            if parameters.get(name):
                parameters[name] = _resolve_path(cast("str", parameters[name]), source.parent)
        values = _fields(given, {"name": Given(f"{source.parent} (as a model's name)", source.parent.name)} | file)
        if "implementation" not in values:
            message = f"{source}: $.implementation: expected `module.Class`, got nothing"
            raise SettingsError(message)
        return build(
            cls,
            {
                **values,
                "parameters": build(ModelParameters, parameters),
                "source": source,
                "warnings": tuple(sorted(warnings)),
            },
        )

    @classmethod
    def model_validate(cls, obj: object) -> ModelSettings:
        """Return the settings that a dict holds, whose keys are those of the file; `obj` itself if it is settings.

        Nothing is filled in from a folder or from the environment, and a relative `uri` stays as it is.

        Raises:
            SettingsError: there is no name or no implementation, or a value is wrong.
        """
        if isinstance(obj, ModelSettings):
            return obj
        given, warnings = _take_aliases(layer(parse_object(Given("ModelSettings", obj)), "ModelSettings"))
        packed = given.pop("parameters", None)
        parameters = {} if packed is None or packed.value is None else layer(parse_object(packed), packed.place)
        # In Python it may be the class itself.
        implementation = given.get("implementation", Given("", None)).value
        if isinstance(implementation, type):
            del given["implementation"]
        values = _fields(given)
        if isinstance(implementation, type):
            values["implementation"] = implementation
        for name in ("name", "implementation"):
            if name not in values:
                message = f"ModelSettings.{name}: expected a value, got nothing"
                raise SettingsError(message)
        made = build(ModelParameters, _parameters({}, parameters))
        return build(cls, {**values, "parameters": made, "warnings": tuple(sorted(warnings))})

    @classmethod
    def parse_obj(cls, obj: object) -> ModelSettings:
        """Same as :meth:`model_validate`."""
        return cls.model_validate(obj)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the one model that environment variables alone describe.

        ``None`` if there is no ``SRV_MODEL_IMPLEMENTATION``.

        Raises:
            SettingsError: a variable is wrong, or there is no ``SRV_MODEL_NAME``.
        """
        given, given_parameters = _model_variables(environ)
        if "implementation" not in given:
            return None
        values = _fields(given)
        if "name" not in values:
            message = "SRV_MODEL_NAME (environment or .env): expected a model's name, got nothing"
            raise SettingsError(message)
        return build(cls, {**values, "parameters": build(ModelParameters, _parameters(given, given_parameters))})


@dataclass(frozen=True, kw_only=True)
class _Tensor:
    """A tensor's metadata as it stands in the file."""

    name: NonEmpty
    datatype: str
    shape: list[Dimension]
    parameters: dict[str, bool | int | float | str] = field(default_factory=dict[str, "bool | int | float | str"])


# Of these the hint of the struct is not what stands in a file.
_FILE_TYPES: Final[Mapping[str, object]] = MappingProxyType(
    {"implementation": NonEmpty, "inputs": list[_Tensor], "outputs": list[_Tensor]}
)
_CHECKED_APART: Final = frozenset(_FILE_TYPES) | {"config", "source"}
_LOADERS_OWN: Final = frozenset({"source", "config", "warnings"})
_LOADER_ONLY: Final = _LOADERS_OWN | {"parameters"}


def _read_model_file(source: Path) -> tuple[dict[str, Given], list[str]]:
    """Return the keys of a file under their proper names, and what was odd about them."""
    return _take_aliases(layer(read_object(source), str(source)))


def _take_aliases(file: dict[str, Given]) -> tuple[dict[str, Given], list[str]]:
    warnings = unknown_keys(file, (*(field_types(ModelSettings).keys() - _LOADERS_OWN), *_ALIASES))
    for alias, name in _ALIASES.items():
        if alias in file:
            given = file.pop(alias)
            if file.setdefault(name, given).value != given.value:
                warnings.append(f"{given.place}: ignored, since {name!r} is given too")
    if file.get("name", Given("", None)).value == "":
        # MLServer's default, which stands for the folder's name.
        del file["name"]
    return file, warnings


def _model_variables(environ: Mapping[str, str]) -> tuple[dict[str, Given], dict[str, Given]]:
    """Return the variables of a model, and the keys of ``SRV_MODEL_PARAMETERS``."""
    given = variables(environ, "MODEL_")
    packed = given.pop("parameters", None)
    return given, {} if packed is None else layer(parse_object(packed), packed.place)


def _parameters(*layers: Mapping[str, Given]) -> dict[str, object]:
    """Return the keyword arguments of :class:`ModelParameters`; the first layer is that of variables."""
    types = {name: hint for name, hint in field_types(ModelParameters).items() if name != "model_extra"}
    values = resolve(types, *layers)
    if values.get("version"):
        check_name(cast("str", values["version"]), _place("version", layers))
    # Variables set known fields only, so that SRV_MODEL_NAME is no parameter called "name".
    extra = {key: given.value for each in reversed(layers[1:]) for key, given in each.items() if key not in types}
    return {**values, "model_extra": extra}


def _fields(*layers: Mapping[str, Given]) -> dict[str, object]:
    """Return the keyword arguments of :class:`ModelSettings`, without those that are the loader's own."""
    hints = {**field_types(ModelSettings), **_FILE_TYPES}
    values = resolve({name: hint for name, hint in hints.items() if name not in _LOADER_ONLY}, *layers)
    if "name" in values:
        check_name(cast("str", values["name"]), _place("name", layers))
    for side in ("inputs", "outputs"):
        if side in values:
            values[side] = [
                _make_tensor(tensor, f"{_place(side, layers)}[{index}]")
                for index, tensor in enumerate(cast("list[_Tensor]", values[side]))
            ]
    return values


def _place(name: str, layers: Iterable[Mapping[str, Given]]) -> str:
    return next(each[name].place for each in layers if name in each)


def _make_tensor(tensor: _Tensor, place: str) -> TensorMetadata:
    made = TensorMetadata(
        name=tensor.name, datatype=tensor.datatype, shape=tensor.shape, parameters=dict(tensor.parameters)
    )
    _check_tensor(made, place)
    return made


def _resolve_uri(uri: str | None, folder: Path) -> str:
    """Return an absolute path; a URI with a scheme is left as it stands."""
    if not uri:
        return str(folder)
    return uri if "://" in uri else str(folder / uri)


def _resolve_path(text: str, folder: Path) -> str:
    """Return an absolute path; ``~`` and variables in it are replaced."""
    path = Path(os.path.expanduser(os.path.expandvars(text)))  # noqa: PTH111  # leaves what it cannot replace
    # MLServer's are relative to the working directory.
    return str(path.absolute() if path.exists() and not (folder / path).exists() else folder / path)


def _check_tensor(tensor: object, place: str) -> None:
    if not isinstance(tensor, TensorMetadata):
        message = f"{place}: expected `TensorMetadata`, got `{type(tensor).__name__}`"
        raise SettingsError(message)
    if tensor.datatype not in DATATYPES:
        message = f"{place}.datatype: expected one of {', '.join(DATATYPES)}, got {tensor.datatype!r}"
        raise SettingsError(message)
