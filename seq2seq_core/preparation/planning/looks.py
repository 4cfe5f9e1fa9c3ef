"""Sources of a corpus in; what names how each is read, and how its files look, out: without reading any of them.

A file looks as it did when its size and its version are the same: the version or etag that an object store gives it,
or else the time at which it was written. A file that was written within two seconds before it is looked at tells
nothing yet: it may be written again within one tick of the clock, and look the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from seq2seq_core import looks, storage
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.looks import Look

_SETTLED_SECONDS = 2.0


def way_of(source: Source) -> str:
    """How a source is read, whatever files it has."""
    return json.dumps(source.model_dump(mode="json", exclude={"urls", "audio_root"}), sort_keys=True)


class WaysOf:
    """How sources are read, found out once for all that are read in one way."""

    def __init__(self) -> None:
        self._known: dict[Source, str] = {}

    def of(self, source: Source) -> str:
        """See `way_of`."""
        bare = source.model_copy(update={"urls": (), "audio_root": None})
        if bare not in self._known:
            self._known[bare] = way_of(source)
        return self._known[bare]


def looks_of(sources: Sequence[Source], ways: Sequence[str]) -> list[str]:
    """What names how each source is read and looks: 32 hexadecimal digits, or "" where that tells nothing.

    Args:
        sources: What to look at. Of local files each is asked, of object stores the folders that they stand in.
        ways: How each is read.
    """
    now = time.time()
    found = looks.looks_of([url for source in sources for url in source.urls])
    return [_look(way, [(url, found.get(url)) for url in s.urls], now) for s, way in zip(sources, ways, strict=True)]


def _look(way: str, files: Sequence[tuple[str, Look | None]], now: float) -> str:
    if any(look is None or (look.written is not None and look.written > now - _SETTLED_SECONDS) for _, look in files):
        return ""
    told = [[storage.identity(url), look.bytes, look.version] for url, look in files if look is not None]
    return storage.digest_bytes(json.dumps([way, told]).encode())
