"""The folder of a model of anyone's that was converted for CTranslate2 in; what it takes to run it out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pydantic

from seq2seq_core import storage
from seq2seq_core.engines.converted.facts import FACTS_NAME, Facts, read_facts
from seq2seq_core.engines.converted.families import FAMILIES, Family, family_of, frame_of
from seq2seq_core.engines.converted.generating import Frame, Vocabulary
from seq2seq_core.engines.converted.model_file import WEIGHTS, positions_of
from seq2seq_core.engines.converted.texts import SHAPING, Texts, read_cutter
from seq2seq_core.errors import ModelError
from seq2seq_core.modalities.base import Side
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.source_text import SourceText

KIND = "TransformerSpec"

_CONFIG = "config.json"
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_AS_THEY_ARE = NormalizeConfig(unicode="none", whitespace=False, invisible=False, mojibake=False)
_USUAL_LONGEST = 512
"""Tokens that T5 and its kin, whose positions have no end, are trained on at most."""
_TOKENS = pydantic.TypeAdapter(tuple[str, ...])


class Special(pydantic.BaseModel):
    """The part of CTranslate2's `config.json` that matters here."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    bos_token: str | None = "<s>"  # noqa: S105
    eos_token: str = "</s>"  # noqa: S105
    unk_token: str = "<unk>"  # noqa: S105
    decoder_start_token: str | None = "<s>"  # noqa: S105
    add_source_bos: bool = False
    add_source_eos: bool = False


@dataclass(frozen=True)
class ConvertedFolder:
    """A folder of CTranslate2's, with its tokenizer.

    Attributes:
        root: Where it stands.
        facts: What it tells, where it was made here.
    """

    root: str
    facts: Facts | None

    @property
    def where(self) -> str:
        """The folder as messages show it."""
        return storage.redact(self.root)

    @property
    def is_own(self) -> bool:
        """Whether it was a model of this project."""
        return self.facts is not None and self.facts.family is None

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files that shape what the model says."""
        there = storage.sizes_in(self.root)
        return tuple(sorted(name for name in there if name in _SHAPING))

    @cached_property
    def digest(self) -> str:
        """Names the model by what its files hold."""
        digests = {name: storage.digest_file(storage.join(self.root, name)) for name in self.files}
        return storage.digest_bytes(json.dumps(digests, sort_keys=True).encode())

    @cached_property
    def special(self) -> Special:
        """Tokens that are no text, and where the library puts them itself."""
        url = storage.join(self.root, _CONFIG)
        data = storage.read_if_there(url)
        try:
            return Special() if data is None else Special.model_validate_json(data)
        except pydantic.ValidationError as error:
            found = " ".join(str(error).split("\n")[:3])
            raise ModelError("the file is damaged", where=storage.redact(url), found=found) from None

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Tokens by id."""
        source, target = (self._tokens(side) for side in ("source", "target"))
        return Vocabulary(source, target, self.special.eos_token)

    @cached_property
    def family(self) -> Family:
        """Whose ways the model has."""
        if self.facts is not None and self.facts.family is not None:
            return FAMILIES[self.facts.family]
        return family_of(self.vocabulary.target, self.special.decoder_start_token)

    @cached_property
    def longest_output(self) -> int | None:
        """Most tokens that the model can say."""
        return self.facts.longest_output if self.facts else positions_of(self.root)

    @property
    def source_text(self) -> SourceText:
        """How its source was made: as it is, where nothing else is known."""
        if self.facts is not None:
            return self.facts.source_text
        return text_of(positions_of(self.root))

    def texts(self, side: Side) -> Texts:
        """The tokenizer of a side; a ModelError where there is none."""
        special, tokens = self.special, self.vocabulary.source if side == "source" else self.vocabulary.target
        silent = {special.bos_token or special.eos_token, special.eos_token, special.unk_token, "<pad>"}
        silent.update(self.family.languages(tokens).values())
        return Texts(read_cutter(self.root, side, self.where), tokens, special.unk_token, silent)

    def frame(self, source_language: str | None, target_language: str | None, prompt: Sequence[int]) -> Frame:
        """What is put around texts; see `frame_of` for the errors."""
        special = self.special
        first = special.bos_token if self.facts is None else self.facts.first_token
        tokens: dict[Any, str | None] = {
            "begin": None if special.add_source_bos else special.bos_token,
            "end": None if special.add_source_eos else special.eos_token,
            "first": first,
        }
        languages = (source_language, target_language)
        starts = special.decoder_start_token is None
        return frame_of(self.family, self.vocabulary, tokens, languages, prompt, self.where, starts=starts)

    def _tokens(self, side: Side) -> tuple[str, ...]:
        there = storage.sizes_in(self.root)
        names = [f"{stem}_{name}" for stem in (side, "shared") for name in _VOCABULARIES]
        name = next((name for name in names if name in there), None)
        if name is None:
            raise ModelError("the model has no vocabulary", where=self.where, expected=" or ".join(names))
        url = storage.join(self.root, name)
        text = storage.read_text(url)
        try:
            return _TOKENS.validate_json(text, strict=True) if name.endswith(".json") else tuple(_lines(text))
        except pydantic.ValidationError:
            raise ModelError("the file is damaged", where=storage.redact(url), expected="a list of texts") from None


def text_of(positions: int | None) -> SourceText:
    """How the source of a model of others is made: texts stay as they are, and fit its positions with some to spare."""
    longest = max(1, positions - 4) if positions else _USUAL_LONGEST
    return SourceText(normalize=_AS_THEY_ARE, longest=longest)


def read_converted(root: str) -> ConvertedFolder:
    """A folder of CTranslate2's; a ModelError where what it tells of itself is damaged."""
    return ConvertedFolder(root, read_facts(root))


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


_SHAPING = SHAPING | {
    WEIGHTS,
    _CONFIG,
    FACTS_NAME,
    *(f"{stem}_{name}" for stem in ("source", "target", "shared") for name in _VOCABULARIES),
}
