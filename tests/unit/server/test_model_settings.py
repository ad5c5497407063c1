from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING

import pytest

from srv.settings import ModelParameters, ModelSettings
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import SettingsError
from srv_protocol.inference import TensorMetadata

if TYPE_CHECKING:
    from pathlib import Path


class Runtime:
    """Stands for a runtime."""


def write(folder: Path, **values: object) -> Path:
    """Write a ``model-settings.json`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model-settings.json"
    path.write_text(json.dumps({"implementation": "models.Runtime"} | values), encoding="utf-8")
    return path


# ---- In Python


@pytest.mark.parametrize("implementation", [Runtime, f"{__name__}.Runtime"])
def test_an_implementation_is_a_class_or_an_import_string(implementation: type[object] | str) -> None:
    """An implementation is a class or an import string."""
    settings = ModelSettings(name="x", implementation=implementation, parameters=ModelParameters(uri="/u", version="1"))
    assert settings.implementation is implementation
    assert settings.implementation_ == f"{__name__}.Runtime"
    assert settings.version == "1"
    assert settings.source is settings.folder is None


@pytest.mark.parametrize("implementation", ["", None, 3])
def test_anything_else_is_no_implementation(implementation: object) -> None:
    """Anything else is no implementation."""
    with pytest.raises(
        SettingsError, match=r"^ModelSettings\.implementation: expected `module\.Class` or a class, got"
    ):
        ModelSettings(name="x", implementation=implementation)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_none_stands_for_no_parameters() -> None:
    """In Python None stands for no parameters."""
    settings = ModelSettings(name="x", implementation=Runtime, parameters=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert settings.parameters == ModelParameters()


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "a\n", "a/b", "a\\b", "a\0", ".", ".."])
def test_a_name_must_stand_in_a_url(tmp_path: Path, name: str) -> None:
    """A name must stand in a URL."""
    with pytest.raises(SettingsError, match=r"^ModelSettings\.name: expected a name"):
        ModelSettings(name=name, implementation=Runtime)
    if name:
        with pytest.raises(SettingsError, match=r"model-settings\.json: \$\.name: expected a name"):
            ModelSettings.parse_file(write(tmp_path / "m", name=name))
        with pytest.raises(SettingsError, match=r"^SRV_MODEL_VERSION \(environment or \.env\): expected a name"):
            ModelSettings.parse_file(write(tmp_path / "m"), {"SRV_MODEL_VERSION": name})


@pytest.mark.parametrize("name", ["a", "sum-model", "a.b", "...", "é", "a b", "V1:2"])
def test_names(name: str) -> None:
    """Other names are taken as they stand."""
    assert ModelSettings(name=name, implementation=Runtime).name == name


def test_unknown_parameters_are_kept() -> None:
    """Unknown parameters are kept."""
    parameters = ModelParameters(uri="/u", threshold=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert parameters.threshold == 3
    assert parameters.model_extra == {"threshold": 3}
    assert copy.deepcopy(parameters) == pickle.loads(pickle.dumps(parameters)) == parameters  # noqa: S301  # our own
    assert parameters != ModelParameters(uri="/u")
    with pytest.raises(AttributeError, match="'ModelParameters' object has no attribute 'treshold'"):
        _ = parameters.treshold


def test_parameters_are_checked() -> None:
    """Parameters are checked."""
    with pytest.raises(SettingsError, match=r"^ModelParameters\.uri: expected `str \| null`, got `int`"):
        ModelParameters(uri=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingsError, match=r"^ModelParameters\.version: expected a name"):
        ModelParameters(version="a/b")
    assert ModelParameters(version="").version is None


@pytest.mark.parametrize("datatype", DATATYPES)
def test_datatypes(tmp_path: Path, datatype: str) -> None:
    """Every V2 datatype may stand in metadata."""
    tensor = TensorMetadata(name="x", datatype=datatype, shape=[-1, 2], parameters={"content_type": "np"})
    path = write(
        tmp_path,
        inputs=[{"name": "x", "datatype": datatype, "shape": [-1, 2], "parameters": {"content_type": "np"}}],
    )
    assert ModelSettings.parse_file(path).inputs == [tensor]
    assert ModelSettings(name="x", implementation=Runtime, outputs=[tensor]).outputs == [tensor]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"datatype": "FP99"}, r"\$\.inputs\[0\]\.datatype: expected one of BOOL, .*, got 'FP99'"),
        ({"datatype": None}, r"\$\.inputs\[0\]\.datatype: expected `str`, got `null`"),
        ({"shape": [-2]}, r"\$\.inputs\[0\]\.shape\[0\]: expected `int` >= -1, got -2"),
        ({"shape": "3"}, r"\$\.inputs\[0\]\.shape: expected `array`, got `str`"),
        ({"name": ""}, r"\$\.inputs\[0\]\.name: expected `str` of length >= 1, got ''"),
        ({"parameters": {"a": []}}, r"\$\.inputs\[0\]\.parameters\[\.\.\.\]: expected .*, got `array`"),
    ],
)
def test_a_wrong_tensor_is_an_error(tmp_path: Path, tensor: dict[str, object], message: str) -> None:
    """A wrong tensor is an error."""
    whole: dict[str, object] = {"name": "x", "datatype": "FP32", "shape": [1]}
    path = write(tmp_path, inputs=[whole | tensor])
    with pytest.raises(SettingsError, match=rf"model-settings\.json: {message}"):
        ModelSettings.parse_file(path)


def test_a_tensor_without_a_shape_is_an_error(tmp_path: Path) -> None:
    """A tensor without a shape is an error."""
    path = write(tmp_path, outputs=[{"name": "x", "datatype": "FP32"}])
    with pytest.raises(SettingsError, match=r"\$\.outputs\[0\]: object missing required field `shape`"):
        ModelSettings.parse_file(path)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"name": "x"}, r"inputs\[0\]: expected `TensorMetadata`, got `dict`"),
        (TensorMetadata(name="x", datatype="F"), r"inputs\[0\]\.datatype: expected one of BOOL, .*, got 'F'"),
    ],
)
def test_a_wrong_tensor_in_python_is_an_error(tensor: object, message: str) -> None:
    """A wrong tensor in Python is an error."""
    with pytest.raises(SettingsError, match=rf"^ModelSettings\.{message}"):
        ModelSettings(name="x", implementation=Runtime, inputs=[tensor])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


# ---- Files


def test_defaults_of_a_file(tmp_path: Path) -> None:
    """A file may leave out all but the implementation."""
    path = write(tmp_path / "sum-model")
    settings = ModelSettings.parse_file(path)
    assert settings.name == "sum-model"
    assert settings.implementation == "models.Runtime"
    assert settings.parameters.uri == str(path.parent)
    assert (settings.source, settings.folder) == (path, path.parent)
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("values", "name", "warnings"),
    [
        ({"name": "a"}, "a", 0),
        ({"model": "a"}, "a", 0),
        ({"model": "b", "name": "a"}, "a", 1),
        ({"model": "a", "name": "a"}, "a", 0),
        ({"name": ""}, "folder", 0),
    ],
)
def test_model_is_another_word_for_name(tmp_path: Path, values: dict[str, object], name: str, warnings: int) -> None:
    """Model is another word for name."""
    settings = ModelSettings.parse_file(write(tmp_path / "folder", **values))
    assert settings.name == name
    assert len(settings.warnings) == warnings


def test_implementation_with_an_underscore(tmp_path: Path) -> None:
    """MLServer's own name of the field is accepted."""
    path = tmp_path / "model-settings.json"
    path.write_text('{"implementation_": "a.B"}', encoding="utf-8")
    assert ModelSettings.parse_file(path).implementation == "a.B"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("./weights.bin", "{folder}/weights.bin"),
        ("sub/weights.bin", "{folder}/sub/weights.bin"),
        ("/abs/weights.bin", "/abs/weights.bin"),
        ("s3://bucket/weights", "s3://bucket/weights"),
        ("", "{folder}"),
        (None, "{folder}"),
    ],
)
def test_a_relative_uri_is_resolved(tmp_path: Path, uri: str | None, expected: str) -> None:
    """A relative uri is resolved."""
    settings = ModelSettings.parse_file(write(tmp_path, parameters={"uri": uri}))
    assert settings.parameters.uri == expected.format(folder=tmp_path)


def test_a_relative_path_of_the_file_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path of the file is made absolute."""
    write(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    settings = ModelSettings.parse_file("a/model-settings.json")
    assert settings.source == tmp_path / "a" / "model-settings.json"
    assert settings.parameters.uri == str(tmp_path / "a")


@pytest.mark.parametrize("name", ["environment_path", "environment_tarball"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("./e.tar.gz", "model/e.tar.gz"),
        ("both", "model/both"),
        ("working", "working"),
        ("~/e", "home/e"),
        ("$HOME/e", "home/e"),
        ("${NO_SUCH}/e", "model/${NO_SUCH}/e"),
        ("/abs/e", "/abs/e"),
    ],
)
def test_an_environment_is_looked_for_in_the_models_folder_then_in_the_working_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: str
) -> None:
    path = write(tmp_path / "model", parameters={name: text})
    for each in ("model/both", "both", "working"):
        (tmp_path / each).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_SUCH", raising=False)

    assert getattr(ModelSettings.parse_file(path).parameters, name) == str(tmp_path / expected)


def test_an_environment_that_is_not_given_stays_so(tmp_path: Path) -> None:
    parameters = ModelSettings.parse_file(write(tmp_path, parameters={"environment_path": ""})).parameters
    assert (parameters.environment_path, parameters.environment_tarball) == ("", None)


def test_unknown_parameters_of_a_file_are_kept(tmp_path: Path) -> None:
    """Unknown parameters of a file are kept."""
    path = write(tmp_path, parameters={"threshold": 3, "model_extra": {"a": 1}, "extra": {"b": 2}})
    parameters = ModelSettings.parse_file(path).parameters
    assert parameters.threshold == 3
    assert parameters.extra == {"b": 2}
    assert parameters.model_extra == {"threshold": 3, "model_extra": {"a": 1}}


def test_null_parameters_are_none(tmp_path: Path) -> None:
    """In a file null stands for no parameters."""
    assert ModelSettings.parse_file(write(tmp_path, parameters=None)).parameters.uri == str(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"implementation": 3}, r"\$\.implementation: expected `str`, got `int`"),
        ({"max_batch_size": -1}, r"\$\.max_batch_size: expected `int` >= 0, got -1"),
        ({"parameters": []}, r"\$\.parameters: expected `object`, got `array`"),
        ({"parameters": {"version": 1}}, r"\$\.parameters\.version: expected `str \| null`, got `int`"),
        ({"parameters": {"version": "a/b"}}, r"\$\.parameters\.version: expected a name"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_place(
    tmp_path: Path, values: dict[str, object], message: str
) -> None:
    """A wrong value is an error that names its place."""
    with pytest.raises(SettingsError, match=rf"model-settings\.json: {message}"):
        ModelSettings.parse_file(write(tmp_path, **values))


def test_a_file_without_implementation_is_an_error(tmp_path: Path) -> None:
    """A file without implementation is an error."""
    path = tmp_path / "model-settings.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"\$\.implementation: expected `module\.Class`, got nothing"):
        ModelSettings.parse_file(path)


def test_an_unknown_key_is_reported(tmp_path: Path) -> None:
    """An unknown key is reported."""
    (warning,) = ModelSettings.parse_file(write(tmp_path, max_batchsize=3)).warnings
    assert (
        warning
        == f"{tmp_path}/model-settings.json: $.max_batchsize: unknown key, ignored; did you mean 'max_batch_size'?"
    )


# ---- Environment


def test_the_environment_ranks_above_the_file(tmp_path: Path) -> None:
    """The environment ranks above the file."""
    path = write(tmp_path, platform="file", parameters={"uri": "file", "format": "file", "a": 1, "b": 1})
    environ = {
        "SRV_MODEL_PLATFORM": "variable",
        "SRV_MODEL_URI": "variable",
        "SRV_MODEL_PARAMETERS": '{"uri": "packed", "content_type": "packed", "a": 2}',
        "MLSERVER_MODEL_EXTRA": '{"x": 1}',
        "SRV_MODEL_REPOSITORY_ROOT": "elsewhere",
    }
    settings = ModelSettings.parse_file(path, environ)
    assert settings.platform == "variable"
    assert settings.parameters == ModelParameters(
        uri=str(tmp_path / "variable"),
        format="file",
        content_type="packed",
        extra={"x": 1},
        model_extra={"a": 2, "b": 1},
    )


def test_of_several_models_the_environment_names_none(tmp_path: Path) -> None:
    """With several models, variables do not make them all the same."""
    path = write(tmp_path / "a", parameters={"version": "1"})
    environ = {
        "SRV_MODEL_NAME": "x",
        "SRV_MODEL_IMPLEMENTATION": "x.X",
        "SRV_MODEL_URI": "x",
        "SRV_MODEL_PLATFORM": "x",
        "SRV_MODEL_PARAMETERS": '{"version": "x", "format": "x"}',
    }
    settings = ModelSettings.parse_file(path, environ, sole=False)
    assert (settings.name, settings.implementation, settings.version) == ("a", "models.Runtime", "1")
    assert settings.parameters.uri == str(tmp_path / "a")
    assert (settings.platform, settings.parameters.format) == ("x", "x")
    assert [warning.split()[0] for warning in settings.warnings] == [
        "SRV_MODEL_IMPLEMENTATION",
        "SRV_MODEL_NAME",
        "SRV_MODEL_PARAMETERS",
        "SRV_MODEL_URI",
    ]


def test_a_model_of_variables_alone() -> None:
    """Variables alone can describe one model."""
    settings = ModelSettings.from_environment(
        {
            "SRV_MODEL_IMPLEMENTATION": "a.B",
            "SRV_MODEL_NAME": "x",
            "SRV_MODEL_INPUTS": '[{"name": "i", "datatype": "INT8", "shape": [1]}]',
            "SRV_MODEL_PARAMETERS": '{"threshold": 3}',
            "SRV_MODEL_VERSION": "v1",
        }
    )
    assert settings == ModelSettings(
        name="x",
        implementation="a.B",
        inputs=[TensorMetadata(name="i", datatype="INT8", shape=[1])],
        parameters=ModelParameters(version="v1", model_extra={"threshold": 3}),
    )


def test_no_variables_make_no_model() -> None:
    """Without an implementation there is no model; without a name it is an error."""
    assert ModelSettings.from_environment({"SRV_MODEL_NAME": "x"}) is None
    with pytest.raises(SettingsError, match=r"^SRV_MODEL_NAME .*: expected a model's name, got nothing"):
        ModelSettings.from_environment({"SRV_MODEL_IMPLEMENTATION": "a.B"})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"SRV_MODEL_PARAMETERS": "[]"}, r"SRV_MODEL_PARAMETERS \(.*\): expected `object`, got `array`"),
        (
            {"SRV_MODEL_PARAMETERS": '{"uri": 1}'},
            r"SRV_MODEL_PARAMETERS \(.*\): \$\.uri: expected `str \| null`, got `int`",
        ),
        ({"MLSERVER_MODEL_MAX_BATCH_SIZE": "many"}, r"MLSERVER_MODEL_MAX_BATCH_SIZE \(.*\): expected an integer"),
    ],
)
def test_a_wrong_variable_is_an_error_that_names_it(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    """A wrong variable is an error that names it."""
    with pytest.raises(SettingsError, match=f"^{message}"):
        ModelSettings.parse_file(write(tmp_path), environ)


# ---- Without effect yet


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({}, []),
        ({"max_batch_size": 0, "parallel_workers": 0, "warm_workers": False}, []),
        ({"max_batch_size": 4, "max_batch_time": 0.5}, []),
        ({"warm_workers": True}, ["warm_workers"]),
        ({"cache_enabled": True}, []),
        ({"parameters": {"environment_tarball": "e.tar.gz"}}, []),
        ({"parameters": {"workers": 2}}, []),
        ({"zzz": 1}, ["$.zzz"]),
    ],
)
def test_what_has_no_effect_is_logged_at_load(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, values: dict[str, object], reported: list[str]
) -> None:
    """What has no effect is logged at load."""
    settings = ModelSettings.parse_file(write(tmp_path, **values))
    assert caplog.records == []
    settings.log_warnings()
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == reported


def test_a_model_of_python_is_called_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """A model made in Python is called by its name."""
    ModelSettings(name="x", implementation=Runtime, warm_workers=True).log_warnings()
    assert caplog.messages == ["model 'x': warm_workers: known but not supported yet: True has no effect"]


# ---- Parameters that a runtime sets


def test_parameters_can_be_set_and_are_checked() -> None:
    given = ModelParameters(uri="/a", extra={"k": [1]}, model_extra={"unknown": 1})
    own = given.copy()

    own.content_type = "pd"
    own.uri = "/b"
    own.unknown = 2  # pyright: ignore[reportAttributeAccessIssue]  # any name is kept
    own.extra["k"] = []

    assert (own.content_type, own.uri, own.model_extra) == ("pd", "/b", {"unknown": 2})
    assert given == ModelParameters(uri="/a", extra={"k": [1]}, model_extra={"unknown": 1})
    with pytest.raises(SettingsError, match=r"ModelParameters.content_type: expected `str \| null`, got `int`"):
        own.content_type = 1  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="version cannot be set: the model is registered under it"):
        own.version = "2"
    assert own.content_type == "pd"
