"""A model of this project in, the same in CTranslate2's form out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydantic

from seq2seq_core import storage
from seq2seq_core.engines.converted.facts import Facts, write_facts
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Side
from seq2seq_core.models.card import ModelCard, check_reads_text, read_config
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, UNKNOWN_ID

if TYPE_CHECKING:
    from seq2seq_core.models.blueprint import Blueprint
    from seq2seq_core.models.folder import LoadedModel

TOKENIZERS: dict[Side, str] = {"source": "source.model", "target": "target.model"}

_ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "swish": "SWISH"}
_POSITIONS = 4096
"""Rows of a table of sinusoids, at least; the library has no other positions of that kind."""
_NEVER = -1e4
"""A logit that nothing is chosen by; every type of number has it."""


def convert_own(root: str, quantization: str, folder: Path) -> None:
    """Convert a model.

    Args:
        root: Its folder.
        quantization: Of the weights, as CTranslate2 calls it.
        folder: Where the files go; it is empty.

    Raises:
        ModelError: See `load_model`; its source is no text.
        ConfigError: CTranslate2 has nothing like it.
    """
    from seq2seq_core.models.folder import load_model

    check_reads_text(root, read_config(root))
    loaded = load_model(root)
    blueprint = loaded.architecture.blueprint
    if blueprint is None:
        raise ConfigError(
            "CTranslate2 has no such architecture",
            where=storage.redact(root),
            found=f"family {loaded.architecture.family}",
            expected="a Transformer",
            advice="Run it with --engine.kind torch.",
        )
    longest = blueprint.learned_positions or _positions(loaded)
    spec = _specification(loaded, blueprint, longest)
    spec.validate()
    spec.optimize(quantization)
    spec.save(str(folder))
    for side, name in TOKENIZERS.items():
        (folder / name).write_bytes(loaded.tokenizers[side].data)
    facts = Facts(
        digest=loaded.digest,
        lineage=loaded.lineage.told,
        quantization=quantization,
        source_text=loaded.source_text,
        longest_output=longest,
    )
    write_facts(folder, facts)


def has_blueprint(card: ModelCard) -> bool:
    """Whether a model is such that CTranslate2 has the like of it."""
    from seq2seq_core.models.registry import ONE_OF_ALL

    try:
        return card.modality.has_text and ONE_OF_ALL.read(card.architecture).blueprint is not None
    except pydantic.ValidationError:  # it is told where the model is loaded
        return False


def _positions(loaded: LoadedModel) -> int:
    """Rows that a table of sinusoids gets: a power of two, with room for outputs twice as long as what was learnt."""
    return max(_POSITIONS, 1 << (4 * (loaded.source_text.longest or 1)).bit_length())


def _specification(loaded: LoadedModel, blueprint: Blueprint, longest: int) -> Any:
    spec = _empty(blueprint)
    weights = {name: tensor.numpy() for name, tensor in loaded.model.state_dict().items()}
    for place, name in blueprint.weights.items():
        values = weights[name]
        _put(spec, place, values @ weights[blueprint.widened[place]].T if place in blueprint.widened else values)
    if blueprint.farthest is not None:
        for layer in (*spec.encoder.layer, *spec.decoder.layer):
            layer.self_attention.relative_attention_max_distance = np.dtype("int32").type(blueprint.farthest)
    elif blueprint.rotary:
        del spec.encoder.position_encodings
    elif blueprint.learned_positions is None:
        width = spec.decoder.embeddings.weight.shape[1]
        _put_sinusoids(spec, loaded.model.state_dict()["embeddings.output_bias"].new_empty(width), longest)
    bias = weights[blueprint.weights["decoder/projection/bias"]].copy()
    bias[list(blueprint.forbidden)] = _NEVER
    _put(spec, "decoder/projection/bias", bias)
    _tell_vocabularies(spec, loaded)
    return spec


def _empty(blueprint: Blueprint) -> Any:
    """The library's form of such a model, without weights."""
    from ctranslate2.specs import TransformerSpec, common_spec, transformer_spec

    shape = {
        "num_heads": blueprint.heads,
        "pre_norm": blueprint.pre_norm,
        "activation": getattr(common_spec.Activation, _ACTIVATIONS[blueprint.activation]),
        "ffn_glu": blueprint.gated,
        "rms_norm": blueprint.rms_norm,
        "relative_attention_bias": blueprint.farthest is not None,
        "rotary_dim": 0 if blueprint.rotary else None,  # 0: all channels
        "rotary_interleave": False,
    }
    return TransformerSpec(
        transformer_spec.TransformerEncoderSpec(blueprint.encoder_layers, **shape),
        transformer_spec.TransformerDecoderSpec(blueprint.decoder_layers, alignment_heads=blueprint.heads, **shape),
    )


def _put(spec: Any, place: str, values: Any) -> None:
    from ctranslate2.specs.model_spec import index_spec

    layer, _, name = place.rpartition("/")
    setattr(index_spec(spec, layer), name, values)


def _put_sinusoids(spec: Any, like: Any, count: int) -> None:
    from seq2seq_core.models.layers.positions import SinusoidalPositions

    table = SinusoidalPositions()(0, count, like).numpy()
    for half in ("encoder", "decoder"):
        _put(spec, f"{half}/position_encodings/encodings", table)


def _tell_vocabularies(spec: Any, loaded: LoadedModel) -> None:
    """The pieces by their ids, and which of them are special."""
    pieces = {
        side: tokenizer.pieces(np.arange(tokenizer.vocabulary_size)) for side, tokenizer in loaded.tokenizers.items()
    }
    spec.register_source_vocabulary(pieces["source"])
    spec.register_target_vocabulary(pieces["target"])
    spec.config.unk_token = pieces["target"][UNKNOWN_ID]
    spec.config.bos_token = spec.config.decoder_start_token = pieces["target"][BOS_ID]
    spec.config.eos_token = pieces["target"][EOS_ID]
