"""What is on the wire: messages, datatypes, errors.

The lowest layer: ``srv_protocol`` <- ``srv_codecs`` <- ``srv``; it imports neither of the others and does no I/O.

    proto/          the .proto files and the overlay: the single source of the wire
    _gen/           messages, gRPC services, JSON views and descriptors, written by ``nox -s codegen``
    inference       the messages of the Open Inference Protocol, by their protobuf names
    health, reflection, model_repository    messages and service bases of the other gRPC services
    message         what all messages have in common
    datatypes       the one table of tensor datatypes
    errors          the one tree of errors
"""
