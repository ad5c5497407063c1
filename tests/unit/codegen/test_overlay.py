from __future__ import annotations

import pytest

from srv_codegen._ir import ClassRef, View
from srv_codegen._overlay import MessageOverlay, OverlayError, read_overlay


def test_empty() -> None:
    """An overlay may say nothing."""
    overlay = read_overlay("")
    assert overlay.messages == {}
    assert overlay.views == {}


def test_whole() -> None:
    """Every key is read."""
    overlay = read_overlay(
        """
        hot = ["a.B"]
        [messages."a.B"]
        base = "some.module:Base"
        lenient = true
        views = ["raw"]
        [views."a.B"]
        reads = true
        writes = true
        required = ["name", "shape"]
        omit = ["raw"]
        data = "contents"
        wildcard = true
        """
    )
    assert overlay.hot == ("a.B",)
    assert overlay.messages["a.B"] == MessageOverlay(ClassRef("some.module", "Base"), True, frozenset({"raw"}))
    assert overlay.views["a.B"] == View(
        reads=True, writes=True, required=("name", "shape"), omit=frozenset({"raw"}), data="contents", wildcard=True
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("hot = 'a.B'", "overlay.hot: expected list, got 'a.B'"),
        ("[mesages]", "unknown table 'mesages'"),
        ("messages = 3", "overlay.messages: expected dict, got 3"),
        ("[messages]\n'a.B' = 3", "a.B: expected a table, got 3"),
        ("[messages.'a.B']\nbass = 'x:Y'", "a.B: unknown key 'bass'"),
        ("[messages.'a.B']\nbase = 'x.Y'", "a.B.base: expected 'module:Class', got 'x.Y'"),
        ("[messages.'a.B']\nbase = 'x:Y:Z'", "a.B.base: expected 'module:Class'"),
        ("[messages.'a.B']\nlenient = 1", "a.B.lenient: expected bool, got 1"),
        ("[views.'a.B']\nrequired = 'name'", "a.B.required: expected list, got 'name'"),
        ("[views.'a.B']\nread = true", "a.B: unknown key 'read'"),
        ("[messages", "overlay: "),
    ],
)
def test_refused(text: str, error: str) -> None:
    """What is not understood is an error that names its place."""
    with pytest.raises(OverlayError, match=error):
        read_overlay(text)


def test_check_names_what_is_unknown() -> None:
    """An entry for a message that is not there is an error."""
    overlay = read_overlay("[messages.'a.B']\n[views.'a.C']\n[views.'a.D']")
    overlay.check(["a.B", "a.C", "a.D"])
    with pytest.raises(OverlayError, match=r"no such message: a\.B, a\.D"):
        overlay.check(["a.C"])
    with pytest.raises(OverlayError, match=r"no such message: a\.E"):
        read_overlay("hot = ['a.E']").check(["a.C"])
