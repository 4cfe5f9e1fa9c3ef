"""What an encoder of speech has to know of an architecture."""

from __future__ import annotations

from typing import Literal, Protocol

from seq2seq_core.models.hearing.augment import SpecAugmentConfig
from seq2seq_core.models.hearing.front import FrontEnd
from seq2seq_core.models.layers.sublayers import LayerShape

EncoderKind = Literal["conformer", "transformer", "lstm"]
PositionKind = Literal["relative", "sinusoidal"]


class EncoderShape(LayerShape, Protocol):
    """The shape of an encoder; `models.speech` says what each of them means."""

    @property
    def encoder(self) -> EncoderKind: ...
    @property
    def encoder_layers(self) -> int: ...
    @property
    def subsampling(self) -> int: ...
    @property
    def front_end(self) -> FrontEnd: ...
    @property
    def front_channels(self) -> int: ...
    @property
    def positions(self) -> PositionKind: ...
    @property
    def convolution_kernel(self) -> int: ...
    @property
    def augment(self) -> SpecAugmentConfig | None: ...
