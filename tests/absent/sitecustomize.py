"""Distributions named in SEQ2SEQ_ABSENT in; a Python in which they are not installed, out.

With this folder on PYTHONPATH that holds for a process and for all that it starts: neither their modules nor their
metadata are found.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

ABSENT = frozenset(os.environ.get("SEQ2SEQ_ABSENT", "").split())


def is_absent(name: str) -> bool:
    """Whether a module or distribution is one of those."""
    return re.sub(r"[-_.]+", "-", name.partition(".")[0]).lower() in ABSENT


class Without:
    """A finder of modules and distributions that does not find these."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, *where: Any) -> Any:
        return None if is_absent(name) else self._finder.find_spec(name, *where)

    def find_distributions(self, context: Any) -> Any:
        if context.name is not None and is_absent(context.name):
            return ()
        return getattr(self._finder, "find_distributions", lambda _: ())(context)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]  # type: ignore[list-item]
