"""When two requests ask the same."""

from __future__ import annotations

from srv_codecs._digest import FORM_PARAMETERS, detach_shared_memory, digest_request

__all__ = ["FORM_PARAMETERS", "detach_shared_memory", "digest_request"]
