"""A folder of this project in, a page of plain text about what it holds out; only small JSON and YAML files are read.

dataset       dataset.json
translation   output.json
transcription output.json
run           config.yaml beside metrics.jsonl or checkpoints/
model         config.json
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import yaml

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import MANIFEST_NAME, Manifest, TokenizerEntry, load_manifest
from seq2seq_core.dataset.schema import SPLITS
from seq2seq_core.errors import CheckpointError, DatasetError, StorageError
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.folder import OUTPUT_NAME
from seq2seq_core.inference.manifest import ModelEntry, load_output, load_transcription
from seq2seq_core.kinds import Kind, kind_of
from seq2seq_core.metrics.measures import MEASURES, SCORES, TRANSLATION, MeasureName
from seq2seq_core.models.card import CONFIG_NAME, Lineage, ModelCard, count_parameters, read_card
from seq2seq_core.progress import clock
from seq2seq_core.report.ledger import funnel
from seq2seq_core.report.lengths import describe_lengths, units_of
from seq2seq_core.report.metrics import load_metrics
from seq2seq_core.report.plain_text import Cell, section, size, table

CHECKPOINTS, CHECKPOINT_NAME, MODELS = "checkpoints", "checkpoint.json", ("best", "last")
_RUN_NAME, _METRICS_NAME = "config.yaml", "metrics.jsonl"
_MOST_ROWS = 12
_BEFORE_LENGTHS, _LENGTHS = ("", "rows", "shards"), ("mean", "median", "99 %", "longest")


def describe(path: str) -> str:
    """What the folder at a path or URL holds.

    Raises:
        StorageError: Nothing is there.
        DatasetError, ModelError, CheckpointError, InputError: It is none of ours, unfinished, or damaged.
    """
    return "\n".join(_DESCRIBED[kind_at(path)](path))


def kind_at(path: str) -> Kind:
    """What the folder at a path or URL is, or was before its manifest was damaged; see `describe` for the errors."""
    if not storage.exists(path):
        raise StorageError("no such file or folder", where=storage.redact(path), advice="Check the path.")
    kind = kind_of(path) or next((kind for kind, is_one in _BY_NAME if is_one(path)), None)
    if kind is not None:
        return kind
    names = storage.list_folder(path)
    raise DatasetError(
        "no folder of this project stands here",
        where=storage.redact(path),
        found=", ".join(names[:_MOST_ROWS]) or ("an empty folder" if storage.is_folder(path) else "a file"),
        expected=f"a folder with {MANIFEST_NAME}, {OUTPUT_NAME}, {CONFIG_NAME}, or {_RUN_NAME} and {_METRICS_NAME}",
        advice="A folder without them may be the work of a command that has not finished.",
    )


def describe_dataset(manifest: Manifest) -> list[str]:
    """Lines on ledger, splits, tokens, tokenizers and inputs of a dataset."""
    ledger, kept = manifest.ledger, sum(manifest.ledger.kept.values())
    steps: list[list[Cell]] = [["read", None, ledger.read]]
    steps += [[step.name, step.removed, step.after] for step in funnel(ledger)]
    steps += [[f"kept for {split}", None, ledger.kept[split]] for split in SPLITS if split in ledger.kept]
    steps += [[f"copies at {sort}", None, count] for sort, count in ledger.copies.items()]
    balance = "adds up" if ledger.balance == 0 else f"is off by {ledger.balance:,} rows"
    tokenizers: dict[str, TokenizerEntry] = dict(manifest.tokenizers.items())
    tokenizers = {"joint": tokenizers["source"]} if manifest.is_joint else tokenizers
    return [
        f"dataset {manifest.digest}: {kept:,} rows kept of {ledger.read:,}; the ledger {balance}",
        *section("ledger", table(steps, ("", "removed", "left"))),
        *section("splits", _splits(manifest)),
        *section("generations", _generations(manifest) if manifest.newest > 0 else []),
        *section(
            "tokenizer",
            table([[name, t.vocabulary_size, t.digest] for name, t in tokenizers.items()], ("", "pieces", "xxh3-128")),
        ),
        *section("inputs", _inputs(manifest)),
        *section("software", _facts(manifest.software)),
    ]


def _splits(manifest: Manifest) -> list[str]:
    rows: list[list[Cell]] = []
    for name in SPLITS:
        split = manifest.splits.get(name)
        for side in ("source", "target") if split else ():
            lengths = describe_lengths(getattr(split, f"{side}_lengths"))
            shards = split.shards if split else ()
            tokens = sum(getattr(shard, f"{side}_tokens") for shard in shards)
            row: list[Cell] = [f"{name} {side}", sum(shard.rows for shard in shards), len(shards), tokens]
            told = (lengths.mean, lengths.median, lengths.percentile_99, lengths.longest) if lengths else (None,) * 4
            rows.append([*row, *told])
    return table(rows, (*_BEFORE_LENGTHS, units_of(manifest.sides), *_LENGTHS))


def _generations(manifest: Manifest) -> list[str]:
    rows: list[list[Cell]] = []
    for entry in manifest.generations:
        ledger, rejected = entry.ledger, sum(entry.ledger.rejected.values())
        counts = (entry.sources, ledger.read, sum(ledger.kept.values()), ledger.duplicates, rejected)
        first, last = entry.span
        name = f"generation {last}" if first == last else f"generations {first} to {last}"
        rows.append([name, *counts, entry.fingerprint])
    return table(rows, ("", "inputs", "read", "kept", "duplicates", "rejected", "fingerprint"))


def _inputs(manifest: Manifest) -> list[str]:
    """The files of generations as they were added, and where those stand of generations that are folded into one."""
    folded = [entry.folded for entry in manifest.generations if entry.folded is not None]
    elsewhere = [f"  and those of {entry.sources:,} more sources: {entry.path}" for entry in folded]
    return table([[i.url, size(i.bytes), i.fingerprint] for i in manifest.inputs]) + elsewhere


def _dataset(path: str) -> list[str]:
    return describe_dataset(load_manifest(path))


def _run(path: str) -> list[str]:
    config_url = storage.join(path, _RUN_NAME)
    config = _read_yaml(config_url) if storage.exists(config_url) else {}
    datasets = config.get("dataset", "no dataset")
    datasets = ", ".join(map(str, datasets)) if isinstance(datasets, list) else datasets
    lines = [f"run {storage.name_of(path)} on {datasets}"]
    lines += section("model", _facts(config.get("model", {})))
    metrics_url = storage.join(path, _METRICS_NAME)
    if storage.exists(metrics_url):
        lines += _progress(metrics_url, (config.get("validation") or {}).get("metric"))
    folder = storage.join(path, CHECKPOINTS)
    steps = [
        name for name in storage.list_folder(folder) if storage.exists(storage.join(folder, name, CHECKPOINT_NAME))
    ]
    lines += section("checkpoints", [f"  {', '.join(steps)}"] if steps else [])
    found = [name for name in MODELS if storage.exists(storage.join(path, name, CONFIG_NAME))]
    cards = {name: read_card(storage.join(path, name)) for name in found}
    names = _measured(name for _, lineage in cards.values() for name in lineage.metrics)
    models = [_summary(name, card, lineage, names) for name, (card, lineage) in cards.items()]
    labels = (MEASURES[name].label for name in names)
    return lines + section("models", table(models, ("", "step", "checkpoints", "loss", *labels, "digest")))


def _summary(name: str, card: ModelCard, lineage: Lineage, names: Sequence[MeasureName]) -> list[Cell]:
    """A model of a run in one row."""
    averaged = f"{len(lineage.averaged_steps)} averaged" if lineage.averaged_steps else "one"
    scores = (lineage.metrics.get(name) for name in ("loss", *names))
    return [f"{name}/", lineage.step, averaged, *scores, card.digest]


def _measured(found: Iterable[str]) -> tuple[MeasureName, ...]:
    """The scores among some names; those of translations where nothing was decoded."""
    known = set(found)
    return tuple(name for name in SCORES if name in known) or TRANSLATION


def _progress(url: str, metric: str | None) -> list[str]:
    """The latest report and the validations: the best by the run's metric, and the last few."""
    metrics = load_metrics(url)
    lines: list[str] = []
    if metrics.train:
        last = metrics.train[-1]
        facts = {
            "step": f"{last.step:,}",
            "epoch": last.epoch,
            "loss": f"{last.loss:.4f}",
            "perplexity": f"{last.perplexity:.2f}",
            "learning rate": f"{last.learning_rate:.3g}",
            "tokens a second": f"{last.tokens_per_second:,.0f}",
            "minutes": f"{last.seconds / 60:.1f}",
            **{f"rows of {name}": f"{rows:,}" for name, rows in last.drawn.items()},
        }
        lines += section("last report", _facts(facts))
    points = list(metrics.validation[-_MOST_ROWS:])
    names = _measured(name for name in SCORES if any(getattr(point, name) is not None for point in metrics.validation))
    chosen = next((name for name in names if name == metric), names[0])
    marks = {
        f"best {MEASURES[chosen].label}": metrics.best(lambda point: point.goodness(chosen)),
        "lowest loss": metrics.best(lambda point: -point.loss),
    }
    points = [point for point in marks.values() if point and point not in points] + points
    rows = [
        [
            *(point.step, point.loss, point.perplexity, *(getattr(point, name) for name in names)),
            ", ".join(mark for mark, best in marks.items() if best == point),
        ]
        for point in points
    ]
    labels = (MEASURES[name].label for name in names)
    return lines + section("validations", table(rows, ("step", "loss", "perplexity", *labels, "")))


def _model(path: str) -> list[str]:
    model, lineage = read_card(path)
    parameters = count_parameters(storage.join(path, model.weights.path))
    vocabulary = f"{model.target_vocabulary:,} target pieces"
    if model.source_vocabulary is None:
        vocabulary = f"a source of {model.modality.kind} and {vocabulary}"
    else:
        vocabulary = f"{model.source_vocabulary:,} source and {vocabulary}"
    origin = {
        "run": lineage.run,
        "step": f"{lineage.step:,}",
        "average of steps": ", ".join(f"{step:,}" for step in lineage.averaged_steps) or None,
        "dataset": lineage.dataset,
        "dataset digest": lineage.dataset_digest,
        **{f"rows of {name}": f"{rows:,}" for name, rows in lineage.drawn.items()},
        **{f"validation {name}": f"{value:.4f}" for name, value in lineage.metrics.items()},
    }
    return [
        f"model {model.digest}: {parameters:,} parameters, {vocabulary}",
        *section("architecture", _facts(model.architecture)),
        *section("lineage", _facts(origin)),
        *section("files", table([[f.path, size(f.bytes), f.digest] for f in model.files.values()])),
        *section("software", _facts(lineage.software)),
    ]


def _output(path: str) -> list[str]:
    output = load_output(path)
    units = output.units
    failed = [unit for unit in units if unit.failed]
    inputs: list[list[Cell]] = [
        [entry.url, entry.format, size(entry.bytes), entry.records, entry.failed] for entry in output.inputs
    ]
    counts = f"{output.records_out:,} records of {output.records_in:,} in {len(units):,} units"
    return [
        f"translation {output.fingerprint}: {counts}, {output.failed:,} of them not translated",
        *section("model", _facts(_model_of(output.model))),
        *section("inputs", _first_rows(inputs, ("", "format", "size", "records", "failed"))),
        *section("failures", _failures(failed)),
    ]


def _transcription(path: str) -> list[str]:
    output = load_transcription(path)
    inputs: list[list[Cell]] = [
        [entry.url, size(entry.bytes), clock(entry.seconds), clock(entry.speech), entry.words, int(entry.failed)]
        for entry in output.inputs
    ]
    counts = f"{output.records_out:,} recordings of {output.records_in:,}, {clock(output.audio_seconds)}"
    measured = output.measured.model_dump() if output.measured else {}
    return [
        f"transcription {output.fingerprint}: {counts}, {output.failed:,} of them not transcribed",
        *section("model", _facts(_model_of(output.model))),
        *section("last run", _facts(measured)),
        *section("inputs", _first_rows(inputs, ("", "size", "length", "speech", "words", "failed"))),
        *section("failures", _failures([unit for unit in output.units if unit.failed])),
    ]


def _model_of(model: ModelEntry) -> dict[str, Any]:
    origin = model.lineage or {}
    told: dict[str, Any] = {key: origin[key] for key in ("run", "step", "dataset", "dataset_digest") if key in origin}
    return {"url": model.url, "digest": model.digest, **told}


def _first_rows(rows: list[list[Cell]], head: tuple[str, ...]) -> list[str]:
    more = [f"  and {len(rows) - _MOST_ROWS:,} more"] if len(rows) > _MOST_ROWS else []
    return table(rows[:_MOST_ROWS], head) + more


def _failures(failed: list[UnitEntry]) -> list[str]:
    return table([[unit.failures or unit.path, unit.failed] for unit in failed[:_MOST_ROWS]])


def _read_yaml(url: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(storage.read_text(url))
    except yaml.YAMLError as error:
        raise CheckpointError("the configuration is damaged", where=storage.redact(url), found=error) from None
    if not isinstance(values, dict):
        raise CheckpointError("the configuration is no mapping", where=storage.redact(url), found=type(values).__name__)
    return values


def _facts(values: dict[str, Any]) -> list[str]:
    return table([[name.replace("_", " "), str(value)] for name, value in values.items() if value is not None])


def _has(*names: str) -> Callable[[str], bool]:
    return lambda path: any(storage.exists(storage.join(path, name)) for name in names)


_is_run_like = _has(_METRICS_NAME, CHECKPOINTS)

_BY_NAME: tuple[tuple[Kind, Callable[[str], bool]], ...] = (
    ("dataset", _has(MANIFEST_NAME)),
    ("translation", _has(OUTPUT_NAME)),
    ("run", lambda path: _has(_RUN_NAME)(path) and _is_run_like(path)),
    ("model", _has(CONFIG_NAME)),
)
_DESCRIBED: dict[Kind, Callable[[str], list[str]]] = {
    "dataset": _dataset,
    "translation": _output,
    "transcription": _transcription,
    "run": _run,
    "model": _model,
}
