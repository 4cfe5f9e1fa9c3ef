from __future__ import annotations

import gc
import weakref

import pytest

from seq2seq_core.training.processes.garbage import collected_between


class Node:
    """Something that can be part of a circle."""

    def __init__(self) -> None:
        self.me = self


def made_garbage() -> weakref.ref[Node]:
    return weakref.ref(Node())


def test_garbage_is_collected_at_the_steps_that_were_asked_for_alone() -> None:
    with collected_between(3) as collect:
        assert not gc.isenabled()
        left = made_garbage()
        gone = []
        for step in range(1, 5):
            collect(step)
            gone.append(left() is None)
    assert gone == [False, False, True, True]


def test_it_is_as_it_was_afterwards() -> None:
    with pytest.raises(RuntimeError), collected_between(1):
        raise RuntimeError
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    gc.disable()
    try:
        with collected_between(1):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
