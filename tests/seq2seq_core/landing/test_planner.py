"""What is whole, what has gone and what makes a batch: whatever lands, and however often it is looked at."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.landing.planner import Pace, choose, compare
from seq2seq_core.landing.terms import Landed, Seen, Waiting

SETTLE = 3.0


def seen(name: str, version: str = "1", size: int = 100) -> Seen:
    return Seen(key=f"/in/{name}", urls=(f"in/{name}",), below=name, zone=0, bytes=size, version=version)


def landed(name: str, size: int = 100, at: float = 0.0) -> Landed:
    return Landed(**seen(name, size=size)._asdict(), landed=at)


def settle(file: Seen) -> float:
    return SETTLE


def test_a_file_is_whole_when_it_has_not_changed_for_long_enough() -> None:
    waiting: dict[str, Waiting] = {}
    taken = []
    for now, version in enumerate(["1", "2", "3", "3", "3", "3", "3"]):
        look = compare([seen("a", version)], {}, waiting, float(now), settle)
        waiting = look.waiting
        taken.append([one.version for one in look.whole])
    assert taken == [[], [], [], [], [], ["3"], ["3"]]
    assert waiting["/in/a"].landed == 2.0


def test_what_is_known_is_not_taken_again_and_other_content_is() -> None:
    listing = [seen("a"), seen("b", "2")]
    look = compare(listing, {"/in/a": "1", "/in/b": "1"}, {}, 0.0, lambda _: 0.0)
    assert [one.key for one in look.whole] == ["/in/b"]
    assert look.gone == []


def test_of_two_zones_that_name_a_file_the_first_counts() -> None:
    look = compare([seen("a"), seen("a")._replace(zone=1)], {}, {}, 0.0, lambda _: 0.0)
    assert [one.zone for one in look.whole] == [0]


def test_what_has_gone_is_told() -> None:
    assert compare([seen("b")], {"/in/b": "1", "/in/c": "1", "/in/a": "1"}, {}, 0.0, settle).gone == ["/in/a", "/in/c"]


Zone = dict[str, tuple[str, int]]
zones = st.lists(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"), max_size=6), min_size=1, max_size=25
)


@given(zones)
def test_every_version_is_taken_once_and_never_before_it_has_settled(looks: list[dict[str, str]]) -> None:
    """Whoever handles at once what is whole handles each version of a name that stayed for long enough, one time."""
    known: dict[str, str] = {}
    waiting: dict[str, Waiting] = {}
    taken: list[tuple[int, str, str]] = []
    for now, zone in enumerate(looks):
        listing = [seen(name, version) for name, version in zone.items()]
        look = compare(listing, known, waiting, float(now), settle)
        again = compare(listing[::-1], known, waiting, float(now), settle)
        assert look == again  # the order of a listing says nothing
        waiting = look.waiting
        known = {key: version for key, version in known.items() if key not in look.gone}
        for one in look.whole:
            taken.append((now, one.below, one.version))
            known[one.key] = one.version
        assert waiting.keys() <= {f"/in/{name}" for name in zone}
    for now, name, version in taken:
        assert all(looks[back].get(name) == version for back in range(now - int(SETTLE), now + 1))
    stayed = Counter((name, version) for _, name, version in taken)
    for name, version in looks[-1].items():
        if all(look.get(name) == version for look in looks[-1 - int(SETTLE) :]) and len(looks) > SETTLE:
            assert stayed[name, version] >= 1


def test_a_batch_waits_for_its_time() -> None:
    pace = Pace(10.0)
    assert choose([landed("a")], 9.9, pace, 100.0) == []
    assert choose([landed("a")], 10.0, pace, 100.0) == [landed("a")]
    assert choose([landed("a")], None, pace, 100.0) == [landed("a")]
    assert choose([], 1e9, pace, 100.0) == []


def test_enough_rows_or_files_make_a_batch_sooner_and_bound_it() -> None:
    files = [landed(f"{number}") for number in range(10)]
    assert choose(files, 0.0, Pace(10.0, rows=11), 100.0) == []
    assert choose(files, 0.0, Pace(10.0, rows=4), 100.0) == files[:4]
    assert choose(files, 0.0, Pace(10.0, files=3), 100.0) == files[:3]
    assert choose([landed("large", 10_000)], 0.0, Pace(10.0, rows=4), 100.0) == [landed("large", 10_000)]


def test_the_first_batch_may_wait_for_more() -> None:
    files = [landed(f"{number}") for number in range(10)]
    assert choose(files, None, Pace(10.0, first_rows=11), 100.0) == []
    assert choose(files, None, Pace(10.0, first_rows=10), 100.0) == files
    assert choose(files, None, Pace(10.0, rows=2, first_rows=10), 100.0) == files
    assert choose(files, 10.0, Pace(10.0, first_rows=11), 100.0) == files


@given(
    sizes=st.lists(st.integers(1, 1000), max_size=30),
    seconds=st.none() | st.floats(0, 100),
    rows=st.none() | st.integers(1, 50),
    files=st.integers(1, 10),
)
def test_a_batch_is_a_beginning_of_what_is_there(
    sizes: list[int], seconds: float | None, rows: int | None, files: int
) -> None:
    there = [landed(f"{number:02d}", size) for number, size in enumerate(sizes)]
    chosen = choose(there, seconds, Pace(10.0, rows, files), 10.0)
    assert chosen == there[: len(chosen)]
    assert len(chosen) <= files
    if rows is not None and len(chosen) > 1:
        assert sum(one.bytes for one in chosen) <= rows * 10
    if there and (seconds is None or seconds >= 10.0):
        assert chosen


@pytest.mark.parametrize("rows", [None, 7])
def test_a_burst_is_taken_in_bounded_batches_and_all_of_it(rows: int | None) -> None:
    left = [landed(f"{number:05d}") for number in range(10_000)]
    batches = 0
    while left:
        chosen = choose(left, 0.0, Pace(1e9, rows, 1000), 100.0) or choose(left, 1e9, Pace(1e9, rows, 1000), 100.0)
        assert 0 < len(chosen) <= 1000
        left = left[len(chosen) :]
        batches += 1
    assert batches == (10 if rows is None else 1429)
