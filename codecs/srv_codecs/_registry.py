"""Where codecs are found: by content type, by the type of a value, or by type hint.

Codecs that a model's own code registers are that model's: two models may each have their own for a content type.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from srv_codecs._base64 import Base64Codec
from srv_codecs._datetime import DatetimeCodec
from srv_codecs._numpy import NumpyCodec, NumpyRequestCodec
from srv_codecs._string import StringCodec, StringRequestCodec
from srv_protocol.errors import CodecError, CodecNotFound

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import TypeAlias

    from srv_codecs._codec import InputCodec, RequestCodec

# Any: a registry holds codecs of every Python type.
AnyInputCodec: TypeAlias = "type[InputCodec[Any]]"
AnyRequestCodec: TypeAlias = "type[RequestCodec[Any]]"
AnyCodec: TypeAlias = "AnyInputCodec | AnyRequestCodec"

C = TypeVar("C", bound=AnyCodec)
I = TypeVar("I", bound=AnyInputCodec)  # noqa: E741  # I as in input
R = TypeVar("R", bound=AnyRequestCodec)

_scope: Final[ContextVar[str]] = ContextVar("codec_scope", default="")


@contextlib.contextmanager
def codec_scope(package: str) -> Generator[None]:
    """Mark what runs inside as the code of the model whose modules are below `package`.

    What these modules register is found inside alone, until :func:`release_codecs`.
    """
    token = _scope.set(package)
    try:
        yield
    finally:
        _scope.reset(token)


@dataclass(frozen=True, slots=True)
class LazyCodec:
    """A codec whose module is imported when it is first needed.

    Attributes:
        package: what the codec's values belong to: no value and no hint is the codec's before this is imported.
    """

    content_type: str
    package: str
    module: str
    name: str


class CodecRegistry(Generic[C]):
    """Codecs of one kind, in the order in which they were registered, those of the running model last.

    Args:
        noun: what the codecs are, in errors.
        codecs: those that are there from the beginning.
        lazy: those that come behind them, as soon as they are needed.
    """

    def __init__(self, noun: str, codecs: Iterable[C] = (), lazy: Iterable[LazyCodec] = ()) -> None:
        self._noun = noun
        self._codecs: dict[str, C] = {codec.ContentType: codec for codec in codecs}
        self._of_models: dict[str, dict[str, C]] = {}
        self._lazy = {codec.content_type: codec for codec in lazy}

    def register(self, codec: C) -> C:
        """Add a codec and return it; a class of the same name from the same module is replaced.

        Under :func:`codec_scope` the model's own code adds to the codecs of that model alone.

        Raises:
            CodecError: it has no content type, or that of another codec.
        """
        content_type = codec.ContentType
        if not content_type:
            raise CodecError(f"{codec.__qualname__}.ContentType: expected the name of a content type, got none")
        package = _scope.get()
        own = self._codecs
        if package and codec.__module__.startswith(f"{package}."):
            own = self._of_models.setdefault(package, {})
        other = own.get(content_type) or self._codecs.get(content_type)
        if not _is_same(other, codec) and (other is not None or content_type in self._lazy):
            raise CodecError(
                f"{codec.__qualname__}.ContentType: the {self._noun} codec for '{content_type}' is already "
                f"{other.__qualname__ if other else self._lazy[content_type].name}"
            )
        own[content_type] = codec
        return codec

    def release(self, package: str) -> None:
        """Forget the codecs of a model."""
        self._of_models.pop(package, None)

    def find(self, content_type: str, where: str = "") -> C:
        """Return the codec for a content type.

        Args:
            content_type: what requests and metadata call it.
            where: the tensor that asks for it, for the error.

        Raises:
            CodecNotFound: there is none, or the package that it needs is not installed.
        """
        found = self._own.get(content_type) or self._codecs.get(content_type)
        if found is not None:
            return found
        prefix = f"{where}: " if where else ""
        lazy = self._lazy.get(content_type)
        if lazy is None:
            raise CodecNotFound(
                f"{prefix}no {self._noun} codec for content type '{content_type}'; "
                f"there are {', '.join(map(repr, self.content_types))}"
            )
        try:
            return self._load(lazy)
        except ModuleNotFoundError as error:
            raise CodecNotFound(
                f"{prefix}the {self._noun} codec for content type '{content_type}' needs {error.name}, "
                "which is not installed"
            ) from None

    def find_for(self, payload: object) -> C | None:
        """Return the first codec that can encode `payload`, or ``None``."""
        return next((codec for codec in self if codec.can_encode(payload)), None)

    @property
    def content_types(self) -> tuple[str, ...]:
        """The content types of all codecs, sorted; imports none."""
        return tuple(sorted({*self._codecs, *self._lazy, *self._own}))

    def __iter__(self) -> Iterator[C]:
        """Iterate over all codecs that can matter: lazy ones only once their package is imported."""
        for lazy in self._lazy.values():
            if lazy.content_type not in self._codecs and sys.modules.get(lazy.package) is not None:
                self._load(lazy)
        return iter((*self._codecs.values(), *self._own.values()))

    @property
    def _own(self) -> dict[str, C]:
        """The codecs of the model whose code runs."""
        return self._of_models.get(_scope.get(), {})

    def _load(self, lazy: LazyCodec) -> C:
        # Threads may get here at once; all of them store the same codec.
        codec: C = getattr(importlib.import_module(lazy.module), lazy.name)
        self._codecs[lazy.content_type] = codec
        return codec


def _is_same(other: AnyCodec | None, codec: AnyCodec) -> bool:
    """Whether two classes are one to the reader of the code, as after a reload of its module."""
    return other is not None and (other.__module__, other.__qualname__) == (codec.__module__, codec.__qualname__)


input_codecs: Final[CodecRegistry[AnyInputCodec]] = CodecRegistry(
    "input",
    (NumpyCodec, StringCodec, Base64Codec, DatetimeCodec),
    (LazyCodec("arrow", "pyarrow", "srv_codecs._arrow", "ArrowCodec"),),
)
"""The codecs of single tensors."""

request_codecs: Final[CodecRegistry[AnyRequestCodec]] = CodecRegistry(
    "request",
    (NumpyRequestCodec, StringRequestCodec),
    (
        LazyCodec("pd", "pandas", "srv_codecs._pandas", "PandasCodec"),
        LazyCodec("arrow", "pyarrow", "srv_codecs._arrow", "ArrowBatchCodec"),
        LazyCodec("arrow-table", "pyarrow", "srv_codecs._arrow", "ArrowTableCodec"),
    ),
)
"""The codecs of whole requests."""


def release_codecs(package: str) -> None:
    """Forget what the modules below `package`, which is that of an unloaded model, have registered."""
    input_codecs.release(package)
    request_codecs.release(package)


def register_input_codec(codec: I) -> I:
    """Register an input codec under its content type; a class decorator.

    Raises:
        CodecError: it has no content type, or that of another codec.
    """
    input_codecs.register(codec)
    return codec


def register_request_codec(codec: R) -> R:
    """Register a request codec under its content type; a class decorator.

    Raises:
        CodecError: it has no content type, or that of another codec.
    """
    request_codecs.register(codec)
    return codec
