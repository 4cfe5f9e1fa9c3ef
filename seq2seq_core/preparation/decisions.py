"""What has to be known of the whole corpus before a shard of it can be built, gathered into one message."""

from __future__ import annotations

from seq2seq_core.preparation.messages import HeldOutIndex, Message, SlotCounts, TokenizersReport
from seq2seq_core.preparation.near.messages import DropReport


class Decisions(Message):
    """What every shard is built by.

    Attributes:
        tokenizers: Of the dataset.
        held_out: What training rows must not share.
        counts: Of every training shard; empty when no corpus has a cap.
        near: The near-duplicates of every training shard; empty when they are not looked for.
    """

    tokenizers: TokenizersReport
    held_out: HeldOutIndex
    counts: tuple[SlotCounts, ...] = ()
    near: tuple[DropReport, ...] = ()
