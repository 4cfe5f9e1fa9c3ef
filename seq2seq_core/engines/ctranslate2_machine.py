"""How a model runs on CTranslate2 in, checked against this machine; the library's model out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.engines.interface import EngineConfig, SideBySide
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.machine import has_gpu

_DEVICE = re.compile(r"auto|cpu|cuda(?::(\d+))?")


class CTranslate2Config(EngineConfig):
    """What all engines on CTranslate2 are told."""

    software: ClassVar[tuple[str, ...]] = ("ctranslate2",)
    shapes_nothing: ClassVar[frozenset[str]] = frozenset({"device", "threads"})

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
    threads: int | None = Field(
        None, ge=1, le=4096, description="CPU threads of this process; null: as many as it likes"
    )

    def open_model(self, kind: str, root: str, files: Iterable[str], **how: Any) -> Any:
        """The library's model of a folder.

        Args:
            kind: A class of `ctranslate2.models`, or the translator.
            root: The folder.
            files: The names of its files, of which only those on other machines are read here.
            how: More that the class takes.

        Raises:
            ModelError: The library cannot load it.
            ConfigError: There is no such device, or it cannot calculate so.
        """
        import ctranslate2

        device, _, number = self.device.partition(":")
        self._check_device(device, int(number or 0))
        path, contents = _place(root, files)
        try:
            build: Any = getattr(ctranslate2.models if hasattr(ctranslate2.models, kind) else ctranslate2, kind)
            return build(
                path,
                device,
                device_index=int(number or 0),
                compute_type=self.compute_type,
                files=contents,
                **how,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                "CTranslate2 cannot load the model",
                where=storage.redact(root),
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

    def uses_gpu(self) -> bool:
        """Whether the model runs on a GPU here."""
        if self.device == "cpu" or (self.device == "auto" and not has_gpu()):
            return False
        import ctranslate2

        return self.device != "auto" or ctranslate2.get_cuda_device_count() > 0

    def side_by_side(self, cores: int) -> SideBySide:
        """See `EngineConfig.side_by_side`: one process on a GPU, which several would only wait for."""
        return SideBySide(1 if self.uses_gpu() else cores)

    def on_cores(self, cores: int) -> Self:
        """See `EngineConfig.on_cores`."""
        return self if self.threads else self.model_copy(update={"threads": cores})


def _place(root: str, files: Iterable[str]) -> tuple[str, dict[str, bytes] | None]:
    """Where the library finds the model: a path, or for what does not stand on this machine its files."""
    if storage.is_local(root):
        return str(storage.local_path(root)), None
    return storage.redact(root), {name: storage.read_bytes(storage.join(root, name)) for name in files}
