from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse

if TYPE_CHECKING:
    from collections.abc import Callable


class Moody(MLModel):
    """Becomes unready while it answers, and ready again when the port that it was given closes the connection."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Say that it is not ready."""
        import threading

        self.ready = False
        connection = socket.create_connection(("127.0.0.1", int(str(payload.parameters["port"]))))
        threading.Thread(target=_wait, args=(connection, self._recover)).start()
        return InferenceResponse(outputs=[])

    def _recover(self) -> None:
        self.ready = True


def _wait(connection: socket.socket, then: Callable[[], None]) -> None:
    with connection:
        connection.recv(1)
        then()
