"""The files of a corpus in; nothing, or the error of a field that none of their first rows has, out.

A row without a field is rejected and counted. Where all are, the name of the field is wrong: that is told before
everything is read for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core import storage
from seq2seq_core.corpora.formats.base.format import Lack
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.errors import ConfigError

_MOST_LOOKED_AT = 8


def refuse_misspelt(sources: Sequence[Source], corpus: str) -> None:
    """Look at the beginning of some files, until one has all fields.

    Raises:
        ConfigError: A field is in none of the first rows of any of them; it is named, with those that are there.
    """
    lacks: list[Lack] = []
    for source in sources[:_MOST_LOOKED_AT]:
        for url in source.urls:
            lack = FORMATS[source.format].lacks(source, url)
            if lack is None:
                return
            lacks.append(lack)
    fields = [field for field in lacks[0].fields if all(field in lack.fields for lack in lacks)] if lacks else []
    if fields:
        raise ConfigError(
            f"corpus {corpus}: no row has the field {' or '.join(fields)}",
            where=storage.redact(sources[0].urls[0]),
            found=lacks[0].found,
            advice="Set source_field, target_field, text_field, score_field or alignment_field of the corpus to fields "
            "that are there.",
        )
