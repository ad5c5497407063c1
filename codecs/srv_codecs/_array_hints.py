"""Hints of arrays and of numpy's scalars: which datatypes and shapes they allow."""

from __future__ import annotations

from typing import Any, Final, Literal, cast, get_args, get_origin

import numpy as np

from srv_codecs._type_hints import is_union, show
from srv_protocol.datatypes import DATATYPES, Datatype, datatype_of
from srv_protocol.errors import CodecNotFound

_SCALARS: Final = (np.generic, bool, int, float, complex)


def is_element(hint: object) -> bool:
    """Whether a hint is a type of numpy's numbers or booleans, such as ``np.float32`` or ``np.integer``."""
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, (np.number, np.bool_))


def element_datatypes(scalar: object, hint: object, where: str) -> frozenset[str] | None:
    """Return the datatypes of a type of numpy's, ``None`` when any will do; `hint` is what it stands in.

    Raises:
        CodecNotFound: no datatype carries it; the text starts with `where`.
    """
    if scalar is Any or scalar is np.generic:
        return None
    # np.floating[Any], as strict type checkers want it.
    plain = scalar if is_union(scalar) else get_origin(scalar) or scalar
    # Of any class that it does not know, numpy makes an array of objects.
    if not isinstance(plain, type) or not issubclass(plain, _SCALARS):
        raise CodecNotFound(f"{where}: {show(hint)}: expected one type of numpy's, got {show(scalar)}")
    kind = cast("type[np.generic]", plain)
    if issubclass(kind, np.character):
        raise CodecNotFound(
            f"{where}: {show(hint)} is not served, since BYTES tensors are object arrays; "
            "use np.ndarray, NDArray[np.object_], list[str] or list[bytes]"
        )
    if kind.__subclasses__():
        # An abstract type, such as np.floating; BF16's is not one of numpy's.
        rows = (row for row in DATATYPES.values() if row.name is not Datatype.BF16)
        datatypes = frozenset(row.name.value for row in rows if issubclass(row.dtype.type, kind))
        if not datatypes:
            raise CodecNotFound(f"{where}: {show(hint)}: no V2 datatype is {show(kind)}")
        return datatypes
    try:
        return frozenset({datatype_of(np.empty(0, kind)).value})
    except TypeError as error:
        raise CodecNotFound(f"{where}: {error}") from None


def array_datatypes(hint: object, where: str) -> frozenset[str] | None:
    """Return the datatypes of ``np.ndarray[shape, np.dtype[scalar]]``, ``None`` when any will do.

    Raises:
        CodecNotFound: no datatype carries it.
    """
    _, *more = get_args(hint)
    if not more or get_origin(more[0]) is not np.dtype:
        return None
    return element_datatypes(get_args(more[0])[0], hint, where)


def array_sizes(hint: object, where: str) -> tuple[int, ...] | None:
    """Return the shape of ``np.ndarray[shape, dtype]``, -1 for a size of any kind; ``None`` when any shape will do.

    ``tuple[int, Literal[4]]`` is two dimensions, the second of size 4; ``tuple[int, ...]`` and ``Any`` are any shape.

    Raises:
        CodecNotFound: it is no shape.
    """
    shape: object = get_args(hint)[0]
    if get_origin(shape) is not tuple:
        # A type variable of numpy's stands for any shape; what comes bare is one of numpy's aliases.
        return None
    members = get_args(shape)
    if Ellipsis in members:
        return None
    return tuple(_size(member, hint, where) for member in members)


def _size(member: object, hint: object, where: str) -> int:
    if member is int or member is Any:
        return -1
    values = get_args(member) if get_origin(member) is Literal else ()
    if len(values) == 1 and type(values[0]) is int and values[0] >= 0:
        return values[0]
    raise CodecNotFound(f"{where}: {show(hint)}: expected dimensions that are int or Literal[4], got {show(member)}")
