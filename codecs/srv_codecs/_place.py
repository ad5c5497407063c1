"""Where in a message an error is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv_protocol.errors import InferenceError, InvalidInput

if TYPE_CHECKING:
    from srv_protocol.errors import SrvError


class Place:
    """A tensor of a message: ``inputs[0]``, the name that it has, whose fault an error there is, and of which model.

    Every request makes some, and few need their texts, which are put together when asked for.
    """

    __slots__ = ("error", "index", "model", "name", "noun")

    def __init__(self, noun: str, index: int, name: str, error: type[SrvError], model: str = "") -> None:
        self.noun = noun
        self.index = index
        self.name = name
        self.error = error
        self.model = model

    @property
    def path(self) -> str:
        """The tensor's path: ``inputs[0]``."""
        return f"{self.noun}s[{self.index}]"

    @property
    def of_model(self) -> str:
        """What Triton calls an input: ``input 'x' for model 'm'``."""
        return f"input '{self.name}' for model '{self.model}'"

    def fail(self, member: str, text: str) -> SrvError:
        """Return the error ``inputs[0].data: text (input 'x')``."""
        where = f"{self.path}.{member}" if member else self.path
        return self.error(f"{where}: {text} ({self.noun} '{self.name}')")


def input_place(index: int, name: str, model: str = "") -> Place:
    """Return the place of a request's tensor: the client is to blame."""
    return Place("input", index, name, InvalidInput, model)


def output_place(index: int, name: str) -> Place:
    """Return the place of a response's tensor: the runtime is to blame."""
    return Place("output", index, name, InferenceError)
