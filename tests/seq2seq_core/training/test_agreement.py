"""Several ranks in one process: threads that meet at a barrier."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seq2seq_core.errors import ConfigError, ModelError, StorageError
from seq2seq_core.training.agreement import (
    LeftError,
    OtherFailedError,
    Stopped,
    Turns,
    check_alike,
    on_main,
    together,
)
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.processes.stop import STOP_SIGNALS, StopFlag

T = TypeVar("T")
SECONDS = 20


@dataclass
class Room:
    """Where the ranks of a test exchange what they have."""

    size: int
    places: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._barrier = threading.Barrier(self.size)

    def exchange(self, rank: int, mine: object) -> list[Any]:
        self.places[rank] = mine
        self._barrier.wait(SECONDS)
        found = [self.places[i] for i in range(self.size)]
        self._barrier.wait(SECONDS)
        return found


@dataclass(frozen=True, kw_only=True)
class Rank(World):
    room: Room

    def sum(self, values: Tensor) -> Tensor:
        return torch.stack(self.room.exchange(self.rank, values)).sum(0)

    def gather(self, mine: object) -> list[Any]:
        return self.room.exchange(self.rank, mine)

    def agree(self, mine: object) -> Any:
        return self.room.exchange(self.rank, mine)[0]


def on_ranks(size: int, work: Callable[[Rank], T]) -> list[T | BaseException]:
    """What each rank's work gives or raises."""
    room = Room(size)

    def run(rank: int) -> T | BaseException:
        try:
            return work(Rank(rank, size, size, torch.device("cpu"), room=room))
        except Exception as error:  # noqa: BLE001 (what is asked for)
            return error

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, range(size)))


def test_an_error_on_one_process_is_one_on_all() -> None:
    def work(world: Rank) -> int:
        if world.rank == 1:
            raise StorageError("no such file", where="x")
        return world.rank

    found = on_ranks(3, lambda world: together(world, lambda: work(world)))
    assert [type(error) for error in found] == [StorageError] * 3
    assert {str(error) for error in found} == {"x: no such file"}
    assert on_ranks(2, lambda world: together(world, lambda: world.rank)) == [0, 1]


def test_the_main_process_works_for_all() -> None:
    calls: list[int] = []

    def work(world: Rank) -> str:
        calls.append(world.rank)
        return "found"

    assert on_ranks(3, lambda world: on_main(world, lambda: work(world))) == ["found"] * 3
    assert calls == [0]


def test_facts_that_differ_are_named_on_every_process() -> None:
    def work(world: Rank) -> None:
        facts = {"seed": 1, "limits.max_steps": 10 + (world.rank == 2)}
        check_alike(world, facts, "they differ", "run", "Mend it.")

    found = on_ranks(3, work)
    assert [type(error) for error in found] == [ConfigError] * 3
    assert str(found[0]) == (
        "run: they differ: limits.max_steps differs; found limits.max_steps = 11 for process 2; "
        "expected limits.max_steps = 10 of process 0. Mend it."
    )


def in_turns(
    pieces: list[int],
    at_meeting: Callable[[Rank, int, StopFlag], None] = lambda *_: None,
    at_end: Callable[[Rank], None] = lambda _: None,
) -> tuple[list[Any], list[int]]:
    """Let rank i work on `pieces[i]` pieces: the outcomes, and how many pieces each began."""
    begun = [0] * len(pieces)

    def work(world: Rank) -> list[float]:
        stop = StopFlag()
        turns = Turns(world, stop)

        def own() -> Tensor:
            total = torch.zeros(1, dtype=torch.float64)
            for piece in turns.over(range(pieces[world.rank])):
                begun[world.rank] += 1
                at_meeting(world, piece, stop)
                total += piece
            at_end(world)
            return total

        result: list[float] = turns.sum(own).tolist()
        return result

    return on_ranks(len(pieces), work), begun


@settings(max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_processes_with_other_numbers_of_pieces_wait_for_one_another(pieces: list[int]) -> None:
    found, begun = in_turns(pieces)
    assert begun == pieces
    assert found == [[sum(sum(range(count)) for count in pieces)]] * len(pieces)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.data())
def test_a_signal_to_one_process_lets_all_leave_at_once(pieces: list[int], data: st.DataObject) -> None:
    pieces = [*pieces, 6]
    which = data.draw(st.sampled_from([rank for rank, count in enumerate(pieces) if count]))
    when = data.draw(st.integers(0, pieces[which] - 1))
    number = data.draw(st.sampled_from(STOP_SIGNALS))

    def signal(world: Rank, piece: int, stop: StopFlag) -> None:
        if (world.rank, piece) == (which, when):
            stop.received = number

    found, begun = in_turns(pieces, signal)
    assert [type(error) for error in found] == [Stopped] * len(pieces)
    assert {error.number for error in found} == {number}
    assert max(begun) <= when + 1


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_failure_of_one_process_ends_the_work_of_all(which: int, at_end: bool) -> None:
    def fail(world: Rank, *_: Any) -> None:
        if world.rank == which:
            raise ModelError("no number")

    found, _ = in_turns([1, 3, 5], **({"at_end": fail} if at_end else {"at_meeting": fail}))
    assert [type(error) for error in found] == [ModelError if rank == which else OtherFailedError for rank in range(3)]


def test_a_process_that_has_left_is_no_failure_of_the_work() -> None:
    class Alone(World):
        def sum(self, values: Tensor) -> Tensor:
            raise RuntimeError("Connection closed by peer\nand more")

    turns = Turns(Alone(0, 2, 2, torch.device("cpu")), StopFlag())
    with pytest.raises(LeftError, match=r"another process has left; found Connection closed by peer$"):
        turns.sum(lambda: torch.zeros(1))
