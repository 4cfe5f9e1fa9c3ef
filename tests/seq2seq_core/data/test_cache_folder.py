from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from seq2seq_core.data import cache_folder as folders
from seq2seq_core.data.cache_folder import alone, cache_folder, mapped, unusable
from seq2seq_core.errors import StorageError


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SEQ_CACHE", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "seq2seq"


def test_the_folder_is_a_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SEQ_CACHE", "~/columns")
    assert cache_folder() == Path.home() / "columns"
    monkeypatch.setenv("SEQ2SEQ_CACHE", "s3://bucket/columns")
    with pytest.raises(StorageError, match="a local folder is needed here"):
        cache_folder()


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SEQ_CACHE", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654_321)
    with pytest.raises(StorageError, match=r"without a home directory\. Set SEQ2SEQ_CACHE"):
        cache_folder()


def test_who_is_alone_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with alone(tmp_path) as is_alone:
        assert is_alone
    monkeypatch.setattr(folders.fcntl, "flock", no_locks)
    with alone(tmp_path) as is_alone, alone(tmp_path) as is_other:
        assert (is_alone, is_other) == (False, False)


def no_locks(*_: object) -> None:
    raise OSError("this file system has no locks")


def test_a_mapped_file_keeps_no_descriptor_and_may_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    before = len(list(Path("/proc/self/fd").iterdir()))
    data = mapped(path)
    path.unlink()
    assert (data.to_pybytes(), len(list(Path("/proc/self/fd").iterdir()))) == (b"abc", before)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "Free space there, or set SEQ2SEQ_CACHE"),
        (errno.EDQUOT, "Free space there, or set SEQ2SEQ_CACHE"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "this machine may have open"),
        (errno.EACCES, ". Set SEQ2SEQ_CACHE"),
        (errno.EROFS, ". Set SEQ2SEQ_CACHE"),
        (errno.EIO, ". Set SEQ2SEQ_CACHE"),
    ],
)
def test_the_advice_is_for_what_happened(tmp_path: Path, code: int, advice: str) -> None:
    message = str(unusable(tmp_path, OSError(code, os.strerror(code))))
    assert f"found [Errno {code}] {os.strerror(code)}" in message
    assert advice in message
