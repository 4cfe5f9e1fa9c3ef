"""What `output.json` holds: inputs and their outputs, the model and the options that made them; read and published."""

from __future__ import annotations

import json
from typing import Any

import pydantic

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, unreadable_record
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.folder import OUTPUT_NAME
from seq2seq_core.models.card import check_reads_text, read_card

FORMAT_VERSION = 1

_LINEAGE_KEYS = ("run", "step", "averaged_steps", "dataset", "dataset_digest")


class _Entry(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class ModelEntry(_Entry):
    """The model that translated, and where it comes from (its `lineage.json`: run, step, dataset digest)."""

    url: str
    digest: str
    lineage: dict[str, Any] | None


class TranslatedInput(_Entry):
    """An input as it was read (`fingerprint` is xxh3-128 of its bytes) and its outputs in order."""

    url: str
    format: str
    bytes: int
    fingerprint: str
    records: int
    failed: int
    cut: int = 0
    looping: int = 0
    outputs: tuple[UnitEntry, ...]


class Provenance(_Entry):
    """Where all outputs of a run come from: the model, and the resolved configuration.

    `fingerprint` names the model and those options that shape the output.
    """

    fingerprint: str
    model: ModelEntry
    configuration: dict[str, Any]
    software: dict[str, str]


class Output(_Entry):
    """All of an output folder: `records_out = records_in`, of which `failed` were not translated.

    The outputs of `cut` records ended at the length limit, those of `looping` ones repeat themselves.
    """

    format_version: int = FORMAT_VERSION
    fingerprint: str
    model: ModelEntry
    records_in: int
    records_out: int
    failed: int
    cut: int = 0
    looping: int = 0
    inputs: tuple[TranslatedInput, ...]
    configuration: dict[str, Any]
    software: dict[str, str]

    @property
    def units(self) -> list[UnitEntry]:
        """The outputs of all inputs, in order."""
        return [unit for entry in self.inputs for unit in entry.outputs]


def load_output(root: str) -> Output:
    """Read the manifest of an output folder.

    Raises:
        DatasetError: There is none (the translation did not finish), or it is not one of ours.
    """
    url = storage.join(root, OUTPUT_NAME)
    if not storage.exists(url):
        raise DatasetError(
            "no finished translation stands here",
            where=storage.redact(root),
            expected=f"a file {OUTPUT_NAME}",
            advice="Run the same `seq2seq translate` again: it carries on from what is finished.",
        )
    try:
        return Output.model_validate_json(storage.read_bytes(url))
    except pydantic.ValidationError as error:
        found = str(error).splitlines()[0]
        raise unreadable_record(DatasetError, "the manifest", storage.redact(url), found) from None


def describe_model(root: str) -> ModelEntry:
    """Digest and lineage of a model folder, without loading its weights.

    Raises:
        ModelError: There is no finished model, or none that reads texts.
    """
    card, lineage = read_card(root)
    check_reads_text(root, card)
    shown = lineage.model_dump(mode="json", include=set(_LINEAGE_KEYS))
    return ModelEntry(url=storage.redact(root), digest=card.digest, lineage=shown)


def publish_output(root: str, output: Output) -> None:
    """Make a translation visible as finished: the last step of all."""
    text = json.dumps(output.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    storage.publish_text(storage.join(root, OUTPUT_NAME), text + "\n")
