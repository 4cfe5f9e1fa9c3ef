"""A file of phrases and their translations in; for a text, the translations that its output must have, out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from seq2seq_core import storage
from seq2seq_core.errors import InputError

_WORDS = re.compile(r"\w+|[^\w\s]")
_LETTERS = re.compile(r"\S")


class Glossary:
    """Phrases that are looked for as whole words; of phrases that overlap the first counts, of those that begin at one
    word the longest.
    """

    def __init__(self, entries: Mapping[str, str], *, spaced: bool = True) -> None:
        """Take phrases and their translations; in languages without spaces (`spaced`) each character is a word."""
        self._cut = _WORDS if spaced else _LETTERS
        self._entries = {tuple(self._cut.findall(phrase)): target for phrase, target in entries.items()}
        self._longest: dict[str, int] = {}
        for words in self._entries:
            self._longest[words[0]] = max(len(words), self._longest.get(words[0], 0))

    def find(self, text: str) -> list[str]:
        """The translations of the phrases that a text has, each once, in the order of the text."""
        return list(dict.fromkeys(self._walk(self._cut.findall(text))))

    def _walk(self, words: Sequence[str]) -> Iterator[str]:
        place = 0
        while place < len(words):
            longest = min(self._longest.get(words[place], 0), len(words) - place)
            lengths = range(longest, 0, -1)
            length = next((n for n in lengths if tuple(words[place : place + n]) in self._entries), 0)
            if length:
                yield self._entries[tuple(words[place : place + length])]
            place += max(1, length)


def read_glossary(url: str, normalized: Callable[[list[str]], list[str]]) -> dict[str, str]:
    """The entries of a file; blank lines are none. Phrases are normalised as texts are, before they are looked for.

    Raises:
        StorageError: There is no such file.
        InputError: A line is no entry, or has another translation of a phrase than a line before it.
    """
    where = storage.redact(url)
    try:
        lines = storage.read_bytes(url).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8", where=where, found=f"byte {error.start + 1}") from None
    rows = [(number, line.rstrip("\r").split("\t")) for number, line in enumerate(lines, 1) if line.strip()]
    for number, fields in rows:
        if len(fields) != 2 or not all(field.strip() for field in fields):
            raise InputError(
                "this line is no entry of a glossary",
                where=f"{where}, line {number}",
                found=" | ".join(fields)[:100],
                expected="a phrase, a tab and its translation",
            )
    entries: dict[str, str] = {}
    phrases = normalized([source.strip() for _, (source, _) in rows])
    for (number, (_, target)), phrase in zip(rows, phrases, strict=True):
        if entries.setdefault(phrase, target.strip()) != target.strip():
            raise InputError(
                "a phrase has two translations",
                where=f"{where}, line {number}",
                found=f"{phrase}: {target.strip()}",
                expected=entries[phrase],
            )
    return {phrase: target for phrase, target in entries.items() if phrase.strip()}
