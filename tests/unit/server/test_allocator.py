"""Memory that large requests have freed serves the next ones."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from srv._allocator import keep_freed_memory

# As large as a body, a copy of it and what is made of it.
FAULTS = """
import resource
import numpy as np
from srv._allocator import keep_freed_memory

def use():
    blocks = [np.empty(size << 20, np.uint8) for size in (2, 3, 4)]
    for block in blocks:
        block[:: 1 << 12] = 1

kept = keep_freed_memory()
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that does not mention the allocator."""
    for name in list(os.environ):
        if name.startswith(("MALLOC_", "GLIBC_")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.usefixtures("environ")
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt()")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    out = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True).stdout
    kept, faults = out.split()

    assert kept == "True"
    # One use of the three blocks touches 2,304 pages.
    assert int(faults) < 2304


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_who_has_set_the_allocator_up_is_heard(environ: pytest.MonkeyPatch, name: str) -> None:
    environ.setenv(name, "")
    assert not keep_freed_memory()


@pytest.mark.usefixtures("environ")
def test_other_c_libraries_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", type)
    assert not keep_freed_memory()
