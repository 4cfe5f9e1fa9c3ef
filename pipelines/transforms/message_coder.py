"""Messages in, JSON bytes out, and back: how descriptions of units, shards and reports cross Beam's stages."""

from __future__ import annotations

import apache_beam as beam
from apache_beam import coders

from seq2seq_core.preparation.terms import messages
from seq2seq_core.preparation.terms.messages import Message

_KINDS: tuple[type[Message], ...] = (
    messages.Buckets,
    messages.Drops,
    messages.Head,
    messages.HeldOutIndex,
    messages.HeldOutSources,
    messages.IndexedInput,
    messages.Input,
    messages.Job,
    messages.Outcome,
    messages.Partition,
    messages.Plan,
    messages.RowsBefore,
    messages.ShardReport,
    messages.SlotCounts,
    messages.Staged,
    messages.TokenizersReport,
    messages.Unit,
    messages.UnitReport,
    messages.BandsReport,
    messages.EdgesReport,
    messages.NearPlan,
)


class MessageCoder(coders.Coder):  # type: ignore[misc]
    """The JSON of one kind of message; deterministic, and readable where a runner shows its elements."""

    def __init__(self, kind: type[Message]) -> None:
        self._kind = kind

    def encode(self, value: Message) -> bytes:
        return value.model_dump_json().encode()

    def decode(self, encoded: bytes) -> Message:
        return self._kind.model_validate_json(encoded)

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> type[Message]:
        return self._kind

    @classmethod
    def from_type_hint(cls, kind: type[Message], registry: object) -> MessageCoder:
        """The coder of an annotated type; Beam's registry calls it, naming itself."""
        del registry
        return cls(kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageCoder) and other._kind is self._kind

    def __hash__(self) -> int:
        return hash((MessageCoder, self._kind))


def register() -> None:
    """Make Beam use the coder wherever a message type is annotated."""
    for kind in _KINDS:
        beam.coders.registry.register_coder(kind, MessageCoder)
