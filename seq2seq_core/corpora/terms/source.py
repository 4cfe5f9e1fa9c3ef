"""The description of one file of a corpus, or of several that belong together, and of the parts that are read of it."""

from __future__ import annotations

import pydantic

from seq2seq_core.corpora.terms.rows import Shape
from seq2seq_core.files.compression import codec_of
from seq2seq_core.files.seal import Seal


class Source(pydantic.BaseModel):
    """One file (or one of each side) of a corpus, and what rows are made of.

    Attributes:
        format: How to read it: a name of the table.
        urls: The file, or those of source and target.
        fields: Names of the fields with source and target, or with the text alone; () where the format has none.
        score_field: Name of the field with the score.
        alignment_field: Name of the field with pairs of aligned words.
        languages: Of source and target, where a file holds many.
        prompt_words: So many first words of a text alone are its source.
        values: The sides that are read as values of any type, not as text.
        audio_root: The folder that audio lies in which rows name; None: that of the file with the rows.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format: str
    urls: tuple[str, ...]
    fields: tuple[str, ...]
    score_field: str | None = None
    alignment_field: str | None = None
    languages: tuple[str, str] | None = None
    prompt_words: int = 0
    values: tuple[str, ...] = ()
    audio_root: str | None = None

    @pydantic.model_serializer(mode="wrap")
    def _without_no_values(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        """Of what few have nothing is said where it is not there: inputs are named by how they are read."""
        rare = ("values", "audio_root", "alignment_field")
        return {name: value for name, value in dump(self).items() if name not in rare or value}

    @property
    def is_packed(self) -> bool:
        """Whether a file is an archive, by its name; such a one can only be read from its start."""
        return any(codec_of(url) is not None for url in self.urls)

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of all fields a row is made of."""
        more = (field for field in (self.score_field, self.alignment_field) if field is not None)
        return (*self.fields, *more)

    @property
    def shape(self) -> Shape:
        """What a row is made of, where it has fields."""
        return Shape(
            len(self.fields),
            self.score_field is not None,
            self.prompt_words,
            self.values,
            self.alignment_field is not None,
        )


class Part(pydantic.BaseModel):
    """A range of a source in each of its files (an end of None: all the rest), and the number of its first line.

    Ranges are in what the format counts (see `FileIndex`). Where there are seals, one a file, what is read is compared.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    source: Source
    ranges: tuple[tuple[int, int | None], ...]
    first_line: int
    seals: tuple[Seal, ...] = ()

    @classmethod
    def whole(cls, source: Source, seals: tuple[Seal, ...] = ()) -> Part:
        """All of a source."""
        return cls(source=source, ranges=((0, None),) * len(source.urls), first_line=1, seals=seals)
