"""A folder into which files land, in; the datasets that grow of it, and what stands in them, out."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from seq2seq_core import storage
from seq2seq_core.claims import Holder, this_process
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.preparation.terms.messages import Job


class Landing:
    """A folder into which files land, read by one glob into one dataset."""

    def __init__(self, workshop: Any, output: str, name: str = "in", **settings: Any) -> None:
        self._workshop = workshop
        self._output = output
        self._name = name
        self._settings = {"shards": 3, "unit_rows": 40} | settings
        self._others: list[Any] = self._settings.pop("others", [])
        self.folder = Path(workshop.folder, name)

    def land(self, name: str, rows: list[tuple[str, str]]) -> None:
        self._workshop.corpus(f"{self._name}/{name}", rows)

    def rename(self, old: str, new: str) -> None:
        for suffix in (".en", ".de"):
            (self.folder / f"{old}{suffix}").rename(self.folder / f"{new}{suffix}")

    def job(self, run: str = "host-1-aa", **settings: Any) -> Job:
        corpus = CorpusConfig(name="news", source=str(self.folder / "*.en"), target=str(self.folder / "*.de"))
        job: Job = self._workshop.job([("train", corpus), *self._others], self._output, **(self._settings | settings))
        return job.model_copy(update={"holder": _holder(run)})

    def prepare(self, **settings: Any) -> Manifest:
        manifest: Manifest = self._workshop.prepare(self.job(**settings))
        return manifest


@functools.cache
def _holder(run: str) -> Holder:
    """This process, under the name of a run."""
    return this_process().model_copy(update={"run": run})


def tree(output: str) -> dict[str, str]:
    """Digests of all files; input URLs in manifests are left as they are."""
    return {f"/{path}": storage.digest_file(storage.join(output, path)) for path in storage.files_below(output)}


def rows_of(output: str, manifest: Manifest, split: Any = "train", columns: Any = None) -> list[dict[str, Any]]:
    files = [io.BytesIO(storage.read_bytes(storage.join(output, s.path))) for s in manifest.splits[split].shards]
    tables = [pq.read_table(file, columns=columns) for file in files]
    return [row for table in tables for row in table.to_pylist()]


def ids_of(output: str, manifest: Manifest) -> list[bytes]:
    return [row["id"] for row in rows_of(output, manifest, columns=["id"])]


def rejects_of(output: str, manifest: Manifest, rule: str) -> list[dict[str, Any]]:
    files = [io.BytesIO(storage.read_bytes(storage.join(output, entry.path))) for entry in manifest.rejected]
    return [row for file in files for row in pq.read_table(file).to_pylist() if row["rule"] == rule]
