"""The interface of inference engines: a configuration and a model folder in, an engine out; sources in, hypotheses in
the order of the input out.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from seq2seq_core.config import Config
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.recognition import Recognizer, SpeechModel
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.modalities.base import Modality, Side
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer

TokenIds = npt.NDArray[np.int32]

Source = npt.NDArray[Any]
"""What a model is given, without the end that its modality puts there: of text piece ids (`TokenIds`, without BOS and
EOS), of any other source what its modality has in `Ragged.flat` (of vectors: float32, positions x width).
"""


class Engine(Protocol):
    """A model ready to generate. Batching, sorting and devices are its own affair and never change a result."""

    def generate(self, sequences: Sequence[Source], options: SearchConfig) -> list[list[Hypothesis]]:
        """The `n_best` hypotheses of each source; it may be empty."""
        ...


@dataclass(frozen=True)
class LoadedEngine:
    """An engine and what belongs to its model.

    Attributes:
        engine: The engine.
        tokenizers: Those of the sides that have one; the target always does.
        model_digest: Names the model in manifests.
        source_text: How its source was made.
        modality: What its source is, where the engine knows.
    """

    engine: Engine
    tokenizers: Mapping[Side, Tokenizer]
    model_digest: str
    source_text: SourceText
    modality: Modality | None = None

    @property
    def source_tokenizer(self) -> Tokenizer:
        """That of the source; a ModelError where it is no text."""
        if "source" not in self.tokenizers:
            raise ModelError("the source of this model is no text, and only texts are translated")
        return self.tokenizers["source"]

    @property
    def target_tokenizer(self) -> Tokenizer:
        return self.tokenizers["target"]


class EngineConfig(Config):
    """Which engine runs, and how: the entry of an engine in `engines.table`.

    A subclass sets `kind` to a Literal of its name, and imports its libraries when it loads a model, not before: so
    choosing one engine needs no other's.

    Attributes:
        software: Packages whose versions the manifest of a translation names.
        shapes_nothing: Keys that say where and how fast an output is made, not what it is.
        hears: Whether it has recognisers of speech.
    """

    software: ClassVar[tuple[str, ...]] = ()
    shapes_nothing: ClassVar[frozenset[str]] = frozenset()
    hears: ClassVar[bool] = False

    kind: str

    @abstractmethod
    def load(self, model_root: str) -> LoadedEngine:
        """Read a model folder.

        Raises:
            ModelError: The folder is missing, unfinished or damaged.
            ConfigError: There is no such device.
        """

    @classmethod
    def is_for(cls, model_root: str) -> bool:
        """Whether a folder holds a model of a kind that this engine alone runs."""
        del model_root
        return False

    def describe_recognizer(self, model_root: str) -> SpeechModel:
        """What is known of a model that hears, without loading it; see `load_recognizer` for the errors."""
        raise self._deaf(model_root)

    def load_recognizer(self, model_root: str) -> Recognizer:
        """Read a model folder.

        Raises:
            ModelError: The folder is missing, unfinished or damaged, or its model does not hear.
            ConfigError: The engine has no recognisers, or there is no such device.
        """
        raise self._deaf(model_root)

    def _deaf(self, model_root: str) -> ConfigError:
        return ConfigError("this engine recognises no speech", where=model_root, found=f"engine.kind {self.kind}")

    def processes(self, cores: int) -> int:
        """So many processes of this machine, each with its share of the cores, are the fastest to work side by side."""
        return cores

    def identity(self) -> dict[str, Any]:
        """The keys that shape an output, as plain values."""
        return self.model_dump(mode="json", exclude=set(self.shapes_nothing))

    def on_cores(self, cores: int) -> Self:
        """The same engine on so many cores of this machine, as others work beside it; what is told of that stays."""
        del cores
        return self
