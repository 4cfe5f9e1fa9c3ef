"""A trained model in, a folder that inference can use alone out, and back.

    config.json             see `models.card`
    model.safetensors       the weights, float32, a tied table once
    tokenizer/joint.model   or tokenizer/source.model and tokenizer/target.model, of the sides that are text
    lineage.json            where the model comes from

How the files are replaced by those of a newer model stands in `models.publishing`. A reader that was overtaken finds a
file gone or changed, and begins anew with the new `config.json`. Nothing of a foreign folder is believed: the
architecture's numbers are held against the weights before anything of their size is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, ModelError, TokenizerError
from seq2seq_core.modalities.base import Described, EncoderInput, Modality, Side
from seq2seq_core.modalities.table import USUAL, modality_of
from seq2seq_core.models.card import (
    CONFIG_NAME,
    FileEntry,
    Lineage,
    ModelCard,
    as_json,
    parse_lineage,
    place,
    read_files,
)
from seq2seq_core.models.interface import ArchitectureConfig, Seq2Seq
from seq2seq_core.models.publishing import LINEAGE_NAME, WEIGHTS_NAME, Content, publish_model, tokenizer_names
from seq2seq_core.models.registry import ONE_OF_ALL, build_model
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer

_NAMED_DIFFERENCES = 3
_DRAWING: set[object] = {Tensor.normal_, nn.init.normal_}

_UNKNOWN_TEXT = SourceText()


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for inference.

    Attributes:
        model: In evaluation mode.
        architecture: Its shape.
        modality: What its source is.
        encoder_input: What its encoder is given at each position.
        tokenizers: Those of the sides that have one; the target always does.
        source_text: How its source was made.
        lineage: Where it comes from.
        digest: `ModelCard.digest`.
    """

    model: Seq2Seq
    architecture: ArchitectureConfig
    modality: Modality
    encoder_input: EncoderInput
    tokenizers: Mapping[Side, Tokenizer]
    source_text: SourceText
    lineage: Lineage
    digest: str


def save_model(
    root: str,
    model: Seq2Seq,
    architecture: ArchitectureConfig,
    source_tokenizer: Tokenizer | None,
    target_tokenizer: Tokenizer,
    lineage: Lineage,
    source_text: SourceText = _UNKNOWN_TEXT,
    source_modality: Described | Modality = USUAL,
) -> str:
    """Publish a model in the folder `root`, replacing an older one; its `ModelCard.digest`.

    A source that is no text has no tokenizer.

    Raises:
        ModelError: The weights are not those of this architecture and these vocabularies, or files that are none of
            ours stand in the way.
    """
    tensors = _weights(model)
    tokenizers: dict[Side, Tokenizer] = {} if source_tokenizer is None else {"source": source_tokenizer}
    tokenizers["target"] = target_tokenizer
    vocabularies = {side: tokenizer.vocabulary_size for side, tokenizer in tokenizers.items()}
    modality = modality_of(source_modality)
    source = modality.encoder_input(vocabularies.get("source"))
    _check_weights(tensors, _empty(architecture, source, vocabularies["target"]), "the model to be saved")
    is_joint = len({tokenizer.digest for tokenizer in tokenizers.values()}) < len(tokenizers)
    names = tokenizer_names(tokenizers, is_joint=is_joint)
    facts = {
        "architecture": architecture.model_dump(mode="json"),
        "source_modality": modality.described,
        **{f"{side}_vocabulary": size for side, size in vocabularies.items()},
        "source_text": source_text,
    }
    contents = {
        "weights": Content(WEIGHTS_NAME, safetensors.torch.save(tensors)),
        **{f"{side}_tokenizer": Content(names[side], tokenizer.data) for side, tokenizer in tokenizers.items()},
        "lineage": Content(LINEAGE_NAME, as_json(lineage)),
    }
    return publish_model(root, facts, contents).digest


def load_model(root: str, device: str = "cpu") -> LoadedModel:
    """Read the model in the folder `root` onto a device, in evaluation mode.

    Raises:
        ModelError: The folder is missing, unfinished or none of ours, a file is missing or damaged, or the files do
            not fit each other.
        ConfigError: There is no such device.
    """
    target = _device(device)
    card, files = read_files(root, lambda card: card.files.values())
    architecture = _architecture(root, card)
    vocabularies: dict[Side, int | None] = {"source": card.source_vocabulary, "target": card.target_vocabulary}
    tokenizers = {side: _tokenizer(root, entry, files, vocabularies[side]) for side, entry in card.tokenizers.items()}
    where = place(root, card.weights)
    try:
        tensors = safetensors.torch.load(files[card.weights.path])
    except safetensors.SafetensorError as error:
        raise ModelError("the weights are damaged", where=where, found=error) from None
    _check_numbers(architecture, tensors, where)
    model = _outlined(architecture, card, where)
    _check_weights(tensors, model, where)
    _check_longest(root, card, model)
    model.load_state_dict(tensors, assign=True)
    return LoadedModel(
        model=model.to(target).eval(),
        architecture=architecture,
        modality=card.modality,
        encoder_input=card.encoder_input,
        tokenizers=tokenizers,
        source_text=card.source_text,
        lineage=parse_lineage(root, card, files),
        digest=card.digest,
    )


def _architecture(root: str, card: ModelCard) -> ArchitectureConfig:
    try:
        return ONE_OF_ALL.read(card.architecture, strict=True)
    except pydantic.ValidationError as error:
        where = storage.redact(storage.join(root, CONFIG_NAME))
        found = " ".join(str(error).split("\n")[1:3])
        raise ModelError("no such architecture", where=where, found=found) from None


def _tokenizer(root: str, entry: FileEntry, files: Mapping[str, bytes], vocabulary: int | None) -> Tokenizer:
    where = place(root, entry)
    try:
        tokenizer = Tokenizer(files[entry.path], where)
    except TokenizerError as error:
        raise ModelError("a tokenizer of the model is damaged", where=where, found=error.problem) from None
    if tokenizer.vocabulary_size != vocabulary:
        raise ModelError(
            "the tokenizer is not the one of the model",
            where=where,
            found=f"{tokenizer.vocabulary_size} pieces",
            expected=vocabulary,
        )
    return tokenizer


def _check_numbers(architecture: ArchitectureConfig, tensors: Mapping[str, Tensor], where: str) -> None:
    """Refuse numbers that weights of these shapes cannot have, before anything of their size is built."""
    dimensions = [size for tensor in tensors.values() for size in tensor.shape]
    for numbers, most, of in (
        (architecture.layer_counts, len(tensors), "weights there are"),
        (architecture.dimensions, max(dimensions, default=0), "largest dimension of a weight"),
    ):
        for name, number in numbers.items():
            if number > most:
                raise ModelError(
                    f"the weights do not fit the architecture: {name} cannot be that large",
                    where=where,
                    found=number,
                    expected=f"at most {most}, the {of}",
                )


def _outlined(architecture: ArchitectureConfig, card: ModelCard, where: str) -> Seq2Seq:
    try:
        return _empty(architecture, card.encoder_input, card.target_vocabulary)
    except ConfigError as error:
        raise ModelError("the vocabularies do not fit the architecture", where=where, found=error) from None


def _check_longest(root: str, card: ModelCard, model: Seq2Seq) -> None:
    longest = card.source_text.longest
    if longest is not None and model.max_length is not None and longest + 1 > model.max_length:
        raise ModelError(
            "the positions of the model do not reach over the longest source it was trained on",
            where=storage.redact(storage.join(root, CONFIG_NAME)),
            found=f"source_text.longest = {longest}",
            expected=f"at most {model.max_length - 1}, with EOS {model.max_length} positions",
        )


def _weights(model: Seq2Seq) -> dict[str, Tensor]:
    """All weights by name, on the host, contiguous, floating-point ones in float32."""
    return {
        name: (tensor.detach().float() if tensor.is_floating_point() else tensor.detach()).cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }


def _empty(architecture: ArchitectureConfig, source: EncoderInput, target_vocabulary: int) -> Seq2Seq:
    """A model without memory behind its weights: names and shapes alone."""
    with torch.device("meta"), _Undrawn():
        return build_model(architecture, source, target_vocabulary)


class _Undrawn(TorchFunctionMode):
    """Draws no normal numbers: where no memory stands behind weights, that takes PyTorch two seconds of imports."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call the function, but answer with the tensor as it is where it would be drawn."""
        del types
        named = kwargs or {}
        if func in _DRAWING:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def _check_weights(tensors: Mapping[str, Tensor], model: Seq2Seq, where: str) -> None:
    """Compare names, shapes and types with those of `model`; a ModelError names the first differences."""
    found = {name: _describe(tensor) for name, tensor in tensors.items()}
    expected = {name: _describe(tensor) for name, tensor in model.state_dict().items()}
    different = [name for name in sorted(found | expected) if found.get(name) != expected.get(name)]
    if different:
        named = different[:_NAMED_DIFFERENCES]
        raise ModelError(
            f"{len(different)} weights do not fit the architecture",
            where=where,
            found=", ".join(f"{name} {found.get(name, 'missing')}" for name in named),
            expected=", ".join(f"{name} {expected.get(name, 'missing')}" for name in named),
        )


def _describe(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape))} {str(tensor.dtype).removeprefix('torch.')}"


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            "no such device", found=repr(name), expected="cpu, cuda or cuda:N", advice=str(error).split("\n")[0]
        ) from None
    return device
