"""The page of a translation tells what failed and why, what is flagged, how long outputs are, and of which files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.commands import report
from seq2seq_core import config as configuration
from seq2seq_core.documents.content import RecordFailure
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import UnitSize
from seq2seq_core.errors import DatasetError
from seq2seq_core.inference.closing import close_output
from seq2seq_core.inference.commit import commit_unit
from seq2seq_core.inference.manifest import ModelEntry, Provenance
from seq2seq_core.inference.unit import UnitTranslation, read_unit, units_of
from seq2seq_core.report.output_folder import look_at_output

FIELDS = Fields("text", "de")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Two files of five records each; of the second the first fails and two outputs are flagged."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("".join(f"line {n}\n" for n in range(5)))
    (tmp_path / "in" / "b.jsonl").write_text("".join(json.dumps({"text": f"<b>{n}</b>"}) + "\n" for n in range(5)))
    root = str(tmp_path / "out")
    files = find_inputs([str(tmp_path / "in")], None, root)
    inputs = [format_of(file).count(file, UnitSize(3, 1 << 20), FIELDS) for file in files]
    entries = []
    for counted in inputs:
        for unit in units_of(counted, "job"):
            content = read_unit(unit, FIELDS).content
            made: list[Prediction | None] = [Prediction((text or "") * 2, score=-1.0) for text in content.texts]
            failures = []
            if unit.file.format == "jsonl":
                made[-1] = Prediction("loop " * 9, score=-3.0, flags=("max_repetition", "looping"), looping=True)
                if unit.index == 0:
                    made[0] = None
                    failures = [RecordFailure(0, "segment 1 of 2 ('<b>'): too long by 17", "<b>0</b>")]
            entries.append(commit_unit(UnitTranslation(unit, content, made, failures), root, FIELDS, "keep"))
    model = ModelEntry(url="runs/best", digest="0123", lineage=None)
    provenance = Provenance(fingerprint="job", model=model, configuration={"output_field": "de"}, software={})
    close_output(root, inputs, provenance, entries)
    return root


def test_what_a_folder_tells(folder: str) -> None:
    found = look_at_output(folder, 1)
    (reason,) = found.failures
    assert (reason.name, reason.records) == ("segment \u2026 of \u2026 (\u2026): too long by \u2026", 1)
    assert reason.example["text"] == "<b>0</b>"
    assert [(rule.rule, rule.records, len(rule.examples)) for rule in found.flagged] == [
        ("max_repetition", 2, 1),
        ("looping", 2, 1),
    ]
    assert [(entry.format, entry.failed, entry.flagged, entry.looping) for entry in found.files] == [
        ("jsonl", 1, 2, 2),
        ("text", 0, 0, 0),
    ]
    assert (found.lengths[12], found.lengths[16], found.lengths[45]) == (5, 2, 2)
    assert [records for _, records in found.finished][-1] == 10
    assert found.finished[0][0] == 0


def test_the_page_shows_it_and_escapes_what_others_wrote(folder: str, tmp_path: Path) -> None:
    values = {"output": str(tmp_path / "x.html"), "translated": folder}
    report.write(configuration.build(report.ReportConfig, values))
    page = (tmp_path / "x.html").read_text()
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert "<b>0</b>" not in page
    for shown in ("max_repetition", "Lengths of outputs", "Records finished over time", "b.jsonl", "runs/best"):
        assert shown in page
    assert "<script" not in page


def test_a_folder_without_a_translation_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no finished translation stands here"):
        look_at_output(str(tmp_path), 1)
