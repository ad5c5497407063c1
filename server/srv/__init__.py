"""An inference server for people who write their own model code.

- ``MLModel``: the base class of a runtime.
- ``decode_args``: a typed ``predict``; names are inputs, hints choose codecs.
- ``custom_handler``: a method that REST serves on a path of its own.
- ``register`` and ``log``: metrics of a model's own; ``metrics`` has further kinds.
- ``logging``, ``context``: lines that carry the model's name, and what that is.
- ``types``, ``codecs``, ``errors``, ``settings``: what a runtime works with.
- ``repository``: where models come from.
- ``client``: what asks servers.

Inside: ``_server`` holds it together, ``controlplane/`` has the models and loads them, ``runtimes/`` runs their code,
``workers/`` runs it in other processes, ``environments/`` finds their Pythons, ``batching/`` joins requests,
``dataplane/`` answers them, ``supervision/`` runs several servers as one, and the fronts ``rest/`` and ``grpc/`` only
move bytes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from srv._custom_metrics import log, register
from srv._model_parameters import ModelParameters
from srv._model_settings import ModelSettings
from srv._settings import Settings
from srv._version import __version__
from srv.runtimes._handlers import custom_handler
from srv.runtimes._model import MLModel
from srv_codecs.hints import Output, decode_args
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from srv import client as client
    from srv import codecs as codecs
    from srv import context as context
    from srv import errors as errors
    from srv import handlers as handlers
    from srv import logging as logging
    from srv import metrics as metrics
    from srv import repository as repository
    from srv import settings as settings
    from srv import types as types

__all__ = [
    "Headers",
    "MLModel",
    "ModelParameters",
    "ModelSettings",
    "Output",
    "Settings",
    "__version__",
    "custom_handler",
    "decode_args",
    "log",
    "register",
]

_MODULES: Final = frozenset(
    ("client", "codecs", "context", "errors", "handlers", "logging", "metrics", "repository", "settings", "types")
)
"""What is imported when it is first named."""


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
