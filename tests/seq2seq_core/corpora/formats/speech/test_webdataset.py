"""Archives of WebDataset: members that make rows, what is wrong with rows, and where archives are cut."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core.corpora.formats.audio import cuts
from seq2seq_core.corpora.formats.speech import webdataset
from seq2seq_core.errors import InputError
from tests.speech_corpora import Found, parts_of, read, read_parts, source_of, sources_of, tone

WAV = tone(0.1)


def archive(path: Path, files: dict[str, bytes | str], kind: int = tarfile.GNU_FORMAT) -> str:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    path.write_bytes(gzip.compress(out.getvalue()) if path.suffix == ".gz" else out.getvalue())
    return str(path)


def test_rows_of_members(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar",
        {
            "./s/1.wav": WAV,
            "./s/1.txt": "eins\n",
            "./s/2.json": json.dumps({"text": "zwei", "speaker": 5}),
            "./s/2.flac": tone(0.1, kind="FLAC"),
            "._s/2.txt": "of a Mac",
            "s/.hidden": "x",
            "t/2.mp3": b"mp3",
            "t/2.txt": "drei",
            "t/2.cls": "7",
        },
    )
    found = read(path=path)
    assert found.rows == [
        (1, "./s/1.wav", None, "eins"),
        (2, "./s/2.flac", "5", "zwei"),
        (3, "t/2.mp3", None, "drei"),
    ]
    assert found.audio == [WAV, tone(0.1, kind="FLAC"), b"mp3"]
    assert found.rejects == []


def test_every_fault_of_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset, "MOST_BYTES", 3000)
    monkeypatch.setattr(cuts, "MOST_BYTES", 3000)
    path = archive(
        tmp_path / "a.tar",
        {
            "1.wav": WAV,
            "2.txt": "alone",
            "3.wav": WAV,
            "3.json": "{broken",
            "4.wav": WAV,
            "4.json": '{"text": 4}',
            "5.wav": WAV,
            "5.txt": b"\xff",
            "6.wav": WAV * 9,
            "6.txt": "large",
            "7.wav": WAV,
            "7.json": '{"said": "x"}',
            "8.wav": WAV,
            "8.txt": "good",
            "9.wav": b"",
            "9.txt": "for the modality to judge",
        },
    )
    found = read(path=path)
    assert [row[0] for row in found.rows] == [8, 9]
    assert [(line, rule) for line, rule, _ in found.rejects] == [
        (1, "missing_field"),
        (2, "missing_audio"),
        (3, "bad_json"),
        (4, "wrong_type"),
        (5, "not_utf8"),
        (6, "too_many_bytes"),
        (7, "missing_field"),
    ]
    assert read(path=path, target_field="said").rows[0][3] == "x"


def numbered(count: int) -> dict[str, bytes | str]:
    return {
        f"{number}.{kind}": WAV if kind == "wav" else str(number) for number in range(count) for kind in ("txt", "wav")
    }


def numbers(found: Found) -> list[str]:
    assert [row[0] for row in found.rows] == [int(row[3]) + 1 for row in found.rows]
    return [row[3] for row in found.rows]


def test_archives_are_cut_between_rows(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", numbered(10))
    source = source_of(path=path)
    parts = parts_of(source, rows=4)
    assert [part.first_line for part in parts] == [1, 5, 9]
    assert [numbers(read_parts([part])) for part in parts] == [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9"]]
    assert len(parts_of(source, len(WAV) / 32_000 * 1.5)) == 5
    data = bytearray(Path(path).read_bytes())
    place = data.index(b"5.txt")
    data[place - place % 512 + 512] = ord("7")
    Path(path).write_bytes(data)
    assert numbers(read_parts(parts[:1])) == ["0", "1", "2", "3"]
    with pytest.raises(InputError, match="the file has changed since it was counted"):
        read_parts(parts[1:2])


def test_a_packed_archive_is_read_whole(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", numbered(5))
    (part,) = parts_of(source_of(path=path), rows=2)
    assert numbers(read_parts([part])) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("cut_to", [700, 1500])
def test_a_damaged_archive(tmp_path: Path, cut_to: int) -> None:
    path = Path(archive(tmp_path / "a.tar", numbered(3)))
    path.write_bytes(path.read_bytes()[:cut_to])
    with pytest.raises(InputError, match=r"a\.tar: the tar file is truncated or corrupt; found .*, after row 1"):
        parts_of(source_of(path=str(path)))


def test_an_archive_without_rows(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar", {".hidden.wav": WAV})
    with pytest.raises(InputError, match="the file is empty"):
        source_of(path=path)
    (source,) = sources_of(path=str(tmp_path / "*.tar"))
    assert parts_of(source) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    names=st.lists(
        st.sampled_from(["a.wav", "a.txt", "b.wav", "b.txt", "c.json", "d/a.wav", ".x", "noext", "ä" * 80 + ".wav"]),
        min_size=1,
        max_size=12,
    ),
    rows=st.integers(1, 4),
    kind=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_parts_together_are_the_whole(tmp_path: Path, names: list[str], rows: int, kind: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"{} "))
    (tmp_path / "a.tar").write_bytes(out.getvalue())
    (source,) = sources_of(path=str(tmp_path / "*.tar"))
    assert read_parts(parts_of(source, rows=rows)) == read_parts(parts_of(source))
