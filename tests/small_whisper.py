"""Numbers in, a small random Whisper out: as Hugging Face has it, and converted for CTranslate2."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ctranslate2.converters import TransformersConverter
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

TEXTS = ["hello world", "a small cat sat.", "the quick brown fox", "one, two and three?", "你好世界", "Fünf Bücher"] * 3
LANGUAGES = ("en", "de", "zh")
WINDOW = 3
"""Seconds that the model hears at once."""

_BEGIN = "<|startoftranscript|>"
_SPECIAL = ("<|endoftext|>", _BEGIN, *(f"<|{name}|>" for name in LANGUAGES), "<|translate|>", "<|transcribe|>")
_SPECIAL += ("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>")
_TIMES = WINDOW * 50 + 1


@dataclass(frozen=True)
class SmallWhisper:
    """A model in both forms: `folder` is that of Hugging Face, `converted` that of CTranslate2."""

    folder: Path
    converted: Path
    model: WhisperForConditionalGeneration
    tokenizer: Any
    features: WhisperFeatureExtractor

    def id(self, token: str) -> int:
        found: int = self.tokenizer.convert_tokens_to_ids(token)
        return found


def small_whisper(root: Path, seed: int = 0, languages: tuple[str, ...] = LANGUAGES) -> SmallWhisper:
    """A model that has learnt nothing, and says a lot; without languages, one of English alone."""
    folder, converted = root / "transformers", root / "converted"
    tokenizer = _tokenizer(languages)
    tokenizer.save_pretrained(folder)
    features = WhisperFeatureExtractor(feature_size=80, chunk_length=WINDOW)
    features.save_pretrained(folder)
    model = _model(tokenizer, seed, languages)
    model.save_pretrained(folder)
    converter = TransformersConverter(str(folder), copy_files=["tokenizer.json", "preprocessor_config.json"])
    converter.convert(str(converted))
    return SmallWhisper(folder, converted, model, tokenizer, features)


def _tokenizer(languages: tuple[str, ...]) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=[], show_progress=False)
    )
    if languages:  # models of many languages have a token of no characters, by which CTranslate2 tells them
        known = json.loads(bpe.to_str())
        known["model"]["vocab"][""] = bpe.get_vocab_size()
        bpe = Tokenizer.from_str(json.dumps(known))
    left_out = {f"<|{name}|>" for name in LANGUAGES} - {f"<|{name}|>" for name in languages}
    special = [token for token in _SPECIAL if token not in left_out]
    bpe.add_special_tokens([AddedToken(token, special=True) for token in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|endoftext|>", bos_token="<|endoftext|>", additional_special_tokens=special
    )


def _model(tokenizer: Any, seed: int, languages: tuple[str, ...]) -> WhisperForConditionalGeneration:
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in _SPECIAL}
    end = ids["<|endoftext|>"]
    config = WhisperConfig(
        vocab_size=len(tokenizer) + _TIMES,
        num_mel_bins=80,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_source_positions=WINDOW * 50,
        max_target_positions=448,
        init_std=0.4,
        tie_word_embeddings=False,
        decoder_start_token_id=ids[_BEGIN],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(config).eval()
    suppressed = [ids[token] for token in _SPECIAL[1:] if isinstance(ids[token], int)]
    suppressed += range(len(tokenizer), config.vocab_size)
    with torch.no_grad():  # so that some texts end, and some do not
        model.proj_out.weight[end] *= 1.5
    more = {}
    if languages:
        more = {
            "lang_to_id": {f"<|{name}|>": ids[f"<|{name}|>"] for name in languages},
            "task_to_id": {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        }
    model.generation_config = GenerationConfig(
        decoder_start_token_id=ids[_BEGIN],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=suppressed,
        begin_suppress_tokens=[tokenizer.encode(" ")[0], end],
        no_timestamps_token_id=ids["<|notimestamps|>"],
        alignment_heads=[[1, 0], [1, 1]],
        is_multilingual=bool(languages),
        **more,
    )
    return model
