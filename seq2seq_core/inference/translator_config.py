"""Which model translates, and how: a configuration in, a Translator out."""

from __future__ import annotations

from typing import Any, Literal, Self

import pyarrow as pa
import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines import table as engines
from seq2seq_core.engines.interface import Engine, Languages, LoadedEngine
from seq2seq_core.engines.table import ENGINES, AnyEngine, for_another
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.asking.choosing import AgreeingEngine
from seq2seq_core.inference.asking.config import DemandsConfig
from seq2seq_core.inference.asking.demanding import DemandingEngine
from seq2seq_core.inference.asking.glossary import Glossary, read_glossary
from seq2seq_core.inference.manifest import ModelEntry
from seq2seq_core.inference.memory.config import MemoryConfig
from seq2seq_core.inference.memory.given import Given, Place, place_of
from seq2seq_core.inference.memory.memory import Memory
from seq2seq_core.inference.quality.flags import FlagConfig, Revision
from seq2seq_core.inference.translator import Aids, Translator
from seq2seq_core.models.card import is_own, read_config
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.languages import is_language, uses_spaces
from seq2seq_core.text.normalize import NormalizeConfig, normalize
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.text.source_text import SourceText

_FEWEST_TO_AGREE = 2


class TranslatorConfig(Config):
    """A model and the way it is used."""

    model: Location = Field(description="model folder, a path or URL")
    search: SearchConfig = Field(SearchConfig(), description="how outputs are searched")
    segmentation: SegmentConfig = Field(SegmentConfig(), description="how texts are cut")
    normalize: NormalizeConfig | None = Field(
        None, description="how segments are normalised; default: as the model's training data was"
    )
    source_language: str | None = Field(
        None, description="the language of the texts, for models of many languages that have to be told it"
    )
    target_language: str | None = Field(
        None, description="the language asked of a multilingual model, whose data was tagged with it"
    )
    engine: AnyEngine = Field(engines.DEFAULT, description="what runs the model")
    demands: DemandsConfig = Field(DemandsConfig(), description="what outputs have to hold")
    choose: Literal["score", "agreement"] = Field(
        "score",
        description="of search.n_best hypotheses score: the best; agreement: the one that the others, by their "
        "probability, are most like by chrF (minimum Bayes risk)",
    )
    memory: MemoryConfig = Field(MemoryConfig(), description="answers that need not be asked of the model")
    quality: bool = Field(False, description="measure every output, for columns that tell of doubtful ones")
    flag: FlagConfig = Field(FlagConfig(), description="which outputs are doubtful, and what becomes of them")

    @pydantic.model_validator(mode="after")
    def _can_choose_and_demand(self) -> Self:
        for name, search in self.searches.items():
            if self.choose == "agreement" and search.n_best <= _FEWEST_TO_AGREE:
                raise ValueError(f"choose is agreement, but {name}.n_best is {search.n_best}: set it to 3 or more")
            if self.demands.glossary and (search.beam == 1 or search.sample):
                raise ValueError(
                    f"demands.glossary needs a beam search: set {name}.beam to 2 or more, {name}.sample to false"
                )
        return self

    @property
    def searches(self) -> dict[str, SearchConfig]:
        """All ways in which segments are searched, by the names of their keys."""
        second = self.flag.second
        return {"search": self.search} | ({} if second is None else {"flag.second.search": second.search})

    def unscored(self) -> Self:
        """The same where outputs show no scores, unless something else goes by them: what is kept, flagged, chosen."""
        if self.memory.url or self.flag.is_asked_for or self.choose != "score":
            return self
        return self.model_copy(update={"search": self.search.unscored()})

    def identity(self) -> dict[str, Any]:
        """The options that shape an output, not those that say where and how fast it is made."""
        options = self.model_dump(mode="json", include={"normalize", "target_language"})
        options["segmentation"] = self.segmentation.identity()
        if self.source_language is not None:  # it came later: what was made before need not be made again
            options["source_language"] = self.source_language
        options |= self.asked()
        if given := given_by(self):
            options["given"] = given.about
        if self.quality:
            options["quality"] = True
        if self.flag.is_asked_for:
            options["flag"] = {**self.flag.rules, "second": _identity_of(self.second)}
        return {**options, "search": self.search.identity(), "engine": self.engine.identity()}

    def asked(self) -> dict[str, Any]:
        """What of the options shapes an output beside the model and its search, as plain values."""
        demands = self.demands.identity()
        # All once counted alike, by chrF2: what was chosen so is another output.
        chosen = {} if self.choose == "score" else {"choose": self.choose, "by": "probable chrF1"}
        return ({"demands": demands} if demands else {}) | chosen

    @property
    def second(self) -> TranslatorConfig | None:
        """What flagged segments are translated with once more; None: nothing."""
        second = self.flag.second
        if second is None or not self.flag.is_asked_for:
            return None
        values = {name: getattr(self, name) for name in TranslatorConfig.model_fields}
        values |= {"search": second.search, "flag": FlagConfig(), "quality": False}
        values["memory"] = MemoryConfig(url=self.memory.url)
        if second.model is not None:
            values |= {"model": second.model, "engine": second.engine or self.engine}
        return TranslatorConfig(**values).resolved

    @property
    def resolved(self) -> Self:
        """The same with the engine that is meant; see `EngineConfig.chosen` for the error.

        Raises:
            ConfigError: Something is demanded of outputs that the engine does not have.
        """
        asked = self.demands.asked
        able = [engine for engine in ENGINES.values() if engine.demandable >= asked]
        engine = self.engine.chosen(able, self.model, self.search)
        if missing := asked - engine.demandable:
            raise ConfigError(
                "this engine does not have it",
                where=f"demands.{min(missing)}",
                found=f"engine.kind {engine.kind}",
                advice=f"Leave it out, or say --engine.kind {able[0].model_fields['kind'].default}.",
            )
        return self if engine is self.engine else self.model_copy(update={"engine": engine})


def describe_model(config: TranslatorConfig) -> ModelEntry:
    """Digest and lineage of a model, without loading its weights.

    Raises:
        ModelError: There is no finished model, or none that reads texts.
        ConfigError: The engine cannot run it.
    """
    try:
        found = config.engine.describe(config.model)
    except ModelError as error:
        raise for_another(config.engine, config.model, error, hears=False) from None
    return ModelEntry(url=storage.redact(config.model), digest=found.digest, lineage=found.lineage)


def _identity_of(second: TranslatorConfig | None) -> object:
    return None if second is None else [describe_model(second).digest, second.identity()]


def given_by(config: TranslatorConfig) -> Place | None:
    """The files of translations that go before the model; None where there are none.

    Raises:
        ConfigError: Nobody tells the languages of the texts.
        StorageError: A file is missing.
    """
    text = read_config(config.model).source_text if config.memory.tmx and is_own(config.model) else SourceText()
    source = config.segmentation.language or _code(config.source_language) or text.source_language
    return place_of(config.memory, (source, _code(config.target_language) or text.target_language))


def load_translator(config: TranslatorConfig, digest: str | None = None) -> Translator:
    """Load the model.

    Args:
        config: Which model, and how.
        digest: What the model must be.

    Raises:
        ModelError: The folder is missing, unfinished or damaged, or holds another model than it must.
        ConfigError: There is no such device.
    """
    config = config.resolved
    loaded = config.engine.load(config.model)
    if digest is not None and loaded.model_digest != digest:
        raise ModelError(
            "the model was replaced while it was in use",
            where=storage.redact(config.model),
            found=f"digest {loaded.model_digest}",
            expected=digest,
            advice="Run the same command again.",
        )
    languages = Languages(config.source_language, config.target_language)
    engine, prefix = loaded.speaking(languages, storage.redact(config.model))
    engine = _asking(config, engine, loaded, len(prefix))
    translator = Translator(
        engine,
        loaded.source_tokenizer,
        loaded.target_tokenizer,
        config.search,
        _fitting(config.segmentation, loaded.source_text, _code(config.source_language)),
        config.normalize or loaded.source_text.normalize,
        prefix,
        _code(config.target_language) or loaded.source_text.target_language,
    )
    return translator.aided(_aids(config, loaded.model_digest, translator))


def _aids(config: TranslatorConfig, digest: str, translator: Translator) -> Aids:
    maker = {
        "model": digest,
        "engine": config.engine.identity(),
        "languages": [config.source_language, config.target_language],
        **config.asked(),
    }
    place, second = given_by(config), config.second
    memory = Memory(config.memory.url, maker) if config.memory.url else None
    again: Translator | None = None
    if second is not None and config.flag.second is not None:
        is_same = config.flag.second.model is None
        again = translator.searching(second.search).aided(Aids(memory)) if is_same else load_translator(second)
    return Aids(
        memory=memory,
        given=Given(place) if place else None,
        revises=Revision(config.flag, again) if config.flag.is_asked_for else None,
        measures=config.quality,
    )


def _asking(config: TranslatorConfig, engine: Engine, loaded: LoadedEngine, tags: int) -> Engine:
    """The engine with what is asked of its outputs."""
    demands, normalization = config.demands, config.normalize or loaded.source_text.normalize
    if demands.prefix or demands.glossary:
        glossary = None
        if demands.glossary:
            language = _code(config.source_language) or loaded.source_text.source_language
            entries = read_glossary(demands.glossary, lambda texts: _normalized(texts, normalization))
            glossary = Glossary(entries, spaced=uses_spaces(language) is not False)
        tokenizers = loaded.source_tokenizer, loaded.target_tokenizer
        engine = DemandingEngine(engine, *tokenizers, demands.prefix, glossary, tags)
    return AgreeingEngine(engine, loaded.target_tokenizer) if config.choose == "agreement" else engine


def _normalized(texts: list[str], how: NormalizeConfig) -> list[str]:
    found: list[str] = normalize(TextColumn(pa.array(texts, pa.string())), how).column.to_pylist()
    return found


def _code(language: str | None) -> str | None:
    """The code of ISO 639 that a model's own stands for (deu-Latn for deu_Latn), where it is one."""
    code = (language or "").replace("_", "-")
    return code if is_language(code) else None


def _fitting(segmentation: SegmentConfig, text: SourceText, language: str | None = None) -> SegmentConfig:
    """Segments no longer than what the model has seen and in its language, where nothing else is set."""
    return segmentation.model_copy(
        update={
            "max_segment_pieces": segmentation.max_segment_pieces or text.longest,
            "language": segmentation.language or language or text.source_language,
        }
    )
