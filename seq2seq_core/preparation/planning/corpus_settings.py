"""The configurations of corpora and of the run in, what both come to for each corpus out."""

from __future__ import annotations

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.errors import ConfigError
from seq2seq_core.preparation.terms.corpus import Corpus, Role
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.text.normalize import overridden
from seq2seq_core.text.rules import catalogue as filters
from seq2seq_core.tokenizer.tags import tag_of


def resolve(config: CorpusConfig, role: Role, name: str, recipe: Recipe) -> Corpus:
    """A corpus as workers see it: what it says of itself, over what the run says of all.

    Of held-out rows nothing is asked but that there is text.

    Raises:
        ConfigError: A key of its own filters or normalisation is unknown, a value does not fit, a rule needs a
            language that is not told, or there is no source where one is needed.
        StorageError: A file with phrases cannot be read.
    """
    if config.is_text_alone and "source" in recipe.value_sides:
        raise ConfigError(f"corpus {name} has no source", found="text alone", expected=recipe.source_modality.kind)
    corpus = Corpus(
        name=name,
        role=role,
        weight=config.weight,
        max_rows=config.max_rows,
        min_score=config.min_score,
        source_language=config.source_language,
        target_language=config.target_language,
        tag=tag_of(config.target_language) if config.tag and config.target_language else None,
        has_source=not config.is_text_alone and "source" in recipe.text_sides,
        measured=recipe.source_modality.measured if role == "train" else (),
        normalize=overridden(recipe.normalize, config.normalize, f"corpus {name}: normalize"),
        filters=_filters(config, role, recipe, name),
    )
    filters.check(corpus.filters, corpus.sides, f"corpus {name}")
    return corpus


def _filters(config: CorpusConfig, role: Role, recipe: Recipe, name: str) -> filters.FiltersConfig:
    own = filters.merge(recipe.filters, config.filters or {}, f"corpus {name}: filters")
    return filters.resolve(own) if role == "train" else filters.only_empty()
