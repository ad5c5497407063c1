"""From a model's settings to its runtime, loaded, in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from srv._custom_metrics import ModelMetrics
from srv.runtimes._calls import Caller
from srv.runtimes._checks import check_content_types, load_runtime
from srv.runtimes._importer import ModelCode
from srv.runtimes._model import MLModel
from srv.runtimes._runner import LocalRunner, ModelScope, release
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import LoadError
from srv_protocol.inference import TensorMetadata

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from srv._model_settings import ModelSettings
    from srv.controlplane._file_override import ModelFiles


@dataclass(frozen=True)
class Loading:
    """How models are loaded.

    Attributes:
        root: the repository's.
        limit: how many requests may wait for the model, ``None`` for any number.
        changed: called on the event loop when a runtime changes its readiness.
        retire: takes what has to end in its own time when a load has failed.
    """

    root: Path | None
    limit: int | None
    changed: Callable[[], None]
    retire: Callable[[Coroutine[object, object, None]], None]

    async def start(self, settings: ModelSettings, files: ModelFiles | None, folder: Path | None = None) -> LocalRunner:
        """Import a model's code, make its runtime and call ``load``.

        The settings become the runtime's own, whose parameters it may set. `files` are kept for as long as the model's
        code, which is in `folder`, or where the settings say.

        Raises:
            LoadError: there is no such runtime, or it cannot be served.
            Exception: whatever the model's code raises.
        """
        label = label_of(settings)
        caller = Caller(label, self.limit)
        metrics = ModelMetrics(settings.name, settings.version)
        code: ModelCode | None = None
        try:
            if isinstance(settings.implementation, str):
                code = ModelCode(label, folder or code_folder(settings), self.root, files)
            with ModelScope(settings.name, settings.version, code):
                if code is not None and isinstance(settings.implementation, str):
                    # Importing may take seconds: frameworks are large.
                    runtime_class = await caller.call(code.load, settings.implementation, MLModel)
                elif isinstance(settings.implementation, type) and issubclass(settings.implementation, MLModel):
                    runtime_class = settings.implementation
                else:
                    raise LoadError(f"{settings.implementation_} is no subclass of srv.MLModel")  # noqa: TRY301
                runtime = await caller.call(_constructor(runtime_class), settings)
                await load_runtime(runtime, caller, self.changed)
                _check_runtime(runtime)
                check_content_types(runtime)
                return LocalRunner(runtime, caller, code, metrics)
        except BaseException:
            # A start that was cancelled may still run on its thread: close() waits for it.
            self.retire(release(caller, code, metrics))
            raise


def label_of(settings: ModelSettings) -> str:
    """Return a model's name, with its version if it has one, as threads and packages have it."""
    return "-".join(filter(None, (settings.name, settings.version)))


def code_folder(settings: ModelSettings) -> Path | None:
    """Return where a model's code may be; that of settings which were made in Python is where its artefacts are."""
    uri = settings.parameters.uri
    if settings.source is not None or not uri or "://" in uri:
        return settings.folder
    path = Path(uri).absolute()
    return path if path.is_dir() else path.parent


def _constructor(runtime_class: type[MLModel]) -> Callable[[ModelSettings], MLModel]:
    return runtime_class


def _check_runtime(runtime: MLModel) -> None:
    """Refuse what would fail at each request, or where the server lists its models."""
    name = type(runtime).__name__
    if not hasattr(runtime, "_settings"):
        raise LoadError(f"{name}.__init__ does not call super().__init__(settings)")
    if not callable(runtime.predict):
        raise LoadError(f"{name}.predict: expected a method, got {type(runtime.predict).__name__}")
    for member in ("inputs", "outputs"):
        tensors: object = getattr(runtime, member)
        if not isinstance(tensors, list) or not all(isinstance(each, TensorMetadata) for each in tensors):  # pyright: ignore[reportUnknownVariableType]  # whatever the model has put there
            raise LoadError(f"{name}.{member}: expected a list of MetadataTensor, got {tensors!r:.80}")
        unknown = [each.datatype for each in cast("list[TensorMetadata]", tensors) if each.datatype not in DATATYPES]
        if unknown:
            raise LoadError(f"{name}.{member}: expected one of {', '.join(DATATYPES)}, got {unknown[0]!r:.80}")
