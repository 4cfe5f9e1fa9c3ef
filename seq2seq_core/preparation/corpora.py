"""The configurations of corpora and of the run in, what both come to for each corpus out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError
from seq2seq_core.preparation.messages import Corpus, Role
from seq2seq_core.preparation.recipe import Recipe
from seq2seq_core.text.filters import FiltersConfig, only_empty
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.reading.corpus import CorpusConfig
from seq2seq_core.tokenizer.tags import tag_of


def resolve(config: CorpusConfig, role: Role, name: str, recipe: Recipe) -> Corpus:
    """A corpus as workers see it: what it says of itself, over what the run says of all.

    Of held-out rows nothing is asked but that there is text.

    Raises:
        ConfigError: A key of its own filters or normalisation is unknown, or a value does not fit.
    """
    filters = merged(FiltersConfig, recipe.filters, config.filters, f"corpus {name}: filters")
    return Corpus(
        name=name,
        role=role,
        weight=config.weight,
        max_rows=config.max_rows,
        source_language=config.source_language,
        target_language=config.target_language,
        tag=tag_of(config.target_language) if config.tag and config.target_language else None,
        has_source=config.has_source,
        normalize=merged(NormalizeConfig, recipe.normalize, config.normalize, f"corpus {name}: normalize"),
        filters=filters if role == "train" else only_empty(),
    )


def unique_names(configs: Sequence[CorpusConfig]) -> list[str]:
    """The name of each corpus: the one given, or its place among them.

    Raises:
        ConfigError: Two have the same name.
    """
    names = [config.name or f"corpus-{number}" for number, config in enumerate(configs, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError("two corpora have the same name", where="corpora", found=", ".join(twice))
    return names


C = TypeVar("C", bound=Config)


def merged(kind: type[C], base: C, own: Mapping[str, Any] | None, where: str) -> C:
    """The base with some of its keys replaced, inner keys one by one."""
    return configuration.build(kind, _overlay(base.model_dump(), own), where) if own else base


def _overlay(base: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    inner = {
        key: _overlay(base[key], value) if isinstance(value, Mapping) and isinstance(base.get(key), dict) else value
        for key, value in own.items()
    }
    return {**base, **inner}
