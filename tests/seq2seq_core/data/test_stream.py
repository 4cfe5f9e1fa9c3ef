from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.config import build
from seq2seq_core.data import epoch_order, stream
from seq2seq_core.data.drawing.curriculum import Curriculum, CurriculumConfig
from seq2seq_core.data.drawing.shares import Mixed, MixtureConfig
from seq2seq_core.data.epoch_order import OrderMaker, StreamConfig
from seq2seq_core.data.stream import BatchStream, EpochStart, rank_rows
from seq2seq_core.dataset.reader import Lengths
from seq2seq_core.errors import ConfigError, TrainingError
from tests.row_lengths import ArrayLengths, weights_of

CONFIG = StreamConfig(batch_tokens=120, bins_per_batch=3, window_rows=32, max_source_tokens=20, max_target_tokens=25)


def lengths_of(rows: int, seed: int = 0, most: int = 30) -> ArrayLengths:
    random = np.random.default_rng(seed)
    source, target = random.integers(0, most + 1, (2, rows), dtype=np.int32)
    return ArrayLengths(source, target)


def widths(lengths: ArrayLengths, rows: np.ndarray) -> np.ndarray:
    return np.maximum(lengths.source[rows], lengths.target[rows]) + 1


def epoch_batches(plan: BatchStream, epoch: int) -> list[np.ndarray]:
    positions = itertools.takewhile(lambda p: plan.start(p).epoch <= epoch, itertools.count())
    return [plan.batch(p) for p in positions if plan.start(p).epoch == epoch]


cases = st.builds(lengths_of, st.integers(1, 200), st.integers(0, 99), st.integers(0, 20))


@settings(max_examples=50, deadline=None)
@given(cases, st.integers(0, 9), st.integers(1, 5), st.integers(1, 100))
def test_every_row_once_an_epoch(lengths: ArrayLengths, seed: int, bins: int, window: int) -> None:
    config = CONFIG.model_copy(update={"bins_per_batch": bins, "batch_tokens": 40 * bins, "window_rows": window})
    plan = BatchStream(lengths, config, seed)
    for epoch in range(3):
        rows = np.concatenate(epoch_batches(plan, epoch))
        assert sorted(rows.tolist()) == list(range(len(lengths.source)))


def test_long_rows_are_left_out_and_counted() -> None:
    lengths = lengths_of(500)
    plan = BatchStream(lengths, CONFIG, seed=1)
    kept = np.flatnonzero((lengths.source <= 20) & (lengths.target <= 25))
    assert 0 < plan.dropped_rows == 500 - len(kept)
    assert sorted(np.concatenate(epoch_batches(plan, 1)).tolist()) == kept.tolist()


@settings(max_examples=25, deadline=None)
@given(cases, st.integers(0, 9), st.lists(st.integers(0, 40), max_size=8))
def test_a_batch_follows_from_its_position_alone(lengths: ArrayLengths, seed: int, positions: list[int]) -> None:
    straight = BatchStream(lengths, CONFIG, seed)
    stream = [straight.batch(position) for position in range(41)]
    epochs = [straight.start(position) for position in range(41)]
    jumping = BatchStream(lengths, CONFIG, seed)
    for position in positions:
        assert jumping.batch(position).tolist() == stream[position].tolist()
        assert jumping.start(position) == epochs[position]
        assert BatchStream(lengths, CONFIG, seed).batch(position).tolist() == stream[position].tolist()


def test_the_stream_is_the_same_on_every_machine_and_version() -> None:
    """Frozen values: whoever changes the stream on purpose raises STREAM_VERSION."""
    numbers = np.arange(40, dtype=np.int32)
    plan = BatchStream(ArrayLengths(numbers * 7 % 20, numbers * 11 % 23), CONFIG, seed=7)
    digest = storage.digest_bytes(np.concatenate([plan.batch(p) for p in range(12)]).tobytes())
    assert (stream.STREAM_VERSION, digest) == (1, "a4afdc3c152352087bd7e159e292d99a")


def test_seeds_and_epochs_give_different_orders() -> None:
    lengths = lengths_of(300, most=20)
    batches = [
        np.concatenate(epoch_batches(BatchStream(lengths, CONFIG, seed), epoch))
        for seed, epoch in ((1, 0), (1, 1), (2, 0))
    ]
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(batches, 2))


def test_epochs_are_located() -> None:
    plan = BatchStream(lengths_of(300, most=20), CONFIG, seed=1)
    first = 0
    for epoch in range(4):
        following = first + len(epoch_batches(plan, epoch))
        assert {plan.start(p) for p in range(first, following)} == {EpochStart(epoch, first)}
        first = following


def recorded() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "recorded_streams.json").read_text())


def opened(case: dict[str, Any], cache: Path | None = None) -> BatchStream:
    """The stream of a recorded case."""
    raw = np.random.Philox(key=np.array([case["seed"], 99], np.uint64))
    source, target = ((raw.random_raw(case["rows"]) % np.uint64(most)).astype(np.int32) for most in (41, 47))
    weights = case["weights"] and weights_of(np.resize(np.array(case["weights"]), case["rows"]))
    return BatchStream(ArrayLengths(source, target), StreamConfig(**case["config"]), case["seed"], weights, cache)


@pytest.mark.parametrize("name", sorted(recorded()))
@pytest.mark.parametrize("is_shared", [False, True])
def test_runs_of_earlier_versions_go_on_as_they_began(
    name: str, is_shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded before orders had files: whoever changes the stream on purpose raises STREAM_VERSION."""
    monkeypatch.setattr(stream, "SHARED_ROWS", 0)
    case = recorded()[name]
    plan = opened(case, tmp_path if is_shared else None)
    assert (plan.fingerprint, plan.dropped_rows) == (case["fingerprint"], case["dropped"])
    for epoch, (begin, end) in enumerate(itertools.pairwise(case["starts"])):
        assert plan.start(begin) == EpochStart(epoch, begin)
        rows = b"".join(plan.batch(p).astype("<i8").tobytes() + b"|" for p in range(begin, end))
        assert storage.digest_bytes(rows) == case["digests"][epoch]
    assert len(list(tmp_path.rglob("*.order"))) == is_shared


def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the epochs whose order is made from now on."""
    numbers: list[int] = []
    inner = OrderMaker.make

    def counted(self: OrderMaker, number: int, put: Any) -> Any:
        numbers.append(number)
        return inner(self, number, put)

    monkeypatch.setattr(OrderMaker, "make", counted)
    return numbers


@pytest.mark.parametrize("name", ["plain", "weighted"])
@pytest.mark.parametrize("place", [0, 1, -1])
def test_from_a_known_start_one_epoch_is_made(name: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = recorded()[name]
    first, following = case["starts"][3:5]
    position = (first, following)[place] if place < 1 else first + 5
    start = opened(case).start(position)
    expected = opened(case).batch(position).tolist()
    numbers = made(monkeypatch)
    resumed = opened(case)
    resumed.know(start)
    resumed.know(start)
    assert resumed.batch(position).tolist() == expected
    assert resumed.start(position) == start
    assert numbers == [start.epoch]
    assert resumed.start(0) == EpochStart(0, 0)
    assert resumed.start(case["starts"][2]) == EpochStart(2, case["starts"][2])


def test_without_a_known_start_all_before_it_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    case, numbers = recorded()["plain"], made(monkeypatch)
    opened(case).batch(case["starts"][3])
    assert numbers == [0, 1, 2, 3]


def test_the_processes_of_a_machine_share_an_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads stand for processes: a lock belongs to the open file, so it keeps threads apart too."""
    monkeypatch.setattr(stream, "SHARED_ROWS", 0)
    case, numbers = recorded()["weighted"], made(monkeypatch)
    ranks = [opened(case, tmp_path) for _ in range(4)]
    positions = range(case["starts"][3])
    expected = [opened(case).batch(p).tolist() for p in positions]
    numbers.clear()
    with ThreadPoolExecutor(4) as pool:
        for position in positions:
            found = list(pool.map(lambda rank, p=position: rank.batch(p).tolist(), ranks))
            assert found == [expected[position]] * 4
    assert numbers == [0, 1, 2]
    assert [path.name for path in tmp_path.rglob("*.order")] == ["00000002.order"]
    maps = Path("/proc/self/maps").read_text()
    assert maps.count("00000002.order") == 4


def test_the_order_of_few_rows_has_no_file(tmp_path: Path) -> None:
    opened(recorded()["plain"], tmp_path).batch(0)
    assert not list(tmp_path.iterdir())


def test_streams_do_not_share_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SHARED_ROWS", 0)
    lengths, other = lengths_of(50, most=20), lengths_of(50, seed=1, most=20)
    changed = CONFIG.model_copy(update={"window_rows": 31})
    for arguments in (
        (lengths, CONFIG, 1),
        (lengths, CONFIG, 2),
        (lengths, changed, 1),
        (other, CONFIG, 1),
        (lengths, CONFIG, 1, weights_of(np.full(50, 2.0))),
    ):
        assert (
            BatchStream(*arguments, cache=tmp_path).batch(0).tolist()  # type: ignore[call-arg, arg-type]
            == BatchStream(*arguments).batch(0).tolist()  # type: ignore[arg-type]
        )
    assert len(list(tmp_path.rglob("*.order"))) == 5


@settings(max_examples=50, deadline=None)
@given(cases, st.sampled_from([1, 2, 3, 8]))
def test_ranks_share_a_batch_evenly(lengths: ArrayLengths, world: int) -> None:
    rows = BatchStream(lengths, CONFIG, seed=1).batch(0)
    parts = [rank_rows(rows, rank, world) for rank in range(world)]
    assert sorted(np.concatenate(parts).tolist()) == sorted(rows.tolist())
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    tokens = [int(widths(lengths, part).sum()) for part in parts]
    assert max(tokens) - min(tokens) <= widths(lengths, rows).max()


def test_a_configuration_whose_longest_row_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ConfigError,
        match=r"\(100 / 4 = 25\) tokens cannot hold a row of max_source_tokens \(25\).*raise batch_tokens to 104",
    ):
        build(StreamConfig, {"batch_tokens": 100, "max_source_tokens": 25, "max_target_tokens": 10})
    with pytest.raises(pydantic.ValidationError):
        StreamConfig(batch_tokens=1000)
    StreamConfig(batch_tokens=104, max_source_tokens=25, max_target_tokens=10)
    with pytest.raises(ConfigError, match=r"cannot hold a row of max_target_tokens \(25\) and its EOS: .* to 104 or"):
        build(StreamConfig, {"batch_tokens": 100, "max_target_tokens": 25})
    unknown = StreamConfig(batch_tokens=104, max_target_tokens=25)  # so is its longest source
    with pytest.raises(ConfigError, match=r"max_source_tokens \(3000\) or max_target_tokens \(25\).* to 12004 or"):
        unknown.settled(3000)


def test_the_longest_source_is_settled_where_nothing_was_said() -> None:
    assert StreamConfig().settled().max_source_tokens == 256
    assert StreamConfig().settled(3000).max_source_tokens == 3000
    assert StreamConfig(max_source_tokens=9).settled(3000).max_source_tokens == 9
    with pytest.raises(ConfigError, match=r"cannot hold a row of max_source_tokens \(3000\)"):
        StreamConfig(batch_tokens=8192).settled(3000)


def test_no_row_left_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no row is left to train on; found 3 rows"):
        BatchStream(ArrayLengths(*np.full((2, 3), 90, np.int32)), CONFIG, seed=1)
    with pytest.raises(TrainingError, match="found 0 rows"):
        BatchStream(ArrayLengths(*np.zeros((2, 0), np.int32)), CONFIG, seed=1)


def test_more_rows_than_numbers_of_32_bits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = np.broadcast_to(np.int32(1), (2**32 + 1,))  # takes no memory
    with pytest.raises(TrainingError, match="the split has too many rows; found 4,294,967,297; expected at most"):
        BatchStream(ArrayLengths(one, one), CONFIG, seed=1)
    for weight in (2.0**31, float("inf"), float("nan")):
        with pytest.raises(TrainingError, match="an epoch, by the weights of its corpora, has too many rows"):
            BatchStream(lengths_of(3, most=9), CONFIG, 1, weights_of(np.full(3, weight)))
    plan = BatchStream(
        lengths_of(8, most=9), CONFIG, 1, weights_of(np.full(8, 0.25))
    )  # two on average, and now and then more
    monkeypatch.setattr(epoch_order, "MOST_ROWS", 2)
    with pytest.raises(TrainingError, match="an epoch, by the weights of its corpora, has too many rows"):
        plan.batch(50)


def test_the_fingerprint_names_configuration_and_seed() -> None:
    lengths = lengths_of(10)
    other = CONFIG.model_copy(update={"window_rows": 31})
    prints = {BatchStream(lengths, config, seed).fingerprint for config in (CONFIG, other) for seed in (1, 2)}
    assert len(prints) == 4
    assert BatchStream(lengths, CONFIG, 1).fingerprint in prints


@settings(max_examples=30, deadline=None)
@given(cases, st.integers(0, 9), st.sampled_from([0.25, 0.5, 1.0, 1.75, 3.0]))
def test_a_weighted_row_stands_in_an_epoch_as_often_as_its_weight_says(
    lengths: ArrayLengths, seed: int, weight: float
) -> None:
    weights = np.where(np.arange(len(lengths.source)) % 2 == 0, 1.0, weight)
    plan = BatchStream(lengths, CONFIG, seed, weights_of(weights))
    for epoch in range(2):
        counts = np.bincount(np.concatenate(epoch_batches(plan, epoch)), minlength=len(weights))
        assert (counts[::2] == 1).all()
        assert set(counts[1::2].tolist()) <= {int(np.floor(weight)), int(np.ceil(weight))}


def test_fractions_of_weights_are_drawn_anew_for_each_epoch_and_come_out_on_average() -> None:
    lengths = lengths_of(4000, most=19)
    plan = BatchStream(lengths, CONFIG, 3, weights_of(np.full(4000, 0.3)))
    epochs = [set(np.concatenate(epoch_batches(plan, epoch)).tolist()) for epoch in range(3)]
    assert all(abs(len(epoch) - 1200) < 120 for epoch in epochs)
    assert 200 < len(epochs[0] & epochs[1]) < 520  # independent draws share 0.3 x 0.3 of all rows
    again = BatchStream(lengths, CONFIG, 3, weights_of(np.full(4000, 0.3)))
    assert again.batch(170).tolist() == plan.batch(170).tolist()


def test_the_stream_of_weights_of_one_is_another_only_by_name() -> None:
    lengths = lengths_of(300)
    plain, ones = BatchStream(lengths, CONFIG, 1), BatchStream(lengths, CONFIG, 1, weights_of(np.ones(300)))
    assert sorted(np.concatenate(epoch_batches(plain, 0))) == sorted(np.concatenate(epoch_batches(ones, 0)))
    assert (
        BatchStream(lengths, CONFIG, 1, weights_of(np.full(300, 2.0))).fingerprint
        != ones.fingerprint
        != plain.fingerprint
    )


def test_an_epoch_is_never_empty() -> None:
    plan = BatchStream(lengths_of(3, most=9), CONFIG, 0, weights_of(np.full(3, 1e-9)))
    assert all(len(np.concatenate(epoch_batches(plan, epoch))) == 1 for epoch in range(3))


def mixed(rows: list[int], config: MixtureConfig) -> Mixed:
    return Mixed(tuple(f"d{i}" for i in range(len(rows))), tuple(rows), config)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=4), st.integers(0, 9), st.sampled_from([1.0, 3.0, 1e6]))
def test_an_epoch_has_of_each_dataset_what_is_its_share(rows: list[int], seed: int, temperature: float) -> None:
    lengths, config = lengths_of(sum(rows), seed, most=20), MixtureConfig(temperature=temperature)
    plan = BatchStream(lengths, CONFIG, seed, mixed=mixed(rows, config))
    jumping = BatchStream(lengths, CONFIG, seed, mixed=mixed(rows, config))
    assert plan.draws == config.draws(rows)
    epochs = [epoch_batches(plan, epoch) for epoch in range(2)]
    for batches in epochs:
        assert tuple(np.sum([plan.by_dataset(batch) for batch in batches], axis=0)) == plan.draws
    assert jumping.batch(len(epochs[0])).tolist() == epochs[1][0].tolist()
    if temperature == 1:
        assert sorted(np.concatenate(epochs[1]).tolist()) == list(range(sum(rows)))


def test_a_mixture_has_a_name_of_its_own() -> None:
    lengths = lengths_of(100, most=20)
    ways = [
        None,
        mixed([40, 60], MixtureConfig()),
        mixed([50, 50], MixtureConfig()),
        mixed([40, 60], MixtureConfig(temperature=4)),
    ]
    plans = [BatchStream(lengths, CONFIG, 1, mixed=way) for way in ways]
    assert len({plan.fingerprint for plan in plans}) == len({plan.parts[0].name for plan in plans}) == len(ways)
    assert (plans[0].draws, plans[0].by_dataset(np.arange(5))) == ((), ())


def test_a_dataset_without_rows_to_train_on_is_named() -> None:
    lengths = ArrayLengths(np.array([1, 2, 99], np.int32), np.array([1, 2, 99], np.int32))
    with pytest.raises(TrainingError, match="d1: no row is left to train on; found 1 rows"):
        BatchStream(lengths, CONFIG, 1, mixed=mixed([2, 1], MixtureConfig()))


def test_corpora_have_their_weights_in_a_mixture() -> None:
    lengths, weights = lengths_of(100, most=20), weights_of(np.repeat([0.5, 1.0], [40, 60]))
    plan = BatchStream(lengths, CONFIG, 1, weights, mixed=mixed([40, 60], MixtureConfig()))
    assert plan.draws == (20, 60)


def by_length(lengths: ArrayLengths, config: CurriculumConfig) -> Curriculum:
    return Curriculum.of(config, lengths.source, CONFIG.keeps(Lengths(lengths.source, lengths.target)))


curricula = st.builds(
    CurriculumConfig,
    steps=st.integers(1, 30),
    start=st.floats(0.05, 1),
    stages=st.integers(1, 8),
    first=st.sampled_from(["low", "high"]),
)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(0, 9), curricula, st.lists(st.integers(0, 40), max_size=4))
def test_rows_of_a_curriculum_come_when_they_are_due_and_once_an_epoch(
    rows: int, seed: int, config: CurriculumConfig, places: list[int]
) -> None:
    lengths = lengths_of(rows, seed, most=22)
    curriculum, kept = by_length(lengths, config), CONFIG.keeps(Lengths(lengths.source, lengths.target))
    assume(kept.any())
    plan = BatchStream(lengths, CONFIG, seed, curriculum=curriculum)
    batches = [plan.batch(position).tolist() for position in range(41)]
    starts = [plan.start(position) for position in range(41)]
    rank = {row: place for place, row in enumerate(curriculum.order.tolist())}
    for position, batch in enumerate(batches):
        there = max(count for begin, count in curriculum.openings if begin <= position)
        assert all(rank[row] < there for row in batch)
    for epoch in range(starts[-1].epoch):
        of_epoch = [row for start, batch in zip(starts, batches, strict=True) if start.epoch == epoch for row in batch]
        end = next(position for position, start in enumerate(starts) if start.epoch > epoch)
        there = max(count for begin, count in curriculum.openings if begin < end)
        assert sorted(of_epoch) == sorted(row for row in curriculum.order[:there].tolist() if kept[row])
    for place in places:
        jumping = BatchStream(lengths, CONFIG, seed, curriculum=curriculum)
        jumping.know(starts[place])
        assert jumping.batch(place).tolist() == batches[place]
        assert jumping.start(40) == starts[40]


def test_a_curriculum_has_a_name_of_its_own() -> None:
    lengths = lengths_of(100, most=20)
    ways = [None, *(by_length(lengths, CurriculumConfig(steps=s, first=f)) for s in (5, 9) for f in ("low", "high"))]
    plans = [BatchStream(lengths, CONFIG, 1, curriculum=way) for way in ways]
    assert len({plan.fingerprint for plan in plans}) == len({plan.name for plan in plans}) == len(ways)
    assert plans[0].name == plans[0].parts[0].name
    part = plans[1].survey(lengths, (100, 100), None)
    with pytest.raises(ValueError, match="where a curriculum has planned it"):
        plans[1].enter(part, lengths, 3, 0)


def test_corpora_have_their_weights_in_a_curriculum() -> None:
    lengths = ArrayLengths(np.arange(100, dtype=np.int32) % 20, np.arange(100, dtype=np.int32) % 20)
    weights = weights_of(np.repeat([2.0, 1.0], [40, 60]))
    plan = BatchStream(lengths, CONFIG, 1, weights, curriculum=by_length(lengths, CurriculumConfig(steps=4, stages=3)))
    counts = np.bincount(np.concatenate(epoch_batches(plan, plan.start(60).epoch + 1)), minlength=100)
    assert counts.tolist() == [2] * 40 + [1] * 60
