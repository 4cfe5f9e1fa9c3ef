from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.commands import filter_lines as filter_module
from pipelines.commands.filter_lines import EXIT_BROKEN_PIPE, FilterConfig, filter_lines, ready_lines, translate_lines
from seq2seq_core import config as configuration
from seq2seq_core.documents import content
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.errors import ConfigError, IncompleteError

COMMAND = """
import sys
from pipelines.commands.filter_lines import FilterConfig, translate_lines
from seq2seq_core.config import build
sys.exit(translate_lines(
    build(FilterConfig, {"model": sys.argv[1], "engine": {"kind": "echo"}}), sys.stdin.buffer, sys.stdout.buffer
))
"""


class Upper:
    """Translates into capitals; remembers how many texts came at once."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def translate(
        self, texts: Sequence[str | None], *, is_prose: bool = False, prefixes: Sequence[str] = ()
    ) -> list[Prediction]:
        self.calls.append(len(texts))
        return [Prediction(error="too odd") if text == "odd" else Prediction((text or "").upper()) for text in texts]


class Pieces(io.RawIOBase):
    """A stream whose reads give what a writer wrote at a time."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def read1(self, size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def echo(model: str) -> FilterConfig:
    return configuration.build(FilterConfig, {"model": model, "engine": {"kind": "echo"}})


@given(st.lists(st.sampled_from([b"a\n", b"b", b"\n", b"c\nd", b"\r\n"]), max_size=9))
def test_one_line_out_for_each_line_in_however_the_stream_is_cut(pieces: list[bytes]) -> None:
    out = io.BytesIO()
    assert filter_lines(Upper(), Pieces(list(pieces)), out) == 0  # type: ignore[arg-type]
    assert out.getvalue() == b"".join(pieces).upper()


def test_what_stands_ready_is_one_batch() -> None:
    upper = Upper()
    filter_lines(upper, Pieces([b"a\n", b"b\nc\nd", b"e\n"]), io.BytesIO())  # type: ignore[arg-type]
    assert upper.calls == [1, 2, 1]
    upper = Upper()
    filter_lines(upper, io.BytesIO(b"x\n" * 100_000), io.BytesIO())
    assert len(upper.calls) == 4
    assert sum(upper.calls) == 100_000


def test_a_line_without_end_fails_alone_and_is_not_held(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (content, filter_module):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", 9)
    pieces = [b"a\n", *[b"four"] * 50, b"\r\nb\n", b"x" * 9, b"\nlast"]
    assert [len(block) for block in ready_lines(Pieces(list(pieces)))] == [2, 12 + 4, 10, 4]  # type: ignore[arg-type]
    out = io.BytesIO()
    with caplog.at_level(logging.WARNING):
        assert filter_lines(Upper(), Pieces(list(pieces)), out) == 1  # type: ignore[arg-type]
    assert out.getvalue() == b"A\n\r\nB\nXXXXXXXXX\nLAST"
    assert [record.getMessage() for record in caplog.records] == ["line 2 is not translated: longer than 0 MiB"]


def test_lines_that_fail_are_empty_and_named(caplog: pytest.LogCaptureFixture) -> None:
    out = io.BytesIO()
    with caplog.at_level(logging.WARNING):
        assert filter_lines(Upper(), io.BytesIO(b"a\nodd\n\xff\nb\n"), out) == 2
    assert out.getvalue() == b"A\n\n\nB\n"
    assert [record.getMessage() for record in caplog.records] == [
        "line 2 is not translated: too odd",
        "line 3 is not translated: not UTF-8 at byte 1",
    ]


def test_lines_that_were_cut_or_loop_are_named_and_do_not_fail(caplog: pytest.LogCaptureFixture) -> None:
    class Doubtful(Upper):
        def translate(
            self, texts: Sequence[str | None], *, is_prose: bool = False, prefixes: Sequence[str] = ()
        ) -> list[Prediction]:
            return [Prediction("x", finished=text != "cut", looping=text == "loop") for text in texts]

    with caplog.at_level(logging.WARNING):
        assert filter_lines(Doubtful(), io.BytesIO(b"a\ncut\nloop\n"), io.BytesIO()) == 0
    assert [record.getMessage() for record in caplog.records] == [
        "line 2: the output was cut at the length limit",
        "line 3: the output repeats itself",
    ]


def test_the_model_is_used_and_failures_end_in_an_error(echo_model: str) -> None:
    out = io.BytesIO()
    assert translate_lines(echo(echo_model), io.BytesIO(b"hello world\n\nthe fox"), out) == 0
    assert out.getvalue() == b"hello world\n\nthe fox"
    with pytest.raises(IncompleteError, match="1 lines were not translated"):
        translate_lines(echo(echo_model), io.BytesIO(b"\xff\n"), out)


def test_a_reader_that_leaves_ends_the_filter_quietly(echo_model: str, tmp_path: Path) -> None:
    class Closed(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError

    assert translate_lines(echo(echo_model), io.BytesIO(b"a\n"), Closed()) == EXIT_BROKEN_PIPE
    (tmp_path / "many.txt").write_bytes(b"hello world\n" * 50_000)
    read, write = os.pipe()
    with (tmp_path / "many.txt").open("rb") as source:
        command = [sys.executable, "-c", COMMAND, echo_model]
        process = subprocess.Popen(command, stdin=source, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert os.read(read, 12) == b"hello world\n"
    os.close(read)
    _, complaints = process.communicate(timeout=120)
    assert process.returncode == EXIT_BROKEN_PIPE
    assert complaints == b""


def test_an_answer_comes_before_the_next_line_is_written(echo_model: str) -> None:
    command = [sys.executable, "-c", COMMAND, echo_model]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"hello\n", b"\n", b"world\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        process.stdin.close()
        assert process.wait(timeout=120) == 0


def test_lines_are_answered_as_they_come_with_a_memory_and_stay_in_it(echo_model: str, tmp_path: Path) -> None:
    values = {"model": echo_model, "engine": {"kind": "echo"}, "memory": {"url": str(tmp_path / "memory")}}
    config = configuration.build(FilterConfig, values)
    kept = []
    for _ in range(2):
        target = io.BytesIO()
        assert translate_lines(config, Pieces([b"one\n", b"two\none\n", b"three"]), target) == 0
        assert target.getvalue() == b"one\ntwo\none\nthree"
        kept.append(sorted((tmp_path / "memory").rglob("*.parquet")))
    assert kept[0]
    assert kept[0] == kept[1]  # of the second run nothing was new


def test_n_best_and_attention_have_no_place_in_a_line() -> None:
    with pytest.raises(ConfigError, match=r"search\.n_best is 3"):
        configuration.build(FilterConfig, {"model": "m", "search": {"n_best": 3}})


def test_blocks_end_at_line_ends() -> None:
    pieces = Pieces([b"ab", b"c\nd", b"e\nf\ng"])
    assert list(ready_lines(pieces)) == [b"abc\n", b"de\nf\n", b"g"]  # type: ignore[arg-type]
