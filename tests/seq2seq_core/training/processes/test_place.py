from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.errors import ConfigError
from seq2seq_core.training.processes.place import LAUNCHER, VARIABLES, Place, find_place, refuse_launching, variables

WHOLE = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "node-0",
    "MASTER_PORT": "29500",
}


def test_without_variables_a_process_trains_alone() -> None:
    assert find_place({"PATH": "/bin", "SLURM_PROCID": "1"}) == Place()


def test_the_variables_of_torchrun_are_a_place() -> None:
    place = find_place(WHOLE)
    assert place == Place(rank=3, size=4, local_rank=1, local_size=2, address=("node-0", 29500))
    assert place.meeting == "node-0:29500"


def test_a_process_of_torchrun_s_knows_its_launcher_and_one_of_ours_which_it_was() -> None:
    assert find_place(WHOLE).launcher is None
    by_torchrun = find_place({**WHOLE, "TORCHELASTIC_RUN_ID": "x", "TORCHELASTIC_USE_AGENT_STORE": "True"})
    assert (by_torchrun.launcher, by_torchrun.is_hosted) == (os.getppid(), True)
    elsewhere = find_place({**WHOLE, "TORCHELASTIC_RUN_ID": "x", "TORCHELASTIC_USE_AGENT_STORE": "False"})
    assert not elsewhere.is_hosted
    ours = find_place({**WHOLE, LAUNCHER: "77"})
    assert (ours.launcher, ours.is_hosted) == (77, True)


@given(st.sets(st.sampled_from(VARIABLES), min_size=1, max_size=len(VARIABLES) - 1))
def test_a_part_of_the_variables_is_refused_and_each_named(names: set[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        find_place({name: WHOLE[name] for name in names})
    message = str(caught.value)
    assert all(name in message for name in VARIABLES)
    assert "start with torchrun" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RANK", "4"),
        ("RANK", "-1"),
        ("RANK", "abc"),
        ("RANK", ""),
        ("RANK", "1.0"),
        ("RANK", " 1"),
        ("RANK", "1_0"),
        ("RANK", "²"),
        ("RANK", "٣"),
        ("RANK", "9" * 5000),
        ("WORLD_SIZE", "0"),
        ("WORLD_SIZE", "3"),  # RANK is 3
        ("WORLD_SIZE", "1"),
        ("WORLD_SIZE", "two"),
        ("LOCAL_RANK", "2"),
        ("LOCAL_RANK", "-1"),
        ("LOCAL_WORLD_SIZE", "5"),
        ("LOCAL_WORLD_SIZE", "0"),
        ("MASTER_ADDR", ""),
        ("MASTER_ADDR", "node 0"),
        ("MASTER_PORT", "0"),
        ("MASTER_PORT", "65536"),
        ("MASTER_PORT", "http"),
    ],
)
def test_a_value_out_of_range_is_refused_and_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_place({**WHOLE, name: value})
    message = str(caught.value)
    assert name in message
    assert "start with torchrun" in message
    assert len(message.splitlines()) == 1


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=12)))
def test_any_words_are_a_sound_place_or_refused(words: dict[str, str]) -> None:
    try:
        place = find_place({**WHOLE, **words})
    except ConfigError:
        return
    assert 0 <= place.rank < place.size
    assert 0 <= place.local_rank < place.local_size <= place.size
    assert 0 < place.address[1] < 1 << 16


@given(size=st.integers(1, 64), data=st.data())
def test_a_place_that_is_launched_is_found_again(size: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, size - 1))
    place = Place(rank, size, rank, size, ("127.0.0.1", 29500))
    found = find_place(variables(place))
    assert found == Place(rank, size, rank, size, ("127.0.0.1", 29500), launcher=os.getpid(), is_hosted=True)


def test_what_torchrun_started_starts_no_others() -> None:
    refuse_launching({})
    with pytest.raises(ConfigError, match="RANK=3 WORLD_SIZE=4"):
        refuse_launching(WHOLE)
    with pytest.raises(ConfigError, match="set in part"):
        refuse_launching({"WORLD_SIZE": "1"})
