"""``python -m srv_codegen [--check]``: write the generated code, or say what is stale."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from srv_codegen._generate import generate, stale, write
from srv_codegen._overlay import OverlayError
from srv_codegen._parse import UnsupportedProtoError
from srv_codegen._protoc import ProtocError

_ROOT: Final = Path("protocol", "srv_protocol")


def main() -> int:
    """Run the command from the root of a checkout; return its exit status."""
    parser = argparse.ArgumentParser(prog="srv_codegen", description="Compile the .proto files.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the committed code is stale")
    parser.add_argument("--proto", type=Path, default=_ROOT / "proto", help="folder of the .proto files")
    parser.add_argument("--out", type=Path, default=_ROOT / "_gen", help="folder of the generated code")
    options = parser.parse_args()
    try:
        texts = generate(options.proto)
    except (OverlayError, ProtocError, UnsupportedProtoError) as error:
        print(f"srv_codegen: {error}", file=sys.stderr)
        return 2
    outdated = stale(texts, options.out)
    if options.check:
        if outdated:
            print(f"Generated code is stale: {', '.join(outdated)}. Run `nox -s codegen`.", file=sys.stderr)
        return 1 if outdated else 0
    write(texts, options.out)
    print(f"{len(texts)} modules, {len(outdated)} changed: {', '.join(outdated) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
