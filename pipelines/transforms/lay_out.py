"""Units to be done in; the same units out, when each can be read without reading again what stands before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam

from seq2seq_core import storage
from seq2seq_core.documents.layout import lay_out, layout_key
from seq2seq_core.documents.pieces import PIECE_FOLDER
from seq2seq_core.inference.unit import Unit


class LayOut(beam.PTransform):  # type: ignore[misc]
    """PCollection[Unit] -> PCollection[Unit], spread over the workers; an archive is unpacked by one of them."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._folder = storage.join(root, PIECE_FOLDER)

    def expand(self, units: beam.PCollection[Unit]) -> beam.PCollection[Unit]:
        return (
            units
            | "By what is read together" >> beam.Map(_keyed).with_output_types(tuple[str, Unit])
            | "Gather" >> beam.GroupByKey()
            | "Copy" >> beam.FlatMap(_lay_out, self._folder).with_output_types(Unit)
            | "Spread copies" >> beam.Reshuffle()
        )


def _keyed(unit: Unit) -> tuple[str, Unit]:
    return layout_key(unit.file, unit.part), unit


def _lay_out(keyed: tuple[str, Iterable[Unit]], folder: str) -> Iterator[Unit]:
    units = sorted(keyed[1], key=lambda unit: unit.index)
    parts = lay_out(units[0].file, [unit.part for unit in units], folder)
    return (dataclasses.replace(unit, part=part) for unit, part in zip(units, parts, strict=True))
