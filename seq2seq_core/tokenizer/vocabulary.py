"""The piece ids every tokenizer of this project reserves, and the integer type that holds a vocabulary."""

from __future__ import annotations

import pyarrow as pa

PAD_ID, UNKNOWN_ID, BOS_ID, EOS_ID = 0, 1, 2, 3


def token_type(vocabulary_size: int) -> pa.DataType:
    """The smallest of uint16 and uint32 that holds every piece id."""
    return pa.uint16() if vocabulary_size <= 1 << 16 else pa.uint32()
