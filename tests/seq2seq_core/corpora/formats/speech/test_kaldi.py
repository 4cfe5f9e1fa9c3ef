"""Data folders of Kaldi: tables that are joined, ranges of recordings, and commands that are never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.errors import ConfigError, InputError
from tests.speech_corpora import RATE, decoded, parts_of, read, read_parts, samples, source_of, tone, write_files


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_files(tmp_path, **{"r1.wav": tone(3.0), "r2.flac": tone(1.0, 300.0, "FLAC")})
    return tmp_path


def write(folder: Path, **tables: str) -> None:
    files = {name.replace("wav_scp", "wav.scp"): text.replace(";", "\n") for name, text in tables.items()}
    write_files(folder, **files)


def test_recordings(data: Path) -> None:
    write(data, wav_scp="u1 r1.wav;u2  r2.flac ;", text="u2 zwei drei;u1 eins;", utt2spk="u1 ann;u2 bo;")
    assert FORMATS["kaldi"].owns(str(data))
    found = read(path=str(data))
    assert found.rows == [(1, "r2.flac", "bo", "zwei drei"), (2, "r1.wav", "ann", "eins")]
    assert found.audio == [(data / name).read_bytes() for name in ("r2.flac", "r1.wav")]


def test_segments(data: Path) -> None:
    write(
        data,
        wav_scp=f"one {data / 'r1.wav'};two r2.flac;",
        segments="a one 0.5 1.0;b one 1.0 -1;c two 0.25 0.5;d two 0.9 4;e two x 4;f two 1 0.5;",
        text="a A;b B;c C;d D;e E;f F;g G;",
    )
    found = read(path=str(data), format="kaldi")
    assert [(row[0], row[2], row[3]) for row in found.rows] == [(1, None, "A"), (2, None, "B"), (3, None, "C")]
    whole = samples(3.0)
    assert decoded(found.audio[0])[0].tolist() == whole[RATE // 2 : RATE].tolist()
    assert decoded(found.audio[1])[0].tolist() == whole[RATE:].tolist()
    assert [(line, rule) for line, rule, _ in found.rejects] == [
        (4, "wrong_duration"),
        (5, "wrong_duration"),
        (6, "wrong_duration"),
        (7, "missing_field"),
    ]
    assert found.rejects[1][2] == "segments: two x 4"


def test_commands_are_refused_by_name(data: Path) -> None:
    ran = data / "ran"
    write(data, wav_scp=f"a touch {ran} |;b | touch {ran};c r2.flac;d ../r2.flac;", text="a A;b B;c C;d D;e E;")
    found = read(path=str(data))
    assert [row[3] for row in found.rows] == ["C"]
    assert found.rejects[0] == (1, "pipe_command", f"touch {ran} |")
    assert [rule for _, rule, _ in found.rejects] == ["pipe_command"] * 2 + ["outside_corpus", "missing_field"]
    assert not ran.exists()


def test_parts_by_the_seconds_of_segments(data: Path) -> None:
    write(
        data,
        wav_scp="one r1.wav;",
        segments="".join(f"u{number} one {number / 10} {number / 10 + 0.5};" for number in range(6)),
        text="".join(f"u{number} T{number};" for number in range(6)),
    )
    source = source_of(path=str(data))
    parts = parts_of(source, 1.0)
    assert [part.first_line for part in parts] == [1, 3, 5]
    assert [row[3] for row in read_parts(parts).rows] == [f"T{number}" for number in range(6)]
    (data / "segments").write_text((data / "segments").read_text().replace("u5 one 0.5", "u5 one 0.6"))
    for part in parts:
        with pytest.raises(InputError, match=r"segments: the file has changed"):
            read_parts([part])


def test_a_folder_that_is_none(data: Path) -> None:
    write(data, wav_scp="a r1.wav;")
    assert not FORMATS["kaldi"].owns(str(data))
    with pytest.raises(ConfigError, match=r"no data folder of Kaldi with text and wav\.scp"):
        read(path=str(data), format="kaldi")
    write(data, text="a A;")
    with pytest.raises(ConfigError, match="has no splits"):
        read(path=str(data), split="train")
