"""A shell block of a page in; the commands that it calls, word by word, out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_BETWEEN = frozenset({"|", "&&", "||", ";", "&"})
_REDIRECTIONS = frozenset({"<", ">", ">>", "2>", "<<<"})
_ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=.*")


@dataclass(frozen=True)
class Called:
    """One command: the program, the words behind it, and the variables set before it."""

    program: str
    words: tuple[str, ...]
    variables: tuple[str, ...] = ()


def commands_of(text: str) -> list[Called]:
    """All commands of a block, without what they are redirected from and to; ValueError where a quote is open."""
    joined = text.replace("\\\n", " ")
    return [command for line in joined.splitlines() for command in _commands_in(line)]


def _commands_in(line: str) -> Iterator[Called]:
    words: list[str] = []
    for token in [*_tokens(line), ";"]:
        if token not in _BETWEEN:
            words.append(token)
        elif words:
            yield _called(words)
            words = []


def _tokens(line: str) -> list[str]:
    reader = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    reader.whitespace_split = True
    return list(reader)


def _called(words: list[str]) -> Called:
    plain: list[str] = []
    pending = iter(words)
    for word in pending:
        if word in _REDIRECTIONS:
            next(pending, None)
        else:
            plain.append(word)
    count = next((place for place, word in enumerate(plain) if not _ASSIGNMENT.fullmatch(word)), len(plain))
    program, *rest = plain[count:] or ["true"]
    return Called(program, tuple(rest), tuple(plain[:count]))
