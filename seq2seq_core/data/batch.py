"""Ragged rows of both sides in, one padded Batch of tensors out.

Shape legend: B rows, S source positions, T target positions, F numbers a source position has.

The source is padded by its modality; the target is text, which a decoder reads and is asked for, one token apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seq2seq_core.data.guidance import Guide
from seq2seq_core.dataset.sides import DatasetSide
from seq2seq_core.modalities.base import Modality, Ragged
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID


@dataclass(frozen=True)
class Batch:
    """Padded rows, int64 but for vectors.

    Attributes:
        source_BS: What an encoder is given (`modalities.EncoderInput`): ids, or vectors (float32, B x S x F).
        source_lengths_B: Source positions that are real; of text those that are not PAD, EOS included.
        target_in_BT: BOS and target ids, then PAD: what the decoder reads.
        target_out_BT: Target ids and EOS, then PAD: what it should say next.
        target_tokens: Positions of target_out_BT that are not PAD.
        guidance_BTS: Where the decoder should look while it says each of target_out_BT (float32; rows sum to 1, or are
            0 where nobody says); None: it may look where it wants.
    """

    source_BS: Tensor
    source_lengths_B: Tensor
    target_in_BT: Tensor
    target_out_BT: Tensor
    target_tokens: int
    guidance_BTS: Tensor | None = None

    def __len__(self) -> int:
        return len(self.source_BS)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The batch on a device."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pinned(self) -> Batch:
        """The batch in page-locked memory, from which copies to a GPU can run beside its work."""
        return self._mapped(Tensor.pin_memory)

    def twice(self) -> Batch:
        """Every row two times, all of them behind one another."""
        return self._mapped(lambda tensor: torch.cat([tensor, tensor]))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return Batch(
            change(self.source_BS),
            change(self.source_lengths_B),
            change(self.target_in_BT),
            change(self.target_out_BT),
            self.target_tokens,
            None if self.guidance_BTS is None else change(self.guidance_BTS),
        )


@dataclass(frozen=True)
class Gathered:
    """Rows as they are gathered: ids without BOS and EOS, row i of both sides together.

    Attributes:
        source: What the encoder is given.
        target: What the decoder should say.
        read: What it reads, as long as the target, where that is another one.
        spelt: The source's pieces, where the encoder is given others in the place of some.
        aligned: Which words mean the same, where attention is guided.
    """

    source: Ragged
    target: Ragged
    read: Ragged | None = None
    spelt: Ragged | None = None
    aligned: Ragged | None = None


def collate(modality: Modality, rows: Gathered, guide: Guide | None = None) -> Batch:
    """Pad rows; the modality is that of the source. A guide says of those with aligned words where to look."""
    source, target, read = rows.source, rows.target, rows.read
    source_BS, source_lengths_B = modality.padded(source)
    target_out_BT = _padded(target)
    target_in_BT = np.empty_like(target_out_BT)
    target_in_BT[:, 0] = BOS_ID
    target_in_BT[:, 1:] = (target_out_BT if read is None else _padded(read))[:, :-1]
    target_out_BT[np.arange(len(target.lengths)), target.lengths] = EOS_ID
    return Batch(
        torch.from_numpy(source_BS),
        torch.from_numpy(source_lengths_B),
        torch.from_numpy(target_in_BT),
        torch.from_numpy(target_out_BT),
        target_tokens=len(target.flat) + len(target.lengths),
        guidance_BTS=_guidance(rows, guide, (target_out_BT.shape[1], source_BS.shape[1])),
    )


def _guidance(rows: Gathered, guide: Guide | None, shape: tuple[int, int]) -> Tensor | None:
    if guide is None or rows.aligned is None:
        return None
    return torch.from_numpy(guide.weights(rows.spelt or rows.source, rows.target, rows.aligned, shape))


def idle_batch(source: DatasetSide) -> Batch:
    """One row without a token to learn: loss and gradients are exactly 0. Lets a process without rows take part."""
    values, lengths = source.modality.padded(source.nothing)
    target_in_BT, target_out_BT = (torch.tensor([[token]]) for token in (BOS_ID, PAD_ID))
    return Batch(torch.from_numpy(values), torch.from_numpy(lengths), target_in_BT, target_out_BT, target_tokens=0)


def _padded(rows: Ragged) -> npt.NDArray[np.int64]:
    """The ids of every row, then PAD, one position more than the longest row has."""
    width = int(rows.lengths.max(initial=0)) + 1
    padded = np.full((len(rows.lengths), width), PAD_ID, np.int64)
    padded[np.arange(width) < rows.lengths[:, None]] = rows.flat
    return padded
