from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import pytest

pytest.importorskip("grpc_tools", reason="protoc comes with the codegen dependency group")

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from srv_codegen._generate import generate
from srv_codegen._module import Module, docstring
from srv_codegen._parse import UnsupportedProtoError
from srv_protocol.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GOLDEN: Final = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def texts() -> Mapping[str, str]:
    """What the generator makes of the golden files."""
    return generate(GOLDEN)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_golden(texts: Mapping[str, str], path: Path) -> None:
    """The text is the committed one, but for the versions of the tools.

    ``python -m srv_codegen --proto tests/unit/codegen/golden --out FOLDER`` gives the new texts.
    """
    assert _without_versions(texts[path.stem]) == _without_versions(path.read_text("utf-8"))


def test_golden_is_complete(texts: Mapping[str, str]) -> None:
    """Each module but the package has its golden file."""
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted({*texts} - {"__init__.py"})


def _without_versions(text: str) -> list[str]:
    lines = text.splitlines()
    assert lines[1].startswith("# grpcio-tools ")
    return lines[:1] + lines[2:]


@pytest.fixture(scope="module")
def modules(texts: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """The generated modules, imported."""
    made: dict[str, Any] = {}
    for name in ("descriptors", "kinds", "kinds_grpc", "kinds_json"):
        module = ModuleType(f"srv_protocol._gen.{name}")
        sys.modules[module.__name__] = made[name] = module
        exec(compile(texts[f"{name}.py"], f"<{name}>", "exec"), vars(module))  # noqa: S102  # what the test is about
    yield made
    for module in made.values():
        del sys.modules[module.__name__]


@pytest.mark.parametrize("name", ["descriptors", "kinds", "kinds_grpc", "kinds_json"])
def test_all_is_what_there_is(modules: Mapping[str, Any], name: str) -> None:
    """``__all__`` is sorted and true."""
    module = modules[name]
    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, exported) for exported in module.__all__)


def test_every_kind_against_google(modules: Mapping[str, Any]) -> None:
    """The generated class reads and writes each kind of field as Google's does."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(modules["descriptors"].FILES["kinds.proto"]))
    google: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("golden.Everything"))
    low, high = -(1 << 63), (1 << 63) - 1
    for sign in (1, -1):
        unsigned = 7 if sign < 0 else (1 << 32) - 1
        theirs = google(
            a_double=sign * 1.5, a_float=sign * 0.1, an_int32=sign * 5, an_int64=low, a_uint32=unsigned,
            a_uint64=unsigned << 32, a_sint32=sign * 77, a_sint64=low if sign < 0 else high, a_fixed32=unsigned,
            a_fixed64=unsigned << 32, a_sfixed32=sign * 3, a_sfixed64=low, a_bool=sign > 0, a_string="é", a_bytes=b"\0",
            a_colour=sign, an_outer={"inner": {"depth": sign}}, doubles=[sign, 0], sint32s=[sign, -(1 << 31)],
            sint64s=[low, high, sign], fixed32s=[unsigned], sfixed64s=[low, high], colours=[0, 1, -1, 99],
            inners=[{}, {"depth": 3}], strings=["", "a"], maybe_int32=0, maybe_string="", maybe_colour=0,
            names={sign: "x", 0: ""}, colour_by_bool={True: 1}, outer_by_number={low: {"same": {}}},
            chosen_colour=0, camelCase=sign,
        )  # fmt: skip
        setattr(theirs, "class", sign)
        theirs.parse = sign
        encoded = theirs.SerializeToString(deterministic=True)
        ours = modules["kinds"].Everything.parse(encoded)
        again = google.FromString(bytes(ours))
        assert again == theirs
        assert again.SerializeToString(deterministic=True) == encoded
        assert (ours.class_, ours.parse_, ours.camel_case) == (sign, sign, sign)
        assert (ours.maybe_int32, ours.maybe_string, ours.chosen_int) == (0, "", None)
        assert ours.colours[3] == 99


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("an_int32", 1 << 31),
        ("a_sint32", -(1 << 31) - 1),
        ("a_uint32", -1),
        ("a_fixed32", 1 << 32),
        ("a_sfixed64", 1 << 63),
        ("a_float", 1e39),
        ("a_double", "1"),
        ("a_bool", 2),
        ("a_string", 0),
        ("a_bytes", ""),
        ("an_outer", {}),
        ("colours", ["RED"]),
        ("doubles", [None]),
        ("strings", "ab"),
        ("names", {"a": "b"}),
        ("names", [1]),
    ],
)
def test_values_that_do_not_fit(modules: Mapping[str, Any], field: str, value: object) -> None:
    """A value of the wrong type or range is an error that names the field, never other bytes."""
    message = modules["kinds"].Everything(**{field: value})
    with pytest.raises(WireError, match=rf"Everything\.{field}"):
        bytes(message)


def test_lenient_constructor(modules: Mapping[str, Any]) -> None:
    """``None`` means "not given"."""
    lenient = modules["kinds"].Lenient
    empty = lenient(name=None, colour=None, count=None, shape=None, parameters=None, labels=None, raw=None)
    assert empty == lenient()
    assert bytes(empty) == b""
    assert empty.colour is modules["kinds"].Colour.COLOUR_UNSET


def test_views(modules: Mapping[str, Any]) -> None:
    """JSON becomes a message and back."""
    import msgspec

    view = modules["kinds_json"].LenientView
    text = b'{"name":"a","viewed":[{"name":"b","flag":true}],"count":3,"parameters":{"k":1},"one":{"name":""}}'
    read = msgspec.json.decode(text, type=view)
    message = read.to_message()
    assert message.viewed[0].flag is True
    assert message.parameters == {"k": 1}
    assert msgspec.json.encode(view.from_message(message)) == text


@pytest.mark.parametrize(
    "text", ["plain", 'ends in "quote"', '"', 'holds """ three', "back\\slash", "ends in \\", 'both \\"', '\\"""']
)
def test_docstrings_are_literal(text: str) -> None:
    """Any comment becomes a docstring with the same text."""
    namespace: dict[str, Any] = {}
    exec("\n".join(["class C:", *docstring(text)]), namespace)  # noqa: S102  # what the test is about
    assert namespace["C"].__doc__ == text


def test_names_that_clash() -> None:
    """One name cannot stand for two things in a module."""
    module = Module("m", "m.proto", "tools")
    assert module.use("a", "Thing") == module.use("a", "Thing", typing_only=True) == "Thing"
    with pytest.raises(UnsupportedProtoError, match="Thing is a name of a and of b"):
        module.use("b", "Thing")
    with pytest.raises(UnsupportedProtoError, match="Thing is a name of a and of the module itself"):
        module.export("Thing")


@pytest.mark.parametrize(
    ("field", "error"),
    [
        ("int32 x = 1", "hot field a.M.x: there are no lines for TYPE_INT32"),
        ("string x = 16", "expected a number below 16"),
    ],
)
def test_a_hot_message_of_other_fields_is_refused(tmp_path: Path, field: str, error: str) -> None:
    """A codec is generated for what there are lines for, and for all of it or not at all."""
    (tmp_path / "m.proto").write_text(f'syntax = "proto3";\npackage a;\nmessage M {{ {field}; }}\n')
    (tmp_path / "overlay.toml").write_text("hot = ['a.M']\n")
    with pytest.raises(UnsupportedProtoError, match=error):
        generate(tmp_path)
