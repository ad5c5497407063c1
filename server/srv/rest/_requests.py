"""What the routes have in common: how they read requests, and answer with JSON or buffers.

Litestar's own body parsing stays out of it: media types say nothing here, and bodies are large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Response

from srv._headers import received_headers, response_headers
from srv._offload import off_loop
from srv.rest._body import BuffersResponse, read_body
from srv.rest._sse import Event
from srv_codecs.compression import IDENTITY, choose_encoding, compress, decompress
from srv_codecs.rest import HEADER_LENGTH, encode_response
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from srv.dataplane._timeline import Timeline
    from srv.rest._errors import AnyRequest
    from srv_codecs.rest import EncodedBody, OutputForms
    from srv_protocol.inference import ModelInferResponse

OK: Final = 200
"""POST's default status would be 201, which tritonclient takes for an error."""
_JSON: Final = "application/json"


def json_response(content: object) -> Response[bytes]:
    """Return a response that is JSON."""
    return Response(msgspec.json.encode(content), media_type=_JSON)


def path_model(request: AnyRequest) -> tuple[str, str]:
    """Return the name and the version, ``""`` for none, that the path has; a query has no say."""
    parameters: Mapping[str, str] = request.path_params
    return parameters["name"], parameters.get("version", "")


def request_headers(request: AnyRequest) -> Headers:
    """Return the headers of a request, as :func:`decode_headers` does."""
    return decode_headers([*request.scope["headers"]])


def decode_headers(pairs: Collection[tuple[bytes, bytes]]) -> Headers:
    """Return headers by name; bytes beyond ASCII are Latin-1 (RFC 9110, section 5.5).

    Raises:
        InvalidInput: as :func:`srv._headers.received_headers`.
    """
    # The server has the names in lower case. One that came twice needs a closer look.
    plain = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(plain) == len(pairs):
        return Headers.of_lower(plain)
    return received_headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)


def json_event(response: ModelInferResponse, *, forms: OutputForms, nonfinite_as_null: bool) -> Event:
    """Return a response as an event of V2 JSON without binary data.

    Raises:
        As :func:`srv._headers.response_headers` and :func:`srv_codecs.rest.encode_response`.
    """
    sent = response_headers(response.parameters.headers, response.model_name)
    body = encode_response(response, forms, nonfinite_as_null=nonfinite_as_null)
    return Event(bytes(body.parts[0]), sent)


def encode_answer(
    response: ModelInferResponse, *, forms: OutputForms, nonfinite_as_null: bool
) -> tuple[EncodedBody, list[tuple[str, str]]]:
    """Return a response as V2 JSON with its binary data, and the headers that go with it.

    Raises:
        As :func:`json_event`.
    """
    sent = response_headers(response.parameters.headers, response.model_name)
    body = encode_response(response, forms, nonfinite_as_null=nonfinite_as_null)
    if body.header_length is not None:
        sent.append((HEADER_LENGTH, str(body.header_length)))
    return body, sent


async def buffers_response(
    parts: Sequence[bytes | memoryview],
    media_type: str,
    sent: list[tuple[str, str]],
    headers: Headers,
    times: Timeline,
    *,
    gzip_enabled: bool,
) -> BuffersResponse:
    """Return a response of buffers, compressed if the settings allow it and the client takes it.

    Args:
        parts: buffers of bytes.
        media_type: that of the body.
        sent: headers of the response.
        headers: those of the request.
        times: of the request.
        gzip_enabled: whether responses may be compressed.
    """
    if gzip_enabled:
        parts, sent = await compress_parts(parts, sent, headers)
    size = sum(map(len, parts))
    return BuffersResponse(parts, size=size, media_type=media_type, headers=sent, times=times)


async def compress_parts(
    parts: Sequence[bytes | memoryview], sent: list[tuple[str, str]], headers: Headers
) -> tuple[Sequence[bytes | memoryview], list[tuple[str, str]]]:
    """Return a body's buffers, compressed if the client takes it, and the response's headers, which say so."""
    if "accept-encoding" not in headers:
        return parts, sent
    encoding = choose_encoding(headers.get("accept-encoding"))
    if encoding == IDENTITY:
        return parts, sent
    compressed = await off_loop(sum(map(len, parts)), compress, parts, encoding)
    return compressed, [*sent, ("content-encoding", encoding)]


def check_given(body: memoryview, header_length: str | None) -> None:
    """Check that there is a request for inference: a body, or a header that says of what an empty one consists.

    Raises:
        InvalidInput: there is neither.
    """
    if not body and header_length is None:
        raise InvalidInput("the request body is empty; expected an inference request")


async def read_encoded_body(request: AnyRequest, headers: Headers, times: Timeline, limit: int) -> memoryview:
    """Return the body of a request that may be compressed; it may be empty.

    Raises:
        UnsupportedEncoding: it is compressed in a way that is not served.
        InvalidInput, RequestTooLarge, ClientDisconnectedError: as :func:`srv.rest._body.read_body`.
    """
    body = await read_body(request, limit, headers.get("content-length"))
    times.mark_received()
    return await decompress_body(body, headers, limit)


async def decompress_body(body: memoryview, headers: Headers, limit: int) -> memoryview:
    """Return a body that may be compressed as its headers say, itself if it is not.

    Raises:
        UnsupportedEncoding: it is compressed in a way that is not served.
        InvalidInput, RequestTooLarge: as :func:`srv_codecs.compression.decompress`.
    """
    encoding = headers.get("content-encoding") or IDENTITY
    return body if encoding == IDENTITY else await off_loop(len(body), decompress, body, encoding, limit)


async def read_plain_body(request: AnyRequest, limit: int) -> memoryview:
    """Return the body of a request that may not be compressed, as inference may; it may be empty.

    Raises:
        InvalidInput: it is compressed, or as :func:`srv.rest._body.read_body`.
        RequestTooLarge, ClientDisconnectedError: as there.
    """
    body = await read_body(request, limit, request.headers.get("content-length"))
    # Nothing has no encoding, whatever a client sends with all of its requests.
    if body and request.headers.get("content-encoding", IDENTITY).strip().lower() not in {"", IDENTITY}:
        raise InvalidInput(f"Unsupported content-encoding, only '{IDENTITY}' is supported.")
    return body
