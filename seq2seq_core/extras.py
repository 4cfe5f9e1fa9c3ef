"""The name of a module that is not installed in, the extra of this distribution that brings it out.

The extras are those of the installed distribution's metadata, which `pyproject.toml` is the source of.
"""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_DISTRIBUTION = "seq2seq"


def extra_with(module: str, command: str | None = None) -> str | None:
    """The extra to install for a module: that of a command where it is among what the command needs, else the smallest.

    A module that no extra names is part of what one of them needs in turn: then that of the command it is, if it has
    one.
    """
    brought = _brought()
    package = canonicalize_name(module.partition(".")[0])
    holding = [extra for extra, packages in brought.items() if package in packages]
    if command in (holding or brought):
        return command
    return min(holding, key=lambda extra: (len(brought[extra]), extra), default=None)


@functools.cache
def _brought() -> dict[str, frozenset[str]]:
    """The packages that each extra names, or an extra that it names in turn."""
    try:
        found = metadata(_DISTRIBUTION)
    except PackageNotFoundError:  # a checkout that is not installed
        return {}
    wanted = [Requirement(line) for line in found.get_all("Requires-Dist", ())]
    return {extra: frozenset(_packages(extra, wanted)) for extra in found.get_all("Provides-Extra", ())}


def _packages(extra: str, wanted: list[Requirement]) -> set[str]:
    packages: set[str] = set()
    for requirement in wanted:
        marker = requirement.marker
        if marker is None or not marker.evaluate({"extra": extra}) or marker.evaluate({"extra": ""}):
            continue
        if canonicalize_name(requirement.name) == _DISTRIBUTION:
            packages.update(*(_packages(inner, wanted) for inner in requirement.extras))
        else:
            packages.add(canonicalize_name(requirement.name))
    return packages
