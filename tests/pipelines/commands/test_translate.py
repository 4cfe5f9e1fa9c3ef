from __future__ import annotations

import bz2
import dataclasses
import gzip
import io
import json
import lzma
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipelines.commands import translate as command
from pipelines.commands.translate import TranslateConfig
from pipelines.graphs import failures
from seq2seq_core import claims, storage
from seq2seq_core import config as configuration
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.errors import (
    ClaimError,
    ConfigError,
    DatasetError,
    ForeignFileError,
    IncompleteError,
    InputError,
    ModelError,
    Seq2SeqError,
    StorageError,
)
from seq2seq_core.inference import closing
from seq2seq_core.inference.manifest import load_output
from seq2seq_core.inference.translator import Translator
from seq2seq_core.tokenizer.model import Tokenizer

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}
DECOMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read(),
}
MIXED = b"hello world\n\none, two\r\n\xff\xfe\nthe fox"


def config(model: str, inputs: Path | str, output: Path | str, **more: Any) -> TranslateConfig:
    values = {"model": model, "input": [str(inputs)], "output": str(output), "engine": {"kind": "echo"}}
    values |= {"normalize": {"unicode": "none", "whitespace": False}, "unit_records": 2}
    return configuration.build(TranslateConfig, values | more)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def outputs(folder: Path, pattern: str) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob(pattern)))


def test_lines_keep_their_bytes_in_every_compression(echo_model: str, tmp_path: Path) -> None:
    text = b"hello world\n\none, two\r\n  \nthe fox\n last"
    lines = [b'{"text": "hi", "n": 1.50e3, "big": 123456789012345678901234567890}', b'{"k":1,"text":"\\u00e9"}', b""]
    (tmp_path / "in").mkdir()
    for suffix, compress in COMPRESSIONS.items():
        (tmp_path / "in" / f"a.txt{suffix}").write_bytes(compress(text))
        (tmp_path / "in" / f"a.jsonl{suffix}").write_bytes(compress(b"\n".join(lines) + b"\n"))
    result = command.run(config(echo_model, tmp_path / "in", tmp_path / "out", output_field="de"))
    assert (result.records_in, result.records_out, result.failed, result.units) == (45, 45, 0, 25)
    for suffix, decompress in DECOMPRESSIONS.items():
        found = decompress(outputs(tmp_path / "out", f"a-0000?-of-00003.txt{suffix}"))
        assert found == text, suffix
        found = decompress(outputs(tmp_path / "out", f"a-0000?-of-00002.jsonl{suffix}"))
        expected = [lines[0][:-1] + b', "de": "hi"}', lines[1][:-1] + ', "de": "é"}'.encode(), b"", b""]
        assert found.split(b"\n") == expected, suffix


def test_parquet_keeps_schema_columns_and_nulls(echo_model: str, tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([3, 1, 2], pa.int8()),
            "text": ["one", None, "two"],
            "tags": [["a"], [], None],
        }
    ).replace_schema_metadata({"made": "here"})
    pq.write_table(table, tmp_path / "a.parquet")
    result = command.run(
        config(echo_model, tmp_path / "a.parquet", tmp_path / "out", include=["score", "segments", "n_best"])
    )
    assert result.units == 2
    found = pa.concat_tables([pq.read_table(path) for path in sorted((tmp_path / "out").glob("*.parquet"))])
    assert found.select(table.column_names).equals(table)
    assert found.schema.metadata[b"made"] == b"here"
    assert found.column("translation").to_pylist() == ["one", None, "two"]
    assert found.column("translation_score").to_pylist() == [0.0, None, 0.0]
    assert found.column("translation_segments").to_pylist() == [1, None, 1]
    assert found.column("translation_n_best").to_pylist()[0] == [{"text": "one", "score": 0.0}]


def test_memory_urls(echo_model: str) -> None:
    root = "memory://translate-test"
    storage.publish_bytes(f"{root}/in/a.txt", b"one\ntwo\n")
    storage.publish_bytes(f"{root}/in/deep/b.jsonl", b'{"text": "three"}\n')
    try:
        result = command.run(config(echo_model, f"{root}/in", f"{root}/out"))
        assert (result.records_in, result.units) == (3, 2)
        assert storage.read_bytes(f"{root}/out/a-00000-of-00001.txt") == b"one\ntwo\n"
        assert json.loads(storage.read_bytes(f"{root}/out/deep/b-00000-of-00001.jsonl"))["translation"] == "three"
        assert command.run(config(echo_model, f"{root}/in", f"{root}/out")).skipped_units == 2
    finally:
        fsspec.filesystem("memory").rm("/translate-test", recursive=True)


def test_failed_records_keep_their_place_and_have_a_row_in_the_ledger(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(MIXED)
    (tmp_path / "in" / "b.jsonl").write_bytes(b'{"text": "ok"}\nbroken\n{"text": 5, "id": 7}\n{"id": 8}\n')
    with pytest.raises(IncompleteError, match="4 of 9 records"):
        command.run(config(echo_model, tmp_path / "in", tmp_path / "out"))
    out = tmp_path / "out"
    assert outputs(out, "a-*.txt") == b"hello world\n\none, two\r\n\nthe fox"
    assert outputs(out, "b-*.jsonl").decode().splitlines() == [
        '{"text": "ok", "translation": "ok"}',
        '{"translation": null}',
        '{"text": 5, "id": 7, "translation": null}',
        '{"id": 8, "translation": null}',
    ]
    manifest = load_output(str(out))
    rows = [
        json.loads(line)
        for unit in manifest.units
        if unit.failures
        for line in (out / unit.failures).read_text().splitlines()
    ]
    assert [(Path(row["input"]).name, row["record"], row["line"]) for row in rows] == [
        ("a.txt", 3, 4),
        ("b.jsonl", 1, 2),
        ("b.jsonl", 2, 3),
        ("b.jsonl", 3, 4),
    ]
    assert [row["text"] for row in rows] == ["\\xff\\xfe", "broken", '{"text": 5, "id": 7}', '{"id": 8}']
    assert "not UTF-8" in rows[0]["reason"]
    assert (manifest.records_in, manifest.records_out, manifest.failed) == (9, 9, 4)


def test_a_record_the_engine_fails_on_fails_alone(echo_model: str, echo_tokenizer: bytes, tmp_path: Path) -> None:
    poison = int(Tokenizer(echo_tokenizer).encode(["?"])[0][-1])
    (tmp_path / "a.txt").write_bytes(b"one\ntwo?\nthree\n")
    engine = {"kind": "echo", "fail_on_piece": poison}
    with pytest.raises(IncompleteError, match="1 of 3"):
        command.run(config(echo_model, tmp_path / "a.txt", tmp_path / "out", engine=engine))
    assert outputs(tmp_path / "out", "a-*.txt") == b"one\n\nthree\n"
    (row,) = (json.loads(line) for line in outputs(tmp_path / "out" / "failures", "*").splitlines())
    assert "asked to fail" in row["reason"]
    assert row["text"] == "two?"


def test_on_error_fail_ends_the_run_and_leaves_no_manifest(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(MIXED)
    with pytest.raises(InputError, match=r"a\.txt, line 4: .*not UTF-8"):
        command.run(config(echo_model, tmp_path / "a.txt", tmp_path / "out", on_error="fail"))
    with pytest.raises(DatasetError, match="no finished translation"):
        load_output(str(tmp_path / "out"))


def test_a_rerun_skips_what_is_finished_and_repairs_what_is_missing(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\nthree\nfour\nfive\n")
    settings_ = config(echo_model, tmp_path / "a.txt", tmp_path / "out")
    assert command.run(settings_).skipped_units == 0
    before = tree(tmp_path / "out")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("a-*")}
    assert command.run(settings_).skipped_units == 3
    assert tree(tmp_path / "out") == before
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("a-*")} == stamps
    (tmp_path / "out" / "a-00001-of-00003.txt").unlink()
    assert command.run(settings_).skipped_units == 2
    assert tree(tmp_path / "out") == before


def test_a_run_that_finds_all_finished_loads_no_model(
    echo_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")
    settings_ = config(echo_model, tmp_path / "a.txt", tmp_path / "out")
    command.run(settings_)

    def refuse(*_: object) -> None:
        raise ModelError("loaded")

    monkeypatch.setattr("pipelines.graphs.translate_units.load_translator", refuse)
    assert command.run(settings_).skipped_units == 1
    (tmp_path / "a.txt").write_bytes(b"two\n")
    with pytest.raises(ModelError, match="loaded"):
        command.run(settings_)


@pytest.mark.parametrize(
    "change",
    [
        {"search": {"beam": 2}},
        {"segmentation": {"max_segment_pieces": 7}},
        {"normalize": {"unicode": "nfkc"}},
        {"engine": {"kind": "torch"}},
        {"engine": {"kind": "torch", "precision": "bfloat16"}},
        {"text_field": "other"},
        {"output_field": "other"},
        {"include": ["score"]},
    ],
)
def test_options_that_shape_the_output_make_another_job(echo_model: str, change: dict[str, Any]) -> None:
    usual = command.provenance_of(config(echo_model, "a.txt", "out"))
    assert command.provenance_of(config(echo_model, "a.txt", "out", **change)).fingerprint != usual.fingerprint


def test_options_that_do_not_shape_the_output_make_the_same_job(echo_model: str) -> None:
    engine = {"kind": "torch"}
    usual = command.provenance_of(config(echo_model, "a.txt", "out", engine=engine))
    engine |= {"threads": 3, "device": "cpu", "max_batch_tokens": 10}
    found = command.provenance_of(config(echo_model, "b.txt", "other", engine=engine, unit_records=7, on_error="fail"))
    assert found.fingerprint == usual.fingerprint


@pytest.mark.parametrize(
    ("asked", "are_made"),
    [
        ({}, False),
        ({"include": ["segments"]}, False),
        ({"search": {"beam": 5}}, True),
        ({"include": ["score"]}, True),
        ({"include": ["truncated"]}, True),
        ({"quality": True}, True),
        ({"output_format": "nbest"}, True),
        ({"flag": {"min_score": -2.0}}, True),
        ({"memory": {"url": "memory://kept"}}, True),
    ],
)
def test_scores_are_made_where_something_shows_or_needs_them(
    echo_model: str, tmp_path: Path, asked: dict[str, Any], are_made: bool
) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "hello"}\n')
    greedy = config(echo_model, tmp_path / "a.jsonl", tmp_path / "out", **({"search": {"beam": 1}} | asked))
    job = command.make_job(greedy)
    assert job.translator.search.returns_scores is are_made
    assert pickle.loads(pickle.dumps(job)).translator.search.returns_scores is are_made
    assert job.translator.identity() == greedy.identity()


def test_another_model_or_another_input_is_another_job(write_echo_model: Callable[..., str], tmp_path: Path) -> None:
    model = write_echo_model(tmp_path / "model", step=1)
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / "b.txt").write_bytes(b"four\n")
    settings_ = config(model, tmp_path / "*.txt", tmp_path / "out")
    assert command.run(settings_).units == 3
    (tmp_path / "b.txt").write_bytes(b"five\n")
    assert command.run(settings_).skipped_units == 2
    assert outputs(tmp_path / "out", "b-*") == b"five\n"
    write_echo_model(tmp_path / "model", step=2)
    assert command.run(settings_).skipped_units == 0
    lineage = {"run": "r", "step": 2, "averaged_steps": [2], "dataset": "d", "dataset_digest": "x"}
    assert load_output(str(tmp_path / "out")).model.lineage == lineage


def test_shards_of_another_number_of_units_go_and_foreign_files_stay(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"one\n\xff\nthree\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a-notes.txt").write_bytes(b"mine")
    (tmp_path / "out" / "other-00000-of-00007.txt").write_bytes(b"of another input")
    for unit_records in (1, 2):
        with pytest.raises(IncompleteError):
            command.run(config(echo_model, tmp_path / "in", tmp_path / "out", unit_records=unit_records))
    assert sorted(tree(tmp_path / "out")) == [
        ".units/a-00000-of-00002.txt.json",
        ".units/a-00000-of-00002.txt.kept",
        ".units/a-00001-of-00002.txt.json",
        ".units/files.json",
        ".units/plan.json",
        "a-00000-of-00002.txt",
        "a-00001-of-00002.txt",
        "a-notes.txt",
        "failures/a-00000-of-00002.txt.jsonl",
        "other-00000-of-00007.txt",
        "output.json",
    ]


def test_folders_are_mirrored_and_hidden_files_passed_over(echo_model: str, tmp_path: Path) -> None:
    for name in ("x/a.txt", "y/a.txt", "y/_SUCCESS", ".git/config"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() + b"\n")
    command.run(config(echo_model, tmp_path / "in", tmp_path / "out"))
    assert outputs(tmp_path / "out", "x/a-*") == b"x/a.txt\n"
    assert outputs(tmp_path / "out", "y/a-*") == b"y/a.txt\n"
    assert {Path(entry.url).name for entry in load_output(str(tmp_path / "out")).inputs} == {"a.txt"}


def test_an_empty_file_has_an_empty_output(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "in" / "c.parquet")
    for name in ("a.txt", "b.jsonl"):
        (tmp_path / "in" / name).write_bytes(b"")
    result = command.run(config(echo_model, tmp_path / "in", tmp_path / "out"))
    assert (result.records_in, result.records_out, result.units) == (0, 0, 3)
    assert outputs(tmp_path / "out", "*.txt") == outputs(tmp_path / "out", "*.jsonl") == b""
    assert pq.read_table(tmp_path / "out" / "c-00000-of-00001.parquet").column_names == ["text", "translation"]


def test_wrong_inputs_are_errors_before_any_work(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.jsonl").write_bytes(b'{"body": "one"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "one", "translation": ""}\n')
    (tmp_path / "c.txt").write_bytes(b"one\n")
    (tmp_path / "d.gz").write_bytes(b"")
    pq.write_table(pa.table({"text": [1]}), tmp_path / "e.parquet")
    (tmp_path / "f.txt.gz").write_bytes(gzip.compress(b"one\n" * 1000)[:-20])
    cases: list[tuple[type[Seq2SeqError], str, str, dict[str, Any]]] = [
        (StorageError, "no such file", "nothing.txt", {}),
        (StorageError, "the folder is empty", "empty", {}),
        (InputError, "found fields body.*text_field", "a.jsonl", {}),
        (InputError, "'translation' is there already", "b.jsonl", {}),
        (ConfigError, "no place for more fields", "c.txt", {"include": ["score"]}),
        (ModelError, "no finished model", "c.txt", {"model": str(tmp_path)}),
        (InputError, "not known by the suffix", "d.gz", {}),
        (InputError, "holds no text", "e.parquet", {}),
        (InputError, "no column 'body'", "e.parquet", {"text_field": "body"}),
        (InputError, "f.txt.gz", "f.txt.gz", {}),
    ]
    for kind, message, name, more in cases:
        with pytest.raises(kind, match=message):
            command.run(config(**{"model": echo_model, "inputs": tmp_path / name, "output": tmp_path / "out"} | more))
    assert not (tmp_path / "out" / "output.json").exists()
    assert not list((tmp_path / "out").glob("[a-z]*"))


def test_an_earlier_result_survives_a_run_that_cannot_begin(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "one"}\n')
    command.run(config(echo_model, tmp_path / "a.jsonl", tmp_path / "out"))
    with pytest.raises(InputError, match="text_field"):
        command.run(config(echo_model, tmp_path / "a.jsonl", tmp_path / "out", text_field="body"))
    assert load_output(str(tmp_path / "out")).records_in == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"search": {"beam": 5, "n_best": 3}}, "n_best is 3, but include"),
        ({"search": {"attention": True}}, "add attention"),
        ({"include": ["score", "score"]}, "names a field twice"),
        ({"unit_record": 3}, "Did you mean unit_records"),
        ({"input": []}, "input"),
    ],
)
def test_configurations_that_contradict_themselves(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config("model", "in.txt", "out", **values)


def test_a_file_of_others_in_the_way_of_an_output_is_named(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(b"one\n")
    (tmp_path / "out").mkdir()
    for name in ("book-00000-of-00001.txt", "book-00003-of-00009.txt"):
        (tmp_path / "out" / name).write_bytes(b"by hand")
    with pytest.raises(ForeignFileError, match=r"book-00000-of-00001\.txt: a file that this program has not written"):
        command.run(config(echo_model, tmp_path / "book.txt", tmp_path / "out"))
    assert set(tree(tmp_path / "out").values()) == {b"by hand"}


def test_an_output_below_the_input_is_no_input_of_the_next_run(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "docs" / name).write_bytes(b"one\n")
    settings = config(echo_model, tmp_path / "docs", tmp_path / "docs" / "out")
    assert [command.run(settings).skipped_units for _ in range(2)] == [0, 2]
    whole = tree(tmp_path / "docs")
    (tmp_path / "docs" / "out" / "output.json").unlink()  # as after a kill
    assert command.run(settings).skipped_units == 2
    assert tree(tmp_path / "docs") == whole


def test_two_translations_of_different_settings_do_not_share_a_folder(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")
    out = tmp_path / "out"
    with claims.held(str(out), "of another", "translation"):
        with pytest.raises(ClaimError, match=r"another translation is under way here; found fingerprint of another of"):
            command.run(config(echo_model, tmp_path / "a.txt", out))
        assert {path.split("/")[0] for path in tree(out)} == {".claim"}
    command.run(config(echo_model, tmp_path / "a.txt", out))
    assert not (out / ".claim").exists()


def test_cut_and_looping_outputs_are_counted(echo_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In markers, output.json and the last line; a rerun counts what stands there."""
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\nthree\nfour\n")
    translate = Translator.translate

    def doubtful(self: Translator, texts: Sequence[str | None], **how: Any) -> list[Prediction]:
        changes: dict[str | None, dict[str, bool]] = {"one": {"finished": False}, "two": {"looping": True}}
        made = translate(self, texts, **how)
        return [dataclasses.replace(p, **changes.get(text, {})) for text, p in zip(texts, made, strict=True)]

    monkeypatch.setattr(Translator, "translate", doubtful)
    settings = config(echo_model, tmp_path / "a.txt", tmp_path / "out", unit_records=3)
    for skipped in (0, 2):
        result = command.run(settings)
        assert (result.cut, result.looping, result.skipped_units) == (1, 1, skipped)
        assert result.summary().endswith("; of the outputs 1 cut at the length limit and 1 repeating themselves")
    output = load_output(str(tmp_path / "out"))
    assert (output.cut, output.looping, output.inputs[0].cut, output.inputs[0].looping) == (1, 1, 1, 1)
    assert [(unit.cut, unit.looping) for unit in output.units] == [(1, 1), (0, 0)]


def test_an_output_that_another_run_replaces_is_never_told_of(
    echo_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After all units are finished, and before the manifest is published."""
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\n")
    reconcile = closing.reconcile

    def replaced(*arguments: Any) -> Any:
        output = reconcile(*arguments)
        marker = tmp_path / "out" / ".units" / f"{output.units[0].path}.json"
        marker.write_text(marker.read_text().replace(output.units[0].fingerprint, "of another run"))
        return output

    monkeypatch.setattr(closing, "reconcile", replaced)
    with pytest.raises(IncompleteError, match="an output was replaced or removed while the others were made"):
        command.run(config(echo_model, tmp_path / "a.txt", tmp_path / "out"))
    assert not (tmp_path / "out" / "output.json").exists()


def test_a_run_whose_folder_was_taken_over_says_so(
    echo_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")
    run = failures.run

    def overtaken(pipeline: beam.Pipeline) -> Any:
        result = run(pipeline)
        (tmp_path / "out" / ".claim" / "claim.json").write_text('{"work": "translation", "fingerprint": "other"}')
        return result

    monkeypatch.setattr(failures, "run", overtaken)
    with pytest.raises(ClaimError, match="another translation is under way here; found fingerprint other"):
        command.run(config(echo_model, tmp_path / "a.txt", tmp_path / "out"))


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from pipelines.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_an_engine_that_needs_no_torch_runs_without_it(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n")
    words = ["translate", "--model", echo_model, "--input", str(tmp_path / "a.txt"), "--output", str(tmp_path / "out")]
    run = [sys.executable, "-c", WITHOUT_TORCH, *words, "--engine.kind", "echo"]
    subprocess.run(run, check=True, capture_output=True)
    assert outputs(tmp_path / "out", "a-*.txt") == b"one\n"
    assert "torch" not in load_output(str(tmp_path / "out")).software
