"""What a format of training data is: a file of it in; how it may be named, where it can be cut, and its rows, out.

A format is one file here and one line in `table`. Nobody else asks what a format is called: who wants to know
something of it that is not said here adds it to what all of them say.
"""

from __future__ import annotations

import abc
import functools
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, NamedTuple

from seq2seq_core.corpora.terms.index import FileIndex, PartSize, index_whole
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.errors import ConfigError
from seq2seq_core.files.fields import overlap
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Sifted

SIDES = ("source", "target")


class Lack(NamedTuple):
    """Fields that none of the first rows of a file has, and the fields that these have, as messages say it."""

    fields: tuple[str, ...]
    found: str


class Format(abc.ABC):
    """A kind of file that rows are read from: what is said here holds for a file that is read whole, from its start.

    `lines.LineFormat` says more of files whose rows are lines, `columns.ColumnFormat` of those with typed columns.

    Attributes:
        called: What a file of it is called in messages.
        suffixes: What the names of its files end in, before the suffix of an archive; () when no name tells it.
        given_by: The keys of a corpus that name its files: `path` or `text`, or one for each side.
        default_fields: The names of the fields with source and target, where none are given; () where rows have none.
        takes_archives: Whether its files are read through an archive.
        needs_languages: Whether a file may hold many languages, of which two must be chosen.
        is_folder: Whether a corpus of it is a folder, and never a file.
        has_values: Whether its fields may be values of any type, not text alone.
        source_modality: What a source in it is where nobody says so: a name of the table of modalities.
        rows_are_lines: Whether a line (of each file) is a row, so that reading may begin behind any line end.
        in_order: Whether a part is a range of bytes of each file, read from front to end. Where it is not, `read` says
            what it is going to read (`Watched.expect`).
    """

    called: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    given_by: ClassVar[tuple[str, ...]] = ("path",)
    default_fields: ClassVar[tuple[str, ...]] = ()
    takes_archives: ClassVar[bool] = True
    needs_languages: ClassVar[bool] = False
    is_folder: ClassVar[bool] = False
    has_values: ClassVar[bool] = False
    source_modality: ClassVar[str] = "text"
    rows_are_lines: ClassVar[bool] = False
    in_order: ClassVar[bool] = True

    def owns(self, _folder: str, /) -> bool:
        """Whether a URL is a folder that is one corpus in a way of the format's own, rather than one with its files."""
        return False

    def sources_in(self, _folder: str, _split: str | None, /) -> list[tuple[str, ...]]:
        """The files of each source in a folder that the format owns, or of one split of it."""
        return []

    def check_fields(self, fields: Sequence[str], /) -> None:
        """Raise a ConfigError where names of fields, those of the texts and the score, cannot stand together."""
        if any(overlap(one, other) for one, other in itertools.combinations(fields, 2)):
            raise ConfigError("the fields must be different values", found=" and ".join(fields))

    def header_lines(self, _source: Source, /) -> int:
        """How many lines at the start of a file are no rows."""
        return 0

    def index(self, source: Source, size: PartSize, _max_line_bytes: int, /) -> tuple[FileIndex, ...]:
        """Read all files of a source once, at the same time.

        Args:
            source: What to read.
            size: How much stands from cut to cut.
            _max_line_bytes: A longer header cannot be read.

        Raises:
            InputError: A file is empty or damaged, lacks a field, or the files do not belong together.
        """
        with ThreadPoolExecutor(len(source.urls)) as pool:
            return tuple(pool.map(functools.partial(self.index_file, source, size), source.urls))

    def index_file(self, _source: Source, _size: PartSize, url: str, /) -> FileIndex:
        """One file of `index`."""
        return index_whole(url)

    def may_be_empty(self, _source: Source, _found: FileIndex, /) -> bool:
        """Whether a file with bytes in it may have no rows, where its index does not count them."""
        return False

    @abc.abstractmethod
    def has_rows(self, source: Source, url: str, /) -> bool:
        """Whether a file of a source has a row; no more is read than it takes to see one."""

    def lacks(self, _source: Source, _url: str, /) -> Lack | None:
        """The fields that none of the first rows of a file has; None where all are there, or the index tells."""
        return None

    def why_whole(self, source: Source, /) -> tuple[str, str]:
        """What a file is that was not cut, and what to do."""
        if source.is_packed:
            return "compressed", "unpacked, or in several files"
        return "one piece", "in several files"

    @abc.abstractmethod
    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        """The rows of a part in order, in batches of some megabytes; those that cannot be read are set aside.

        Args:
            part: What to read.
            files: Its files, open.
            max_line_bytes: Longer lines or texts are unreadable.

        Raises:
            InputError: A file is damaged or lacks a field, or the files do not belong together.
        """
