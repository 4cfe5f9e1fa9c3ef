"""A column of structs in which Hugging Face `datasets` keeps audio in; the bytes and paths in its rows out."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.corpora.formats.audio.named import Named

_BYTES, _PATH, _SPEAKER = "bytes", "path", "speaker"
_OCTETS = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
_TEXTS = (*_OCTETS, pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)


def is_file(kind: pa.DataType) -> bool:
    """Whether values of a type are files, held or named."""
    if not pa.types.is_struct(kind):
        return False
    types = {kind.field(position).name: kind.field(position).type for position in range(kind.num_fields)}
    return (
        _PATH in types
        and types.keys() <= {_BYTES, _PATH, _SPEAKER}
        and any(is_one(types[_PATH]) for is_one in _TEXTS)
        and any(is_one(types.get(_BYTES, pa.null())) for is_one in (*_OCTETS, pa.types.is_null))
    )


def named_by(values: pa.StructArray) -> Named:
    """What such values say; the null ones say nothing."""
    texts = {name: _text(_field(values, name)) for name in (_PATH, _SPEAKER)}
    nothing = pa.nulls(len(values), pa.float64())
    held = _field(values, _BYTES).cast(pa.binary())
    return Named(texts[_PATH], texts[_SPEAKER], nothing, nothing, held)


def _field(values: pa.StructArray, name: str) -> pa.Array:
    place = values.type.get_field_index(name)
    return pa.nulls(len(values)) if place < 0 else pc.struct_field(values, place)


def _text(octets: pa.Array) -> pa.StringArray:
    """Text of bytes, null where they are not UTF-8."""
    octets = octets.cast(pa.binary())
    try:
        return octets.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([_decoded(value) for value in octets.to_pylist()], pa.string())


def _decoded(octets: bytes | None) -> str | None:
    try:
        return None if octets is None else octets.decode()
    except UnicodeDecodeError:
        return None
