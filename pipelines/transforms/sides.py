"""Named collections in, side inputs of the same names out."""

from __future__ import annotations

from typing import Any

import apache_beam as beam


def lists(**collections: beam.PCollection[Any] | None) -> dict[str, beam.pvalue.AsList]:
    """Each collection as a list, for the keyword of its name; those that a job has no need of are left out."""
    return {name: beam.pvalue.AsList(found) for name, found in collections.items() if found is not None}
