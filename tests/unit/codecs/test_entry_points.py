"""Codecs that installed packages offer by entry points."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from srv_codecs._entry_points import find_entry_points
from srv_codecs.content_types import CodecRegistry, InputCodec, LazyCodec, NumpyCodec, RequestCodec
from srv_protocol.errors import CodecError, CodecNotFound

if TYPE_CHECKING:
    from pathlib import Path

    from srv_codecs.content_types import AnyInputCodec

CODEC = """
from srv_codecs.content_types import InputCodec

class Value:
    pass

class Codec(InputCodec[Value]):
    ContentType = "{content_type}"
    TypeHint = Value

    @classmethod
    def can_encode(cls, payload):
        return isinstance(payload, Value)
"""


class Site:
    """A folder on ``sys.path`` into which distributions are installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages: list[str] = []

    def install(self, package: str, entries: dict[str, str], code: str, group: str = "srv.input_codecs") -> None:
        """Install a distribution as pip would: a module, and what is known of it."""
        self.packages.append(package)
        (self.folder / f"{package}.py").write_text(code, encoding="utf-8")
        info = self.folder / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
        lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a folder for packages, which are forgotten with the test."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    made = Site(tmp_path)
    yield made
    for package in made.packages:
        sys.modules.pop(package, None)


def make_registry() -> CodecRegistry[AnyInputCodec]:
    lazy = [LazyCodec("lazy", "no_such_package", "no_such_module", "Lazy")]
    requests = CodecRegistry[Any]("request", RequestCodec, group="srv.request_codecs")
    return CodecRegistry("input", InputCodec, [NumpyCodec], lazy, group="srv.input_codecs", counterpart=requests)


def test_a_package_is_imported_when_its_content_type_is_asked_for(site: Site) -> None:
    site.install("offered_a", {"my-type": "offered_a:Codec"}, CODEC.format(content_type="my-type"))
    registry = make_registry()
    registry.check("my-type")
    assert registry.content_types == ("lazy", "my-type", "np")
    assert registry.find("np") is NumpyCodec
    assert registry.find_for(np.zeros(1)) is NumpyCodec
    assert "offered_a" not in sys.modules
    found = registry.find("my-type")
    assert (found.__module__, found.__qualname__) == ("offered_a", "Codec")
    assert registry.find("my-type") is found


def test_a_package_is_imported_for_a_value_that_no_other_codec_encodes(site: Site) -> None:
    site.install("offered_b", {"my-type": "offered_b:Codec"}, CODEC.format(content_type="my-type"))
    registry = make_registry()
    assert registry.find_for(1.5) is None
    value = sys.modules["offered_b"].Value()
    found = registry.find_for(value)
    assert found is not None
    assert found.__module__ == "offered_b"
    assert not registry.load_offered()


def test_a_hint_finds_the_codec_of_a_package(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from srv_codecs import _hints, _registry

    site.install("offered_c", {"my-type": "offered_c:Codec"}, CODEC.format(content_type="my-type"))
    registry = make_registry()
    for module in (_hints, _registry):
        monkeypatch.setattr(module, "input_codecs", registry)
    assert getattr(_hints.find_hint(np.ndarray, "x"), "codec", None) is NumpyCodec
    assert "offered_c" not in sys.modules
    package: Any = importlib.import_module("offered_c")
    assert getattr(_hints.find_hint(package.Value, "x"), "codec", None) is registry.find("my-type")


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("broken:Codec", "import nowhere_to_be_found", "cannot be loaded: No module named 'nowhere_to_be_found'"),
        ("broken:Codec", "1 / 0", "cannot be loaded (ZeroDivisionError)"),
        ("broken:Nothing", "", "cannot be loaded (AttributeError)"),
        ("broken:Codec", "Codec = 5", "cannot be loaded: broken:Codec: expected a subclass of InputCodec, got 5"),
        (
            "broken:Codec",
            CODEC.format(content_type="other"),
            "cannot be loaded: broken:Codec of broken: ContentType: expected 'my-type', got 'other'",
        ),
    ],
)
def test_a_broken_entry_point_is_an_error_when_it_is_asked_for_and_no_earlier(
    site: Site, caplog: pytest.LogCaptureFixture, value: str, code: str, text: str
) -> None:
    site.install("broken", {"my-type": value}, code)
    registry = make_registry()
    assert registry.find("np") is NumpyCodec
    for _ in range(2):
        with pytest.raises(CodecNotFound) as caught:
            registry.find("my-type", "input 'x'")
        assert str(caught.value) == (
            f"input 'x': the input codec for content type 'my-type', {value} of broken, {text}"
        )
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert registry.find_for(1.5) is None
    assert not registry.load_offered()


def test_two_packages_for_one_content_type_are_refused(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    for package in ("one", "two"):
        site.install(package, {"my-type": f"{package}:Codec"}, CODEC.format(content_type="my-type"))
    registry = make_registry()
    with pytest.raises(CodecNotFound) as caught:
        registry.find("my-type")
    names = sorted(["one:Codec of one", "two:Codec of two"])
    assert all(name in str(caught.value) for name in names)
    assert all(name in caplog.text for name in names)
    assert registry.find_for(1.5) is None
    assert not {"one", "two"} & sys.modules.keys()


@pytest.mark.parametrize(("content_type", "name"), [("np", "NumpyCodec"), ("lazy", "Lazy")])
def test_a_package_cannot_replace_a_codec_of_our_own(
    site: Site, caplog: pytest.LogCaptureFixture, content_type: str, name: str
) -> None:
    site.install("thief", {content_type: "thief:Codec"}, CODEC.format(content_type=content_type))
    registry = make_registry()
    assert registry.content_types == ("lazy", "np")
    assert registry.find("np") is NumpyCodec
    assert not registry.load_offered()
    assert f"offered more than once, by {name} and thief:Codec of thief: it stays {name}" in caplog.text
    assert "thief" not in sys.modules


def test_a_model_cannot_register_what_a_package_offers(site: Site) -> None:
    site.install("offered_d", {"my-type": "offered_d:Codec"}, CODEC.format(content_type="my-type"))

    class Mine(InputCodec[object]):
        ContentType = "my-type"

    with pytest.raises(CodecError, match=r"'my-type' is already offered_d:Codec of offered_d$"):
        make_registry().register(Mine)


def test_a_package_may_register_what_it_offers(site: Site) -> None:
    """By the decorator, as it did when there were no entry points."""
    site.install("offered_e", {"my-type": "offered_e:Codec"}, CODEC.format(content_type="my-type"))
    package: Any = importlib.import_module("offered_e")
    registry = make_registry()
    codec: AnyInputCodec = package.Codec
    assert registry.register(codec) is codec
    assert registry.find("my-type") is codec


def test_a_distribution_that_is_on_the_path_twice_is_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("offered_f", {"my-type": "offered_f:Codec"}, CODEC.format(content_type="my-type"))
    monkeypatch.setattr(sys, "path", [str(site.folder), *sys.path])
    assert len(find_entry_points("srv.input_codecs")["my-type"]) == 1


def test_a_content_type_of_the_other_kind_is_said_to_be_one() -> None:
    inputs = CodecRegistry[Any]("input", InputCodec, [NumpyCodec])

    class Whole(RequestCodec[object]):
        ContentType = "whole"

    requests = CodecRegistry[Any]("request", RequestCodec, [Whole], counterpart=inputs)
    with pytest.raises(CodecNotFound) as caught:
        inputs.check("whole", "inputs[0].parameters.content_type")
    assert str(caught.value) == (
        "inputs[0].parameters.content_type: no input codec for content type 'whole', which is one of whole requests; "
        "there are 'np'"
    )
    with pytest.raises(CodecNotFound, match="'np', which is one of single tensors; there are 'whole'"):
        requests.find("np")
