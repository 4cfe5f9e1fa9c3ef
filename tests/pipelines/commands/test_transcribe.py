"""`seq2seq transcribe`: every recording has its transcript or its reason, and nothing is done twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import soundfile

from pipelines import cli
from pipelines.commands import transcribe as command
from pipelines.commands.transcribe import TranscribeConfig
from seq2seq_core import claims, storage
from seq2seq_core import config as configuration
from seq2seq_core.engines.tones import ToneRecognizer
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
from seq2seq_core.inference.manifest import load_transcription
from tests.processes import tree
from tests.tone_speech import talk, tree_of, write


def config(model: str, inputs: Path | str, output: Path | str, **more: Any) -> TranscribeConfig:
    values = {"model": model, "input": [str(inputs)], "output": str(output), "engine": {"kind": "echo"}}
    return configuration.build(TranscribeConfig, values | {"voice": {"method": "energy"}} | more)


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four short recordings and a long one."""
    folder = tmp_path_factory.mktemp("talks")
    for number in range(4):
        write(folder / "short" / f"{number}.flac", talk(4 + number, seed=number))
    write(folder / "long.flac", talk(75, seed=9, rate=22_050))
    return folder


def words_of(path: Path) -> list[str]:
    return [word["text"] for segment in json.loads(path.read_bytes())["segments"] for word in segment["words"]]


def test_every_recording_has_a_transcript_in_every_format(echo_model: str, talks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    formats = ["json", "srt", "vtt", "txt", "ctm", "tsv", "jsonl"]
    result = command.run(config(echo_model, talks, out, format=formats, unit_seconds=20))
    assert (result.records_in, result.records_out, result.failed, result.skipped_units) == (5, 5, 0, 0)
    names = [f"{name}.{suffix}" for name in ("long", *(f"short/{n}" for n in range(4))) for suffix in formats[:-1]]
    assert sorted([*names, "transcripts-00000-of-00001.jsonl", "output.json"]) == sorted(
        name for name in tree(out) if not name.startswith(".")
    )
    assert words_of(out / "long.json") == talk(75, seed=9, rate=22_050).texts
    for number in range(4):
        said = talk(4 + number, seed=number)
        assert words_of(out / "short" / f"{number}.json") == said.texts
        assert (out / "short" / f"{number}.txt").read_text().split() == said.texts
        rows = [line.split() for line in (out / "short" / f"{number}.ctm").read_text().splitlines()]
        assert [row[0] for row in rows] == [f"short/{number}"] * len(said.words)
        assert [float(row[2]) for row in rows] == pytest.approx([word.begin for word in said.words], abs=0.03)
    lines = [json.loads(line) for line in (out / "transcripts-00000-of-00001.jsonl").read_text().splitlines()]
    assert [Path(line["audio_filepath"]).stem for line in lines] == ["long", "0", "1", "2", "3"]


def test_manifest_and_progress_tell_of_model_recordings_and_speed(
    echo_model: str, talks: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pipelines"):
        result = command.run(config(echo_model, talks, tmp_path / "out", format=["json", "srt"], unit_seconds=20))
    assert "audio seconds 98/98" in caplog.text  # each unit is rounded
    found = load_transcription(str(tmp_path / "out"))
    assert (found.records_in, found.failed, found.audio_seconds) == (5, 0, 97.0)
    assert 40 < found.speech_seconds < 97
    assert found.model.lineage is not None
    assert found.measured is not None
    assert found.measured.audio_seconds == 97.0
    assert found.measured.real_time_factor == pytest.approx(found.measured.seconds / 97, abs=1e-4)
    assert [entry.words for entry in found.inputs][1:] == [len(talk(4 + n, seed=n).words) for n in range(4)]
    assert found.inputs[0].outputs == ("long.json", "long.srt")
    assert result.summary().startswith("5 recordings of 1:37 transcribed to ")


def test_a_rerun_skips_what_is_finished_and_repairs_what_is_missing(
    echo_model: str, talks: Path, tmp_path: Path
) -> None:
    settings, out = config(echo_model, talks, tmp_path / "out", unit_seconds=20), tmp_path / "out"
    command.run(settings)
    before = tree(out)
    stamps = {name: (out / name).stat().st_mtime_ns for name in before if name.endswith((".json", ".jsonl"))}
    units = len([name for name in before if name.startswith(".speech/")])
    assert command.run(settings).skipped_units == units > 2
    assert tree(out) == before
    changed = {name for name, stamp in stamps.items() if (out / name).stat().st_mtime_ns != stamp}
    assert changed <= {"output.json", ".units/plan.json", ".units/files.json"}
    (out / "short" / "1.json").unlink()
    next(out.glob(".speech/*.jsonl")).unlink()
    assert command.run(settings).skipped_units == units - 1
    assert tree_of(tree(out)) == tree_of(before)


def test_another_format_is_written_of_what_was_heard(echo_model: str, talks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command.run(config(echo_model, talks, out))
    (unit,) = out.glob(".speech/*.jsonl")
    stamp = unit.stat().st_mtime_ns
    assert command.run(config(echo_model, talks, out, format=["vtt"])).skipped_units == 1
    assert unit.stat().st_mtime_ns == stamp
    assert [name for name in tree(out) if name.endswith(".json") and "." not in name[0]] == ["output.json"]
    assert (out / "short" / "0.vtt").read_text().startswith("WEBVTT\n")


def test_changed_recordings_and_options_are_heard_anew(echo_model: str, talks: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for path in (*talks.glob("short/*"), talks / "long.flac"):
        (tmp_path / "in" / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    settings = config(echo_model, tmp_path / "in", out, unit_seconds=20)
    command.run(settings)
    write(tmp_path / "in" / "1.flac", talk(5, seed=77))
    assert command.run(settings).skipped_units == 4  # the parts of the long one
    assert words_of(out / "1.json") == talk(5, seed=77).texts
    assert len(list(out.glob(".speech/*.jsonl"))) == 5
    other = config(echo_model, tmp_path / "in", out, unit_seconds=20, chunks={"longest": 5})
    assert command.run(other).skipped_units == 0
    assert len(list(out.glob(".speech/*.jsonl"))) == 5


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Recordings of every kind, sound and broken."""
    folder = tmp_path / "in"
    said = talk(8, seed=1)
    for name in ("good.wav", "cut.flac", "half.flac"):
        write(folder / name, said)
    for name in ("cut.flac", "half.flac"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
    (folder / "nothing.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is no audio\n" * 100)
    wide = np.repeat(talk(6, seed=2, rate=96_000).samples[:, None], 8, 1)
    soundfile.write(folder / "wide.wav", wide, 96_000, subtype="PCM_24")
    soundfile.write(folder / "float.wav", talk(6, seed=3).samples, 16_000, subtype="FLOAT")
    soundfile.write(folder / "silence.wav", np.zeros(80_000), 16_000)
    soundfile.write(folder / "noise.wav", np.random.default_rng(0).normal(size=160_000) * 0.1, 16_000)
    soundfile.write(folder / "broken.mp3", talk(20, seed=4).samples, 16_000, subtype="MPEG_LAYER_III")
    data = bytearray((folder / "broken.mp3").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = b"\xff" * 300
    (folder / "broken.mp3").write_bytes(data)
    header = bytearray((folder / "good.wav").read_bytes())
    header[40:44] = (1 << 30).to_bytes(4, "little")
    (folder / "lying.wav").write_bytes(header)
    return folder


def test_what_cannot_be_read_keeps_its_place_and_has_a_reason(echo_model: str, dirty: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(IncompleteError, match="of 11 recordings were not transcribed"):
        command.run(config(echo_model, dirty, out, format=["json", "srt", "jsonl"]))
    rows = [json.loads(line) for path in out.glob("failures/*.srt.jsonl") for line in path.read_text().splitlines()]
    reasons = {Path(row["input"]).name: row["reason"].partition(":")[0] for row in rows}
    assert {"cut.flac", "half.flac", "nothing.wav", "text.wav"} <= reasons.keys() <= {
        "cut.flac", "half.flac", "nothing.wav", "text.wav", "lying.wav", "broken.mp3",
    }  # fmt: skip
    assert reasons["nothing.wav"] == "empty"
    assert reasons["text.wav"] == "undecodable"
    assert reasons["cut.flac"] in ("truncated", "damaged")
    lines = [json.loads(line) for line in next(out.glob("transcripts-*")).read_text().splitlines()]
    assert len(lines) == 11
    assert {Path(line["audio_filepath"]).name for line in lines if "error" in line} == reasons.keys()
    for name, said in {"good": talk(8, seed=1), "float": talk(6, seed=3), "wide": talk(6, seed=2, rate=96_000)}.items():
        assert words_of(out / f"{name}.json") == said.texts
    for name in ("silence", "noise", "nothing", "text"):
        assert words_of(out / f"{name}.json") == []
        assert (out / f"{name}.srt").read_bytes() == b""
    if "broken.mp3" not in reasons:  # the frame is passed over
        assert len(words_of(out / "broken.json")) >= len(talk(20, seed=4).words) - 3
    manifest = load_transcription(str(out))
    assert (manifest.records_in, manifest.records_out, manifest.failed) == (11, 11, len(reasons))
    assert cli.main(["inspect", str(out), "--verify"]) == 0


def test_on_error_fail_ends_the_run_and_leaves_no_manifest(echo_model: str, dirty: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be transcribed"):
        command.run(config(echo_model, dirty, tmp_path / "out", on_error="fail"))
    with pytest.raises(DatasetError, match="no finished transcription"):
        load_transcription(str(tmp_path / "out"))


def test_a_channel_is_heard_alone_where_that_is_asked_for(echo_model: str, tmp_path: Path) -> None:
    left, right = talk(6, seed=1), talk(6, seed=2)
    soundfile.write(tmp_path / "a.wav", np.stack([left.samples, right.samples], 1), 16_000)
    for channel, said in enumerate((left, right)):
        command.run(config(echo_model, tmp_path / "a.wav", tmp_path / "out", channel=channel))
        assert words_of(tmp_path / "out" / "a.json") == said.texts
    with pytest.raises(IncompleteError):
        command.run(config(echo_model, tmp_path / "a.wav", tmp_path / "out", channel=2))


def test_wrong_calls_are_errors_before_any_work(echo_model: str, talks: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    for suffix in ("wav", "flac"):
        write(tmp_path / "same" / f"a.{suffix}", talk(2))
    cases: list[tuple[type[Seq2SeqError], str, dict[str, Any]]] = [
        (StorageError, "no audio stands below this folder", {"inputs": tmp_path / "in"}),
        (StorageError, "no such file", {"inputs": tmp_path / "none.wav"}),
        (ConfigError, r"two inputs would have the same output", {"inputs": tmp_path / "same"}),
        (ModelError, "no finished model", {"model": str(tmp_path)}),
        (ModelError, "only speech is transcribed.*seq2seq translate", {"engine": {"kind": "torch"}}),
        (
            ConfigError,
            "an input stands in the output folder",
            {"output": talks / "short", "inputs": talks / "short" / "0.flac"},
        ),
    ]
    for kind, message, more in cases:
        values = {"model": echo_model, "inputs": talks, "output": tmp_path / "out"} | more
        with pytest.raises(kind, match=message):
            command.run(config(**values))
    assert not (tmp_path / "out").exists()
    command.run(config(echo_model, tmp_path / "same", tmp_path / "out", format=["jsonl"]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"search": {"n_best": 3}}, "n_best is 3, but transcripts have no place"),
        ({"search": {"attention": True}}, "attention is True, but transcripts have no place"),
        ({"format": ["srt", "srt"]}, "names one twice"),
        ({"format": ["doc"]}, "'json', 'jsonl', 'srt'"),
        ({"unit_second": 3}, "Did you mean unit_seconds"),
        ({"input": []}, "input"),
    ],
)
def test_configurations_that_contradict_themselves(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config("model", "in.wav", "out", **values)


def test_options_that_shape_what_is_heard_make_another_job(echo_model: str) -> None:
    def job(**more: Any) -> str:
        return command.provenance_of(config(echo_model, "a.wav", "out", **more)).fingerprint

    usual = job()
    shaping: list[dict[str, Any]] = [
        {"search": {"beam": 2}},
        {"voice": {"method": "energy", "min_pause": 0.5}},
        {"chunks": {"overlap": 1}},
        {"gate": {"max_loss": None}},
        {"channel": 1},
    ]
    assert len({usual, *(job(**more) for more in shaping)}) == len(shaping) + 1
    for more in ({"format": ["srt"]}, {"unit_seconds": 60}, {"on_error": "fail"}):
        assert job(**more) == usual


def test_files_of_others_and_other_work_are_respected(echo_model: str, talks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "short").mkdir(parents=True)
    (out / "short" / "0.json").write_text("by hand")
    settings = config(echo_model, talks, out)
    with pytest.raises(ForeignFileError, match=r"short/0\.json: a file that this program has not written"):
        command.run(settings)
    (out / "short" / "0.json").unlink()
    (out / "short" / "notes.srt").write_text("mine")
    with (
        claims.held(str(out), "of another", "translation"),
        pytest.raises(ClaimError, match="another translation is under way here"),
    ):
        command.run(settings)
    command.run(settings)
    command.run(config(echo_model, talks, out, format=["srt"]))
    assert (out / "short" / "notes.srt").read_text() == "mine"


def test_an_output_below_the_input_is_no_input_of_the_next_run(echo_model: str, talks: Path, tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes((talks / "short" / "0.flac").read_bytes())
    settings = config(echo_model, tmp_path, tmp_path / "out", format=["json", "txt"])
    assert [command.run(settings).skipped_units for _ in range(2)] == [0, 1]
    assert {name.partition("/")[0] for name in tree(tmp_path)} == {"a.flac", "out"}


def test_memory_urls(echo_model: str, talks: Path) -> None:
    root = "memory://transcribe-test"
    storage.publish_bytes(f"{root}/in/deep/b.flac", (talks / "short" / "1.flac").read_bytes())
    storage.publish_bytes(f"{root}/in/long.flac", (talks / "long.flac").read_bytes())
    try:
        settings = config(echo_model, f"{root}/in", f"{root}/out", unit_seconds=20)
        assert command.run(settings).records_out == 2
        found = json.loads(storage.read_bytes(f"{root}/out/long.json"))
        assert found["text"].split() == talk(75, seed=9, rate=22_050).texts
        assert command.run(settings).skipped_units == 5
    finally:
        fsspec.filesystem("memory").rm("/transcribe-test", recursive=True)


def test_a_run_that_finds_all_finished_loads_no_model(
    echo_model: str, talks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(echo_model, talks / "short", tmp_path / "out")
    command.run(settings)

    def refuse(*_: object) -> None:
        raise ModelError("loaded")

    monkeypatch.setattr("seq2seq_core.inference.speech.work._LOADED.recognizer", None)
    monkeypatch.setattr("seq2seq_core.inference.speech.work.load_recognizer", refuse)
    assert command.run(settings).skipped_units == 1
    with pytest.raises(ModelError, match="loaded"):
        command.run(config(echo_model, talks / "short", tmp_path / "other"))


def test_a_long_recording_that_changes_while_it_is_heard_is_noticed(
    echo_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its size kept, so that no part could tell: what was heard is not believed by the next run either."""
    path = tmp_path / "a.wav"
    write(path, talk(45, seed=1))
    before = ToneRecognizer.recognize

    def meanwhile(self: ToneRecognizer, *arguments: Any) -> Any:
        write(path, talk(45, seed=2))
        return before(self, *arguments)

    settings = config(echo_model, path, tmp_path / "out", unit_seconds=10)
    with monkeypatch.context() as patch:
        patch.setattr(ToneRecognizer, "recognize", meanwhile)
        with pytest.raises(InputError, match="has changed since it was looked at"):
            command.run(settings)
    write(path, talk(45, seed=1))
    assert command.run(settings).skipped_units == 0
    assert words_of(tmp_path / "out" / "a.json") == talk(45, seed=1).texts


def test_what_is_no_audio_by_its_name_is_passed_over_below_a_folder(
    echo_model: str, talks: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in").mkdir()
    data = (talks / "short" / "0.flac").read_bytes()
    for name in ("a.flac", "b.dat", "c.txt"):
        (tmp_path / "in" / name).write_bytes(data)
    with caplog.at_level(logging.INFO):
        assert command.run(config(echo_model, tmp_path / "in", tmp_path / "out")).records_in == 1
    assert "what is no audio by its name is passed over: b.dat, c.txt" in caplog.text
    assert command.run(config(echo_model, f"{tmp_path}/in/*.dat", tmp_path / "other")).records_in == 1


def test_folders_are_told_apart(
    echo_model: str,
    talks: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    write_echo_model: Callable[..., str],
) -> None:
    command.run(config(echo_model, talks / "short", tmp_path / "out"))
    assert cli.main(["inspect", str(tmp_path / "out")]) == 0
    assert "4 recordings of 4, 0:22, 0 of them not transcribed" in capsys.readouterr().out
    (tmp_path / "out" / "short").mkdir()
    (tmp_path / "out" / "0.json").write_text("{}")
    assert cli.main(["inspect", str(tmp_path / "out"), "--verify"]) == 1
    assert "0.json: a file is damaged" in capsys.readouterr().err
