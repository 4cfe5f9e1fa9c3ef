"""How the source side of training data was made: what inference has to do to a text before a model reads it."""

from __future__ import annotations

import pydantic
from pydantic import Field

from seq2seq_core.text.normalize import NormalizeConfig


class SourceText(pydantic.BaseModel):
    """Goes from the dataset through the model folder to inference.

    Attributes:
        normalize: How the text was normalised.
        longest: Pieces (without EOS) of the longest source that was trained on; None when it is not known.
        source_language: The language of all sources; None where it is not told, or they are in several.
        target_language: The same of the targets.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    source_language: str | None = None
    target_language: str | None = None
    normalize: NormalizeConfig = NormalizeConfig()
    longest: int | None = Field(None, ge=1, lt=1 << 31)

    @pydantic.model_serializer(mode="wrap")
    def _without_unknown_languages(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        """A language that is not known is left out: what is written of a model does not change with what it lacks."""
        left_out = {name for name in ("source_language", "target_language") if getattr(self, name) is None}
        return {name: value for name, value in dump(self).items() if name not in left_out}
