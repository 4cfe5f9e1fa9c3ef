"""Sources in, hypotheses out, by a Transformer on CTranslate2: one of this project's, or anyone's."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.converted.cache import Convert, converted, export
from seq2seq_core.engines.converted.folder import KIND, ConvertedFolder, read_converted
from seq2seq_core.engines.converted.generating import ConvertedEngine, Frame
from seq2seq_core.engines.converted.hugging_face import convert_hugging_face, digest_of, model_type
from seq2seq_core.engines.converted.model_file import kind_of
from seq2seq_core.engines.converted.own import TOKENIZERS, convert_own, has_blueprint
from seq2seq_core.engines.converted.search import refused
from seq2seq_core.engines.ctranslate2_machine import CTranslate2Config
from seq2seq_core.engines.interface import Languages, LoadedEngine, ModelFacts, SideBySide
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.machine import usable_cores
from seq2seq_core.modalities.base import SIDES
from seq2seq_core.models.card import check_reads_text, is_own, read_config
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.vocabulary import EOS_ID

if TYPE_CHECKING:
    import ctranslate2

Quantization = Literal["float32", "float16", "bfloat16", "int16", "int8"]

_CPU_BATCH_TOKENS, _GPU_BATCH_TOKENS = 1024, 16_384
_SPEED = 3
_FED_CORES = 4  # by one process, whose Python runs one thread at a time


class CTranslate2EngineConfig(CTranslate2Config):
    """CTranslate2: Transformers, on CPU and GPU; those that are not in its form are converted when first used."""

    exports: ClassVar[bool] = True
    demandable: ClassVar[frozenset[str]] = frozenset({"prefix", "prefix_field"})
    shapes_nothing: ClassVar[frozenset[str]] = frozenset({"device", "threads", "max_batch_tokens"})

    kind: Literal["ctranslate2"] = Field(
        "ctranslate2",
        description="ctranslate2: Transformers, and models of others (OPUS-MT, NLLB, M2M-100, MADLAD, T5, BART, mBART, "
        "Pegasus), the fastest on CPU",
    )
    quantization: Quantization = Field(
        "float32", description="of the weights, where they are converted here; int8 is the smallest and fastest on CPU"
    )
    prompt: str = Field(
        "", max_length=1 << 16, description="text in front of every source, as T5 wants it: 'summarize:'"
    )
    max_batch_tokens: int | None = Field(
        None, ge=1, le=1 << 31, description="padded tokens of a batch of sources; null: 1024 on CPU, 16384 on GPU"
    )

    def describe(self, model_root: str) -> ModelFacts:
        """See `EngineConfig.describe`; the model is converted here, where it is not yet."""
        return _facts(self._folder(model_root), model_root)

    def load(self, model_root: str) -> LoadedEngine:
        """See `EngineConfig.load`."""
        folder = self._folder(model_root)
        # batches side by side, each on a thread of its own
        at_once = 1 if self.uses_gpu() else self.threads or usable_cores()
        translator = self.open_model(
            "Translator", folder.root, folder.files, inter_threads=at_once, intra_threads=1, max_queued_batches=-1
        )
        most = self.max_batch_tokens or (_CPU_BATCH_TOKENS if translator.device == "cpu" else _GPU_BATCH_TOKENS)
        build = partial(_engine, translator, folder, most)
        digest = _facts(folder, model_root).digest
        if folder.is_own:
            tokenizers = {
                side: Tokenizer(storage.read_bytes(storage.join(folder.root, name)), f"{folder.where}/{name}")
                for side, name in TOKENIZERS.items()
            }
            return LoadedEngine(build(Frame(after=(EOS_ID,))), tokenizers, digest, folder.source_text)
        texts = {side: folder.texts(side) for side in SIDES}
        prompt = texts["source"].encode([self.prompt])[0].tolist() if self.prompt else []

        def told(languages: Languages) -> ConvertedEngine:
            return build(folder.frame(*languages, prompt))

        return LoadedEngine(build(Frame()), texts, digest, folder.source_text, told=told)

    def side_by_side(self, cores: int) -> SideBySide:
        """See `EngineConfig.side_by_side`; on CPU the library's threads share weights, and so the processor's cache.

        While Python reads or writes one unit, the threads work at the other.
        """
        return SideBySide(1) if cores == 1 or self.uses_gpu() else SideBySide(max(1, cores // _FED_CORES), 2)

    def export(self, model_root: str, output: str) -> int:
        """See `EngineConfig.export`."""
        converter = self._converter(model_root)
        if converter is None:
            raise ConfigError("the model is in this form already", where=storage.redact(model_root))
        return export(model_root, self.quantization, converter.convert, output)

    @classmethod
    def is_for(cls, model_root: str) -> bool:
        """See `EngineConfig.is_for`."""
        return not is_own(model_root) and _runs(model_root)

    @classmethod
    def speed(cls, model_root: str, search: SearchConfig) -> int | None:
        """See `EngineConfig.speed`: Transformers, where the search has all that is asked for."""
        is_there = importlib.util.find_spec("ctranslate2") is not None
        return _SPEED if is_there and refused(search) is None and _runs(model_root) else None

    def _folder(self, root: str) -> ConvertedFolder:
        """The model in CTranslate2's form, from the cache where it was in another."""
        converter = self._converter(root)
        place = (
            root
            if converter is None
            else converted(root, converter.digest_of(root), self.quantization, converter.convert)
        )
        folder = read_converted(place)
        if self.prompt and folder.is_own:
            advice = "Leave it out: what stands before sources is learnt from data that has it."
            raise ConfigError("a model of this project has no prompt", where="engine.prompt", advice=advice)
        return folder

    def _converter(self, root: str) -> Converter | None:
        """What brings a model into CTranslate2's form; None where it is in it."""
        if is_own(root):
            return Converter(_digest_of_own, convert_own)
        kind = kind_of(root)
        if kind == KIND:
            return None
        if kind is None and model_type(root) is not None:
            return Converter(digest_of, convert_hugging_face)
        raise _no_model(root, kind)


class Converter(NamedTuple):
    """How models of a kind are named by their content, and converted."""

    digest_of: Callable[[str], str]
    convert: Convert


def _digest_of_own(root: str) -> str:
    card = read_config(root)
    check_reads_text(root, card)
    return card.digest


def _engine(
    translator: ctranslate2.Translator, folder: ConvertedFolder, max_batch_tokens: int, frame: Frame
) -> ConvertedEngine:
    return ConvertedEngine(translator, folder.vocabulary, frame, folder.longest_output, max_batch_tokens)


def _facts(folder: ConvertedFolder, root: str) -> ModelFacts:
    """What a folder tells of its model; `root` is what was converted, or the folder itself."""
    facts = folder.facts
    digest = folder.digest if facts is None or folder.root == root else facts.digest
    return ModelFacts(digest, facts.lineage if facts else None)


def _runs(root: str) -> bool:
    """Whether a folder seems to hold a model that CTranslate2 runs, converted or not."""
    if is_own(root):
        return has_blueprint(read_config(root))
    kind = kind_of(root)
    return kind == KIND or (kind is None and model_type(root) is not None)


def _no_model(root: str, kind: str | None) -> ModelError:
    where = storage.redact(root)
    if kind is not None:
        return ModelError("this model does not make text of text", where=where, found=kind, expected=KIND)
    return ModelError(
        "no model stands here" if not storage.sizes_in(root) else "the folder holds no model that is known",
        where=where,
        expected="a folder like RUN/best, one of CTranslate2 (model.bin), or one of Hugging Face (config.json)",
        advice="Check the path.",
    )
