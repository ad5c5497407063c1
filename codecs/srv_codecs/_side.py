"""Which way a tensor goes through a codec, and so whose fault it is when it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from srv_codecs._place import Place
from srv_protocol.errors import CodecError, InferenceError, SrvError


class TensorPlace(Place):
    """A tensor known by its name alone, as codecs see it."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """The tensor: ``input 'x'``."""
        return f"{self.noun} '{self.name}'"

    def fail(self, member: str, text: str) -> SrvError:
        """Return the error ``input 'x': data[3]: text``."""
        return self.error(f"{self.path}: {member}: {text}" if member else f"{self.path}: {text}")


@dataclass(frozen=True, slots=True)
class Side:
    """Requests or responses, and the error of a tensor that cannot be encoded or decoded there.

    Attributes:
        noun: ``input`` or ``output``.
    """

    noun: str
    error: type[SrvError]

    def place(self, name: str) -> TensorPlace:
        """Return the place of a tensor."""
        return TensorPlace(self.noun, 0, name, self.error)


REQUEST: Final = Side("input", CodecError)
RESPONSE: Final = Side("output", InferenceError)
RECEIVED_RESPONSE: Final = Side("output", CodecError)
"""A response as its client decodes it."""
