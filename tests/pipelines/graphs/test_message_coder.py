from __future__ import annotations

import apache_beam as beam
import pytest

from pipelines.graphs import message_coder
from pipelines.graphs.message_coder import MessageCoder
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Bucket, HeldOutIndex, Outcome, Partition, SlotCounts


@pytest.mark.parametrize(
    "message",
    [
        Bucket(index=3),
        Partition(split="train", index=0, count=2, slot=None),
        HeldOutIndex(path=None),
        Outcome.model_validate(
            {"fingerprint": "ü \n{", "ledger": {"read": 1, "kept": {}, "duplicates": 1, "rejected": {}}}
        ),
    ],
)
def test_a_message_of_any_kind_comes_back(message: Message) -> None:
    coder = MessageCoder()
    assert coder.decode(coder.encode(message)) == message
    assert type(coder.decode(coder.encode(message))) is type(message)


def test_what_a_runner_shows_can_be_read() -> None:
    assert MessageCoder().encode(SlotCounts(slot=1, counts=(2, 3))) == b'SlotCounts {"slot":1,"counts":[2,3]}'


def test_beam_takes_it_where_messages_are_annotated() -> None:
    message_coder.register()
    assert beam.coders.registry.get_coder(Message) == MessageCoder()
    assert beam.coders.registry.get_coder(Message).is_deterministic()
