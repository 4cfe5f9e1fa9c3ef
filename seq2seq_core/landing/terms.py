"""What is said of landed files: what was seen of them, what the ledger keeps, and the batches that they make."""

from __future__ import annotations

from typing import Literal, NamedTuple

import pydantic

State = Literal["taken", "failed", "gone"]


class Seen(NamedTuple):
    """What stands in a landing zone: a file, or a file of each side where both belong together.

    Attributes:
        key: What it is known by, wherever a command is started: the whole path or URL of its first file.
        urls: Its files, spelt as the user spelt the zone.
        below: The path of the first one below the folder that the zone begins at.
        zone: Which of the zones it stands in.
        bytes: Of all its files.
        version: Changes when one of them does: size, and time or what the store calls a version.
    """

    key: str
    urls: tuple[str, ...]
    below: str
    zone: int
    bytes: int
    version: str


class Waiting(NamedTuple):
    """A file that is not whole yet, or not taken: since when it is unchanged, and since when it is there."""

    version: str
    since: float
    landed: float
    bytes: int = 0


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class FileRecord(_Record):
    """A line of the ledger: what became of a file.

    Attributes:
        key: See `Seen`.
        version: The one that was handled.
        state: Taken, failed (see `reason`), or gone from its zone.
        batch: Which batch it was in.
        bytes: Its size.
        landed: When it was first seen in this version, in seconds of the epoch.
        at: When this was written.
        digest: Of its content; a file whose time alone changes is no new version.
        reason: Why it failed.
        model: The digest of the model that answered it.
    """

    key: str
    version: str
    state: State = "taken"
    batch: int = 0
    bytes: int = 0
    landed: float = 0.0
    at: float = 0.0
    digest: str | None = None
    reason: str | None = None
    model: str | None = None


class BatchRecord(_Record):
    """A line of the ledger: a batch that is done.

    Attributes:
        batch: Its number, from 1.
        files: How many it took.
        bytes: Of these.
        rows: How many rows were read of them.
        made: What it made, as the command calls it (`generation 3`); None where nothing was new.
        opened: When it was begun, in seconds of the epoch.
        at: When it was done.
    """

    batch: int
    files: int
    opened: float = 0.0
    bytes: int = 0
    rows: int = 0
    made: str | None = None
    at: float = 0.0


class Landed(_Record):
    """A file of a batch: see `Seen` and `Waiting`."""

    key: str
    urls: tuple[str, ...]
    below: str
    zone: int
    bytes: int
    version: str
    landed: float


class Batch(_Record):
    """Files that are handled together; it stands on storage from before the work begins until the ledger has it.

    Attributes:
        number: From 1, without gaps.
        opened: When, in seconds of the epoch.
        files: In the order in which they landed.
    """

    number: int
    opened: float
    files: tuple[Landed, ...]


class Lag(_Record):
    """What has landed and was not handled, as a look has found it: for whoever watches the work.

    Attributes:
        files: How many files.
        bytes: Of all of them.
        rows: About how many rows that is.
        oldest: When the first of them landed, in seconds of the epoch; None without any.
        at: When it was looked.
    """

    files: int
    bytes: int
    rows: int
    oldest: float | None
    at: float
