"""An exception of the system or of a library in; the error of ours that says it in one line out, or None for a bug.

Foreign calls are guarded where they are made, and named with the file. This is the last door: what was not foreseen
there still ends in one line that says what is known, not in a traceback.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable

from seq2seq_core import local_disk
from seq2seq_core.errors import ConfigError, InputError, Seq2SeqError, StorageError
from seq2seq_core.extras import extra_with

# Errors that tell of data or of another process, by the module and class that they descend from: no library is
# imported to know them.
_LIBRARIES = frozenset(
    {
        "pyarrow.lib.ArrowException",
        "zlib.error",
        "_lzma.LZMAError",
        "zstandard.backend_c.ZstdError",
        "builtins.EOFError",
        "safetensors._safetensors_rust.SafetensorError",
        "grpc.RpcError",
        "grpc.FutureTimeoutError",
    }
)
_LESS = "Do less at once: fewer processes, smaller batches or units."
_LONGEST_SHOWN = 200
_MEMORY = ("OutOfMemoryError", "MemoryError")
_NO_MEMORY = re.compile(r"can't allocate|not enough memory|out of memory|bad_alloc", re.IGNORECASE)
_NO_MODULE = re.compile(r"No module named '([^']+)'")
_OWN = frozenset({"pipelines", "seq2seq_core"})
_SYSTEM = re.compile(r"\[Errno (\d+)\] (.*?)(?:: '(.*)')?$", re.DOTALL)


def ours(error: BaseException, command: str | None = None) -> Seq2SeqError | None:
    """What to tell of an exception; None for one that tells of a mistake in the program.

    Args:
        error: The exception.
        command: Which of `seq2seq` was at work, where that is known: it has an extra of its name.
    """
    if isinstance(error, Seq2SeqError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return _not_installed(error.name, command)
    if isinstance(error, OSError) and error.errno is not None:
        return _system(error.errno, error.strerror or str(error), _name(error.filename))
    if isinstance(error, UnicodeEncodeError | UnicodeDecodeError) and len(error.object) <= _LONGEST_SHOWN:
        return _unicode(type(error).__name__, repr(error.object))
    return _by_lineage(_lineage(error), str(error))


def from_text(kind: str, message: str) -> Seq2SeqError | None:
    """The same for the last line of a traceback: the name of an exception (`OSError`, `zlib.error`), and what it says.

    Of what descends from another class only the class itself is known here.
    """
    found = _SYSTEM.match(message)
    if found:
        return _system(int(found[1]), found[2], found[3])
    module, _, name = kind.rpartition(".")
    builtin = _builtin(name) if module in ("", "builtins") else None
    if builtin is not None:
        return _by_lineage([f"{base.__module__}.{base.__qualname__}" for base in builtin.__mro__], message)
    if module.startswith("pyarrow.") and name.startswith("Arrow"):
        kind = "pyarrow.lib.ArrowException"
    return _by_lineage([kind], message)


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether the memory of the machine, or of its GPU, has run out: less at once may fit."""
    return _tells_of_memory(_lineage(error), str(error))


def _tells_of_memory(lineage: list[str], message: str) -> bool:
    is_named_so = any(kind.rpartition(".")[2] in _MEMORY for kind in lineage)
    return is_named_so or ("builtins.RuntimeError" in lineage and _NO_MEMORY.search(message) is not None)


def _lineage(error: BaseException) -> list[str]:
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]


def _by_lineage(lineage: list[str], message: str) -> Seq2SeqError | None:
    first = lineage[0].rpartition(".")[2]
    for kind in lineage:
        tell = _TOLD.get(kind)
        if tell is not None:
            return tell(first, message)
    if _tells_of_memory(lineage, message):
        return _memory(first, message)
    if _LIBRARIES.intersection(lineage):
        return InputError("something cannot be read or reached", found=f"{first}: {message}" if message else first)
    return None


def _system(number: int, problem: str, path: str | None) -> StorageError:
    try:
        with local_disk.named(path or "a file or connection"):
            raise OSError(number, problem, path)
    except StorageError as told:
        return told
    except OSError:
        return StorageError("the system refuses", where=path, found=problem)


def _missing(kind: str, message: str) -> Seq2SeqError | None:
    found = _NO_MODULE.search(message)
    return _not_installed(found[1]) if found else InputError("a package is not installed", found=message or kind)


def _not_installed(module: str, command: str | None = None) -> Seq2SeqError | None:
    """What to install for a module; None for one of this project, whose absence is a mistake in it."""
    if module.partition(".")[0] in _OWN:
        return None
    extra = extra_with(module, command)
    wanted = f"seq2seq[{extra}]" if extra else "seq2seq"
    return ConfigError("a package is not installed", found=f"no module {module}", advice=f"pip install '{wanted}'")


def _plain_system(kind: str, message: str) -> StorageError:
    return StorageError("a file cannot be read or written", found=message or kind)


def _memory(kind: str, message: str) -> Seq2SeqError:
    return Seq2SeqError("memory ran out", found=message or kind, advice=_LESS)


def _recursion(kind: str, message: str) -> Seq2SeqError:
    return InputError("something is nested too deeply to be read", found=message or kind)


def _unicode(kind: str, message: str) -> Seq2SeqError:
    return InputError("a text or a name is not UTF-8", found=message or kind)


_TOLD: dict[str, Callable[[str, str], Seq2SeqError | None]] = {
    "builtins.ModuleNotFoundError": _missing,
    "builtins.OSError": _plain_system,
    "builtins.MemoryError": _memory,
    "builtins.RecursionError": _recursion,
    "builtins.UnicodeError": _unicode,
}


def _builtin(name: str) -> type[BaseException] | None:
    found = getattr(builtins, name, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _name(path: object) -> str | None:
    if isinstance(path, bytes):
        return path.decode("utf-8", "surrogateescape")
    return path if isinstance(path, str) else None
