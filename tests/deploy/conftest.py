"""The model folder of the echo engine, which tests of pipelines have as well."""

from __future__ import annotations

from tests.pipelines.conftest import echo_model, echo_tokenizer, write_echo_model

__all__ = ["echo_model", "echo_tokenizer", "write_echo_model"]
