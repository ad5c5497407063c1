"""gRPC on a connection of our own: frames to messages to handlers, and back, without grpclib's transport."""
