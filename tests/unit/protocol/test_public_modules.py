"""What other packages import: each public module has what it says, and what it documents."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Final

import pytest

import srv_protocol
from srv_protocol import descriptors, health, message, model_repository, reflection

PUBLIC: Final = [
    module.name for module in pkgutil.iter_modules(srv_protocol.__path__) if not module.name.startswith("_")
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_is_there(name: str) -> None:
    module = importlib.import_module(f"srv_protocol.{name}")
    assert len(set(module.__all__)) == len(module.__all__)
    for each in module.__all__:
        assert getattr(module, each) is not None


def test_services_have_their_messages_and_bases() -> None:
    assert health.HealthBase.__module__.startswith("srv_protocol.")
    assert issubclass(health.HealthCheckRequest, message.Message)
    assert issubclass(reflection.v1.ServerReflectionRequest, message.Message)
    assert issubclass(reflection.v1alpha.ServerReflectionRequest, message.Message)
    assert reflection.ServerReflectionBase.__module__ != reflection.ServerReflectionAlphaBase.__module__
    assert model_repository.ModelRepositoryServiceBase is not None
    assert "inference.GRPCInferenceService" in descriptors.SERVICES
