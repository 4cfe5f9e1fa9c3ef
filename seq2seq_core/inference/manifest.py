"""What `output.json` holds: inputs and their outputs, the model and the options that made them; read and published."""

from __future__ import annotations

import json
from typing import Any, ClassVar, TypeVar

import pydantic

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, unreadable_record
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.folder import OUTPUT_NAME
from seq2seq_core.inference.memory.given import GivenFile

FORMAT_VERSION = 1


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
    flagged: int = 0
    outputs: tuple[UnitEntry, ...]


class Provenance(_Entry):
    """Where all outputs of a run come from: the model, and the resolved configuration.

    `fingerprint` names the model and those options that shape the output; `given` the files of translations that went
    before the model.
    """

    fingerprint: str
    model: ModelEntry
    given: tuple[GivenFile, ...] = ()
    configuration: dict[str, Any]
    software: dict[str, str]


class Finished(_Entry):
    """What all output folders tell: `records_out = records_in`, of which `failed` have no answer.

    The outputs of `cut` records ended at the length limit, those of `looping` ones repeat themselves.
    """

    called: ClassVar[str]

    format_version: int = FORMAT_VERSION
    fingerprint: str
    model: ModelEntry
    records_in: int
    records_out: int
    failed: int
    cut: int = 0
    looping: int = 0
    configuration: dict[str, Any]
    software: dict[str, str]


def doubts_of(outputs: str, cut: int, looping: int) -> str | None:
    """How many of the outputs ended at the length limit or repeat themselves; None where all are sound."""
    counts = ((cut, "cut at the length limit"), (looping, "repeating themselves"))
    told = [f"{count:,} {what}" for count, what in counts if count]
    return f"of the {outputs} {' and '.join(told)}" if told else None


class Output(Finished):
    """All of a folder of translations."""

    called: ClassVar[str] = "translation"

    given: tuple[GivenFile, ...] = ()
    flagged: int = 0
    inputs: tuple[TranslatedInput, ...]

    @property
    def units(self) -> list[UnitEntry]:
        """The outputs of all inputs, in order."""
        return [unit for entry in self.inputs for unit in entry.outputs]


class TranscribedInput(_Entry):
    """A recording as it was read (`fingerprint` is xxh3-128 of its bytes), and what was heard in it.

    Attributes:
        seconds: Its length; 0 where it cannot be read.
        speech: So many of them are speech.
        words: Of its transcript.
        failed: Whether it, or a part of it, was not transcribed: see the ledger of failures.
        cut: Pieces of speech whose output ended at the length limit, rather than by itself.
        looping: Those whose output said the same over and over.
        outputs: Its transcripts, relative to the output folder; several inputs may share one.
    """

    url: str
    bytes: int
    fingerprint: str
    rate: int
    channels: int
    seconds: float
    speech: float
    words: int
    failed: bool
    cut: int = 0
    looping: int = 0
    outputs: tuple[str, ...]


class Measured(_Entry):
    """What the work took, of the last run that had any: its time follows the machine, so no other digest counts it.

    Attributes:
        audio_seconds: Recordings that were recognised in this run.
        seconds: What that took, of all processes together.
        real_time_factor: Seconds a second of audio, of one process.
    """

    audio_seconds: float
    seconds: float
    real_time_factor: float


class Transcription(Finished):
    """All of a folder of transcripts: a record is a recording, and `cut` and `looping` count pieces of speech."""

    called: ClassVar[str] = "transcription"

    audio_seconds: float
    speech_seconds: float
    measured: Measured | None
    inputs: tuple[TranscribedInput, ...]
    outputs: tuple[UnitEntry, ...]

    @property
    def units(self) -> list[UnitEntry]:
        """The transcripts of all inputs, in order."""
        return list(self.outputs)


AnyOutput = Output | Transcription


def load_output(root: str) -> Output:
    """Read the manifest of a folder of translations.

    Raises:
        DatasetError: There is none (the translation did not finish), or it is not one of ours.
    """
    return _load(root, Output, "translation", "translate")


def load_transcription(root: str) -> Transcription:
    """Read the manifest of a folder of transcripts; see `load_output` for the errors."""
    return _load(root, Transcription, "transcription", "transcribe")


def load_any(root: str) -> AnyOutput:
    """Read the manifest of either; see `load_output` for the errors."""
    return _load(root, pydantic.RootModel[AnyOutput], "output", "COMMAND").root


M = TypeVar("M", bound=pydantic.BaseModel)


def _load(root: str, kind: type[M], called: str, command: str) -> M:
    url = storage.join(root, OUTPUT_NAME)
    if not storage.exists(url):
        raise DatasetError(
            f"no finished {called} stands here",
            where=storage.redact(root),
            expected=f"a file {OUTPUT_NAME}",
            advice=f"Run the same `seq2seq {command}` again: it carries on from what is finished.",
        )
    try:
        return kind.model_validate_json(storage.read_bytes(url))
    except pydantic.ValidationError as error:
        found = str(error).splitlines()[0]
        raise unreadable_record(DatasetError, "the manifest", storage.redact(url), found) from None


def publish_output(root: str, output: AnyOutput) -> None:
    """Make an output visible as finished: the last step of all."""
    text = json.dumps(output.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    storage.publish_text(storage.join(root, OUTPUT_NAME), text + "\n")
