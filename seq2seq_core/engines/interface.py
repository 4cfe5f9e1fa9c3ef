"""The interface of inference engines: a configuration and a model folder in, an engine out; piece ids in, hypotheses
in the order of the input out.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from seq2seq_core.config import Config
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer

TokenIds = npt.NDArray[np.int32]


class Engine(Protocol):
    """A model ready to generate. Batching, sorting and devices are its own affair and never change a result."""

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        """The `n_best` hypotheses of each sequence of source piece ids (int32, without BOS and EOS, may be empty)."""
        ...


@dataclass(frozen=True)
class LoadedEngine:
    """An engine and the tokenizers that belong to its model; `model_digest` names the model in manifests."""

    engine: Engine
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    model_digest: str
    source_text: SourceText


class EngineConfig(Config):
    """Which engine runs, and how: the entry of an engine in `engines.table`.

    A subclass sets `kind` to a Literal of its name, and imports its libraries when it loads a model, not before: so
    choosing one engine needs no other's.

    Attributes:
        software: Packages whose versions the manifest of a translation names.
        shapes_nothing: Keys that say where and how fast an output is made, not what it is.
    """

    software: ClassVar[tuple[str, ...]] = ()
    shapes_nothing: ClassVar[frozenset[str]] = frozenset()

    kind: str

    @abstractmethod
    def load(self, model_root: str) -> LoadedEngine:
        """Read a model folder.

        Raises:
            ModelError: The folder is missing, unfinished or damaged.
            ConfigError: There is no such device.
        """

    def identity(self) -> dict[str, Any]:
        """The keys that shape an output, as plain values."""
        return self.model_dump(mode="json", exclude=set(self.shapes_nothing))

    def on_cores(self, cores: int) -> Self:
        """The same engine on so many cores of this machine, as others work beside it; what is told of that stays."""
        del cores
        return self
