from __future__ import annotations

import keyword

import pytest

from srv_codegen._naming import (
    RESERVED_FIELDS,
    RESERVED_VALUES,
    class_names,
    field_name,
    module_name,
    value_name,
)


@pytest.mark.parametrize(
    ("proto", "python"),
    [
        ("name", "name"),
        ("model_name", "model_name"),
        ("isLoaded", "is_loaded"),
        ("byteSize2Go", "byte_size2_go"),
        ("uint64_param", "uint64_param"),
        ("class", "class_"),
        ("Global", "global_"),
        ("parse", "parse_"),
        ("data", "data_"),
        ("bytes", "bytes_"),
    ],
)
def test_field_name(proto: str, python: str) -> None:
    """Fields are attributes in snake case that hide nothing."""
    assert field_name(proto) == python


def test_reserved_fields_are_those_of_the_base_classes() -> None:
    """A field must not hide a public attribute of any base class that the overlay may name."""
    from srv_protocol._parameters import ParameterChoice
    from srv_protocol._tensor import Tensor

    inherited = {name for name in {*dir(ParameterChoice), *dir(Tensor)} if not name.startswith("_") and name.islower()}
    assert inherited <= RESERVED_FIELDS


def test_reserved_values_are_those_of_enums() -> None:
    """A member must not hide an attribute that betterproto2 or the standard library reads."""
    import betterproto2

    class Probe(betterproto2.Enum):
        ZERO = 0

    inherited = {name for name in dir(Probe.ZERO) if not name.startswith(("_", "betterproto")) and name != "ZERO"}
    assert {name for name in inherited if name not in dir(int)} - {"ZERO"} <= RESERVED_VALUES
    assert value_name("None") == "None_"
    assert value_name("name") == "name_"
    assert value_name("TYPE_BOOL") == "TYPE_BOOL"


@pytest.mark.parametrize("word", keyword.kwlist)
def test_keywords(word: str) -> None:
    """No keyword is left as it is."""
    assert not keyword.iskeyword(field_name(word))
    assert not keyword.iskeyword(value_name(word))


def test_class_names() -> None:
    """A nested type goes by its own name where that is free."""
    assert class_names(["A", "A.Inner", "A.Same", "B", "B.Same", "B.A"]) == {
        "A": "A",
        "A.Inner": "Inner",
        "A.Same": "ASame",
        "B": "B",
        "B.Same": "BSame",
        "B.A": "BA",
    }


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("inference.proto", "inference"),
        ("my-file.proto", "my_file"),
        ("grpc/health/v1/health.proto", "grpc_health_v1"),
    ],
)
def test_module_name(path: str, module: str) -> None:
    """A file in a folder goes by its folders."""
    assert module_name(path) == module
