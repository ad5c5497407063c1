"""Sockets to a server."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

from srv.client._errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv.client._deadline import Deadline
    from srv.client._endpoint import Endpoint
    from srv.client._options import Options

ALPN: Final = {"http": "http/1.1", "grpc": "h2"}
# Buffers of one call of the system; Linux takes 1024.
_MOST: Final = 512


def tls_context(endpoint: Endpoint, given: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return what the connections to an endpoint are encrypted with; ``None`` for an endpoint without TLS.

    A context that is given is used as it is, but for its protocols (ALPN).
    """
    if not endpoint.tls:
        return None
    context = given or ssl.create_default_context()
    context.set_alpn_protocols([ALPN[endpoint.protocol]])
    return context


def refused(endpoint: Endpoint, error: OSError) -> ConnectError:
    """Return the error of a connection that cannot be made."""
    return ConnectError(f"no connection to {endpoint.url}: {error.strerror or error}")


def too_slow(endpoint: Endpoint, seconds: float) -> ConnectError:
    """Return the error of a connection that takes too long."""
    return ConnectError(f"no connection to {endpoint.url} within {seconds:g} s (connect_timeout)")


def connect(options: Options, deadline: Deadline) -> socket.socket:
    """Return a new connection.

    Raises:
        ConnectError: there is none, or not within ``connect_timeout``.
        DeadlineExceeded: the call's time is over before that.
    """
    endpoint, context, timeout = options.endpoint, options.tls, options.connect_timeout
    seconds = deadline.left(timeout)
    try:
        if endpoint.path:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                made.settimeout(seconds)
                made.connect(endpoint.path)
            except BaseException:
                made.close()
                raise
            return made
        made = socket.create_connection((endpoint.host, endpoint.port), seconds)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made if context is None else context.wrap_socket(made, server_hostname=endpoint.host)
        except BaseException:
            made.close()
            raise
    except TimeoutError:
        deadline.left()  # which raises, if it is the call's time that is over
        raise too_slow(endpoint, timeout or 0.0) from None
    except OSError as error:
        raise refused(endpoint, error) from None


def send_all(connection: socket.socket, parts: Sequence[bytes | memoryview], deadline: Deadline) -> None:
    """Send buffers, one behind the other.

    Raises:
        OSError: the connection has ended, or it takes too long.
        DeadlineExceeded: the call's time is over.
    """
    if isinstance(connection, ssl.SSLSocket):
        # It has no way to send several.
        for part in parts:
            deadline.arm(connection)
            connection.sendall(part)
        return
    left = list(parts)
    while left:
        deadline.arm(connection)
        sent = connection.sendmsg(left[:_MOST])
        while left and sent >= len(left[0]):
            sent -= len(left.pop(0))
        if sent:
            left[0] = memoryview(left[0])[sent:]
