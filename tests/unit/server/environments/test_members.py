"""Names and links of a tarball's members: whatever they say, nothing leads out of the folder."""

from __future__ import annotations

import os
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv.environments._members import check_symlink, is_interpreter, member_path
from srv_protocol.errors import LoadError

PIECES = st.sampled_from(["a", "b", "bin", "python3", "..", ".", "", "/", "\0", "…", "\udcff", "a" * 256])
NAMES = st.lists(PIECES, max_size=8).map("/".join) | st.text()


@given(NAMES)
def test_a_path_is_within_the_folder_or_refused(name: str) -> None:
    try:
        path = member_path(name)
    except LoadError:
        return
    whole = posixpath.normpath(posixpath.join("/root/of/all", path))
    assert whole == "/root/of/all" or whole.startswith("/root/of/all/")
    assert path == posixpath.normpath(name).lstrip(".").lstrip("/") or posixpath.normpath(name) == path
    assert not name.startswith("/")
    assert ".." not in name.split("/")


@pytest.mark.parametrize(
    ("name", "path"), [(".", ""), ("./", ""), ("./bin/python", "bin/python"), ("a//b/", "a/b"), ("..a/b..", "..a/b..")]
)
def test_what_tar_writes_is_a_path(name: str, path: str) -> None:
    assert member_path(name) == path


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "a/../../b", "a/..", "//a", "a\0b", "a" * 256, "a/" * 1500])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(LoadError, match=r"expected (members within|paths of at most)"):
        member_path(name)


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map("/".join), NAMES)
def test_a_link_leads_into_the_folder_or_is_refused(path: str, target: str) -> None:
    try:
        check_symlink(path, target)
    except LoadError:
        return
    whole = posixpath.normpath(posixpath.join("/root", posixpath.dirname(path), target))
    assert whole == "/root" or whole.startswith("/root/")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("bin/python", "/usr/bin/python3.12"),
        ("bin/python3.12", "/opt/python/bin/python3.12"),
        ("env/bin/python3", "/usr/bin/python3"),
        ("bin/python3", "python"),
        ("lib64", "lib"),
        ("a/b/c", "../../d"),
        ("a/b", ".."),
    ],
)
def test_links_that_environments_have_are_taken(path: str, target: str) -> None:
    check_symlink(path, target)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("etc", "/etc"),
        ("bin/activate", "/bin/sh"),
        ("lib/bin/x/python", "/usr/bin/python3"),
        ("a", ".."),
        ("a/b", "../.."),
        ("a/b", "x/../../../y"),
        ("a", ""),
        ("a", "b\0"),
    ],
)
def test_other_links_are_refused_by_name(path: str, target: str) -> None:
    with pytest.raises(LoadError, match=r"expected links within the environment, got '") as caught:
        check_symlink(path, target)
    assert repr(path) in caught.value.message


def test_only_what_stands_in_a_bin_is_an_interpreter() -> None:
    assert is_interpreter("bin/python3.13t")
    assert not is_interpreter("python3")
    assert not is_interpreter(os.path.join("a", "b", "bin", "python"))  # noqa: PTH118
