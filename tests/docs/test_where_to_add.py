"""What docs/architecture.md says of places is so: every room is there, and a name is known where the page says."""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Mapping
from pathlib import Path

import pytest

from seq2seq_core.corpora.formats.table import FORMATS as CORPUS_FORMATS
from seq2seq_core.documents.formats.table import FORMATS as DOCUMENT_FORMATS
from seq2seq_core.engines.table import ENGINES
from seq2seq_core.inference.transcripts.table import FORMATS as TRANSCRIPT_FORMATS
from seq2seq_core.modalities.table import MODALITIES
from seq2seq_core.models.registry import FAMILIES
from seq2seq_core.report.status.table import LOOKS
from seq2seq_core.text.rules.catalogue import FiltersConfig
from tests.docs.names import Entry, knowing
from tests.docs.pages import ROOT, read_page

CORE = ROOT / "seq2seq_core"
PAGE = read_page(ROOT / "docs" / "architecture.md")
_HEAD = ("what", "a file in", "a line in", "files that know it")
_PHASE = re.compile(r"seq2seq_core\.preparation\.(?!terms)")
ROWS = {row[0]: row[1:] for table in PAGE.tables if table.rows[0] == _HEAD for row in table.rows[1:]}

_EVERYDAY = frozenset(
    {
        *("text", "audio", "auto", "json", "html", "plain", "torch", "identical", "transformer"),
        *("words", "characters", "tokens", "numbers", "script", "language", "seconds"),
    }
)
"""Names that are words for other things as well: who knows these is known by their symbols alone."""

_CORPORA, _DOCUMENTS, _TRANSCRIPTS = (
    f"seq2seq_core/{room}/" for room in ("corpora", "documents", "inference/transcripts")
)
_OTHER_ROOMS = {
    "a corpus format": (_DOCUMENTS, _TRANSCRIPTS, "seq2seq_core/inference/memory/"),
    "a document format": (_CORPORA, _TRANSCRIPTS, f"{_DOCUMENTS}outputs/"),
    "a transcript format": (_CORPORA, _DOCUMENTS),
    "a cleaning rule": (f"{_DOCUMENTS}fields.py",),
}
"""Formats of these rooms have the same names, and so have rules and the fields that measure the same of outputs."""


def _entry(name: str, kind: type) -> Entry:
    return Entry(None if name in _EVERYDAY else name, kind.__module__, kind.__name__)


def _of_table(table: Mapping[str, object]) -> list[Entry]:
    return [_entry(name, entry if isinstance(entry, type) else type(entry)) for name, entry in table.items()]


def _rules() -> list[Entry]:
    """The fields of the catalogue, whose types are the rules."""
    return [
        _entry(name, kind)
        for name, field in FiltersConfig.model_fields.items()
        for kind in typing.get_args(field.annotation)
        if isinstance(kind, type) and kind is not type(None)
    ]


def _steps() -> list[Entry]:
    """The functions that the list of steps takes from the phases."""
    return [
        Entry(None, node.module, alias.name)
        for node in ast.walk(ast.parse((CORE / "preparation" / "steps.py").read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and _PHASE.match(node.module)
        for alias in node.names
    ]


KINDS = {
    "a corpus format": _of_table(CORPUS_FORMATS),
    "a document format": _of_table(DOCUMENT_FORMATS),
    "a modality": _of_table(MODALITIES),
    "an engine": _of_table(ENGINES),
    "a model family": _of_table(FAMILIES),
    "a transcript format": _of_table(TRANSCRIPT_FORMATS),
    "a cleaning rule": _rules(),
    "a folder of a job": [Entry(None, look.__module__, look.__name__) for look in LOOKS.values()],
    "a step of a preparation": _steps(),
}


def test_the_page_has_a_line_for_every_kind() -> None:
    assert ROWS.keys() == KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "entry"),
    [(kind, entry) for kind, found in KINDS.items() for entry in found],
    ids=lambda value: value.symbol if isinstance(value, Entry) else value,
)
def test_a_name_is_known_where_the_page_says(kind: str, entry: Entry) -> None:
    folder, table, count = ROWS[kind]
    known = [file for file in knowing(ROOT, entry) if not file.startswith(_OTHER_ROOMS.get(kind, ()))]
    assert f"seq2seq_core/{table}" in known
    others = [file for file in known if file != f"seq2seq_core/{table}"]
    assert all(file.startswith(f"seq2seq_core/{folder}") for file in others), others
    assert len(known) == int(count), known


def test_every_room_is_on_the_page() -> None:
    rooms = {f"{folder.name}/" for folder in CORE.iterdir() if (folder / "__init__.py").exists()}
    assert rooms <= set(PAGE.code)


def test_every_phase_of_a_preparation_is_on_the_page() -> None:
    phases = {f"{folder.name}/" for folder in (CORE / "preparation").iterdir() if (folder / "__init__.py").exists()}
    assert phases <= set(PAGE.code)


def test_what_knows_a_name_is_found(tmp_path: Path) -> None:
    package = tmp_path / "seq2seq_core"
    package.mkdir()
    (tmp_path / "pipelines").mkdir()
    files = {
        "docx.py": "class Docx: ...",
        "table.py": "from seq2seq_core.docx import Docx\nTABLE = {'docx': Docx()}",
        "compares.py": "is_docx = kind == 'docx'",
        "lists.py": "is_packed = kind in ('docx', 'odt')",
        "types.py": "Kind = Literal['docx', 'odt']",
        "cases.py": "match kind:\n    case 'docx':\n        pass",
        "says.py": "'''docx is fine'''\nprint('docx')\ndocx = 1",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    expected = ["cases.py", "compares.py", "docx.py", "lists.py", "table.py", "types.py"]
    assert knowing(tmp_path, Entry("docx", "seq2seq_core.docx", "Docx")) == [
        f"seq2seq_core/{name}" for name in expected
    ]
    unnamed = Entry(None, "seq2seq_core.docx", "Docx")
    assert knowing(tmp_path, unnamed) == ["seq2seq_core/docx.py", "seq2seq_core/table.py"]
