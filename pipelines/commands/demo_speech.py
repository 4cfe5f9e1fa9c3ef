"""`seq2seq demo-speech`: the whole river on speech made on the spot; a folder with every stage and a report out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from pipelines.commands.call import Call
from pipelines.commands.demo import MOST_PROCESSES, announce, check_room, course, say_results
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.dataset.schema import Split
from seq2seq_core.machine import usable_cores
from seq2seq_core.terminal import say
from seq2seq_core.training.launch import launch
from seq2seq_core.training.processes.place import refuse_launching

RECIPES = Path(__file__).parents[1] / "recipes" / "demo_speech"

_LANGUAGE = "en"
_EXAMPLES = 6
_RESULTS = {
    "report.html": "everything on one page: open it in a browser",
    "corpus": "what was spoken, and its manifests",
    "dataset": "the prepared dataset         (seq2seq inspect ...)",
    "run": "checkpoints, metrics         (seq2seq inspect ...)",
    "run/best": "the model                    (seq2seq transcribe --model ...)",
    "transcripts": "those of the held-out voices (seq2seq inspect ...)",
    "long": "the long recording, as JSON with times and as subtitles",
}


class DemoSpeechConfig(Config):
    """The demo of speech: English sentences that espeak-ng says in many voices and speeds, with noise."""

    output: Location = Field("demo-speech", description="folder of all that the demo makes; a second run goes on there")
    utterances: int = Field(3000, ge=1, le=1_000_000, description="spoken sentences to train on")
    held_out_utterances: int = Field(
        100, ge=1, le=100_000, description="those of validation, and as many of test: other sentences, other voices"
    )
    minutes: int = Field(5, ge=1, le=600, description="length of the recording of the whole test, with pauses")
    seed: int = Field(1, ge=0, description="of the corpus")
    steps: int | None = Field(
        None, ge=1, le=1_000_000, description="steps of training; default: 1,600; fewer end sooner, at more errors"
    )
    processes: int | None = Field(None, ge=1, le=1000, description="training processes; default: one a core, at most 4")
    train_options: tuple[str, ...] = Field((), description="further words for `seq2seq train`, such as [--seed, '2']")


def main(call: Call) -> int:
    """The whole river on speech made on the spot."""
    return run(call.load(DemoSpeechConfig))


def run(config: DemoSpeechConfig) -> int:
    """Run every stage that is not finished yet, print error rates and examples, and write `report.html`.

    Returns:
        0, or the exit code of a training that did not end well.
    """
    refuse_launching()  # before the first stage, not at the third
    began = time.monotonic()
    check_room(config.output)
    stages = _Stages(config.output, config)
    stages.speak()
    stages.prepare()
    code = stages.train()
    if code:
        return code
    stages.transcribe()
    stages.transcribe_long()
    stages.report(began)
    return 0


class _Stages:
    """The stages of the demo, each of which leaves what is finished as it is."""

    def __init__(self, root: str, config: DemoSpeechConfig) -> None:
        self._root, self._config = root, config

    def speak(self) -> None:
        """The corpus: FLAC files and manifests."""
        from pipelines.demo.speech import spoken
        from pipelines.local import pool

        announce("1 of 6", "speaking sentences in many voices (espeak-ng)", self._at("corpus"))
        if storage.exists(self._at("corpus", spoken.SUMMARY_NAME)):
            return
        config = self._config
        held_out = config.held_out_utterances
        counts: dict[Split, int] = {"train": config.utterances, "valid": held_out, "test": held_out}
        with pool.started(usable_cores(), spoken.WORK) as workers:
            made = spoken.generate(self._at("corpus"), counts, config.minutes, config.seed, workers)
        say(", ".join(f"{split}: {made.utterances[split]:,} ({hours:.2f} h)" for split, hours in made.hours.items()))

    def prepare(self) -> None:
        """The dataset, by Beam."""
        from pipelines.commands import prepare

        announce("2 of 6", "preparing it: decode, clean, split into pieces, shard", self._at("dataset"))
        train, valid, test = (self._manifest(split) for split in ("train", "valid", "test"))
        values = {"corpora": [train], "validation": valid, "test": test, "output": self._at("dataset")}
        prepare.run(self._load(prepare.PrepareConfig, "prepare.yaml", values))

    def train(self) -> int:
        """The run, by torchrun when there are several cores."""
        processes = self._config.processes or min(usable_cores(), MOST_PROCESSES)
        announce("3 of 6", f"training on it with {processes} processes", self._at("run"))
        options = ["--dataset", self._at("dataset"), "--output", self._at("run")]
        options += [*course(self._config.steps), *self._config.train_options]
        return launch(str(RECIPES / "train.yaml"), options, processes)

    def transcribe(self) -> None:
        """The held-out voices, an utterance a file."""
        announce("4 of 6", "transcribing voices that were not heard before", self._at("transcripts"))
        self._transcribe(self._at("corpus", "audio", "test-*.flac"), "transcripts", "jsonl")

    def transcribe_long(self) -> None:
        """All of them in one recording, with pauses and noise."""
        announce("5 of 6", f"transcribing a recording of {self._config.minutes} minutes", self._at("long"))
        self._transcribe(self._at("corpus", f"{self._long}.flac"), "long", "json", "srt")

    def report(self, began: float) -> None:
        """Error rates and examples on the terminal, everything on a page."""
        from pipelines.commands import report

        announce("6 of 6", "scoring", self._at("report.html"))
        examples = report.write(
            report.ReportConfig(
                output=self._at("report.html"),
                title="From voices to transcripts",
                dataset=self._at("dataset"),
                run=self._at("run"),
                model=self._at("run/best"),
                task="asr",
                language=_LANGUAGE,
                hypotheses=(self._at("transcripts", "*.jsonl"),),
                references=(self._at("corpus", "test.jsonl"),),
            )
        )
        for example in examples[:_EXAMPLES]:
            say(f"  {example.source}  {example.hypothesis}\n    ({example.reference})")
        say(f"\nHeld-out voices:\n{self._scores('transcripts/*.jsonl', 'corpus/test.jsonl')}")
        say(f"\nOne long recording:\n{self._scores(f'long/{self._long}.json', f'corpus/{self._long}.json')}\n")
        say_results(self._root, _RESULTS, began)

    @property
    def _long(self) -> str:
        """What the long recording is called."""
        return f"long-{self._config.minutes}"

    def _transcribe(self, recordings: str, output: str, *formats: str) -> None:
        from pipelines.commands import transcribe

        values = {"model": self._at("run/best"), "input": [recordings], "output": self._at(output), "format": formats}
        result = transcribe.run(self._load(transcribe.TranscribeConfig, "transcribe.yaml", values))
        say(result.summary())

    def _scores(self, hypotheses: str, references: str) -> str:
        """The table of `seq2seq score`, without parts and confusions."""
        from seq2seq_core.metrics.breakdown import break_down
        from seq2seq_core.metrics.recognition import RecognitionMetric
        from seq2seq_core.metrics.utterances import match, read_utterances
        from seq2seq_core.report.recognition import recognition_table

        matched = match(read_utterances([self._at(hypotheses)]), read_utterances([self._at(references)]))
        found = break_down(matched, RecognitionMetric(_LANGUAGE), confusions=0)
        return recognition_table(found._replace(lengths={}, speakers={}))

    def _manifest(self, split: str) -> dict[str, Any]:
        manifest = self._at("corpus", f"{split}.jsonl")
        return {"path": manifest, "format": "speech_manifest", "target_language": _LANGUAGE}

    def _at(self, *parts: str) -> str:
        return storage.join(self._root, *parts)

    def _load(self, kind: type[configuration.C], recipe: str, values: Mapping[str, Any]) -> configuration.C:
        return configuration.load(kind, str(RECIPES / recipe), values)
