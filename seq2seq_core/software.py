"""Names of packages in, their installed versions out, as manifests tell them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each that is installed, by its name."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # as a command runs without what it does not need
            continue
    return found
