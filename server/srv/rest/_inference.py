"""What a request for inference is to the REST front, whichever way it has come to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from srv._headers import find_header
from srv.rest._requests import check_given, compress_parts, decompress_body, encode_answer
from srv_codecs.rest import HEADER_LENGTH, OutputForms, decode_raw_request, decode_request, parse_header_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv._backend import Backend
    from srv.dataplane._timeline import Timeline
    from srv_protocol.inference import Headers, ModelInferRequest

_HEADER_LENGTH: Final = HEADER_LENGTH.lower()


def _is_zero(header_length: str) -> bool:
    """Whether the header may announce that there is no JSON; any other value is parsed with the JSON itself."""
    return not header_length.strip(" \t-0")


class Answer(NamedTuple):
    """A good answer, ready to be written.

    Attributes:
        parts: buffers of bytes; large ones are views of the runtime's arrays.
        media_type: that of the body.
        headers: those besides the body's type and length.
    """

    parts: Sequence[bytes | memoryview]
    media_type: str
    headers: list[tuple[str, str]]


class Inference:
    """Answers the requests to ``/v2/models/{name}[/versions/{version}]/infer``."""

    def __init__(self, backend: Backend) -> None:
        settings = backend.settings
        self._dataplane = backend.dataplane
        self._shared_memory = backend.shared_memory
        self._limit = settings.max_request_size
        self._gzip_enabled = settings.gzip_enabled
        self.nonfinite_as_null = settings.json_nonfinite == "null"

    async def receive(
        self, name: str, version: str, headers: Headers, body: memoryview
    ) -> tuple[ModelInferRequest, OutputForms]:
        """Return the request that a body holds, which may be compressed, and the form that it wants its outputs in.

        Raises:
            UnsupportedEncoding: it is compressed in a way that is not served.
            RequestTooLarge: it has more bytes than allowed once it is decompressed.
            InvalidInput, NotFound, Unsupported: as :func:`srv_codecs.rest.decode_request`.
        """
        if find_header(headers, "content-encoding"):
            body = await decompress_body(body, headers, self._limit)
        return self._read(name, version, headers, body)

    def _read(
        self, name: str, version: str, headers: Headers, body: memoryview
    ) -> tuple[ModelInferRequest, OutputForms]:
        header_length = find_header(headers, _HEADER_LENGTH)
        if not body:
            check_given(body, header_length)
        if header_length is not None and _is_zero(header_length) and not parse_header_length(header_length, len(body)):
            inputs, batched = self._dataplane.inputs(name, version)
            message, forms = decode_raw_request(body, inputs, name, batched=batched), OutputForms(default=True)
        else:
            message, forms = decode_request(body, header_length, model=name, regions=self._shared_memory)
        message.model_name, message.model_version = name, version
        return message, forms

    async def answer(self, name: str, version: str, headers: Headers, body: memoryview, times: Timeline) -> Answer:
        """Answer a request, all of whose bytes are there.

        Raises:
            As :meth:`receive` and :meth:`srv.dataplane._dataplane.DataPlane.infer`.
        """
        if find_header(headers, "content-encoding"):
            body = await decompress_body(body, headers, self._limit)
        message, forms = self._read(name, version, headers, body)
        encode = partial(encode_answer, forms=forms, nonfinite_as_null=self.nonfinite_as_null)
        encoded, sent = await self._dataplane.infer(message, headers, times, encode)
        if not self._gzip_enabled or not find_header(headers, "accept-encoding"):
            return Answer(encoded.parts, encoded.content_type, sent)
        parts, sent = await compress_parts(encoded.parts, sent, headers)
        return Answer(parts, encoded.content_type, sent)
