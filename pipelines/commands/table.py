"""The table of commands: each takes a Call, imports what it needs, does one thing and returns an exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from pipelines.call import STANDARD_INPUT, Call, Command
from seq2seq_core.config import Config, Location
from seq2seq_core.errors import ConfigError, Seq2SeqError
from seq2seq_core.strict import check_location
from seq2seq_core.terminal import binary, say

_PROCESSES = "--processes"
_MOST_PROCESSES = 1000
_DRY_RUN = ("--dry-run", "--dry_run")


class ScoreConfig(Config):
    """What `seq2seq score` compares."""

    hypotheses: tuple[Location, ...] = Field(
        min_length=1, description="text files or globs, a segment a line, in order"
    )
    references: tuple[Location, ...] = Field(
        min_length=1, description="text files or globs, a segment a line, in order"
    )
    tokenization: str = Field("13a", description="how BLEU finds words: 13a, intl, char, zh, ja-mecab, none, ...")
    lowercase: bool = Field(False, description="compare without case")
    json_output: bool = Field(False, description="print one JSON object instead of a table")


class InspectConfig(Config):
    """How closely `seq2seq inspect` looks."""

    verify: bool = Field(
        False, description="read every file, compare it with what its manifest says, and name the first difference"
    )


def run_prepare(call: Call) -> int:
    """Raw corpora to a dataset folder."""
    from pipelines.commands import dry_run, prepare

    call = replace(call, options=tuple(_take_strict(call.options)))
    if _is_dry(call.options):
        say(dry_run.run(call.load(dry_run.DryRunConfig)))
        return 0
    config = call.load(prepare.PrepareConfig)
    prepare.run(config, call.beam_options())
    from seq2seq_core.report import inspection

    say(inspection.describe(config.output))
    return 0


def run_train(call: Call) -> int:
    """A dataset folder to a run folder."""
    from seq2seq_core.training import launch

    options, processes = _take_processes(call.options)
    return launch.launch(call.config_file, options, processes)


def run_translate(call: Call) -> int:
    """Documents, or the lines of standard input, through a model."""
    if call.words:
        return _filter_lines(call)
    from pipelines import infer

    result = infer.run(call.load(infer.TranslateConfig), call.beam_options())
    say(result.summary())
    return 0


def run_score(call: Call) -> int:
    """Hypotheses against references."""
    from seq2seq_core.files.segments import read_segments
    from seq2seq_core.metrics import translation

    config = call.load(ScoreConfig)
    scores = translation.score(
        read_segments(config.hypotheses),
        read_segments(config.references),
        tokenize=config.tokenization,
        lowercase=config.lowercase,
    )
    say(json.dumps(scores.to_json()) if config.json_output else scores.table())
    return 0


def run_inspect(call: Call) -> int:
    """What a folder holds, in a page."""
    from seq2seq_core.report import inspection, verification

    if not call.words:
        raise ConfigError("a path is missing", expected="seq2seq inspect PATH")
    path, config = _location(call.words[0]), call.load(InspectConfig)
    try:
        say(inspection.describe(path))
    except Seq2SeqError:
        if config.verify:
            verification.verify(path)  # which names the damage exactly
        raise
    if config.verify:
        say(verification.verify(path))
    return 0


def run_report(call: Call) -> int:
    """A dataset, a run and translations on one page."""
    from pipelines import report

    config = call.load(report.ReportConfig)
    report.write(config)
    say(f"{config.output} is written")
    return 0


def run_demo(call: Call) -> int:
    """The whole river on a corpus made on the spot."""
    from pipelines.demo import run

    return run.run(call.load(run.DemoConfig))


def _filter_lines(call: Call) -> int:
    from pipelines import filter_lines

    if call.words != (STANDARD_INPUT,) or call.engine_options is not None:
        raise ConfigError(
            f"unexpected argument {call.words[0]!r}", expected="- for standard input, or --input FILES --output FOLDER"
        )
    return filter_lines.translate_lines(call.load(filter_lines.FilterConfig), binary("stdin"), binary("stdout"))


def _location(path: str) -> str:
    try:
        return check_location(path)
    except ValueError as error:
        raise ConfigError(str(error), found=repr(path)) from None


def _take_processes(options: tuple[str, ...]) -> tuple[list[str], int]:
    """Remove `--processes N` from the options: it says how to start, and is no key of the configuration."""
    words = [part for word in options for part in (word.split("=", 1) if word.startswith(f"{_PROCESSES}=") else [word])]
    if _PROCESSES not in words:
        return words, 1
    if words.count(_PROCESSES) > 1:
        raise ConfigError(f"{_PROCESSES} stands twice")
    at = words.index(_PROCESSES)
    value = words[at + 1] if at + 1 < len(words) else ""
    if not (value.isascii() and value.isdigit() and len(value) < len(str(_MOST_PROCESSES))):
        raise ConfigError(
            f"{_PROCESSES} needs a number", found=value or "nothing", expected=f"1 to {_MOST_PROCESSES - 1:,}"
        )
    return words[:at] + words[at + 2 :], int(value)


def _is_dry(options: Sequence[str]) -> bool:
    return any(option.split("=", 1)[0] in _DRY_RUN for option in options)


def _take_strict(options: tuple[str, ...]) -> Iterator[str]:
    """The options with `--strict`, which is short for `--on_error fail`, spelt out."""
    for option in options:
        yield from ("--on_error", "fail") if option == "--strict" else (option,)


def _prepare_config() -> type[Config]:
    from pipelines.commands.prepare import PrepareConfig

    return PrepareConfig


def _train_config() -> type[Config]:
    from seq2seq_core.training.config import TrainConfig

    return TrainConfig


def _translate_config() -> type[Config]:
    from pipelines.infer import TranslateConfig

    return TranslateConfig


def _report_config() -> type[Config]:
    from pipelines.report import ReportConfig

    return ReportConfig


def _demo_config() -> type[Config]:
    from pipelines.demo.run import DemoConfig

    return DemoConfig


_ENGINE = "Options of Beam stand after --, for instance: -- --runner=FlinkRunner --parallelism=8"

COMMANDS = {
    command.name: command
    for command in (
        Command(
            name="prepare",
            summary="Clean, deduplicate, split, tokenize and shard raw text to a dataset folder.",
            run=run_prepare,
            config=_prepare_config,
            usage="seq2seq prepare [--config FILE] [--dry-run [--sample N]] [--key value ...] [-- BEAM OPTIONS]",
            takes_engine_options=True,
            carries_on=lambda words: not _is_dry(words),
            notes="--dry-run writes nothing: it tries the rules on a sample (--sample N, default 10000 rows) and "
            f"prints what they reject.\n{_ENGINE}",
        ),
        Command(
            name="train",
            summary="Train a model on a dataset folder; the same command carries on where it stopped.",
            run=run_train,
            config=_train_config,
            usage="seq2seq train [--config FILE] [--processes N] [--key value ...]",
            carries_on=lambda _: True,
            notes="--processes N starts N processes on this machine; for more machines: "
            "torchrun ... -m seq2seq_core.training --config FILE",
        ),
        Command(
            name="translate",
            summary="Translate documents in bulk, resumably; `translate -` filters lines from stdin to stdout.",
            run=run_translate,
            config=_translate_config,
            usage="seq2seq translate [-] --model FOLDER [--input FILES --output FOLDER] [-- BEAM OPTIONS]",
            positional=1,
            takes_engine_options=True,
            carries_on=lambda words: STANDARD_INPUT not in words,
            notes=_ENGINE,
        ),
        Command(
            name="score",
            summary="BLEU and chrF with sacreBLEU's signatures, and exact matches.",
            run=run_score,
            config=lambda: ScoreConfig,
            usage="seq2seq score --hypotheses FILES --references FILES",
        ),
        Command(
            name="inspect",
            summary="Say what a dataset, run, model or output folder holds.",
            run=run_inspect,
            config=lambda: InspectConfig,
            usage="seq2seq inspect PATH [--verify]",
            positional=1,
            switches=("verify",),
        ),
        Command(
            name="report",
            summary="Write one HTML page about a dataset, a run and its translations.",
            run=run_report,
            config=_report_config,
            usage="seq2seq report --output FILE.html [--dataset FOLDER] [--run FOLDER] [--model FOLDER] ...",
        ),
        Command(
            name="demo",
            summary="Make a corpus, prepare, train, translate, score and report, in a few minutes.",
            run=run_demo,
            config=_demo_config,
            usage="seq2seq demo [--output FOLDER]",
            carries_on=lambda _: True,
        ),
    )
}
