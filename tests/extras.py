"""An extra of the package in; an installation with that extra alone, which runs commands, out."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
_PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
# What the tests themselves, and linters, need is never asked for.
_OF_DEVELOPERS = ("test", "lint", "deploy")
_SECONDS = 280
_RUN = """
import json, sys
from pipelines.cli import main
print(json.dumps([main(words) for words in json.loads(sys.argv[1])]))
"""


@dataclass(frozen=True)
class Result:
    """How commands ended that ran one after the other in one process."""

    codes: list[int]
    output: str
    errors: str


@dataclass(frozen=True)
class Installation:
    """A Python with the package in it, and the variables it needs."""

    python: str
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *calls: list[str], standard_input: str = "", folder: Path | None = None) -> Result:
        """The commands `seq2seq WORDS` of these words."""
        command = [self.python, "-c", _RUN, json.dumps(calls)]
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env=os.environ | self.environment,
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        *lines, last = done.stdout.splitlines() or ["null"]
        return Result(json.loads(last) if done.returncode == 0 else [], "\n".join(lines), done.stderr)


@functools.cache
def packages_of(extra: str) -> frozenset[str]:
    """The distributions that an extra names, or those that it names in turn."""
    found: set[str] = set()
    for line in _PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(line)
        if requirement.name == _PROJECT["name"]:
            found.update(*map(packages_of, requirement.extras))
        else:
            found.add(str(canonicalize_name(requirement.name)))
    return frozenset(found)


def as_if(extra: str | None) -> Installation:
    """This environment, less all packages that only other extras bring; None: those of no extra."""
    every = set().union(*(packages_of(e) for e in _PROJECT["optional-dependencies"] if e not in _OF_DEVELOPERS))
    absent = every - (packages_of(extra) if extra else set())
    paths = (str(REPOSITORY / "tests" / "absent"), str(REPOSITORY))
    return Installation(
        sys.executable, {"SEQ2SEQ_ABSENT": " ".join(sorted(absent)), "PYTHONPATH": os.pathsep.join(paths)}
    )
