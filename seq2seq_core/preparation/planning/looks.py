"""Sources of a corpus in; what names how each is read, and how its files look, out: without reading any of them.

A file looks as it did when its size and its version are the same: the version or etag that an object store gives it,
or else the time at which it was written. A file that was written within two seconds before it is looked at tells
nothing yet: it may be written again within one tick of the clock, and look the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from seq2seq_core import looks, storage
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.looks import Look

_SETTLED_SECONDS = 2.0
_OF_FILES = ("urls", "audio_root")


def way_of(source: Source) -> str:
    """How a source is read, whatever files it has."""
    return json.dumps(source.model_dump(mode="json", exclude=set(_OF_FILES)), sort_keys=True)


class WaysOf:
    """How sources are read, found out once for all that are read in one way."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], str] = {}

    def of(self, source: Source) -> str:
        """See `way_of`."""
        told = tuple(value for name, value in vars(source).items() if name not in _OF_FILES)
        if told not in self._known:
            self._known[told] = way_of(source)
        return self._known[told]


def looks_of(sources: Sequence[Source], ways: Sequence[str], identities: Mapping[str, str]) -> list[str]:
    """What names how each source is read and looks: 32 hexadecimal digits, or "" where that tells nothing.

    Args:
        sources: What to look at. Of local files each is asked, of object stores the folders that they stand in.
        ways: How each is read.
        identities: What each file is known by.
    """
    now = time.time()
    found = looks.looks_of([url for source in sources for url in source.urls])
    return [
        _look(way, [(identities[url], found.get(url)) for url in source.urls], now)
        for source, way in zip(sources, ways, strict=True)
    ]


def _look(way: str, files: Sequence[tuple[str, Look | None]], now: float) -> str:
    told = [way]
    for identity, look in files:
        if look is None or (look.written or 0.0) > now - _SETTLED_SECONDS:
            return ""
        told += (identity, str(look.bytes), look.version)
    return storage.digest_bytes("\0".join(told).encode())
