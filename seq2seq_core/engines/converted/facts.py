"""A converted model's folder in; what stands beside its weights, for whoever runs it, out, and back.

model.bin, config.json, *_vocabulary.json    CTranslate2's
source.model, target.model, tokenizer.json   what cuts texts, as far as the model needs it
seq2seq.json                                 what is told here; written last, and believed alone
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.errors import ModelError
from seq2seq_core.text.source_text import SourceText

FACTS_NAME = "seq2seq.json"
FORMAT_VERSION = 1


class Facts(pydantic.BaseModel):
    """What is known of a converted model.

    Attributes:
        digest: Names the model that was converted.
        lineage: Where that comes from, where it is known.
        quantization: Of the weights.
        source_text: How its source was made.
        family: Whose ways it has with languages and special tokens, a name of `families`; None: this project's own.
        first_token: Every output begins with it, and it is no part of the text.
        longest_output: Most tokens of an output, the end included.
        files: Bytes of each file.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format_version: Annotated[int, Field(ge=FORMAT_VERSION, le=FORMAT_VERSION)] = FORMAT_VERSION
    digest: str
    lineage: dict[str, Any] | None = None
    quantization: str
    source_text: SourceText = SourceText()
    family: str | None = None
    first_token: str | None = None
    longest_output: int | None = Field(None, ge=1)
    files: Mapping[str, int] = {}


def read_facts(root: str) -> Facts | None:
    """What a folder tells; None where it tells nothing.

    Raises:
        ModelError: It cannot be understood, or files are missing.
    """
    url = storage.join(root, FACTS_NAME)
    data = storage.read_if_there(url)
    if data is None:
        return None
    try:
        facts = Facts.model_validate_json(data, strict=True)
    except pydantic.ValidationError as error:
        found = " ".join(str(error).split("\n")[:3])
        raise ModelError("the file is damaged", where=storage.redact(url), found=found, advice=_ADVICE) from None
    sizes = storage.sizes_in(root)
    odd = sorted(name for name, size in facts.files.items() if sizes.get(name) != size)
    if odd:
        raise ModelError(
            "a file of the converted model is missing or damaged",
            where=storage.redact(storage.join(root, odd[0])),
            found=f"{sizes[odd[0]]} bytes" if odd[0] in sizes else None,
            expected=f"{facts.files[odd[0]]} bytes",
            advice=_ADVICE,
        )
    return facts


def write_facts(folder: Path, facts: Facts) -> None:
    """Into a folder whose other files are whole."""
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != FACTS_NAME}
    text = facts.model_copy(update={"files": files}).model_dump_json(indent=1)
    (folder / FACTS_NAME).write_text(f"{text}\n", "utf-8")


def in_order(names: Iterable[str]) -> list[str]:
    """Files of such a folder as they are to be published: last what tells of them."""
    return sorted(names, key=lambda name: (name == FACTS_NAME, name))


_ADVICE = "Remove the folder and convert the model again."
