"""`seq2seq translate`: documents in, their translations out in the same formats, as one Beam job that can be resumed.

Inputs are cut into units; each is read, translated and committed as a whole, and skipped when it is already committed
with the same fingerprint. `output.json` is published last. A record that cannot be translated keeps its place and has
a row in the ledger under `failures/`.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Literal, Self

import pydantic
from pydantic import Field

from pipelines.commands import here
from pipelines.commands.call import STANDARD_INPUT, Call
from pipelines.local.workers import HERE, Workers
from seq2seq_core import config as configuration
from seq2seq_core import stopping, storage
from seq2seq_core.config import Location
from seq2seq_core.documents.fields import MEASURED, OF_PIECES, QUALITY, SCORED, Extra, Fields, Handling
from seq2seq_core.documents.formats.inputs import find_inputs, refuse_collisions
from seq2seq_core.documents.formats.table import FORMATS, FormatName, format_of
from seq2seq_core.documents.outputs.table import OUTPUTS, OutputName, written_as
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.errors import ConfigError, IncompleteError
from seq2seq_core.inference.commit import OnError
from seq2seq_core.inference.folder import FAILURE_FOLDER, FLAG_FOLDER, KEPT_NAMES
from seq2seq_core.inference.job import TranslationJob
from seq2seq_core.inference.manifest import Provenance, doubts_of
from seq2seq_core.inference.memory import settling
from seq2seq_core.inference.memory.given import index
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model, given_by
from seq2seq_core.machine import usable_cores
from seq2seq_core.software import versions
from seq2seq_core.terminal import binary, say

_log = logging.getLogger(__name__)
_SOFTWARE = ("seq2seq", "apache-beam", "numpy", "pyarrow", "sentencepiece")
_UNKNOWN = "und"
_CHANGES_NO_RESULT = frozenset({"output", "memory", "max_failed_share", "retry_failures"})
_SMALL_BYTES = 1 << 16
_WORK = ("seq2seq_core.inference.work",)
_SUFFIXES = ", ".join(suffix for described in FORMATS.values() for suffix in described.suffixes)
_WITH_FIELDS = ", ".join(described.called for described in FORMATS.values() if described.has_fields)


class TranslateConfig(TranslatorConfig):
    """What `seq2seq translate` reads, how it translates, and where the translations go."""

    input: tuple[Location, ...] = Field(
        min_length=1, description="files, globs, folders or URLs; text formats also with .gz, .zst, .bz2, .xz"
    )
    output: Location = Field(description="folder of the translations, a path or URL")
    format: Literal["auto"] | FormatName = Field(
        "auto", description=f"auto: by the suffix ({_SUFFIXES}; a language like .en: a text a line)"
    )
    text_field: str = Field(
        "text",
        min_length=1,
        description=f"{_WITH_FIELDS}: the field to translate; dots reach inside, a number picks from a list, "
        "a star joins it",
    )
    output_field: str = Field("translation", min_length=1, description=f"{_WITH_FIELDS}: the field that is added")
    include: tuple[Extra, ...] = Field(
        (), description=f"{_WITH_FIELDS}: more fields to add, named OUTPUT_FIELD_score and so on"
    )
    output_format: Literal["same"] | OutputName = Field(
        "same", description="same: that of the input; others have a row a record, and what else the input held is left"
    )
    languages: tuple[str, str] | None = Field(
        None, description="TMX: the languages of texts and translations; default: source_language, target_language"
    )
    html_attributes: tuple[str, ...] = Field(
        (), description="HTML: attributes whose values are translated, too, such as alt and title"
    )
    existing: Literal["keep", "replace"] = Field("keep", description="XLIFF, PO: translations that stand there already")
    on_error: OnError = Field(
        "keep", description="a record that cannot be translated: keep its place and go on, or fail: end the run"
    )
    max_failed_share: float = Field(
        1.0, ge=0, le=1, description="share of all records that may fail before the run ends with an error"
    )
    retry_failures: bool = Field(
        False, description="do the records of finished units again that failed, and leave all others as they are"
    )
    unit_records: int = Field(2000, ge=1, le=1 << 31, description="records that are translated and committed together")
    unit_megabytes: int = Field(
        64, ge=1, le=1 << 20, description="a unit ends earlier when its text reaches this size, in MiB"
    )

    @pydantic.model_validator(mode="after")
    def _asks_for_what_it_keeps(self) -> Self:
        if self.search.n_best > 1 and not self._keeps_n_best and self.choose == "score":
            raise ValueError(f"search.n_best is {self.search.n_best}, but include is {self.include}: add n_best to it")
        for where, search in self.searches.items():
            if search.align:
                raise ValueError(f"{where}.align is true, but no output format keeps it")
            for name in OF_PIECES:
                if getattr(search, name) and name not in self.include:
                    raise ValueError(f"{where}.{name} is true, but include does not name it: add {name}")
                if name in self.include and not getattr(search, name):
                    raise ValueError(f"include names {name}, which a search keeps when it is told: set {where}.{name}")
        wanted = MEASURED.intersection(self.include)
        if wanted and not self.quality:
            raise ValueError(f"include names {min(wanted)}, which is measured with quality alone: set quality")
        if len(set(self.include)) < len(self.include):
            raise ValueError(f"include names a field twice: {', '.join(self.include)}")
        return self

    @property
    def fields(self) -> Fields:
        """The fields that are read and added."""
        measured = tuple(name for name in QUALITY if name not in self.include) if self.quality else ()
        prefix = self.demands.prefix_field
        return Fields(self.text_field, self.output_field, self.include + measured, self._handling, prefix)

    @property
    def shows_scores(self) -> bool:
        """Whether the scores of outputs are written."""
        return not SCORED.isdisjoint(self.fields.extra) or self._keeps_n_best

    @property
    def _keeps_n_best(self) -> bool:
        output = OUTPUTS.get(self.output_format)
        return "n_best" in self.include or (output is not None and output.keeps_n_best)

    @property
    def _handling(self) -> Handling:
        output = OUTPUTS.get(self.output_format)
        names_languages = output is not None and output.names_languages
        known = (self.languages or (self.source_language, self.target_language)) if names_languages else ()
        source, target = (language or _UNKNOWN for language in known or (None, None))
        return Handling(self.html_attributes, self.existing == "replace", (source, target))

    @property
    def unit_size(self) -> UnitSize:
        """Where inputs are cut."""
        return UnitSize(self.unit_records, self.unit_megabytes << 20)


@dataclass(frozen=True)
class TranslateResult:
    """How a run ended: `records_out = records_in`, of which `failed` were not translated; see `output.Output`."""

    output: str
    records_in: int
    records_out: int
    failed: int
    units: int
    skipped_units: int
    cut: int
    looping: int
    flagged: int = 0

    def summary(self, did: str = "translated") -> str:
        """The last line a user reads; `did` is what was done."""
        text = (
            f"{self.records_out:,} records of {self.units:,} units {did} to {self.output} "
            f"({self.skipped_units:,} units were finished before)"
        )
        doubts = doubts_of("outputs", self.cut, self.looping)
        flagged = f"{self.flagged:,} are flagged, see {FLAG_FOLDER}/" if self.flagged else None
        return "; ".join(part for part in (text, doubts, flagged) if part)


def main(call: Call) -> int:
    """Documents, or the lines of standard input, through a model."""
    if call.words:
        return _filter_lines(call)
    return start(call.load(TranslateConfig), call.beam_options())


def start(config: TranslateConfig, beam_arguments: Sequence[str], did: str = "translated") -> int:
    """Run it and say what was done, or describe it where Beam's options ask for that; the exit code."""
    if not here.is_described("pipelines.graphs.translate", lambda: make_job(config), beam_arguments):
        say(run(config, beam_arguments, did).summary(did))
    return 0


def run(config: TranslateConfig, beam_arguments: Sequence[str] = (), did: str = "translated") -> TranslateResult:
    """Translate all inputs; what an earlier run of the same configuration has finished is not done again.

    Args:
        config: What to do.
        beam_arguments: Beam's own options; the runner is the local one unless they name another. They also say how many
            workers do it: where they do not, the engine says how many processes there are.
        did: What is done to records, as messages say it.

    Raises:
        IncompleteError: All is written, but some records could not be translated.
        ClaimError: Another translation is at work in the output folder.
        Seq2SeqError: See `make_job`, and `seq2seq_core.errors` for what workers meet.
    """
    is_here = here.is_here(beam_arguments)
    job = make_job(config)  # what is wrong there is told before Beam is imported, which takes long
    with _workers(job, beam_arguments) if is_here else contextlib.nullcontext() as workers:
        with stopping.interrupts_wait():
            from pipelines.graphs import translate as graph

        shared = None if workers is HERE else workers  # this thread is Beam's own, too
        with _remembering(config.memory.url):
            output, skipped = graph.run(_sharing_cores(job, shared), shared, beam_arguments)
    if output.failed:
        raise IncompleteError(
            f"{output.failed:,} of {output.records_in:,} records were not {did}; their places are kept",
            where=storage.redact(config.output),
            found=doubts_of("outputs", output.cut, output.looping),
            advice=f"See {storage.redact(storage.join(config.output, FAILURE_FOLDER))} for the reasons.",
        )
    return TranslateResult(
        output=config.output,
        records_in=output.records_in,
        records_out=output.records_out,
        failed=output.failed,
        units=len(output.units),
        skipped_units=skipped,
        cut=output.cut,
        looping=output.looping,
        flagged=output.flagged,
    )


@contextlib.contextmanager
def _remembering(memory: str | None) -> Iterator[None]:
    """Put what a memory has become in order when the block ends well, and say what it is."""
    before = settling.count(memory) if memory else 0
    yield
    if memory:
        settling.settle(memory)
        _log.info("%s", settling.told(memory, before))


def make_job(config: TranslateConfig) -> TranslationJob:
    """List the files and look at the model: all that can be wrong before any work starts.

    Raises:
        Seq2SeqError: No such input, two inputs of one output, no model.
    """
    config = config.resolved
    given = given_by(config)
    if given is not None:
        index(given)
    return TranslationJob(
        output=config.output,
        files=tuple(_find_files(config)),
        size=config.unit_size,
        fields=config.fields,
        on_error=config.on_error,
        translator=config if config.shows_scores else config.unscored(),
        provenance=provenance_of(config),
        retries=config.retry_failures,
        most_failed=config.max_failed_share,
    )


def provenance_of(config: TranslateConfig) -> Provenance:
    """The model, and the digest of all that shapes every output; a ModelError when there is no model."""
    model = describe_model(config)
    fields: list[object] = [config.text_field, config.output_field, config.include]
    if config.fields.handling != Handling():
        fields.append(astuple(config.fields.handling))
    if config.output_format in OUTPUTS:
        fields.append(config.output_format)
    if config.demands.prefix_field is not None:
        fields.append({"prefix": config.demands.prefix_field})
    identity = json.dumps([model.digest, config.identity(), fields], sort_keys=True)
    return Provenance(
        fingerprint=storage.digest_bytes(identity.encode()),
        model=model,
        given=given.files if (given := given_by(config)) else (),
        configuration=configuration.redacted(config, without=_CHANGES_NO_RESULT),
        software=versions((*_SOFTWARE, *config.engine.software)),
    )


def _workers(job: TranslationJob, beam_arguments: Sequence[str]) -> contextlib.AbstractContextManager[Workers]:
    """As many processes, and units at a time in each, as the engine is fastest with."""
    work = here.Work([file.url for file in job.files], job.output, _SMALL_BYTES, _WORK)
    processes, in_each = job.translator.engine.side_by_side(usable_cores())
    return here.workers(work, processes, beam_arguments, in_each)


def _sharing_cores(job: TranslationJob, workers: Workers | None) -> TranslationJob:
    """The cores of this machine, shared out among processes that stand side by side on it."""
    if workers is None:
        return job
    engine = job.translator.engine
    cores = usable_cores()
    shared = engine.on_cores(max(1, cores // engine.side_by_side(cores).processes))
    return replace(job, translator=job.translator.model_copy(update={"engine": shared}))


def _find_files(config: TranslateConfig) -> list[InputFile]:
    format_name = config.format if config.format in FORMATS else None
    files = find_inputs(config.input, format_name, config.output, KEPT_NAMES)
    output = OUTPUTS.get(config.output_format)
    if output is not None:
        files = [written_as(file, config.output_format) for file in files]
        refuse_collisions([(file.name, file.suffix, file.where) for file in files], KEPT_NAMES)
    bare = next((file for file in files if not (output or format_of(file)).has_fields), None)
    if bare is not None and config.include:
        raise ConfigError(
            f"this format has no place for more fields: {(output or format_of(bare)).called}",
            where=bare.where,
            found=f"include = {', '.join(config.include)}",
            advice=f"Give the texts in a format that has fields ({_WITH_FIELDS}), or leave include out.",
        )
    _refuse_prefixes(config, files)
    memory = config.memory.url
    inside = next((file for file in files if memory and storage.is_within(file.url, memory)), None)
    if inside is not None:
        advice = "Choose a folder outside the inputs."
        raise ConfigError("an input stands in the memory", where=inside.where, found=memory, advice=advice)
    return files


def _refuse_prefixes(config: TranslateConfig, files: Sequence[InputFile]) -> None:
    name = config.demands.prefix_field
    bare = next((file for file in files if name is not None and not format_of(file).has_fields), None)
    if bare is not None:
        raise ConfigError(
            f"this format has no fields to begin translations with: {format_of(bare).called}",
            where=bare.where,
            found=f"demands.prefix_field = {name}",
            advice=f"Give the texts in a format that has fields ({_WITH_FIELDS}), or leave it out.",
        )


def _filter_lines(call: Call) -> int:
    from pipelines.commands import filter_lines

    if call.words != (STANDARD_INPUT,) or call.engine_options is not None:
        raise ConfigError(
            f"unexpected argument {call.words[0]!r}", expected="- for standard input, or --input FILES --output FOLDER"
        )
    return filter_lines.translate_lines(call.load(filter_lines.FilterConfig), binary("stdin"), binary("stdout"))
