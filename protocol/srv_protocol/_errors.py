"""The errors of the project, in one tree.

    SrvError
    ├── InvalidInput              what the client sent is wrong
    │   ├── WireError             bytes that are no protobuf message, or values that cannot become one
    │   ├── CodecError            a tensor that cannot be presented as asked
    │   │   └── CodecNotFound     a content type or type hint that nobody registered
    │   ├── InputsNotFound        an input is missing, or was not asked for
    │   └── OutputNotFound        a requested output does not exist
    ├── RequestTooLarge           a request beyond ``max_request_size``
    ├── AlreadyExists             a name that is taken
    ├── ModelNotFound             no such model or version
    ├── NotFound                  something else that the client names and that is not there
    ├── Unavailable               there is no answer now, and nobody has begun to make one
    │   ├── ModelNotReady         the model exists and cannot answer yet
    │   ├── QueueFull             more requests wait for a model than may
    │   └── QueueTimeout          a request waited for its model for longer than it may
    ├── DeadlineExceeded          a request ran for longer than it may
    ├── LoadError                 a model could not be loaded
    │   └── InvalidModelURI       its artefacts are not where its settings say
    ├── InferenceError            the runtime answered something that is no valid response
    ├── WorkerFailed              the process that ran the model's code has ended before it answered
    ├── MetricError               a model's code registers a metric wrongly, or counts with it so
    │   └── InvalidModelContext   it counts where no model's code runs
    ├── Unsupported               a call that this server does not serve
    │   └── UnsupportedEncoding   a content encoding that it does not have
    └── SettingsError             a settings file or environment variable is wrong

They know nothing of HTTP or gRPC: ``kind`` says what went wrong, and the server's one status table says what
each protocol calls it. Only the author of a runtime may name a status, as MLServer's errors have it.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class ErrorKind(enum.Enum):
    """What went wrong, in the words of the gRPC status codes (without being one)."""

    INVALID_ARGUMENT = "invalid argument"
    NOT_FOUND = "not found"
    ALREADY_EXISTS = "already exists"
    TOO_LARGE = "too large"
    UNAVAILABLE = "unavailable"
    DEADLINE_EXCEEDED = "deadline exceeded"
    UNSUPPORTED = "unsupported"
    INTERNAL = "internal"


class SrvError(Exception):
    """Base of every error that the project raises on purpose; its message may be shown to the client.

    Attributes:
        kind: what went wrong, which gives the status.
        status_code: the HTTP status, 400 to 599, that whoever raises it wants instead; ``None`` leaves it to `kind`.
            A subclass may set it for all of its errors.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INVALID_ARGUMENT
    status_code: int | None = None

    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if status_code is not None:
            self.status_code = int(status_code)


class InvalidInput(SrvError):
    """The client's request is wrong; the message names the place, what was expected and what came."""


class WireError(InvalidInput):
    """Bytes that are no valid protobuf message, or a message whose values have no wire form."""


class CodecError(InvalidInput):
    """A tensor or request cannot be decoded or encoded as its content type asks."""


class CodecNotFound(CodecError):
    """No codec is registered for a content type or a type hint."""


class InputsNotFound(InvalidInput):
    """A request lacks an input of the model, or has one that the model does not know."""


class OutputNotFound(InvalidInput):
    """A request asks for an output that the model does not give."""


class RequestTooLarge(SrvError):
    """A request is larger than the server accepts."""

    kind = ErrorKind.TOO_LARGE


class AlreadyExists(SrvError):
    """A name that the client wants to give is taken."""

    kind = ErrorKind.ALREADY_EXISTS


class NotFound(SrvError):
    """Something that the client names, other than a model, does not exist."""

    kind = ErrorKind.NOT_FOUND


class ModelNotFound(SrvError):
    """No model of that name, no such version of it, or none that is loaded."""

    kind = ErrorKind.NOT_FOUND

    def __init__(self, name: str, version: str | None = "", detail: str = "is not found") -> None:
        self.name = name
        self.version = version or ""
        self.detail = detail
        of_version = f" version {version}" if version else ""
        super().__init__(f"Request for unknown model: '{name}'{of_version} {detail}")

    def __reduce__(self) -> tuple[object, ...]:
        # An exception is pickled by its message, which is not what the constructor takes.
        return type(self), (self.name, self.version, self.detail), self.__dict__


class Unavailable(SrvError):
    """There is no answer now, and nobody has begun to make one: whoever asks may ask again."""

    kind = ErrorKind.UNAVAILABLE


class ModelNotReady(Unavailable):
    """The model is registered and cannot answer yet: it is loading."""


class QueueFull(Unavailable):
    """As many requests as may wait for a model are waiting already."""


class QueueTimeout(Unavailable):
    """A request has waited for its model for as long as it may; the model has not seen it."""


class DeadlineExceeded(SrvError):
    """A request has taken as long as it may; its work is cancelled where that is possible."""

    kind = ErrorKind.DEADLINE_EXCEEDED


class LoadError(SrvError):
    """A model could not be loaded; the message says which and why."""


class InvalidModelURI(LoadError):
    """A model's artefacts are not where its settings say."""


class InferenceError(SrvError):
    """A runtime returned something that is not a valid inference response: a fault of the model, not the client."""

    kind = ErrorKind.INTERNAL


class WorkerFailed(SrvError):
    """The process that a model's code ran in has ended before the request was answered; it may have been begun."""

    kind = ErrorKind.INTERNAL


class MetricError(SrvError):
    """A metric cannot be registered, or counted with, as a model's code asks: a fault of the model, not the client."""

    kind = ErrorKind.INTERNAL


class InvalidModelContext(MetricError):
    """Something that belongs to a model is asked for where no model's code runs."""


class Unsupported(SrvError):
    """A call, or a form of one, that this server does not serve."""

    kind = ErrorKind.UNSUPPORTED


class UnsupportedEncoding(Unsupported):
    """A body in a content encoding that this server does not have."""


class SettingsError(SrvError):
    """A setting is wrong; the message names the file or environment variable."""
