"""`seq2seq report`: a dataset, a run and translations in, one self-contained HTML page out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import pydantic
from pydantic import Field, model_validator

from pipelines.commands.call import Call
from seq2seq_core.config import Config, Location
from seq2seq_core.terminal import say
from seq2seq_core.text import transcripts

if TYPE_CHECKING:
    from seq2seq_core.dataset.reader import Dataset
    from seq2seq_core.report.data import AttentionMap, Example, ProgressRow, ReportData
    from seq2seq_core.report.metrics import Metrics


class ReportConfig(Config):
    """What a report shows; what is not given is left out."""

    output: Location = Field(description="the HTML file")
    title: str = Field("seq2seq", description="heading of the page")
    dataset: Location | None = Field(
        None, description="dataset folder: ledger, lengths, text, rows to look at, rejects, inputs"
    )
    run: Location | None = Field(
        None, description="run folder: curves of loss, scores and speed, and outputs over time where they were kept"
    )
    beside: Location | None = Field(None, description="another run folder, whose curves stand beside those of run")
    model: Location | None = Field(None, description="model folder: lineage, and the attention of one example")
    sources: tuple[Location, ...] = Field((), description="text files that were translated")
    hypotheses: tuple[Location, ...] = Field((), description="their translations; or transcripts, see task")
    references: tuple[Location, ...] = Field((), description="their references")
    translated: Location | None = Field(
        None, description="output folder of `translate`: counts, failures, flagged outputs, lengths, speed, files"
    )
    task: Literal["text", "asr"] = Field(
        "text", description="asr: hypotheses and references are transcripts, as `score` takes them, without sources"
    )
    language: Annotated[str, pydantic.AfterValidator(transcripts.check_language)] = Field(
        transcripts.ANY_LANGUAGE, description="that of the transcripts (asr)"
    )
    examples: int = Field(10, ge=0, le=1 << 20, description="translations to show")

    @model_validator(mode="after")
    def _there_is_a_run_beside(self) -> Self:
        if self.beside is not None and self.run is None:
            raise ValueError("beside is a second run: name the first one in run")
        return self

    @model_validator(mode="after")
    def _translations_are_whole(self) -> Self:
        names = ("sources", "hypotheses", "references")[self.task == "asr" :]
        if self.task == "asr" and self.sources:
            raise ValueError("sources are for text that was translated; found task asr")
        given = {name: bool(getattr(self, name)) for name in names}
        if len(set(given.values())) > 1:
            missing = ", ".join(name for name, is_given in given.items() if not is_given)
            raise ValueError(f"{', '.join(names[:-1])} and {names[-1]} belong together; found no {missing}")
        return self


def main(call: Call) -> int:
    """A dataset, a run and translations on one page."""
    config = call.load(ReportConfig)
    write(config)
    say(f"{config.output} is written")
    return 0


def write(config: ReportConfig) -> tuple[Example, ...]:
    """Publish the page and return the examples it shows.

    Raises:
        ForeignFileError: A file of somebody else stands where the page would go.
        Seq2SeqError: A folder or file is missing or damaged, or the files differ in their number of lines.
    """
    from seq2seq_core import storage
    from seq2seq_core.preparation.planning.traces import check_page
    from seq2seq_core.report.page import render

    check_page(config.output)
    data = collect(config)
    storage.publish_text(config.output, render(data))
    return data.examples


def collect(config: ReportConfig) -> ReportData:
    """Read all that the page shows; see `write` for the errors."""
    from seq2seq_core import storage
    from seq2seq_core.dataset.reader import Dataset
    from seq2seq_core.report.corpus.corpus import look_at_corpus
    from seq2seq_core.report.data import ReportData
    from seq2seq_core.report.lineage import lineage_of
    from seq2seq_core.report.metrics import load_metrics
    from seq2seq_core.report.output_folder import look_at_output
    from seq2seq_core.report.translations import read_transcripts, read_translations, spread

    dataset = Dataset.open(config.dataset) if config.dataset else None
    if config.task == "asr":
        translated = read_transcripts(config.hypotheses, config.references, config.language)
    else:
        translated = read_translations(config.sources, config.hypotheses, config.references)
    return ReportData(
        title=config.title,
        manifest=dataset.manifest if dataset else None,
        corpus=look_at_corpus(dataset) if dataset else None,
        metrics=load_metrics(storage.join(config.run, "metrics.jsonl")) if config.run else None,
        other=_beside(config.beside) if config.beside else None,
        progress=_progress(config.run, dataset, config.examples) if config.run else (),
        scores=translated.scores,
        examples=spread(translated.rows, config.examples),
        attention=_attention(config.model, translated.rows) if config.model and config.sources else None,
        translation=look_at_output(config.translated, config.examples) if config.translated else None,
        lineage=lineage_of(config.model) if config.model else (),
    )


def _beside(run: str) -> tuple[str, Metrics]:
    from seq2seq_core import storage
    from seq2seq_core.report.metrics import load_metrics

    return storage.name_of(run), load_metrics(storage.join(run, "metrics.jsonl"))


def _progress(run: str, dataset: Dataset | None, rows: int) -> tuple[ProgressRow, ...]:
    from seq2seq_core.report.progress_rows import read_progress

    references = dataset.texts("valid", "target") if dataset and "valid" in dataset.manifest.splits else []
    return read_progress(run, references[:rows], rows)


def _attention(model: str, rows: tuple[Example, ...]) -> AttentionMap | None:
    from seq2seq_core.engines import table as engines
    from seq2seq_core.report.attention import attention_map

    return attention_map(engines.DEFAULT.load(model), rows)
