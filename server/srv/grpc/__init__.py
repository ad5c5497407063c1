"""The gRPC front: grpclib services that move messages between connections and the data plane."""
