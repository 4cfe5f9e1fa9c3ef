"""The plan of a generation in, written down: every file it may leave in the dataset folder; and what was left out.

The note stands in the folder of the generation's work before any of its files is made, so whatever a killed run left
is known by a record of ours, and a file that no record names is somebody else's, whatever it is called.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

import pydantic

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import REPORT_NAME, Manifest, looks_path
from seq2seq_core.errors import StorageError, foreign_file
from seq2seq_core.preparation.known.merging import files_added
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Head

REPORT_MARKS = (b'name="generator" content="seq2seq"', b'name="made-from"')

_HEAD_BYTES = 1 << 12


class Traces(Message):
    """The files one generation may leave, relative to the dataset folder, and the folder of its work."""

    generation: int
    work: str
    files: tuple[str, ...]


def traces_of(head: Head) -> Traces:
    """All a generation may publish (shards, rejected rows, tokenizers, what is known of its rows), or put in its place.

    The runs that it merges are among them: they are gone when it stands.
    """
    partitions = head.partitions
    shards = [layout.shard(head, partition) for partition in partitions]
    shards += [layout.shard_rejects(head, partition) for partition in partitions]
    units = [layout.unit_rejects(head, unit) for unit in range(head.units)]
    tokenizers = layout.TOKENIZERS if head.tokenizers is None else ()
    looks = looks_path((head.generation, head.generation), head.fingerprint)
    files = (*shards, *units, *tokenizers, *files_added(head.known), looks)
    return Traces(generation=head.generation, work=storage.name_of(head.work), files=files)


def write_down(head: Head) -> None:
    """Note what a generation may leave, before it leaves anything."""
    storage.publish_text(layout.traces(head.work), traces_of(head).model_dump_json())


def all_traces(output: str) -> Iterator[Traces]:
    """The notes of all generations that are being made, or were begun and never finished."""
    for name in storage.list_folder(layout.notes(output)):
        data = storage.read_if_there(layout.traces(layout.note(output, name)))
        if data is not None:
            try:
                found = Traces.model_validate_json(data)
            except pydantic.ValidationError:
                continue  # then it is no note of ours, and names nothing
            if found.work == name:
                yield found


def refuse_strangers(head: Head, latest: Manifest | None) -> None:
    """Make sure that nobody else's file stands where a generation puts its own.

    Raises:
        ForeignFileError: One does; the first is named.
    """
    output = head.output
    ours = {path for traces in all_traces(output) for path in traces.files}
    ours |= set() if latest is None else {*latest.files()}
    wanted = set(traces_of(head).files) - ours
    taken = sorted(path for path in present(output, wanted) if path in wanted)
    if latest is None and not is_free_for_page(storage.join(output, REPORT_NAME)):
        taken.append(REPORT_NAME)
    if taken:
        raise foreign_file(storage.redact(storage.join(output, taken[0])), "the dataset", len(taken))


def is_free_for_page(url: str) -> bool:
    """Whether nothing stands there, or a page of this program, which says so in its head."""
    if not storage.exists(url):
        return True
    try:
        storage.check_destination(url)
    except StorageError:  # a folder, or a pipe, which nobody may write to, stands there
        return False
    with storage.open_input(url) as file:
        head = file.read(_HEAD_BYTES)
    return any(mark in head for mark in REPORT_MARKS)


def check_page(url: str) -> None:
    """Make sure that a page may go there.

    Raises:
        StorageError: No file can stand there.
        ForeignFileError: A file of somebody else does.
    """
    storage.check_destination(url)
    if not is_free_for_page(url):
        raise foreign_file(storage.redact(url), "the page")


def present(output: str, paths: Iterable[str]) -> Iterator[str]:
    """All that stands in the folders of some files, relative to the dataset folder."""
    for folder in sorted({posixpath.dirname(path) for path in paths}, reverse=True):
        for name in storage.list_folder(storage.join(output, folder)):
            yield storage.join(folder, name)
