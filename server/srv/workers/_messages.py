"""Requests, responses and errors on their way between the server and a worker: a header for JSON, and tensors."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any, Final, cast

from srv.batching._headers import SharedHeaders
from srv_codecs.arrays import input_place, output_place
from srv_codecs.handover import Bundle, pack_data, unpack_data
from srv_protocol import errors
from srv_protocol.errors import ErrorKind, SrvError
from srv_protocol.inference import (
    Headers,
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    Parameters,
    TensorMetadata,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def pack_request(request: ModelInferRequest, bundle: Bundle | None = None) -> tuple[object, Bundle]:
    """Return a request's header and its tensors, which are added to `bundle` if there is one.

    Raises:
        SrvError: an input's data has no form.
    """
    bundle = Bundle() if bundle is None else bundle
    inputs: list[object] = []
    for index, each in enumerate(request.inputs):
        data = pack_data(each, input_place(index, each.name, request.model_name), bundle)
        inputs.append((each.name, each.datatype, each.shape, _plain(each.parameters), data))
    parameters = request.parameters
    header = (
        request.id,
        request.model_version,
        _plain(parameters),
        _plain_headers(parameters.headers),
        inputs,
        [(each.name, _plain(each.parameters)) for each in request.outputs],
    )
    return header, bundle


def unpack_request(model: str, header: object, body: memoryview) -> ModelInferRequest:
    """Return the request; its tensors' data are read-only views of `body`."""
    identifier, version, parameters, headers, inputs, outputs = cast("list[Any]", header)
    request = ModelInferRequest(model, version, identifier, _parameters(parameters, headers))
    for name, datatype, shape, own, data in inputs:
        tensor = InferInputTensor(name, datatype, shape, _parameters(own))
        found = unpack_data(data, datatype, shape, body)
        if found is not None:
            tensor.data = found
        request.inputs.append(tensor)
    for name, own in outputs:
        request.outputs.append(InferRequestedOutputTensor(name, _parameters(own)))
    return request


def pack_response(response: ModelInferResponse) -> tuple[object, Bundle]:
    """Return a response's header and its tensors.

    Raises:
        SrvError: an output's data has no form.
    """
    bundle = Bundle()
    outputs: list[object] = []
    for index, each in enumerate(response.outputs):
        data = pack_data(each, output_place(index, each.name), bundle)
        outputs.append((each.name, each.datatype, each.shape, _plain(each.parameters), data))
    parameters = response.parameters
    return (response.model_version, _plain(parameters), parameters.headers, outputs), bundle


def unpack_response(model: str, header: object, body: memoryview) -> ModelInferResponse:
    """Return the response; its tensors' data are read-only views of `body`."""
    version, parameters, headers, outputs = cast("list[Any]", header)
    response = ModelInferResponse(model, version, parameters=_parameters(parameters, headers))
    for name, datatype, shape, own, data in outputs:
        tensor = InferOutputTensor(name, datatype, shape, _parameters(own))
        found = unpack_data(data, datatype, shape, body)
        if found is not None:
            tensor.data = found
        response.outputs.append(tensor)
    return response


def _plain(parameters: Parameters) -> Mapping[str, object] | int:
    if not len(parameters):
        # As most: shorter than an empty object.
        return 0
    if bytes in map(type, parameters.values()):
        return {name: [*value] if isinstance(value, bytes) else value for name, value in parameters.items()}
    return parameters


def _plain_headers(headers: Headers | None) -> object:
    if isinstance(headers, SharedHeaders):
        return [headers, sorted(headers.differing)]
    return headers


def _parameters(values: Mapping[str, object] | int, headers: dict[str, str] | list[Any] | None = None) -> Parameters:
    made = Parameters()
    if not isinstance(values, int):
        # As items: one that a client calls "headers" is no header.
        for name, each in values.items():
            made[name] = bytes(cast("list[int]", each)) if isinstance(each, list) else each
    if isinstance(headers, list):
        # Those of several requests that are answered as one.
        shared, differing = headers
        made.headers = SharedHeaders(shared, differing)
    elif headers is not None:
        made.headers = Headers.of_lower(headers)
    return made


def pack_tensors(tensors: Sequence[TensorMetadata]) -> list[object]:
    """Return what JSON holds of a model's metadata."""
    return [(each.name, each.datatype, each.shape, _plain(each.parameters)) for each in tensors]


def unpack_tensors(packed: object) -> list[TensorMetadata]:
    """Return the metadata."""
    return [
        TensorMetadata(name, datatype, shape, _parameters(own))
        for name, datatype, shape, own in cast("list[Any]", packed)
    ]


def pack_metadata(metadata: ModelMetadataResponse) -> Bundle:
    """Return a model's metadata, in its form on the wire."""
    bundle = Bundle()
    bundle.add_bytes(bytes(metadata))
    return bundle


class WorkerCodeError(Exception):
    """What a model's code has raised in a worker; the text is its traceback there."""


class WorkerHttpError(WorkerCodeError):
    """The same of an exception that names a status of HTTP, for whoever answers with it.

    Attributes:
        status_code: the status.
        detail: the text, or what JSON holds.
        headers: those of the answer, ``None`` for none.
    """

    def __init__(self, trace: str, status: int, detail: object, headers: dict[str, str] | None) -> None:
        super().__init__(trace)
        self.status_code = status
        self.detail = detail
        self.headers = headers


_OWN: Final[Mapping[str, type[SrvError]]] = {
    name: found for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, SrvError)
}


def pack_error(error: BaseException) -> dict[str, object]:
    """Return the header of an error: of the project's own what clients see of it, of any other its traceback."""
    if not isinstance(error, SrvError):
        packed: dict[str, object] = {"traceback": _traceback(error)}
        status, detail = getattr(error, "status_code", None), getattr(error, "detail", None)
        if isinstance(status, int) and detail is not None:
            # As HTTP's exceptions are, in whatever framework.
            headers: object = getattr(error, "headers", None)
            packed["http"] = [int(status), _as_json(detail), _as_json(headers)]
        return packed
    # A subclass of the model's own is one of ours to the server.
    known = next(each for each in type(error).__mro__ if _OWN.get(each.__name__) is each)
    packed = {"class": known.__name__, "message": _text(error), "kind": error.kind.name}
    status = cast("object", error.status_code)
    if status is not None:
        # Whatever a model has put there, which is no status then.
        packed["status"] = int(status) if isinstance(status, int) else repr(status)
    if error.__cause__ is not None:
        packed["traceback"] = _traceback(error.__cause__)
    return packed


def unpack_error(packed: object) -> Exception:
    """Return the error that :func:`pack_error` has described."""
    found = cast("dict[str, Any]", packed)
    trace = found.get("traceback")
    cause = None if trace is None else WorkerCodeError(trace)
    if "http" in found:
        return WorkerHttpError(trace or "", *found["http"])
    if "class" not in found:
        return cause or WorkerCodeError("")
    kind = _OWN[found["class"]]
    error = kind.__new__(kind)
    SrvError.__init__(error, found["message"])
    if "status" in found:
        error.status_code = found["status"]
    if error.kind.name != found["kind"]:
        vars(error)["kind"] = ErrorKind[found["kind"]]
    error.__cause__ = cause
    return error


def _as_json(value: object) -> object:
    """Return what JSON can hold of a value."""
    try:
        return cast("object", json.loads(json.dumps(value, default=str)))
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _text(error: SrvError) -> str:
    try:
        return str(getattr(error, "message", error))
    except Exception:  # noqa: BLE001  # a model's exception whose __str__ fails
        return f"{type(error).__name__} (its text cannot be had)"


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
