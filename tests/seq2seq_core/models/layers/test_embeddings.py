from __future__ import annotations

import pytest
import torch

from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Symbols, Vectors
from seq2seq_core.models.layers.embeddings import Embeddings
from seq2seq_core.tokenizer.vocabulary import PAD_ID


def test_tied_tables_are_one_parameter_under_one_name() -> None:
    names = {
        tie: {key.removesuffix(".weight") for key in Embeddings(Symbols(9), 9, 4, tie).state_dict()}
        for tie in ("none", "target", "all")
    }
    assert names == {
        "none": {"source", "target", "output", "output_bias"},
        "target": {"source", "target", "output_bias"},
        "all": {"target", "output_bias"},
    }


def test_tying_all_needs_equal_vocabularies() -> None:
    with pytest.raises(ConfigError, match=r"found 9 source and 8 target pieces.*tie_embeddings: target"):
        Embeddings(Symbols(9), 8, 4, "all")


def test_vectors_start_with_unit_variance_and_padding_with_none() -> None:
    torch.manual_seed(0)
    embeddings = Embeddings(Symbols(500), 600, 64, "none")
    ids = torch.arange(500)
    for vectors in (embeddings.embed_source(ids), embeddings.embed_target(ids)):
        assert vectors[PAD_ID].abs().max() == 0
        assert vectors[PAD_ID + 1 :].std().item() == pytest.approx(1, abs=0.05)
    assert embeddings.projection.logits(torch.randn(7, 64)).std().item() == pytest.approx(1, abs=0.1)


def test_the_bias_moves_the_logits() -> None:
    embeddings = Embeddings(Symbols(5), 6, 4, "target")
    embeddings.output_bias.data[3] = 2.5
    assert embeddings.projection.logits(torch.zeros(1, 4)).tolist() == [[0, 0, 0, 2.5, 0, 0]]


def test_a_source_of_vectors_is_projected_to_the_scale_of_embeddings() -> None:
    torch.manual_seed(0)
    embeddings = Embeddings(Vectors(48), 600, 64, "target")
    vectors = embeddings.embed_source(torch.randn(20, 30, 48))
    assert vectors.shape == (20, 30, 64)
    assert vectors.var().item() == pytest.approx(1.0, rel=0.1)
    with pytest.raises(ConfigError, match="source vectors of 48 and 600 target"):
        Embeddings(Vectors(48), 600, 64, "all")
