"""Several requests as one, and the one response to it as one for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from srv.batching._headers import SharedHeaders, share_headers
from srv_codecs.arrays import output_place
from srv_codecs.rows import join_rows, parameters_key, row_key, split_rows
from srv_protocol.errors import InferenceError
from srv_protocol.inference import InferRequestedOutputTensor, ModelInferRequest, ModelInferResponse, Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

Key: TypeAlias = tuple[object, ...]
"""What requests have to agree in to be answered together."""

SCHEDULING: Final = frozenset({"priority", "timeout"})
"""The request parameters that say when it is answered, and not with what."""
_NO_PARAMETERS: Final = parameters_key(Parameters())


def batch_key(request: ModelInferRequest) -> Key | None:
    """Return what requests agree in that may be answered together; ``None`` for one that is answered alone.

    That is the version asked for, the inputs in their order, all but the number of their rows, the requested outputs,
    and the parameters but for those of scheduling. Answered alone is a request that has no inputs, or whose inputs
    have no rows, or not the same number of them, or are in no form that can be joined.
    """
    inputs = request.inputs
    if not inputs:
        return None
    if len(inputs) == 1:
        first = row_key(inputs[0])
        if first is None:
            return None
        key: Key = (request.model_version, first)
    else:
        keys = [row_key(each) for each in inputs]
        if None in keys or len({each.shape[0] for each in inputs}) != 1:
            return None
        key = (request.model_version, *keys)
    parameters = parameters_key(request.parameters, SCHEDULING) if len(request.parameters) else _NO_PARAMETERS
    if parameters != _NO_PARAMETERS or request.outputs:
        key += (parameters, *((each.name, parameters_key(each.parameters)) for each in request.outputs))
    return key


def join_requests(requests: Sequence[ModelInferRequest], rows: int, *, with_headers: bool) -> ModelInferRequest:
    """Return one request of the inputs of several that share a :func:`batch_key`, and have `rows` in all.

    It is a copy, arrays included: a runtime that writes into it does not change them. It has no id, and for headers
    those that the requests have in common, or with `with_headers` false none.
    """
    first = requests[0]
    kept = {name: value for name, value in first.parameters.items() if name not in SCHEDULING}
    headers = share_headers([each.parameters.headers for each in requests]) if with_headers else None
    joined = ModelInferRequest(first.model_name, first.model_version, parameters=Parameters(kept, headers=headers))
    joined.outputs = [InferRequestedOutputTensor(each.name, Parameters(each.parameters)) for each in first.outputs]
    joined.inputs = [join_rows([each.inputs[index] for each in requests], rows) for index in range(len(first.inputs))]
    return joined


def split_response(response: object, counts: Sequence[int]) -> list[ModelInferResponse]:
    """Return a batch's response as one for each of its requests, which have as many rows as `counts` says.

    Arrays are views; parameters are copied to each, of the response and of its outputs.

    Raises:
        InferenceError: it is no response, hands on the requests' headers, or has an output without the batch's rows.
        Exception: an output is none.
    """
    if not isinstance(response, ModelInferResponse):
        raise InferenceError(f"expected an inference response, got {type(response).__name__}")
    if isinstance(response.parameters.headers, SharedHeaders):
        raise InferenceError("parameters.headers: expected headers of the response, got those of the requests")
    outputs = [
        split_rows(output, counts, output_place(index, output.name)) for index, output in enumerate(response.outputs)
    ]
    return [
        ModelInferResponse(
            response.model_name,
            response.model_version,
            parameters=Parameters(response.parameters),
            outputs=[each[index] for each in outputs],
        )
        for index in range(len(counts))
    ]


def bytes_of(requests: Sequence[ModelInferRequest]) -> int:
    """Return how many bytes there are to copy in the arrays of some requests."""
    datas = [tensor.data for request in requests for tensor in request.inputs]
    return sum(len(each) if each.array is None else each.array.nbytes for each in datas)
