"""Archives are read whole, or what was not read is named: every stream, every codec, any damage."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import itertools
import lzma
import re
import struct
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seq2seq_core.errors import InputError
from seq2seq_core.files import unpacking
from seq2seq_core.files.compression import codec_of, open_plain, suffix_of, without_codec

TEXT = b"".join(b"line %d of some text\n" % (i * i) for i in range(20_000))
PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
SKIPPED = struct.pack("<II", 0x184D2A53, 5) + b"notes"
PADDING = {".gz": [b"\0", b"\0" * 100_000], ".bz2": [], ".xz": [b"\0" * 4, b"\0" * 70_000], ".zst": [SKIPPED]}
quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(path: Path, size: int = 50_000) -> bytes:
    with open_plain(str(path)) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("suffix", PACK)
@quietly
@given(data=st.data(), size=st.integers(1, 300))
def test_all_streams_of_an_archive_are_one_text(tmp_path: Path, suffix: str, data: st.DataObject, size: int) -> None:
    stream = st.tuples(st.binary(max_size=50), st.sampled_from([1, 1, 1, 3000]))
    texts = [text * times for text, times in data.draw(st.lists(stream, min_size=1, max_size=6))]
    between = st.sampled_from([b"", *PADDING[suffix]])
    path = tmp_path / f"corpus{suffix}"
    path.write_bytes(b"".join(PACK[suffix](text) + data.draw(between) for text in texts))
    assert read(path, size if sum(map(len, texts)) < 5000 else 4 << 20) == b"".join(texts)


LINES = [b"one\ntwo\n", b"", b"three\n" * 40, b"four\nfive\n"]


@pytest.mark.parametrize("suffix", PACK)
@quietly
@given(data=st.data(), kind=st.sampled_from(["flip", "cut", "insert", "remove"]))
def test_damage_never_makes_a_text_shorter_in_silence(
    tmp_path: Path, suffix: str, data: st.DataObject, kind: str
) -> None:
    streams = [PACK[suffix](text) for text in LINES]
    whole = b"".join(streams)
    place = data.draw(st.integers(0, len(whole) - 1))
    ends = [0, *itertools.accumulate(map(len, streams))]
    if kind == "flip":
        damaged = whole[:place] + bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))]) + whole[place + 1 :]
    elif kind == "cut":
        damaged = whole[:place]
    elif kind == "insert":
        damaged = whole[:place] + data.draw(st.binary(min_size=1, max_size=9)) + whole[place:]
    else:
        damaged = whole[:place] + whole[place + data.draw(st.integers(1, 9)) :]
    (tmp_path / f"c{suffix}").write_bytes(damaged)
    text = b"".join(LINES)
    if kind == "cut" and place in ends[1:]:  # what is left is a sound archive
        text = b"".join(LINES[: ends.index(place)])
    with contextlib.suppress(InputError):
        assert read(tmp_path / f"c{suffix}") == text
        return
    assert kind != "cut" or place not in ends[1:]


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize(
    "behind", [b"\0" * 3 + b"x", b"rubbish", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\n"]
)
def test_what_stands_behind_the_end_is_an_error(tmp_path: Path, suffix: str, behind: bytes) -> None:
    (tmp_path / f"c{suffix}").write_bytes(PACK[suffix](b"a\nb\n") + behind)
    with pytest.raises(InputError, match=r"found .*, after 2 lines, 4 bytes of text"):
        read(tmp_path / f"c{suffix}")


@pytest.mark.parametrize(("suffix", "zeros"), [(".xz", 3), (".xz", 65_537), (".bz2", 4), (".zst", 4)])
def test_padding_that_a_format_does_not_know_is_an_error(tmp_path: Path, suffix: str, zeros: int) -> None:
    packed = PACK[suffix](b"a\n")
    (tmp_path / f"c{suffix}").write_bytes(packed + b"\0" * zeros + packed)
    with pytest.raises(InputError, match=rf"behind the end of a stream, at byte {len(packed) + 1}, after 1 lines"):
        read(tmp_path / f"c{suffix}")


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("size", [1, 1000, 4 << 20])
def test_the_error_counts_exactly_what_came_out(tmp_path: Path, suffix: str, streams: int, size: int) -> None:
    path = tmp_path / f"corpus{suffix}"
    packed = PACK[suffix](TEXT[:100_000])
    path.write_bytes(packed * streams + packed[:-9])
    text = TEXT[:100_000] * streams
    blocks: list[bytes] = []
    with open_plain(str(path)) as stream, pytest.raises(InputError) as caught:
        blocks.extend(iter(lambda: stream.read(size), b""))
    found = b"".join(blocks)
    lines, octets = map(int, re.findall(r"after (\d+) lines, (\d+) bytes", str(caught.value))[0])
    assert len(text) <= octets <= len(text) + 100_000
    assert lines == (text + TEXT[:100_000])[:octets].count(b"\n")
    assert found == (text + TEXT[:100_000])[: len(found)]


def test_a_checksum_that_is_wrong_comes_after_all_the_text(tmp_path: Path) -> None:
    packed = gzip.compress(TEXT)
    (tmp_path / "c.gz").write_bytes(packed[:-5] + bytes([packed[-5] ^ 1]) + packed[-4:])
    with pytest.raises(InputError, match=rf"incorrect data check, after 20000 lines, {len(TEXT)} bytes of text"):
        read(tmp_path / "c.gz")


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("content", [b"", TEXT, b"\x1f\x9d\x90", b"PK\x03\x04"])
def test_something_else_under_the_name_of_an_archive_is_an_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"corpus{suffix}"
    path.write_bytes(content)
    found = (
        f"no {codec_of(path.name)} archive: it begins with the bytes {content[:8].hex(' ')}" if content else "no byte"
    )
    with pytest.raises(InputError, match=f"found {found}, after 0 lines, 0 bytes .* needs a name that does not say so"):
        read(path)


@pytest.mark.parametrize("suffix", PACK)
def test_memory_stays_bounded_however_well_a_text_is_packed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"zeros{suffix}"
    path.write_bytes(PACK[suffix](bytes(96 << 20)))
    tracemalloc.start()
    with open_plain(str(path)) as stream:
        size = sum(len(block) for block in iter(lambda: stream.read(1 << 20), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 96 << 20
    assert peak < 72 << 20


def frame(window_log: int, text: bytes) -> bytes:
    """A zstd frame of one plain block that asks for a window of so many bytes, as `zstd --long` writes it."""
    return b"\x28\xb5\x2f\xfd" + bytes([0, window_log - 10 << 3]) + struct.pack("<I", len(text) << 3 | 1)[:3] + text


def test_long_windows_of_zstd_are_read_as_far_as_the_library_can(tmp_path: Path) -> None:
    (tmp_path / "c.zst").write_bytes(frame(31, b"a\n") + frame(27, b"b\n"))
    assert read(tmp_path / "c.zst") == b"a\nb\n"
    (tmp_path / "c.zst").write_bytes(frame(31, b"a\n") + frame(41, b"b\n"))
    with pytest.raises(
        InputError, match=r"requires too much memory .*after 1 lines.* Unpack it where there is more memory"
    ):
        read(tmp_path / "c.zst")


def test_a_frame_of_zstd_that_needs_a_dictionary_says_so(tmp_path: Path) -> None:
    words = zstandard.train_dictionary(1 << 10, [b"some words of the text %d" % i for i in range(2000)])
    (tmp_path / "c.zst").write_bytes(zstandard.ZstdCompressor(dict_data=words).compress(b"some words of the text\n"))
    with pytest.raises(InputError, match=r"[Dd]ictionary.* Unpack it with its dictionary"):
        read(tmp_path / "c.zst")


def test_errors_of_the_disk_are_not_those_of_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    (tmp_path / "c.gz").write_bytes(gzip.compress(TEXT))
    monkeypatch.setattr(unpacking._Packed, "take", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read(tmp_path / "c.gz")


@given(sizes=st.lists(st.integers(0, 9), max_size=8))
@example(sizes=[0])
def test_a_range_of_a_plain_file(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    path = tmp_path_factory.mktemp("range") / "plain"
    path.write_bytes(b"0123456789")
    with open_plain(str(path), 2, 5) as stream:
        assert b"".join(map(stream.read, sizes)) == b"234"[: sum(sizes)]


def test_suffixes() -> None:
    assert [codec_of(name) for name in ("a.GZ", "a.zst", "a.txt")] == ["gzip", "zstd", None]
    assert [without_codec(name) for name in ("a.tsv.xz", "a.jsonl")] == ["a.tsv", "a.jsonl"]
    assert [codec_of(f"a{suffix_of(codec)}") for codec in ("gzip", "bz2")] == ["gzip", "bz2"]
