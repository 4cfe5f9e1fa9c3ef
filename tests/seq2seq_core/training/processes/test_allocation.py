from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from seq2seq_core.training.processes.allocation import keep_freed_memory

SCRIPT = """
import resource, numpy as np
from seq2seq_core.training.processes.allocation import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(1 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
given_back = faults()
assert keep_freed_memory()
faults()
print(given_back, faults())
"""


def test_memory_that_is_kept_comes_without_page_faults() -> None:
    if not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        pytest.skip("the C library is not glibc")
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    given_back, kept = map(int, done.stdout.split())
    assert kept < 200 < given_back


def test_another_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not keep_freed_memory()
