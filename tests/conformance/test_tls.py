"""tritonclient over TLS: REST and gRPC, both kinds of each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from certificates import Certificates
from serving import MODELS

if TYPE_CHECKING:
    from types import ModuleType

    from certificates import Pair
    from serving import Serve, Server

# 512 KiB: aiohttp warns of more than 1 MiB.
ARRAY = np.arange(1 << 17, dtype=np.int32)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority, and the server's certificate."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def client_pair(certificates: Certificates) -> Pair:
    """Return a client's certificate."""
    return certificates.make("client", "client")


@pytest.fixture(scope="module")
def mutual(serve_module: Serve, certificates: Certificates) -> Server:
    """Return a server whose clients need a certificate."""
    settings = certificates.settings(ssl_ca_certs=certificates.authority)
    return serve_module(MODELS / "shared", **settings).wait_started()


def tensor(triton: ModuleType) -> Any:
    made = triton.InferInput("x", list(ARRAY.shape), "INT32")
    made.set_data_from_numpy(ARRAY)
    return made


def check(answer: Any) -> None:
    assert np.array_equal(answer.as_numpy("x"), ARRAY)


def grpc_options(certificates: Certificates, pair: Pair) -> dict[str, Any]:
    return {
        "ssl": True,
        "root_certificates": str(certificates.authority),
        "private_key": str(pair.key),
        "certificate_chain": str(pair.certificate),
    }


def test_http(mutual: Server, certificates: Certificates, client_pair: Pair) -> None:
    """The client of the gevent kind, which has its own names for what it needs."""
    options = {"ca_certs": certificates.authority, "certfile": client_pair.certificate, "keyfile": client_pair.key}
    made = triton_http.InferenceServerClient(mutual.http_address, ssl=True, ssl_options=options)
    with made as client:
        assert client.is_server_ready()
        check(client.infer("identity", [tensor(triton_http)]))


def test_http_aio(mutual: Server, certificates: Certificates, client_pair: Pair) -> None:
    """The client of the asyncio kind."""

    async def run() -> None:
        context = certificates.client_context(client_pair)
        made = triton_http_aio.InferenceServerClient(mutual.http_address, ssl=True, ssl_context=context)
        async with made as client:
            check(await client.infer("identity", [tensor(triton_http)]))

    asyncio.run(run())


def test_grpc(mutual: Server, certificates: Certificates, client_pair: Pair) -> None:
    """The client of the blocking kind."""
    options = grpc_options(certificates, client_pair)
    with triton_grpc.InferenceServerClient(mutual.grpc_address, **options) as client:
        assert client.is_server_ready()
        check(client.infer("identity", [tensor(triton_grpc)]))


def test_grpc_aio(mutual: Server, certificates: Certificates, client_pair: Pair) -> None:
    """The client of the asyncio kind."""

    async def run() -> None:
        options = grpc_options(certificates, client_pair)
        async with triton_grpc_aio.InferenceServerClient(mutual.grpc_address, **options) as client:
            check(await client.infer("identity", [tensor(triton_grpc)]))

    asyncio.run(run())
