"""The server's side of an HTTP/2 connection (RFC 9113), without I/O: bytes in, events out; calls in, bytes out."""
