"""Sources in, hypotheses out, by a model of this project on PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.hearing import ModelRecognizer
from seq2seq_core.engines.interface import EngineConfig, LoadedEngine, SideBySide, Source, TokenIds
from seq2seq_core.engines.recognition import Recognizer, SpeechModel
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.machine import has_gpu
from seq2seq_core.modalities.base import Modality
from seq2seq_core.modalities.sound import Sound
from seq2seq_core.models.card import is_own, read_card, read_config

if TYPE_CHECKING:
    import torch

    from seq2seq_core.decoding.steps.fusion import Fusion
    from seq2seq_core.decoding.steps.processor import Processing
    from seq2seq_core.models.folder import LoadedModel
    from seq2seq_core.models.interface import Seq2Seq

# On CPU larger batches leave the caches (measured: 4096 to 16384 within 10%, 32768 is slower); a GPU wants them, and
# halves what its memory does not hold.
_CPU_BATCH_TOKENS, _GPU_BATCH_TOKENS = 8192, 131_072


class FusionConfig(Config):
    """A model of the target language that has a say in every step of a search (shallow fusion)."""

    model: Location = Field(
        description="folder of a model that was trained on text alone, with the target tokenizer of the model it helps"
    )
    weight: float = Field(0.3, gt=0, le=10, description="what its log probabilities count for")

    def load(self, beside: LoadedModel, device: torch.device, dtype: torch.dtype) -> Fusion:
        """The step processor of a search.

        Raises:
            ModelError: See `load_model`.
            ConfigError: The model does not fit the one beside it, or its source is no text.
        """
        from seq2seq_core.decoding.batched import pad
        from seq2seq_core.decoding.steps.fusion import Fusion
        from seq2seq_core.models.folder import load_model

        where = f"engine.fusion.model {storage.redact(self.model)}"
        loaded = load_model(self.model, str(device))
        if not loaded.modality.has_text:
            raise ConfigError("the source of this model is no text", where=where, expected="a model of text alone")
        tokenizers = loaded.tokenizers["target"], beside.tokenizers["target"]
        if tokenizers[0].digest != tokenizers[1].digest:
            raise ConfigError(
                "the pieces of this model are not those of the model it is to help",
                where=where,
                found=f"target tokenizer {tokenizers[0].digest}",
                expected=tokenizers[1].digest,
                advice="Train it on a dataset that was prepared with the target tokenizer of that model.",
            )
        source_1S, lengths_1 = pad(loaded.modality, [np.zeros(0, np.int32)])
        model = loaded.model.to(dtype=dtype).eval()
        return Fusion(model, source_1S.to(device), lengths_1.to(device), self.weight)


class TorchEngineConfig(EngineConfig):
    """PyTorch: every architecture, on CPU and GPU."""

    software = ("torch",)
    hears: ClassVar[bool] = True
    demandable: ClassVar[frozenset[str]] = frozenset({"prefix", "prefix_field", "glossary"})
    shapes_nothing = frozenset({"device", "threads", "max_batch_tokens"})

    kind: Literal["torch"] = Field("torch", description="torch: every model, on CPU and GPU")
    device: str = Field("auto", description="auto (a GPU if there is one), cpu, cuda or cuda:N")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="of weights and arithmetic; on a CPU with AMX bfloat16 makes wide models about twice as fast",
    )
    max_batch_tokens: int | None = Field(
        None,
        ge=1,
        le=1 << 31,
        description="tokens of a batch: padded sources, and as many again for each hypothesis of the beam; "
        "null: 8192 on CPU, 131072 on GPU",
    )
    threads: int | None = Field(
        None, ge=1, le=4096, description="CPU threads of this process; null leaves them as they are"
    )
    fusion: FusionConfig | None = Field(None, description="a model of the target language beside it; null: none")
    ensemble: tuple[Location, ...] = Field(
        (), description="folders of more models with the same tokenizers, whose probabilities are averaged with its own"
    )

    @field_validator("precision", mode="before")
    @classmethod
    def _is_no_integer(cls, precision: object) -> object:
        if precision == "int8":
            raise ValueError(
                "int8 is slower here than float32; Transformers that read text gain from it by "
                "--engine.kind ctranslate2 --engine.quantization int8"
            )
        return precision

    def load(self, model_root: str) -> LoadedEngine:
        """See `EngineConfig.load`. The number of threads holds for the whole process, as PyTorch knows no other."""
        import torch

        from seq2seq_core.decoding.batched import generate
        from seq2seq_core.models.folder import load_model

        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        loaded = load_model(model_root, device)
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        dtype = getattr(torch, self.precision)
        model = self._whole(loaded, device).to(dtype=dtype).eval()
        at = next(model.parameters()).device
        most = self.max_batch_tokens or (_CPU_BATCH_TOKENS if at.type == "cpu" else _GPU_BATCH_TOKENS)
        processing = [self.fusion.load(loaded, at, dtype)] if self.fusion else []
        engine = TorchEngine(model, loaded.modality, most, generate, processing)
        return LoadedEngine(engine, loaded.tokenizers, loaded.digest, loaded.source_text, loaded.modality)

    def _whole(self, loaded: LoadedModel, device: str) -> Seq2Seq:
        """The model, or all of the ensemble as one.

        Raises:
            ConfigError: A model of the ensemble has other tokenizers, or sources of another kind.
        """
        if not self.ensemble:
            return loaded.model
        from seq2seq_core.decoding.ensemble import Ensemble
        from seq2seq_core.models.folder import load_model

        others = [load_model(root, device) for root in self.ensemble]
        for root, other in zip(self.ensemble, others, strict=True):
            _check_fits(other, loaded, f"engine.ensemble {storage.redact(root)}")
        return Ensemble([loaded.model, *(other.model for other in others)])

    @classmethod
    def speed(cls, model_root: str, search: SearchConfig) -> int | None:
        """See `EngineConfig.speed`: every model of this project, and no other."""
        del search
        return 1 if is_own(model_root) else None

    def describe_recognizer(self, model_root: str) -> SpeechModel:
        """See `EngineConfig.describe_recognizer`."""
        card, lineage = read_card(model_root)
        _sound(card.modality, model_root)
        return SpeechModel(card.digest, lineage.told)

    def load_recognizer(self, model_root: str) -> Recognizer:
        """See `EngineConfig.load_recognizer`."""
        loaded = self.load(model_root)
        sound = _sound(loaded.modality, model_root)
        longest = loaded.source_text.longest
        return ModelRecognizer(loaded.engine, sound, loaded.target_tokenizer, loaded.model_digest, longest)

    def side_by_side(self, cores: int) -> SideBySide:
        """See `EngineConfig.side_by_side`: one process on a GPU, which several would only wait for."""
        if self.device == "cpu" or (self.device == "auto" and not has_gpu()):
            return SideBySide(cores)
        import torch

        return SideBySide(cores if self.device == "auto" and not torch.cuda.is_available() else 1)

    def identity(self) -> dict[str, Any]:
        """See `EngineConfig.identity`; models beside the model count by their content, and none as if it had no key.

        Raises:
            ModelError: A folder of `fusion` or `ensemble` holds no model.
        """
        values = super().identity()
        del values["fusion"], values["ensemble"]
        if self.fusion is not None:
            values["fusion"] = {"model": read_config(self.fusion.model).digest, "weight": self.fusion.weight}
        if self.ensemble:
            values["ensemble"] = [read_config(root).digest for root in self.ensemble]
        return values

    def on_cores(self, cores: int) -> Self:
        """See `EngineConfig.on_cores`."""
        return self if self.threads else self.model_copy(update={"threads": cores})


def _check_fits(other: LoadedModel, loaded: LoadedModel, where: str) -> None:
    """A ConfigError unless a model can be averaged with another."""
    for side in sorted({*other.tokenizers, *loaded.tokenizers}):
        digests = [model.tokenizers[side].digest if side in model.tokenizers else None for model in (other, loaded)]
        if digests[0] != digests[1]:
            raise ConfigError(
                f"the {side} pieces of this model are not those of the model it is averaged with",
                where=where,
                found=f"{side} tokenizer {digests[0]}",
                expected=digests[1],
                advice="Train it on a dataset that was prepared with the tokenizers of that model.",
            )
    kinds = [(model.modality.kind, model.modality.meaning, model.model.subsampling) for model in (other, loaded)]
    if kinds[0] != kinds[1]:
        raise ConfigError("the sources of this model are not those of the model it is averaged with", where=where)


def _sound(modality: Any, root: str) -> Sound:
    if not isinstance(modality, Sound):
        raise ModelError(
            "the source of this model is no speech, and only speech is transcribed",
            where=storage.redact(root),
            found=f"source_modality {modality.kind}" if modality else None,
            advice="Name a model that was trained on speech; one of text is for `seq2seq translate`.",
        )
    return modality


class TorchEngine:
    """The reference engine: every architecture, on CPU and GPU."""

    def __init__(
        self,
        model: Seq2Seq,
        modality: Modality,
        max_batch_tokens: int,
        generate: Callable[..., list[list[Hypothesis]]],
        processing: Sequence[Processing] = (),
    ) -> None:
        """Take over a model in evaluation mode, whose source is so; `generate` is that of `decoding.batched`, and
        `processing` what changes its scores in every search.
        """
        self._model, self._modality = model, modality
        self._max_batch_tokens = max_batch_tokens
        self._generate, self._processing = generate, processing

    def generate(
        self, sequences: Sequence[Source], options: SearchConfig, demands: Sequence[Demand] = ()
    ) -> list[list[Hypothesis]]:
        """See `Engine.generate`.

        Raises:
            ModelError: The model's output is not a number.
            ConfigError: The options ask for what the model does not have.
        """
        most, processing = self._max_batch_tokens, self._processing
        return self._generate(
            self._model, self._modality, sequences, options, most, processing=processing, demands=demands
        )

    def score(self, sequences: Sequence[Source], targets: Sequence[TokenIds]) -> list[npt.NDArray[np.float64]]:
        """See `Engine.score`.

        Raises:
            ModelError: The model's output is not a number, or does not reach so far.
        """
        from seq2seq_core.decoding.forced import score_targets

        return score_targets(self._model, self._modality, sequences, targets, self._max_batch_tokens)
