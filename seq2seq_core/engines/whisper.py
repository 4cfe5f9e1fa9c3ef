"""Speech in, words with times out, by a Whisper model that was converted for CTranslate2: the entry of the engine."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.engines.ctranslate2_machine import CTranslate2Config
from seq2seq_core.engines.interface import LoadedEngine
from seq2seq_core.engines.recognition import Recognizer, SpeechModel
from seq2seq_core.engines.whisper_folder import WhisperFolder, is_whisper, read_folder
from seq2seq_core.engines.whisper_recognizer import Way, WhisperRecognizer
from seq2seq_core.errors import ConfigError, ModelError

# A chunk is 30 s long for the encoder, whatever it holds; a GPU has the memory for more of them.
_CPU_CHUNKS, _GPU_CHUNKS = 8, 32


class WhisperEngineConfig(CTranslate2Config):
    """Whisper models that were converted for CTranslate2, on CPU and GPU."""

    hears: ClassVar[bool] = True
    shapes_nothing = frozenset({"device", "threads", "max_batch_chunks"})

    kind: Literal["whisper"] = Field("whisper", description="whisper: Whisper models converted for CTranslate2")
    language: str | None = Field(
        None, pattern="^[a-z]{2,3}$", description="code of what is spoken, like en; null: found out for each chunk"
    )
    task: Literal["transcribe", "translate"] = Field("transcribe", description="translate: what is said, in English")
    suppress_tokens: tuple[int, ...] = Field(
        (-1,),
        max_length=1 << 16,
        description="ids of tokens that are never said; -1 stands for those that the model names",
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
        model = self.open_model("Whisper", folder.root, folder.files, intra_threads=self.threads or 0)
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
