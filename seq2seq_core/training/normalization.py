"""How a dataset's corpora were normalised in; how inference normalises what a model of it reads out, or a refusal.

A corpus may have settings of its own (`corpora.0.normalize`). A model sees the texts of all of them and knows no
difference, so inference can do to a text what was done in training only where that was one and the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq_core.errors import ConfigError
from seq2seq_core.text.normalize import NormalizeConfig, overridden

_SHOWN_CORPORA = 3


def agreed_normalization(
    configuration: Mapping[str, Any], chosen: NormalizeConfig | None, others: Sequence[Mapping[str, Any]] = ()
) -> NormalizeConfig:
    """What was done to the source side of all training corpora.

    Args:
        configuration: That of the preparation, as the manifest keeps it.
        chosen: What the user says; each setting has to be that of at least one corpus.
        others: Those of the preparations of datasets that are mixed with it.

    Raises:
        ConfigError: The corpora differ, and nothing is chosen, or they have a setting that is not the chosen one.
    """
    of_corpora = _of_corpora(configuration)
    for number, other in enumerate(others, start=2):
        of_corpora |= {f"dataset {number}: {name}": found for name, found in _of_corpora(other).items()}
    values = [dict(config) for config in of_corpora.values()]
    differing = [key for key in NormalizeConfig.model_fields if any(v[key] != values[0][key] for v in values)]
    advice = f"Choose, for instance {_as_options(next(iter(of_corpora.values())), differing)}."
    if chosen is None and differing:
        raise ConfigError(
            "the training corpora were normalised in different ways, so no text can be treated as all of them were",
            where="normalize",
            found="; ".join(_told(key, of_corpora) for key in differing),
            expected="the same for all, or a choice of what is done to the texts that the model will be given",
            advice=advice,
        )
    for key, value in chosen or ():
        if all(v[key] != value for v in values):
            raise ConfigError(
                "no training corpus was normalised like this",
                where=f"normalize.{key}",
                found=_word(value),
                expected=_told(key, of_corpora),
                advice=advice if differing else "Leave normalize out: all corpora were normalised in one way.",
            )
    return chosen or next(iter(of_corpora.values()))


def _of_corpora(configuration: Mapping[str, Any]) -> dict[str, NormalizeConfig]:
    """The settings of each training corpus by its name; those of the run alone where no corpora are listed."""
    run = overridden(NormalizeConfig(), configuration.get("normalize"), "the dataset's normalize")
    found: dict[str, NormalizeConfig] = {}
    for index, corpus in enumerate(configuration.get("corpora") or ()):
        name = f"corpora.{index}" if corpus.get("name") in (None, *found) else corpus["name"]
        if _has_source(corpus):
            found[name] = overridden(run, corpus.get("normalize"), f"the dataset's {name}: normalize")
    return found or {"all": run}


def _has_source(corpus: Mapping[str, Any]) -> bool:
    """Whether there is a source side: text alone has none, unless its first words are the source."""
    is_text_alone = corpus.get("text") is not None or corpus.get("text_field") is not None
    return not is_text_alone or bool(corpus.get("prompt_words"))


def _told(key: str, of_corpora: Mapping[str, NormalizeConfig]) -> str:
    """`case: none (corpora.0), lower (corpora.1)`."""
    names: dict[str, list[str]] = {}
    for name, config in of_corpora.items():
        names.setdefault(_word(getattr(config, key)), []).append(name)
    shown = [
        f"{value} ({', '.join(group[:_SHOWN_CORPORA])}{' and others' if len(group) > _SHOWN_CORPORA else ''})"
        for value, group in names.items()
    ]
    return f"{key}: {', '.join(shown)}"


def _as_options(config: NormalizeConfig, keys: list[str]) -> str:
    """Settings as the command line takes them: these keys, and all that are not the defaults."""
    default = NormalizeConfig()
    shown = [
        key for key in NormalizeConfig.model_fields if key in keys or getattr(config, key) != getattr(default, key)
    ]
    return " ".join(f"--normalize.{key} {_word(getattr(config, key))}" for key in shown)


def _word(value: object) -> str:
    return "null" if value is None else str(value).lower()
