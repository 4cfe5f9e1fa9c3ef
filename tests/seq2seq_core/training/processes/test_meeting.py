"""Several processes that meet, as threads of one."""

from __future__ import annotations

import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2seq_core.errors import ConfigError, Seq2SeqError, TrainingError
from seq2seq_core.training.processes import meeting
from seq2seq_core.training.processes.meeting import Patience, meet, opened_store
from seq2seq_core.training.processes.place import Place
from tests.processes import free_port


def found(places: list[Place], seconds: float = 20) -> list[object]:
    """What each process finds: the store, or an error."""

    def try_to(place: Place) -> object:
        try:
            return meet(place, Patience(seconds, quiet_seconds=0.3))
        except (Seq2SeqError, RuntimeError) as error:
            return error

    with ThreadPoolExecutor(len(places)) as pool:
        return list(pool.map(try_to, places))


@pytest.fixture
def address() -> tuple[str, int]:
    return "127.0.0.1", free_port()


def test_all_meet_at_rank_0(address: tuple[str, int]) -> None:
    stores = found([Place(rank, 3, rank, 3, address) for rank in range(3)])
    stores[1].set("word", "from 1")  # type: ignore[attr-defined]
    assert stores[2].get("word") == b"from 1"  # type: ignore[attr-defined]


def test_all_meet_at_a_store_that_their_launcher_holds() -> None:
    store = opened_store()
    places = [Place(rank, 2, rank, 2, ("127.0.0.1", store.port), launcher=1, is_hosted=True) for rank in range(2)]
    assert not [outcome for outcome in found(places) if isinstance(outcome, Exception)]


def test_processes_that_are_started_again_meet_anew_at_the_same_store() -> None:
    """Also where those before were others, and some of them never came."""
    store = opened_store()
    address = ("127.0.0.1", store.port)
    places = [Place(rank, 3, rank, 3, address, launcher=1, is_hosted=True) for rank in range(3)]
    before = found(places)
    found([places[0], places[2]], seconds=0.5)
    others = [Place(rank, 2, rank, 2, address, launcher=1, is_hosted=True) for rank in range(2)]
    with ThreadPoolExecutor(2) as pool:
        late = pool.submit(meet, others[1], Patience(20))
        time.sleep(0.3)  # it has seen what is complete, and that it is not among them
        stores = [meet(others[0], Patience(20)), late.result()]
    stores[0].set("word", "anew")
    assert stores[1].get("word") == b"anew"
    assert not before[0].check(["word"])  # type: ignore[attr-defined]


def test_peers_that_do_not_come_are_named_and_in_the_end_given_up(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        first, third = found([Place(0, 4, 0, 1, address), Place(2, 4, 0, 1, address)], seconds=2)
    where = f"127.0.0.1:{address[1]}"
    assert f"rank 0 of 4 waits for ranks 1, 3 at {where}" in caplog.messages
    assert isinstance(first, TrainingError)
    assert "waiting for ranks 1, 3" in str(first)
    assert where in str(first)
    assert isinstance(third, TrainingError | RuntimeError)  # rank 0 may have gone before


def test_many_that_do_not_come_are_counted(address: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
    found([Place(0, 100, 0, 1, address)], seconds=1)
    assert "waits for ranks 1, 2, 3, 4, 5, 6, 7, 8 and 91 more" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_rank_0_that_is_not_there_is_waited_for_and_named(host: str, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    (outcome,) = found([Place(1, 2, 0, 1, (host, port))], seconds=1)
    assert "rank 1 of 2 waits for rank 0 (" in caplog.text
    assert isinstance(outcome, TrainingError)
    assert f"{host}:{port}: not all processes have come" in str(outcome)


def test_of_one_machine_one_process_says_so(caplog: pytest.LogCaptureFixture) -> None:
    found([Place(1, 2, 1, 2, ("127.0.0.1", free_port()))], seconds=1)
    assert not caplog.messages


def test_a_port_in_use_is_named(address: tuple[str, int]) -> None:
    with socket.socket() as other:
        other.bind(address)
        other.listen()
        (outcome,) = found([Place(0, 2, 0, 2, address)])
    assert isinstance(outcome, ConfigError)
    assert str(outcome).startswith(f"MASTER_PORT: this port cannot be opened; found {address[1]}")


def test_another_program_at_the_address_is_told(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_TRY_SECONDS", 0.5)
    with socket.socket() as other:
        other.bind(address)
        other.listen()
        (outcome,) = found([Place(1, 2, 0, 1, address)])
    assert isinstance(outcome, TrainingError)
    assert "what listens here is no rank 0 of a training" in str(outcome)


def test_other_world_sizes_are_refused_by_all(address: tuple[str, int]) -> None:
    outcomes = found([Place(0, 2, 0, 1, address), Place(1, 3, 0, 1, address), Place(2, 3, 0, 1, address)])
    assert all(isinstance(outcome, ConfigError) for outcome in outcomes)
    assert str(outcomes[1]).startswith(
        "WORLD_SIZE: the processes do not agree on how many they are; found 3 for rank 1"
    )


def test_one_rank_twice_is_refused(address: tuple[str, int]) -> None:
    outcomes = found([Place(0, 2, 0, 1, address), Place(1, 2, 0, 1, address), Place(1, 2, 0, 1, address)])
    refused = [outcome for outcome in outcomes[1:] if isinstance(outcome, ConfigError)]
    assert len(refused) == 1
    assert str(refused[0]).startswith("RANK: another process has this rank; found 1 of 2")
