"""TMX files in, an index of their translations on storage out; and segments in, the translations given for them out."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pydantic
import xxhash

from seq2seq_core import storage
from seq2seq_core.corpora.formats.tmx import read_units
from seq2seq_core.documents.content import MAX_RECORD_BYTES
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.files.compression import open_plain
from seq2seq_core.inference.memory import run as runs
from seq2seq_core.inference.memory.config import MemoryConfig
from seq2seq_core.inference.memory.store import RUN_FOLDER, Store, records_in, tell
from seq2seq_core.preparation.terms.octets import Digests, to_column

VERSION = 1

_COLUMN = "target"
_SCHEMA = pa.schema([pa.field(_COLUMN, pa.string())])


class GivenFile(pydantic.BaseModel):
    """A TMX file as it was read; `digest` is xxh3-128 of its bytes."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    url: str
    digest: str


class Gives(Protocol):
    """What a Translator needs of translations that are given."""

    def find(self, texts: Sequence[str]) -> dict[str, str]:
        """The translations of those texts that have one."""
        ...


class Place(NamedTuple):
    """TMX files by their content, and where their index stands."""

    config: MemoryConfig
    languages: tuple[str, str]
    files: tuple[GivenFile, ...]

    @property
    def about(self) -> dict[str, object]:
        """What the index follows from."""
        digests = [file.digest for file in self.files]
        return {"version": VERSION, "languages": list(self.languages), "tmx": digests}

    @property
    def root(self) -> str:
        """The folder of the index."""
        name = storage.digest_bytes(json.dumps(self.about, sort_keys=True).encode())
        return storage.join(self.config.url or "", name)


def place_of(config: MemoryConfig, languages: tuple[str | None, str | None]) -> Place | None:
    """The TMX files that a configuration names; None where it names none.

    Args:
        config: Names them.
        languages: Source and target of the texts, where they are known.

    Raises:
        ConfigError: Nobody tells the languages.
        StorageError: A file is missing.
    """
    if not config.tmx:
        return None
    source, target = config.languages or languages
    if source is None or target is None:
        raise ConfigError(
            "the languages of the texts are not known, and TMX files may be of several",
            where="memory.tmx",
            found=f"source {source or 'unknown'}, target {target or 'unknown'}",
            advice="Name both (--memory.languages en de).",
        )
    files = (GivenFile(url=storage.redact(url), digest=storage.digest_file(url)) for url in config.tmx)
    return Place(config, (source, target), tuple(files))


def index(place: Place) -> int:
    """Make the index of TMX files, where it is not there yet; how many translations it has.

    Raises:
        InputError: A file is no TMX, or holds no pair of the languages.
    """
    there = records_in(place.root)
    if not there:
        tell(place.root, place.about)
        made = runs.write(storage.join(place.root, RUN_FOLDER), "tmx", _tables(place))
        there = [made] if made else []
    if not there:
        raise InputError(
            "no translation stands in the TMX files",
            where=", ".join(file.url for file in place.files),
            expected=f"segments in {place.languages[0]} and {place.languages[1]}",
            advice="Name the languages as the files do (--memory.languages en-US de-DE).",
        )
    return sum(run.rows for run in there)


class Given:
    """The translations of TMX files, which have been indexed."""

    def __init__(self, place: Place) -> None:
        self._store = Store(place.root, _SCHEMA, place.about)

    def find(self, texts: Sequence[str]) -> dict[str, str]:
        """See `Gives`: those that stand there word for word, but for white space and the form of composed letters."""
        asked = {_key(text): text for text in reversed(texts)}
        if not asked:
            return {}
        found = self._store.find(_digests(asked))
        known = dict(zip(found.places.tolist(), found.rows.column(_COLUMN).to_pylist(), strict=True))
        by_key = {key: known[place] for place, key in enumerate(asked) if place in known}
        return {text: by_key[key] for text in texts if (key := _key(text)) in by_key}


def _tables(place: Place) -> Iterator[pa.Table]:
    """The pairs of all files, in order, with the keys of their sources."""
    for url in place.config.tmx:
        with open_plain(url) as stream:
            for sifted in read_units(stream, place.languages, url, MAX_RECORD_BYTES):
                sides = (sifted.kept.source, sifted.kept.target)
                sources, targets = ([" ".join(text.split()) for text in side.to_pylist()] for side in sides)
                keys = to_column(_digests(map(_key, sources)))
                yield pa.table({runs.KEY: keys, _COLUMN: pa.array(targets, pa.string())})


def _key(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _digests(keys: Iterable[str]) -> Digests:
    digests = b"".join(xxhash.xxh3_128_digest(key.encode()) for key in keys)
    rows: npt.NDArray[np.uint8] = np.frombuffer(digests, np.uint8).reshape(-1, runs.KEY_BYTES)
    return rows
