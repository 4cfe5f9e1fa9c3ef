"""A dataset folder in; its page, `report.html` beside the manifest, out."""

from __future__ import annotations

import logging

from seq2seq_core import foreign_errors, storage
from seq2seq_core.dataset.manifest import MANIFEST_NAME, REPORT_NAME
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ConfigError, StorageError
from seq2seq_core.preparation.planning.traces import is_free_for_page

logger = logging.getLogger(__name__)


def write_beside(root: str) -> bool:
    """Write the page into a finished dataset's folder, unless it is there; whether it is there now.

    The dataset is only read, and it is whole without the page: what hinders the page is logged, never raised.
    """
    url = storage.join(root, REPORT_NAME)
    try:
        digest = storage.digest_file(storage.join(root, MANIFEST_NAME))
        if not is_free_for_page(url):
            logger.warning("no %s: a file that this program has not written stands there", REPORT_NAME)
            return False
        if not _is_current(url, digest):
            storage.publish_text(url, render_dataset(root, digest))
    except Exception as error:
        told = foreign_errors.ours(error, "report") if isinstance(error, ImportError) else error
        logger.warning("no %s: %s", REPORT_NAME, told or error, exc_info=not isinstance(told, ConfigError))
        return False
    return True


def render_dataset(root: str, made_from: str) -> str:
    """The page; the same dataset gives the same bytes, wherever it lies.

    Raises:
        ModuleNotFoundError: A package is not installed.
        DatasetError: A file is missing or damaged.
    """
    # Here, as a preparation without a page needs none of it.
    from seq2seq_core.report.corpus.corpus import look_at_corpus  # noqa: PLC0415
    from seq2seq_core.report.data import ReportData  # noqa: PLC0415
    from seq2seq_core.report.page import render  # noqa: PLC0415

    dataset = Dataset.open(root)
    ledger = dataset.manifest.ledger
    return render(
        ReportData(
            title="Dataset",
            subtitle=f"{sum(ledger.kept.values()):,} rows kept of {ledger.read:,} read",
            manifest=dataset.manifest,
            corpus=look_at_corpus(dataset),
            made_from=made_from,
        )
    )


def _is_current(url: str, digest: str) -> bool:
    """Whether the page that stands there was made from this manifest."""
    try:
        return f'name="made-from" content="{digest}"' in storage.read_text(url)
    except StorageError:
        return False
