"""Staged rows in, the dataset's tokenizers out: given ones copied, others trained on a uniform sample."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import TokenizerEntry
from seq2seq_core.errors import InputError
from seq2seq_core.files.seal import changed
from seq2seq_core.modalities.base import SIDES, Side
from seq2seq_core.preparation.building.control_pieces import tags_of
from seq2seq_core.preparation.planning.reservation import check_claim
from seq2seq_core.preparation.shuffle.gather import gather
from seq2seq_core.preparation.sieves.caps import within_caps
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.markers import publish_marker, read_marker
from seq2seq_core.preparation.terms.messages import Head, RowsBefore, Staged, TokenizersReport
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import train

logger = logging.getLogger(__name__)


def make_tokenizers(head: Head, staged: Staged, before: RowsBefore | None = None) -> TokenizersReport:
    """Publish the tokenizers, unless a marker says that this has been done or the dataset has them already.

    Raises:
        InputError: No training row is left, or a given tokenizer has changed since the run began.
        TokenizerError: A model cannot be trained or read.
    """
    marker = layout.tokenizers_marker(head.work)
    report = read_marker(TokenizersReport, marker)
    if report is None:
        report = head.tokenizers or _make(head, staged, before)
        publish_marker(marker, report)
    return report


def _make(head: Head, staged: Staged, before: RowsBefore | None) -> TokenizersReport:
    config, sides = head.recipe.tokenizer, head.recipe.text_sides
    if config.given:
        models = _load_given(config.given, head.tokenizer_digests)
    else:
        sample = sample_rows(head, staged, config.sample_rows, before)
        logger.info("training a tokenizer on %d rows", sample.num_rows)
        groups: list[Sequence[Side]] = [sides] if config.joint else [[side] for side in sides]
        tags = tags_of(head.corpora)
        models = [
            Tokenizer(train(_texts(sample, group), config, tags if "source" in group else ())) for group in groups
        ]
    check_claim(head)
    return _publish(head.output, {side: models[0 if side == sides[0] else -1] for side in sides})


def _load_given(urls: Sequence[str], expected: Sequence[str]) -> list[Tokenizer]:
    """Tokenizers of files, which must still be those that the configuration was checked with."""
    models = [Tokenizer.load(url) for url in urls]
    for url, model, digest in zip(urls, models, expected or [model.digest for model in models], strict=True):
        if model.digest != digest:
            raise changed(url, f"digest {model.digest}", f"digest {digest}")
    return models


def sample_rows(head: Head, staged: Staged, most: int, before: RowsBefore | None = None) -> pa.Table:
    """The training rows with the smallest ids, in that order, at most so many (see `gather` for the columns).

    Rows beyond the caps of their corpora are not among them, where shards were counted.

    Raises:
        InputError: There are none.
    """
    parts: list[pa.Table] = []
    missing = most
    for partition in head.training:
        if missing:
            rows, _ = gather(head, partition, staged)
            capped = within_caps(head, partition, rows, before)
            rows = rows if capped is None else capped.kept
            parts.append(rows.slice(0, missing))
            missing -= parts[-1].num_rows
    if missing == most:
        raise nothing_left(staged.read, staged.rejected)
    return pa.concat_tables(parts)


def nothing_left(read: int, rejected: Mapping[str, int]) -> InputError:
    """What to say of corpora of which no row is left to train on."""
    by_rule = ", ".join(f"{rule} {count:,}" for rule, count in sorted(rejected.items()))
    return InputError(
        "no training row is left",
        found=f"{read:,} rows read, rejected by rule: {by_rule or 'none'}",
        advice="Look at the files in rejected/ of the output folder: they name file, line and rule of every row. The "
        "rules are set by `filters`; what is read, by format, source_field and target_field of the corpora.",
    )


def _texts(rows: pa.Table, columns: Sequence[str]) -> Iterator[str]:
    chunks = (chunk.to_pylist() for name in columns for batch in rows.to_batches(10_000) for chunk in [batch[name]])
    return itertools.chain.from_iterable(chunks)


def _publish(output: str, models: Mapping[Side, Tokenizer]) -> TokenizersReport:
    """The models of the sides of text; one file for both where they are the same."""
    is_joint = len(models) == len(SIDES) and len({model.digest for model in models.values()}) == 1
    entries: dict[Side, TokenizerEntry] = {}
    for side, model in models.items():
        known = next(iter(entries.values()), None) if is_joint else None
        entries[side] = known or _publish_one(output, "joint.model" if is_joint else f"{side}.model", model)
    return TokenizersReport(source=entries.get("source"), target=entries.get("target"))


def _publish_one(output: str, name: str, tokenizer: Tokenizer) -> TokenizerEntry:
    path = storage.join(layout.TOKENIZER_FOLDER, name)
    storage.publish_bytes(storage.join(output, path), tokenizer.data)
    return TokenizerEntry(path=path, digest=tokenizer.digest, vocabulary_size=tokenizer.vocabulary_size)
