"""A folder that Hugging Face `datasets` saved to disk in, the Arrow files with its rows out.

`Dataset.save_to_disk` writes `state.json`, `dataset_info.json` and `data-*.arrow`; `DatasetDict.save_to_disk` writes
`dataset_dict.json` and such a folder for every split. Nothing but JSON and Arrow is read.
"""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, InputError

_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"
_INDICES = ("_indices_files", "_indices_data_files")
_DEFAULT_SPLIT = "train"
_NUMBERED = re.compile(r"data-([0-9]{5})-of-([0-9]{5})\.arrow")


def is_saved_dataset(url: str) -> bool:
    """Whether the folder is one of a saved dataset."""
    return any(storage.exists(storage.join(url, name)) for name in (_DICT, _STATE, _INFO))


def data_files(folder: str, split: str | None) -> list[str]:
    """The Arrow files of a saved dataset, or of one split of it (`train` when None is given).

    Raises:
        ConfigError: There is no such split.
        InputError: The description of the dataset is damaged, or it is a view of its files (selected or shuffled rows).
        StorageError: A file it names lies elsewhere.
    """
    if storage.exists(storage.join(folder, _DICT)):
        return _files_of(_choose(folder, split), None)
    return _files_of(folder, split)


def _choose(folder: str, split: str | None) -> str:
    """The folder of a split."""
    described = storage.join(folder, _DICT)
    splits = _read(described).get("splits")
    if not isinstance(splits, list) or not all(isinstance(name, str) for name in splits):
        raise InputError("the splits cannot be read", where=storage.redact(described), expected='{"splits": ["train"]}')
    chosen = _DEFAULT_SPLIT if split is None else split
    if chosen not in splits:
        found = f"splits {', '.join(splits)}"
        raise ConfigError(f"no split {chosen!r}", where=storage.redact(folder), found=found, advice="Set split.")
    return storage.join(folder, chosen)


def _files_of(folder: str, split: str | None) -> list[str]:
    described = storage.join(folder, _STATE)
    if not storage.exists(described):
        _refuse_split(folder, split, None)
        names = fnmatch.filter(storage.list_folder(folder), "data-*.arrow")
        _check_all_there(names, folder)
    else:
        state = _read(described)
        _refuse_split(folder, split, state.get("_split"))
        if any(state.get(key) for key in _INDICES):
            raise InputError(
                "the dataset is a selection or another order of its rows",
                where=storage.redact(described),
                found=", ".join(key for key in _INDICES if state.get(key)),
                advice="Save it with dataset.flatten_indices().save_to_disk(...).",
            )
        names = _names(state, described)
    if not names:
        raise InputError("no data files", where=storage.redact(folder), expected="data-*.arrow and state.json")
    return sorted({storage.join(folder, name) for name in names})


def _check_all_there(names: list[str], folder: str) -> None:
    """Raise an InputError where a file is missing, of those that the names of the others count."""
    found = [match.groups() for match in map(_NUMBERED.fullmatch, names) if match]
    for total in {total for _, total in found}:
        there = {int(number) for number, of in found if of == total}
        missing = [number for number in range(int(total)) if number not in there]
        if missing:
            raise InputError(
                "data files are missing",
                where=storage.redact(folder),
                found=f"{len(there)} of {int(total)}, without number {missing[0]}",
                expected="all files, and state.json",
            )


def _refuse_split(folder: str, split: str | None, found: object) -> None:
    if split is not None and split != found:
        raise ConfigError(
            f"no split {split!r}",
            where=storage.redact(folder),
            found="a dataset without splits" if found is None else f"the split {found}",
            advice="Leave split out.",
        )


def _names(state: dict[str, Any], described: str) -> list[str]:
    entries = state.get("_data_files")
    entries = entries if isinstance(entries, list) else [None]
    names = [entry.get("filename") if isinstance(entry, dict) else None for entry in entries]
    if not all(isinstance(name, str) and name for name in names):
        expected = '"_data_files": [{"filename": "data-00000-of-00001.arrow"}]'
        raise InputError("the data files cannot be read", where=storage.redact(described), expected=expected)
    return [str(name) for name in names]


def _read(url: str) -> dict[str, Any]:
    try:
        values = json.loads(storage.read_text(url))
    except (ValueError, RecursionError) as error:
        raise InputError("the file is not JSON", where=storage.redact(url), found=error) from None
    if not isinstance(values, dict):
        raise InputError("not the description of a dataset", where=storage.redact(url), expected="a JSON object")
    return values
