"""The text of a Dockerfile in; its stages with their instructions, and its arguments, out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

_ARGUMENT = re.compile(r"\$\{(\w+)(?::\+([^}]*))?\}")


@dataclass
class Stage:
    """What stands between two lines of FROM.

    Attributes:
        base: The image or stage it begins with.
        name: What others call it.
        instructions: The words of each line, and what stands behind them.
    """

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """What stands behind every such word."""
        return [rest for found, rest in self.instructions if found == word]

    def arguments(self) -> dict[str, str]:
        """The defaults of its build arguments."""
        return {name: value for name, _, value in (rest.partition("=") for rest in self.all("ARG"))}

    def copies(self) -> list[str]:
        """What it copies from the folder it is built in."""
        lines = [rest.split() for rest in self.all("COPY") if not rest.startswith("--from=")]
        return [source for words in lines for source in words[:-1]]

    def words(self, word: str) -> list[str]:
        """The last such instruction, in the form of a list."""
        found = self.all(word)
        return list(json.loads(found[-1])) if found else []


def read_dockerfile(path: Path) -> tuple[list[Stage], dict[str, str]]:
    """The stages, with images filled in, and the arguments before the first of them."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    stages: list[Stage] = []
    before: dict[str, str] = {}
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(filled_in(base, before), name))
        elif stages:
            stages[-1].instructions.append((word, rest))
        else:
            name, _, value = rest.partition("=")
            before[name] = value
    return stages, before


def filled_in(text: str, values: dict[str, str]) -> str:
    """A text with arguments in it, as a shell sees them."""

    def value(found: re.Match[str]) -> str:
        there = values.get(found[1], "")
        return (found[2] if there else "") if found[2] is not None else there

    return _ARGUMENT.sub(value, text)
