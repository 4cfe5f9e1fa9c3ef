"""What was heard in overlapping chunks in, what was said out: no word lost at a joint, none doubled.

Of the stretch that two chunks share, the first is believed up to the middle and the second from there on, as a model
hears badly at the edges of a chunk. Which word of the one is which word of the other is found by an alignment of both,
by their texts and times: so a word whose times differ a little is neither taken twice nor left out.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from seq2seq_core.engines.recognition import Word

_SAME_WORD_SECONDS = 0.8
_USUALLY_APART = 0.1
_OTHER_TEXT = 0.5


class Heard(NamedTuple):
    """The words of a chunk; all times in seconds of the recording."""

    begin: float
    end: float
    words: tuple[Word, ...]


def join(chunks: Sequence[Heard]) -> list[Word]:
    """The words of chunks that follow, each of which may begin before the one before it ends.

    Their times never go back.
    """
    words: list[Word] = []
    reach = float("-inf")
    for chunk in chunks:
        if chunk.begin < reach:
            words = _joined(words, list(chunk.words), chunk.begin, reach)
        else:
            words += chunk.words
        reach = max(reach, chunk.end)
    return list(_in_order(words))


def _joined(before: list[Word], after: list[Word], begin: float, end: float) -> list[Word]:
    """Words of two chunks that share the time from begin to end."""
    middle = (begin + end) / 2
    first = next((place for place, word in enumerate(before) if word.end > begin), len(before))
    last = next((place for place, word in enumerate(after) if word.begin >= end), len(after))
    left, right = [], []
    for one, other in _aligned(before[first:], after[:last]):
        if one is not None and other is not None and _middle(one) < begin and end <= _middle(other):
            left.append(one)  # neither chunk could hear what the other heard: these are two
            right.append(other)
        elif one is not None and (_middle(one) < middle or (other is not None and _middle(other) < middle)):
            left.append(one)
        elif other is not None and _middle(other) >= middle:
            right.append(other)
    return [*before[:first], *left, *right, *after[last:]]


def _aligned(before: list[Word], after: list[Word]) -> Iterator[tuple[Word | None, Word | None]]:
    """Pairs of what seems to be one word, and words that have no partner, in order: the best of all alignments."""
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i in range(len(before) - 1, -1, -1):
        for j in range(len(after) - 1, -1, -1):
            paired = best[i + 1][j + 1] + _likeness(before[i], after[j])
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    i = j = 0
    while i < len(before) and j < len(after):
        if best[i][j] == best[i + 1][j]:
            yield before[i], None
            i += 1
        elif best[i][j] == best[i][j + 1]:
            yield None, after[j]
            j += 1
        else:
            yield before[i], after[j]
            i, j = i + 1, j + 1
    yield from ((word, None) for word in before[i:])
    yield from ((None, word) for word in after[j:])


def _likeness(one: Word, other: Word) -> float:
    """How much two words seem to be one: up to 1 by text and time, less by time alone; 0 where they are two.

    It falls so steeply with time that of a word said several times each is taken for itself, not for the next.
    """
    apart = abs(_middle(one) - _middle(other))
    if _key(one) == _key(other) and apart <= _SAME_WORD_SECONDS:
        return 1 / (1 + (apart / _USUALLY_APART) ** 2)
    shared = min(one.end, other.end) - max(one.begin, other.begin)
    shorter = min(one.end - one.begin, other.end - other.begin)
    return _OTHER_TEXT * shared / shorter if shorter > 0 and shared > shorter / 2 else 0.0


def _key(word: Word) -> str:
    """The text without case and what stands around a word, which a model sets by what it hears beside it."""
    return word.text.casefold().strip(string.punctuation)


def _middle(word: Word) -> float:
    return (word.begin + word.end) / 2


def _in_order(words: list[Word]) -> Iterator[Word]:
    """The same, none before the end of the one before it."""
    reach = float("-inf")
    for word in words:
        begin = max(word.begin, reach)
        reach = max(word.end, begin)
        yield word._replace(begin=begin, end=reach)
