"""Whole runs of commands whose bytes are known: what they write today is what they have always written.

The digests in `golden.json` were taken with the versions named there, beside each file a run leaves. A change of them
is a change of every user's data: it is made on purpose (SEQ2SEQ_TAKE_GOLDEN=1 writes the file anew), in a commit that
says so, or not at all.
"""

from __future__ import annotations

import bz2
import gzip
import importlib.metadata
import json
import lzma
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from seq2seq_core import storage
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from tests.model_folders import write_model_folder

GOLDEN = Path(__file__).with_name("golden.json")
NOT_COMPARED = re.compile(r"dataset\.json|report\.html|output\.json|(generations|known|looks|_work|\.units|\.claim)/.*")
GENERATION = re.compile(r"(generation-\d{5})-[0-9a-f]{8}")

VOCABULARY = """
    the a one two three red green old young small dog dogs man woman child street park river bridge house runs walks
    sleeps reads jumps over under near behind with without and while because quickly slowly today
"""
WORDS = VOCABULARY.split()
DIRT = (
    ("", "ein leerer Satz auf der anderen Seite"),
    ("the same text on both sides of it", "the same text on both sides of it"),
    (
        "a \u201cquoted\u201d  text\twith\u00a0spaces\u200b and caf\u00c3\u00a9",
        "ein \u201ezitierter\u201c Text mit Cafe\u0301 und So\u00ad\u00dfe",
    ),
    ("wow wow wow wow wow wow wow wow wow wow", "ja ja ja ja ja ja ja ja ja ja ja"),
    ("see <b>this</b> &amp; <i>that</i>", "siehe <b>dies</b> &amp; <i>das</i>"),
    ("12345 67890 !!! ???", "12345 67890 !!! ???."),
    (
        "one word",
        "ein Satz, der sehr viel l\u00e4nger ist als der, zu dem er geh\u00f6ren soll, und darum nicht bleibt",
    ),
    (
        "\u042d\u0442\u043e \u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0442\u0435\u043a\u0441\u0442",
        "das ist kein Russisch",
    ),
    ("x" * 300, "y" * 300),
)


def sentences(seed: int, count: int) -> list[tuple[str, str]]:
    """Made-up pairs, some of them twice, some nearly the same, some of no use."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        words = draw.choices(WORDS, k=draw.randint(4, 14))
        rows.append((" ".join(words) + f" {number % 7}.", " ".join(word[::-1] for word in words) + f" {number % 7}."))
        if number % 9 == 0:
            rows.append(rows[draw.randrange(len(rows))])
        if number % 13 == 0:
            source, target = rows[draw.randrange(len(rows))]
            rows.append((f"{source} again", f"{target} niaga"))
        if number % 17 == 0:
            rows.append(DIRT[number // 17 % len(DIRT)])
    return rows


def lines(rows: list[tuple[str, str]], side: int) -> bytes:
    return "".join(f"{row[side]}\n" for row in rows).encode()


def write_moses(folder: Path, name: str, rows: list[tuple[str, str]]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.en").write_bytes(lines(rows, 0))
    (folder / f"{name}.de").write_bytes(lines(rows, 1))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same kind of text in every format that is read."""
    folder = tmp_path_factory.mktemp("golden")
    write_moses(folder, "plain", sentences(1, 500))
    (folder / "plain.en").write_bytes((folder / "plain.en").read_bytes() + b"broken \xff bytes\n")
    (folder / "plain.de").write_bytes((folder / "plain.de").read_bytes() + b"kaputte Bytes hier\n")
    rows = sentences(2, 300)
    (folder / "packed.en.gz").write_bytes(gzip.compress(lines(rows, 0), mtime=0))
    (folder / "packed.de.xz").write_bytes(lzma.compress(lines(rows, 1)))
    table = sentences(3, 200)
    (folder / "table.tsv").write_bytes(
        b"id\ten\tde\tscore\n"
        + "".join(f"{i}\t{a}\t{b}\t{i % 5 / 4}\n" for i, (a, b) in enumerate(table)).replace("\u00a0", " ").encode()
    )
    objects = [{"translation": {"en": a, "de": b}, "n": i} for i, (a, b) in enumerate(sentences(4, 200))]
    (folder / "objects.jsonl.bz2").write_bytes(bz2.compress("".join(json.dumps(o) + "\n" for o in objects).encode()))
    rows = sentences(5, 200)
    columns = {"src": [a for a, _ in rows], "tgt": [b for _, b in rows]}
    pq.write_table(pa.table(columns), folder / "columns.parquet", row_group_size=50)
    with pa.ipc.new_file(str(folder / "batches.arrow"), pa.table(columns).schema) as sink:
        for batch in pa.table(columns).slice(20, 90).to_batches(30):
            sink.write_batch(batch)
    units = "".join(
        f'<tu><tuv xml:lang="en"><seg>{a}</seg></tuv><tuv xml:lang="de"><seg>{b}</seg></tuv></tu>\n'
        for a, b in sentences(6, 120)
        if "<" not in a and "&" not in a
    )
    (folder / "memory.tmx").write_text(f'<?xml version="1.0"?><tmx version="1.4"><body>{units}</body></tmx>')
    (folder / "latin.txt").write_bytes(
        "".join(f"gr\u00fcne Stra\u00dfe Nummer {i} am Fluss\n" for i in range(80)).encode()
    )
    write_moses(folder, "held", sentences(7, 40))
    write_moses(folder, "bench", sentences(1, 500)[30:60])
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder that a run must write byte for byte, and the ledger of a dataset."""
    found = {}
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = path.relative_to(folder).as_posix()
        if not NOT_COMPARED.fullmatch(name):
            data = path.read_bytes().replace(str(folder.parent).encode(), b"")  # which the failures of records name
            found[GENERATION.sub(r"\1", name)] = storage.digest_bytes(data)
    manifest = folder / "dataset.json"
    if manifest.exists():
        found["ledger"] = storage.digest_bytes(json.dumps(json.loads(manifest.read_bytes())["ledger"]).encode())
    return found


def versions() -> dict[str, str]:
    """Of the libraries whose releases may write other bytes."""
    return {name: importlib.metadata.version(name) for name in ("pyarrow", "sentencepiece", "ftfy")}


@pytest.fixture(scope="module")
def golden() -> Iterator[dict[str, Any]]:
    """The digests of each run."""
    if "SEQ2SEQ_TAKE_GOLDEN" in os.environ:
        taken = _Taken()
        yield taken
        GOLDEN.write_text(json.dumps({"versions": versions(), "runs": taken}, indent=1, sort_keys=True) + "\n")
        return
    known = json.loads(GOLDEN.read_bytes())
    if known["versions"] != versions():
        pytest.skip(f"the digests were taken with {known['versions']}; found {versions()}")
    yield known["runs"]


class _Taken(dict[str, Any]):
    """Takes what is compared with it for what is right."""

    def __missing__(self, run: str) -> Any:
        return _Take(self, run)


class _Take(NamedTuple):
    taken: dict[str, Any]
    run: str

    def __eq__(self, found: object) -> bool:
        self.taken[self.run] = found
        return True

    __hash__ = None  # type: ignore[assignment]


def prepare(settings: dict[str, Any], output: Path, folder: Path) -> None:
    config = folder / f"{output.name}.yaml"
    config.write_text(json.dumps(settings | {"output": str(output), "report": False}))
    assert main(["prepare", "--config", str(config)]) == 0


def everything(folder: Path, corpora_: Any) -> dict[str, Any]:
    """A recipe with all rules on, and every way to hold out, to deduplicate and to cap."""
    switches = "brackets terminal_punctuation numbers repetition repeated_words repeated_ngrams near_identical"
    rules: dict[str, Any] = dict.fromkeys(switches.split(), True)
    rules |= {"tokens": {"maximum": 60}, "longest_word": {"maximum": 60}}
    return {
        "corpora": corpora_,
        "validation": {"source": str(folder / "held.en"), "target": str(folder / "held.de")},
        "test": {"share": 0.03},
        "benchmarks": [{"source": str(folder / "bench.en"), "target": str(folder / "bench.de")}],
        "shards": 3,
        "unit_rows": 90,
        "filters": rules,
        "near_duplicates": {"bands": 12, "rows": 6},
        "protection": {"ngram_words": 8},
        "tokenizer": {"vocabulary_size": 360},
    }


def test_a_corpus_of_every_format_and_dirt(corpora: Path, golden: dict[str, Any], tmp_path: Path) -> None:
    at = {path.name: str(path) for path in corpora.iterdir()}
    german = {"source_language": "en", "target_language": "de"}
    settings = everything(
        corpora,
        [
            {"source": at["plain.en"], "target": at["plain.de"], "weight": 2, "max_rows": 300, **german},
            {"source": at["packed.en.gz"], "target": at["packed.de.xz"], "tag": True, **german},
            {"path": at["table.tsv"], "source_field": "en", "target_field": "de", "score_field": "score"},
            {"path": at["objects.jsonl.bz2"], "source_field": "translation.en", "target_field": "translation.de"},
            {
                "path": at["columns.parquet"],
                "source_field": "src",
                "target_field": "tgt",
                "normalize": {"case": "lower"},
            },
            {"path": at["batches.arrow"], "format": "arrow", "source_field": "src", "target_field": "tgt"},
            {"path": at["memory.tmx"], **german},
            {"text": at["latin.txt"], "prompt_words": 2, "filters": {"length_ratio": None}},
        ],
    )
    prepare(settings | {"keep": "best"}, tmp_path / "formats", tmp_path)
    assert digests(tmp_path / "formats") == golden["formats"]


def test_a_dataset_that_grows(corpora: Path, golden: dict[str, Any], tmp_path: Path) -> None:
    landing = tmp_path / "in"
    settings = everything(corpora, [{"source": f"{landing}/*.en", "target": f"{landing}/*.de", "max_rows": 900}])
    for number in range(3):
        write_moses(landing, f"day-{number}", sentences(20 + number, 200) + sentences(20, 30))
        prepare(settings, tmp_path / "growing", tmp_path)
    assert digests(tmp_path / "growing") == golden["growing"]


def test_multi30k(multi30k: Path, golden: dict[str, Any], tmp_path: Path) -> None:
    files = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
    sides = {"source": "en", "target": "de"}
    pairs = {
        role: {side: str(multi30k / f"{name}.{suffix}.gz") for side, suffix in sides.items()}
        for role, name in files.items()
    }
    settings = {
        "corpora": [pairs["train"] | {"source_language": "en", "target_language": "de"}],
        "validation": pairs["validation"],
        "test": pairs["test"],
        "tokenizer": {"vocabulary_size": 4000},
    }
    prepare(settings, tmp_path / "multi30k", tmp_path)
    assert digests(tmp_path / "multi30k") == golden["multi30k"]


def test_a_translated_set(corpora: Path, golden: dict[str, Any], tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    texts = [a for a, _ in sentences(31, 150)] + ["", "one\n\ntwo. three! " * 20]
    objects = [{"id": i, "text": text, "more": [i, None]} for i, text in enumerate(texts)] + [{"id": 999, "text": 5}]
    (documents / "a.jsonl").write_text("".join(json.dumps(o) + "\n" for o in objects) + "{broken\n")
    (documents / "b.txt.gz").write_bytes(
        gzip.compress("\n".join(t.replace("\n", " ") for t in texts).encode(), mtime=0)
    )
    table = pa.table({"text": texts, "n": list(range(len(texts)))})
    pq.write_table(table, documents / "c.parquet", row_group_size=40)
    tokenizer = train((t for pair in sentences(1, 300) for t in pair), TokenizerConfig(vocabulary_size=420))
    write_model_folder(tmp_path / "model", tokenizer)
    words = ["translate", "--model", str(tmp_path / "model"), "--input", str(documents), "--output"]
    words += [str(tmp_path / "translated"), "--engine.kind", "echo", "--unit_records", "40"]
    assert main(words) in (0, 3)
    assert digests(tmp_path / "translated") == golden["translated"]
