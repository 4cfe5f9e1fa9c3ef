"""Clean training pairs in, the lines of a web-crawled corpus out: shuffled, and dirty in known numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from pipelines.demo.phrase import Phrase

Line = tuple[bytes, bytes]
"""The bytes of one line of each file, without line ends."""

_LONG_SENTENCES = 300
_RATIO = 12
_RATIO_SOURCE_CHARACTERS = 32

KINDS = {
    "duplicate": 0.02,
    "respaced": 0.005,
    "held_out": 0.003,
    "empty": 0.005,
    "identical": 0.005,
    "overlong": 0.001,
    "ratio": 0.005,
    "invalid_utf8": 0.002,
    "mojibake": 0.002,
}
"""Kinds of dirt, and how many lines of each come to one clean pair (at least one line of each kind).

duplicate      a training pair once more
respaced       a training pair once more, with other white space
held_out       a pair of validation or test
empty          one side blank
identical      the English side twice
overlong       300 sentences on a line, on both sides
ratio          a short sentence beside several others, of twelve times its length or more
invalid_utf8   a German side in Windows-1252
mojibake       a German side in UTF-8, once decoded as Windows-1252
"""


def mix_in(random: Random, train: Sequence[Phrase], held_out: Sequence[Phrase]) -> tuple[list[Line], dict[str, int]]:
    """All training lines in random order, and how many dirty ones of each kind are among them.

    Dirty lines are copies: every clean pair is still there once.
    """
    lines = [line(pair) for pair in train]
    injected = {}
    for kind, share in KINDS.items():
        base = [pair for pair in (held_out if kind == "held_out" else train) if _fits(kind, pair)]
        chosen = random.sample(base, min(len(base), max(1, round(share * len(train)))))
        lines += [_SOILED[kind](random, pair, train) for pair in chosen]
        injected[kind] = len(chosen)
    random.shuffle(lines)
    return lines, injected


def line(pair: Phrase) -> Line:
    """A clean pair as bytes."""
    return pair.source.encode(), pair.target.encode()


def _fits(kind: str, pair: Phrase) -> bool:
    """Whether a pair can be soiled so."""
    if kind == "ratio":
        return len(pair.source) <= _RATIO_SOURCE_CHARACTERS
    if kind in ("invalid_utf8", "mojibake"):
        return any(letter in "äöüÄÖÜß" for letter in pair.target) and _as_windows_1252(pair.target) is not None
    return True


def _as_windows_1252(text: str) -> bytes | None:
    try:
        return text.encode("cp1252")
    except UnicodeEncodeError:
        return None


def _same(_random: Random, pair: Phrase, _train: Sequence[Phrase]) -> Line:
    return line(pair)


def _respaced(random: Random, pair: Phrase, _train: Sequence[Phrase]) -> Line:
    space = random.choice(("  ", "\t", "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}"))
    return line(Phrase(pair.source.replace(" ", space) + " ", space + pair.target.replace(" ", space)))


def _empty(random: Random, pair: Phrase, _train: Sequence[Phrase]) -> Line:
    blank = random.choice(("", " ", "\t "))
    return line(random.choice((Phrase(pair.source, blank), Phrase(blank, pair.target))))


def _identical(_random: Random, pair: Phrase, _train: Sequence[Phrase]) -> Line:
    return line(Phrase(pair.source, pair.source))


def _overlong(random: Random, pair: Phrase, train: Sequence[Phrase]) -> Line:
    others = [pair, *(random.choice(train) for _ in range(_LONG_SENTENCES - 1))]
    return line(Phrase(" ".join(each.source for each in others), " ".join(each.target for each in others)))


def _ratio(random: Random, pair: Phrase, train: Sequence[Phrase]) -> Line:
    target = pair.target
    while len(target) < _RATIO * len(pair.source):
        target += " " + random.choice(train).target
    return line(Phrase(pair.source, target))


def _invalid(_random: Random, pair: Phrase, _train: Sequence[Phrase]) -> Line:
    return pair.source.encode(), pair.target.encode("cp1252")


def _mojibake(_random: Random, pair: Phrase, _train: Sequence[Phrase]) -> Line:
    return line(Phrase(pair.source, pair.target.encode().decode("cp1252")))


_SOILED: dict[str, Callable[[Random, Phrase, Sequence[Phrase]], Line]] = {
    "duplicate": _same,
    "respaced": _respaced,
    "held_out": _same,
    "empty": _empty,
    "identical": _identical,
    "overlong": _overlong,
    "ratio": _ratio,
    "invalid_utf8": _invalid,
    "mojibake": _mojibake,
}
