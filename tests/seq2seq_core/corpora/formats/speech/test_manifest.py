"""JSONL manifests of speech: what their rows give, what is wrong with rows, and where they are cut."""

from __future__ import annotations

import gzip
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core.corpora.cutting import index_source
from seq2seq_core.corpora.formats.audio import named
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.errors import ConfigError, InputError
from tests import speech_corpora
from tests.speech_corpora import RATE, decoded, parts_of, read, read_parts, samples, source_of, tone, write_manifest

FORMAT = {"format": "speech_manifest"}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    speech_corpora.write_files(
        tmp_path, **{"wavs/a.wav": tone(0.5), "wavs/b.flac": tone(1.0, kind="FLAC"), "long.wav": tone(3.0)}
    )
    return tmp_path


def test_rows_of_a_manifest(corpus: Path) -> None:
    path = write_manifest(
        corpus / "m.jsonl",
        [
            {"audio_filepath": "wavs/a.wav", "text": "one", "duration": 0.5, "speaker": "ann"},
            {"audio": "wavs/b.flac", "text": "two", "speaker": 7},
            {"audio_filepath": str(corpus / "wavs" / "a.wav"), "text": "three", "lang": "de"},
        ],
    )
    found = read(path=path, **FORMAT)
    assert found.rows == [
        (1, "wavs/a.wav", "ann", "one"),
        (2, "wavs/b.flac", "7", "two"),
        (3, str(corpus / "wavs" / "a.wav"), None, "three"),
    ]
    assert found.audio == [(corpus / "wavs" / name).read_bytes() for name in ("a.wav", "b.flac", "a.wav")]
    assert found.rejects == []


def test_fields_of_other_names(corpus: Path) -> None:
    path = write_manifest(corpus / "m.jsonl", [{"clip": {"file": "wavs/a.wav"}, "said": "one"}])
    assert read(path=path, source_field="clip.file", target_field="said", **FORMAT).rows == [
        (1, "wavs/a.wav", None, "one")
    ]


def test_utterances_cut_from_one_file_that_is_opened_once(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    usual = named.storage.open_if_there
    monkeypatch.setattr(named.storage, "open_if_there", lambda url: opened.append(url) or usual(url))
    rows = [
        {"audio_filepath": "long.wav", "offset": 0.5, "duration": 1.0, "text": "one"},
        {"audio_filepath": "long.wav", "offset": 0.0, "duration": 0.25, "text": "two"},
        {"audio_filepath": "long.wav", "offset": 2.5, "text": "three"},
        {"audio_filepath": "long.wav", "offset": 2.5, "duration": 9, "text": "lies"},
        {"audio_filepath": "wavs/a.wav", "text": "four"},
    ]
    found = read(path=write_manifest(corpus / "m.jsonl", rows), **FORMAT)
    assert [row[3] for row in found.rows] == ["one", "two", "three", "four"]
    whole = samples(3.0)
    cuts = [decoded(data)[0].tolist() for data in found.audio[:3]]
    assert cuts == [
        whole[RATE // 2 : RATE * 3 // 2].tolist(),
        whole[: RATE // 4].tolist(),
        whole[RATE * 5 // 2 :].tolist(),
    ]
    assert [os.path.basename(url) for url in opened] == ["long.wav", "a.wav"]
    assert found.rejects == [(4, "wrong_duration", "2.50 s to 11.50 s")]


def test_every_fault_of_a_row_is_named_and_the_others_go_on(corpus: Path) -> None:
    (corpus / "text.wav").write_text("this is text")
    (corpus / "empty.wav").touch()
    (corpus / "folder.wav").mkdir()
    good = json.dumps({"audio_filepath": "wavs/a.wav", "text": "good"})
    rows: list[Any] = [
        good,
        "{broken",
        "[1]",
        "",
        {"audio_filepath": "wavs/a.wav"},
        {"text": "no audio"},
        {"audio_filepath": 5, "text": "x"},
        {"audio_filepath": "", "text": "x"},
        {"audio_filepath": "wavs/none.wav", "text": "x"},
        {"audio_filepath": "folder.wav", "text": "x"},
        {"audio_filepath": "../secret.wav", "text": "x"},
        {"audio_filepath": "/etc/passwd", "text": "x"},
        {"audio_filepath": "wavs/a.wav", "duration": 4.0, "text": "x, for the modality to judge"},
        {"audio_filepath": "wavs/a.wav", "duration": "long", "text": "x"},
        {"audio_filepath": "wavs/a.wav", "offset": -1, "text": "x"},
        {"audio_filepath": "text.wav", "offset": 1, "text": "x"},
        {"audio_filepath": "text.wav", "duration": 1, "text": "for the modality to judge"},
        {"audio_filepath": "empty.wav", "text": "as well"},
        {"audio_filepath": "wavs/a.wav", "text": "x" * 20_000},
        good,
    ]
    (corpus / "m.jsonl").write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in rows))
    found = read(path=str(corpus / "m.jsonl"), **FORMAT)
    assert [(row[0], row[3]) for row in found.rows] == [
        (1, "good"),
        (13, "x, for the modality to judge"),
        (17, "for the modality to judge"),
        (18, "as well"),
        (20, "good"),
    ]
    assert [(line, rule) for line, rule, _ in found.rejects] == [
        (2, "bad_json"),
        (3, "bad_json"),
        (5, "missing_field"),
        (6, "missing_field"),
        (7, "wrong_type"),
        (8, "missing_audio"),
        (9, "missing_audio"),
        (10, "missing_audio"),
        (11, "outside_corpus"),
        (12, "outside_corpus"),
        (14, "wrong_duration"),
        (15, "wrong_duration"),
        (16, "undecodable_audio"),
        (19, "too_many_bytes"),
    ]
    assert {line: value for line, _, value in found.rejects}[9] == "no file wavs/none.wav"


def test_the_first_missing_file_is_named_with_its_manifest(corpus: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"audio_filepath": f"{number}.wav", "text": "x"} for number in range(5)]
    with caplog.at_level(logging.WARNING):
        assert len(read(path=write_manifest(corpus / "m.jsonl", rows), **FORMAT).rejects) == 5
    (record,) = caplog.records
    assert record.getMessage().endswith("m.jsonl, line 1: no file 0.wav; such rows are counted as missing_audio")


def test_absolute_paths_elsewhere_need_a_root(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    rows = [{"audio_filepath": str(corpus / "wavs" / "a.wav"), "text": "x"}, {"audio_filepath": "b.flac", "text": "y"}]
    path = write_manifest(tmp_path / "manifests" / "m.jsonl", rows)
    assert [rule for _, rule, _ in read(path=path, **FORMAT).rejects] == ["outside_corpus", "missing_audio"]
    found = read(path=path, audio_root=str(corpus / "wavs"), **FORMAT)
    assert [row[3] for row in found.rows] == ["x", "y"]


def test_a_store(corpus: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    for number in range(20):
        store.pipe_file(f"/speech/wavs/{number}.wav", tone(0.1, 100.0 + number))
    rows = [{"audio_filepath": f"wavs/{number}.wav", "text": str(number)} for number in (*range(20), 99)]
    store.pipe_file("/speech/m.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows).encode())
    found = read(path="memory://speech/m.jsonl", **FORMAT)
    assert [row[3] for row in found.rows] == [str(number) for number in range(20)]
    assert found.audio == [tone(0.1, 100.0 + number) for number in range(20)]
    assert found.rejects == [(21, "missing_audio", "no file wavs/99.wav")]
    store.rm("/speech", recursive=True)


def test_a_manifest_without_rows(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").touch()
    with pytest.raises(InputError, match=r"m\.jsonl: the file is empty"):
        read(path=str(tmp_path / "m.jsonl"), **FORMAT)
    (tmp_path / "m.jsonl").write_text("\n \n")
    with pytest.raises(InputError, match=r"m\.jsonl: the file is empty"):
        read(path=str(tmp_path / "m.jsonl"), **FORMAT)
    assert read(path=str(tmp_path / "*.jsonl"), **FORMAT).rows == []


def test_a_source_of_text_is_refused(corpus: Path) -> None:
    path = write_manifest(corpus / "m.jsonl", [{"audio_filepath": "wavs/a.wav", "text": "x"}])
    config = speech_corpora.configuration.build(speech_corpora.CorpusConfig, {"path": path, **FORMAT})
    with pytest.raises(
        ConfigError, match=r"a speech manifest holds no text on its source side; .*source_modality audio"
    ):
        config.sources()
    with pytest.raises(ConfigError, match="a field of each side alone"):
        read(path=path, text_field="text", **FORMAT)
    with pytest.raises(ConfigError, match="a TSV file names no audio"):
        speech_corpora.configuration.build(
            speech_corpora.CorpusConfig, {"path": str(corpus / "x.tsv"), "audio_root": "x"}
        ).sources()


def test_hidden_files_and_what_a_folder_names(corpus: Path) -> None:
    for name in ("a.jsonl", ".hidden.jsonl", "_b.jsonl"):
        write_manifest(corpus / name, [{"audio_filepath": "wavs/a.wav", "text": name}])
    assert [row[3] for row in read(path=str(corpus / "*.jsonl"), **FORMAT).rows] == ["a.jsonl"]


def numbered(corpus: Path, count: int, seconds: float | None = 0.5) -> list[dict[str, Any]]:
    said = {} if seconds is None else {"duration": seconds}
    return [{"audio_filepath": "wavs/a.wav", "text": str(number), **said} for number in range(count)]


@pytest.mark.parametrize("suffix", ["", ".gz", "utf-16"])
def test_parts_of_so_many_seconds(corpus: Path, suffix: str) -> None:
    path = corpus / "m.jsonl"
    write_manifest(path, numbered(corpus, 10))
    if suffix == ".gz":
        path = corpus / "m.jsonl.gz"
        path.write_bytes(gzip.compress((corpus / "m.jsonl").read_bytes()))
    if suffix == "utf-16":
        path.write_bytes(path.read_text().encode("utf-16"))
    parts = parts_of(source_of(path=str(path), **FORMAT), 2.0)
    assert [part.first_line for part in parts] == [1, 5, 9]
    assert [[row[0] for row in read_parts([part]).rows] for part in parts] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    path.write_bytes(path.read_bytes()[:-9] + b"changed}\n")
    with pytest.raises(InputError, match=r"changed|truncated|UTF-16"):
        read_parts(parts)


def test_parts_where_no_row_says_how_long_it_is(corpus: Path) -> None:
    path = write_manifest(corpus / "m.jsonl", numbered(corpus, 10, None))
    assert [part.first_line for part in parts_of(source_of(path=path, **FORMAT), 40.0)] == [1, 5, 9]
    assert [part.first_line for part in parts_of(source_of(path=path, **FORMAT), rows=6)] == [1, 7]


def test_a_manifest_that_has_changed(corpus: Path) -> None:
    path = corpus / "m.jsonl"
    rows = numbered(corpus, 10)
    write_manifest(path, rows)
    parts = parts_of(source_of(path=str(path), **FORMAT), 2.0)
    rows[5]["text"] = "9"
    write_manifest(path, rows)
    assert len(read_parts(parts[:1]).rows) == 4
    with pytest.raises(InputError, match="the file has changed since it was counted"):
        read_parts(parts[1:2])


def test_a_plan_opens_no_audio(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(path=write_manifest(corpus / "m.jsonl", numbered(corpus, 10)), **FORMAT)
    monkeypatch.setattr(named.storage, "open_if_there", pytest.fail)
    (index,) = index_source(source, 100, 1000)
    assert index.data_bytes == 5 * 17_400


def test_batches_are_bounded(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "BATCH_BYTES", 20_000)
    source = source_of(path=write_manifest(corpus / "m.jsonl", numbered(corpus, 9)), **FORMAT)
    (part,) = parts_of(source)
    assert [len(sifted.kept) for sifted in read_part(part, 1000)] == [2, 2, 2, 2, 1]


def test_a_file_that_is_no_utterance(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "MOST_BYTES", 1000)
    path = write_manifest(corpus / "m.jsonl", numbered(corpus, 1))
    assert read(path=path, **FORMAT).rejects == [(1, "too_many_bytes", "8044 bytes of audio")]


ROWS = st.fixed_dictionaries(
    {},
    optional={
        "audio_filepath": st.sampled_from(["wavs/a.wav", "none.wav", "../a.wav", None, 3]),
        "audio": st.sampled_from(["wavs/a.wav", None]),
        "text": st.sampled_from(["one", "zwei ä", "", None, 4]),
        "duration": st.sampled_from([0.5, 0.6, 3.0, None, "x", 1]),
        "offset": st.sampled_from([0, 0.1, 8.0, None]),
        "speaker": st.sampled_from(["ann", 5, None, "", True]),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=8), blanks=st.booleans(), seconds=st.sampled_from([0.5, 1.2, 25.0, 100.0])
)
def test_every_line_is_a_row_or_a_reject_however_it_is_cut(
    corpus: Path, rows: list[dict[str, Any]], blanks: bool, seconds: float
) -> None:
    path = corpus / "m.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" + ("\n" if blanks else "") for row in rows))
    whole, parts = read(path=str(path), **FORMAT), read(seconds, path=str(path), **FORMAT)
    assert parts == whole
    numbers = sorted([row[0] for row in whole.rows] + [line for line, _, _ in whole.rejects])
    assert numbers == [1 + place * (2 if blanks else 1) for place in range(len(rows))]
