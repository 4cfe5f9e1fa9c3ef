"""Staged units in, the dataset's tokenizers out: given ones copied, others trained on a uniform sample."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import TokenizerEntry
from seq2seq_core.errors import InputError
from seq2seq_core.files.seal import changed
from seq2seq_core.preparation.building.tags import tags_of
from seq2seq_core.preparation.planning.claims import check_claim
from seq2seq_core.preparation.shuffle.gather import gather
from seq2seq_core.preparation.sieves.caps import within_caps
from seq2seq_core.preparation.terms.messages import Plan, SlotCounts, TokenizersReport, UnitReport
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import train

logger = logging.getLogger(__name__)

_FOLDER = "tokenizer"


def make_tokenizers(plan: Plan, units: Sequence[UnitReport], counts: Sequence[SlotCounts] = ()) -> TokenizersReport:
    """Publish the tokenizers, unless a marker says that this has been done or the dataset has them already.

    Raises:
        InputError: No training row is left, or a given tokenizer has changed since the run began.
        TokenizerError: A model cannot be trained or read.
    """
    marker = storage.join(plan.work, "tokenizers.json")
    if storage.exists(marker):
        return TokenizersReport.model_validate_json(storage.read_text(marker))
    report = plan.tokenizers or _make(plan, units, counts)
    storage.publish_text(marker, report.model_dump_json())
    return report


def _make(plan: Plan, units: Sequence[UnitReport], counts: Sequence[SlotCounts]) -> TokenizersReport:
    config = plan.job.recipe.tokenizer
    if config.given:
        models = _load_given(config.given, plan.job.tokenizer_digests)
    else:
        sample = sample_rows(plan, units, config.sample_rows, counts)
        logger.info("training a tokenizer on %d rows", sample.num_rows)
        sides = [["source", "target"]] if config.joint else [["source"], ["target"]]
        tags = tags_of(plan.job.corpora)
        models = [
            Tokenizer(train(_texts(sample, columns), config, tags if "source" in columns else ())) for columns in sides
        ]
    check_claim(plan)
    return _publish(plan.job.output, models[0], models[-1])


def _load_given(urls: Sequence[str], expected: Sequence[str]) -> list[Tokenizer]:
    """Tokenizers of files, which must still be those that the configuration was checked with."""
    models = [Tokenizer.load(url) for url in urls]
    for url, model, digest in zip(urls, models, expected or [model.digest for model in models], strict=True):
        if model.digest != digest:
            raise changed(url, f"digest {model.digest}", f"digest {digest}")
    return models


def sample_rows(plan: Plan, units: Sequence[UnitReport], most: int, counts: Sequence[SlotCounts] = ()) -> pa.Table:
    """The training rows with the smallest ids, in that order, at most so many (see `gather` for the columns).

    Rows beyond the caps of their corpora are not among them, where shards were counted.

    Raises:
        InputError: There are none.
    """
    parts: list[pa.Table] = []
    missing = most
    for partition in plan.slots:
        if partition.split == "train" and missing:
            rows, _ = gather(plan, partition, units)
            capped = within_caps(plan, partition, rows, counts)
            rows = rows if capped is None else capped.kept
            parts.append(rows.slice(0, missing))
            missing -= parts[-1].num_rows
    if missing == most:
        rejected: dict[str, int] = {}
        for unit in units:
            for rule, count in unit.rejected.items():
                rejected[rule] = rejected.get(rule, 0) + count
        raise nothing_left(sum(unit.read for unit in units), rejected)
    return pa.concat_tables(parts)


def nothing_left(read: int, rejected: Mapping[str, int]) -> InputError:
    """What to say of corpora of which no row is left to train on."""
    by_rule = ", ".join(f"{rule} {count:,}" for rule, count in sorted(rejected.items()))
    return InputError(
        "no training row is left",
        found=f"{read:,} rows read, rejected by rule: {by_rule or 'none'}",
        advice="Look at the files in rejected/ of the output folder, and at the thresholds of `filters`.",
    )


def _texts(rows: pa.Table, columns: Sequence[str]) -> Iterator[str]:
    chunks = (chunk.to_pylist() for name in columns for batch in rows.to_batches(10_000) for chunk in [batch[name]])
    return itertools.chain.from_iterable(chunks)


def _publish(output: str, source: Tokenizer, target: Tokenizer) -> TokenizersReport:
    if source.digest == target.digest:
        entry = _publish_one(output, "joint.model", source)
        return TokenizersReport(source=entry, target=entry)
    return TokenizersReport(
        source=_publish_one(output, "source.model", source), target=_publish_one(output, "target.model", target)
    )


def _publish_one(output: str, name: str, tokenizer: Tokenizer) -> TokenizerEntry:
    path = storage.join(_FOLDER, name)
    storage.publish_bytes(storage.join(output, path), tokenizer.data)
    return TokenizerEntry(path=path, digest=tokenizer.digest, vocabulary_size=tokenizer.vocabulary_size)
