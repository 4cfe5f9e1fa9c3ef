"""A model folder for the echo engine: a tokenizer that gives any text back, and no weights."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.tokenizer.training import TokenizerConfig, train
from tests.model_folders import write_model_folder

CORPUS = ["hello world", "a small cat sat.", "the quick brown fox", "one, two and three?"] * 5


@pytest.fixture(scope="session")
def echo_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SEQ2SEQ_CACHE", str(tmp_path_factory.mktemp("cache")))
        return train(iter(CORPUS), TokenizerConfig(vocabulary_size=330, type="bpe"))


@pytest.fixture(scope="session")
def echo_model(write_echo_model: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_echo_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def write_echo_model(echo_tokenizer: bytes) -> Callable[..., str]:
    return functools.partial(_write_echo_model, echo_tokenizer)


def _write_echo_model(tokenizer: bytes, folder: Path, step: int = 1) -> str:
    """Another step is another model, with another digest."""
    write_model_folder(folder, tokenizer, step)
    return str(folder)
