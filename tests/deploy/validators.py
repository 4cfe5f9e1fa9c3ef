"""The name of a validator in; the validator out, or the reason why its test is skipped.

All of them are in the extra [deploy], which `make test-deploy` installs.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_ADVICE = "is not installed: `make test-deploy` installs it (the extra [deploy])"


def module(name: str) -> ModuleType:
    """A package of Python."""
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"the package of {name} {_ADVICE}")


def program(name: str) -> str:
    """A program of this environment, or of this machine."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} {_ADVICE}")
    return found


def output_of(*words: str, code: int = 0) -> str:
    """What a program says that ends with this exit code."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
