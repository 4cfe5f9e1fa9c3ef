"""The name of a family in; a small random model of it as Hugging Face has it, in a folder, with its tokenizer, out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import sentencepiece
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXTS = [
    "a small cat sat on the mat.",
    "the quick brown fox jumps over the lazy dog",
    "one, two and three?",
    "Fünf kleine Bücher und ein Hund!",
    "where did the other cat go?",
]
PIECES = 120
_TINY = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
_TINY |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_position_embeddings": 64, "init_std": 0.5}
_TINY_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 4.0}


@dataclass(frozen=True)
class SmallForeign:
    """A model and how it is used.

    Attributes:
        folder: As Hugging Face saves it.
        languages: Of sources and outputs, as users say them.
        prefix: Text in front of every source.
        options: How `generate` is told the language.
    """

    folder: Path
    model: Any
    tokenizer: Any
    languages: tuple[str | None, str | None] = (None, None)
    prefix: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def ids(self, texts: list[str], tokens: int, **how: Any) -> list[list[int]]:
        """What the model itself says to each text, alone, with so many tokens at most."""
        found = []
        forced = "forced_bos_token_id" in self.options or self.model.generation_config.forced_bos_token_id is not None
        for text in texts:
            given = self.tokenizer([self.prefix + text], return_tensors="pt")
            given.pop("token_type_ids", None)
            settled = {"do_sample": False, "num_beams": 1, "max_new_tokens": tokens + forced, **self.options, **how}
            found.append(self.model.generate(**given, **settled)[0].tolist()[1 + forced :])
        return found

    def scores(self, text: str, ids: list[int]) -> float:
        """The log probability that the model itself gives to an output."""
        logits = self._told(text, ids, lambda found: found.logits[0])
        for (banned,) in self.model.generation_config.bad_words_ids or []:
            logits[:, banned] = -torch.inf
        return float(logits.log_softmax(-1)[range(len(ids)), ids].sum())

    def attention(self, text: str, ids: list[int]) -> torch.Tensor:
        """Where the first head of the last layer looks while the model is told an output, with all that it reads."""
        self.model.set_attn_implementation("eager")
        return self._told(text, ids, lambda found: found.cross_attentions[-1][0, 0], output_attentions=True)

    def _told(self, text: str, ids: list[int], part: Callable[[Any], torch.Tensor], **how: Any) -> torch.Tensor:
        """Some part of what the model finds at each piece of an output that it is told."""
        given = self.tokenizer([self.prefix + text], return_tensors="pt")
        given.pop("token_type_ids", None)
        first = self.options.get("forced_bos_token_id", self.model.generation_config.forced_bos_token_id)
        start = self.options.get("decoder_start_token_id", self.model.generation_config.decoder_start_token_id)
        before = [start, *([first] if first is not None else [])]
        with torch.no_grad():
            found = self.model(**given, decoder_input_ids=torch.tensor([before + ids[:-1]]), **how)
        return part(found)[len(before) - 1 :]


def small_foreign(name: str, folder: Path) -> SmallForeign:
    """A model that has learnt nothing, of a family of `engines.converted.families`."""
    torch.manual_seed(3)
    made = _MAKERS[name](folder)
    made.model.eval()
    made.model.generation_config.max_length = None
    made.tokenizer.save_pretrained(folder)
    made.model.save_pretrained(folder)
    return made


def _unigram() -> list[tuple[str, float]]:
    """Pieces with their scores; SentencePiece finds the same ones each time, the trainer of `tokenizers` does not."""
    trained = io.BytesIO()
    _train(trained)
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())
    return [(processor.id_to_piece(i), processor.get_score(i)) for i in range(3, processor.get_piece_size())]


def _bpe(pre: Any) -> tuple[list[str], list[Any]]:
    """Pieces by rank, and merges."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre
    alphabet = pre_tokenizers.ByteLevel.alphabet() if isinstance(pre, pre_tokenizers.ByteLevel) else []
    size = PIECES + len(alphabet)
    tokenizer.train_from_iterator(
        TEXTS * 4, trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=alphabet)
    )
    found = json.loads(tokenizer.to_str())["model"]
    return sorted(found["vocab"], key=found["vocab"].get), [tuple(pair) for pair in found["merges"]]


def _sentencepiece(path: Path) -> list[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        _train(out)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [processor.id_to_piece(i) for i in range(3, processor.get_piece_size())]


def _train(out: BinaryIO) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 4), model_writer=out, vocab_size=80, minloglevel=2, hard_vocab_limit=False
    )


def _ids(tokens: list[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def _marian(folder: Path, tags: tuple[str, ...] = ()) -> SmallForeign:
    pieces = _sentencepiece(folder.parent / "spm.model")
    vocabulary = folder.parent / "vocab.json"
    vocabulary.write_text(json.dumps(_ids(["</s>", "<unk>", *pieces, *tags, "<pad>"])))
    spm = str(folder.parent / "spm.model")
    with _no_warnings():
        tokenizer = transformers.MarianTokenizer(spm, spm, str(vocabulary))
    size = len(tokenizer)
    config = transformers.MarianConfig(
        **_TINY,
        vocab_size=size,
        activation_function="swish",
        scale_embedding=True,
        eos_token_id=0,
        pad_token_id=size - 1,
        decoder_start_token_id=size - 1,
        forced_eos_token_id=None,
    )
    model = transformers.MarianMTModel(config)
    model.generation_config.bad_words_ids = [[size - 1]]
    tag = tags[0] if tags else None
    return SmallForeign(folder, model, tokenizer, (None, tag and tag.strip("<>")), f"{tag} " if tag else "")


def _m2m100(folder: Path) -> SmallForeign:
    pieces = _sentencepiece(folder.parent / "spm.model")
    vocabulary = folder.parent / "vocab.json"
    vocabulary.write_text(json.dumps(_ids(["<s>", "<pad>", "</s>", "<unk>", *pieces])))
    tokenizer = transformers.M2M100Tokenizer(str(vocabulary), str(folder.parent / "spm.model"), src_lang="en")
    config = transformers.M2M100Config(**_TINY, vocab_size=len(pieces) + 4 + 100 + 8, forced_eos_token_id=None)
    model = transformers.M2M100ForConditionalGeneration(config)
    return SmallForeign(
        folder, model, tokenizer, ("en", "de"), "", {"forced_bos_token_id": tokenizer.get_lang_id("de")}
    )


def _nllb(folder: Path) -> SmallForeign:
    pieces, merges = _bpe(pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always"))
    pieces = [piece for piece in pieces if piece != "<unk>"]
    codes = ["eng_Latn", "deu_Latn", "zho_Hans", "zho_Hant"]
    vocabulary = _ids(["<s>", "<pad>", "</s>", "<unk>", *pieces])
    tokenizer = transformers.NllbTokenizer(
        vocab=vocabulary, merges=merges, src_lang="eng_Latn", additional_special_tokens=codes
    )
    config = transformers.M2M100Config(**_TINY, vocab_size=len(tokenizer), forced_eos_token_id=None)
    model = transformers.M2M100ForConditionalGeneration(config)
    options = {"forced_bos_token_id": tokenizer.convert_tokens_to_ids("deu_Latn")}
    return SmallForeign(folder, model, tokenizer, ("eng_Latn", "deu"), "", options)


def _mbart(folder: Path, *, fifty: bool) -> SmallForeign:
    vocabulary = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")] + _unigram()
    kind = transformers.MBart50Tokenizer if fifty else transformers.MBartTokenizer
    tokenizer = kind(vocab=vocabulary, src_lang="en_XX", tgt_lang="de_DE")
    named = {"tokenizer_class": "MBart50Tokenizer"} if fifty else {}
    config = transformers.MBartConfig(
        **_TINY, vocab_size=len(tokenizer), forced_eos_token_id=None, scale_embedding=True, **named
    )
    model = transformers.MBartForConditionalGeneration(config)
    code = tokenizer.convert_tokens_to_ids("de_DE")
    options = {"forced_bos_token_id" if fifty else "decoder_start_token_id": code}
    if fifty:
        options["decoder_start_token_id"] = 2
    return SmallForeign(folder, model, tokenizer, ("en", "de_DE"), "", options)


def _t5(folder: Path, tags: tuple[str, ...] = ()) -> SmallForeign:
    vocabulary = [(token, 0.0) for token in ("<pad>", "</s>", "<unk>")] + _unigram()
    vocabulary += [(f"<extra_id_{number}>", 0.0) for number in range(4, -1, -1)]
    tokenizer = transformers.T5Tokenizer(vocab=vocabulary, extra_ids=5)
    if tags:
        tokenizer.add_tokens(list(tags), special_tokens=True)
    config = transformers.T5Config(
        **_TINY_T5,
        vocab_size=len(tokenizer) + 3,
        feed_forward_proj="gated-gelu" if tags else "relu",
        tie_word_embeddings=not tags,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )
    model = transformers.T5ForConditionalGeneration(config)
    if tags:
        return SmallForeign(folder, model, tokenizer, (None, "de"), "<2de> ")
    return SmallForeign(folder, model, tokenizer, prefix="the cat: ")


def _bart(folder: Path) -> SmallForeign:
    pieces, merges = _bpe(pre_tokenizers.ByteLevel(add_prefix_space=False))
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = _ids([*special, *(piece for piece in pieces if piece not in special), "<mask>"])
    tokenizer = transformers.BartTokenizer(vocab=vocabulary, merges=merges)
    config = transformers.BartConfig(**_TINY, vocab_size=len(tokenizer), forced_eos_token_id=None)
    model = transformers.BartForConditionalGeneration(config)
    model.generation_config.forced_bos_token_id = 0
    return SmallForeign(folder, model, tokenizer)


def _pegasus(folder: Path) -> SmallForeign:
    vocabulary = [(token, 0.0) for token in ("<pad>", "</s>", "<mask_1>", "<mask_2>")]
    vocabulary += [("<unk_2>", 0.0), ("<unk_3>", 0.0), ("<unk>", 0.0), *_unigram()]
    tokenizer = transformers.PegasusTokenizer(vocab=vocabulary, offset=4)
    config = transformers.PegasusConfig(
        **_TINY, vocab_size=len(tokenizer), scale_embedding=True, forced_eos_token_id=None, activation_function="relu"
    )
    return SmallForeign(folder, transformers.PegasusForConditionalGeneration(config), tokenizer)


def _no_warnings() -> Any:
    import warnings

    return warnings.catch_warnings(action="ignore")


_MAKERS: dict[str, Callable[[Path], SmallForeign]] = {
    "marian_pair": _marian,
    "marian": lambda folder: _marian(folder, (">>deu<<", ">>fra<<")),
    "m2m100": _m2m100,
    "nllb": _nllb,
    "mbart": lambda folder: _mbart(folder, fifty=False),
    "mbart50": lambda folder: _mbart(folder, fifty=True),
    "t5": _t5,
    "madlad": lambda folder: _t5(folder, ("<2de>", "<2fr>", "<2zh_Hans>")),
    "bart": _bart,
    "pegasus": _pegasus,
}
