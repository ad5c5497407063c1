"""Settings of the server: ``settings.json``.

Values come from environment variables, then the file, then the default. Fields and file names are those of MLServer,
so that its users' folders work unchanged; a name of MLServer's or of ours whose feature does not exist yet is listed
in :data:`UNSUPPORTED_SETTINGS`, and giving it is reported, never ignored in silence.

Reading settings happens before logging is configured, so what is odd but no error is kept in ``warnings``;
``log_warnings()`` logs it.
"""

from __future__ import annotations

import difflib
import logging
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from srv._conversion import Limits
from srv._environment import BOOLEANS, Given, build, check_fields, field_types, layer, read_object, resolve, variables
from srv._version import __version__
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SETTINGS_FILE: Final = "settings.json"

Port = Annotated[int, Limits(ge=0, le=65535)]
Size = Annotated[int, Limits(gt=0)]
Count = Annotated[int, Limits(ge=0)]
# A day: a longer time is a mistake of unit.
Seconds = Annotated[float, Limits(ge=0, le=86_400)]
UrlPath = Annotated[str, Limits(pattern="^(/[A-Za-z0-9._~/-]*)?$")]
NonEmpty = Annotated[str, Limits(min_length=1)]
# The system takes what stands before a NUL for all of a socket's path, or for a name that is no path.
SocketPath = Annotated[str, Limits(pattern=r"^[^\x00]+$")]

UNSUPPORTED_SETTINGS: Final[Mapping[str, tuple[object, ...]]] = MappingProxyType(
    {
        "metrics_dir": (),
        "kafka_enabled": (False,),
        "kafka_servers": ("localhost:9092",),
        "kafka_topic_input": ("mlserver-input",),
        "kafka_topic_output": ("mlserver-output",),
        "tracing_server": (None,),
    }
)
"""Known settings that have no effect yet -> the values that change nothing, which need no warning."""

_logger: Final = logging.getLogger("srv")


@dataclass(frozen=True, kw_only=True)
class CORSSettings:
    """Which pages of other origins may call the REST front.

    Raises:
        SettingsError: a value does not have the type of its field.
    """

    __closed__: ClassVar[bool] = True  # a misspelt key is an error

    allow_origins: list[str] = field(default_factory=list[str])
    allow_origin_regex: str | None = None
    allow_credentials: bool = False
    allow_methods: list[str] = field(default_factory=lambda: ["GET"])
    allow_headers: list[str] = field(default_factory=list[str])
    expose_headers: list[str] = field(default_factory=list[str])
    max_age: Count = 600

    def __post_init__(self) -> None:
        check_fields(self)
        try:
            re.compile(self.allow_origin_regex or "")
        except re.error as error:
            message = (
                f"cors_settings.allow_origin_regex: expected a regular expression, got {self.allow_origin_regex!r}"
            )
            raise SettingsError(f"{message}: {error}") from None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the server.

    Attributes:
        debug: log at level DEBUG and log every request.
        host: the address that HTTP, gRPC and metrics listen on.
        http_port: 0 takes a free port, as for the other two.
        http_uds: the file of a Unix socket that REST listens on instead of its port; `grpc_uds` the same for gRPC.
        ssl_certfile: certificates with which REST and gRPC speak TLS, in PEM form; ``None`` is plain text.
        ssl_keyfile: their private key, if it is not in the same file; `ssl_keyfile_password` decrypts it.
        ssl_ca_certs: certificates of authorities, one of which must have signed each client's; ``None`` asks for none.
        root_path: the path under which a proxy serves the REST front.
        extensions: further names for the server's metadata.
        model_repository_implementation: a class of repositories, ``module.Class``; ``None`` is that of folders.
        model_repository_implementation_args: its arguments beside the root.
        cache_enabled: keep the responses of the models whose own settings say so too.
        cache_size: how many responses are kept, `cache_max_bytes` how many bytes of them, `cache_ttl` for how many
            seconds; ``None`` is no bound.
        metrics_endpoint: the path of the metrics; ``None`` (or ``""``) serves none.
        logging_settings: a ``logging.config`` dictionary, or the path of a JSON file that holds one.
        grpc_max_message_length: bytes; ``None`` leaves `max_request_size` as the only limit.
        max_request_size: bytes of a request after decompression, on both fronts.
        gzip_enabled: compress answers of inference over REST when the client asks for it.
        grpc_output: the form of output tensors: as the request's inputs were sent, or always raw.
        json_nonfinite: what NaN and infinities become in JSON, which has no words for them.
        grpc_transport: what carries gRPC: the server's own HTTP/2, or grpclib's, which has none of the next six limits.
        grpc_max_concurrent_streams: calls of one connection at the same time.
        grpc_max_header_list_size: bytes of a call's metadata, counted as in RFC 9113, section 10.5.1.
        grpc_message_memory: bytes that the large messages of one connection may take until their handlers have them;
            one that is larger comes alone.
        grpc_keepalive_time: seconds of silence after which a client is asked whether it is there.
        grpc_keepalive_timeout: seconds that it has to answer.
        grpc_progress_timeout: seconds without progress after which a client is given up: one that has begun a message,
            or does not read what it is sent.
        grpc_stream_dialect: the messages that ModelStreamInfer answers with: Triton's, or MLServer's bare responses.
        processes: servers on the same ports, each in a process of its own.
        parallel_workers: processes that each model has for itself; 0 runs the models in the server's own process.
        parallel_workers_timeout: seconds that such a process has to end when its model is unloaded.
        worker_timeout: seconds after which one is given up that does not respond, or is still busy with what nobody
            waits for any more; ``None`` is no bound.
        max_queue_size: requests that may wait for a model; ``None`` is no bound. A model's own ranks above it.
        request_timeout: seconds that a request may take, waiting included; ``None`` is no bound.
        environments_dir: the folder in which tarballs of environments are unpacked.
        environment_max_size: bytes of one of them, unpacked.
        allow_client_shm: whether clients may register shared memory of this machine.
        allow_file_override: whether load requests may bring files, model code among them.
        trace_file: where traces are written; clients cannot change it. ``None`` writes none.
        shutdown_delay: seconds between turning not ready and refusing new requests.
        shutdown_timeout: seconds that running requests are waited for.
        warnings: what the loader noticed; see :meth:`log_warnings`.

    Raises:
        SettingsError: a value does not have the type of its field, or needs a certificate that is not given.
    """

    debug: bool = False
    host: NonEmpty = "127.0.0.1"
    http_port: Port = 8080
    grpc_port: Port = 8081
    metrics_port: Port = 8082
    http_uds: SocketPath | None = None
    grpc_uds: SocketPath | None = None
    ssl_certfile: NonEmpty | None = None
    ssl_keyfile: NonEmpty | None = None
    ssl_keyfile_password: str | None = None
    ssl_ca_certs: NonEmpty | None = None
    root_path: UrlPath = ""
    server_name: NonEmpty = "srv"
    server_version: str = __version__
    extensions: list[str] = field(default_factory=list[str])
    model_repository_root: str = "."
    model_repository_implementation: NonEmpty | None = None
    model_repository_implementation_args: dict[str, object] = field(default_factory=dict[str, object])
    load_models_at_startup: bool = True
    cache_enabled: bool = False
    cache_size: Count = 100
    cache_max_bytes: Count = 64 << 20
    cache_ttl: Annotated[float, Limits(gt=0)] | None = None
    metrics_endpoint: UrlPath | None = "/metrics"
    metrics_rest_server_prefix: str = "rest_server"
    use_structured_logging: bool = False
    logging_settings: dict[str, object] | str | None = None
    cors_settings: CORSSettings | None = None
    grpc_max_message_length: Size | None = None
    max_request_size: Size = 1 << 30
    gzip_enabled: bool = True
    grpc_output: Literal["mirror", "raw"] = "mirror"
    json_nonfinite: Literal["error", "null"] = "error"
    grpc_transport: Literal["native", "grpclib"] = "native"
    grpc_max_concurrent_streams: Annotated[int, Limits(ge=1, le=2**31 - 1)] = 1000
    grpc_max_header_list_size: Size = 1 << 16
    grpc_message_memory: Size = 64 << 20
    grpc_keepalive_time: Seconds = 60.0
    grpc_keepalive_timeout: Seconds = 20.0
    grpc_progress_timeout: Seconds = 60.0
    grpc_stream_dialect: Literal["triton", "mlserver"] = "triton"
    processes: Annotated[int, Limits(ge=1, le=1024)] = 1
    parallel_workers: Count = 0
    parallel_workers_timeout: Seconds = 5.0
    worker_timeout: Annotated[float, Limits(gt=0, le=86_400)] | None = 60.0
    max_queue_size: Count | None = None
    request_timeout: Annotated[float, Limits(gt=0, le=86_400)] | None = None
    environments_dir: NonEmpty = ".envs"
    environment_max_size: Size = 20 << 30
    allow_client_shm: bool = False
    allow_file_override: bool = False
    trace_file: NonEmpty | None = None
    shutdown_delay: Seconds = 0.0
    # Kubernetes kills after 30 s; this leaves time to unload models.
    shutdown_timeout: Seconds = 20.0
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        # One spelling of "off", so that readers compare with None only.
        if not self.metrics_endpoint:
            object.__setattr__(self, "metrics_endpoint", None)
        if self.ssl_certfile is None:
            for name, shown in (
                ("ssl_keyfile", repr(self.ssl_keyfile)),
                ("ssl_keyfile_password", "a password"),
                ("ssl_ca_certs", repr(self.ssl_ca_certs)),
            ):
                if getattr(self, name) is not None:
                    raise SettingsError(f"{name}: expected a certificate, too (ssl_certfile), got {shown} alone")

    def log_warnings(self) -> None:
        """Log `warnings` to ``srv``."""
        for warning in self.warnings:
            _logger.warning("%s", warning)


def load_settings(folder: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the server's settings: of `environ`, then of ``FOLDER/settings.json``, then the defaults.

    Args:
        folder: the folder given to ``srv start``, which is the repository's root whatever else says so. ``None``, or a
            folder without the file, leaves `environ` and the defaults.
        environ: see :func:`srv.settings.read_environment`.

    Raises:
        SettingsError: the file cannot be read, or a value in it or in a variable is wrong.
    """
    path = None if folder is None else folder / SETTINGS_FILE
    file = {} if path is None or not path.is_file() else layer(read_object(path), str(path))
    given = variables(environ)
    types = {name: hint for name, hint in field_types(Settings).items() if name != "warnings"}
    values = resolve(types, given, file)
    if folder is not None:
        values["model_repository_root"] = str(folder)
    warnings = (
        *unknown_keys(file, (*types, *UNSUPPORTED_SETTINGS)),
        *_misspelt_variables(given, (*types, *UNSUPPORTED_SETTINGS)),
        *_unsupported(file | given),
    )
    return build(Settings, {**values, "warnings": warnings})


def unknown_keys(given: Mapping[str, Given], known: Iterable[str]) -> list[str]:
    """Return a warning for each key of a file that is not known, with the closest one that is."""
    names = frozenset(known)
    warnings: list[str] = []
    for key in given.keys() - names:
        close = difflib.get_close_matches(key, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        warnings.append(f"{given[key].place}: unknown key, ignored{hint}")
    return sorted(warnings)


def no_effect(value: object) -> str:
    """Return what to say of a known setting whose feature does not exist yet."""
    return f"known but not supported yet: {value!r} has no effect"


def _misspelt_variables(given: Mapping[str, Given], known: Iterable[str]) -> list[str]:
    """Return a warning for each variable that almost names a setting.

    Others are passed over: Kubernetes sets ``SRV_PORT`` and its like for a service called ``srv``.
    """
    names = frozenset(known)
    warnings: list[str] = []
    for key in given.keys() - names:
        close = difflib.get_close_matches(key, names, n=1, cutoff=0.85)
        if close and not key.startswith("model_"):
            warnings.append(f"{given[key].place}: no such setting, ignored; did you mean {close[0].upper()}?")
    return sorted(warnings)


def _unsupported(given: Mapping[str, Given]) -> list[str]:
    return [
        f"{given[name].place}: {no_effect(given[name].value)}"
        for name, idle in UNSUPPORTED_SETTINGS.items()
        if name in given and not _is_idle(given[name], idle)
    ]


def _is_idle(given: Given, idle: tuple[object, ...]) -> bool:
    if given.value in idle:
        return True
    if not given.variable:
        return False
    text = str(given.value)
    return text in map(str, idle) or BOOLEANS.get(text.lower(), text) in idle
