from __future__ import annotations

import errno
import lzma
import os
import traceback
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
import torch
import zstandard
from safetensors import SafetensorError

from seq2seq_core.errors import ConfigError, InputError, Seq2SeqError, StorageError
from seq2seq_core.foreign_errors import from_text, ours


def system(number: int, path: str | None = "a/b.txt") -> OSError:
    return OSError(number, os.strerror(number), path)


def missing(module: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {module!r}", name=module)


FOREIGN = [
    (system(errno.ENOSPC), StorageError, "a/b.txt: the disk is full; found No space left on device. Make room"),
    (system(errno.EMFILE), StorageError, r"a/b.txt: too many files are open; .*Raise the limit \(ulimit -n\)"),
    (system(errno.EFBIG), StorageError, r"a/b.txt: .*File too large. Raise the limit \(ulimit -f\)"),
    (system(errno.EACCES), StorageError, "a/b.txt: access is denied; found Permission denied"),
    (system(errno.EIO, None), StorageError, "the disk does not read or write; found Input/output error"),
    (system(errno.ENOENT, "caf\udce9"), StorageError, r"caf\\udce9: no such file"),
    (system(errno.ECONNREFUSED, None), StorageError, "the system refuses; found Connection refused"),
    (OSError("Corrupt snappy compressed data."), StorageError, "found Corrupt snappy compressed data."),
    (TimeoutError(), StorageError, "found TimeoutError"),
    (MemoryError(), Seq2SeqError, "memory ran out; found MemoryError. Do less at once"),
    (torch.OutOfMemoryError("CUDA out of memory"), Seq2SeqError, "memory ran out; found CUDA out of memory"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), Seq2SeqError, "memory ran out"),
    (RecursionError("maximum recursion depth exceeded"), InputError, "nested too deeply"),
    (UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates not allowed"), InputError, r"found 'caf\\udce9'"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), InputError, "found b'.xff'"),
    (pa.ArrowInvalid("Parquet magic bytes not found"), InputError, "ArrowInvalid: Parquet magic bytes not found"),
    (pa.ArrowNotImplementedError("no such type"), InputError, "no such type"),
    (zlib.error("Error -3"), InputError, "error: Error -3"),
    (lzma.LZMAError("Corrupt input data"), InputError, "Corrupt input data"),
    (zstandard.ZstdError("cannot decompress"), InputError, "cannot decompress"),
    (EOFError("Compressed file ended"), InputError, "Compressed file ended"),
    (SafetensorError("header too large"), InputError, "header too large"),
    (missing("sacrebleu.metrics"), ConfigError, r"no module sacrebleu.metrics. pip install 'seq2seq\[score\]'"),
    (missing("nowhere"), ConfigError, "a package is not installed; found no module nowhere. pip install 'seq2seq'"),
]
BUGS = [TypeError("x"), AssertionError(), KeyError("x"), ZeroDivisionError("x"), RuntimeError("x"), ValueError("x")]
BUGS.append(missing("seq2seq_core.nothing"))


@pytest.mark.parametrize(("error", "kind", "message"), FOREIGN)
def test_what_the_system_and_libraries_say_is_one_line(error: Exception, kind: type[Exception], message: str) -> None:
    found = ours(error)
    assert type(found) is kind
    assert found is not None
    assert str(found).isprintable()
    with pytest.raises(kind, match=message):
        raise found


@pytest.mark.parametrize(("error", "kind", "message"), FOREIGN)
def test_so_it_is_when_only_its_text_is_left(error: Exception, kind: type[Exception], message: str) -> None:
    last = traceback.format_exception_only(error)[-1].strip()
    name, _, text = last.partition(": ")
    found = from_text(name, text)
    assert type(found) is kind
    assert str(found).isprintable()


@pytest.mark.parametrize("error", BUGS)
def test_mistakes_in_the_program_are_none_of_them(error: Exception) -> None:
    assert ours(error) is None
    assert from_text(type(error).__name__, str(error)) is None


def test_ours_stay_as_they_are(tmp_path: Path) -> None:
    error = InputError("x", where=str(tmp_path))
    assert ours(error) is error


def test_a_command_is_told_its_own_extra() -> None:
    assert "'seq2seq[prepare]'" in str(ours(missing("sacrebleu"), "prepare"))
    assert "'seq2seq[score]'" in str(ours(missing("sacrebleu"), "inspect"))
