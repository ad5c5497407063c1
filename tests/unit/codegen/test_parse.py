from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("grpc_tools", reason="protoc comes with the codegen dependency group")

from srv_codegen._ir import ClassRef, File, MapEntry
from srv_codegen._overlay import OverlayError, read_overlay
from srv_codegen._parse import MESSAGE_BASE, UnsupportedProtoError, parse_files
from srv_codegen._protoc import compile_protos

if TYPE_CHECKING:
    from pathlib import Path


def parse(folder: Path, overlay: str = "", **texts: str) -> tuple[File, ...]:
    """Return the IR of .proto files, given by their names without the suffix."""
    for name, text in texts.items():
        (folder / f"{name}.proto").write_text(text, "utf-8")
    return parse_files(compile_protos(folder, [f"{name}.proto" for name in sorted(texts)]), read_overlay(overlay))


def test_message(tmp_path: Path) -> None:
    """Fields come by number, with their comments, presence and classes."""
    (file,) = parse(
        tmp_path,
        one="""syntax = "proto3"; package p.q;
        // Both
        // lines.
        message M {
          message N {}
          repeated N many = 9;
          // First.
          optional int32 maybe = 1;
          oneof choice { string text = 3; N nested = 2; }
          map<string, E> map = 4;
        }
        enum E { ZERO = 0; }""",
    )
    nested, message = file.messages
    assert (file.package, file.module, file.dependencies) == ("p.q", "one", ())
    assert nested.proto_name == "p.q.M.N"
    assert (message.proto_name, message.ref, message.doc) == ("p.q.M", ClassRef("one", "M"), "Both lines.")
    assert message.base == MESSAGE_BASE
    assert message.view is None
    maybe, nested_field, text, mapping, many = message.fields
    assert (maybe.kind, maybe.optional, maybe.group, maybe.doc) == ("TYPE_INT32", True, None, "First.")
    assert (nested_field.target, nested_field.group, text.group) == (nested.ref, "choice", "choice")
    assert mapping.map == MapEntry(key="TYPE_STRING", value="TYPE_ENUM", target=ClassRef("one", "E"), wrapper=None)
    assert (mapping.repeated, mapping.target, many.repeated) == (False, None, True)


def test_without_a_package(tmp_path: Path) -> None:
    """A file needs no package."""
    (file,) = parse(
        tmp_path,
        one='syntax = "proto3"; message M { M self = 1; } service S { rpc Call(M) returns (M); }',
    )
    assert file.messages[0].proto_name == "M"
    assert file.services[0].proto_name == "S"
    assert file.services[0].methods[0].path == "/S/Call"


def test_classes_of_other_files(tmp_path: Path) -> None:
    """A class is named with the module that it is in; imports come first."""
    base, user = parse(
        tmp_path,
        b='syntax = "proto3"; package p; message M {}',
        a='syntax = "proto3"; package p; import "b.proto"; message U { M m = 1; }',
    )
    assert base.path == "b.proto"
    assert user.dependencies == ("b.proto",)
    assert user.messages[0].fields[0].target == ClassRef("b", "M")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('syntax = "proto2"; message M { optional group G = 1 {} }', "one.proto: expected proto3, got proto2"),
        ("message M {}", "one.proto: expected proto3, got proto2"),
        ('edition = "2023"; message M {}', "one.proto: expected proto3, got editions"),
        (
            'syntax = "proto3"; message A { message B {} } message AB {} message C { message B {} }',
            "one.proto: A.B and AB would have the same class name",
        ),
    ],
)
def test_unsupported(tmp_path: Path, text: str, error: str) -> None:
    """What the generator does not know, it refuses."""
    with pytest.raises(UnsupportedProtoError, match=error):
        parse(tmp_path, one=text)


PROTO = """syntax = "proto3"; package p;
message M { bytes one = 1; repeated bytes raw = 2; oneof choice { int64 a = 3; int32 b = 4; } }"""


@pytest.mark.parametrize(
    ("overlay", "error"),
    [
        ("[messages.'p.N']", "no such message: p.N"),
        ("[messages.'p.M']\nviews = ['two']", "p.M has no field 'two'"),
        ("[messages.'p.M']\nviews = ['one']", "p.M.one: only repeated bytes can be views"),
        ("[messages.'p.M']\nviews = ['a']", "p.M.a: only repeated bytes can be views"),
        ("[views.'p.M']\nrequired = ['two']", "p.M has no field 'two'"),
        ("[views.'p.M']\nomit = ['two']", "p.M has no field 'two'"),
        ("[views.'p.M']\ndata = 'two'", "p.M has no field 'two'"),
        (
            "[messages.'p.M']\nbase = 'srv_protocol._parameters:ParameterChoice'",
            "p.M.one: a ParameterChoice is one oneof of",
        ),
    ],
)
def test_overlay_that_does_not_fit(tmp_path: Path, overlay: str, error: str) -> None:
    """An overlay entry must fit what it names."""
    with pytest.raises(OverlayError, match=error):
        parse(tmp_path, overlay, one=PROTO)
