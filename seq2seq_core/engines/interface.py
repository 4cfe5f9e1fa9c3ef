"""The interface of inference engines: a configuration and a model folder in, an engine out; sources in, hypotheses in
the order of the input out.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from seq2seq_core.config import Config
from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.recognition import Recognizer, SpeechModel
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.modalities.base import Modality, Side
from seq2seq_core.models.card import check_reads_text, read_card
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.tags import prefix_of

TokenIds = npt.NDArray[np.int32]

Source = npt.NDArray[Any]
"""What a model is given, without the end that its modality puts there: of text piece ids (`TokenIds`, without BOS and
EOS), of any other source what its modality has in `Ragged.flat` (of vectors: float32, positions x width).
"""


class Engine(Protocol):
    """A model ready to generate. Batching, sorting and devices are its own affair and never change a result."""

    def generate(
        self, sequences: Sequence[Source], options: SearchConfig, demands: Sequence[Demand] = ()
    ) -> list[list[Hypothesis]]:
        """The `n_best` hypotheses of each source, which may be empty; with what is demanded of each, where there are
        demands.

        Raises:
            ConfigError: The engine cannot search so; its message names the key.
        """
        ...

    def score(self, sequences: Sequence[Source], targets: Sequence[TokenIds]) -> list[npt.NDArray[np.float64]]:
        """The natural log probability of each token of a given target, and of the end behind it (tokens + 1).

        Raises:
            ConfigError: The engine has no probabilities.
        """
        ...


class PieceTokenizer(Protocol):
    """Cuts texts into what a model is given, and joins what it says."""

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Ids (int32) of each text, without BOS and EOS."""
        ...

    def decode(self, sequences: Sequence[npt.NDArray[np.integer]]) -> list[str]:
        """The text of each sequence of ids."""
        ...

    def pieces(self, ids: npt.NDArray[np.integer]) -> list[str]:
        """What stands behind ids, for tables and heat maps."""
        ...


class Languages(NamedTuple):
    """What a model is told of its work, by codes: the language of the sources, and the one asked for."""

    source: str | None = None
    target: str | None = None


class SideBySide(NamedTuple):
    """How units of work are done at the same time: in so many processes, and so many in each of them."""

    processes: int
    in_each: int = 1


class ModelFacts(NamedTuple):
    """What is known of a model of texts before it is loaded: its name in manifests, and where it comes from."""

    digest: str
    lineage: dict[str, Any] | None


@dataclass(frozen=True)
class LoadedEngine:
    """An engine and what belongs to its model.

    Attributes:
        engine: The engine.
        tokenizers: Those of the sides that have one; the target always does.
        model_digest: Names the model in manifests.
        source_text: How its source was made.
        modality: What its source is, where the engine knows.
        told: The engine of a model that is told languages in a way of its own; None: a tag stands before each source.
    """

    engine: Engine
    tokenizers: Mapping[Side, PieceTokenizer]
    model_digest: str
    source_text: SourceText
    modality: Modality | None = None
    told: Callable[[Languages], Engine] | None = None

    def speaking(self, languages: Languages, where: str) -> tuple[Engine, TokenIds]:
        """The engine for these languages, and the ids that stand before every source.

        Raises:
            ConfigError: The model does not know such a language, or has to be told one; `where` names it.
        """
        if self.told is not None:
            return self.told(languages), np.zeros(0, np.int32)
        tokenizer = self.source_tokenizer
        if languages.target is None or not isinstance(tokenizer, Tokenizer):
            return self.engine, np.zeros(0, np.int32)
        return self.engine, prefix_of(tokenizer, languages.target, where)

    @property
    def source_tokenizer(self) -> PieceTokenizer:
        """That of the source; a ModelError where it is no text."""
        if "source" not in self.tokenizers:
            raise ModelError("the source of this model is no text, and only texts are translated")
        return self.tokenizers["source"]

    @property
    def target_tokenizer(self) -> PieceTokenizer:
        return self.tokenizers["target"]


class EngineConfig(Config):
    """Which engine runs, and how: the entry of an engine in `engines.table`.

    A subclass sets `kind` to a Literal of its name, and imports its libraries when it loads a model, not before: so
    choosing one engine needs no other's.

    Attributes:
        software: Packages whose versions the manifest of a translation names.
        shapes_nothing: Keys that say where and how fast an output is made, not what it is.
        hears: Whether it has recognisers of speech.
        exports: Whether it has a form of its own that models can be exported to.
        demandable: The keys of `demands` that it has: what can be demanded of its outputs.
    """

    software: ClassVar[tuple[str, ...]] = ()
    shapes_nothing: ClassVar[frozenset[str]] = frozenset()
    hears: ClassVar[bool] = False
    exports: ClassVar[bool] = False
    demandable: ClassVar[frozenset[str]] = frozenset()

    kind: str

    @abstractmethod
    def load(self, model_root: str) -> LoadedEngine:
        """Read a model folder.

        Raises:
            ModelError: The folder is missing, unfinished or damaged.
            ConfigError: There is no such device.
        """

    def describe(self, model_root: str) -> ModelFacts:
        """What is known of a model of texts, without loading it.

        Raises:
            ModelError: There is no finished model, or none that reads texts.
            ConfigError: The engine cannot run such a model.
        """
        card, lineage = read_card(model_root)
        check_reads_text(model_root, card)
        return ModelFacts(card.digest, lineage.told)

    def export(self, model_root: str, output: str) -> int:
        """Write a model in the engine's form to a folder; the bytes of its files.

        Raises:
            ModelError: The model's folder is missing, unfinished or damaged.
            ConfigError: The engine has no form of its own, or not of such a model.
            ForeignFileError: The output folder holds files of somebody else.
        """
        del output
        raise ConfigError("models are not exported to it", where=model_root, found=f"engine.kind {self.kind}")

    @classmethod
    def is_for(cls, model_root: str) -> bool:
        """Whether a folder holds a model of a kind that this engine alone runs."""
        del model_root
        return False

    @classmethod
    def speed(cls, model_root: str, search: SearchConfig) -> int | None:
        """How fast it runs a model of texts, beside other engines; None where it cannot, or is not to be chosen."""
        del model_root, search
        return None

    def chosen(self, engines: Iterable[type[EngineConfig]], model_root: str, search: SearchConfig) -> EngineConfig:
        """The engine that is meant: itself, unless it stands for the fastest of all.

        Raises:
            ModelError: There is no model that any engine runs.
        """
        del engines, model_root, search
        return self

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

    def side_by_side(self, cores: int) -> SideBySide:
        """How work goes fastest on so many cores of this machine, shared out among the processes."""
        return SideBySide(cores)

    def identity(self) -> dict[str, Any]:
        """The keys that shape an output, as plain values."""
        return self.model_dump(mode="json", exclude=set(self.shapes_nothing))

    def on_cores(self, cores: int) -> Self:
        """The same engine on so many cores of this machine, as others work beside it; what is told of that stays."""
        del cores
        return self
