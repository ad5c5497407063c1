"""Responses kept for requests that ask the same again."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from srv_codecs.digest import detach_shared_memory, digest_request
from srv_protocol.errors import SrvError
from srv_protocol.inference import Headers, InferOutputTensor, ModelInferResponse, Parameters, TensorData

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from srv.dataplane._options import RequestOptions
    from srv_protocol.inference import ModelInferRequest

SCHEDULING: Final = frozenset({"priority", "timeout"})
"""The parameters that say when a request is answered, and not with what."""
OVERHEAD: Final = 512
"""Bytes that an entry and each of its outputs count for, beside what is in them."""
_SCALARS: Final = (bool, int, float, str, bytes, type(None), np.generic)

_logger: Final = logging.getLogger("srv")


@dataclass(frozen=True, slots=True)
class _Output:
    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: Mapping[str, object]
    headers: Mapping[str, str] | None
    array: NDArray[np.generic] | None
    values: tuple[object, ...] | None


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A response that nobody else holds a part of; its arrays are read-only.

    Attributes:
        size: the bytes that it counts for.
    """

    model_name: str
    model_version: str
    parameters: Mapping[str, object]
    headers: Mapping[str, str] | None
    outputs: tuple[_Output, ...]
    size: int

    def respond(self, request_id: str) -> ModelInferResponse:
        """Return the response to another request: a new message, whose arrays are views."""
        return ModelInferResponse(
            model_name=self.model_name,
            model_version=self.model_version,
            id=request_id,
            parameters=_parameters(self.parameters, self.headers),
            outputs=[
                InferOutputTensor(
                    name=each.name,
                    datatype=each.datatype,
                    shape=list(each.shape),
                    parameters=_parameters(each.parameters, each.headers),
                    data=_thaw(each),
                )
                for each in self.outputs
            ],
        )


def keep_response(response: ModelInferResponse) -> CachedResponse | None:
    """Return a copy of a finished response, ``None`` if one of its outputs cannot be copied for certain.

    That is one of objects other than bytes and text, or one whose elements are in its protobuf contents only.
    """
    outputs: list[_Output] = []
    for tensor in response.outputs:
        data = _copy_data(tensor)
        if data is None:
            return None
        outputs.append(
            _Output(
                tensor.name,
                str(tensor.datatype),
                tuple(tensor.shape),
                dict(tensor.parameters),
                _copy_headers(tensor.parameters),
                *data,
            )
        )
    size = OVERHEAD * (1 + len(outputs)) + sum(map(_output_size, outputs))
    size += _held(response.parameters, response.parameters.headers)
    return CachedResponse(
        response.model_name,
        response.model_version,
        dict(response.parameters),
        _copy_headers(response.parameters),
        tuple(outputs),
        size,
    )


class ResponseCache:
    """The responses of all models of a server: those used least recently go first.

    Args:
        max_entries: how many there may be.
        max_bytes: how many bytes they may have in all.
        ttl: seconds for which one is used; ``None`` for as long as there is room.
        clock: the time in seconds.
    """

    def __init__(
        self, max_entries: int, max_bytes: int, ttl: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._ttl = ttl
        self._clock = clock
        self._entries: OrderedDict[tuple[int, bytes], tuple[CachedResponse, float]] = OrderedDict()
        self._bytes = 0
        self._loads = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The bytes of all entries."""
        return self._bytes

    def for_model(self) -> ModelCache:
        """Return the part of one load of a model; loaded again, it has another."""
        return ModelCache(self, next(self._loads))

    def get(self, load: int, digest: bytes) -> CachedResponse | None:
        """Return what is kept for a request, if it is not too old."""
        found = self._entries.get((load, digest))
        if found is None:
            return None
        response, made = found
        if self._ttl is not None and self._clock() - made >= self._ttl:
            self._remove((load, digest))
            return None
        self._entries.move_to_end((load, digest))
        return response

    def put(self, load: int, digest: bytes, response: CachedResponse) -> None:
        """Keep a response, unless it is larger than all may be; others go until there is room."""
        key = (load, digest)
        if key in self._entries:
            self._remove(key)
        if response.size > self._max_bytes or not self._max_entries:
            return
        while len(self._entries) >= self._max_entries or self._bytes + response.size > self._max_bytes:
            self._remove(next(iter(self._entries)))
        self._entries[key] = response, self._clock()
        self._bytes += response.size

    def has_room(self, response: ModelInferResponse) -> bool:
        """Whether a response's arrays alone are no more than all entries may be; larger ones need not be copied."""
        arrays = (tensor.data.array for tensor in response.outputs if tensor.has_data)
        return sum(array.nbytes for array in arrays if array is not None) <= self._max_bytes

    def drop(self, load: int) -> None:
        """Forget the responses of one load."""
        for key in [each for each in self._entries if each[0] == load]:
            self._remove(key)

    def _remove(self, key: tuple[int, bytes]) -> None:
        self._bytes -= self._entries.pop(key)[0].size


class ModelCache:
    """The responses of one load of a model. Nothing that goes wrong here fails a request: it is answered uncached."""

    def __init__(self, cache: ResponseCache, load: int) -> None:
        self._cache = cache
        self._load = load

    def digest(self, request: ModelInferRequest, options: RequestOptions) -> bytes | None:
        """Return under what a request's response is kept; ``None`` if it is not to be.

        Inputs in shared memory are copied into the request first: the client may change them meanwhile.
        """
        if options.sequence is not None:
            return None
        try:
            detach_shared_memory(request)
            return digest_request(request, SCHEDULING)
        except SrvError:
            return None  # the model's to judge
        except Exception:
            _logger.exception("model '%s': the request cannot be looked up in the cache", request.model_name)
            return None

    def find(self, digest: bytes) -> CachedResponse | None:
        """Return what is kept for a request."""
        return self._cache.get(self._load, digest)

    def copy(
        self, request: ModelInferRequest, headers: Headers | None, response: ModelInferResponse
    ) -> CachedResponse | None:
        """Return what can be kept of a finished response, before it is encoded; ``None`` for nothing.

        One that is too large is not copied. One with the request's own headers is not: they are those of one client.
        """
        given = response.parameters
        if given is request.parameters or (headers is not None and given.headers is headers):
            return None
        try:
            return keep_response(response) if self._cache.has_room(response) else None
        except Exception:
            _logger.exception("model '%s': the response cannot be kept in the cache", response.model_name)
            return None

    def keep(self, digest: bytes, response: CachedResponse) -> None:
        """Keep a response."""
        self._cache.put(self._load, digest, response)

    def close(self) -> None:
        """Forget all; the model has answered its last request."""
        self._cache.drop(self._load)


def _copy_data(tensor: InferOutputTensor) -> tuple[NDArray[np.generic] | None, tuple[object, ...] | None] | None:
    if not tensor.has_data:
        return None
    array, values = tensor.data.array, tensor.data.values
    # Python values are kept as such: 0.1 in a list is 0.1 in JSON, and 0.10000000149011612 in an FP32 array.
    frozen = None if values is None else _freeze(values)
    if values is not None and frozen is None:
        return None
    if array is None:
        return None, frozen
    if type(array) is not np.ndarray:
        return None
    if array.dtype == object and not set(map(type, array.ravel().tolist())) <= {bytes, str}:
        return None
    copied = np.array(array, order="C")
    copied.flags.writeable = False
    return copied, frozen


def _freeze(values: object) -> tuple[object, ...] | None:
    """Return a list, nested or not, as tuples of its scalars; ``None`` if it holds anything else."""
    if not isinstance(values, (list, tuple)):
        return None
    frozen: list[object] = []
    for each in cast("list[object]", values):
        item = each if _is_scalar(each) else _freeze(each)
        if item is None and each is not None:
            return None
        frozen.append(item)
    return tuple(frozen)


def _is_scalar(value: object) -> bool:
    return isinstance(value, _SCALARS)


def _thaw(output: _Output) -> TensorData:
    if output.values is None:
        assert output.array is not None  # noqa: S101  # one of both is always there
        return TensorData(_view(output.array))
    data = TensorData(_lists(output.values))
    if output.array is not None:
        data.array = _view(output.array)
    return data


def _view(array: NDArray[np.generic]) -> NDArray[np.generic]:
    return array[...]


def _lists(values: tuple[object, ...]) -> list[object]:
    return [_lists(cast("tuple[object, ...]", each)) if isinstance(each, tuple) else each for each in values]


def _parameters(values: Mapping[str, object], headers: Mapping[str, str] | None) -> Parameters:
    return Parameters(values, headers=None if headers is None else Headers(headers))


def _copy_headers(parameters: Parameters) -> Mapping[str, str] | None:
    return None if parameters.headers is None else dict(parameters.headers)


def _output_size(output: _Output) -> int:
    held = _held(output.parameters, output.headers)
    if output.values is not None:
        held += _tuple_size(output.values)
    if output.array is not None:
        held += output.array.nbytes
        held += sum(map(sys.getsizeof, output.array.ravel().tolist())) if output.array.dtype == object else 0
    return held


def _tuple_size(values: tuple[object, ...]) -> int:
    inner = (_tuple_size(cast("tuple[object, ...]", e)) if isinstance(e, tuple) else sys.getsizeof(e) for e in values)
    return sys.getsizeof(values) + sum(inner)


def _held(values: Mapping[str, object], headers: Mapping[str, str] | None) -> int:
    both: list[object] = [*values, *values.values(), *(headers or {}), *(headers or {}).values()]
    return sum(map(sys.getsizeof, both))
