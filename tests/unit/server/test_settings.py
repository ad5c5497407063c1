from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING

import pytest

from srv._settings import UNSUPPORTED_SETTINGS
from srv.settings import CORSSettings, Settings, load_settings
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, **values: object) -> Path:
    """Write a ``settings.json`` and return its folder."""
    (folder / "settings.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def test_defaults() -> None:
    """Without any file or variable the defaults hold."""
    settings = load_settings(None, {})
    assert settings == Settings()
    assert (settings.http_port, settings.grpc_port, settings.metrics_port) == (8080, 8081, 8082)
    assert settings.host == "127.0.0.1"
    assert settings.server_name == "srv"
    assert settings.server_version
    assert settings.model_repository_root == "."
    assert settings.max_request_size == 1024**3
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("ssl_keyfile", "'some'"), ("ssl_keyfile_password", "a password"), ("ssl_ca_certs", "'some'")],
)
def test_what_belongs_to_a_certificate_needs_one(name: str, shown: str) -> None:
    """A key, a password and authorities do nothing alone."""
    with pytest.raises(SettingsError) as raised:
        load_settings(None, {f"SRV_{name.upper()}": "some"})
    assert raised.value.message == f"{name}: expected a certificate, too (ssl_certfile), got {shown} alone"
    assert getattr(load_settings(None, {f"SRV_{name.upper()}": "some", "SRV_SSL_CERTFILE": "a"}), name) == "some"


def test_settings_are_frozen() -> None:
    """Settings are frozen."""
    settings = Settings()
    with pytest.raises(AttributeError):
        settings.debug = True  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_the_environment_ranks_above_the_file(tmp_path: Path) -> None:
    """The environment ranks above the file."""
    write(tmp_path, http_port=1, grpc_port=2, host="file")
    settings = load_settings(tmp_path, {"SRV_HTTP_PORT": "10", "MLSERVER_GRPC_PORT": "20"})
    assert (settings.http_port, settings.grpc_port, settings.metrics_port) == (10, 20, 8082)
    assert settings.host == "file"


def test_the_folder_is_the_root_whatever_else_says_so(tmp_path: Path) -> None:
    """The folder is the root whatever else says so."""
    write(tmp_path, model_repository_root="/file")
    settings = load_settings(tmp_path, {"SRV_MODEL_REPOSITORY_ROOT": "/environment"})
    assert settings.model_repository_root == str(tmp_path)
    assert load_settings(None, {"SRV_MODEL_REPOSITORY_ROOT": "/environment"}).model_repository_root == "/environment"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("debug", True),
        ("http_port", 0),
        ("http_port", 65535),
        ("root_path", "/api"),
        ("extensions", ["a", "b"]),
        ("load_models_at_startup", False),
        ("metrics_endpoint", "/m"),
        ("logging_settings", {"version": 1}),
        ("logging_settings", "logging.json"),
        ("grpc_max_message_length", 1),
        ("grpc_output", "raw"),
        ("grpc_transport", "grpclib"),
        ("grpc_max_concurrent_streams", 1),
        ("grpc_max_header_list_size", 8192),
        ("grpc_message_memory", 1 << 20),
        ("grpc_keepalive_time", 0.5),
        ("grpc_keepalive_timeout", 0.5),
        ("grpc_progress_timeout", 0.5),
        ("json_nonfinite", "null"),
        ("shutdown_delay", 1.5),
    ],
)
def test_values_are_the_same_from_file_environment_and_python(tmp_path: Path, field: str, value: object) -> None:
    """File, environment and Python give the same values."""
    text = value if isinstance(value, str) else json.dumps(value)
    wanted = {field: value}
    built = Settings(**wanted)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    from_file = load_settings(write(tmp_path, **wanted), {})
    from_environment = load_settings(None, {f"SRV_{field.upper()}": text})
    assert getattr(built, field) == getattr(from_file, field) == getattr(from_environment, field) == value


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False)])
def test_a_boolean_may_be_text_in_the_file(tmp_path: Path, text: str, value: object) -> None:
    """As in the files of MLServer's examples; settings made in Python are not read."""
    assert load_settings(write(tmp_path, debug=text), {}).debug is value
    with pytest.raises(SettingsError, match="expected one of true, 1, yes, on, false, 0, no, off, got 'maybe'"):
        load_settings(write(tmp_path, debug="maybe"), {})
    with pytest.raises(SettingsError, match="expected `bool`, got `str`"):
        Settings(debug=text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("http_port", 65536, "expected `int` <= 65535, got 65536"),
        ("grpc_port", -1, "expected `int` >= 0, got -1"),
        ("metrics_port", "8082", "expected `int`, got `str`"),
        ("debug", 1, "expected `bool`, got `int`"),
        ("host", "", "expected `str` of length >= 1, got ''"),
        ("root_path", "api", "expected `str` matching regex .*, got 'api'"),
        ("metrics_endpoint", "null", "expected `str` matching regex .*, got 'null'"),
        ("max_request_size", 0, "expected `int` >= 1, got 0"),
        ("grpc_max_message_length", 0, "expected `int` >= 1, got 0"),
        ("grpc_output", "both", "expected one of 'mirror', 'raw', got 'both'"),
        ("grpc_transport", "grpcio", "expected one of 'grpclib', 'native', got 'grpcio'"),
        ("grpc_max_concurrent_streams", 0, "expected `int` >= 1, got 0"),
        ("grpc_max_header_list_size", 0, "expected `int` >= 1, got 0"),
        ("grpc_message_memory", 0, "expected `int` >= 1, got 0"),
        ("grpc_keepalive_time", -1.0, "expected `float` >= 0.0, got -1.0"),
        ("grpc_progress_timeout", "long", "expected `float`, got `str`"),
        ("json_nonfinite", "nan", "expected one of 'error', 'null', got 'nan'"),
        ("shutdown_timeout", -0.5, "expected `float` >= 0.0, got -0.5"),
        ("extensions", ["a", 1], r"expected `str`, got `int`"),
        ("logging_settings", 3, "expected .*, got `int`"),
        ("http_uds", "", "expected `str` matching regex .*, got ''"),
        ("grpc_uds", "\0abstract", "expected `str` matching regex .*, got"),
        ("ssl_certfile", "", "expected `str` of length >= 1, got ''"),
        ("ssl_keyfile_password", 1, "expected .*, got `int`"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_place(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    """A wrong value is an error that names its place."""
    wanted = {field: value}
    with pytest.raises(SettingsError, match=rf"settings\.json: \$\.{field}(\[1\])?: {message}"):
        load_settings(write(tmp_path, **wanted), {})
    with pytest.raises(SettingsError, match=rf"^Settings\.{field}(: \$\[1\])?: {message}"):
        Settings(**wanted)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("SRV_HTTP_PORT", "70000", "expected `int` <= 65535, got 70000"),
        ("mlserver_http_port", "http", "expected an integer, got 'http'"),
        ("SRV_SHUTDOWN_TIMEOUT", "inf", "expected `float` <= 86400.0, got inf"),
        ("SRV_SHUTDOWN_TIMEOUT", "nan", "expected `float` >= 0.0, got nan"),
        ("SRV_CORS_SETTINGS", "*", "expected JSON: "),
    ],
)
def test_a_wrong_variable_is_an_error_that_names_it(variable: str, text: str, message: str) -> None:
    """A wrong variable is an error that names it."""
    with pytest.raises(SettingsError) as raised:
        load_settings(None, {variable: text})
    assert raised.value.message.startswith(f"{variable} (environment or .env): {message}")


def test_a_wrong_value_in_the_file_is_none_if_a_variable_replaces_it(tmp_path: Path) -> None:
    """What a variable replaces in the file is not looked at."""
    write(tmp_path, http_port="8080")
    assert load_settings(tmp_path, {"SRV_HTTP_PORT": "1"}).http_port == 1


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_metrics_endpoint_is_none(text: str | None) -> None:
    """An empty metrics endpoint is none."""
    assert Settings(metrics_endpoint=text).metrics_endpoint is None
    assert load_settings(None, {"SRV_METRICS_ENDPOINT": ""}).metrics_endpoint is None


def test_cors_settings(tmp_path: Path) -> None:
    """CORS settings come as an object, whose unknown keys are errors."""
    assert Settings().cors_settings is None
    found = load_settings(write(tmp_path, cors_settings={"allow_origins": ["*"]}), {}).cors_settings
    assert found == CORSSettings(allow_origins=["*"], allow_methods=["GET"], max_age=600)
    with pytest.raises(SettingsError, match=r"\$\.cors_settings: object contains unknown field `allow_orgins`"):
        load_settings(write(tmp_path, cors_settings={"allow_orgins": ["*"]}), {})
    with pytest.raises(SettingsError, match=r"\$\.cors_settings\.max_age: expected `int` >= 0, got -1"):
        load_settings(write(tmp_path, cors_settings={"max_age": -1}), {})


def test_a_dictionary_is_no_struct() -> None:
    """In Python a dictionary is not taken for the struct that it could be made into."""
    with pytest.raises(SettingsError, match=r"^Settings\.cors_settings: expected `CORSSettings`, got \{\}"):
        Settings(cors_settings={})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("http_prot", "; did you mean 'http_port'?"),
        ("zzz", ""),
        ("warnings", ""),
        ("paralel_workers", "'parallel_workers'"),
    ],
)
def test_an_unknown_key_is_reported_with_the_closest_known(tmp_path: Path, key: str, hint: str) -> None:
    """An unknown key is reported with the closest known."""
    (warning,) = load_settings(write(tmp_path, **{key: 1}), {}).warnings
    assert warning.startswith(f"{tmp_path / 'settings.json'}: $.{key}: unknown key, ignored")
    assert hint in warning


@pytest.mark.parametrize(
    ("variable", "reported"),
    [
        ("SRV_HTTP_PROT", True),
        ("MLSERVER_METRICS_ENDPONT", True),
        ("SRV_PORT", False),
        ("SRV_SERVICE_HOST", False),
        ("SRV_SERVICE_PORT", False),
        ("SRV_SERVICE_PORT_HTTP", False),
        ("SRV_PORT_8080_TCP_PORT", False),
        ("MLSERVER_MODELS_DIR", False),
        ("SRV_MODEL_NAME", False),
        ("SRV_INFER_URL", False),
        ("HTTP_PROT", False),
    ],
)
def test_only_a_variable_that_is_nearly_a_setting_is_reported(variable: str, *, reported: bool) -> None:
    """Only a variable that is nearly a setting is reported."""
    assert bool(load_settings(None, {variable: "1"}).warnings) is reported


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("kafka_enabled", False, False),
        ("kafka_enabled", True, True),
        ("tracing_server", None, False),
        ("tracing_server", "collector:4317", True),
        ("metrics_dir", "metrics", True),
    ],
)
def test_a_known_setting_without_effect_is_reported(
    tmp_path: Path, name: str, value: object, *, reported: bool
) -> None:
    """A known setting without effect is reported."""
    from_file = load_settings(write(tmp_path, **{name: value}), {}).warnings
    from_environment = load_settings(None, {f"SRV_{name.upper()}": str(value)}).warnings
    assert bool(from_file) is bool(from_environment) is reported
    if reported:
        assert from_file == (
            f"{tmp_path / 'settings.json'}: $.{name}: known but not supported yet: {value!r} has no effect",
        )


def test_no_setting_is_both_honoured_and_unsupported() -> None:
    """No setting is both honoured and unsupported."""
    assert not {field.name for field in dataclasses.fields(Settings)} & set(UNSUPPORTED_SETTINGS)


def test_warnings_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Warnings are logged."""
    settings = load_settings(write(tmp_path, kafka_enabled=True), {})
    assert caplog.records == []
    settings.log_warnings()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("srv", logging.WARNING)
    assert "kafka_enabled" in record.getMessage()
