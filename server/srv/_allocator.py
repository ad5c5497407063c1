"""The C library's allocator, set up for requests of some MiB that come again and again."""

from __future__ import annotations

import ctypes
import os
from typing import Final

# From glibc's malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
# What glibc itself goes up to, once blocks of that size have been freed. Larger ones go back to the system at once.
_LARGEST_IN_HEAP: Final = 32 << 20
# 256 MiB save no more time.
_KEPT: Final = 64 << 20
# Whoever sets one of these knows better.
_ENVIRONMENT: Final = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let glibc keep up to 64 MiB that have been freed at the end of its heap; return whether it does.

    It would return them to the system behind each large request, and the next one would get them back page by page,
    each filled with zeros.
    """
    if any(name in os.environ for name in _ENVIRONMENT):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another C library, or another system
        return False
    return all(mallopt(*option) for option in ((_M_MMAP_THRESHOLD, _LARGEST_IN_HEAP), (_M_TRIM_THRESHOLD, _KEPT)))
