"""The folder of a Whisper model that was converted for CTranslate2 in; its name by content, its vocabulary and its
window out. No CTranslate2.

    model.bin                 weights; it begins with the kind of model
    config.json               tokens that are never said, the heads that tell where words lie
    vocabulary.json|txt       the tokens
    preprocessor_config.json  the window and the number of mels, where they are not as usual
"""

from __future__ import annotations

import json
from typing import Annotated, NamedTuple

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.engines.converted.model_file import WEIGHTS, kind_of
from seq2seq_core.engines.whisper_mel import RATE
from seq2seq_core.errors import ModelError

START, END, NO_TIMES = "<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>"

_CONFIG, _FEATURES = "config.json", "preprocessor_config.json"
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_SHAPING = (WEIGHTS, _CONFIG, _FEATURES, *_VOCABULARIES)
_KIND = "WhisperSpec"
_USUAL_SECONDS = 30
_CONVERT = (
    "Convert a Whisper model: ct2-transformers-converter --model FOLDER --output_dir CONVERTED "
    "--copy_files preprocessor_config.json"
)


class WhisperFolder(NamedTuple):
    """What is known of a model before it is loaded.

    Attributes:
        root: Where it stands.
        files: The names of its files that shape what it says.
        digest: Names it by what they hold.
        vocabulary: Its tokens, by their ids.
        seconds: The window that it hears.
        mels: Numbers a frame; None where the folder does not tell.
    """

    root: str
    files: tuple[str, ...]
    digest: str
    vocabulary: tuple[str, ...]
    seconds: int
    mels: int | None

    @property
    def where(self) -> str:
        """The folder as messages show it."""
        return storage.redact(self.root)


def is_whisper(root: str) -> bool:
    """Whether a folder holds such a model."""
    return kind_of(root) == _KIND


def read_folder(root: str) -> WhisperFolder:
    """What a folder tells of its model.

    Raises:
        ModelError: There is no such model, or a file of it is damaged.
    """
    there = storage.sizes_in(root)
    _check_kind(root, there)
    files = tuple(name for name in _SHAPING if name in there)
    digests = {name: storage.digest_file(storage.join(root, name)) for name in files}
    features = _read_features(root) if _FEATURES in there else _Features()
    return WhisperFolder(
        root=root,
        files=files,
        digest=storage.digest_bytes(json.dumps(digests, sort_keys=True).encode()),
        vocabulary=_read_vocabulary(root, there),
        seconds=features.chunk_length,
        mels=features.feature_size,
    )


def _check_kind(root: str, there: dict[str, int]) -> None:
    where = storage.redact(root)
    if not there:
        raise ModelError("no model stands here", where=where, advice=f"Check the path. {_CONVERT}")
    if WEIGHTS not in there:
        raise ModelError(
            "the folder holds no model that was converted for CTranslate2",
            where=where,
            found=f"no {WEIGHTS}",
            advice=f"{_CONVERT} A model of this project needs no engine named.",
        )
    kind = kind_of(root)
    if kind != _KIND:
        found = kind or f"a {WEIGHTS} of another program"
        raise ModelError("this is no Whisper model", where=where, found=found, expected=_KIND, advice=_CONVERT)


class _Features(pydantic.BaseModel):
    """The part of `preprocessor_config.json` that is not the same for all."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    feature_size: Annotated[int, Field(ge=1, le=1024)] | None = None
    chunk_length: Annotated[int, Field(ge=1, le=3600)] = _USUAL_SECONDS
    sampling_rate: Annotated[int, Field(ge=RATE, le=RATE)] = RATE
    hop_length: Annotated[int, Field(ge=160, le=160)] = 160
    n_fft: Annotated[int, Field(ge=400, le=400)] = 400


def _read_features(root: str) -> _Features:
    url = storage.join(root, _FEATURES)
    try:
        return _Features.model_validate_json(storage.read_bytes(url), strict=True)
    except pydantic.ValidationError as error:
        found = " ".join(str(error).split("\n")[:3])
        raise ModelError(
            "these are not the frames of a Whisper model", where=storage.redact(url), found=found
        ) from None


_TOKENS = pydantic.TypeAdapter(tuple[str, ...])


def _read_vocabulary(root: str, there: dict[str, int]) -> tuple[str, ...]:
    name = next((name for name in _VOCABULARIES if name in there), None)
    if name is None:
        raise ModelError(
            "the model has no vocabulary",
            where=storage.redact(root),
            expected=" or ".join(_VOCABULARIES),
            advice="Copy the model again, or convert it again.",
        )
    url = storage.join(root, name)
    text = storage.read_text(url)
    try:
        found = _TOKENS.validate_json(text, strict=True) if name.endswith(".json") else tuple(_lines(text))
    except pydantic.ValidationError:
        found = ()
    missing = [token for token in (START, END, NO_TIMES) if token not in found]
    if missing:
        raise ModelError(
            "this is not the vocabulary of a Whisper model",
            where=storage.redact(url),
            found=f"no {' and no '.join(missing)}",
            advice="Copy the model again, or convert it again.",
        )
    return found


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")
