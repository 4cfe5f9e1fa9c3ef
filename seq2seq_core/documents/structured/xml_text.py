"""The bytes of an XML file in, its text out; or the reason why it is none that can be read without danger."""

from __future__ import annotations

from xml.parsers import expat

from seq2seq_core.documents.content import UnreadableError
from seq2seq_core.documents.structured.whole import decoded

_READ = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def xml_text(data: bytes) -> str:
    """A file that is well-formed, in UTF-8 and declares no entities, none of which is expanded or fetched.

    Raises:
        UnreadableError: It is not; the reason is told.
    """
    text = decoded(data)
    parser = expat.ParserCreate()
    parser.XmlDeclHandler = _refuse_encoding
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise UnreadableError(f"not well-formed XML: {expat.ErrorString(error.code)}, line {error.lineno}") from None
    return text


def _refuse_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _READ:
        raise UnreadableError(f"XML in {encoding}, not UTF-8")


def _refuse_entity(name: str, *_rest: object) -> None:
    raise UnreadableError(f"XML that declares an entity ({name})")
