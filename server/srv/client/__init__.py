"""A client of inference servers that speak the Open Inference Protocol (V2), over REST and gRPC.

    from srv.client import Client

    with Client("http://localhost:8080") as client:
        y = client.infer("sum", {"x": array})["y"]

``AsyncClient`` is the same for asyncio. Nothing of the server is imported, nor pandas or Arrow before they are needed.
"""

from __future__ import annotations

from srv.client._answer import Answer
from srv.client._async_client import AsyncClient
from srv.client._client import Client
from srv.client._errors import ConnectError, ConnectionLost, ServerError
from srv.client._inputs import Input
from srv.client._retry import Retry

__all__ = ["Answer", "AsyncClient", "Client", "ConnectError", "ConnectionLost", "Input", "Retry", "ServerError"]
