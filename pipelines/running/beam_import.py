"""Beam, imported sooner: without its clients of databases, which no pipeline here talks to.

Beam does without them wherever their packages are not installed; whoever asks for one by name later still gets it.
"""

from __future__ import annotations

import importlib
import sys

_LEFT_OUT = ("bson", "apache_beam.io.gcp.bigquery")


class _LeftOut:
    """Finds nothing where others might."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """See `importlib.abc.MetaPathFinder`."""
        if name in _LEFT_OUT:
            raise ModuleNotFoundError(f"{name} is not needed here", name=name)


def import_beam() -> None:
    """Import it in that way; what has been imported before stays as it is."""
    finder = _LeftOut()
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module("apache_beam")
    finally:
        sys.meta_path.remove(finder)
