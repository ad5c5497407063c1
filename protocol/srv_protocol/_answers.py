"""Answers that V2 has over REST alone, under the names that MLServer gave them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, overload

from srv_protocol._errors import InvalidInput
from srv_protocol._gen.inference import ModelIndex
from srv_protocol._pydantic import Dumpable, take_items
from srv_protocol._text_enum import TextEnum

if TYPE_CHECKING:
    from typing import Self


class State(TextEnum):
    """The states of a model in the repository's index."""

    UNKNOWN = "UNKNOWN"
    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"
    LOADING = "LOADING"
    UNLOADING = "UNLOADING"


class RepositoryIndex(Sequence[ModelIndex], Dumpable):
    """The answer of ``/v2/repository/index``: an array of models.

    Attributes:
        root: the models.
    """

    def __init__(self, root: Iterable[ModelIndex] = ()) -> None:
        self.root = take_items(ModelIndex, root)

    @overload
    def __getitem__(self, index: int) -> ModelIndex: ...
    @overload
    def __getitem__(self, index: slice) -> list[ModelIndex]: ...
    def __getitem__(self, index: int | slice) -> ModelIndex | list[ModelIndex]:
        return self.root[index]

    def __len__(self) -> int:
        return len(self.root)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RepositoryIndex) and self.root == other.root

    __hash__ = None  # type: ignore[assignment]  # compares by value, and is mutable

    def __repr__(self) -> str:
        return f"RepositoryIndex({self.root!r})"

    def _members(self, *, all_members: bool) -> object:  # noqa: ARG002  # a list has no others
        return self.root

    @classmethod
    def _from_document(cls, document: Any, place: str) -> Self:
        if not isinstance(document, list):
            raise InvalidInput(f"{place}: expected an array, got {document!r:.80}")
        return cls(cast("list[ModelIndex]", document))


@dataclass
class ErrorResponse(Dumpable):
    """The answer of REST to a request that has failed.

    Attributes:
        error: what is wrong.
    """

    error: str | None = None

    def _members(self, *, all_members: bool) -> object:
        return {"error": self.error} if all_members or self.error is not None else {}

    @classmethod
    def _from_document(cls, document: Any, place: str) -> Self:
        if not isinstance(document, Mapping):
            raise InvalidInput(f"{place}: expected an object, got {document!r:.80}")
        error = cast("Mapping[str, object]", document).get("error")
        if not isinstance(error, str | None):
            raise InvalidInput(f"{place}.error: expected text, got {error!r:.80}")
        return cls(error)
