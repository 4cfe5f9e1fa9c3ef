"""Landing zones and their ledger in, what can be taken now out: one look after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from seq2seq_core import storage
from seq2seq_core.errors import InputError, StorageError
from seq2seq_core.landing import planner
from seq2seq_core.landing.config import NAME, LandingConfig
from seq2seq_core.landing.ledger import Ledger, publish_lag, read_lag
from seq2seq_core.landing.notes import NotedZone, remove_settled
from seq2seq_core.landing.planner import Pace
from seq2seq_core.landing.terms import Batch, FileRecord, Lag, Landed, Seen, Waiting
from seq2seq_core.landing.zone import Zone, marker_of

SETTLE_SECONDS = 5.0
_LAG_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Lookout:
    """Looks at landing zones, for one process at a time; what it forgets when that ends, it sees again.

    What has gone, and a file whose time alone has changed, is taken down in the ledger at once.
    """

    def __init__(self, zones: Sequence[Zone], config: LandingConfig, ledger: Ledger) -> None:
        """`ledger` is where what has become of files is written, by whoever handles them."""
        self._zones, self._config, self._ledger = tuple(zones), config, ledger
        self._waiting: dict[str, Waiting] = {}
        self._failing_since: float | None = None
        self._lag = read_lag(ledger.output) or Lag(files=-1, bytes=0, rows=0, oldest=None, at=0.0)

    def look(self, now: float, busy: Sequence[Landed] = ()) -> list[Landed]:
        """What is whole and was not handled in this version; the first landed first.

        Args:
            now: Seconds of the epoch.
            busy: What is being handled: it is known already.

        Raises:
            StorageError: A zone cannot be read, for longer than there is patience.
            InputError: A file has changed, and that is an error.
        """
        listing = self._listing(now)
        if listing is None:
            return []
        self._ledger.refresh()
        noted = [zone for zone in self._zones if isinstance(zone, NotedZone)]
        if noted:
            remove_settled(noted, self._ledger.versions)
        known = self._ledger.versions | {landed.key: landed.version for landed in busy}
        found = planner.compare(listing, known, self._waiting, now, lambda seen: self._needs_seconds(seen, known))
        self._waiting = found.waiting
        self._tell_lag(now)
        self._note_gone(found.gone, now)
        whole = self._marked(found.whole)
        changed = [landed for landed in whole if landed.key in known]
        if not changed:
            return whole
        touched = self._note_touched(changed, now)
        whole = [landed for landed in whole if landed.key not in touched]
        self._refuse_changed([landed for landed in changed if landed.key not in touched])
        return whole

    def unchanged(self, landed: Sequence[Landed], now: float) -> list[Landed]:
        """Those that still stand there in the version that was seen; the others are waited for anew."""
        listing = self._listing(now)
        if listing is None:
            return list(landed)
        there = {(seen.key, seen.version) for seen in listing}
        same = [one for one in landed if (one.key, one.version) in there]
        for one in landed:
            if (one.key, one.version) not in there:
                self._waiting.pop(one.key, None)
        return same

    @property
    def waiting(self) -> int:
        """How many files are there that were not taken."""
        return len(self._waiting)

    def _listing(self, now: float) -> list[Seen] | None:
        """All that stands in the zones; None where one of them cannot be read now."""
        try:
            listing = [seen for index, zone in enumerate(self._zones) for seen in zone.look(index)]
        except StorageError as error:
            self._failing_since = now if self._failing_since is None else self._failing_since
            if now - self._failing_since >= self._config.patience_seconds:
                raise
            _log.warning("a landing zone cannot be read now: %s", error)
            return None
        self._failing_since = None
        return listing

    def _needs_seconds(self, seen: Seen, known: dict[str, str]) -> float:
        """A marker that was there for a file says nothing of what is written over it."""
        config = self._config
        if config.whole == "renamed" or (config.whole == "marked" and seen.key not in known):
            return 0.0
        at_once = 0.0 if self._zones[seen.zone].is_whole_at_once else SETTLE_SECONDS
        return at_once if config.settle_seconds is None else config.settle_seconds

    def _marked(self, whole: list[Landed]) -> list[Landed]:
        """Those that have a marker, where one is asked for."""
        if self._config.whole != "marked":
            return whole
        folders: dict[str, set[str]] = {}

        def is_there(url: str) -> bool:
            folder = url.rpartition("/")[0] or ("/" if url.startswith("/") else ".")
            if folder not in folders:
                folders[folder] = set(storage.list_folder(folder))
            return storage.name_of(url) in folders[folder]

        marker = self._config.marker
        return [landed for landed in whole if all(is_there(marker_of(url, marker, NAME)) for url in landed.urls)]

    def _tell_lag(self, now: float) -> None:
        """Tell what waits, where that has changed, and not at every look."""
        total = sum(entry.bytes for entry in self._waiting.values())
        oldest = min((entry.landed for entry in self._waiting.values()), default=None)
        rows = round(total / self._ledger.bytes_a_row)
        lag = Lag(files=len(self._waiting), bytes=total, rows=rows, oldest=oldest, at=now)
        has_changed = lag.model_copy(update={"at": self._lag.at}) != self._lag
        if has_changed and (not lag.files or now - self._lag.at >= _LAG_SECONDS):
            publish_lag(self._ledger.output, lag)
            self._lag = lag

    def _note_gone(self, keys: Sequence[str], now: float) -> None:
        records = [self._ledger.files[key] for key in keys if key in self._ledger.files]
        if records and all(zone.tells_all for zone in self._zones):
            _log.info("%s gone from the landing zone: %s", *_counted([record.key for record in records]))
            gone = {"state": "gone", "at": now, "reason": None}
            self._ledger.add(record.model_copy(update=gone) for record in records)

    def _note_touched(self, changed: Sequence[Landed], now: float) -> set[str]:
        """The keys of those whose content is what it was, taken down in the version that they have now."""
        same: list[FileRecord] = []
        for landed in changed:
            before = self._ledger.files.get(landed.key)
            if before is not None and before.digest is not None and digest_of(landed) == before.digest:
                same.append(before.model_copy(update={"version": landed.version, "at": now}))
        self._ledger.add(same)
        for record in same:
            self._waiting.pop(record.key, None)
        return {record.key for record in same}

    def _refuse_changed(self, changed: Sequence[Landed]) -> None:
        if changed and self._config.changed == "error":
            raise InputError(
                "a file that was taken has other content now",
                where=storage.redact(changed[0].urls[0]),
                found=f"{len(changed)} such files" if len(changed) > 1 else None,
                expected="files that do not change (landing.changed is error)",
                advice="Deliver it under another name, or set landing.changed to take.",
            )


class Batches:
    """Makes batches of what a lookout sees, one at a time."""

    def __init__(self, lookout: Lookout, ledger: Ledger, pace: Pace) -> None:
        """`pace` says when a batch is made."""
        self._lookout, self._ledger, self._pace = lookout, ledger, pace

    def next(self, now: float) -> Batch | None:
        """The batch at work, or one that is opened now; None where it is not time, or nothing is there.

        Args:
            now: Seconds of the epoch.

        Raises:
            StorageError, InputError: See `Lookout.look`.
        """
        self._ledger.refresh()
        left = self._ledger.opened()
        if left is not None:
            return left
        whole = self._lookout.look(now)
        sums = self._ledger.sums
        since = now - sums.last_opened if sums.last_batch else None
        chosen = planner.choose(whole, since, self._pace, self._ledger.bytes_a_row)
        self._ledger.fold(now)
        if not chosen:
            return None
        batch = Batch(number=sums.last_batch + 1, opened=now, files=tuple(chosen))
        self._ledger.open(batch)
        return batch


def digest_of(landed: Landed) -> str:
    """Names the content of all files of what has landed."""
    return "+".join(storage.digest_file(url) for url in landed.urls)


def record_of(
    landed: Landed, now: float, batch: int = 0, *, digest: str | None = None, reason: str | None = None
) -> FileRecord:
    """The line of the ledger of what was handled: taken, or failed where there is a reason."""
    return FileRecord(
        key=landed.key,
        version=landed.version,
        state="taken" if reason is None else "failed",
        batch=batch,
        bytes=landed.bytes,
        landed=landed.landed,
        at=now,
        digest=digest,
        reason=reason,
    )


def _counted(names: Sequence[str], most: int = 3) -> tuple[str, str]:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ("a file has" if len(names) == 1 else f"{len(names):,} files have"), ", ".join(names[:most]) + more
