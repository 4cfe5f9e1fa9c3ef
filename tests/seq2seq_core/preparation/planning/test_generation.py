"""The choice of what a generation adds: every content once, in any order of landing, and agreed on by content alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    GenerationEntry,
    Manifest,
    ShardEntry,
    SplitEntry,
    TokenizerEntry,
)
from seq2seq_core.preparation.planning.corpus_settings import resolve
from seq2seq_core.preparation.planning.generation import (
    Generation,
    Read,
    chosen_generation,
    next_generation,
    origins,
    read_of,
    recipe_fingerprint,
    source_entry,
)
from seq2seq_core.preparation.planning.sizes import default_shards
from seq2seq_core.preparation.terms.messages import IndexedInput, Input, Job
from seq2seq_core.preparation.terms.recipe import Recipe

NOTHING = Ledger(read=0, kept={}, duplicates=0, rejected={})
FILE_BYTES = 9 << 20
FILES = st.lists(st.tuples(st.text("abc/", min_size=1, max_size=4), st.integers(0, 6)), max_size=6)


def job() -> Job:
    recipe = Recipe()
    corpus = resolve(CorpusConfig(path="x.tsv"), "train", "news", recipe)
    return Job(
        output="out", recipe=recipe, corpora=(corpus,), shares={}, inputs=(), configuration={}, tokenizer_digests=()
    )


def read(name: str, content: int, index: int) -> Read:
    url = f"/in/{index}{name}.tsv"
    source = Source(format="tsv", urls=(url,), fields=("1", "2"))
    file = FileIndex(url=url, bytes=FILE_BYTES, fingerprint=f"{content:032x}", lines=1, cuts=(0, 1), starts=(0, 1))
    input_ = Input(index=index, corpus=0, role="train", origin=f"{index}{name}", source=source)
    return read_of(input_, IndexedInput(index=index, files=(file,)))


def committed(latest: Manifest | None, generation: Generation) -> Manifest:
    """The manifest with one generation more; its shards are named only."""
    number = generation.number
    shard = ShardEntry(
        path="p", rows=0, source_tokens=0, target_tokens=0, bytes=0, digest="", generation=generation.number
    )
    before = () if latest is None else latest.splits["train"].shards
    tokenizer = TokenizerEntry(path="t", digest="t", vocabulary_size=9)
    inputs = tuple(source_entry(job(), one) for one in generation.reads)
    entry = GenerationEntry(index=number, fingerprint=generation.fingerprint, ledger=NOTHING, inputs=inputs)
    return Manifest(
        fingerprint=generation.fingerprint,
        recipe_fingerprint=generation.recipe_fingerprint,
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        splits={
            "train": SplitEntry(shards=(*before, *[shard] * generation.shards), source_lengths=(), target_lengths=())
        },
        dealt=generation.shards if latest is None else latest.dealt,
        rejected=(),
        ledger=NOTHING,
        inputs=(),
        generations=(*(() if latest is None else latest.generations), entry),
        configuration={},
        software={},
    )


@given(st.lists(FILES.filter(bool), min_size=1, max_size=5))
def test_every_content_is_added_once_however_it_lands(landings: list[list[tuple[str, int]]]) -> None:
    latest: Manifest | None = None
    seen: set[int] = set()
    for files in landings:
        reads = [read(name, content, index) for index, (name, content) in enumerate(files)]
        found = next_generation(job(), reads, latest)
        fresh = [content for _, content in files if content not in seen]
        if latest is not None and not fresh:
            assert found is None
            continue
        assert found is not None
        assert [one.indexed.files[0].fingerprint for one in found.reads] == [f"{c:032x}" for c in fresh]
        assert found.shards == default_shards(len(fresh) * FILE_BYTES)
        assert found.left == 0
        seen |= set(fresh)
        latest = committed(latest, found)
    names = [] if latest is None else [entry.origin for one in latest.generations for entry in one.inputs]
    assert len(set(names)) == len(names)


@given(FILES.filter(bool), FILES.filter(bool), st.data())
def test_a_run_that_sees_more_agrees_with_one_that_saw_less(
    first: list[tuple[str, int]], later: list[tuple[str, int]], data: st.DataObject
) -> None:
    began = next_generation(job(), [read(*file, index) for index, file in enumerate(first)], None)
    assert began is not None
    latest = data.draw(st.sampled_from([None, committed(None, began)]))
    offset = 0 if latest is None else 100
    claimed = next_generation(job(), [read(*file, offset + index) for index, file in enumerate(later)], latest)
    if claimed is None:
        return
    inputs = [source_entry(job(), one) for one in claimed.reads]
    contents = data.draw(st.permutations([*later, *first]))
    reads = [read(f"moved{name}", content, 200 + index) for index, (name, content) in enumerate(contents)]
    agreed = chosen_generation(job(), reads, latest, inputs, claimed.shards)
    assert agreed is not None
    assert agreed.fingerprint == claimed.fingerprint
    assert agreed.number == claimed.number
    unseen = len(reads) if latest is None else sum(content not in dict(map(reversed, first)) for _, content in contents)
    assert agreed.left == unseen - len(claimed.reads)
    lost = later[0][1]
    fewer = [one for one in reads if one.indexed.files[0].fingerprint != f"{lost:032x}"]
    if any(one.indexed.files[0].fingerprint == f"{lost:032x}" for one in claimed.reads):
        assert chosen_generation(job(), fewer, latest, inputs, claimed.shards) is None


def test_origins_are_the_shortest_ends_that_differ() -> None:
    assert origins(["/a/x.en", "s3://b/y.en"]) == ["x.en", "y.en"]
    assert origins(["/a/x.en", "/b/x.en", "/b/y.en"]) == ["a/x.en", "b/x.en", "b/y.en"]
    assert origins(["/a/x.en", "/a/x.en"]) == ["x.en", "x.en"]


SIDES = {"source_language": "en", "target_language": "de"}


@pytest.mark.parametrize(
    ("values", "key", "recipe"),
    [
        (
            {"source": "*.en", "target": "*.de"},
            "c54d8ebde49f4669a153e408063061b7",
            "dac89d0bd646e47c1506960577b1e626",
        ),
        (
            {"text": "*.txt", "prompt_words": 2},
            "20a51b68afd6a6d66e1dd7d46e61bc64",
            "22890949e166c3e957993698e7198153",
        ),
        ({"path": "*.tsv"}, "4fe293100bb1f38446f1b877cb0e0a57", "6220c2bdc224fe110268bf9953a85606"),
        (
            {"path": "*.tsv", "source_field": "s", "target_field": "t", "score_field": "n"},
            "3e6953f71a4ce119a0f62b3e61b1ceb9",
            "2cd5014b930edc00db0688ea27e5c9f6",
        ),
        (
            {"path": "*.jsonl", "source_field": "s.0", "target_field": "t"},
            "4ffd378fcbd1e6a41ba71cb322ec1924",
            "83ebc93145f5150ce10c629771a0e645",
        ),
        (
            {"path": "*.jsonl", "text_field": "t"},
            "6fb028956087cc5607a0d89c6b13ff15",
            "60a5133c2766cf1580aeae3b6224520b",
        ),
        (
            {"path": "*.parquet", "score_field": "n"},
            "536cf6d98342847493c65ffb608dc96d",
            "cbf94e6c058fcbb9a504411faf433d72",
        ),
        ({"path": "*.arrow"}, "c654de048af2727485653872b1041bc1", "9632dab9cf0b3d49f95390199f098693"),
        ({"path": "*.tmx", **SIDES}, "f378458e3757412e155aa4a930e00fe4", "411c2c110163651e87e1004b2bca7d43"),
    ],
)
def test_what_names_an_input_and_its_recipe_is_what_it_has_always_been(
    tmp_path: Path, values: dict[str, Any], key: str, recipe: str
) -> None:
    """Or datasets that stand would not accept another run."""
    for suffix in ("en", "de", "txt", "tsv", "jsonl", "parquet", "arrow", "tmx"):
        (tmp_path / f"c.{suffix}").write_text("x\n")
    config = CorpusConfig.model_validate(
        {name: str(tmp_path / value) if str(value).startswith("*") else value for name, value in values.items()}
    )
    (source,) = config.sources()
    files = tuple(FileIndex(url=u, bytes=1, fingerprint="0" * 32, lines=1, cuts=(0,), starts=(0,)) for u in source.urls)
    found = read_of(
        Input(index=0, corpus=0, role="train", origin="c", source=source), IndexedInput(index=0, files=files)
    )
    assert found.key == key
    settings = job().model_copy(update={"corpora": (resolve(config, "train", "news", Recipe()),)})
    assert recipe_fingerprint(settings, [found], 3) == recipe
