"""A model folder of Hugging Face in, the same in CTranslate2's form, with its tokenizer, out.

Weights are read from safetensors alone: what else such folders hold them in may run whatever it likes when it is read.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic

from seq2seq_core import storage
from seq2seq_core.engines.converted.facts import Facts, write_facts
from seq2seq_core.engines.converted.families import TYPES, family_of
from seq2seq_core.engines.converted.folder import read_converted, text_of
from seq2seq_core.engines.converted.model_file import positions_of
from seq2seq_core.engines.converted.texts import TOKENIZER
from seq2seq_core.errors import ModelError

_CONFIG, _INDEX, _WEIGHTS = "config.json", "model.safetensors.index.json", "model.safetensors"
_FAMILY_FACTS = {
    "bart": {"normalize_before": False, "normalize_embedding": True},
    "mbart": {"normalize_before": True, "normalize_embedding": True},
    "pegasus": {"normalize_before": True, "normalize_embedding": False},
    "mt5": {"tie_word_embeddings": False},
}
"""Where norms stand in a family, and whether its outputs are scaled."""
_NOT_READ = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".py", ".pkl", ".md", ".gguf", ".ot")


class _Config(pydantic.BaseModel):
    """The part of `config.json` that says what the folder is."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    model_type: str | None = None
    format_version: int | None = None


def model_type(root: str) -> str | None:
    """What a folder of Hugging Face says its model is; None where it is no such folder."""
    data = storage.read_if_there(storage.join(root, _CONFIG))
    if data is None:
        return None
    try:
        return _Config.model_validate_json(data).model_type
    except pydantic.ValidationError:
        return None


def digest_of(root: str) -> str:
    """Names the model of a folder by what its files hold.

    Raises:
        ModelError: Its weights are not in safetensors, or it is of no family that is known.
    """
    _check(root)
    digests = {name: storage.digest_file(storage.join(root, name)) for name in _files(root)}
    return storage.digest_bytes(json.dumps(digests, sort_keys=True).encode())


def convert_hugging_face(root: str, quantization: str, folder: Path) -> None:
    """Convert a model; for the arguments see `convert_own`.

    Raises:
        ModelError: See `digest_of`; the folder is damaged.
    """
    _check(root)
    with _local(root) as place:
        tokenizer, model = _convert(place, quantization, folder, storage.redact(root))
        _save_tokenizer(tokenizer, folder)
    made = read_converted(str(folder))
    positions = positions_of(str(folder))
    family = family_of(made.vocabulary.target, made.special.decoder_start_token, model_type(root))
    first = getattr(model.generation_config, "forced_bos_token_id", None) if "first" in family.first else None
    facts = Facts(
        digest=digest_of(root),
        quantization=quantization,
        source_text=text_of(positions),
        family=family.name,
        first_token=None if first is None else tokenizer.convert_ids_to_tokens(first),
        longest_output=positions,
    )
    write_facts(folder, facts)


def _check(root: str) -> None:
    there, where = storage.sizes_in(root), storage.redact(root)
    kind = model_type(root)
    if kind not in TYPES:
        raise ModelError(
            "models of this kind are not run",
            where=where,
            found=f"model_type {kind}",
            expected=", ".join(sorted(TYPES)),
        )
    if _WEIGHTS not in there and _INDEX not in there:
        others = sorted(name for name in there if name.endswith((".bin", ".pt", ".h5", ".msgpack")))
        raise ModelError(
            "the weights are not in safetensors, and others are not read: they may hold a program",
            where=where,
            found=", ".join(others) or "no weights",
            expected=_WEIGHTS,
            advice="Take the model's revision with safetensors, or save it so where you trust it: "
            "model.save_pretrained(FOLDER).",
        )


def _files(root: str) -> list[str]:
    """Those that may shape what the model says; nothing hidden, and no weights of another form."""
    return sorted(name for name in storage.sizes_in(root) if not name.startswith(".") and not name.endswith(_NOT_READ))


@contextlib.contextmanager
def _local(root: str) -> Iterator[str]:
    """The folder on this machine."""
    if storage.is_local(root):
        yield str(storage.local_path(root))
        return
    with tempfile.TemporaryDirectory(prefix="seq2seq-model-") as place:
        for name in _files(root):
            (Path(place) / name).write_bytes(storage.read_bytes(storage.join(root, name)))
        yield place


def _convert(place: str, quantization: str, folder: Path, where: str) -> tuple[Any, Any]:
    """Fill a folder; the tokenizer and the model. Nothing is fetched, and no code of the model's folder runs."""
    from ctranslate2.converters import TransformersConverter

    importlib.import_module("transformers")  # which the converter does without a word where it is missing
    kept: dict[str, Any] = {}

    class Converter(TransformersConverter):  # type: ignore[misc]
        """Keeps what it loads."""

        def load_model(self, model_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:
            """From safetensors on this machine."""
            kwargs |= {"use_safetensors": True, "local_files_only": True}
            model = kept["model"] = super().load_model(model_class, model_name_or_path, **kwargs)
            for key, value in _facts_of(model.config).items():
                setattr(model.config, key, value)
            return model

        def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:
            """From this machine."""
            kwargs["local_files_only"] = True
            kept["tokenizer"] = super().load_tokenizer(tokenizer_class, model_name_or_path, **kwargs)
            return _Whole(kept["tokenizer"])

    try:
        with _quietly():
            Converter(place).convert(str(folder), quantization=quantization, force=True)
    except ImportError:
        raise
    except Exception as error:  # whatever the libraries raise of a folder that is not as it should be
        found = " ".join(str(error).split("\n")[:3])
        raise ModelError(
            "the model cannot be converted", where=where, found=f"{type(error).__name__}: {found}"
        ) from error
    return kept["tokenizer"], kept["model"]


def _facts_of(config: Any) -> dict[str, bool]:
    """What a converter asks a configuration for, and does not always find there.

    Outputs of T5 are scaled where tables are tied. Transformers 5 calls all tables tied, and has a key for the scale.
    """
    if hasattr(config, "scale_decoder_outputs"):
        return {"tie_word_embeddings": config.scale_decoder_outputs}
    return _FAMILY_FACTS.get(config.model_type, {})


class _Whole:
    """A tokenizer that has all that a converter asks for."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    @property
    def bos_token(self) -> str:
        """That which begins texts: some have none, and the library wants one."""
        return str(self._tokenizer.bos_token or self._tokenizer.eos_token)

    def get_vocab(self) -> dict[str, int]:
        """The ids of all tokens: some leave out languages, or ids that nothing has."""
        found: dict[str, int] = {**self._tokenizer.get_vocab(), **getattr(self._tokenizer, "lang_token_to_id", {})}
        missing = set(range(max(found.values(), default=-1))) - set(found.values())
        return found | {f"<nothing_{number}>": number for number in missing}


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what transformers prints of its progress."""
    log = logging.getLogger("transformers")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        log.setLevel(before)


def _save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """As one file of Hugging Face's tokenizers, or as files of SentencePiece."""
    if tokenizer.is_fast:
        (folder / TOKENIZER).write_text(tokenizer.backend_tokenizer.to_str(), "utf-8")
        return
    names = {"source_spm": "source.spm", "target_spm": "target.spm", "spm_file": "sentencepiece.model"}
    for key, path in tokenizer.vocab_files_names.items():
        if key in names:
            source = Path(getattr(tokenizer, "name_or_path", "")) / path
            (folder / names[key]).write_bytes(source.read_bytes())
