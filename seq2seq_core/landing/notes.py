"""What a store has told of files in, notes of them below an output, and a landing zone made of these notes, out.

A note is a file of its own whose name follows from what it says: written twice it is one. It is removed when all that
it names is in the ledger. So a zone with millions of objects need not be listed to see the new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pydantic

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.kinds import FOLLOW_FOLDER
from seq2seq_core.landing.zone import File, Zone, stands_for

_NOTES = "landed"


class Told(pydantic.BaseModel):
    """A file that a store has told of, in one version; `at` is when, in seconds of the epoch."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    url: str
    bytes: int
    version: str
    at: float = 0.0


def write_note(output: str, told: Iterable[Told]) -> str | None:
    """Note some files, whatever order they come in, and however often; the name of the note, None where it is empty."""
    lines = sorted({file.model_dump_json() for file in told})
    if not lines:
        return None
    data = "".join(f"{line}\n" for line in lines).encode()
    name = f"{storage.digest_bytes(data)}.jsonl"
    storage.publish_bytes(storage.join(_folder(output), name), data)
    return name


@dataclass(frozen=True)
class NotedZone(Zone):
    """A landing zone whose files are those that notes tell of; of what has gone they tell nothing.

    Attributes:
        notes: The output that the notes stand below.
    """

    notes: str = ""

    @property
    def is_whole_at_once(self) -> bool:
        """A store tells of what is whole."""
        return True

    @property
    def tells_all(self) -> bool:
        """See Zone."""
        return False

    def files(self, pattern: str) -> Iterator[File]:
        """See Zone: of each file the version that was told of last."""
        for told in _last(_read(self.notes)).values():
            if _names(pattern, told.url):
                below = told.url.removeprefix(_base(pattern)).lstrip("/")
                if not self.is_passed_over(below, ""):
                    yield File(told.url, told.url, below, told.bytes, told.version)


def remove_settled(zones: Sequence[NotedZone], known: Mapping[str, str]) -> None:
    """Remove the notes of an output that name nothing but what was handled, and what is in none of its zones.

    Args:
        zones: All zones that are made of them.
        known: The version of each key that was handled.
    """
    notes = zones[0].notes
    read = _read(notes)
    last, open_ = _last(read), set[str]()
    for index, zone in enumerate(zones):
        found = zone.look(index)
        handled = {url for seen in found if known.get(seen.key) == seen.version for url in seen.urls}
        named = {file.url for patterns in zone.sides for pattern in patterns for file in zone.files(pattern)}
        open_ |= named - handled
    for name, files in read.items():
        if not any(last[told.url] == told and told.url in open_ for told in files):
            storage.remove(storage.join(_folder(notes), name))


def _folder(output: str) -> str:
    return storage.join(output, FOLLOW_FOLDER, _NOTES)


def _read(output: str) -> dict[str, list[Told]]:
    """What each note says, by its name."""
    found: dict[str, list[Told]] = {}
    for name in storage.list_folder(_folder(output)):
        url = storage.join(_folder(output), name)
        data = storage.read_if_there(url) if name.endswith(".jsonl") else None
        if data is not None:
            try:
                found[name] = [Told.model_validate_json(line) for line in data.splitlines()]
            except pydantic.ValidationError as error:
                reason = str(error).splitlines()[0]
                raise DatasetError("a note is damaged", where=storage.redact(url), found=reason) from None
    return found


def _last(notes: Mapping[str, Sequence[Told]]) -> dict[str, Told]:
    """What was told of each file last, by its URL."""
    every = sorted((told for files in notes.values() for told in files), key=lambda told: (told.at, told.version))
    return {told.url: told for told in every}


def _names(pattern: str, url: str) -> bool:
    return stands_for(pattern, url) is not None or url.startswith(pattern.rstrip("/") + "/")


def _base(pattern: str) -> str:
    """The folder that a pattern begins at."""
    parts = pattern.rstrip("/").split("/")
    first = next((place for place, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts))
    return "/".join(parts[:first])
