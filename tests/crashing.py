"""A number of writes in; a block in which all further ones fail, before anything of them is visible, out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO

import pytest

from seq2seq_core import storage
from seq2seq_core.kinds import CLAIM_FOLDER


@contextlib.contextmanager
def crashing_after(writes: int) -> Iterator[None]:
    """Every write after so many fails, but those of a claim, whose thread lives on here."""
    count = 0
    publish = storage.publish

    def counted(url: str, **how: bool) -> contextlib.AbstractContextManager[IO[bytes]]:
        nonlocal count
        if CLAIM_FOLDER in url:
            return publish(url, **how)
        count += 1
        if count > writes:
            raise RuntimeError("crash")
        return publish(url, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "publish", counted)
        yield
