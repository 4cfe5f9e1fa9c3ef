"""`seq2seq status` of folders on every store: the same as on local disk."""

from __future__ import annotations

import json

import pytest

from pipelines import cli
from seq2seq_core import claims, storage
from tests.processes import seq2seq
from tests.small_corpus import publish_corpus, words
from tests.stores import Store


def test_a_job_on_a_store_is_seen_running_finished_and_gone(
    object_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_corpus(object_store)
    out = object_store.url("out")
    with claims.held(out, "f", "translation"):
        assert cli.main(["status", out]) == 0
    assert cli.main(["status", out]) == 1  # nothing stands there any more
    seq2seq(*words(object_store), environment=object_store.environment)
    capsys.readouterr()
    assert cli.main(["status", out, "--format", "json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["kind"], values["state"], values["runs"]) == ("dataset", "finished", [])
    assert storage.redact(out) == values["path"]
