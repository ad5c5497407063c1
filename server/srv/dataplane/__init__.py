"""The data plane: what becomes of a request between a front and a runtime. No I/O."""
