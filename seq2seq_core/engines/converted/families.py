"""THE TABLE of families that others train: what each wants around a text, by its languages. No model is loaded.

What stands here is what the cards of these models say: Marian and OPUS-MT (Tiedemann and Thottingal 2020), NLLB (2022),
M2M-100 (Fan et al. 2020), mBART (Liu et al. 2020, Tang et al. 2020), MADLAD-400 (Kudugunta et al. 2023), T5 (Raffel et
al. 2020), BART (Lewis et al. 2020), Pegasus (Zhang et al. 2020). A new one is a line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seq2seq_core.engines.converted.generating import Frame, Vocabulary
from seq2seq_core.errors import ConfigError, ModelError

Part = Literal["begin", "end", "source", "target", "first"]
"""What may stand around a text: the tokens that begin and end one, the tags of its language and of the one that is
asked for, and the token that the model's own configuration wants first in outputs."""

_SHOWN = 12


@dataclass(frozen=True)
class Family:
    """A way to put texts to a model.

    Attributes:
        name: Of the family.
        types: What its models are called in configurations of Hugging Face (`model_type`).
        before: What stands in front of a source.
        after: What stands behind it.
        first: What every output begins with.
        tag: What tokens that are languages look like; its group is the language.
        telling: A token that vocabularies of this family have, where tags do not tell.
        starts: How CTranslate2 begins outputs, where that tells two families with the same tags apart.
    """

    name: str
    types: tuple[str, ...]
    before: tuple[Part, ...] = ()
    after: tuple[Part, ...] = ("end",)
    first: tuple[Part, ...] = ()
    tag: str | None = None
    telling: str | None = None
    starts: tuple[str | None, ...] | None = None

    def is_of(self, tokens: Sequence[str], start: str | None) -> bool:
        """Whether a vocabulary, and the token that begins outputs, are such."""
        if self.starts is not None and start not in self.starts:
            return False
        if self.telling is not None:
            return self.telling in tokens
        return self.tag is None or bool(self.languages(tokens))

    def languages(self, tokens: Sequence[str]) -> dict[str, str]:
        """The tokens that stand for languages, by these."""
        if self.tag is None:
            return {}
        pattern = re.compile(self.tag)
        return {found[1]: token for token in tokens if (found := pattern.fullmatch(token))}


_FAMILIES = (
    Family("nllb", ("m2m_100",), ("source",), first=("target",), tag=r"([a-z]{3}_[A-Z][a-z]{3})"),
    Family("m2m100", ("m2m_100",), ("source",), first=("target",), tag=r"__([a-z]{2,3})__"),
    Family("mbart", ("mbart",), after=("end", "source"), first=("target",), tag=r"([a-z]{2}_[A-Z]{2})", starts=(None,)),
    Family("mbart50", ("mbart",), ("source",), first=("target",), tag=r"([a-z]{2}_[A-Z]{2})"),
    Family("madlad", ("t5",), ("target",), tag=r"<2([a-zA-Z_-]{2,})>"),
    Family("t5", ("t5", "mt5", "umt5"), telling="<extra_id_0>"),
    Family("pegasus", ("pegasus",), telling="<mask_1>"),
    Family("bart", ("bart",), ("begin",), first=("first",), telling="<mask>"),
    Family("marian", ("marian",), ("target",), tag=r">>(.+)<<"),
    Family("marian_pair", ("marian",)),
)
FAMILIES: Mapping[str, Family] = {family.name: family for family in _FAMILIES}
"""In the order in which a vocabulary is tried."""

TYPES = frozenset(name for family in _FAMILIES for name in family.types)
"""What `model_type` may be."""


def family_of(tokens: Sequence[str], start: str | None, model_type: str | None = None) -> Family:
    """The family of a vocabulary and of the token that begins outputs, among those of a type where it is known."""
    known = set(tokens)
    fitting = (family for family in _FAMILIES if model_type in (None, *family.types))
    return next(family for family in (*fitting, _FAMILIES[-1]) if family.is_of([*known], start))


def frame_of(
    family: Family,
    vocabulary: Vocabulary,
    special: Mapping[Part, str | None],
    languages: tuple[str | None, str | None],
    prompt: Sequence[int],
    where: str,
    *,
    starts: bool = False,
) -> Frame:
    """What is put around texts.

    Args:
        family: Whose ways these are.
        vocabulary: Of the model.
        special: The tokens that begin and end texts, and the first of outputs.
        languages: That of the sources, and the one asked for.
        prompt: What stands in front of every text besides.
        where: The model, as messages show it.
        starts: Whether the decoder has no other start than the first of these tokens.

    Raises:
        ConfigError: A language is needed and not given, or the model does not know it.
        ModelError: The vocabulary lacks a token that the family needs.
    """
    tags = {}
    for side, language in zip(("source", "target"), languages, strict=True):
        if side in (*family.before, *family.after, *family.first):
            known = family.languages(vocabulary.target if side in family.first else vocabulary.source)
            tags[side] = _tag(known, language, f"{side}_language", where)
    tokens = {**special, **tags}
    sources = {token: number for number, token in enumerate(vocabulary.source)}
    return Frame(
        before=(*_ids(family.before, tokens, sources, where), *prompt),
        after=_ids(family.after, tokens, sources, where),
        first=_ids(family.first, tokens, vocabulary.ids, where),
        starts=starts,
    )


def _ids(
    parts: Sequence[Part], tokens: Mapping[Any, str | None], ids: Mapping[str, int], where: str
) -> tuple[int, ...]:
    named = [token for part in parts if (token := tokens.get(part)) is not None]
    missing = [token for token in named if token not in ids]
    if missing:
        raise ModelError("the vocabulary lacks a token that such a model needs", where=where, expected=missing[0])
    return tuple(ids[token] for token in named)


def _tag(known: Mapping[str, str], language: str | None, key: str, where: str) -> str:
    """The token of a language: of its code, or of the one code that begins with it (de for de_DE)."""
    found = [code for code in known if language and (code == language or code.split("_")[0] == language)]
    if language is not None and language in known:
        return known[language]
    if len(found) == 1:
        return known[found[0]]
    shown = difflib.get_close_matches(language or "", known, n=_SHOWN, cutoff=0) or sorted(known)[:_SHOWN]
    more = f" (and {len(known) - len(shown)} more)" if len(known) > len(shown) else ""
    raise ConfigError(
        "the model has no tag for this language" if language else "the model has to be told the language",
        where=where,
        found=f"{key} {language}" if language else f"no {key}",
        expected=f"one of {', '.join(shown)}{more}",
        advice=f"Say --{key} CODE.",
    )
