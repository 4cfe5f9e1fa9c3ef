from __future__ import annotations

from seq2seq_core.metrics.edits import Confusion, confusions, count_characters, count_words


def test_nothing_has_no_counts() -> None:
    assert count_words([], []).shape == count_characters([], []).shape == (0, 4)
    assert confusions([], [], 5) == []


def test_each_pair_has_its_own() -> None:
    found = count_words(["a b", "", "x y"], ["a c", "a", ""])
    assert found.tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 2]]
    assert count_characters(["a b"], ["ab"]).tolist() == [[2, 0, 0, 1]]


def test_errors_of_equal_counts_stand_in_the_order_of_their_letters() -> None:
    found = confusions(["b", "a", "x x"], ["a", "b", "x"], 5)
    assert found == [Confusion("", "x", 1), Confusion("a", "b", 1), Confusion("b", "a", 1)]
