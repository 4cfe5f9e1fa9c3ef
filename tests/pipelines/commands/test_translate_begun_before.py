"""A translation that an earlier version has begun is finished without doing anything again.

What is on disk, and the fingerprints that say so, are spelt here by hand: this page is the agreement between versions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.commands.translate import TranslateConfig, run
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.inference.manifest import load_output
from seq2seq_core.models.card import read_card

TEXTS = {
    "a.txt": [b"one\ntwo\n", b"three\nfour\n", b"five\n"],
    "b.jsonl": [b'{"text": "six"}\n{"text": "seven"}\n'],
}
"""What each unit of each input holds."""
OPTIONS: dict[str, Any] = {
    "search": {
        "beam": 5,
        "length_penalty": 1.0,
        "n_best": 1,
        "max_length_ratio": 2.0,
        "max_length_extra": 20,
        "attention": False,
    },
    "segmentation": {
        "mode": "auto",
        "max_segment_pieces": None,
        "language": None,
        "markup": "numbers",
        "copy_wordless": True,
    },
    "normalize": None,
    "target_language": None,
    "engine": {"kind": "echo", "fail_on_piece": None},
}


def digest_of(values: Any) -> str:
    return storage.digest_bytes(json.dumps(values, sort_keys=True).encode())


def lay_down(root: Path, model: str, written: bytes) -> dict[str, str]:
    """An output folder in which the first two units are committed, with this for their output; all fingerprints."""
    job = digest_of([read_card(model)[0].digest, OPTIONS, ["text", "translation", []]])
    rows, names = [], []
    for name, parts in TEXTS.items():
        stem, suffix = name.split(".")
        content, first = storage.digest_bytes(b"".join(parts)), 0
        for number, part in enumerate(parts):
            path, records = f"{stem}-{number:05d}-of-{len(parts):05d}.{suffix}", part.count(b"\n")
            form = {"txt": "text"}.get(suffix, suffix)
            unit = digest_of([3, job, content, form, first, records, storage.digest_bytes(part)])
            names.append(path)
            rows.append([f".units/{path}.json", unit, records])
            if len(rows) <= 2:
                commit(root, path, unit, first, records, written)
            first += records
    (root / ".units" / "plan.json").write_text(json.dumps(rows))
    (root / ".units" / "files.json").write_text(json.dumps(names, indent=0))
    return {name: row[1] for name, row in zip(names, rows, strict=True)}


def commit(root: Path, path: str, unit: str, first: int, records: int, data: bytes) -> None:
    marker = {"path": path, "fingerprint": unit, "first_record": first, "records": records, "failed": 0}
    marker |= {"bytes": len(data), "digest": storage.digest_bytes(data), "failures": None, "cut": 0, "looping": 0}
    (root / ".units").mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)
    (root / ".units" / f"{path}.json").write_text(json.dumps(marker | {"failures_digest": None}, indent=1) + "\n")


def test_what_is_committed_is_not_done_again(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, parts in TEXTS.items():
        (tmp_path / "in" / name).write_bytes(b"".join(parts))
    written = b"not what\nan echo gives\n"
    fingerprints = lay_down(tmp_path / "out", echo_model, written)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("a-0000[01]*")}
    assert len(before) == 4
    values = {"model": echo_model, "input": [str(tmp_path / "in")], "output": str(tmp_path / "out")}
    config = configuration.build(TranslateConfig, values | {"unit_records": 2, "engine": {"kind": "echo"}})
    result = run(config)
    assert (result.units, result.skipped_units) == (4, 2)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    found = load_output(str(tmp_path / "out"))
    assert {unit.path: unit.fingerprint for unit in found.units} == fingerprints
    assert found.fingerprint == storage.digest_bytes("\n".join(map(":".join, fingerprints.items())).encode())
    assert (tmp_path / "out" / "a-00000-of-00003.txt").read_bytes() == written
    assert (tmp_path / "out" / "a-00002-of-00003.txt").read_bytes() == b"five\n"
