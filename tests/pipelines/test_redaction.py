from __future__ import annotations

from pathlib import Path

from pipelines.prepare_job import PrepareConfig
from pipelines.redaction import redacted
from seq2seq_core import config as configuration


def test_a_manifest_holds_no_password_and_no_word_of_where_it_stands(tmp_path: Path) -> None:
    corpora = [{"path": "s3://key:secret@bucket/x.tsv"}, {"source": "ftp://user:secret@host/a.en", "target": "b.de"}]
    values = {"corpora": corpora, "shards": 3, "output": str(tmp_path)}
    found = redacted(configuration.build(PrepareConfig, values))
    assert "secret" not in str(found)
    assert found["corpora"][0]["path"] == "s3://bucket/x.tsv"
    assert found["shards"] == 3
    assert "output" not in found
