"""The ``parameters`` of a model's settings, and what names and versions may be."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srv._environment import check_field, check_fields, field_types
from srv._settings import Count  # noqa: TC001  # the fields' annotations are evaluated
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


@dataclass(kw_only=True)
class ModelParameters:
    """The ``parameters`` of a model's settings.

    Unknown keys, in the file or as keyword arguments, are kept: as attributes, and together in `model_extra`.
    A runtime may set them, but for the version: those that it receives are its own.

    Attributes:
        uri: where the model's artefacts are; from a file, absolute, and the file's folder by default.
        version: the model's version; ``""`` is none.
        environment_path: the folder of an environment that the model runs in, or `environment_tarball` the file of one;
            from a file, absolute.
        content_type: the default content type of requests.
        max_queue_size: requests that may wait for the model; ``None`` leaves the server's setting.
        workers: processes that the model has for itself; ``None`` leaves the server's ``parallel_workers``.
        worker_env: further environment variables of these processes; of a list each process has one value, in turn.
        extra: whatever the runtime wants.

    Raises:
        SettingsError: a value does not have the type of its field, or the version cannot stand in a URL.
    """

    uri: str | None = None
    version: str | None = None
    environment_path: str | None = None
    environment_tarball: str | None = None
    inference_pool_gid: str | None = None
    autogenerate_inference_pool_gid: bool = False
    format: str | None = None
    content_type: str | None = None
    max_queue_size: Count | None = None
    workers: Count | None = None
    worker_env: dict[str, str | list[str]] | None = None
    extra: dict[str, object] = field(default_factory=dict[str, object])
    model_extra: dict[str, object] = field(default_factory=dict[str, object])

    if not TYPE_CHECKING:
        # To type checkers it has the fields alone: unknown arguments are for code that is not checked.

        def __init__(self, **values: object) -> None:
            known = {each.name: each for each in dataclasses.fields(self)}
            unknown = {name: value for name, value in values.items() if name not in known}
            for name, each in known.items():
                made = each.default_factory() if each.default is dataclasses.MISSING else each.default
                object.__setattr__(self, name, values.get(name, made))
            object.__setattr__(self, "model_extra", {**self.model_extra, **unknown})
            check_fields(self)
            if self.version:
                check_name(self.version, "ModelParameters.version")
            elif self.version is not None:
                object.__setattr__(self, "version", None)

    def __getattr__(self, name: str) -> object:
        # Without the first test, one whose fields are not set yet would look for model_extra for ever.
        if name in _names() or name not in self.model_extra:
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)
        return self.model_extra[name]

    def __setattr__(self, name: str, value: object) -> None:
        """Set a parameter, as MLServer's runtime for MLflow does.

        Raises:
            SettingsError: the value does not have the type of the field.
            AttributeError: it is the version, under which the model is registered.
        """
        if name == "version":
            message = f"{type(self).__name__}.version cannot be set: the model is registered under it"
            raise AttributeError(message, name=name, obj=self)
        if name in _names():
            object.__setattr__(self, name, check_field(self, name, value))
        else:
            self.model_extra[name] = value

    def copy(self) -> Self:
        """Return a copy whose dicts are its own."""
        return dataclasses.replace(self, extra=dict(self.extra), model_extra=dict(self.model_extra))


def _names() -> Mapping[str, object]:
    return field_types(ModelParameters)


def check_name(name: str, place: str) -> None:
    """Check that a model's name or version can stand in a URL and names no other folder.

    Raises:
        SettingsError: it cannot; the text begins with `place`.
    """
    # A lone surrogate stands for a byte of a file name that is not UTF-8.
    unfit = any(bad in name for bad in "/\\\0") or any("\ud800" <= character <= "\udfff" for character in name)
    if not name or name != name.strip() or name in {".", ".."} or unfit:
        message = (
            f"{place}: expected a name without spaces around it, '/', '\\' and NUL, and not '.' or '..', got {name!r}"
        )
        raise SettingsError(message)
