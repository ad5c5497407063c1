"""Sockets that the fronts listen on: TCP ports, or files."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from srv._settings import Settings

# uvicorn's.
_BACKLOG: Final = 2048
_logger: Final = logging.getLogger("srv")


class Address(NamedTuple):
    """Where a front listens; `url` as clients write it."""

    front: str
    url: str


class Listeners:
    """The sockets of a server's fronts.

    Attributes:
        rest: that of the REST front; `grpc` that of gRPC.
        metrics: that of the metrics, if this process serves them.
        addresses: where they listen.
    """

    def __init__(self, rest: socket.socket, grpc: socket.socket, metrics: socket.socket | None = None) -> None:
        self.rest = rest
        self.grpc = grpc
        self.metrics = metrics
        self.addresses: list[Address] = []
        self._files: list[SocketFile] = []

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Listen where settings say.

        Raises:
            SettingsError: an address cannot be taken.
        """
        secure = "http" if settings.ssl_certfile is None else "https"
        fronts = [
            ("REST", "http", settings.http_port, settings.http_uds, f"{secure}://"),
            ("gRPC", "grpc", settings.grpc_port, settings.grpc_uds, ""),
        ]
        if settings.metrics_endpoint:
            fronts.append(("metrics", "metrics", settings.metrics_port, None, "http://"))
        sockets: list[socket.socket] = []
        addresses: list[Address] = []
        files: list[SocketFile] = []
        try:
            for front, prefix, port, path, scheme in fronts:
                try:
                    if path is None:
                        listener = listen_tcp(settings.host, port)
                        url = f"{scheme}{_shown(settings.host)}:{listener.getsockname()[1]}"
                    else:
                        listener, file = listen_unix(path)
                        files.append(file)
                        url = file.url
                except (OSError, UnicodeError) as error:
                    place, setting = (f"{settings.host}:{port}", "port") if path is None else (f"unix:{path}", "uds")
                    raise SettingsError(
                        f"{front} cannot listen on {place} ({prefix}_{setting}): "
                        f"{getattr(error, 'strerror', None) or error}"
                    ) from None
                sockets.append(listener)
                addresses.append(Address(front, url))
        except SettingsError:
            _remove(files)
            for listener in sockets:
                listener.close()
            raise
        made = cls(*sockets)
        made.addresses, made._files = addresses, files
        return made

    def remove_files(self) -> None:
        """Free the names of the sockets that are files; what cannot be removed is logged."""
        _remove(self._files)

    def close(self) -> None:
        """Close the sockets; other processes that have them go on."""
        for each in (self.rest, self.grpc, self.metrics):
            if each is not None:
                each.close()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _remove(files: list[SocketFile]) -> None:
    for file in files:
        try:
            file.remove()
        except OSError as error:
            _logger.warning("%s cannot be removed: %s", file.url, error.strerror)


def listen_tcp(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a port; 0 takes a free one.

    Raises:
        OSError: the address cannot be taken.
        ValueError: the host is no name.
    """
    # Of a name with several addresses, such as localhost, the first of IPv4 is taken.
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        return _listening(listener)
    except BaseException:
        listener.close()
        raise


def listen_unix(path: str) -> tuple[socket.socket, SocketFile]:
    """Return a socket that listens on a file, and the file, which has the mode that the umask gives it.

    A file that a server has left which is gone is replaced.

    Raises:
        OSError: there is another file, or a server that listens on it; or the file cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            listener.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            _remove_left(path)
            listener.bind(path)
        file = SocketFile(path)
        try:
            return _listening(listener), file
        except BaseException:
            file.remove()
            raise
    except BaseException:
        listener.close()
        raise


def _listening(listener: socket.socket) -> socket.socket:
    # Now rather than later: two binds of one port succeed, and one of their listens would fail unseen.
    listener.listen(_BACKLOG)
    listener.setblocking(False)  # noqa: FBT003  # the socket module's own signature
    return listener


def _remove_left(path: str) -> None:
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise FileExistsError(errno.EEXIST, "there is a file of this name, and it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A server with a full backlog would make it wait.
        probe.setblocking(False)  # noqa: FBT003  # as above
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108  # as the socket module has it: a path of text
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, "another server listens there")


class SocketFile:
    """The file of a socket that listens."""

    def __init__(self, path: str) -> None:
        # A model may change the current folder.
        self._path = Path(path).absolute()
        self._identity = self._identify()

    @property
    def url(self) -> str:
        """The address as clients of gRPC write it."""
        return f"unix:{self._path}"

    def remove(self) -> None:
        """Remove the file, unless it is gone, or another server's by now. Do it before the socket is closed."""
        # While the socket is open, no other file can have its inode.
        if self._identify() == self._identity:
            self._path.unlink(missing_ok=True)

    def _identify(self) -> tuple[int, int] | None:
        try:
            found = self._path.lstat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
