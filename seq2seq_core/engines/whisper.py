"""Speech in, words with times out, by a Whisper model that was converted for CTranslate2: the entry of the engine."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.engines.interface import EngineConfig, LoadedEngine
from seq2seq_core.engines.recognition import Recognizer, SpeechModel
from seq2seq_core.engines.whisper_folder import WhisperFolder, is_whisper, read_folder
from seq2seq_core.engines.whisper_recognizer import Way, WhisperRecognizer
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.machine import has_gpu

# A chunk is 30 s long for the encoder, whatever it holds; a GPU has the memory for more of them.
_CPU_CHUNKS, _GPU_CHUNKS = 8, 32

_DEVICE = re.compile(r"auto|cpu|cuda(?::(\d+))?")


class WhisperEngineConfig(EngineConfig):
    """Whisper models that were converted for CTranslate2, on CPU and GPU."""

    software = ("ctranslate2",)
    hears: ClassVar[bool] = True
    shapes_nothing = frozenset({"device", "threads", "max_batch_chunks"})

    kind: Literal["whisper"] = Field("whisper", description="whisper: Whisper models converted for CTranslate2")
    device: str = Field(
        "auto", pattern=f"^(?:{_DEVICE.pattern})$", description="auto (a GPU if there is one), cpu, cuda or cuda:N"
    )
    compute_type: Literal[
        "default",
        "auto",
        "int8",
        "int8_float32",
        "int8_float16",
        "int8_bfloat16",
        "int16",
        "float16",
        "bfloat16",
        "float32",
    ] = Field(
        "default",
        description="of weights and arithmetic; default: as the model was converted, where the device can, auto: the "
        "fastest that the device can",
    )
    language: str | None = Field(
        None, pattern="^[a-z]{2,3}$", description="code of what is spoken, like en; null: found out for each chunk"
    )
    task: Literal["transcribe", "translate"] = Field("transcribe", description="translate: what is said, in English")
    suppress_tokens: tuple[int, ...] = Field(
        (-1,),
        max_length=1 << 16,
        description="ids of tokens that are never said; -1 stands for those that the model names",
    )
    threads: int | None = Field(
        None, ge=1, le=4096, description="CPU threads of this process; null: as many as it likes"
    )
    max_batch_chunks: int | None = Field(
        None, ge=1, le=1 << 16, description="chunks of a batch; null: 8 on CPU, 32 on GPU"
    )

    def load(self, model_root: str) -> LoadedEngine:
        """Refused: a ConfigError."""
        raise ConfigError(
            "this engine translates no text",
            where=storage.redact(model_root),
            found=f"engine.kind {self.kind}",
            advice="It is for `seq2seq transcribe`.",
        )

    @classmethod
    def is_for(cls, model_root: str) -> bool:
        """See `EngineConfig.is_for`."""
        return is_whisper(model_root)

    def describe_recognizer(self, model_root: str) -> SpeechModel:
        """See `EngineConfig.describe_recognizer`; such a folder does not tell where its model comes from."""
        folder = read_folder(model_root)
        self._check_tokens(folder)
        return SpeechModel(folder.digest, None)

    def load_recognizer(self, model_root: str) -> Recognizer:
        """See `EngineConfig.load_recognizer`."""
        folder = read_folder(model_root)
        self._check_tokens(folder)
        model = self._load(folder)
        if folder.mels not in (None, model.n_mels):
            raise ModelError(
                "the files of the model do not belong together",
                where=folder.where,
                found=f"{folder.mels} mels in preprocessor_config.json",
                expected=f"{model.n_mels}, as the weights have",
                advice="Copy the model again, or convert it again.",
            )
        at_once = self.max_batch_chunks or (_CPU_CHUNKS if model.device == "cpu" else _GPU_CHUNKS)
        return WhisperRecognizer(model, folder, Way(self.language, self.task, self.suppress_tokens, at_once))

    def _load(self, folder: WhisperFolder) -> Any:
        import ctranslate2

        device, _, number = self.device.partition(":")
        self._check_device(device, int(number or 0))
        root, files = _place(folder)
        try:
            return ctranslate2.models.Whisper(
                root,
                device,
                device_index=int(number or 0),
                compute_type=self.compute_type,
                intra_threads=self.threads or 0,
                files=files,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                "CTranslate2 cannot load the model",
                where=folder.where,
                found=str(error).strip(),
                advice="Copy the model again, or convert it again with the version of CTranslate2 that is installed.",
            ) from None

    def _check_device(self, device: str, number: int) -> None:
        """Make sure that there is such a device and that it can calculate so; else a ConfigError."""
        import ctranslate2

        gpus = ctranslate2.get_cuda_device_count()
        if device == "cuda" and number >= gpus:
            raise ConfigError(
                "there is no such device", where="engine.device", found=self.device, expected=f"{gpus} GPUs"
            )
        at = "cuda" if gpus and device != "cpu" else "cpu"
        known = {"default", "auto", *ctranslate2.get_supported_compute_types(at, number)}
        if self.compute_type not in known:
            raise ConfigError(
                f"the device ({at}) does not calculate so",
                where="engine.compute_type",
                found=self.compute_type,
                expected=", ".join(sorted(known)),
            )

    def _check_tokens(self, folder: WhisperFolder) -> None:
        if self.language is not None and f"<|{self.language}|>" not in folder.vocabulary:
            raise ConfigError("the model knows no such language", where="engine.language", found=self.language)
        most = len(folder.vocabulary) - 1
        odd = [token for token in self.suppress_tokens if not -1 <= token <= most]
        if odd:
            found, expected = odd[0], f"-1 to {most}"
            raise ConfigError(
                "the model has no such token", where="engine.suppress_tokens", found=found, expected=expected
            )

    def processes(self, cores: int) -> int:
        """See `EngineConfig.processes`: one on a GPU, which several would only wait for."""
        if self.device == "cpu" or (self.device == "auto" and not has_gpu()):
            return cores
        import ctranslate2

        return cores if self.device == "auto" and not ctranslate2.get_cuda_device_count() else 1

    def on_cores(self, cores: int) -> Self:
        """See `EngineConfig.on_cores`."""
        return self if self.threads else self.model_copy(update={"threads": cores})


def _place(folder: WhisperFolder) -> tuple[str, dict[str, bytes] | None]:
    """Where the library finds the model: a path, or for what does not stand on this machine its files."""
    if storage.is_local(folder.root):
        return str(storage.local_path(folder.root)), None
    return folder.where, {name: storage.read_bytes(storage.join(folder.root, name)) for name in folder.files}
