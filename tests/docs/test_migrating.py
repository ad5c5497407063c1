"""The tables about MLServer are complete, and what they say of srv is so."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import pytest
from click.testing import CliRunner
from pages import read_table

import srv
from srv import errors, settings, types
from srv._model_settings import UNSUPPORTED_MODEL_SETTINGS
from srv._settings import UNSUPPORTED_SETTINGS
from srv._status import describe_error
from srv.cli import main
from srv.mlserver import errors as their_errors
from srv.mlserver._aliases import SOURCES
from srv_protocol import inference_grpc

if TYPE_CHECKING:
    from serving import Server

PAGE: Final = "docs/migrating-from-mlserver.md"


def _words(text: str) -> list[str]:
    return text.split()


# What MLServer 1.7 has.
SETTINGS: Final = _words("""
    debug parallel_workers parallel_workers_timeout environments_dir model_repository_implementation
    model_repository_root model_repository_implementation_args load_models_at_startup server_name server_version
    extensions host http_port grpc_port metrics_port root_path grpc_max_message_length cors_settings metrics_endpoint
    metrics_rest_server_prefix metrics_dir use_structured_logging logging_settings kafka_enabled kafka_servers
    kafka_topic_input kafka_topic_output tracing_server cache_enabled cache_size gzip_enabled
    _custom_rest_server_settings _custom_metrics_server_settings _custom_grpc_server_settings
""")
CORS: Final = _words(
    "allow_origins allow_origin_regex allow_credentials allow_methods allow_headers expose_headers max_age"
)
MODEL: Final = _words("""
    implementation name platform versions inputs outputs max_batch_size max_batch_time cache_enabled parallel_workers
    warm_workers parameters
""")
PARAMETERS: Final = _words("""
    uri version environment_path environment_tarball inference_pool_gid autogenerate_inference_pool_gid format
    content_type extra
""")
TYPES: Final = _words("""
    Datatype Parameters TensorData RequestInput RequestOutput InferenceRequest ResponseOutput InferenceResponse
    MetadataTensor MetadataModelResponse MetadataServerResponse InferenceErrorResponse RepositoryIndexRequest
    RepositoryIndexResponseItem RepositoryIndexResponse State
""")
METRICS: Final = _words("""
    model_infer_request_success_total model_infer_request_failure_total model_infer_request_duration
    batch_request_queue parallel_request_queue rest_server_requests_total rest_server_request_duration_seconds
    rest_server_requests_in_progress grpc_server_started_total grpc_server_handled_total grpc_server_handling_seconds
    grpc_server_msg_received_total grpc_server_msg_sent_total
""")


def table(heading: str) -> dict[str, str]:
    """Return the rows of a table: what stands in the first cell, without back quotes -> the last cell."""
    rows = read_table(PAGE, heading)
    found = {row[0].strip("`"): row[-1] for row in rows}
    assert len(found) == len(rows)
    for name, cell in found.items():
        assert cell, name
    return found


@pytest.mark.parametrize(
    ("heading", "names", "kind", "unsupported"),
    [
        ("setting of MLServer", SETTINGS, settings.Settings, UNSUPPORTED_SETTINGS),
        ("CORS setting of MLServer", CORS, settings.CORSSettings, {}),
        ("model setting of MLServer", MODEL, settings.ModelSettings, UNSUPPORTED_MODEL_SETTINGS),
        (
            "model parameter of MLServer",
            PARAMETERS,
            settings.ModelParameters,
            {name.removeprefix("parameters."): idle for name, idle in UNSUPPORTED_MODEL_SETTINGS.items()},
        ),
    ],
)
def test_every_setting_has_a_row_that_is_true(
    heading: str, names: list[str], kind: type[Any], unsupported: dict[str, object]
) -> None:
    rows = table(heading)
    known = {field.name for field in dataclasses.fields(kind)} - set(unsupported)

    assert list(rows) == names
    for name, cell in rows.items():
        if cell.startswith("same"):
            assert name in known
        elif cell.startswith("not yet"):
            assert name in unsupported
        else:
            assert cell.startswith("no")
            assert name not in known


def test_every_field_of_a_type_has_a_row_and_is_there() -> None:
    rows = {row[0].strip("`"): re.findall(r"`(\w+)`", row[1]) for row in read_table(PAGE, "type of MLServer")}

    assert list(rows) == TYPES
    for kind, fields in rows.items():
        found = getattr(types, kind)
        declared = {*inspect.get_annotations(found), *dir(found), *inspect.signature(found).parameters}
        assert set(fields) <= declared, kind


def test_the_members_of_the_runtime_are_there() -> None:
    for name in table("member of MLServer's `MLModel`"):
        assert hasattr(srv.MLModel, name) or name == "ready"


def test_every_module_has_a_row_that_names_ours() -> None:
    rows = table("module of MLServer")

    assert {name for name, cell in rows.items() if not re.match(r"no\b", cell)} == set(SOURCES)
    for name, cell in rows.items():
        sources = re.findall(r"`(srv[\w.]*)`", cell)
        if name in SOURCES and not cell.startswith("as ") and "__version__" not in cell:
            assert set(sources) <= set(SOURCES[name])
        for source in sources:
            if not source.endswith("__version__"):
                importlib.import_module(source)


def test_the_commands_are_there_or_not_yet() -> None:
    for name, cell in table("command of MLServer").items():
        command = name.removeprefix("mlserver ")
        arguments = [command] if command.startswith("--") else [command, "--help"]
        result = CliRunner().invoke(main, arguments)
        assert (result.exit_code == 0) is (cell == f"`srv {command}`") is not cell.startswith("not yet")


def test_the_endpoints_answer(server: Server) -> None:
    for endpoint, cell in table("endpoint of MLServer").items():
        named = re.search(r"`(GET /.*)`", cell)
        if not re.match(r"(GET|POST) ", endpoint) or (named is None and not cell.startswith(("same", "no"))):
            continue
        method, path = (named[1] if named else endpoint).split()
        path = path.replace("/versions/{version}", "").replace("{name}", "sum-model")
        if path.endswith("/unload"):
            continue
        with server.rest() as rest:
            answer = rest.request(method, path)
        if cell.startswith("no"):
            assert answer.status == 404, endpoint
        elif method == "GET":
            assert answer.status == 200, endpoint
        else:
            # Without a body inference is refused, but not as a route that is not there.
            assert answer.status in {200, 400}, endpoint


def test_the_rpcs_are_there() -> None:
    for name in table("RPC of MLServer"):
        assert hasattr(inference_grpc.GRPCInferenceServiceBase, name)


def test_the_metrics_are_shown(server: Server) -> None:
    server.post("/v2/models/sum-model/infer", {"inputs": []})
    from calling import call

    tensor = types.RequestInput("x", "FP32", [1, 1])
    call(server.grpc_address, types.InferenceRequest("sum-model", inputs=[tensor], raw_input_contents=[bytes(4)]))
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.metrics_port)
    connection.request("GET", "/metrics")
    with connection.getresponse() as response:
        shown = response.read().decode()
    connection.close()
    rows = table("metric of MLServer")

    assert list(rows) == METRICS
    for name, cell in rows.items():
        assert (re.search(rf"^{name}(_count|_bucket|\{{| )", shown, re.MULTILINE) is not None) is cell.startswith(
            "same"
        )


def test_the_errors_have_these_statuses() -> None:
    for name, there, cell in read_table(PAGE, "error of MLServer"):
        kind = getattr(their_errors, name.strip("`"), None) or getattr(errors, name.strip("`"))
        wanted = re.match(r"\d+", cell if not cell.startswith("same") else there)
        assert wanted is not None
        error = kind(*["text"][: len(inspect.signature(kind).parameters)])
        assert describe_error(error, "test").http == HTTPStatus(int(wanted[0])), name
