"""`seq2seq translate -`: lines of one stream in, a line of translation each out on another, as they come."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import IO, Self

import pydantic

from seq2seq_core.documents.content import MAX_RECORD_BYTES, Content
from seq2seq_core.documents.formats.text import parse_text, render_text
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.errors import IncompleteError, StorageError
from seq2seq_core.inference.memory.given import index
from seq2seq_core.inference.memory.settling import settle
from seq2seq_core.inference.translator_config import TranslatorConfig, given_by, load_translator
from seq2seq_core.inference.unit import Translates
from seq2seq_core.terminal import cannot_write, silence

EXIT_BROKEN_PIPE = 141

_READ_BYTES = 1 << 16
_log = logging.getLogger(__name__)


class FilterConfig(TranslatorConfig):
    """What `seq2seq translate -` translates with."""

    @pydantic.model_validator(mode="after")
    def _one_output_a_line(self) -> Self:
        search = self.search
        if search.keeps_attention or (search.n_best > 1 and self.choose == "score"):
            raise ValueError(
                f"a line has one output, no attention and no alignment, but search.n_best is {search.n_best}, "
                f"search.attention {search.attention}, search.align {search.align} and search.alignment "
                f"{search.alignment}"
            )
        if self.demands.prefix_field is not None:
            raise ValueError(f"a line has no field {self.demands.prefix_field} (demands.prefix_field)")
        return self


def translate_lines(config: FilterConfig, source: IO[bytes], target: IO[bytes]) -> int:
    """Translate until `source` ends, in batches of the lines that stand ready.

    A line that cannot be translated is an empty line, with a warning.

    Args:
        config: What to translate with.
        source: A binary stream with `read1`, like `sys.stdin.buffer`.
        target: A binary stream, like `sys.stdout.buffer`; flushed after each batch.

    Returns:
        0, or 141 (what a shell shows for SIGPIPE) when nobody reads on.

    Raises:
        IncompleteError: At the end, when lines have failed.
        StorageError: `target` takes no more, or `source` cannot be read.
    """
    given = given_by(config)
    if given is not None:
        index(given)
    translator = load_translator(config.unscored())
    try:
        failed = filter_lines(translator, source, target)
    except BrokenPipeError:
        silence(target)
        return EXIT_BROKEN_PIPE
    if config.memory.url:
        settle(config.memory.url)
    if failed:
        raise IncompleteError(f"{failed:,} lines were not translated", where="standard input")
    return 0


def filter_lines(translator: Translates, source: IO[bytes], target: IO[bytes]) -> int:
    """The number of lines that failed; a broken pipe goes to the caller, for other errors see `translate_lines`."""
    first_line, failed = 1, 0
    for data in ready_lines(source):
        content = _parse(data)
        predictions = translator.translate(content.texts)
        failed += _warn(content, predictions, first_line)
        _write(target, render_text(content, predictions))
        first_line += len(content)
    return failed


def ready_lines(source: IO[bytes]) -> Iterator[bytes]:
    """Blocks of whole lines: as many as stand ready, waiting for one only when none does.

    Of a line of more than `MAX_RECORD_BYTES` only so much is kept that its length still tells.
    """
    rest: list[bytes] = []
    held = 0
    while block := _read(source):
        whole, newline, tail = block.rpartition(b"\n")
        if newline:
            yield b"".join([*rest, whole, newline])
            rest, held = [], 0
        more = tail if newline else block
        if more and held <= MAX_RECORD_BYTES:
            rest.append(more)
            held += len(more)
    if rest:
        yield b"".join(rest)


def _read(source: IO[bytes]) -> bytes:
    try:
        return bytes(getattr(source, "read1", source.read)(_READ_BYTES))
    except OSError as error:
        raise StorageError("it cannot be read", where="standard input", found=error.strerror or error) from error


def _write(target: IO[bytes], data: bytes) -> None:
    try:
        target.write(data)
        target.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(target)
        raise cannot_write(error) from error


def _parse(data: bytes) -> Content[list[bytes]]:
    ends_line = data.endswith(b"\n")
    return parse_text(data.removesuffix(b"\n").split(b"\n"), ends_line=ends_line)


def _warn(content: Content[list[bytes]], predictions: list[Prediction], first_line: int) -> int:
    """Say which lines failed, or came out doubtful, and why; the number of those that failed."""
    reasons = {failure.record: failure.reason for failure in content.failures}
    reasons |= {record: found.error for record, found in enumerate(predictions) if found.error is not None}
    for record, reason in sorted(reasons.items()):
        _log.warning("line %d is not translated: %s", first_line + record, reason)
    for record, found in enumerate(predictions):
        if found.doubt is not None and record not in reasons:
            _log.warning("line %d: %s", first_line + record, found.doubt)
    return len(reasons)
