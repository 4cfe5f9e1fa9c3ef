"""Members of tar archives, as Python's own reader sees them."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.corpora.formats.audio.tar import TarError, TarReader

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
NAMES = st.sampled_from(["a.txt", "b/c.flac", "ä.wav", "x" * 98 + "/" + "y" * 90, "long" * 60 + ".wav", "s p.mp3"])


def archive(files: list[tuple[str, bytes]], kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def members(data: bytes) -> list[tuple[str, bytes]]:
    reader = TarReader(io.BytesIO(data))
    return [
        (member.name, b"".join(reader.content())[: member.size]) for member in reader.members() if _all(reader, member)
    ]


def _all(reader: TarReader, member: object) -> bool:
    """Skip what is no file."""
    if not member.is_file:  # type: ignore[attr-defined]
        assert list(reader.content()) == []
    return bool(member.is_file)  # type: ignore[attr-defined]


@given(
    files=st.lists(st.tuples(NAMES, st.binary(max_size=1200)), max_size=6),
    kind=st.sampled_from(FORMATS),
)
def test_members_of_every_kind_of_archive(files: list[tuple[str, bytes]], kind: int) -> None:
    if kind == tarfile.USTAR_FORMAT:
        files = [(name, data) for name, data in files if len(name) < 200]
    assert members(archive(files, kind)) == files


def test_folders_and_links_have_no_content() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("odd")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        tar.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    assert members(out.getvalue()) == [("a.txt", b"")]


def test_headers_and_contents_are_all_bytes_of_an_archive() -> None:
    data = archive([("long" * 60, b"x" * 600), ("b", b"")])
    reader, parts = TarReader(io.BytesIO(data)), []
    for member in reader.members():
        parts += [member.header, *reader.content()]
    whole = b"".join(parts)
    assert data.startswith(whole)
    assert not data[len(whole) :].strip(b"\0")


def test_an_archive_without_the_mark_of_its_end() -> None:
    data = archive([("a.txt", b"abc")])
    assert members(data[:1024]) == [("a.txt", b"abc")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (archive([("a", b"abc")])[:700], "ends within a member"),
        (archive([("a", b"abc")])[:300], "ends within a header"),
        (b"x" * 2048, "no header of a member"),
        (archive([("a", b"abc")]) + b"more", "behind the mark of the end"),
        (archive([("ä" * 200, b"abc")], tarfile.PAX_FORMAT).replace(b" path=", b" path+", 1)[:700], "within a header"),
    ],
)
def test_what_is_damaged(data: bytes, message: str) -> None:
    with pytest.raises(TarError, match=message):
        members(data)


@given(data=st.data())
def test_any_damage_is_an_error_or_gives_members(data: st.DataObject) -> None:
    whole = bytearray(archive([("long" * 60, b"abc" * 300), ("b.txt", b"more")]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(TarError):
        assert sum(len(content) for _, content in members(bytes(whole))) <= len(whole)
