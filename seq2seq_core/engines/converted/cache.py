"""A model and a quantization in; the folder of the converted model, made now or before, out.

    MODEL/.ctranslate2/DIGEST-QUANTIZATION-VERSION/

Whoever finds it missing makes it, in a folder of its own, and publishes file by file, the one that tells of the others
last. Several may do so at once: they write the same bytes, and each file appears whole. Where nothing can be written
beside the model, what was made stays with the process.
"""

from __future__ import annotations

import atexit
import logging
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from seq2seq_core import storage
from seq2seq_core.engines.converted.facts import FACTS_NAME, Facts, in_order, read_facts
from seq2seq_core.errors import ModelError, StorageError, foreign_file

CACHE_FOLDER = ".ctranslate2"
VERSION = 1
"""Of what converters here make: to be raised when the same model would become another."""

_log = logging.getLogger(__name__)

Convert = Callable[[str, str, Path], None]
"""Takes the folder of a model, a quantization, and an empty folder, which it fills."""


def converted(root: str, digest: str, quantization: str, convert: Convert) -> str:
    """The folder of a converted model; see `convert` for the errors."""
    name = f"{digest}-{quantization}-{VERSION}"
    folder = storage.join(root, CACHE_FOLDER, name)
    if _stands(folder, digest):
        return folder
    _log.info("%s is converted for CTranslate2 (%s)", storage.redact(root), quantization)
    made = Path(tempfile.mkdtemp(prefix="seq2seq-converted-"))
    try:
        convert(root, quantization, made)
        publish(made, folder)
    except StorageError as error:
        if not (made / FACTS_NAME).exists():
            raise
        _log.warning("the converted model is not kept: %s", error)
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        return str(made)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    shutil.rmtree(made)
    _sweep(storage.join(root, CACHE_FOLDER), digest)
    return folder


def export(root: str, quantization: str, convert: Convert, folder: str) -> int:
    """Convert a model into a folder that is empty, or holds another one of this kind; the bytes of its files.

    Raises:
        ForeignFileError: The folder holds files of somebody else.
        Seq2SeqError: See `convert`.
    """
    standing = set(storage.list_folder(folder))
    if standing and FACTS_NAME not in standing:
        raise foreign_file(storage.redact(storage.join(folder, min(standing))), "an exported model", len(standing))
    with tempfile.TemporaryDirectory(prefix="seq2seq-converted-") as place:
        made = Path(place)
        convert(root, quantization, made)
        names = {path.name for path in made.iterdir()}
        before = read_facts(folder) if standing else None
        publish(made, folder)
        for name in set(before.files if before else ()) - names:
            storage.remove(storage.join(folder, name))
        return sum(path.stat().st_size for path in made.iterdir())


def publish(made: Path, folder: str) -> None:
    """Copy the files of a folder to where they are wanted, each at once and whole."""
    for name in in_order(path.name for path in made.iterdir()):
        with (made / name).open("rb") as source, storage.publish(storage.join(folder, name)) as target:
            shutil.copyfileobj(source, target)


def _stands(folder: str, digest: str) -> bool:
    try:
        facts: Facts | None = read_facts(folder)
    except ModelError as error:  # it is made again
        _log.warning("%s", error)
        return False
    return facts is not None and facts.digest == digest


def _sweep(cache: str, digest: str) -> None:
    """Remove what was made of models that have been replaced since."""
    pattern = re.compile(rf"[0-9a-f]{{{len(digest)}}}-\w+-\d+")
    for name in storage.list_folder(cache):
        if pattern.fullmatch(name) and not name.startswith(f"{digest}-"):
            storage.remove(storage.join(cache, name))
