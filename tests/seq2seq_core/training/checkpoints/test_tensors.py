from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.errors import CheckpointError
from seq2seq_core.training.checkpoints.tensors import owner_of, publish_tensors, read_tensors

TENSORS = {"w": torch.randn(3, 4), "h": torch.randn(5).bfloat16(), "n": torch.tensor(7)}


@pytest.fixture(params=["local", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "x.safetensors") if request.param == "local" else f"memory://{tmp_path.name}/x.safetensors"


def test_what_is_published_is_read_back_and_says_whose_it_is(url: str) -> None:
    entry = publish_tensors(url, TENSORS, "ab12")
    found = dict(read_tensors(url, entry))
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())
    assert owner_of(url) == "ab12"


def test_what_is_read_outlives_the_file(tmp_path: Path) -> None:
    url = str(tmp_path / "x.safetensors")
    entry = publish_tensors(url, TENSORS, "ab12")
    found = dict(read_tensors(url, entry))
    (tmp_path / "x.safetensors").write_bytes(b"")
    assert torch.equal(found["w"], TENSORS["w"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:100], r"the file is not the one that was saved; found 100 bytes"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), r"the file is not the one that was saved"),
        (None, r"a file of the checkpoint is missing"),
    ],
)
def test_damage_and_absence_have_the_same_advice(
    url: str, change: Callable[[bytes], bytes] | None, message: str
) -> None:
    entry = publish_tensors(url, TENSORS, "ab12")
    if change is None:
        storage.remove(url)
    else:
        storage.publish_bytes(url, change(storage.read_bytes(url)))
    with pytest.raises(CheckpointError, match=rf"x\.safetensors: {message}.*Remove this checkpoint's folder"):
        dict(read_tensors(url, entry))


def framed(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


NESTED = st.recursive(
    st.one_of(st.none(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from(["__metadata__", "run"]), inner)),
)


@given(st.one_of(st.binary(max_size=40), NESTED.map(lambda header: framed(json.dumps(header).encode()))))
@example(framed(b"[" * 99_999))
@example(struct.pack("<Q", 2**63) + b"{}")
def test_no_file_is_so_odd_that_asking_whose_it_is_fails(data: bytes) -> None:
    url = "memory://owners/x"
    storage.publish_bytes(url, data)
    owner = owner_of(url)
    assert owner is None or json.dumps(owner).encode() in data
