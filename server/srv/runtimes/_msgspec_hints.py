"""Hints of handlers' arguments, read by msgspec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from msgspec import inspect as types

from srv.runtimes._argument_hints import ArgumentHint
from srv_codecs.hints import show
from srv_codecs.json import explain, parse_json
from srv_protocol.errors import InvalidInput, LoadError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCALARS: Final = (
    types.BoolType,
    types.DateTimeType,
    types.DateType,
    types.DecimalType,
    types.EnumType,
    types.FloatType,
    types.IntType,
    types.LiteralType,
    types.NoneType,
    types.StrType,
    types.TimeType,
    types.UUIDType,
)
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class MsgspecHints:
    """Reads with msgspec whatever it knows, and models that are pydantic's or like those."""

    def compile(self, hint: object, where: str) -> ArgumentHint:
        """Return what reads values of a hint; see :class:`srv.runtimes._argument_hints.Hints`."""
        kind = _kind(hint, where)
        # Any: a type that is known at run time alone.
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(cast("Any", hint), dec_hook=_from_model)

        def from_text(value: object) -> object:
            return cast("object", msgspec.convert(value, hint, strict=False))

        def from_json(body: memoryview | bytes, spot: str) -> object:
            try:
                return cast("object", decoder.decode(body))
            except msgspec.ValidationError as error:
                raise InvalidInput(explain(error, spot)) from None
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                # Says what is wrong with the text, in the words of every other body.
                return parse_json(decoder, body)

        return ArgumentHint(
            scalar=_is_scalar(kind),
            many=_is_list(kind),
            takes_none=_takes_none(kind),
            from_text=from_text,
            from_json=from_json,
            from_member=lambda member, spot: from_json(bytes(memoryview(cast("msgspec.Raw", member))), spot),
        )

    def members(self, body: memoryview) -> Mapping[str, object]:
        """Return the members of a JSON object; see :class:`srv.runtimes._argument_hints.Hints`."""
        return parse_json(_members, body)


def _kind(hint: object, where: str) -> types.Type:
    """Return what msgspec makes of a hint, all of which JSON can be read into."""
    try:
        kind = types.type_info(hint)
    except (TypeError, NameError) as error:
        raise LoadError(f"{where}: {error}") from None
    unfit = _find_unfit(kind, set())
    if unfit is not None:
        raise LoadError(
            f"{where}: expected a hint that JSON can be read into (str, int, float, bool, list, dict, a dataclass, a "
            "TypedDict, a msgspec.Struct, a pydantic model), InferenceRequest, Headers, bytes or Request, got "
            f"{show(unfit)}"
        )
    return kind


def _find_unfit(kind: object, seen: set[int]) -> type | None:
    """Return a class within a hint that nothing can be read into."""
    if id(kind) in seen:
        return None
    seen.add(id(kind))
    if isinstance(kind, types.CustomType):
        return None if hasattr(kind.cls, "model_validate") else kind.cls
    if isinstance(kind, (tuple, list)):
        parts: Sequence[object] = cast("Sequence[object]", kind)
    elif isinstance(kind, (types.Type, types.Field)):
        parts = [getattr(kind, field) for field in kind.__struct_fields__ if field not in {"default", "cls"}]
    else:
        return None
    return next((unfit for part in parts if (unfit := _find_unfit(part, seen)) is not None), None)


def _from_model(cls: type, value: object) -> object:
    """Return a pydantic model; its ``ValidationError`` is a ``ValueError``, which msgspec gives the place."""
    return cast("Any", cls).model_validate(value)


def _is_scalar(kind: types.Type) -> bool:
    kind = _bare(kind)
    if isinstance(kind, types.UnionType):
        return all(_is_scalar(each) for each in kind.types)
    return isinstance(kind, _SCALARS)


def _is_list(kind: types.Type) -> bool:
    kind = _bare(kind)
    if isinstance(kind, types.UnionType):
        return all(isinstance(each, types.NoneType) or _is_list(each) for each in kind.types)
    return isinstance(kind, (types.ListType, types.SetType, types.VarTupleType)) and (
        _is_scalar(kind.item_type) or isinstance(kind.item_type, types.AnyType)
    )


def _takes_none(kind: types.Type) -> bool:
    kind = _bare(kind)
    if isinstance(kind, types.UnionType):
        return any(_takes_none(each) for each in kind.types)
    return isinstance(kind, types.NoneType)


def _bare(kind: types.Type) -> types.Type:
    return kind.type if isinstance(kind, types.Metadata) else kind
