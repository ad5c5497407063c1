"""Bytes <-> messages <-> arrays.

The middle layer: ``srv_protocol`` <- ``srv_codecs`` <- ``srv``. It does no I/O.

    rest            V2 bodies of HTTP: JSON with an optional binary tail
    grpc            raw and typed contents of gRPC messages
    content_types   how tensors and requests are presented to a runtime: numpy, text, pandas, Arrow, ...
    hints           a typed ``predict``: hints -> codecs, resolved once
"""
