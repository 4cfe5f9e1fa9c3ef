"""`seq2seq demo`: the whole river on a corpus made on the spot; a folder with every stage and a report out."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.commands.call import Call
from pipelines.demo import pace
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.dataset.manifest import REPORT_NAME
from seq2seq_core.files.segments import read_segments
from seq2seq_core.machine import usable_cores
from seq2seq_core.preparation.planning.traces import check_page
from seq2seq_core.terminal import say
from seq2seq_core.training.launch import launch
from seq2seq_core.training.processes.place import refuse_launching

if TYPE_CHECKING:
    from seq2seq_core.report.data import Example

RECIPES = Path(__file__).parents[1] / "recipes" / "demo"
MOST_PROCESSES = 4

logger = logging.getLogger(__name__)


class DemoConfig(Config):
    """The demo: about 20,000 pairs of dates, times, numbers, currencies and units, English to German."""

    output: Location = Field("demo", description="folder of all that the demo makes; a second run carries on there")
    pairs: int = Field(20_000, ge=1000, le=10_000_000, description="clean training pairs")
    held_out_pairs: int = Field(500, ge=1, le=1_000_000, description="pairs of validation, and as many of test")
    seed: int = Field(1, ge=0, description="of the corpus")
    steps: int | None = Field(
        None, ge=1, le=1_000_000, description="steps of training; default: 1,200; fewer end sooner, at lower scores"
    )
    processes: int | None = Field(None, ge=1, le=1000, description="training processes; default: one a core, at most 4")
    train_options: tuple[str, ...] = Field((), description="further words for `seq2seq train`, such as [--seed, '2']")


def main(call: Call) -> int:
    """The whole river on a corpus made on the spot."""
    return run(call.load(DemoConfig))


def run(config: DemoConfig) -> int:
    """Run every stage that is not finished yet, print scores and examples, and write `report.html`.

    Returns:
        0, or the exit code of a training that did not end well.
    """
    refuse_launching()  # before the first stage, not at the third
    began = time.monotonic()
    stages = _Stages(config.output, config)
    check_room(config.output)
    if not storage.exists(storage.join(config.output, REPORT_NAME)):
        say(pace.measured(stages.processes).line(config.steps or pace.STEPS))
    stages.generate()
    stages.prepare()
    code = stages.train()
    if code:
        return code
    stages.translate()
    stages.report(began)
    return 0


class _Stages:
    """The stages of the demo, each of which leaves what is finished as it is."""

    def __init__(self, root: str, config: DemoConfig) -> None:
        self._root, self._config = root, config
        self.processes = config.processes or min(usable_cores(), MOST_PROCESSES)

    def generate(self) -> None:
        """The corpus: Moses files, dirt mixed in."""
        from pipelines.demo import corpus

        announce("1 of 5", "making a corpus from Unicode CLDR", self._at("corpus"))
        if not storage.exists(self._at("corpus", corpus.SUMMARY_NAME)):
            held_out, config = self._config.held_out_pairs, self._config
            corpus.generate(self._at("corpus"), config.pairs, config.seed, valid=held_out, test=held_out)

    def prepare(self) -> None:
        """The dataset, by Beam."""
        from pipelines.commands import prepare

        announce("2 of 5", "preparing it: clean, deduplicate, tokenize, shard", self._at("dataset"))
        pair = {side: {"source": self._corpus(side, "en"), "target": self._corpus(side, "de")} for side in _SPLITS}
        values: dict[str, Any] = {**pair["train"], "validation": pair["valid"], "test": pair["test"]}
        prepare.run(self._load(prepare.PrepareConfig, "prepare.yaml", {**values, "output": self._at("dataset")}))

    def train(self) -> int:
        """The run, by torchrun when there are several cores."""
        announce("3 of 5", f"training on it with {self.processes} processes", self._at("run"))
        options = ["--dataset", self._at("dataset"), "--output", self._at("run")]
        options += [*course(self._config.steps), *self._config.train_options]
        return launch(str(RECIPES / "train.yaml"), options, self.processes)

    def translate(self) -> None:
        """The held-out set, by Beam."""
        from pipelines.commands import translate

        announce("4 of 5", "translating the held-out set", self._at("translated"))
        values = {"model": self._at("run/best"), "input": [self._corpus("test", "en")]}
        translate.run(self._load(translate.TranslateConfig, None, {**values, "output": self._at("translated")}))

    def report(self, began: float) -> None:
        """Scores and examples on the terminal, everything on a page."""
        from pipelines.commands import report
        from seq2seq_core.metrics.translation import score

        announce("5 of 5", "scoring", self._at("report.html"))
        hypotheses, references = self._at("translated", "test.en-*.txt"), self._corpus("test", "de")
        settings = report.ReportConfig(
            output=self._at("report.html"),
            title="From CLDR to translations",
            dataset=self._at("dataset"),
            run=self._at("run"),
            model=self._at("run/best"),
            sources=(self._corpus("test", "en"),),
            hypotheses=(hypotheses,),
            references=(references,),
        )
        examples = report.write(settings)
        scores = score(read_segments([hypotheses]), read_segments([references]))
        _print_examples(examples)
        say(f"\nHeld-out set:\n{scores.table()}\n")
        say(f"The reference work took {pace.measured(self.processes).seconds:.2f} s now.")
        say_results(self._root, _RESULTS, began)

    def _at(self, *parts: str) -> str:
        return storage.join(self._root, *parts)

    def _corpus(self, split: str, side: str) -> str:
        return self._at("corpus", f"{split}.{side}")

    def _load(self, kind: type[configuration.C], recipe: str | None, values: Mapping[str, Any]) -> configuration.C:
        return configuration.load(kind, str(RECIPES / recipe) if recipe else None, values)


_SPLITS = ("train", "valid", "test")
_RESULTS = {
    "report.html": "everything on one page: open it in a browser",
    "dataset": "the prepared dataset        (seq2seq inspect ...)",
    "run": "checkpoints, metrics        (seq2seq inspect ...)",
    "run/best": "the model                   (echo ... | seq2seq translate - --model ...)",
    "translated": "the translated held-out set (seq2seq inspect ...)",
}


def check_room(root: str) -> None:
    """Refuse a folder in which somebody else's page stands; the stages look after their own files."""
    check_page(storage.join(root, REPORT_NAME))


def course(steps: int | None) -> list[str]:
    """The words for `seq2seq train` that make its whole course so many steps, with a validation at every quarter."""
    if steps is None:
        return []
    lengths = {"limits.max_steps": steps, "schedule.decay_steps": steps, "schedule.warmup_steps": min(100, steps // 5)}
    lengths["validation.every_steps"] = lengths["checkpoints.every_steps"] = -(-steps // 4)
    return [word for name, value in lengths.items() for word in (f"--{name}", str(value))]


def say_results(root: str, results: Mapping[str, str], began: float) -> None:
    """What lies where, and how long it took since a moment of `time.monotonic`."""
    say(f"In {(time.monotonic() - began) / 60:.1f} minutes. Results:")
    for name, what in results.items():
        say(f"  {storage.join(root, name):<28} {what}")


def announce(number: str, what: str, where: str) -> None:
    """What is done now."""
    say(f"\n[{number}] {what} -> {where}")


def _print_examples(examples: tuple[Example, ...]) -> None:
    for example in examples:
        say(f"  {'=' if example.is_exact else '!'} {example.source}\n    {example.hypothesis}")
        if not example.is_exact:
            say(f"    ({example.reference})")
