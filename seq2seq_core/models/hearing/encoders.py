"""Filter banks of a batch in, states and where they are real out: the encoders of speech models, and their table.

Shape legend: B rows, S positions, F frequency bins, D model width.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from seq2seq_core.models.hearing.augment import SpecAugment
from seq2seq_core.models.hearing.conformer import ConformerBlock
from seq2seq_core.models.hearing.front import front_end
from seq2seq_core.models.hearing.pyramid import Pyramid, halvings
from seq2seq_core.models.hearing.relative import source_attention
from seq2seq_core.models.hearing.shape import EncoderKind, EncoderShape
from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.positions import SinusoidalPositions
from seq2seq_core.models.layers.rows import length_mask
from seq2seq_core.models.layers.sublayers import EncoderLayer


class SpeechEncoder(nn.Module):
    """What a model hears with: augmentation in training, front end and layers. Another model can take it over whole."""

    def __init__(self, shape: EncoderShape, bins: int) -> None:
        super().__init__()
        self.augment = None if shape.augment is None else SpecAugment(shape.augment)
        self.body = _BODIES[shape.encoder](shape, bins)

    def forward(self, source_BSF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """States (B x S x D) of a batch of frames, of which so many are real (int64), and their mask (bool, B x S)."""
        if self.augment is not None:
            source_BSF = self.augment(source_BSF, lengths_B)
        source_BSF = source_BSF.to(next(self.body.parameters()).dtype)
        states_BSD, lengths_B = self.body(source_BSF, lengths_B)
        return states_BSD, length_mask(lengths_B, states_BSD.size(1))


class ConformerStack(nn.Module):
    """Convolutions with strides, then Conformer blocks, each of which ends with a normalisation."""

    def __init__(self, shape: EncoderShape, bins: int) -> None:
        super().__init__()
        self.front = Front(shape, bins)
        self.layers = nn.ModuleList(ConformerBlock(shape) for _ in range(shape.encoder_layers))

    def forward(self, x_BSF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """States (B x S x D), and how many of them are real."""
        x_BSD, lengths_B = self.front(x_BSF, lengths_B)
        mask_BS = length_mask(lengths_B, x_BSD.size(1))
        for layer in self.layers:
            x_BSD = layer(x_BSD, mask_BS)
        return x_BSD, lengths_B


class TransformerStack(nn.Module):
    """Convolutions with strides, then the encoder of a Transformer (Dong, Xu and Xu 2018)."""

    def __init__(self, shape: EncoderShape, bins: int) -> None:
        super().__init__()
        self.front = Front(shape, bins)
        self.layers = nn.ModuleList(EncoderLayer(shape, source_attention(shape)) for _ in range(shape.encoder_layers))
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, x_BSF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """States (B x S x D), and how many of them are real."""
        x_BSD, lengths_B = self.front(x_BSF, lengths_B)
        mask_B11S = length_mask(lengths_B, x_BSD.size(1))[:, None, None]
        for layer in self.layers:
            x_BSD = layer(x_BSD, mask_B11S)
        return self.norm(x_BSD), lengths_B


class Front(nn.Module):
    """The convolutions with strides, and positions where they are added."""

    def __init__(self, shape: EncoderShape, bins: int) -> None:
        super().__init__()
        self.convolutions = front_end(shape.front_end, bins, shape.width, shape.front_channels, shape.subsampling)
        self.positions = SinusoidalPositions() if shape.positions == "sinusoidal" else None
        self.dropout = Dropout(shape.dropout)

    def forward(self, x_BSF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (B x S x D), and how many of them are real."""
        x_BSD, lengths_B = self.convolutions(x_BSF, lengths_B)
        if self.positions is not None:
            x_BSD = x_BSD + self.positions(0, x_BSD.size(1), x_BSD)
        return self.dropout(x_BSD), lengths_B


def _pyramid(shape: EncoderShape, bins: int) -> Pyramid:
    return Pyramid(bins, shape.width, shape.encoder_layers, halvings(shape.subsampling), shape.dropout)


_BODIES: dict[EncoderKind, Callable[[EncoderShape, int], nn.Module]] = {
    "conformer": ConformerStack,
    "transformer": TransformerStack,
    "lstm": _pyramid,
}
