"""What the supervisor and the server processes say to each other."""

from __future__ import annotations

import msgspec

from srv._changes import Change  # noqa: TC001  # msgspec reads the types
from srv._report import ReportLine  # noqa: TC001  # as above


class Begin(msgspec.Struct, frozen=True):
    """Make a server and load its models.

    Attributes:
        root: the folder that is served; settings are read from it.
        rest: the descriptor of the listening socket of REST, `grpc` that of gRPC.
        opens_first: whether to accept connections before the models are loaded.
        changes: what clients have changed, to be made behind the load.
    """

    root: str
    reload: bool
    rest: int
    grpc: int
    opens_first: bool
    changes: list[Change]


class Begun(msgspec.Struct, frozen=True):
    """What has been loaded.

    Attributes:
        lines: what is shown of the models.
        failure: why there is nothing to serve; ``""`` if there is.
    """

    lines: list[ReportLine]
    failure: str


class Stop(msgspec.Struct, frozen=True):
    """End; `replaced` by another process, which has the ports already."""

    replaced: bool = False


class Ask(msgspec.Struct, frozen=True):
    """Ask for the statistics of a model's versions."""

    name: str
    version: str
