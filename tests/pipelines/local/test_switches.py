from __future__ import annotations

import subprocess
import sys

import pytest

from pipelines.local import switches

KEEP = """
import pyarrow as pa
from pipelines.local import switches

switches.keep_memory()
assert pa.default_memory_pool().backend_name == "system"
"""


def test_memory_is_the_system_s() -> None:
    """In a process of its own, for which it is set."""
    subprocess.run([sys.executable, "-c", KEEP], check=True, timeout=60)


def test_it_is_the_system_s_where_that_takes_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switches.ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr("pyarrow.set_memory_pool", lambda pool: None)
    switches.keep_memory()
