"""Folders as Hugging Face `datasets` saves them: read without that package, and nothing outside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from seq2seq_core.errors import ConfigError, InputError, StorageError

Rows = list[tuple[str, str]]
FIELDS = {"source_field": "translation.en", "target_field": "translation.de"}


def save(folder: Path, rows: Rows, files: int = 1, **state: Any) -> None:
    """What `Dataset.save_to_disk(folder, num_shards=files)` leaves behind (datasets 2 to 4)."""
    folder.mkdir(parents=True)
    table = pa.table({"translation": [{"en": source, "de": target} for source, target in rows]})
    names = [f"data-{number:05d}-of-{files:05d}.arrow" for number in range(files)]
    for number, name in enumerate(names):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            begin, end = len(rows) * number // files, len(rows) * (number + 1) // files
            writer.write_table(table.slice(begin, end - begin), max_chunksize=2)
    described: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "0123456789abcdef",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    (folder / "state.json").write_text(json.dumps(described | state))
    features = {"translation": {"languages": ["en", "de"], "_type": "Translation"}}
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


@pytest.fixture
def rows() -> Rows:
    return [(f"e{number}", f"d{number}") for number in range(7)]


@pytest.mark.parametrize("files", [1, 3])
def test_a_dataset_is_read_file_by_file(tmp_path: Path, reading: Any, rows: Rows, files: int) -> None:
    save(tmp_path / "saved", rows, files)
    found = reading.read(2, path=str(tmp_path / "saved"), **FIELDS)
    assert [row[1:] for row in found.rows] == rows
    sources = reading.sources(path=str(tmp_path / "saved"), **FIELDS)
    assert [len(source.urls) for source in sources] == [1] * files
    assert reading.read(path=str(tmp_path / "saved" / "*.arrow"), **FIELDS) == found
    assert reading.read(path=[source.urls[0] for source in sources[::-1]], **FIELDS) == found


def test_a_split_is_chosen(tmp_path: Path, reading: Any, rows: Rows) -> None:
    save(tmp_path / "saved" / "train", rows[:4])
    save(tmp_path / "saved" / "test", rows[4:], _split="test")
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    path = str(tmp_path / "saved")
    assert [row[1:] for row in reading.read(path=path, **FIELDS).rows] == rows[:4]
    assert [row[1:] for row in reading.read(path=path, split="test", **FIELDS).rows] == rows[4:]
    assert reading.read(path=f"{path}/test", split="test", **FIELDS).rows[0] == (1, "e4", "d4")
    for chosen in ("valid", "../saved/test"):
        with pytest.raises(ConfigError, match=r"no split .*; found splits train, test"):
            reading.read(path=path, split=chosen, **FIELDS)
    with pytest.raises(ConfigError, match="no split 'train'; found the split test"):
        reading.read(path=f"{path}/test", split="train", **FIELDS)
    with pytest.raises(ConfigError, match="no split 'test'; found a dataset without splits"):
        reading.read(path=f"{path}/train", split="test", **FIELDS)
    with pytest.raises(ConfigError, match="only a folder that is one corpus has splits"):
        reading.read(path=f"{path}/train/*.arrow", split="train", **FIELDS)


@pytest.mark.parametrize("key", ["_indices_files", "_indices_data_files"])
def test_a_selection_of_rows_is_refused(tmp_path: Path, reading: Any, rows: Rows, key: str) -> None:
    save(tmp_path / "saved", rows, **{key: [{"filename": "indices.arrow"}]})
    with pytest.raises(InputError, match=rf"a selection or another order .*; found {key}\. .*flatten_indices"):
        reading.read(path=str(tmp_path / "saved"), **FIELDS)


@pytest.mark.parametrize("name", ["../other/data.arrow", "/etc/hostname", "a/../../b.arrow", "file:///etc/hostname"])
def test_files_of_other_folders_are_refused(tmp_path: Path, reading: Any, rows: Rows, name: str) -> None:
    save(tmp_path / "saved", rows, _data_files=[{"filename": name}])
    with pytest.raises(StorageError, match="a path leaves its folder"):
        reading.read(path=str(tmp_path / "saved"), **FIELDS)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{", r"state\.json: the file is not JSON"),
        ("[]", r"state\.json: not the description of a dataset"),
        ("{}", r"state\.json: the data files cannot be read"),
        ('{"_data_files": [{"filename": 3}]}', r"state\.json: the data files cannot be read"),
        ('{"_data_files": []}', r"saved: no data files"),
    ],
)
def test_a_damaged_description_is_an_error(tmp_path: Path, reading: Any, rows: Rows, state: str, message: str) -> None:
    save(tmp_path / "saved", rows)
    (tmp_path / "saved" / "state.json").write_text(state)
    with pytest.raises(InputError, match=message):
        reading.read(path=str(tmp_path / "saved"), **FIELDS)


def test_a_damaged_list_of_splits_is_an_error(tmp_path: Path, reading: Any) -> None:
    (tmp_path / "dataset_dict.json").write_text('{"splits": "train"}')
    with pytest.raises(InputError, match=r"dataset_dict\.json: the splits cannot be read"):
        reading.read(path=str(tmp_path), **FIELDS)


def test_without_a_state_the_files_of_that_name_are_taken(tmp_path: Path, reading: Any, rows: Rows) -> None:
    save(tmp_path / "saved", rows, 2)
    (tmp_path / "saved" / "state.json").unlink()
    (tmp_path / "saved" / "cache-0123.arrow").write_bytes(b"not a part of it")
    assert [row[1:] for row in reading.read(path=str(tmp_path / "saved"), **FIELDS).rows] == rows


def test_a_data_file_that_is_missing_is_noticed_without_the_list_of_them(
    tmp_path: Path, reading: Any, rows: Rows
) -> None:
    save(tmp_path / "saved", rows, 3)
    (tmp_path / "saved" / "state.json").unlink()
    assert [row[1:] for row in reading.read(path=str(tmp_path / "saved"), **FIELDS).rows] == rows
    (tmp_path / "saved" / "data-00001-of-00003.arrow").unlink()
    with pytest.raises(InputError, match="saved: data files are missing; found 2 of 3, without number 1; expected all"):
        reading.sources(path=str(tmp_path / "saved"), **FIELDS)
