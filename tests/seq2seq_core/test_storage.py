from __future__ import annotations

import os
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import listing, storage
from seq2seq_core.errors import StorageError
from tests.stores import STORES, fresh_store


@pytest.fixture(params=["file", "memory", *STORES])
def root(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "memory":
        url = f"memory://{uuid.uuid4().hex}"
        yield url
        storage.remove(url)
    elif request.param == "file":
        yield f"file://{request.getfixturevalue('tmp_path')}"
    else:
        yield fresh_store(request.param, request).root


def test_published_bytes_read_back_and_replace_older_ones(root: str) -> None:
    url = storage.join(root, "deep/er", "x.bin")
    storage.publish_bytes(url, b"one")
    storage.publish_bytes(url, b"three")
    assert storage.read_bytes(url) == b"three"
    assert storage.size(url) == 5
    assert storage.list_folder(storage.join(root, "deep/er")) == ["x.bin"]


def test_nothing_appears_when_the_writer_fails(root: str) -> None:
    url = storage.join(root, "x.bin")

    def fail() -> None:
        with storage.publish(url) as out:
            out.write(b"half")
            raise ValueError("writer")

    with pytest.raises(ValueError, match="writer"):
        fail()
    assert not storage.exists(url)
    assert storage.list_folder(root) == []


def test_an_older_file_survives_a_failing_writer(root: str) -> None:
    url = storage.join(root, "x.bin")
    storage.publish_bytes(url, b"old")

    def fail() -> None:
        with storage.publish(url) as out:
            out.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert storage.read_bytes(url) == b"old"


def test_of_racing_writers_exactly_one_creates(root: str) -> None:
    url = storage.join(root, "lock")
    won: list[bytes] = []

    def race(name: bytes) -> None:
        if storage.create_exclusively(url, name):
            won.append(name)

    threads = [threading.Thread(target=race, args=(b"%d" % i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.read_bytes(url) == won[0]
    assert storage.list_folder(root) == ["lock"]


def test_expand_sorts_files_of_globs_and_folders(root: str) -> None:
    for name in ("b.txt", "a.txt", "c.bin"):
        storage.publish_bytes(storage.join(root, "in", name), b"")
    names = [storage.name_of(url) for url in listing.expand(storage.join(root, "in/*.txt"))]
    assert names == ["a.txt", "b.txt"]
    assert len(listing.expand(storage.join(root, "in"))) == 3
    for url in listing.expand(storage.join(root, "in/*.txt")):
        assert storage.read_bytes(url) == b""
    with pytest.raises(StorageError, match=r"none.*no such file"):
        listing.expand(storage.join(root, "none*"))


def test_remove_takes_folders_and_missing_things(root: str) -> None:
    storage.publish_bytes(storage.join(root, "in/x"), b"")
    storage.publish_bytes(storage.join(root, "in2/x"), b"beside it")
    storage.remove(storage.join(root, "in"))
    storage.remove(storage.join(root, "in"))
    assert not storage.exists(storage.join(root, "in/x"))
    assert storage.read_bytes(storage.join(root, "in2/x")) == b"beside it"


def test_what_another_thread_does_is_seen_at_once(root: str) -> None:
    """s3fs and gcsfs keep the listings of each thread."""
    url = storage.join(root, "in/x")
    storage.publish_bytes(storage.join(root, "in/y"), b"y")
    assert not storage.exists(url)
    assert storage.list_folder(storage.join(root, "in")) == ["y"]
    in_thread(storage.publish_bytes, url, b"one")
    assert storage.exists(url)
    assert storage.list_folder(storage.join(root, "in")) == ["x", "y"]
    assert len(listing.expand(storage.join(root, "in"))) == len(listing.expand(storage.join(root, "in/*"))) == 2
    in_thread(storage.publish_bytes, url, b"other")
    assert (storage.size(url), storage.read_bytes(url)) == (5, b"other")
    in_thread(storage.remove, url)
    assert not storage.exists(url)
    assert storage.list_folder(storage.join(root, "in")) == ["y"]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp to gcsfs
def test_large_files_come_and_go_in_parts(root: str) -> None:
    """120 MB: more than one PUT takes, of either library."""
    url, block = storage.join(root, "large"), random_bytes(5 << 20)
    with storage.publish(url) as out:
        for _ in range(24):
            out.write(block)
    assert storage.size(url) == 24 * len(block)
    with storage.open_input(url, block_bytes=1 << 20) as file:
        file.seek(23 * len(block) - 7)
        assert file.read(14) == block[-7:] + block[:7]
    assert storage.list_folder(root) == ["large"]


def test_missing_files_are_named(root: str) -> None:
    url = storage.join(root, "nothing")
    for action in (storage.read_bytes, storage.size, storage.digest_file):
        with pytest.raises(StorageError, match=r"nothing: no such file"):
            action(url)
    assert storage.list_folder(url) == []


@pytest.mark.parametrize("part", ["../x", "/etc/passwd", "a/../../x", "s3://b/x", "..", "a\0b"])
def test_paths_never_leave_their_folder(part: str) -> None:
    with pytest.raises(StorageError, match="leaves its folder"):
        storage.join("/data/set", part)


def test_join_keeps_roots_and_odd_names() -> None:
    assert storage.join("/d", "..and then.txt", "a\\b", "...") == "/d/..and then.txt/a\\b/..."
    assert storage.join("s3://b/c/", "d", "e") == "s3://b/c/d/e"
    assert storage.join("", "d") == "d"


@pytest.mark.parametrize("name", ["a::b.txt", "s3::x", "file:x", "memory:y", "zip::a.txt", "a:b", "~x", "c#d?e%20"])
def test_a_path_without_a_scheme_is_local_whatever_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in (name, f"./{name}", f"{tmp_path}/in/{name}", f"file://{tmp_path}/deep/{name}"):
        storage.publish_text(url, url)
        assert storage.read_text(url) == url
        assert storage.is_local(url)
        assert [storage.read_text(found) for found in listing.expand(url)] == [url]
    assert storage.create_exclusively(f"{name}.claim", b"")
    found = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert found == sorted([name, name, name, f"{name}.claim"])


@pytest.mark.parametrize("url", ["nosuch::memory://a/b", "a::s3://b/c"])
def test_a_chain_begins_with_a_file_system_that_is_known(url: str) -> None:
    with pytest.raises(StorageError, match="no file system for this URL"):
        storage.exists(url)


def test_nothing_is_written_through_a_chain() -> None:
    for write in (storage.publish_bytes, storage.create_exclusively):
        with pytest.raises(StorageError, match="through a chain of file systems"):
            write("simplecache::memory://chained/x", b"")


def test_one_file_has_one_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("d")
    spellings = ["d/x", "./d/x", "l/x", f"{tmp_path}/d/x", "d/../l/x", f"file://{tmp_path}/l/x"]
    assert {storage.identity(url) for url in spellings} == {os.path.realpath(tmp_path / "d" / "x")}
    assert storage.is_within("l/x", "d")
    assert not storage.is_within("dd/x", "d")
    assert storage.is_within("memory://a/b", "memory://a/")


def test_what_is_there_or_not_is_read_in_one_look(root: str) -> None:
    url = storage.join(root, "x")
    assert storage.read_if_there(url) is None
    storage.publish_bytes(url, b"1")
    assert storage.read_if_there(url) == b"1"
    assert storage.files_below(root) == ["x"]


def test_secrets_are_not_shown() -> None:
    assert storage.redact("ftp://user:secret@host/x") == "ftp://host/x"
    with pytest.raises(StorageError) as caught:
        storage.filesystem("nosuch://user:secret@host/x")
    assert "secret" not in str(caught.value)


def test_not_utf8_is_an_error(root: str) -> None:
    url = storage.join(root, "x")
    storage.publish_bytes(url, b"\xff")
    with pytest.raises(StorageError, match="not UTF-8"):
        storage.read_text(url)


def test_relative_globs_stay_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").touch()
    assert listing.expand("*.txt") == ["a.txt"]
    assert storage.is_local("a.txt")
    assert storage.local_path("a.txt") == tmp_path / "a.txt"


@given(st.binary(max_size=300))
def test_digests_are_xxh3_128(data: bytes) -> None:
    url = "memory://digests/x"
    storage.publish_bytes(url, data)
    assert storage.digest_file(url) == storage.digest_bytes(data) == xxhash.xxh3_128(data).hexdigest()


def in_thread(action: Callable[..., None], *arguments: object) -> None:
    thread = threading.Thread(target=action, args=arguments)
    thread.start()
    thread.join()


def random_bytes(count: int) -> bytes:
    return random.Random(0).randbytes(count)


@pytest.mark.parametrize("place", ["local", "memory"])
def test_only_empty_folders_are_removed(tmp_path: Path, place: str) -> None:
    root = str(tmp_path / "a") if place == "local" else f"memory://{uuid.uuid4().hex}/a"
    storage.publish_text(storage.join(root, "b", "file"), "x")
    for folder in ("b", "none"):
        storage.remove_empty_folder(storage.join(root, folder))
    assert storage.read_text(storage.join(root, "b", "file")) == "x"
    storage.remove(storage.join(root, "b", "file"))
    storage.remove_empty_folder(storage.join(root, "b"))
    assert not storage.list_folder(root)


@pytest.mark.parametrize("durable", [True, False])
def test_only_what_has_to_be_durable_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    synchronised = []
    monkeypatch.setattr(os, "fsync", synchronised.append)
    with storage.publish(str(tmp_path / "file"), durable=durable) as out:
        out.write(b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert len(synchronised) == (2 if durable else 0)  # the file, and its name in the folder


def test_ranges_of_several_files_come_in_the_order_they_were_asked_for(root: str) -> None:
    data = {storage.join(root, f"{name}.bin"): name.encode() * 50 + bytes(range(100)) for name in "abc"}
    for url, octets in data.items():
        storage.publish_bytes(url, octets)
    draw = random.Random(1)
    places = sorted((draw.choice(list(data)), *sorted(draw.sample(range(151), 2))) for _ in range(40))
    draw.shuffle(places)
    found = storage.read_ranges([storage.Range(*place) for place in places])
    assert found == [data[url][begin:end] for url, begin, end in places]
    assert storage.read_ranges([]) == []


def test_a_range_is_short_where_its_file_ends_before(root: str) -> None:
    url = storage.join(root, "x.bin")
    storage.publish_bytes(url, b"0123456789")
    assert storage.read_ranges([storage.Range(url, 6, 40)]) == [b"6789"]


def test_a_range_of_a_file_that_is_not_there_is_an_error(root: str) -> None:
    storage.publish_bytes(storage.join(root, "x.bin"), b"0123")
    ranges = [storage.Range(storage.join(root, name), 0, 2) for name in ("x.bin", "gone.bin")]
    with pytest.raises(StorageError, match="no such file"):
        storage.read_ranges(ranges)


def test_sizes_of_the_files_of_a_folder_alone(root: str) -> None:
    for name, size in (("a", 3), ("b", 0), ("deeper/c", 9)):
        storage.publish_bytes(storage.join(root, "in", name), b"x" * size)
    assert storage.sizes_in(storage.join(root, "in")) == {"a": 3, "b": 0}
    assert storage.sizes_in(storage.join(root, "none")) == {}
