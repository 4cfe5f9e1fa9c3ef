"""Messages in, their kind and JSON as bytes out, and back: how descriptions and reports cross Beam's stages."""

from __future__ import annotations

from apache_beam import coders

from seq2seq_core.preparation.terms import known, messages
from seq2seq_core.preparation.terms.corpus import Message

_KINDS: dict[str, type[Message]] = {
    name: kind
    for name, kind in (vars(messages) | vars(known)).items()
    if isinstance(kind, type) and issubclass(kind, Message)
}


class MessageCoder(coders.Coder):  # type: ignore[misc]
    """One coder for messages of all kinds; deterministic, and readable where a runner shows its elements."""

    def encode(self, value: Message) -> bytes:
        return f"{type(value).__name__} {value.model_dump_json()}".encode()

    def decode(self, encoded: bytes) -> Message:
        kind, _, text = encoded.partition(b" ")
        return _KINDS[kind.decode()].model_validate_json(text)

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> type[Message]:
        return Message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageCoder)

    def __hash__(self) -> int:
        return hash(MessageCoder)


def register() -> None:
    """Make Beam use the coder wherever messages are annotated."""
    coders.registry.register_coder(Message, MessageCoder)
