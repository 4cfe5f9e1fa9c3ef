"""Which model translates, and how: a configuration in, a Translator out."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines import table as engines
from seq2seq_core.engines.table import AnyEngine
from seq2seq_core.errors import ModelError
from seq2seq_core.inference.translator import Translator
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.tags import prefix_of


class TranslatorConfig(Config):
    """A model and the way it is used."""

    model: Location = Field(description="model folder, a path or URL")
    search: SearchConfig = Field(SearchConfig(), description="how outputs are searched")
    segmentation: SegmentConfig = Field(SegmentConfig(), description="how texts are cut")
    normalize: NormalizeConfig | None = Field(
        None, description="how segments are normalised; default: as the model's training data was"
    )
    target_language: str | None = Field(
        None, description="the language asked of a multilingual model, whose data was tagged with it"
    )
    engine: AnyEngine = Field(engines.DEFAULT, description="what runs the model")

    def identity(self) -> dict[str, Any]:
        """The options that shape an output, not those that say where and how fast it is made."""
        options = self.model_dump(mode="json", include={"segmentation", "normalize", "target_language"})
        return {**options, "search": self.search.identity(), "engine": self.engine.identity()}


def load_translator(config: TranslatorConfig, digest: str | None = None) -> Translator:
    """Load the model.

    Args:
        config: Which model, and how.
        digest: What the model must be.

    Raises:
        ModelError: The folder is missing, unfinished or damaged, or holds another model than it must.
        ConfigError: There is no such device.
    """
    loaded = config.engine.load(config.model)
    if digest is not None and loaded.model_digest != digest:
        raise ModelError(
            "the model was replaced while it was in use",
            where=storage.redact(config.model),
            found=f"digest {loaded.model_digest}",
            expected=digest,
            advice="Run the same command again.",
        )
    return Translator(
        loaded.engine,
        loaded.source_tokenizer,
        loaded.target_tokenizer,
        config.search,
        _fitting(config.segmentation, loaded.source_text),
        config.normalize or loaded.source_text.normalize,
        prefix_of(loaded.source_tokenizer, config.target_language, storage.redact(config.model)),
        config.target_language or loaded.source_text.target_language,
    )


def _fitting(segmentation: SegmentConfig, text: SourceText) -> SegmentConfig:
    """Segments no longer than what the model has seen and in its language, where nothing else is set."""
    return segmentation.model_copy(
        update={
            "max_segment_pieces": segmentation.max_segment_pieces or text.longest,
            "language": segmentation.language or text.source_language,
        }
    )
