"""The base class of the generated messages."""

from __future__ import annotations

import dataclasses
import sys
from copy import deepcopy
from inspect import get_annotations
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

import betterproto2

from srv_protocol._codec import Codec, decode_message, encode_message
from srv_protocol._decoding import merge
from srv_protocol._errors import WireError
from srv_protocol._varint import MAX_SHORT_VARINT_BYTES, read_varint

if TYPE_CHECKING:
    from typing import Self

    from _typeshed import SupportsRead
    from typing_extensions import Buffer

    from srv_protocol._encoding import Part


class Message(betterproto2.Message):
    """A betterproto2 message that reads and writes the wire strictly: ``_decoding`` and ``_encoding`` say how."""

    _view_fields: ClassVar[frozenset[str]] = frozenset()
    _codec: ClassVar[Codec | None] = None
    """Generated functions for this class and its subclasses, where there are some."""

    @classmethod
    def _type_hint(cls, field_name: str) -> type:
        # betterproto2 resolves the annotations of every base class in the module of `cls`. A field's names are those
        # of the module that declares it, which is another one for a subclass; only the fields matter.
        owner = next(base for base in cls.__mro__ if field_name in get_annotations(base))
        field = SimpleNamespace(__annotations__={field_name: get_annotations(owner)[field_name]})
        hint: type = get_type_hints(field, vars(sys.modules[owner.__module__]))[field_name]
        return hint

    @classmethod
    def _type_hints(cls) -> dict[str, type]:
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # subclasses are
        return {field.name: cls._type_hint(field.name) for field in fields}

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """Return the message that `data` holds.

        Fields of type bytes are copies, except those that the class documents as views of `data`.

        Raises:
            WireError: `data` is no valid message of this type; the text names the offset.
        """
        message: Self = decode_message(cls, data)
        return message

    @classmethod
    def FromString(cls, s: Buffer) -> Self:  # noqa: N802  # the name that protobuf and grpclib know
        """Same as :meth:`parse`."""
        return cls.parse(s)

    def load(self, stream: SupportsRead[bytes], size: int | None = None) -> Self:
        """Merge the next `size` bytes of a stream into this message: all of them for ``None``.

        Fields of type bytes are copies, except those that the class documents as views. With ``SIZE_DELIMITED`` the
        message follows its own length.

        Raises:
            WireError: the bytes are no valid message of this type, or the stream ends before `size`.
        """
        if size == betterproto2.SIZE_DELIMITED:
            size = _read_size(stream)
        data = stream.read() if size is None else stream.read(size)
        if size is not None and len(data) < size:
            raise WireError(f"protobuf: expected a message of {size} bytes, but the stream has only {len(data)} left")
        merge(self, memoryview(data).toreadonly(), 0, len(data))
        return self

    def __bytes__(self) -> bytes:
        """Return the wire form.

        Raises:
            WireError: a value does not fit its field.
        """
        return b"".join(self.wire_parts())

    def wire_parts(self) -> list[Part]:
        """Return the wire form in pieces; large bytes values are views of the message's own, not copies.

        Raises:
            WireError: a value does not fit its field.
        """
        return encode_message(self)

    def check_encodable(self) -> None:
        """Raise WireError when the message has a state that its wire fields do not carry."""

    def unpack_arrays(self) -> None:
        """Make lists of the repeated fields that are still arrays."""

    def __eq__(self, other: object) -> bool:
        equal: Any = super().__eq__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped
        return type(self) is type(other) and bool(equal(other))

    __hash__ = None  # type: ignore[assignment]  # compares by value, and is mutable

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes; views of a parsed buffer are copied."""
        state = vars(self).copy()
        for name in self._view_fields:
            values: list[bytes | memoryview] = state[name]
            state[name] = [bytes(value) for value in values]
        return state

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by way of the wire form, which lacks headers and data.
        return object.__new__, (type(self),), self.__getstate__()

    def __copy__(self, _memo: object = None) -> Self:
        return self._with(vars(self))

    def __deepcopy__(self, memo: Any = None) -> Self:
        return self._with(deepcopy(self.__getstate__(), memo))

    def _with(self, attributes: dict[str, Any]) -> Self:
        made = object.__new__(type(self))
        vars(made).update(attributes)
        return made


def _read_size(stream: SupportsRead[bytes]) -> int:
    """Take the length that stands before a message from a stream."""
    head = b""
    while len(head) < MAX_SHORT_VARINT_BYTES:
        byte = stream.read(1)
        head += byte
        if not byte or byte < b"\x80":
            return read_varint(memoryview(head), 0, len(head))[0]
    raise WireError(f"protobuf: the length before the message has more than {MAX_SHORT_VARINT_BYTES} bytes")
