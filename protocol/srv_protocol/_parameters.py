"""Parameters of requests, tensors and models: on the wire a map of a oneof, in Python a plain mapping."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import betterproto2
import numpy as np

from srv_protocol._errors import WireError
from srv_protocol._message import Message
from srv_protocol._pydantic import Dumpable

if TYPE_CHECKING:
    from typing import Self

_Value = TypeVar("_Value")
# Those of int64_param and of uint64_param.
_LOWEST: Final = -(1 << 63)
_HIGHEST: Final = (1 << 64) - 1
# Between the values of a name that is given twice (RFC 9110, section 5.2; of cookies, RFC 9113, section 8.2.3).
_SEPARATOR: Final = ", "
_SEPARATORS: Final = {"cookie": "; "}

ParameterValue = bool | int | float | str | bytes | None
"""A parameter's value; bytes occur in load requests only, and ``None`` is a value that the sender left unset."""


class ParameterChoice(Message):
    """A message that holds one oneof of scalars, which maps present as the bare Python value."""

    _choices: ClassVar[tuple[tuple[str, type, int, int], ...]]
    """(field, Python type, lowest, highest value), in the order in which a value is tried; set by the generator."""

    def to_wrapped(self) -> ParameterValue:
        """Return the value that is set, or ``None``."""
        for name, *_ in self._choices:
            value: ParameterValue = getattr(self, name)
            if value is not None:
                return value
        return None

    @classmethod
    def from_wrapped(cls, value: ParameterValue) -> Self:
        """Return the message for a Python value: bool, integer (signed where it fits), float, text or bytes.

        Raises:
            WireError: no member of the oneof carries the value.
        """
        if value is None:
            return cls()
        value = _plain(value)
        for name, kind, low, high in cls._choices:
            # A bool is an int to Python, and not to protobuf.
            fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
            if fits and (not isinstance(value, int) or low <= value <= high):
                message = cls()
                setattr(message, name, value)
                return message
        kinds = ", ".join(dict.fromkeys(kind.__name__ for _, kind, _, _ in cls._choices))
        raise WireError(f"expected a value that fits one of {kinds}, got {value!r}")


class _Dict(dict[str, _Value]):
    """A dict whose every way in goes through ``__setitem__``, and whose copies and unions keep the class."""

    __slots__ = ()

    def setdefault(self, name: str, default: _Value, /) -> _Value:
        """Return the value under a name, which is `default` if there was none."""
        if name not in self:
            self[name] = default
        return self[name]

    def update(self, *args: Any, **extra: Any) -> None:
        """Set what a mapping or pairs say, as :meth:`dict.update` does."""
        for name, value in dict(*args, **extra).items():
            self[name] = value

    def copy(self) -> Self:
        """Return a shallow copy."""
        return copy(self)

    def __or__(self, other: Any) -> Self:  # type: ignore[override]  # narrower than dict's, which gives a dict
        made = copy(self)
        made.update(other)
        return made

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]  # as above
        self.update(other)
        return self


class Headers(_Dict[str]):
    """HTTP headers or gRPC metadata by name; names are compared without regard to case (RFC 9110, section 5.1).

    Names are kept in lower case. A name given twice keeps both values, joined by ``", "``, cookies by ``"; "``
    (RFC 9110, section 5.2; RFC 9113, section 8.2.3). Those of ``set-cookie`` cannot be joined.

    Raises:
        TypeError: a name or a value is no string, on every way in; or ``set-cookie`` is given twice.
    """

    __slots__ = ()

    def __init__(self, headers: Mapping[str, str] | Iterable[tuple[str, str]] = (), /) -> None:
        given = list(cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers)
        plain = dict(given)
        if len(plain) == len(given) and {*map(type, plain), *map(type, plain.values())} <= {str}:
            names = "".join(plain)
            if names == names.lower():
                # As the servers give them.
                super().__init__(plain)
                return
        super().__init__()
        for name, value in given:
            _check_header(name, value)
            present = self.get(name)
            self[name] = value if present is None else _join(name.lower(), present, value)

    @classmethod
    def of_lower(cls, headers: dict[str, str]) -> Self:
        """Return headers whose names are known to be in lower case; nothing is checked."""
        made = cls.__new__(cls)
        dict.update(made, headers)  # pyright: ignore[reportUnknownMemberType]  # that of dict, which has no arguments here
        return made

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __setitem__(self, name: str, value: str) -> None:
        _check_header(name, value)
        super().__setitem__(name.lower(), value)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: str | None = None, /) -> str | None:  # type: ignore[override]  # str values only
        """Return the value of a header, or `default`."""
        return super().get(name.lower(), default)

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a header and return its value, as :meth:`dict.pop` does."""
        return super().pop(name.lower(), *default)


class Parameters(_Dict[ParameterValue], Dumpable):
    """Parameters by name, readable and writable as items or as attributes.

    ``content_type`` is an ordinary entry with an attribute of its own. ``headers`` is not on the wire: it carries
    the request's headers or metadata to a runtime, and a runtime's headers to the response.
    """

    __slots__ = ("headers",)
    # betterproto2 takes the key and value types of a map from the annotation's arguments.
    __args__ = (str, object)

    headers: Headers | None

    def __init__(
        self,
        values: Mapping[str, object] | Iterable[tuple[str, object]] | None = None,
        /,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: ParameterValue,
    ) -> None:
        if not values and not extra and headers is None:
            _set_headers(self, None)
            return
        if headers is None and isinstance(values, Parameters):
            headers = values.headers
        for name, value in {**dict(values or ()), **extra}.items():
            if name == "headers":
                headers = headers if headers is not None else _received_headers(value)
            elif value is not None:
                dict.__setitem__(self, name, _checked(name, value))  # pyright: ignore[reportUnknownMemberType]  # as above
        _set_headers(self, headers if headers is None or isinstance(headers, Headers) else Headers(headers))

    @classmethod
    def of_content_type(cls, content_type: str) -> Self:
        """Return the parameters of a tensor that a codec has made: nothing but the content type, unchecked."""
        made = cls()
        dict.__setitem__(made, "content_type", content_type)  # pyright: ignore[reportUnknownMemberType]  # as above
        return made

    def __setitem__(self, name: str, value: object) -> None:
        super().__setitem__(name, _checked(name, value))

    @property
    def content_type(self) -> str | None:
        """The content type of a tensor or request, as a codec is registered under it."""
        found = self.get("content_type")
        if found is None or isinstance(found, str):
            return found
        raise WireError(f"parameters.content_type: expected a string, got {found!r}")

    @content_type.setter
    def content_type(self, value: str | None) -> None:
        if value is None:
            self.pop("content_type", None)
        else:
            self["content_type"] = value

    @property
    def model_extra(self) -> dict[str, ParameterValue]:
        """What there is beside ``content_type`` and ``headers``, as a new dict."""
        return {name: value for name, value in self.items() if name != "content_type"}

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Same as :meth:`model_copy`, not the dict's: the headers are copied with the rest."""
        return self.model_copy(update=update, deep=deep)

    def _members(self, *, all_members: bool) -> object:
        known: dict[str, object] = {"content_type": self.content_type, "headers": self.headers}
        if not all_members:
            known = {name: value for name, value in known.items() if value is not None}
        return known | self.model_extra

    @classmethod
    def _from_document(cls, document: Any, place: str) -> Self:
        if not isinstance(document, Mapping):
            raise WireError(f"{place}: expected an object, got {document!r:.80}")
        return cls(cast("Mapping[str, object]", document))

    def __getattr__(self, name: str) -> ParameterValue:
        try:
            return self[name]
        except KeyError:
            message = f"no parameter {name!r}; there are {', '.join(map(repr, self)) or 'none'}"
            raise AttributeError(message) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "headers":
            known = value is None or isinstance(value, Headers)
            _set_headers(self, value if known else Headers(_as_headers(value)))
        elif name == "content_type":
            super().__setattr__(name, value)
        else:
            self[name] = value

    def __delattr__(self, name: str) -> None:
        if name in self:
            del self[name]
        else:
            super().__delattr__(name)

    def __bool__(self) -> bool:
        """Whether there is anything: headers alone count, as runtimes look for them behind ``if parameters``."""
        return len(self) > 0 or self.headers is not None

    def __repr__(self) -> str:
        items = [f"{name}={value!r}" for name, value in self.items()]
        if self.headers is not None:
            items.append(f"headers={dict(self.headers)!r}")
        return f"Parameters({', '.join(items)})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Parameters) and self.headers != other.headers:
            return False
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        # dict has its own, which does not ask __eq__.
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # a mutable mapping, as dict itself says


# The slot itself, without the checks of an attribute that anybody sets.
_set_headers: Final[Callable[[Parameters, Headers | None], None]] = cast("Any", Parameters.headers).__set__


def new_parameters() -> Parameters:
    """Return empty parameters, at less than the price of the constructor."""
    made = Parameters.__new__(Parameters)
    _set_headers(made, None)
    return made


def _as_headers(value: object) -> Mapping[str, str]:
    if isinstance(value, Mapping):
        return value  # pyright: ignore[reportUnknownVariableType]  # Headers checks what matters
    raise WireError(f"parameters.headers: expected a mapping of strings, got {type(value).__name__}")


def _received_headers(value: object) -> Headers:
    """Return the headers among the parameters of a JSON body, which may hold anything: then the client is wrong."""
    try:
        return Headers(_as_headers(value))
    except TypeError as error:
        raise WireError(f"parameters.{error}") from None


def _join(name: str, present: str, value: str) -> str:
    if name == "set-cookie":
        raise TypeError("headers: set-cookie cannot be given twice, since a comma stands within its values too")
    return f"{present}{_SEPARATORS.get(name, _SEPARATOR)}{value}"


def _check_header(name: object, value: object) -> None:
    if not (isinstance(name, str) and isinstance(value, str)):
        raise TypeError(f"headers: expected a name and a value that are strings, got {name!r}: {value!r}")


def _plain(value: Any) -> Any:
    """Return the Python value that a numpy scalar holds; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value  # pyright: ignore[reportUnknownVariableType]


def _checked(name: str, value: object) -> ParameterValue:
    kind = type(value)
    if kind is str or kind is bool or kind is float:
        # Most of them; a number needs a look at its size.
        return cast("ParameterValue", value)
    value = _plain(value)
    if isinstance(value, int) and not _LOWEST <= value <= _HIGHEST:
        raise WireError(f"parameters.{name}: expected an integer of 64 bits, got one of {value.bit_length()}")
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    raise WireError(f"parameters.{name}: expected a string, number or boolean, got {type(value).__name__}")


def parameters_field(number: int, choice: Callable[[], type[ParameterChoice]]) -> Parameters:
    """Declare a field ``map<string, choice>`` that Python sees as :class:`Parameters`.

    Returns the dataclass field; its type is the attribute's, as that of :func:`dataclasses.field` is.
    """
    entry = betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE, unwrap_2=choice)
    meta = betterproto2.FieldMetadata(number, betterproto2.TYPE_MAP, entry)
    declared: Parameters = dataclasses.field(default_factory=Parameters, metadata={"betterproto": meta})
    return declared
