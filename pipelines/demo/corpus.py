"""A folder in, a parallel corpus English -> German out: clean pairs, held-out combinations, and counted dirt.

Every sentence is a template with its slots filled. What validation and test hold no training sentence shows:
whether a template may be met with certain values is decided once for all sentences, by a hash of both, so the
held-out sentences ask for new combinations of parts that training has shown apart, each combination once. No two
sentences of the whole corpus share a source or a target, so what cleaning should find is exactly what was mixed in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from random import Random

import xxhash

from pipelines.demo import dirt
from pipelines.demo.phrase import Phrase
from pipelines.demo.slots import SLOTS
from pipelines.demo.templates import NOUNS, TEMPLATES, Template, kind_of
from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, foreign_file

SUMMARY_NAME = "corpus.json"
_JOINED_SHARE = 0.15
_HELD_OUT_SHARE = 0.05
_JOINTS = (Phrase(", and ", ", und "), Phrase(", but ", ", aber "), Phrase("; ", "; "))
_MAX_MISSES = 1000


@dataclass(frozen=True)
class Sentence:
    """A pair, and the combinations of template and values it is made of."""

    pair: Phrase
    combinations: tuple[str, ...]

    @property
    def is_held_out(self) -> bool:
        """Whether one of its combinations is kept from training."""
        return any(map(is_held_out, self.combinations))


@dataclass(frozen=True)
class Summary:
    """What `generate` wrote.

    Attributes:
        folder: Where train, valid and test (`.en`, `.de`) stand.
        seed: What all chance came from.
        train: Clean training pairs.
        valid: Validation pairs.
        test: Test pairs.
        injected: Dirty training lines by kind (see `dirt`).
    """

    folder: str
    seed: int
    train: int
    valid: int
    test: int
    injected: dict[str, int]

    @property
    def train_lines(self) -> int:
        """Lines of each training file."""
        return self.train + sum(self.injected.values())


def generate(folder: str, pairs: int = 20_000, seed: int = 1, valid: int = 500, test: int = 500) -> Summary:
    """Write `train`, `valid` and `test` (`.en`, `.de`) and `corpus.json`; the same arguments give the same bytes.

    Args:
        folder: URL of a folder; files of these names are replaced.
        pairs: Clean training pairs.
        seed: Any integer.
        valid: Validation pairs.
        test: Test pairs.

    Raises:
        ConfigError: A count is not positive, or the templates do not hold that many sentences.
    """
    for name, count in (("pairs", pairs), ("valid", valid), ("test", test)):
        if count < 1:
            raise ConfigError(f"{name} must be at least 1", found=count)
    random = Random(seed)  # noqa: S311 (no secret depends on it)
    train, held_out = draw(sentences(random), pairs, valid + test)
    lines, injected = dirt.mix_in(random, train, held_out)
    rest = [dirt.line(pair) for pair in held_out]
    files = {**_files("train", lines), **_files("valid", rest[:valid]), **_files("test", rest[valid:])}
    _refuse_strangers(folder, files)
    for name, data in files.items():
        storage.publish_bytes(storage.join(folder, name), data)
    summary = Summary(folder, seed, pairs, valid, test, injected)
    storage.publish_text(storage.join(folder, SUMMARY_NAME), json.dumps(asdict(summary), indent=1) + "\n")
    return summary


def is_held_out(combination: str) -> bool:
    """Whether training may not show this combination; the same for every seed."""
    return xxhash.xxh3_64_intdigest(combination.encode()) % 1000 < _HELD_OUT_SHARE * 1000


def sentences(random: Random) -> Iterator[Sentence]:
    """Endless sentences, some joined of two clauses; they may repeat."""
    clauses = [template for template in TEMPLATES if template.is_clause]
    while True:
        if random.random() < _JOINED_SHARE:
            yield _join(_fill(random, random.choice(clauses)), _fill(random, random.choice(clauses)), random)
        else:
            yield _finish(_fill(random, random.choice(TEMPLATES)))


def draw(stream: Iterable[Sentence], train_pairs: int, held_out_pairs: int) -> tuple[list[Phrase], list[Phrase]]:
    """Training and held-out pairs of endless sentences: no two share a source, a target or a held-out combination.

    Raises:
        ConfigError: There are not so many.
    """
    train: list[Phrase] = []
    held_out: list[Phrase] = []
    used: set[str] = set()
    misses = 0
    for sentence in stream:
        pile, wanted = (held_out, held_out_pairs) if sentence.is_held_out else (train, train_pairs)
        once = {sentence.pair.source, sentence.pair.target, *filter(is_held_out, sentence.combinations)}
        if len(pile) < wanted and used.isdisjoint(once):
            pile.append(sentence.pair)
            used |= once
            misses = 0
            if len(train) == train_pairs and len(held_out) == held_out_pairs:
                break
        elif (misses := misses + 1) > _MAX_MISSES:
            raise ConfigError(
                "the templates do not hold that many sentences",
                found=f"{len(train)} training and {len(held_out)} held-out pairs",
                expected=f"{train_pairs} and {held_out_pairs}",
                advice="Ask for fewer pairs.",
            )
    return train, held_out


def _fill(random: Random, template: Template) -> Sentence:
    """The template with a phrase in every slot, without capital and final mark if it is a clause."""
    phrases: dict[str, Phrase] = {}
    for slot in template.slots:
        kind = kind_of(slot)
        phrases[slot] = SLOTS[kind](random) if kind in SLOTS else random.choice(NOUNS[kind])
    combination = "\t".join([template.source, *(phrases[slot].source for slot in template.values)])
    source = template.source.format_map({slot: phrase.source for slot, phrase in phrases.items()})
    target = template.target.format_map({slot: phrase.target for slot, phrase in phrases.items()})
    return Sentence(Phrase(source, target), (combination,))


def _join(first: Sentence, second: Sentence, random: Random) -> Sentence:
    joint = random.choice(_JOINTS)
    source = first.pair.source + joint.source + second.pair.source
    target = first.pair.target + joint.target + second.pair.target
    return _finish(Sentence(Phrase(source, target), first.combinations + second.combinations))


def _finish(sentence: Sentence) -> Sentence:
    """The sentence with a capital, and a full stop unless it ends in a mark."""
    source, target = (_punctuate(text) for text in (sentence.pair.source, sentence.pair.target))
    return Sentence(Phrase(source, target), sentence.combinations)


def _punctuate(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _files(name: str, lines: list[dirt.Line]) -> dict[str, bytes]:
    """A Moses pair of files."""
    return {name + suffix: b"".join(line[side] + b"\n" for line in lines) for side, suffix in enumerate((".en", ".de"))}


def _refuse_strangers(folder: str, files: Mapping[str, bytes]) -> None:
    """Refuse a folder with other files of these names; equal ones are those of a demo that was ended before."""
    for name, data in files.items():
        url = storage.join(folder, name)
        if storage.read_if_there(url) not in (None, data):
            raise foreign_file(storage.redact(url), "the corpus")
