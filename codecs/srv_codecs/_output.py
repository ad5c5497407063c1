"""The name of an output, for the return hints of ``decode_args``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """Names an output: ``-> Annotated[np.ndarray, Output("score")]``; without it, outputs are numbered."""

    name: str
