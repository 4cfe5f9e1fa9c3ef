"""Sources and an engine in, its hypotheses out: from a memory where they are kept, and kept there where they are not.

What a source becomes follows from the model, the options and the source alone, not from its neighbours: so an answer
that is kept is the one that the model would give.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from seq2seq_core import storage
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.inference.memory.answers import COLUMN, TYPE, from_column, to_column
from seq2seq_core.inference.memory.run import KEY_BYTES
from seq2seq_core.inference.memory.store import Store
from seq2seq_core.preparation.terms.octets import Digests

Outcome = list[Hypothesis] | str
"""What the engine made of a source, or why it failed."""

VERSION = 1
"""To be raised when what is kept means something else."""

_SCHEMA = pa.schema([pa.field(COLUMN, TYPE)])


class Memory:
    """Answers of one model."""

    def __init__(self, root: str, maker: Mapping[str, Any]) -> None:
        """Open it.

        Args:
            root: The folder of the answers of all models.
            maker: The model, its engine, and what it was told, as plain values: all that an answer follows from
                besides the source and the search.
        """
        self._root, self._maker = root, maker
        self._stores: dict[str, Store] = {}

    def recall(
        self, sources: Sequence[bytes], search: SearchConfig, run: Callable[[list[int]], Sequence[Outcome]]
    ) -> list[Outcome]:
        """The outcome of each source; the engine is asked for what is not kept, each once, and failures are not kept.

        Args:
            sources: All that an answer follows from besides the model and the search.
            search: How the engine searches.
            run: Asks the engine for the sources at some places.

        Raises:
            DatasetError: A file of the memory is damaged.
            StorageError: Its store does not answer.
        """
        store = self._store(search)
        places = {source: place for place, source in reversed(list(enumerate(sources)))}
        asked = list(places)
        keys = _keys(asked)
        found = store.find(keys)
        kept = from_column(found.rows.column(COLUMN).combine_chunks())
        outcomes: dict[bytes, Outcome] = {
            asked[which]: answer for which, answer in zip(found.places.tolist(), kept, strict=True)
        }
        missing = [which for which, source in enumerate(asked) if source not in outcomes]
        made = run([places[asked[which]] for which in missing]) if missing else []
        new = {which: outcome for which, outcome in zip(missing, made, strict=True) if not isinstance(outcome, str)}
        store.add(keys[list(new)], pa.table([to_column([*new.values()])], schema=_SCHEMA))
        outcomes |= {asked[which]: outcome for which, outcome in zip(missing, made, strict=True)}
        return [outcomes[source] for source in sources]

    def _store(self, search: SearchConfig) -> Store:
        about = {"version": VERSION, **self._maker, "search": search.identity()}
        name = storage.digest_bytes(json.dumps(about, sort_keys=True).encode())
        if name not in self._stores:
            self._stores[name] = Store(storage.join(self._root, name), _SCHEMA, about)
        return self._stores[name]


def _keys(sources: Sequence[bytes]) -> Digests:
    digests = b"".join(map(xxhash.xxh3_128_digest, sources))
    keys: npt.NDArray[np.uint8] = np.frombuffer(digests, np.uint8).reshape(-1, KEY_BYTES)
    return keys
