"""`seq2seq inspect --verify` of each kind of folder: sound, with any of its files damaged or gone, and of others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.commands import translate
from seq2seq_core import config as configuration
from seq2seq_core.errors import IncompleteError
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.trainer import train

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Run:
    """Words in; exit code, the last lines of standard output and standard error out."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        code = main(["inspect", *map(str, words)])
        found = capsys.readouterr()
        return code, found.out, found.err

    return run


@pytest.fixture(scope="module")
def run_folder(tiny_training: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    limits = {"limits": {"max_steps": 4}, "validation": {"every_steps": 2}, "checkpoints": {"every_steps": 2}}
    train(configuration.build(TrainConfig, {**tiny_training, **limits, "output": str(folder)}))
    return folder


@pytest.fixture(scope="module")
def translation_folder(echo_model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translation")
    (folder / "a.txt").write_bytes(b"one\ntwo\n\xff\nfour\nfive\n")
    (folder / "b.jsonl").write_bytes(b'{"text": "one"}\n')
    values = {"model": echo_model, "input": [str(folder / "a.txt"), str(folder / "b.jsonl")]}
    values |= {
        "output": str(folder / "out"),
        "engine": {"kind": "echo"},
        "unit_records": 2,
        "flag": {"max_copied": 0.5},
    }
    with pytest.raises(IncompleteError):
        translate.run(configuration.build(translate.TranslateConfig, values))
    return folder / "out"


@pytest.fixture(scope="module")
def folders(tiny_dataset: str, run_folder: Path, translation_folder: Path) -> dict[str, Path]:
    return {
        "dataset": Path(tiny_dataset),
        "run": run_folder,
        "model": run_folder / "best",
        "translation": translation_folder,
    }


SUMMARIES = {
    "dataset": "verified: 4 files,",
    "run": "verified: 14 files,",
    "model": "verified: 4 files,",
    "translation": "verified: 10 files,",
}


@pytest.mark.parametrize("kind", SUMMARIES)
def test_a_sound_folder(kind: str, folders: dict[str, Path], inspect: Run) -> None:
    code, out, err = inspect(folders[kind], "--verify")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith(SUMMARIES[kind])
    assert out.splitlines()[0].startswith(f"{kind} ")
    assert inspect("--verify", folders[kind]) == (0, out, "")
    assert "verified" not in inspect(folders[kind])[1]


def test_what_was_counted_is_told(folders: dict[str, Path], inspect: Run) -> None:
    assert "; 2 checkpoints, best/, last/" in inspect(folders["run"], "--verify")[1]
    assert "; 6 records of 6, 1 of them not translated" in inspect(folders["translation"], "--verify")[1]


def damaged(path: Path) -> None:
    """A bit flips."""
    data = bytearray(path.read_bytes())
    data[-(len(data) // 4) - 1] ^= 1
    path.write_bytes(bytes(data))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def named_files(kind: str, folder: Path) -> list[str]:
    """Those whose content a manifest vouches for; the lineage of a run is told by its checkpoints as well."""
    beside = {"metrics.jsonl", "config.yaml", "dataset.json", "output.json", "config.json", "checkpoint.json"}
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in beside]
    names = [str(path.relative_to(folder)) for path in paths if ".units" not in path.parts]
    return [name for name in names if (kind, name) != ("run", "lineage.json")]


@pytest.mark.parametrize("harm", [damaged, cut, Path.unlink])
@pytest.mark.parametrize("kind", SUMMARIES)
def test_any_damaged_file_is_named(
    kind: str, harm: Callable[[Path], None], folders: dict[str, Path], tmp_path: Path, inspect: Run
) -> None:
    names = named_files(kind, folders[kind])
    assert len(names) >= 3
    for name in names:
        copy = tmp_path / kind
        shutil.copytree(folders[kind], copy)
        harm(copy / name)
        code, out, err = inspect(copy, "--verify")
        assert (code, err.count("\n")) == (1, 1), (name, err)
        assert name in err
        assert "found" in err or "missing" in err
        assert "expected" in err or "a line of the ledger" in err
        assert "verified" not in out
        shutil.rmtree(copy)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("dataset", "dataset.json"),
        ("model", "config.json"),
        ("run", "best/config.json"),
        ("run", "checkpoints/step-00000002/checkpoint.json"),
        ("translation", "output.json"),
    ],
)
def test_a_damaged_manifest_is_named(
    kind: str, name: str, folders: dict[str, Path], tmp_path: Path, inspect: Run
) -> None:
    for text in ("{", "[]", "{}", "\0"):
        shutil.copytree(folders[kind], tmp_path / kind)
        (tmp_path / kind / name).write_text(text)
        code, _, err = inspect(tmp_path / kind, "--verify")
        assert (code, err.count("\n")) == (1, 1)
        assert name in err
        shutil.rmtree(tmp_path / kind)


@pytest.mark.parametrize(("key", "message"), [("records_out", "wrong records_out"), ("failed", "wrong failed")])
def test_counts_of_a_translation_add_up(
    key: str, message: str, folders: dict[str, Path], tmp_path: Path, inspect: Run
) -> None:
    shutil.copytree(folders["translation"], tmp_path / "out")
    values = json.loads((tmp_path / "out" / "output.json").read_text())
    (tmp_path / "out" / "output.json").write_text(json.dumps(values | {key: values[key] + 1}))
    code, _, err = inspect(tmp_path / "out", "--verify")
    assert code == 1
    assert f"output.json: {message}; found" in err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"record": 4}, "wrong record; found 4; expected one of the unit's, after 1 and before 4"),
        ({"record": 1}, "wrong record; found 1"),
        ({"input": "other.txt"}, "wrong input; found other.txt; expected "),
        ({"record": "x"}, "a line of the ledger is damaged"),
    ],
)
def test_the_ledger_of_failures_is_that_of_its_unit(
    changes: dict[str, Any], message: str, folders: dict[str, Path], tmp_path: Path, inspect: Run
) -> None:
    shutil.copytree(folders["translation"], tmp_path / "out")
    (ledger,) = (tmp_path / "out" / "failures").iterdir()
    ledger.write_text(json.dumps(json.loads(ledger.read_text()) | changes) + "\n")
    code, _, err = inspect(tmp_path / "out", "--verify")
    assert code == 1
    assert f"{ledger.name}:1: {message}" in err
    ledger.write_text(ledger.read_text() * 2)
    assert "wrong number of failures; found 2; expected 1" in inspect(tmp_path / "out", "--verify")[2]


def test_a_changed_reason_is_noticed(folders: dict[str, Path], tmp_path: Path, inspect: Run) -> None:
    shutil.copytree(folders["translation"], tmp_path / "out")
    (ledger,) = (tmp_path / "out" / "failures").iterdir()
    ledger.write_text(json.dumps(json.loads(ledger.read_text()) | {"reason": "another"}) + "\n")
    code, _, err = inspect(tmp_path / "out", "--verify")
    assert code == 1
    assert f"{ledger.name}: wrong digest" in err
    assert "Copy the folder again from where it is whole, or make it anew" in err


def test_a_marker_of_another_run_is_named(folders: dict[str, Path], tmp_path: Path, inspect: Run) -> None:
    shutil.copytree(folders["translation"], tmp_path / "out")
    marker = next((tmp_path / "out" / ".units").glob("a-*.json"))
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"fingerprint": "other"}))
    code, _, err = inspect(tmp_path / "out", "--verify")
    assert code == 1
    assert marker.name in err


def test_files_that_no_manifest_names_are_told(folders: dict[str, Path], tmp_path: Path, inspect: Run) -> None:
    for kind, name in {"model": "notes.txt", "translation": "old-00000-of-00001.txt"}.items():
        shutil.copytree(folders[kind], tmp_path / kind)
        (tmp_path / kind / name).write_text("x")
        code, out, _ = inspect(tmp_path / kind, "--verify")
        assert code == 0
        assert out.endswith(f"\nnote: not named by the manifest: {name}\n")
    shutil.copytree(folders["run"], tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "step-00000099").mkdir()
    code, out, _ = inspect(tmp_path / "run", "--verify")
    assert code == 0
    assert out.endswith("\nnote: unfinished: checkpoints/step-00000099\n")


def test_folders_with_nothing_to_verify(tmp_path: Path, inspect: Run) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").write_text("dataset: d\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("x")
    for name, message in {
        "run": "there is nothing to verify yet; found neither a checkpoint nor a model",
        "notes": "no folder of this project stands here; found a.txt",
        "notes/a.txt": "no folder of this project stands here; found a file",
        "none": "no such file or folder",
    }.items():
        code, _, err = inspect(tmp_path / name, "--verify")
        assert (code, err.count("\n")) == (1, 1)
        assert message in err


@pytest.mark.parametrize("words", [[], ["--verify"], ["--verify", "true"], ["--verify=true"]])
def test_a_path_is_needed(words: list[str], inspect: Run) -> None:
    code, _, err = inspect(*words)
    assert code == 2
    assert "a path is missing" in err
