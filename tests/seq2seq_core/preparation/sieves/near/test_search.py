"""Near-duplicates over shards and generations against a plain search of all rows, replays and damaged runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn, cast

import numpy as np
import pyarrow as pa
import pytest

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import KnownKind, RunEntry
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.known.merging import known_at, merge_part, parts_to_merge, runs_after
from seq2seq_core.preparation.shuffle.hashing import digests, pair_digests, ranges
from seq2seq_core.preparation.sieves.near.bands import (
    Texts,
    entries_of,
    from_run,
    make_keys,
    split_keys,
    texts_of,
    to_run,
    write_bands,
)
from seq2seq_core.preparation.sieves.near.minhash import bands, compared, signatures
from seq2seq_core.preparation.sieves.near.search import find_buckets, find_edges, kept_instead, write_drops
from seq2seq_core.preparation.terms.known import Cut
from seq2seq_core.preparation.terms.messages import Drops, EdgesReport, NearPlan
from seq2seq_core.preparation.terms.octets import to_column
from seq2seq_core.preparation.terms.recipe import NearDuplicatesConfig

WORDS = [
    "a",
    "the",
    "man",
    "woman",
    "dog",
    "cat",
    "runs",
    "sleeps",
    "in",
    "on",
    "park",
    "street",
    "red",
    "green",
    "and",
]
Runs = dict[KnownKind, tuple[RunEntry, ...]]


class Found(NamedTuple):
    """What a search has come to."""

    edges: list[EdgesReport]
    drops: Drops


CONFIG = NearDuplicatesConfig(bands=6, rows=4, shingle_length=4)


def sentences(count: int, seed: int, near: float = 0.5) -> list[tuple[str, str]]:
    """Distinct pairs; this share of them is another one with a word changed or a mark more."""
    draw = random.Random(seed)
    pairs: dict[tuple[str, str], None] = {}
    while len(pairs) < count:
        words = draw.choices(WORDS, k=draw.randint(6, 14))
        if pairs and draw.random() < near:
            words = draw.choice(list(pairs))[0].split()
            words[draw.randrange(len(words))] += draw.choice("!s.")
        pairs[" ".join(words), " ".join(word[::-1] for word in words)] = None
    return list(pairs)


class Shards:
    """Rows by shard, as preparation deals them out."""

    def __init__(self, pairs: list[tuple[str, str]], count: int) -> None:
        source, target = (pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1))
        ids = pair_digests(digests(source), digests(target))
        place = ranges(ids, np.full(len(ids), count, np.int64))
        self.count = count
        self.ids = ids
        self.texts = [
            Texts(*(column.filter(pa.array(place == shard)) for column in (to_column(ids), source, target)))
            for shard in range(count)
        ]
        self.whole = Texts(to_column(ids), source, target)

    def read(self, shard: int, rows: int = 7) -> Iterator[Texts]:
        texts = self.texts[shard]
        for begin in range(0, len(texts.ids), rows):
            yield Texts(*(column.slice(begin, rows) for column in texts))


def plan_of(folder: Path, shards: Shards, *, generation: int = 0, runs: Runs | None = None, **values: Any) -> NearPlan:
    """The search of a generation; it adds to what is known, in the folder above its own."""
    root, buckets = folder.parent, values.get("buckets", shards.count)
    adds: dict[KnownKind, Cut] = {
        "bands": Cut(path=f"known/bands-{folder.name}", parts=buckets, ranges=3),
        "kept": Cut(path=f"known/kept-{folder.name}", parts=1, ranges=2),
    }
    known = known_at(generation, f"{folder.name:0<8}", runs or {}, adds)
    defaults: dict[str, Any] = {"config": CONFIG, "shards": shards.count, "buckets": shards.count}
    places = {"output": str(root), "work": str(folder / "work"), "generation": generation, "known": known}
    return NearPlan(**(defaults | places | values))


def known_after(plan: NearPlan, found: Found) -> Runs:
    """What later generations are told, when merging is done as well."""
    head = SimpleNamespace(output=plan.output, known=plan.known)
    merged = [merge_part(cast(Any, head), part) for part in parts_to_merge(plan.known)]
    edges = [report.known for report in found.edges if report.known is not None]
    kept = [found.drops.known] if found.drops.known is not None else []
    return runs_after(plan.known, merged, {"bands": edges, "kept": kept})


def run(plan: NearPlan, shards: Shards, limit: int = 1 << 20, seed: int = 0) -> Drops:
    """The end of all steps."""
    return run_all(plan, shards, limit, seed).drops


def run_all(plan: NearPlan, shards: Shards, limit: int = 1 << 20, seed: int = 0) -> Found:
    """All steps, each in an order of its own."""
    draw = random.Random(seed)
    order = draw.sample(range(plan.shards), plan.shards)
    reports = [write_bands(plan, shard, shards.read(shard)) for shard in order]
    order = draw.sample(range(plan.buckets), plan.buckets)
    places = find_buckets(plan, reports)
    edges = [find_edges(plan, bucket, places, limit) for bucket in order]
    return Found(edges, write_drops(plan, edges, limit))


def drops(found: Drops, shards: Shards) -> dict[bytes, bytes]:
    """Dropped id and kept one."""
    pairs: dict[bytes, bytes] = {}
    for shard in range(shards.count):
        ids = shards.texts[shard].ids
        kept = kept_instead(ids, found, shard).to_pylist()
        pairs |= {id_: other for id_, other in zip(ids.to_pylist(), kept, strict=True) if other is not None}
    assert len(pairs) == found.rows
    return pairs


def plain_drops(generations: list[Shards], config: NearDuplicatesConfig = CONFIG) -> dict[bytes, bytes]:
    """The same of the last generation, by comparing all rows with all."""
    rows: list[tuple[tuple[int, bytes], set[int]]] = []
    for rank, shards in enumerate(generations):
        hashes = bands(signatures(compared(shards.whole.source, shards.whole.target, config), config), config)
        keys = [(rank, id_.tobytes()) for id_ in shards.ids]
        rows += zip(keys, map(set, hashes.tolist()), strict=True)
    smallest = {key: key for key, _ in rows}
    changed = True
    while changed:
        changed = False
        for i, (left, ours) in enumerate(rows):
            for right, theirs in rows[:i]:
                if smallest[left] != smallest[right] and ours & theirs:
                    smallest[left] = smallest[right] = min(smallest[left], smallest[right])
                    changed = True
    return {key[1]: kept[1] for key, kept in smallest.items() if key != kept and key[0] == len(generations) - 1}


@pytest.mark.parametrize(("shards", "buckets", "limit"), [(1, 1, 1 << 20), (3, 5, 40), (5, 2, 1)])
def test_what_a_plain_search_finds_whatever_the_cut(tmp_path: Path, shards: int, buckets: int, limit: int) -> None:
    dealt = Shards(sentences(160, seed=1), shards)
    found = drops(run(plan_of(tmp_path, dealt, buckets=buckets), dealt, limit, seed=limit), dealt)
    expected = plain_drops([dealt])
    assert found == expected
    assert 40 < len(expected) < 120


@pytest.mark.parametrize("limit", [1, 1 << 20])
def test_later_generations_are_compared_with_all_earlier_ones_which_always_stay(tmp_path: Path, limit: int) -> None:
    """Whatever the shards of each are, and though runs are merged in between."""
    pairs = sentences(250, seed=2)
    generations = [Shards(pairs[begin : begin + 50], 1 + begin // 50 % 3) for begin in range(0, 250, 50)]
    runs: Runs = {}
    for number, shards in enumerate(generations):
        plan = plan_of(tmp_path / str(number), shards, generation=number, runs=runs)
        found = run_all(plan, shards, limit)
        assert drops(found.drops, shards) == plain_drops(generations[: number + 1])
        runs = known_after(plan, found)
    assert len(runs["bands"]) == 2  # one of four generations and one


def test_the_kept_row_was_not_dropped_before(tmp_path: Path) -> None:
    pairs = sentences(120, seed=3)
    first, second = Shards(pairs[:80], 2), Shards(pairs[80:], 2)
    plan = plan_of(tmp_path / "0", first)
    found = run_all(plan, first)
    gone = drops(found.drops, first)
    plan = plan_of(tmp_path / "1", second, generation=1, runs=known_after(plan, found))
    kept = set(drops(run(plan, second), second).values())
    assert not kept & set(gone)
    assert kept & {id_.tobytes() for id_ in first.ids}


def test_a_group_of_any_size_has_fewer_edges_than_rows(tmp_path: Path) -> None:
    pairs = [("the same text" + "!" * (i % 90), "derselbe Text" + "." * (i // 90)) for i in range(3000)]
    shards = Shards(pairs, 2)
    plan = plan_of(tmp_path, shards)
    reports = [write_bands(plan, shard, shards.read(shard, 500)) for shard in range(2)]
    places = find_buckets(plan, reports)
    edges = [find_edges(plan, bucket, places, 1000) for bucket in range(2)]
    assert sum(report.edges for report in edges) == CONFIG.bands * (len(pairs) - 1)
    found = drops(write_drops(plan, edges, 1000), shards)
    assert set(found.values()) == {min(id_.tobytes() for id_ in shards.ids)}
    assert len(found) == len(pairs) - 1


def test_a_replay_gives_the_same_bytes_and_finished_steps_read_nothing(tmp_path: Path) -> None:
    shards = Shards(sentences(60, seed=4), 3)
    plan = plan_of(tmp_path, shards)
    first = run(plan, shards)
    names = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    before = {path: storage.digest_file(str(path)) for path in names}

    def fail() -> Iterator[NoReturn]:
        raise AssertionError("a finished shard was read again")
        yield

    reports = [write_bands(plan, shard, fail()) for shard in range(3)]
    places = find_buckets(plan, reports)
    edges = [find_edges(plan, bucket, places) for bucket in range(3)]
    assert write_drops(plan, edges) == first
    storage.remove(plan.work)
    assert run(plan, shards, seed=5) == first
    assert {path: storage.digest_file(str(path)) for path in names} == before


def test_no_rows_at_all_and_exact_copies_of_one_id(tmp_path: Path) -> None:
    empty = Shards([], 2)
    found = run(plan_of(tmp_path / "empty", empty), empty)
    assert (found.rows, drops(found, empty)) == (0, {})
    copies = Shards([("the same", "dasselbe")] * 3, 1)
    assert drops(run(plan_of(tmp_path / "copies", copies), copies), copies) == {}


def test_missing_or_double_reports_are_refused(tmp_path: Path) -> None:
    shards = Shards(sentences(10, seed=6), 2)
    plan = plan_of(tmp_path, shards)
    reports = [write_bands(plan, shard, shards.read(shard)) for shard in range(2)]
    for wrong in (reports[:1], [*reports, reports[0]]):
        with pytest.raises(DatasetError, match="band files of shards are missing or there twice"):
            find_buckets(plan, wrong)
    places = find_buckets(plan, reports)
    edges = [find_edges(plan, bucket, places) for bucket in range(2)]
    with pytest.raises(DatasetError, match=r"edges of buckets are missing.*found \[1\]"):
        write_drops(plan, edges[1:])


def test_a_band_file_holds_every_band_of_every_row_in_its_bucket(tmp_path: Path) -> None:
    shards = Shards(sentences(30, seed=7), 1)
    plan = plan_of(tmp_path, shards, buckets=4)
    report = write_bands(plan, 0, shards.read(0))
    path = f"{plan.work}/bands/part-00000-of-00001.arrow"
    assert (report.index, report.rows, report.positions[-1] < storage.size(path)) == (0, 30, True)
    with pa.ipc.open_file(path) as reader:
        parts = [entries_of(reader.get_batch(bucket), rank=1, shard=9) for bucket in range(4)]
    found = [
        (value, *(field.tolist() for field in key))
        for part in parts
        for value, *key in zip(part.hashes.tolist(), *split_keys(part.keys), strict=True)
    ]
    for part in parts:
        back = from_run(to_run(part))
        assert (back.hashes == part.hashes).all()
        assert (back.keys[:, :20] == part.keys[:, :20]).all()
    signed = signatures(compared(*shards.whole[1:], CONFIG), CONFIG)
    expected = sorted(
        (value, 1, id_.tolist(), 9)
        for id_, values in zip(shards.ids, bands(signed, CONFIG).tolist(), strict=True)
        for value in values
    )
    assert found == expected
    assert [len(part.hashes) for part in parts] == [
        sum(value * 4 >> 64 == bucket for value, *_ in expected) for bucket in range(4)
    ]


def test_keys_are_ordered_by_rank_id_and_shard() -> None:
    ids = digests(pa.array(["a", "b"]))
    keys = np.concatenate([make_keys(ids, rank, shard) for rank in (0, 300) for shard in (1, 70_000)])
    rank, found, shard = split_keys(keys)
    tuples = [*zip(rank.tolist(), map(bytes, found), shard.tolist(), strict=True)]
    assert sorted(tuples) == [tuples[i] for i in sorted(range(len(keys)), key=lambda i: bytes(keys[i]))]


def test_texts_of_gathered_rows() -> None:
    ids = to_column(digests(pa.array(["1", "2"])))
    text = pa.array(["x", "ü"], pa.large_string())
    (found,) = texts_of(pa.table({"id": ids, "line": [1, 2], "source": text, "target": text}))
    assert found == (ids, pa.array(["x", "ü"]), pa.array(["x", "ü"]))
