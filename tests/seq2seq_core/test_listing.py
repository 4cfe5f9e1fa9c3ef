from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from seq2seq_core.errors import InputError, StorageError
from seq2seq_core.listing import expand, find_files


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def test_links_to_folders_are_followed_by_folders_and_globs() -> None:
    touch("store/news/a.tsv", "data/web/b.tsv")
    Path("data/news").symlink_to("../store/news")
    for pattern in ("data", "data/*/*.tsv", "data/**/*.tsv", "./data", "data/**"):
        assert [found.below for found in find_files(pattern)] == ["news/a.tsv", "web/b.tsv"]
    assert expand("data/news") == ["data/news/a.tsv"]


@pytest.mark.parametrize("pattern", ["d", "d/**/*.txt", "d/**"])
def test_links_that_lead_in_a_circle_end(pattern: str) -> None:
    touch("d/a.txt", "d/inner/b.txt", "other/c.txt")
    Path("d/inner/up").symlink_to("..")
    Path("d/self").symlink_to(".")
    Path("d/other").symlink_to("../other")
    Path("other/back").symlink_to("../d")
    assert expand(pattern) == ["d/a.txt", "d/inner/b.txt", "d/other/c.txt"]


def test_each_file_is_there_once_by_its_own_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    touch("d/long-name.txt")
    Path("d/a").symlink_to("long-name.txt")
    assert expand("d") == ["d/long-name.txt"]
    assert "files that are there under another name are passed over: a" in caplog.text


def test_hidden_files_are_passed_over_by_name_unless_they_are_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    touch("d/a.txt", "d/_SUCCESS", "d/.a.txt.crc", "d/.git/x.txt", "d/_tmp/y.txt")
    assert expand("d") == ["d/a.txt"]
    for name in ("_SUCCESS", ".a.txt.crc", ".git/x.txt"):
        assert name in caplog.text
    assert "and 1 more" in caplog.text
    assert expand("d/_*") == ["d/_SUCCESS"]
    assert expand("d/.git/x.txt") == ["d/.git/x.txt"]
    assert expand("d/.git") == ["d/.git/x.txt"]


def test_what_the_run_writes_is_no_input(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    touch("d/a.txt", "d/out/b.txt")
    Path("d/link").symlink_to("out")
    for output in ("d/out", "./d/out/", os.path.realpath("d/out"), "d/link"):
        assert [found.url for found in find_files("d", output)] == ["d/a.txt"]
    assert "what the output folder holds is passed over: link/b.txt, out/b.txt" in caplog.text
    with pytest.raises(StorageError, match="nothing is left to read; found 3 files, all passed over"):
        find_files("d", "d")


OURS = {
    "dataset": {"dataset.json": {"format_version": 1, "source_tokenizer": {}, "splits": {}, "ledger": {}}},
    "translation": {"output.json": {"format_version": 1, "records_in": 0, "records_out": 0, "inputs": []}},
    "model": {"config.json": {"format_version": 1, "architecture": {}, "weights": {}, "lineage": {}}},
    "run": {"config.yaml": {}, "checkpoints/step-1/checkpoint.json": {}},
    "begun dataset": {"_work/claim-00000.json": {}},
    "begun translation": {".claim/claim.json": {"work": "translation"}},
    "begun run": {".claim/claim.json": {"work": "training"}},
}


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("pattern", ["d", "d/**/*.*"])
def test_folders_of_ours_are_no_input(kind: str, pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    touch("d/a.txt", "d/sub/ours/part.txt", "d/sub/ours/deep/er.txt")
    for name, values in OURS[kind].items():
        Path("d/sub/ours", name).parent.mkdir(parents=True, exist_ok=True)
        Path("d/sub/ours", name).write_text(json.dumps(values))
    assert expand(pattern) == ["d/a.txt"]
    assert f"files of a {kind.split()[-1]} are passed over" in caplog.text
    assert "d/sub/ours/part.txt" in expand("d/sub/ours")


def test_names_that_others_use_too_make_no_folder_ours() -> None:
    touch("d/sub/dataset.json", "d/sub/config.json", "d/sub/output.json", "d/sub/config.yaml", "d/sub/a.txt")
    assert len(expand("d")) == 5


def test_what_tells_of_a_translation_is_not_its_content() -> None:
    touch("out/a.txt", "out/failures/a.jsonl")
    Path("out/output.json").write_text(json.dumps(OURS["translation"]["output.json"]))
    assert expand("out") == ["out/a.txt"]


def test_what_is_no_file_is_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    touch("d/a.txt")
    os.mkfifo("d/pipe")
    Path("d/dead").symlink_to("nowhere")
    Path("empty").mkdir()
    assert expand("d") == ["d/a.txt"]
    assert "no file (a pipe, a link that leads nowhere) is passed over: d" in caplog.text
    for pattern, message in [
        ("d/pipe", "d/pipe: a pipe stands here; expected a file"),
        ("d/dead", "d/dead: the link leads nowhere; found nowhere"),
        ("empty", "empty: the folder is empty"),
        ("none", "none: no such file"),
        ("none*", r"none\*: no such file"),
        ("", "an empty path"),
        (" \t", "an empty path"),
        ("/dev/null", "/dev/null: a device stands here"),
    ]:
        with pytest.raises(StorageError, match=f"^{message}"):
            expand(pattern)


@pytest.mark.parametrize("pattern", ["d", "d/*", "d/caf\udce9.txt"])
def test_a_name_that_is_not_utf8_is_shown_in_escapes(pattern: str) -> None:
    touch("d/a.txt")
    Path("d/caf\udce9.txt").write_text("x")
    with pytest.raises(InputError, match=r"^d/caf\\udce9\.txt: the name of a file is not UTF-8.*Rename"):
        expand(pattern)


def test_a_folder_that_cannot_be_read_is_no_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    touch("d/a.txt", "d/locked/b.txt")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError, match="access is denied"):
        expand("d")


def test_odd_names_are_plain_names() -> None:
    names = ["a b", "[x]", "{y}", "*", "50%20off", "c#", "what?", "..and", "back\\slash", "n\new", "~t", "é", "::"]
    touch(*(f"d/{name}.tsv" for name in names))
    for name in names:
        assert expand(f"d/{name}.tsv") == [f"d/{name}.tsv"]
