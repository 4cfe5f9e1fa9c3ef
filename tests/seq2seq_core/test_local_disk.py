from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from seq2seq_core import local_disk, storage
from seq2seq_core.errors import StorageError

FULL = """
import resource, sys
from seq2seq_core import storage
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
action, url = sys.argv[1:]
data = b"x" * 1_000_000
actions = {"publish": storage.publish_bytes, "append": storage.append, "create": storage.create_exclusively}
try:
    actions[action](url, data)
except storage.StorageError as error:
    print(error)
"""


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "page").write_text("old")
    (tmp_path / "link").symlink_to("www/page")
    (tmp_path / "far").symlink_to("link")
    storage.publish_text(str(tmp_path / "far"), "new")
    assert (tmp_path / "www" / "page").read_text() == "new"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far").is_symlink()
    (tmp_path / "ahead").symlink_to("www/later")
    storage.publish_text(str(tmp_path / "ahead"), "made")
    assert (tmp_path / "www" / "later").read_text() == "made"
    assert sorted(path.name for path in (tmp_path / "www").iterdir()) == ["later", "page"]


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "link to a pipe"])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    path = tmp_path / "place"
    if kind in ("pipe", "link to a pipe"):
        os.mkfifo(tmp_path / "fifo")
        path.symlink_to("fifo") if kind != "pipe" else (tmp_path / "fifo").rename(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
            bound.bind("place")
    elif kind == "device":
        path.symlink_to("/dev/null")
    else:
        path.mkdir()
    before = path.lstat()
    with pytest.raises(StorageError, match=rf"place: a {kind.split()[-1]} stands here; expected a file"):
        storage.publish_text(str(path), "x")
    assert path.lstat().st_ino == before.st_ino
    assert not [entry for entry in tmp_path.iterdir() if entry.name.endswith(".tmp")]


@pytest.mark.parametrize("action", ["publish", "append", "create"])
def test_a_disk_that_takes_no_more_is_one_error_with_the_path(tmp_path: Path, action: str) -> None:
    """The limit of a process on its files fails where a full disk does: in the middle of a large write."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, action, str(tmp_path / "big")], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith(f"{tmp_path}/big: the file is larger than this process may write; found File too")
    assert "carries on" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == (["big"] if action == "append" else [])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EIO, errno.EROFS])
def test_errors_of_the_system_say_what_to_do(tmp_path: Path, code: int) -> None:
    with pytest.raises(StorageError, match=rf"^a/b: .*; found {os.strerror(code)}\. [A-Z]"), local_disk.named("a/b"):
        raise OSError(code, os.strerror(code))


def test_reading_a_broken_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")

    with storage.open_input(str(tmp_path / "x")) as file:
        os.close(file.fileno())
        with pytest.raises(StorageError, match=r"x: the file was closed under this process; found Bad file descriptor"):
            file.read()
        os.dup2(os.open(tmp_path / "x", os.O_RDONLY), file.fileno())


def test_too_many_open_files_are_not_called_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(128, soft), hard))
        found = ""
        for _ in range(200):
            try:
                opened.enter_context(storage.open_input(str(tmp_path / "x")))
            except StorageError as error:
                found = str(error)
                break
        assert "x: too many files are open" in found
        assert "ulimit -n" in found


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_where_there_are_no_hard_links_still_one_of_many_creates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    won: list[int] = []

    def race(number: int) -> None:
        if storage.create_exclusively(str(tmp_path / "one"), b"%d" % number * 1000):
            won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (tmp_path / "one").read_bytes() == b"%d" % won[0] * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_names_are_as_durable_as_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder a file appears in is synchronised after that, and so is one in which a folder was made."""
    synchronised: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synchronised.append(str(Path(f"/proc/self/fd/{file}").readlink())))
    storage.publish_text(str(tmp_path / "a" / "b" / "x"), "x")
    assert synchronised[:2] == [str(tmp_path), str(tmp_path / "a")]
    assert synchronised[-1] == str(tmp_path / "a" / "b")
    del synchronised[:]
    storage.create_exclusively(str(tmp_path / "a" / "y"), b"y")
    assert synchronised[-1] == str(tmp_path / "a")


def test_no_folder_for_temporary_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", fail)
    with pytest.raises(StorageError, match=r"no folder for temporary files; .*TMPDIR"):
        storage.publish_bytes("memory://somewhere/x", b"x")


def test_a_library_that_finds_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of this Python: libraries ask it while they are imported."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [os.devnull])
    with (
        pytest.raises(StorageError, match=r"^there is no folder for temporary files; found No usable .*TMPDIR"),
        local_disk.named("a file"),
    ):
        tempfile.mkdtemp()


@pytest.mark.parametrize("below", ["_work/claim.json", "a/b/c.json", "page.html"])
def test_a_folder_that_cannot_be_made_is_named_not_a_file_far_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}\n")
    for output in ("rows.jsonl", f"{tmp_path}/rows.jsonl", "./rows.jsonl"):
        for write in (storage.publish_bytes, storage.create_exclusively, storage.append):
            with pytest.raises(StorageError) as error:
                write(f"{output}/{below}", b"data")
            assert str(error.value) == f"{output}: a file stands where a folder is needed. Choose another place."
    if Path("/proc/self").exists():
        with pytest.raises(StorageError, match=r"^/proc/nope: no folder can be made here. Choose another place.$"):
            storage.publish_bytes(f"/proc/nope/{below}", b"data")
    assert (tmp_path / "rows.jsonl").read_text() == "{}\n"
