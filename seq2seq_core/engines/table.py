"""An engine's configuration and a model folder in, an engine ready to run with its tokenizers out."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_core.engines.config import EchoEngineConfig, EngineConfig
from seq2seq_core.engines.echo import EchoEngine
from seq2seq_core.engines.interface import Engine
from seq2seq_core.models.card import place, read_files
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer


@dataclass(frozen=True)
class LoadedEngine:
    """An engine and the tokenizers that belong to its model; `model_digest` names the model in manifests."""

    engine: Engine
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    model_digest: str
    source_text: SourceText


def load_engine(config: EngineConfig, model_root: str) -> LoadedEngine:
    """Read a model folder into the engine asked for, importing no other engine's libraries.

    Raises:
        ModelError: The folder is missing, unfinished or damaged.
        ConfigError: There is no such device.
    """
    if isinstance(config, EchoEngineConfig):
        return _load_echo(config, model_root)
    from seq2seq_core.engines import torch_engine  # noqa: PLC0415 - torch takes seconds and is not always there

    engine, loaded = torch_engine.load(config, model_root)
    return LoadedEngine(engine, loaded.source_tokenizer, loaded.target_tokenizer, loaded.digest, loaded.source_text)


def _load_echo(config: EchoEngineConfig, model_root: str) -> LoadedEngine:
    """The echo engine speaks the source language, so the source tokenizer is all it needs of a model folder."""
    card, files = read_files(model_root, lambda card: [card.source_tokenizer])
    tokenizer = Tokenizer(files[card.source_tokenizer.path], place(model_root, card.source_tokenizer))
    return LoadedEngine(EchoEngine(config), tokenizer, tokenizer, card.digest, card.source_text)
