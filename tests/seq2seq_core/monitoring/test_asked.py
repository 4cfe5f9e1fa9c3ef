from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.errors import ConfigError
from seq2seq_core.log_lines import FORMAT_VARIABLE
from seq2seq_core.monitoring import asked
from seq2seq_core.monitoring.asked import PORT_VARIABLE, address, take


@pytest.fixture(autouse=True)
def _nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(FORMAT_VARIABLE, raising=False)
    monkeypatch.delenv(PORT_VARIABLE, raising=False)
    with asked.for_a_while():
        yield
    assert FORMAT_VARIABLE not in os.environ
    assert PORT_VARIABLE not in os.environ


def test_both_are_taken_wherever_they_stand_but_not_from_the_engine() -> None:
    words = ["train", "--log-format", "json", "--a", "b", "--metrics_port=9100", "--", "--log-format=x"]
    assert take(words) == ["train", "--a", "b", "--", "--log-format=x"]
    assert os.environ[FORMAT_VARIABLE] == "json"
    assert address() == ("0.0.0.0", 9100)


def test_words_win_over_the_environment() -> None:
    os.environ[PORT_VARIABLE] = "1"
    take(["x"])
    assert address() == ("0.0.0.0", 1)
    take(["x", "--metrics-port", "localhost:2"])
    assert address() == ("localhost", 2)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--log-format", "xml"], "--log-format: no such format of log lines; found xml; expected text or json"),
        (["--log-format"], "--log-format needs a value; found nothing"),
        (["--log-format=json", "--log-format", "text"], "--log-format stands twice; found json and text"),
        (["--metrics-port", "70000"], "--metrics-port: no such port; found 70000; expected 0 to 65535, or HOST:PORT"),
        (["--metrics-port", "host:"], "no such port; found host:"),
        (["--metrics-port", "²"], "no such port"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        take(words)


def test_a_command_without_metrics_says_so() -> None:
    with pytest.raises(ConfigError, match="this command has no metrics to serve; found --metrics-port 9"):
        take(["--metrics-port", "9"], serves=False)


@given(st.lists(st.sampled_from(["a", "--b", "--c=d", "-", "--log", "--log-formats", "--metrics-port-x", ""])))
def test_other_words_stay_as_they_are(words: list[str]) -> None:
    assert take(words) == words
