"""The methods that pydantic gives to MLServer's types, on ours: dump, validate, copy.

What a dump holds is what MLServer's would: the members of V2 JSON, in MLServer's order, without those that nobody set.
Nothing tells a member that nobody set from one that is empty, so an empty one that may be missing counts as not set.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from copy import copy, deepcopy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias, TypeVar, cast, get_args, get_origin

import numpy as np

from srv_protocol._errors import InvalidInput, WireError
from srv_protocol._json_text import JsonError, indent_json, read_json, write_json
from srv_protocol._message import Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    Selection: TypeAlias = Mapping[Any, Any] | Iterable[Any] | None
    """Names, positions or ``"__all__"``; in a mapping, each with ``True`` or a selection of what is inside."""

_JSON: Final = "json"
_ALL: Final = "__all__"


class Dumpable:
    """The pydantic spellings of whatever has `_members` to show and can be made of a document."""

    __slots__ = ()

    def _members(self, *, all_members: bool) -> object:  # noqa: ARG002  # for subclasses
        """Return what a dump holds: a mapping of members, or a list. Those that nobody set are ``None``, or missing."""
        raise TypeError(f"{type(self).__name__} cannot be dumped")

    @classmethod
    def _from_document(cls, document: Any, place: str) -> Self:
        """Return an object made of parsed JSON; fail at `place`."""
        raise TypeError(f"{cls.__name__} cannot be validated: {document!r:.40} at {place}")

    def model_dump(
        self,
        *,
        mode: Literal["python", "json"] = "python",
        include: Selection = None,
        exclude: Selection = None,
        by_alias: bool = False,  # noqa: ARG002  # no member has an alias
        exclude_unset: bool = True,
        exclude_none: bool = True,
        exclude_defaults: bool = False,  # noqa: ARG002  # the defaults are what is empty
    ) -> Any:  # pydantic's: a dict of members, for callers that index it
        """Return new builtin containers that hold the members.

        Data is a list, copied. With ``mode="json"`` it is what JSON can carry: bytes are text. Members that nobody set
        are there, as ``None``, only if neither `exclude_unset` nor `exclude_none` says otherwise.

        Raises:
            WireError: with ``mode="json"``, bytes that are not UTF-8.
        """
        dumped = _plain(
            self, all_members=not (exclude_unset or exclude_none), as_json=mode == _JSON, place=type(self).__name__
        )
        return _select(dumped, include, exclude)

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Return :meth:`model_dump`, which takes the other arguments, as JSON; NaN and infinities are ``null``.

        Raises:
            As :meth:`model_dump`.
        """
        text = write_json(self.model_dump(mode="json", **options))
        return (text if indent is None else indent_json(text, indent)).decode()

    def dict(self, *, exclude_unset: bool = False, exclude_none: bool = False, **options: Any) -> Any:
        """Return :meth:`model_dump`, with members that nobody set: of MLServer's types only that leaves them out."""
        return self.model_dump(exclude_unset=exclude_unset, exclude_none=exclude_none, **options)

    def json(self, *, exclude_unset: bool = False, exclude_none: bool = False, **options: Any) -> str:
        """Return :meth:`model_dump_json`, with members that nobody set, as :meth:`dict` does."""
        return self.model_dump_json(exclude_unset=exclude_unset, exclude_none=exclude_none, **options)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values for the attributes in `update`; what it holds is shared unless it is `deep`.

        Raises:
            TypeError: `update` names something that there is not.
        """
        made = deepcopy(self) if deep else copy(self)
        for name, value in (update or {}).items():
            self._check_attribute(name)
            setattr(made, name, value)
        return made

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Same as :meth:`model_copy`."""
        return self.model_copy(update=update, deep=deep)

    def _check_attribute(self, name: str) -> None:
        """Raise TypeError if there can be no such attribute."""

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Return `obj` itself if it is of this class, else what its members make; unknown ones are passed over.

        Raises:
            InvalidInput: a member is missing, or has another type; the text names the place.
        """
        return obj if isinstance(obj, cls) else cls._from_document(obj, cls.__name__)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """Return what JSON text holds.

        Raises:
            InvalidInput: the text is no JSON, or as :meth:`model_validate`.
        """
        try:
            document = read_json(json_data)
        except JsonError as error:
            raise InvalidInput(f"{cls.__name__}: expected JSON: {error}") from None
        return cls._from_document(document, cls.__name__)

    @classmethod
    def parse_obj(cls, obj: Any) -> Self:
        """Same as :meth:`model_validate`."""
        return cls.model_validate(obj)

    @classmethod
    def parse_raw(cls, b: str | bytes | bytearray) -> Self:
        """Same as :meth:`model_validate_json`."""
        return cls.model_validate_json(b)


MEMBERS: Final[Mapping[str, Mapping[str, bool]]] = MappingProxyType(
    {
        "InferInputTensor": {"name": True, "shape": True, "datatype": True, "parameters": False, "data": True},
        "InferOutputTensor": {"name": True, "shape": True, "datatype": True, "parameters": False, "data": True},
        "InferRequestedOutputTensor": {"name": True, "parameters": False},
        "ModelIndex": {"name": True, "version": False, "state": True, "reason": True},
        "ModelInferRequest": {"id": False, "parameters": False, "inputs": True, "outputs": False},
        "ModelInferResponse": {
            "model_name": True,
            "model_version": False,
            "id": False,
            "parameters": False,
            "outputs": True,
        },
        "ModelMetadataResponse": {"name": True, "versions": False, "platform": True, "inputs": False, "outputs": False},
        "RepositoryIndexRequest": {"ready": False},
        "ServerMetadataResponse": {"name": True, "version": True, "extensions": True},
        "TensorMetadata": {"name": True, "datatype": True, "shape": True, "parameters": False},
    }
)
"""Message -> its members in V2 JSON, in MLServer's order, and whether one is shown although it is empty."""


class PydanticMessage(Message, Dumpable):
    """A message of V2 that also has pydantic's methods; its members are those in :data:`MEMBERS`."""

    _shown: ClassVar[Mapping[str, bool]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # A subclass of a message has the message's own.
        cls._shown = MEMBERS.get(cls.__name__, cls._shown)

    def _check_attribute(self, name: str) -> None:
        if name not in self._shown and name not in self._type_hints():
            raise TypeError(f"{type(self).__name__} has no {name!r}; there are {', '.join(self._shown)}")

    def _members(self, *, all_members: bool) -> object:
        shown: dict[str, object] = {}
        for name, required in self._shown.items():
            value: object = getattr(self, name) if name != "data" or getattr(self, "has_data", True) else None
            if (required and value is not None) or not _is_empty(value):
                shown[name] = value
            elif all_members:
                shown[name] = None
        return shown

    @classmethod
    def _from_document(cls, document: Any, place: str) -> Self:
        members = _take(document, dict, "an object", place)
        values: dict[str, object] = {}
        hints = cls._type_hints()
        for name, required in cls._shown.items():
            value = members.get(name)
            if value is None:
                if required:
                    raise InvalidInput(f"{place}.{name}: expected a value, got nothing")
                continue
            values[name] = _read(value, hints.get(name, object), f"{place}.{name}")
        return cls(**values)


_M = TypeVar("_M")


def take_items(kind: type[_M], given: Iterable[_M] | None) -> list[_M]:
    """Return messages as a list, itself if it is one already; where it has dicts, a new one with messages for them.

    Raises:
        InvalidInput: a dict does not have the members of `kind`.
    """
    items: list[_M] = given if isinstance(given, list) else list(given or ())
    if dict not in map(type, items):
        return items
    validate: Callable[[object], _M] = cast("Any", kind).model_validate
    return [validate(cast("object", item)) if isinstance(item, dict) else item for item in items]


def _is_empty(value: object) -> bool:
    # Not `not value`: no tensor's data is empty in this sense.
    return value is None or value is False or (isinstance(value, (str, list, dict)) and not value)


def _read(value: object, hint: Any, place: str) -> object:
    """Return a member of a document as its attribute's type."""
    if hint is object:
        return value
    origin: object = get_origin(hint)
    if origin is list:
        (inner,) = get_args(hint)
        items: list[object] = _take(value, (list, tuple), "an array", place)
        return [_read(item, inner, f"{place}[{index}]") for index, item in enumerate(items)]
    if isinstance(hint, type) and issubclass(hint, Dumpable):
        return value if isinstance(value, hint) else hint._from_document(value, place)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # one family
    if origin is dict:
        return dict(_take(value, dict, "an object", place))
    # To Python a bool is an int.
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise InvalidInput(f"{place}: expected {_NOUNS[hint]}, got {value!r:.80}")
    return value


_NOUNS: Final[Mapping[Any, str]] = {str: "text", int: "an integer", bool: "true or false"}


def _take(value: Any, kind: type | tuple[type, ...], noun: str, place: str) -> Any:
    if not isinstance(value, kind):
        raise InvalidInput(f"{place}: expected {noun}, got {value!r:.80}")
    return value


def _plain(value: object, *, all_members: bool, as_json: bool, place: str) -> object:
    """Return a value as builtin containers and scalars, all of them new."""
    if isinstance(value, Dumpable):
        value = value._members(all_members=all_members)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # one family
    if isinstance(value, Mapping):
        return {
            key: _plain(item, all_members=all_members, as_json=as_json, place=f"{place}.{key}")
            for key, item in cast("Mapping[str, object]", value).items()
        }
    if isinstance(value, (list, tuple)):
        kinds = {*map(type, cast("list[object]", value))}
        if kinds <= _SCALARS if as_json else not kinds & _CONTAINERS and not any(map(_is_special, kinds)):
            return list(cast("list[object]", value))
        return [
            _plain(item, all_members=all_members, as_json=as_json, place=f"{place}[{index}]")
            for index, item in enumerate(cast("list[object]", value))
        ]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(cast("object", value.tolist()), all_members=all_members, as_json=as_json, place=place)
    if as_json and isinstance(value, (bytes, bytearray)):
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            raise WireError(
                f"{place}: the bytes are not valid UTF-8 ({error.reason}), so JSON cannot carry them"
            ) from None
    return value


# Types that a list may be copied with as it stands; long lists are of one type.
_SCALARS: Final = frozenset({bool, int, float, str, type(None)})
_CONTAINERS: Final = frozenset({list, tuple, dict})


def _is_special(kind: type) -> bool:
    return issubclass(kind, (Dumpable, Mapping, np.ndarray, np.generic, enum.Enum))


def _select(dumped: object, include: Selection, exclude: Selection) -> Any:
    """Return what `include` names and `exclude` does not, at any depth."""
    if include is None and exclude is None:
        return dumped
    items: Iterable[tuple[Any, Any]] = (
        cast("Any", dumped).items() if isinstance(dumped, dict) else enumerate(cast("list[Any]", dumped))
    )
    kept: dict[Any, object] = {}
    for key, value in items:
        wanted = True if include is None else _inner(include, key)
        unwanted = None if exclude is None else _inner(exclude, key)
        if wanted is None or wanted is False or unwanted is True:
            continue
        is_leaf = not isinstance(value, (dict, list))
        kept[key] = value if is_leaf else _select(cast("object", value), None if wanted is True else wanted, unwanted)
    return kept if isinstance(dumped, dict) else list(kept.values())


def _inner(selection: Any, key: object) -> Any:
    """Return ``True`` for all of a member, a selection of what is in it, or ``None`` for nothing."""
    if isinstance(selection, Mapping):
        members: Mapping[Any, Any] = selection  # pyright: ignore[reportUnknownVariableType]  # Any, as far as is known
        found = members.get(key, members.get(_ALL))
        return True if found is ... else found or None
    return True if key in selection or _ALL in selection else None
