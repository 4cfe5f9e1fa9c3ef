from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core import storage
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.errors import ConfigError, InputError, StorageError

OUTPUT = "elsewhere"


def touch(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return str(folder)


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("a.txt", ("a", ".txt", "text", None)),
        ("a.txt.gz", ("a", ".txt.gz", "text", "gzip")),
        ("a.b.jsonl.zst", ("a.b", ".jsonl.zst", "jsonl", "zstd")),
        ("A.NDJSON", ("A", ".NDJSON", "jsonl", None)),
        ("a.parquet", ("a", ".parquet", "parquet", None)),
        ("test.en", ("test.en", ".txt", "text", None)),
        ("test.zh_CN.xz", ("test.zh_CN", ".txt.xz", "text", "xz")),
        ("test.src.bz2", ("test.src", ".txt.bz2", "text", "bz2")),
    ],
)
def test_format_and_output_name_follow_from_the_suffix(
    tmp_path: Path, name: str, described: tuple[str, str, str, str | None]
) -> None:
    (found,) = find_inputs([touch(tmp_path, name)], None, OUTPUT)
    assert (found.name, found.suffix, found.format, found.codec) == described


def test_a_given_format_wins_and_a_suffix_that_does_not_name_it_stays(tmp_path: Path) -> None:
    files = find_inputs([touch(tmp_path, "a.log", "b.txt", "c")], "jsonl", OUTPUT)
    assert [(file.name, file.suffix) for file in files] == [("a.log", ".jsonl"), ("b.txt", ".jsonl"), ("c", ".jsonl")]


def test_unknown_suffixes_and_packed_parquet_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.pdf", "a.parquet.gz")
    with pytest.raises(InputError, match=r"a\.pdf: the format is not known.*--format"):
        find_inputs([str(tmp_path / "a.pdf")], None, OUTPUT)
    with pytest.raises(InputError, match="compressed inside"):
        find_inputs([str(tmp_path / "a.parquet.gz")], None, OUTPUT)


def test_paths_below_a_folder_or_a_glob_are_mirrored(tmp_path: Path) -> None:
    root = touch(tmp_path, "x/a.txt", "x/y/a.txt", "z/a.txt")
    assert [file.name for file in find_inputs([root], None, OUTPUT)] == ["x/a", "x/y/a", "z/a"]
    assert [file.name for file in find_inputs([root + "/"], None, OUTPUT)] == ["x/a", "x/y/a", "z/a"]
    assert [file.name for file in find_inputs([f"{root}/*/a.txt"], None, OUTPUT)] == ["x/a", "z/a"]
    assert [file.name for file in find_inputs([f"{root}/x/*.txt"], None, OUTPUT)] == ["a"]
    assert [file.name for file in find_inputs([f"{root}/x/y/a.txt"], None, OUTPUT)] == ["a"]


def test_a_name_with_brackets_is_a_name(tmp_path: Path) -> None:
    root = touch(tmp_path, "a[1].txt")
    assert [file.name for file in find_inputs([f"{root}/a[1].txt"], None, OUTPUT)] == ["a[1]"]


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "docs/a.txt")
    monkeypatch.chdir(tmp_path)
    for pattern in ("docs", "docs/", "docs/*.txt", "docs/a.txt", "./docs/a.txt"):
        assert [file.name for file in find_inputs([pattern], None, OUTPUT)] == ["a"]


def test_memory_urls() -> None:
    storage.publish_bytes("memory://find-inputs/x/a.txt", b"")
    assert [file.name for file in find_inputs(["memory://find-inputs"], None, OUTPUT)] == ["x/a"]
    assert [file.name for file in find_inputs(["memory://find-inputs/x/*.txt"], None, OUTPUT)] == ["a"]
    storage.remove("memory://find-inputs")


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    root = touch(tmp_path, "a.txt", "b.txt")
    assert len(find_inputs([f"{root}/*.txt", f"{root}/a.txt"], None, OUTPUT)) == 2


def test_two_inputs_of_one_output_are_refused(tmp_path: Path) -> None:
    root = touch(tmp_path, "x/a.txt", "y/a.txt", "y/a.jsonl", "y/a.txt.gz")
    with pytest.raises(ConfigError, match=r"a\.txt: two inputs.*x/a\.txt and .*y/a\.txt"):
        find_inputs([f"{root}/x/a.txt", f"{root}/y/a.txt"], None, OUTPUT)
    assert len(find_inputs([f"{root}/x/a.txt", f"{root}/y/a.jsonl", f"{root}/y/a.txt.gz"], None, OUTPUT)) == 3


def test_names_that_are_kept_are_refused(tmp_path: Path) -> None:
    root = touch(tmp_path, "failures/a.txt")
    with pytest.raises(ConfigError, match="'failures' is kept"):
        find_inputs([root], None, OUTPUT, kept=("failures",))
    assert find_inputs([root], None, OUTPUT)[0].name == "failures/a"


def test_inputs_inside_the_output_folder_are_refused_by_name_and_passed_over_in_a_search(tmp_path: Path) -> None:
    root = touch(tmp_path, "a.txt", "out/b.txt", "outside.txt")
    with pytest.raises(ConfigError, match="stands in the output folder"):
        find_inputs([f"{root}/out/b.txt"], None, f"{root}/out")
    for pattern in (root, f"{root}/**/*.txt", f"{root}/*.txt"):
        assert [file.name for file in find_inputs([pattern], None, f"{root}/out")] == ["a", "outside"]


def test_one_file_by_two_spellings_is_one_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = touch(tmp_path, "docs/a.txt")
    (tmp_path / "link.txt").symlink_to("docs/a.txt")
    monkeypatch.chdir(tmp_path)
    spellings = ["docs/a.txt", "./docs/a.txt", f"{root}/docs/a.txt", f"file://{root}/docs/a.txt", "docs", "link.txt"]
    assert [file.url for file in find_inputs(spellings, None, OUTPUT)] == ["docs/a.txt"]


def test_nothing_there_and_nothing_but_hidden_files(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the folder is empty"):
        find_inputs([str(tmp_path)], None, OUTPUT)
    with pytest.raises(StorageError, match="nothing is left to read; found 2 files, all passed over"):
        find_inputs([touch(tmp_path, "_SUCCESS", ".x/a.txt")], None, OUTPUT)


@pytest.mark.parametrize(("name", "is_text"), [("a.de", True), ("a.pl", True), ("a.src", True), ("a.sh", False)])
def test_a_suffix_is_a_language_when_it_is_one(tmp_path: Path, name: str, is_text: bool) -> None:
    root = touch(tmp_path, name)
    if is_text:
        assert find_inputs([f"{root}/{name}"], None, OUTPUT)[0].format == "text"
    else:
        with pytest.raises(InputError, match="the format is not known by the suffix"):
            find_inputs([f"{root}/{name}"], None, OUTPUT)
