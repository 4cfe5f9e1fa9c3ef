"""Near-duplicates over shards and generations against a plain search of all rows, replays and damaged runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pytest

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.shuffle.hashing import digests, pair_digests, ranges, to_column
from seq2seq_core.preparation.sieves.near.bands import Texts, make_keys, read_bands, split_keys, texts_of, write_bands
from seq2seq_core.preparation.sieves.near.minhash import bands, compared, signatures
from seq2seq_core.preparation.sieves.near.search import find_buckets, find_edges, kept_instead, write_drops
from seq2seq_core.preparation.terms.messages import Drops, NearPlan
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


def plan_of(folder: Path, shards: Shards, **values: Any) -> NearPlan:
    defaults: dict[str, Any] = {"config": CONFIG, "shards": shards.count, "buckets": shards.count}
    return NearPlan(folder=str(folder / "near"), work=str(folder / "work"), **(defaults | values))


def run(plan: NearPlan, shards: Shards, limit: int = 1 << 20, seed: int = 0) -> Drops:
    """All steps, each in an order of its own."""
    draw = random.Random(seed)
    order = draw.sample(range(plan.shards), plan.shards)
    reports = [write_bands(plan, shard, shards.read(shard)) for shard in order]
    order = draw.sample(range(plan.buckets), plan.buckets)
    places = find_buckets(plan, reports)
    edges = [find_edges(plan, bucket, places, limit) for bucket in order]
    return write_drops(plan, edges, limit)


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
    pairs = sentences(150, seed=2)
    generations = [Shards(pairs[begin : begin + 50], 3) for begin in (0, 50, 100)]
    earlier: list[str] = []
    for number, shards in enumerate(generations):
        plan = plan_of(tmp_path / str(number), shards, earlier=tuple(earlier))
        assert drops(run(plan, shards, limit), shards) == plain_drops(generations[: number + 1])
        earlier.append(plan.folder)
    assert plan.generation == 2


def test_the_kept_row_was_not_dropped_before(tmp_path: Path) -> None:
    pairs = sentences(120, seed=3)
    first, second = Shards(pairs[:80], 2), Shards(pairs[80:], 2)
    gone = drops(run(plan_of(tmp_path / "0", first), first), first)
    plan = plan_of(tmp_path / "1", second, earlier=(str(tmp_path / "0" / "near"),))
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


def test_other_settings_than_those_of_earlier_generations_are_refused(tmp_path: Path) -> None:
    shards = Shards(sentences(10, seed=5), 1)
    first = plan_of(tmp_path / "0", shards)
    run(first, shards)
    earlier = (first.folder,)
    other = CONFIG.model_copy(update={"seed": 1})
    with pytest.raises(DatasetError, match=r"settings have changed.*\"seed\": 0.*\"seed\": 1"):
        run(plan_of(tmp_path / "1", shards, config=other, earlier=earlier), shards)
    with pytest.raises(DatasetError, match=r"\"buckets\": 1.*\"buckets\": 2"):
        run(plan_of(tmp_path / "2", shards, buckets=2, earlier=earlier), shards)


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
    path = f"{plan.folder}/part-00000-of-00001.arrow"
    assert (report.index, report.rows, report.positions[-1] < storage.size(path)) == (0, 30, True)
    parts = [read_bands(path, plan, bucket, rank=1, shard=9) for bucket in range(4)]
    found = [
        (value, *(field.tolist() for field in key))
        for part in parts
        for value, *key in zip(part.hashes.tolist(), *split_keys(part.keys), strict=True)
    ]
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
