# Generated from grpc/reflection/v1/reflection.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""Messages of grpc/reflection/v1/reflection.proto, package ``grpc.reflection.v1``."""

from __future__ import annotations

import betterproto2
from dataclasses import dataclass
from srv_protocol._message import Message

__all__ = [
    "ErrorResponse",
    "ExtensionNumberResponse",
    "ExtensionRequest",
    "FileDescriptorResponse",
    "ListServiceResponse",
    "ServerReflectionRequest",
    "ServerReflectionResponse",
    "ServiceResponse",
]


@dataclass(eq=False, repr=False)
class ServerReflectionRequest(Message):
    """``grpc.reflection.v1.ServerReflectionRequest``"""

    host: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    file_by_filename: str | None = betterproto2.field(
        3, betterproto2.TYPE_STRING, group="message_request", optional=True
    )
    """A .proto file, by its path."""

    file_containing_symbol: str | None = betterproto2.field(
        4, betterproto2.TYPE_STRING, group="message_request", optional=True
    )
    """The file that declares a service, method, message or other full name."""

    file_containing_extension: ExtensionRequest | None = betterproto2.field(
        5, betterproto2.TYPE_MESSAGE, group="message_request", optional=True
    )
    """The file that declares an extension."""

    all_extension_numbers_of_type: str | None = betterproto2.field(
        6, betterproto2.TYPE_STRING, group="message_request", optional=True
    )
    """The extension numbers of a message, by its full name."""

    list_services: str | None = betterproto2.field(7, betterproto2.TYPE_STRING, group="message_request", optional=True)
    """All services; the value means nothing."""


@dataclass(eq=False, repr=False)
class ExtensionRequest(Message):
    """``grpc.reflection.v1.ExtensionRequest``"""

    containing_type: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    extension_number: int = betterproto2.field(2, betterproto2.TYPE_INT32)


@dataclass(eq=False, repr=False)
class ServerReflectionResponse(Message):
    """``grpc.reflection.v1.ServerReflectionResponse``"""

    valid_host: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    original_request: ServerReflectionRequest | None = betterproto2.field(2, betterproto2.TYPE_MESSAGE, optional=True)

    file_descriptor_response: FileDescriptorResponse | None = betterproto2.field(
        4, betterproto2.TYPE_MESSAGE, group="message_response", optional=True
    )
    """To each of the requests for a file."""

    all_extension_numbers_response: ExtensionNumberResponse | None = betterproto2.field(
        5, betterproto2.TYPE_MESSAGE, group="message_response", optional=True
    )

    list_services_response: ListServiceResponse | None = betterproto2.field(
        6, betterproto2.TYPE_MESSAGE, group="message_response", optional=True
    )

    error_response: ErrorResponse | None = betterproto2.field(
        7, betterproto2.TYPE_MESSAGE, group="message_response", optional=True
    )


@dataclass(eq=False, repr=False)
class FileDescriptorResponse(Message):
    """``grpc.reflection.v1.FileDescriptorResponse``"""

    file_descriptor_proto: list[bytes] = betterproto2.field(1, betterproto2.TYPE_BYTES, repeated=True)
    """Serialised google.protobuf.FileDescriptorProto: the file and those that it imports."""


@dataclass(eq=False, repr=False)
class ExtensionNumberResponse(Message):
    """``grpc.reflection.v1.ExtensionNumberResponse``"""

    base_type_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    extension_number: list[int] = betterproto2.field(2, betterproto2.TYPE_INT32, repeated=True)


@dataclass(eq=False, repr=False)
class ListServiceResponse(Message):
    """``grpc.reflection.v1.ListServiceResponse``"""

    service: list[ServiceResponse] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class ServiceResponse(Message):
    """``grpc.reflection.v1.ServiceResponse``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Full name, with its package."""


@dataclass(eq=False, repr=False)
class ErrorResponse(Message):
    """``grpc.reflection.v1.ErrorResponse``"""

    error_code: int = betterproto2.field(1, betterproto2.TYPE_INT32)
    """A gRPC status code."""

    error_message: str = betterproto2.field(2, betterproto2.TYPE_STRING)
