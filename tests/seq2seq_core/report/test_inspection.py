"""Inspection of real folders: each kind is recognised and its main facts are on the page; damage is named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import listing, storage
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import CheckpointError, DatasetError, ModelError, StorageError
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.manifest import ModelEntry, Output, TranslatedInput, publish_output
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.card import Lineage
from seq2seq_core.models.folder import load_model, save_model
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.report.inspection import describe


@pytest.fixture(scope="module")
def model_folder(tiny_dataset: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("model"))
    tokenizer = Dataset.open(tiny_dataset).source_tokenizer
    config = TransformerConfig(
        width=8, feed_forward_width=16, heads=2, encoder_layers=1, decoder_layers=1, tie_embeddings="all"
    )
    model = config.build(Symbols(tokenizer.vocabulary_size), tokenizer.vocabulary_size)
    lineage = Lineage(
        run="tiny",
        step=1200,
        averaged_steps=(1000, 1200),
        dataset="data/x",
        dataset_digest="dd",
        metrics={"bleu": 31.5},
    )
    save_model(root, model, config, tokenizer, tokenizer, lineage)
    return root


def words_of(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_dataset(random_dataset: Callable[..., Dataset]) -> None:
    dataset = random_dataset()
    text = describe(dataset.root)
    lines = words_of(text)
    assert dataset.manifest.digest in text
    assert "72 rows kept of 80; the ledger adds up" in text
    for line in (["read", "80"], ["empty", "2", "78"], ["ratio", "1", "77"], ["duplicates", "5", "72"]):
        assert line in lines
    assert ["kept", "for", "valid", "7"] in lines
    train = next(line for line in lines if line[:2] == ["train", "source"])
    assert train[2:5] == ["65", "3", str(sum(s.source_tokens for s in dataset.manifest.splits["train"].shards))]
    assert ["joint", "44", dataset.manifest.source_tokenizer.digest] in lines


def test_a_dataset_on_an_object_store(tiny_dataset: str) -> None:
    url = "memory://inspected"
    storage.publish_bytes(f"{url}/dataset.json", storage.read_bytes(storage.join(tiny_dataset, "dataset.json")))
    assert load_manifest(tiny_dataset).digest in describe(url)


def test_a_ledger_that_does_not_add_up_is_told(tiny_dataset: str, tmp_path: Path) -> None:
    values = json.loads(storage.read_text(storage.join(tiny_dataset, "dataset.json")))
    values["ledger"]["read"] += 3
    (tmp_path / "dataset.json").write_text(json.dumps(values))
    assert "is off by 3 rows" in describe(str(tmp_path))


def test_a_model(model_folder: str) -> None:
    text = describe(model_folder)
    loaded = load_model(model_folder)
    parameters = sum(parameter.numel() for parameter in loaded.model.parameters())
    assert f"model {loaded.digest}: {parameters:,} parameters, 44 source and 44 target pieces" in text
    lines = words_of(text)
    for line in (["family", "transformer"], ["heads", "2"], ["step", "1,200"], ["dataset", "data/x"]):
        assert line in lines
    assert ["average", "of", "steps", "1,000,", "1,200"] in lines
    assert ["validation", "bleu", "31.5000"] in lines


def make_run(root: Path, model_folder: str) -> str:
    root.mkdir()
    (root / "config.yaml").write_text("dataset: data/x\nmodel:\n  family: rnn\n  width: 64\n")
    train: dict[str, Any] = dict.fromkeys(("loss", "learning_rate", "gradient_norm", "tokens_per_second"), 1.0)
    rows = [{"kind": "train", "step": 30, "epoch": 1, "perplexity": 2.5, "seconds": 90.0, **train}]
    bleus = [40.0 if step == 2 else 10.0 for step in range(1, 31)]
    rows += [
        {"kind": "validation", "step": step, "loss": 9.0 - step / 10, "perplexity": 3.0, "bleu": bleu, "chrf": 1.0}
        for step, bleu in enumerate(bleus, start=1)
    ]
    (root / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, files in {"step-00000020": ["checkpoint.json"], "step-00000030": ["model.safetensors"]}.items():
        (root / "checkpoints" / name).mkdir(parents=True)
        for file in files:
            (root / "checkpoints" / name / file).write_text("{}")
    best = root / "best"
    best.mkdir()
    for url in listing.expand(model_folder):
        storage.publish_bytes(str(best / Path(url).relative_to(model_folder)), storage.read_bytes(url))
    return str(root)


def test_a_run(tmp_path: Path, model_folder: str) -> None:
    text = describe(make_run(tmp_path / "night", model_folder))
    lines = words_of(text)
    assert lines[0] == ["run", "night", "on", "data/x"]
    assert ["step", "30"] in lines
    assert ["minutes", "1.5"] in lines
    assert ["2", "8.80", "3.00", "40.00", "1.00", "best", "BLEU"] in lines
    assert ["30", "6.00", "3.00", "10.00", "1.00", "lowest", "loss"] in lines
    assert ["29", "6.10", "3.00", "10.00", "1.00"] in lines
    assert not any(line[:2] == ["5", "8.50"] for line in lines)
    assert ["step-00000020"] in lines
    model = next(line for line in lines if line[:1] == ["best/"])
    assert model[1:5] == ["1,200", "2", "averaged", "31.50"]


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("dataset: data/x\n")
    (tmp_path / "checkpoints").mkdir()
    assert describe(str(tmp_path)) == f"run {tmp_path.name} on data/x"


def test_an_output(tmp_path: Path) -> None:
    units = [
        UnitEntry(
            path=f"a-{index}.txt",
            fingerprint="f",
            first_record=10 * index,
            records=10,
            failed=failed,
            bytes=5,
            digest="d",
            failures=f"failures/a-{index}.jsonl" if failed else None,
        )
        for index, failed in enumerate((0, 3))
    ]
    entry = TranslatedInput(
        url="in/a.txt", format="text", bytes=2048, fingerprint="x", records=20, failed=3, outputs=tuple(units)
    )
    output = Output(
        fingerprint="cafe",
        model=ModelEntry(url="runs/x/best", digest="beef", lineage={"run": "x", "step": 7, "dataset_digest": "dd"}),
        records_in=20,
        records_out=20,
        failed=3,
        inputs=(entry,),
        configuration={},
        software={},
    )
    publish_output(str(tmp_path), output)
    text = describe(str(tmp_path))
    assert "translation cafe: 20 records of 20 in 2 units, 3 of them not translated" in text
    lines = words_of(text)
    for line in (["digest", "beef"], ["dataset", "digest", "dd"], ["in/a.txt", "text", "2.0", "kB", "20", "3"]):
        assert line in lines
    assert ["failures/a-1.jsonl", "3"] in lines
    assert "a-0" not in text


def test_work_that_has_only_been_claimed(tmp_path: Path) -> None:
    for work, expected in {
        "training": f"run {tmp_path.name} on no dataset",
        "translation": "no finished translation",
    }.items():
        storage.publish_text(str(tmp_path / ".claim" / "claim.json"), json.dumps({"work": work}))
        try:
            text = describe(str(tmp_path))
        except DatasetError as error:
            text = str(error)
        assert expected in text


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file or folder"):
        describe(str(tmp_path / "none"))


def test_a_strange_folder_is_described_by_what_it_has_and_lacks(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"an empty folder.*dataset\.json"):
        describe(str(tmp_path))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"found notes\.txt"):
        describe(str(tmp_path))
    with pytest.raises(DatasetError, match="found a file"):
        describe(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("dataset.json", "{", DatasetError),
        ("output.json", "{}", DatasetError),
        ("config.json", '{"width": 3}', ModelError),
        ("config.json", "no json", ModelError),
        ("config.yaml", "[1, 2]", CheckpointError),
        ("config.yaml", "a: [", CheckpointError),
    ],
)
def test_damage_is_named(name: str, content: str, kind: type[Exception], tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    if name == "config.yaml":
        (tmp_path / "checkpoints").mkdir()
    with pytest.raises(kind, match=name.replace(".", r"\.")):
        describe(str(tmp_path))


def test_damaged_weights_are_named(model_folder: str, tmp_path: Path) -> None:
    for url in listing.expand(model_folder):
        storage.publish_bytes(str(tmp_path / Path(url).relative_to(model_folder)), storage.read_bytes(url))
    (tmp_path / "model.safetensors").write_bytes(b"\x10")
    with pytest.raises(ModelError, match=r"model\.safetensors: the weights are damaged"):
        describe(str(tmp_path))


def test_inspection_needs_neither_torch_nor_matplotlib() -> None:
    code = "import sys, seq2seq_core.report.inspection; print(*sorted({'torch', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []
