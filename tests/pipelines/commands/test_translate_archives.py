"""Inputs that can only be read from their start: the same outputs as ever, and no piece is left behind."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipelines.commands import translate as command
from seq2seq_core import config as configuration
from seq2seq_core.inference.folder import PIECE_FOLDER

KILLED_WHERE_PIECES_ARE_WRITTEN = """
import os, signal, sys
from seq2seq_core import storage
from pipelines.commands import translate as command
from seq2seq_core.config import build

model, inputs, output, last_write = sys.argv[1:]
writes, publish = [], storage.publish

def counted(url, **options):
    if ".pieces" in url:
        writes.append(url)
        if len(writes) > int(last_write):
            os.kill(os.getpid(), signal.SIGKILL)
    return publish(url, **options)

storage.publish = counted
command.run(build(command.TranslateConfig, dict(
    model=model, input=[inputs], output=output, unit_records=5, engine={"kind": "echo"}
)))
"""
RECORDS = 48


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = [f"number {i}" for i in range(RECORDS)]
    (folder / "a.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    rows = "".join(f'{{"text": "{line}"}}\n' for line in lines)
    (folder / "b.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(rows.encode()))
    pq.write_table(pa.table({"text": lines, "id": range(RECORDS)}), folder / "c.parquet")
    return folder


def run(model: str, inputs: Path, output: Path, *arguments: str) -> command.TranslateResult:
    values = {"model": model, "input": [str(inputs)], "output": str(output), "unit_records": 5}
    return command.run(configuration.build(command.TranslateConfig, values | {"engine": {"kind": "echo"}}), arguments)


def outputs(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".json"
    }


@pytest.mark.parametrize(
    "arguments",
    [(), ("--direct_running_mode=multi_processing", "--direct_num_workers=2"), ("--direct_runner_bundle_repeat=1",)],
    ids=["usual", "two workers", "every bundle twice"],
)
def test_archives_pass_whole_and_leave_no_piece(
    echo_model: str, inputs: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    result = run(echo_model, inputs, tmp_path / "out", *arguments)
    assert (result.records_in, result.records_out, result.failed, result.units) == (3 * RECORDS, 3 * RECORDS, 0, 30)
    found = outputs(tmp_path / "out")
    packed = [data for name, data in found.items() if name.startswith("a-")]
    assert b"".join(map(gzip.decompress, packed)) == gzip.decompress((inputs / "a.txt.gz").read_bytes())
    rows = pa.concat_tables([pq.read_table(tmp_path / "out" / name) for name in found if name.startswith("c-")])
    assert rows.column("id").to_pylist() == list(range(RECORDS))
    assert rows.column("translation").equals(rows.column("text"))
    assert not (tmp_path / "out" / PIECE_FOLDER).exists()
    assert run(echo_model, inputs, tmp_path / "out", *arguments).skipped_units == 30


def test_sigkill_while_pieces_are_written_and_then_the_same_command(
    echo_model: str, inputs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "killed" / PIECE_FOLDER
    for last_write in (0, 3, 14):
        words = [echo_model, str(inputs), str(tmp_path / "killed"), str(last_write)]
        command = [sys.executable, "-c", KILLED_WHERE_PIECES_ARE_WRITTEN, *words]
        killed = subprocess.run(command, capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert folder.exists() == bool(last_write)
    run(echo_model, inputs, tmp_path / "killed")
    run(echo_model, inputs, tmp_path / "undisturbed")
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "undisturbed")
    assert not folder.exists()
