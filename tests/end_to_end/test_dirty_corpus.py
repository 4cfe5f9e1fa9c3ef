"""Multi30k with dirt of known kinds and counts mixed in: the ledger returns exactly these, row by row."""

from __future__ import annotations

import gzip
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from pipelines.commands import prepare
from seq2seq_core import config as configuration
from seq2seq_core.dataset.manifest import Manifest, load_manifest

MEGABYTE = 1 << 20
DUPLICATE, KEPT = "(a duplicate)", "(kept)"
SIDES = {"source": "en", "target": "de"}
DIGIT = re.compile(rb"\d")


class Pair(NamedTuple):
    """A row of the corpus, whatever its bytes."""

    source: bytes
    target: bytes


@dataclass(frozen=True)
class Dirt:
    """So many rows made of clean ones, and what becomes of each: a rule's name, `DUPLICATE` or `KEPT`."""

    count: int
    becomes: str
    make: Callable[[Pair], Pair]


def both(change: Callable[[bytes], bytes]) -> Callable[[Pair], Pair]:
    return lambda pair: Pair(change(pair.source), change(pair.target))


def source(change: Callable[[bytes], bytes]) -> Callable[[Pair], Pair]:
    return lambda pair: Pair(change(pair.source), pair.target)


def target(change: Callable[[bytes], bytes]) -> Callable[[Pair], Pair]:
    return lambda pair: Pair(pair.source, change(pair.target))


def always(text: str | bytes) -> Callable[[bytes], bytes]:
    return lambda _: text.encode() if isinstance(text, str) else text


def misread(side: bytes) -> bytes:
    """UTF-8 taken for Windows-1252, and written as UTF-8 once more."""
    return side.decode("cp1252").encode()


def decomposed(side: bytes) -> bytes:
    return unicodedata.normalize("NFD", side.decode()).encode()


def with_source(name: str) -> Callable[[Pair], Pair]:
    """A text of `OTHERS` in place of the source."""
    return lambda pair: Pair(OTHERS[name].pop(), pair.target)


def with_target(name: str) -> Callable[[Pair], Pair]:
    """A text of `OTHERS` in place of the target."""
    return lambda pair: Pair(pair.source, OTHERS[name].pop())


# Real texts of other rows, in English, German and French.
OTHERS: dict[str, list[bytes]] = {"val": [], "test": [], "numbered": [], "French": [], "English": []}

DIRT = {
    # Unreadable.
    "Latin-1 instead of UTF-8": Dirt(31, "not_utf8", target(lambda side: side + "ü".encode("latin-1"))),
    "half a character at the end": Dirt(7, "not_utf8", source(lambda side: side + "ü".encode()[:1])),
    "UTF-16": Dirt(3, "not_utf8", both(lambda side: "\ufeff".encode("utf-16-le") + side)),
    "over 1 MB in the source": Dirt(3, "too_many_bytes", source(always(b"ab cd " * (MEGABYTE // 6) + b"12345"))),
    "over 1 MB in the target": Dirt(2, "too_many_bytes", target(always(b"x" * (MEGABYTE + 1)))),
    # Readable, but no pair of sentences.
    "1 MB of words": Dirt(2, "words", source(always(b"ab cd " * (MEGABYTE // 6)))),
    "1 MB without a space": Dirt(2, "characters", both(always(b"x" * MEGABYTE))),
    "no source": Dirt(40, "empty", source(always(""))),
    "no target": Dirt(11, "empty", target(always(""))),
    "blanks alone": Dirt(9, "empty", target(always(" \t\u00a0\u3000"))),
    "151 words": Dirt(5, "words", both(always(" ".join(["Wort"] * 151)))),
    "a target of one word": Dirt(13, "length_ratio", target(always("Hund"))),
    "the source on both sides": Dirt(17, "identical", lambda pair: Pair(pair.source, pair.source)),
    # Rows of the held-out sets.
    "a source of the validation set": Dirt(8, "held_out", with_source("val")),
    "a source of the test set": Dirt(6, "held_out", with_source("test")),
    # Duplicates, as they stand or once normalised.
    "an exact duplicate": Dirt(60, DUPLICATE, both(lambda side: side)),
    "a duplicate, lines ended by CR LF": Dirt(12, DUPLICATE, both(lambda side: side + b"\r")),
    "a duplicate with more blanks": Dirt(9, DUPLICATE, both(lambda side: b"  " + side.replace(b" ", b"\t ") + b" ")),
    "a duplicate with U+2028 for a blank": Dirt(
        4, DUPLICATE, both(lambda side: side.replace(b" ", b"\xe2\x80\xa8", 1))
    ),
    "a duplicate with loose accents": Dirt(10, DUPLICATE, target(decomposed)),
    "NUL bytes": Dirt(5, DUPLICATE, source(lambda side: side[:3] + b"\0\0" + side[3:])),
    "characters without width": Dirt(
        6, DUPLICATE, both(lambda side: side[:3] + "\u200b\u00ad\ufeff".encode() + side[3:])
    ),
    "mojibake": Dirt(23, DUPLICATE, target(misread)),
    "mojibake of mojibake": Dirt(4, DUPLICATE, target(lambda side: misread(misread(side)))),
    # Texts that do not belong together, or are no text.
    "shuffled targets": Dirt(12, "numbers", with_target("numbered")),
    "a target in French": Dirt(19, "language", with_target("French")),
    "a target in English": Dirt(14, "language", with_target("English")),
    "a target in Cyrillic letters": Dirt(3, "script", target(always("Собака бежит по зелёной траве в парке"))),
    "tags of HTML": Dirt(8, "html", target(lambda side: b"<p>" + side + b"</p>")),
    "an address": Dirt(5, "urls", target(always("Siehe https://example.org/eine/seite"))),
    "figures alone": Dirt(4, "alphabetic", target(always("12345 67890 12345 67890 12345 67890 12345"))),
}


@dataclass(frozen=True)
class Corpus:
    """Files with a row a line: `source`, `target`; and which line (from 1) is which dirt."""

    folder: Path
    lines: dict[int, str]


@pytest.fixture(scope="module")
def clean(multi30k: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Manifest]:
    folder = tmp_path_factory.mktemp("clean")
    return prepared(write(folder, [(pair, None) for pair in read(multi30k, "train")]), multi30k)


@pytest.fixture(scope="module")
def dirty(
    clean: tuple[Corpus, Manifest], multi30k: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Corpus, Manifest]:
    draw = random.Random(0)
    rows = read(multi30k, "train")
    gather_others(multi30k, rows)
    rejected = {line for line, _ in rejects(clean[0].folder)}
    originals = [pair for line, pair in enumerate(rows, 1) if line not in rejected and is_usual(pair)]
    chosen = iter(draw.sample(originals, sum(dirt.count for dirt in DIRT.values())))
    mixed: list[tuple[Pair, str | None]] = [(pair, None) for pair in rows]
    for name, dirt in DIRT.items():
        mixed += [(dirt.make(next(chosen)), name) for _ in range(dirt.count)]
    draw.shuffle(mixed)
    return prepared(write(tmp_path_factory.mktemp("dirty"), mixed), multi30k)


def test_the_ledger_returns_exactly_what_was_put_in(
    clean: tuple[Corpus, Manifest], dirty: tuple[Corpus, Manifest]
) -> None:
    before, after = clean[1].ledger, dirty[1].ledger
    counts: Counter[str] = Counter()
    for dirt in DIRT.values():
        counts[dirt.becomes] += dirt.count
    assert after.read - before.read == sum(counts.values())
    assert after.duplicates - before.duplicates == counts.pop(DUPLICATE)
    assert after.kept["train"] - before.kept["train"] == counts.pop(KEPT, 0)
    assert Counter(after.rejected) - Counter(before.rejected) == counts
    assert not Counter(before.rejected) - Counter(after.rejected)
    assert {split: rows for split, rows in after.kept.items() if split != "train"} == {"valid": 1014, "test": 1000}
    assert after.balance == 0


def test_every_dirty_row_is_on_disk_with_its_rule(dirty: tuple[Corpus, Manifest]) -> None:
    corpus, _ = dirty
    rule = dict(rejects(corpus.folder))
    found = {name: Counter(rule.get(line, "") for line, dirt in corpus.lines.items() if dirt == name) for name in DIRT}
    assert found == {
        name: Counter({"" if dirt.becomes in (DUPLICATE, KEPT) else dirt.becomes: dirt.count})
        for name, dirt in DIRT.items()
    }


def test_every_clean_row_is_still_there(clean: tuple[Corpus, Manifest], dirty: tuple[Corpus, Manifest]) -> None:
    before, after = ids(clean[0].folder), ids(dirty[0].folder)
    assert before <= after
    assert len(after - before) == sum(dirt.count for dirt in DIRT.values() if dirt.becomes == KEPT)


def read(multi30k: Path, name: str) -> list[Pair]:
    sides = [gzip.decompress((multi30k / f"{name}.{side}.gz").read_bytes()).splitlines() for side in ("en", "de")]
    return [Pair(*sides_of_row) for sides_of_row in zip(*sides, strict=True)]


def gather_others(multi30k: Path, rows: Sequence[Pair]) -> None:
    """Fill `OTHERS`."""
    found = {
        "val": [pair.source for pair in read(multi30k, "val")],
        "test": [pair.source for pair in read(multi30k, "test_2016_flickr")],
        "French": gzip.decompress((multi30k / "train.fr.gz").read_bytes()).splitlines(),
        "English": [pair.source for pair in rows],
    }
    for name, texts in found.items():
        OTHERS[name] = [text for text in texts if 60 <= len(text) <= 120 and not DIGIT.search(text)]
    OTHERS["numbered"] = [
        pair.target for pair in rows if re.search(rb"\d\d", pair.target) and 40 <= len(pair.target) <= 120
    ]


def is_usual(pair: Pair) -> bool:
    """Of middle length, without figures, and with an accent for the dirt that needs one."""
    fits = all(40 <= len(side) <= 120 and not DIGIT.search(side) for side in pair)
    return fits and "ü".encode() in pair.target


def write(folder: Path, rows: Sequence[tuple[Pair, str | None]]) -> Corpus:
    for position, side in enumerate(("source", "target")):
        (folder / side).write_bytes(b"".join(pair[position] + b"\n" for pair, _ in rows))
    return Corpus(folder, {line: dirt for line, (_, dirt) in enumerate(rows, 1) if dirt is not None})


def prepared(corpus: Corpus, multi30k: Path) -> tuple[Corpus, Manifest]:
    settings: dict[str, Any] = {
        "corpora": [
            {side: str(corpus.folder / side) for side in SIDES}
            | {f"{side}_language": language for side, language in SIDES.items()}
        ],
        "filters": {"numbers": True, "language": True},
        "validation": {side: str(multi30k / f"val.{name}.gz") for side, name in SIDES.items()},
        "test": {side: str(multi30k / f"test_2016_flickr.{name}.gz") for side, name in SIDES.items()},
        "output": str(corpus.folder / "dataset"),
        "shards": 2,
        "unit_rows": 11_000,
        "tokenizer": {"vocabulary_size": 400, "type": "bpe", "sample_rows": 2000},
    }
    prepare.run(configuration.build(prepare.PrepareConfig, settings))
    return corpus, load_manifest(settings["output"])


def rejects(folder: Path) -> list[tuple[int, str]]:
    """Line and rule of every rejected row of the corpus."""
    tables = [pq.read_table(path) for path in sorted((folder / "dataset" / "rejected").glob("*.parquet"))]
    rows = [row for table in tables for row in table.select(["origin", "line", "rule"]).to_pylist()]
    return [(row["line"], row["rule"]) for row in rows if row["origin"] == "source"]


def ids(folder: Path) -> set[bytes]:
    """Of the training rows."""
    tables = [pq.read_table(path, columns=["id"]) for path in (folder / "dataset" / "train").glob("*.parquet")]
    return {id_ for table in tables for id_ in table.column("id").to_pylist()}
