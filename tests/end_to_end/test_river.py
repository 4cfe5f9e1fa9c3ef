"""The whole river by its commands: the same for every model family, and a second run changes nothing."""

from __future__ import annotations

import io
import json
import random
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest

ENGLISH = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
GERMAN = ("eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn")

FAMILIES = {
    "lstm": "--model.family rnn --model.cell lstm --model.width 64 --model.embedding_width 32",
    "gru": "--model.family rnn --model.cell gru --model.width 64 --model.embedding_width 32 "
    "--model.attention multiplicative",
    "transformer": "--model.width 64 --model.feed_forward_width 128 --model.heads 2 --model.encoder_layers 1 "
    "--model.decoder_layers 1",
}
TRAIN = (
    "--data.batch_tokens 1024 --data.max_source_tokens 64 --data.max_target_tokens 64 --optimizer.learning_rate 0.005 "
    "--schedule.warmup_steps 20 --limits.max_steps 100 --validation.every_steps 50 --checkpoints.every_steps 50 "
    "--report_every_steps 25 --tensorboard false"
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbers in words, a quarter of them twice."""
    folder = tmp_path_factory.mktemp("corpus")
    draw = random.Random(3)
    rows = [tuple(draw.choices(range(10), k=draw.randint(2, 6))) for _ in range(1500)]
    rows += rows[:300]
    for name, words in (("en", ENGLISH), ("de", GERMAN)):
        (folder / f"train.{name}").write_text("".join(" ".join(words[i] for i in row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def dataset(corpus: Path) -> Path:
    output = corpus / "dataset"
    words = ["--source", str(corpus / "train.en"), "--target", str(corpus / "train.de"), "--output", str(output)]
    words += ["--validation.share", "0.05", "--tokenizer.vocabulary_size", "300"]
    assert main(["prepare", *words]) == 0
    before = storage.digest_file(str(output / "dataset.json"))
    assert main(["prepare", *words]) == 0
    assert storage.digest_file(str(output / "dataset.json")) == before
    assert load_manifest(str(output)).ledger.balance == 0
    return output


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_trained_decoded_and_served_by_the_same_commands(
    family: str,
    corpus: Path,
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(corpus / "cache"))
    run, out = tmp_path / "run", tmp_path / "out"
    train = ["train", "--dataset", str(dataset), "--output", str(run), *FAMILIES[family].split(), *TRAIN.split()]
    assert main(train) == 0
    assert main(train) == 0  # nothing is left to do

    documents = tmp_path / "documents.jsonl"
    texts = ["one two three", "", "nine nine\n\nten four", "five six seven"]
    documents.write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(texts)))
    translate = ["--model", str(run / "best"), "--input", str(documents), "--output", str(out)]
    assert main(["translate", *translate, "--include", "score"]) == 0
    capsys.readouterr()
    assert main(["translate", *translate, "--include", "score"]) == 0
    assert "(1 units were finished before)" in capsys.readouterr().out
    rows = [json.loads(line) for line in next(out.glob("documents-*.jsonl")).read_text().splitlines()]
    assert [(row["id"], row["text"]) for row in rows] == list(enumerate(texts))
    assert rows[1]["translation"] == ""
    assert rows[2]["translation"].count("\n") == 2
    assert rows[0]["translation_score"] < 0

    lines = [line for text in texts for line in text.split("\n")]
    translated = filtered(monkeypatch, capsys, run / "best", lines)
    assert translated == [line for row in rows for line in row["translation"].split("\n")]
    learnt = sum(word in GERMAN for line in translated for word in line.split())
    assert learnt >= 8  # most of the eleven words come out as German numbers

    for path, word in ((dataset, "duplicates"), (run, "step"), (run / "best", family), (out, "documents")):
        assert main(["inspect", str(path)]) == 0
        assert word in capsys.readouterr().out.lower()
    assert main(["inspect", str(dataset), "--verify"]) == 0


def filtered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, lines: list[str]
) -> list[str]:
    """What `translate -` makes of lines."""

    class Standard:
        """A standard stream that holds bytes."""

        def __init__(self, data: bytes) -> None:
            self.buffer = io.BytesIO(data)

        def flush(self) -> None:
            """Nothing waits."""

    source, target = Standard("".join(f"{line}\n" for line in lines).encode()), Standard(b"")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", source)
        patch.setattr(sys, "stdout", target)
        assert main(["translate", "-", "--model", str(model)]) == 0
    return target.buffer.getvalue().decode().split("\n")[:-1]


def test_scores_of_files(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    german = str(corpus / "train.de")
    assert main(["score", "--hypotheses", german, "--references", german]) == 0
    found = capsys.readouterr().out
    assert "100.00" in found
    assert "tok:13a" in found
    assert main(["score", "--hypotheses", german, "--references", german, german]) == 1
    assert "1800 hypotheses; expected 3600" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["trian"], 2, "unknown command 'trian'"),
        (["prepare", "--sauce", "x"], 2, "Did you mean source?"),
        (["prepare", "--source", "/no/x.en", "--target", "/no/x.de", "--output", "o"], 1, "/no/x.en: no such file"),
        (["train", "--dataset", "/no/data", "--output", "o"], 1, "no finished dataset"),
        (["train", "--dataset", "d"], 2, "output is missing"),
        (["train", "--processes", "many"], 2, "--processes needs a number"),
        (
            ["translate", "--model", "/no/model", "--input", __file__, "--format", "text", "--output", "o"],
            1,
            "/no/model",
        ),
        (
            ["prepare", "--source", "x", "--target", "y", "--output", "o", "--", "--runner=NoRunner"],
            2,
            "no such Beam runner",
        ),
        (["train", "--dataset", "d", "--output", "o", "--model.heads", "7"], 2, "heads"),
        (["prepare", "--source", "x", "--target", "y", "--output", ""], 2, "output"),
        (["train", "--config", "/no/c.yaml"], 2, "/no/c.yaml: no such file"),
        (["translate", "x"], 2, "unexpected argument 'x'"),
        (["inspect"], 2, "a path is missing"),
        (["inspect", "/no/path"], 1, "/no/path"),
        (["score", "--hypotheses", "/no/h", "--references", "/no/r"], 1, "/no/h: no such file"),
    ],
)
def test_what_a_stranger_gets_wrong_is_one_clear_line(
    words: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_run_never_goes_into_a_file_or_a_dataset(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--dataset", str(dataset), "--output", str(dataset)]) == 2
    assert "the run folder is a dataset folder" in capsys.readouterr().err
    (tmp_path / "model" / "tokenizer").mkdir(parents=True)
    files = ["--source", str(dataset.parent / "train.en"), "--target", str(dataset.parent / "train.de")]
    assert main(["prepare", *files, "--output", str(tmp_path / "model")]) == 1
    assert "the folder holds something else than a dataset; found tokenizer" in capsys.readouterr().err
    assert list((tmp_path / "model").iterdir()) == [tmp_path / "model" / "tokenizer"]
    (tmp_path / "file").touch()
    for words in (["train", "--dataset", str(dataset)], ["prepare", *files]):
        assert main([*words, "--output", str(tmp_path / "file")]) == 1
        assert "a file stands where a folder is needed" in capsys.readouterr().err
