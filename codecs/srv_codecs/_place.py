"""Where in a message an error is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from srv_protocol.errors import InferenceError, InvalidInput, SrvError

_NOUNS: Final = {"inputs": "input", "outputs": "output"}


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor of a message: ``inputs[0]``, the name that it has, whose fault an error there is, and of which model."""

    path: str
    name: str
    error: type[SrvError]
    model: str = ""

    @property
    def of_model(self) -> str:
        """What Triton calls an input: ``input 'x' for model 'm'``."""
        return f"input '{self.name}' for model '{self.model}'"

    def fail(self, member: str, text: str) -> SrvError:
        """Return the error ``inputs[0].data: text (input 'x')``."""
        noun = _NOUNS.get(self.path.partition("[")[0], "tensor")
        where = f"{self.path}.{member}" if member else self.path
        return self.error(f"{where}: {text} ({noun} '{self.name}')")


def input_place(index: int, name: str, model: str = "") -> Place:
    """Return the place of a request's tensor: the client is to blame."""
    return Place(f"inputs[{index}]", name, InvalidInput, model)


def output_place(index: int, name: str) -> Place:
    """Return the place of a response's tensor: the runtime is to blame."""
    return Place(f"outputs[{index}]", name, InferenceError)
