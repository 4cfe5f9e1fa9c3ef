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
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    normalize: NormalizeConfig = NormalizeConfig()
    longest: int | None = Field(None, ge=1, lt=1 << 31)
