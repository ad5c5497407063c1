"""The tables of the pages say what the code says."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pages import ROOT, read_table

from srv import Headers, settings
from srv._log_settings import LogSettings
from srv._logging import LEVELS
from srv._metrics import Metrics
from srv._model_settings import UNSUPPORTED_MODEL_SETTINGS
from srv._settings import UNSUPPORTED_SETTINGS
from srv._status import _STATUS
from srv.controlplane._config_override import ACCEPTED, APPLIED, CHECKED, REFUSED
from srv.tracing._trace import Tracer
from srv.types import InferenceRequest, Parameters
from srv_codecs._hints import find_hint, known_hints
from srv_codecs._type_hints import show, take_apart
from srv_codecs._value_hints import PARTS, DictHint, TensorHint
from srv_protocol.errors import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Iterable

LOADERS_OWN = {"warnings", "source", "config", "model_extra"}


def code(cell: str) -> str:
    """Return what stands in a cell between back quotes."""
    found = re.fullmatch(r"`(.*)`", cell)
    assert found is not None, cell
    return found[1]


def names(cells: Iterable[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def fields(kind: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(kind) if field.name not in LOADERS_OWN}


def default(field: dataclasses.Field[Any]) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    assert callable(field.default_factory)
    return field.default_factory()


def matches(cell: str, value: object) -> bool:
    """Whether a default's cell says a value: as text, or as JSON."""
    return cell == value or cell == json.dumps(value)


# ---- Settings


def test_the_server_settings_are_complete_and_have_these_defaults() -> None:
    rows = read_table("docs/settings.md", "setting")
    known = fields(settings.Settings)

    assert sorted(known) == sorted(code(row[0]) for row in rows)
    for name, variable, shown, _ in rows:
        assert f"SRV_{code(name).upper()}" == code(variable)
        if code(name) != "server_version":
            assert matches(code(shown), default(known[code(name)])), name


def test_the_readme_has_true_settings() -> None:
    known = fields(settings.Settings)

    for variable, shown, _ in read_table("README.md", "variable"):
        assert matches(code(shown), default(known[code(variable).removeprefix("SRV_").lower()])), variable


def test_the_cors_settings_are_complete_and_have_these_defaults() -> None:
    rows = read_table("docs/settings.md", "key of `cors_settings`")
    known = fields(settings.CORSSettings)

    assert sorted(known) == sorted(code(row[0]) for row in rows)
    for name, shown, _ in rows:
        assert matches(code(shown), default(known[code(name)])), name


@pytest.mark.parametrize(
    ("heading", "kind", "prefix"),
    [
        ("key of `model-settings.json`", settings.ModelSettings, ""),
        ("key of `parameters`", settings.ModelParameters, "parameters."),
    ],
)
def test_the_model_settings_are_complete_and_have_these_defaults(heading: str, kind: type[Any], prefix: str) -> None:
    rows = read_table("docs/settings.md", heading)
    known = {name: field for name, field in fields(kind).items() if f"{prefix}{name}" not in UNSUPPORTED_MODEL_SETTINGS}

    assert sorted(known) == sorted(code(row[0]) for row in rows)
    for name, variable, shown, _ in rows:
        assert f"SRV_MODEL_{code(name).upper()}" == code(variable)
        if shown.startswith("`") and code(name) != "parameters":
            assert matches(code(shown), default(known[code(name)])), name


def test_the_settings_without_effect_are_complete() -> None:
    server = names(row[0] for row in read_table("docs/settings.md", "setting without effect"))
    model = names(row[0] for row in read_table("docs/settings.md", "setting of a model without effect"))

    assert sorted(UNSUPPORTED_SETTINGS) == sorted(server)
    assert sorted(UNSUPPORTED_MODEL_SETTINGS) == sorted(model)


def test_the_settings_of_a_running_server_are_complete_and_start_like_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srv._log_settings.enabled_levels", lambda: LEVELS - {logging.DEBUG})
    traces = {key: values[0] for key, values in Tracer(None).settings().items()}
    for heading, known in (("trace setting", traces), ("log setting", LogSettings().settings())):
        rows = read_table("docs/settings.md", heading)

        assert sorted(known) == sorted(code(row[0]) for row in rows)
        for name, shown, _ in rows:
            assert matches(code(shown), known[code(name)]), name


def test_the_fields_of_a_configuration_are_complete_and_in_their_rows() -> None:
    shown = [names([row[0]]) for row in read_table("docs/settings.md", "field of a configuration")]
    refused = list(dict.fromkeys(path.partition(".")[0] for path in REFUSED))
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")

    assert ["name"] in shown
    assert sorted(itertools.chain(*shown[:6])) == sorted(APPLIED)
    assert sorted(itertools.chain(*shown[6:8])) == sorted(CHECKED)
    assert sorted(shown[8]) == sorted(ACCEPTED)
    assert sorted(shown[9]) == sorted(set(refused) - {*APPLIED, *CHECKED})
    assert all(
        f"`{path.rpartition('.')[2]}`" in page for path in REFUSED if path.startswith(("input", "output", "inst"))
    )


# ---- Hints


def test_the_hints_are_complete_and_lead_to_these_codecs() -> None:
    namespace: dict[str, Any] = {
        "Headers": Headers,
        "InferenceRequest": InferenceRequest,
        "Literal": Literal,
        "NDArray": NDArray,
        "Parameters": Parameters,
        "datetime": datetime,
        "np": np,
        "pa": pa,
        "pd": pd,
    }
    shown: set[str] = set()
    for text, _, content_type in read_table("docs/decode-args.md", "hint"):
        hint = take_apart(eval(code(text), namespace)).core  # noqa: S307  # our own page
        shown.add(PARTS[hint].text if hint in PARTS else show(hint))
        found = None if hint in PARTS else find_hint(hint, "the table")
        codec = None if found is None or isinstance(found, DictHint) else found.codec
        assert content_type == (f"`{codec.ContentType}`" if codec is not None and codec.ContentType else "")

    # Those that this run's other tests have registered stand in no table.
    known = {each for each in known_hints() if "test" not in each}
    assert {
        text.replace("NDArray[numpy.float32]", show(take_apart(NDArray[np.float32]).core)) for text in known
    } <= shown


def test_floating_means_these_datatypes() -> None:
    hint = find_hint(take_apart(NDArray[np.floating]).core, "the table")

    assert isinstance(hint, TensorHint)
    assert set(hint.datatypes or ()) == {"FP16", "FP32", "FP64"}


# ---- Errors


def test_the_statuses_are_complete_and_true() -> None:
    rows = read_table("docs/design.md", "kind")

    assert [each.name for each in ErrorKind] == [code(row[0]) for row in rows]
    for name, http, grpc, _ in rows:
        status = _STATUS[ErrorKind[code(name)]]
        # The name of 413 has changed between versions of Python.
        assert str(status[0].value) == http.split()[0]
        assert status[1].name == code(grpc)


# ---- Metrics


def test_the_servers_metrics_are_complete_with_their_kinds_and_labels() -> None:
    metrics = Metrics(settings.Settings().metrics_rest_server_prefix)
    families: dict[str, Any] = {
        f"{each.name}_total" if each.type == "counter" else each.name: each for each in metrics.collect()
    }
    rows = {code(name): (kind, names([labels])) for name, kind, labels, _ in read_table("docs/metrics.md", "metric")}

    assert {name: kind for name, (kind, _) in rows.items()} == {name: each.type for name, each in families.items()}
    for name, (_, labels) in rows.items():
        assert list(families[name]._labelnames) == labels, name
