"""Texts that do not tell where a folder is."""

from __future__ import annotations

from pathlib import Path

import pytest

from srv.controlplane._hiding import hide_folder


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/models/m/model.py: wrong", "m/model.py: wrong"),
        ("no such file: '/srv/models/m/x.bin'", "no such file: 'm/x.bin'"),
        ("in /srv/models/m and /srv/models, and nowhere", "in m and here, and nowhere"),
        ("in /srv/models.", "in here."),
    ],
)
def test_paths_begin_below_the_folder(text: str, shown: str) -> None:
    assert hide_folder(text, Path("/srv/models"), "here") == shown


@pytest.mark.parametrize("text", ["/srv/models2/m", "/srv/models.old", "/srv/models-2/m", "/data/srv/models/m", ""])
def test_other_paths_stay(text: str) -> None:
    assert hide_folder(text, Path("/srv/models"), "here") == text


def test_the_root_of_the_file_system_hides_nothing() -> None:
    assert hide_folder("/m/x / y", Path("/"), "here") == "/m/x / y"
