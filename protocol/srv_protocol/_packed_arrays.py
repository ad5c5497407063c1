"""Messages whose repeated values stay arrays until somebody looks at them as lists."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from srv_protocol._message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from numpy.typing import NDArray

_NONE: Final[Mapping[str, NDArray[Any]]] = MappingProxyType({})


class PackedArrays(Message):
    """A message of repeated fields, which are arrays inside and lists outside.

    The attribute of a field is a list, made from the array when it is first asked for, and what counts from then on:
    messages compare, print, copy, pickle and become JSON as if there were lists only. An array that is given to an
    attribute is kept, not copied, and reads as a list too. :meth:`elements` gives the array.
    """

    _repeated: ClassVar[frozenset[str]] = frozenset()
    _arrays: Mapping[str, NDArray[Any]] = _NONE

    @classmethod
    def from_array(cls, name: str, array: NDArray[Any]) -> Self:
        """Return a message with `array`, not a copy, in the field `name`."""
        made = object.__new__(cls)
        vars(made).update(_arrays={name: array}, _unknown_fields=b"")
        return made

    def elements(self, name: str) -> Sequence[Any] | NDArray[Any]:
        """Return what a field holds: its array, not a copy, or its list where there is one.

        Parsed arrays are read-only, and views of the parsed buffer where the values have a fixed width.
        """
        values: Sequence[Any] | None = vars(self).get(name)
        return values if values is not None else self._arrays.get(name, ())

    def filled(self) -> list[str]:
        """Return the names of the fields that have elements."""
        values = vars(self)
        names = [name for name, array in self._arrays.items() if array.size and name not in values]
        return names + [name for name, value in values.items() if name in self._repeated and len(value)]

    def unpack_arrays(self) -> None:
        for name in self._repeated:
            getattr(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, np.ndarray) and name in self._repeated:
            # Not into the mapping that there is: a copy of the message may have it too.
            vars(self)["_arrays"] = {**self._arrays, name: value}
            vars(self).pop(name, None)
        else:
            super().__setattr__(name, value)


class _AsList:
    """The attribute of a field that has no list yet: makes one. Assignment, or this, puts a list in front of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, message: PackedArrays | None, _owner: type) -> Any:
        if message is None:
            raise AttributeError(self._name)
        array = message._arrays.get(self._name)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # one module
        # `setdefault`, so that threads which ask at the same time share one list.
        return vars(message).setdefault(self._name, [] if array is None else array.tolist())


def declare_repeated(cls: type[PackedArrays], names: Iterable[str]) -> None:
    """Say which fields of a message class are arrays inside: all of them, which are all repeated."""
    cls._repeated = frozenset(names)  # pyright: ignore[reportPrivateUsage]  # one module
    for name in names:
        setattr(cls, name, _AsList(name))
