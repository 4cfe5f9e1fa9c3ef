from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.engines.converted.model_file import kind_of, positions_of


def name(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def weights(*variables: tuple[str, list[int]]) -> bytes:
    found = struct.pack("<I", 6) + name("TransformerSpec") + struct.pack("<II", 7, len(variables))
    for variable, shape in variables:
        size = 4 * int(np.prod(shape))
        found += name(variable) + struct.pack("<B", len(shape)) + struct.pack(f"<{len(shape)}I", *shape)
        found += struct.pack("<BI", 0, size) + b"x" * size
    return found


def test_kind_and_positions(tmp_path: Path) -> None:
    assert kind_of(str(tmp_path)) is None
    whole = weights(("decoder/a", []), ("decoder/position_encodings/encodings", [24, 2]), ("z", [3]))
    (tmp_path / "model.bin").write_bytes(whole)
    assert kind_of(str(tmp_path)) == "TransformerSpec"
    assert positions_of(str(tmp_path)) == 24
    (tmp_path / "model.bin").write_bytes(weights(("decoder/a", [2])))
    assert positions_of(str(tmp_path)) is None


@pytest.mark.parametrize("size", [0, 3, 20, 30, 45])
def test_a_file_that_ends_too_soon(tmp_path: Path, size: int) -> None:
    whole = weights(("decoder/a", [2]), ("decoder/position_encodings/encodings", [24, 2]))
    (tmp_path / "model.bin").write_bytes(whole[:size])
    assert kind_of(str(tmp_path)) in (None, "TransformerSpec")
    assert positions_of(str(tmp_path)) is None


def test_weights_of_another_program(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\x80\x02\xff\xff" * 40)
    assert kind_of(str(tmp_path)) is None
    assert positions_of(str(tmp_path)) is None
