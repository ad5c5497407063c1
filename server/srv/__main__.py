"""``python -m srv``, the same as the command ``srv``."""

from __future__ import annotations

from srv.cli import main

main(prog_name="srv")
