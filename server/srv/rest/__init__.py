"""The REST front: Litestar routes that move bytes between sockets and the data plane."""
