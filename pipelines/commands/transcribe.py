"""`seq2seq transcribe`: recordings in, their transcripts with times out, as one Beam job that can be resumed.

Short recordings are gathered to units, long ones cut at quiet places; a unit is read, recognised and committed as a
whole, and skipped when it is already committed with the same fingerprint. When all has been heard, a transcript is
written of each recording, in each format asked for, and `output.json` last. A recording that cannot be read keeps its
place and has a row in the ledger under `failures/`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import pydantic
from pydantic import Field

from pipelines.commands import here
from pipelines.commands.call import Call
from pipelines.local.workers import HERE, Workers
from seq2seq_core import config as configuration
from seq2seq_core import stopping, storage
from seq2seq_core.config import Location
from seq2seq_core.errors import IncompleteError
from seq2seq_core.inference.commit import OnError
from seq2seq_core.inference.folder import FAILURE_FOLDER, KEPT_NAMES
from seq2seq_core.inference.manifest import Provenance, doubts_of
from seq2seq_core.inference.speech.config import TranscriberConfig, describe_speech_model
from seq2seq_core.inference.speech.inputs import find_recordings
from seq2seq_core.inference.speech.job import TranscriptionJob
from seq2seq_core.inference.speech.terms import HEARD_FOLDER
from seq2seq_core.inference.transcripts import table
from seq2seq_core.inference.transcripts.table import FormatName
from seq2seq_core.machine import usable_cores
from seq2seq_core.progress import clock
from seq2seq_core.software import versions
from seq2seq_core.terminal import say

_SOFTWARE = ("seq2seq", "apache-beam", "numpy", "soundfile", "soxr", "onnxruntime", "silero-vad")
_CHANGES_NO_RESULT = frozenset({"output"})
_SMALL_BYTES = 16 << 20
_WORK = ("seq2seq_core.inference.speech.work", "seq2seq_core.inference.speech.writing")


class TranscribeConfig(TranscriberConfig):
    """What `seq2seq transcribe` reads, how it transcribes, and where the transcripts go."""

    input: tuple[Location, ...] = Field(min_length=1, description="files, globs, folders or URLs of audio")
    output: Location = Field(description="folder of the transcripts, a path or URL")
    format: tuple[FormatName, ...] = Field(
        (table.DEFAULT,), min_length=1, description="of the transcripts, one or several"
    )
    on_error: OnError = Field(
        "keep", description="a recording that cannot be transcribed: keep its place and go on, or fail: end the run"
    )
    unit_seconds: int = Field(
        600, ge=10, le=86_400, description="about so much audio is recognised and committed together"
    )

    @pydantic.model_validator(mode="after")
    def _every_format_once(self) -> Self:
        if len(set(self.format)) < len(self.format):
            raise ValueError(f"format names one twice: {', '.join(self.format)}")
        return self


@dataclass(frozen=True)
class TranscribeResult:
    """How a run ended: `records_out = records_in`, of which `failed` were not transcribed; see `Transcription`."""

    output: str
    records_in: int
    records_out: int
    failed: int
    audio_seconds: float
    skipped_units: int
    cut: int
    looping: int
    real_time_factor: float | None

    def summary(self) -> str:
        """The last line a user reads."""
        speed = f" at {self.real_time_factor:.3f} of real time a process" if self.real_time_factor else ""
        text = (
            f"{self.records_out:,} recordings of {clock(self.audio_seconds)} transcribed to {self.output}{speed} "
            f"({self.skipped_units:,} units were finished before)"
        )
        doubts = doubts_of("segments", self.cut, self.looping)
        return f"{text}; {doubts}" if doubts else text


def main(call: Call) -> int:
    """Recordings through a model."""
    config = call.load(TranscribeConfig)
    if not here.is_described("pipelines.graphs.transcribe", lambda: make_job(config), call.beam_options()):
        say(run(config, call.beam_options()).summary())
    return 0


def run(config: TranscribeConfig, beam_arguments: Sequence[str] = ()) -> TranscribeResult:
    """Transcribe all inputs; what an earlier run of the same configuration has finished is not done again.

    Args:
        config: What to do.
        beam_arguments: Beam's own options; the runner is the local one unless they name another. They also say how many
            workers do it: where they do not, each core gets a process, and a GPU one.

    Raises:
        IncompleteError: All is written, but some recordings could not be transcribed.
        ClaimError: Another transcription is at work in the output folder.
        Seq2SeqError: See `make_job`, and `seq2seq_core.errors` for what workers meet.
    """
    is_here = here.is_here(beam_arguments)
    job = make_job(config)
    with _workers(job, beam_arguments) if is_here else contextlib.nullcontext() as workers:
        with stopping.interrupts_wait():
            from pipelines.graphs import transcribe as graph

        output, skipped = graph.run(_sharing_cores(job, workers), workers, beam_arguments)
    if output.failed:
        raise IncompleteError(
            f"{output.failed:,} of {output.records_in:,} recordings were not transcribed, or not all of them; "
            "their places are kept",
            where=storage.redact(config.output),
            found=doubts_of("segments", output.cut, output.looping),
            advice=f"See {storage.redact(storage.join(config.output, FAILURE_FOLDER))} for the reasons.",
        )
    return TranscribeResult(
        output=config.output,
        records_in=output.records_in,
        records_out=output.records_out,
        failed=output.failed,
        audio_seconds=output.audio_seconds,
        skipped_units=skipped,
        cut=output.cut,
        looping=output.looping,
        real_time_factor=output.measured.real_time_factor if output.measured else None,
    )


def make_job(config: TranscribeConfig) -> TranscriptionJob:
    """List the files and look at the model: all that can be wrong before any work starts.

    Raises:
        Seq2SeqError: No such input, two inputs of one output, no model that hears.
    """
    kept = (*KEPT_NAMES, HEARD_FOLDER)
    transcriber = TranscriberConfig(**{name: getattr(config, name) for name in TranscriberConfig.model_fields})
    return TranscriptionJob(
        output=config.output,
        provenance=provenance_of(config),
        files=tuple(find_recordings(config.input, config.format, config.output, kept)),
        formats=config.format,
        unit_seconds=config.unit_seconds,
        on_error=config.on_error,
        transcriber=transcriber.resolved,
    )


def provenance_of(config: TranscribeConfig) -> Provenance:
    """The model, and the digest of all that shapes what is heard; a ModelError when there is no model that hears."""
    model = describe_speech_model(config)
    identity = json.dumps([model.digest, config.identity()], sort_keys=True)
    return Provenance(
        fingerprint=storage.digest_bytes(identity.encode()),
        model=model,
        configuration=configuration.redacted(config.resolved, without=_CHANGES_NO_RESULT),
        software=versions((*_SOFTWARE, *config.engine.software)),
    )


def _workers(job: TranscriptionJob, beam_arguments: Sequence[str]) -> contextlib.AbstractContextManager[Workers]:
    """As many processes, and units at a time in each, as the engine is fastest with."""
    work = here.Work([file.url for file in job.files], job.output, _SMALL_BYTES, _WORK)
    processes, in_each = job.transcriber.engine.side_by_side(usable_cores())
    return here.workers(work, processes, beam_arguments, in_each)


def _sharing_cores(job: TranscriptionJob, workers: Workers | None) -> TranscriptionJob:
    """The cores of this machine, shared out among processes that stand side by side on it."""
    if workers is None or workers is HERE:
        return job
    engine = job.transcriber.engine
    cores = usable_cores()
    shared = engine.on_cores(max(1, cores // engine.side_by_side(cores).processes))
    return replace(job, transcriber=job.transcriber.model_copy(update={"engine": shared}))
