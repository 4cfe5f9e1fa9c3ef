"""Rows that hang together in; which rows of earlier generations stay in the place of others, asked and answered, out.

A row of an earlier generation may have been dropped itself, or a later one may have tied it to another that stands as
well. Who meets it hangs together with what stays in its place. That is written down once, when it is found: one entry
for each row with another in its place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.preparation.known.runs import Entries, find, in_order, keys_of, write_part
from seq2seq_core.preparation.sieves.near.bands import split_keys
from seq2seq_core.preparation.sieves.near.connected import Keys, components, number
from seq2seq_core.preparation.terms.known import WIDTHS, KnownPart
from seq2seq_core.preparation.terms.messages import NearPlan
from seq2seq_core.preparation.terms.octets import to_column

_RANK_BYTES = 4
_HALF = ID_BYTES + _RANK_BYTES


def with_aliases(plan: NearPlan, members: Keys, kept: Keys) -> tuple[Keys, Keys]:
    """The components of a graph, with what earlier generations have written down of the rows in it.

    Args:
        plan: The search.
        members: All keys, each once.
        kept: The smallest key of each one's component.
    """
    asked = np.zeros((0, members.shape[1]), np.uint8)
    while True:
        keys, _ = number(np.concatenate([members, kept]))
        earlier = keys[split_keys(keys)[0] < plan.generation]
        fresh = earlier[~_are_among(earlier, asked)]
        left, right = _aliases_of(plan, fresh)
        if not len(left):
            return members, kept
        asked = np.concatenate([asked, fresh])
        members, kept = components(np.concatenate([members, left]), np.concatenate([kept, right]))


def add_aliases(plan: NearPlan, members: Keys, kept: Keys) -> KnownPart | None:
    """Publish which rows stay in the place of others, for later generations; None where nobody asks for them."""
    cut = plan.known.adds.get("kept")
    if cut is None:
        return None
    differ = (members != kept).any(axis=1)
    entries = np.hstack([_half(members[differ]), _half(kept[differ])])
    return write_part(plan.output, cut, 0, in_order(entries))


def _aliases_of(plan: NearPlan, keys: Keys) -> tuple[Keys, Keys]:
    """What is written down of some keys: those of which something is, and what stays in their place."""
    nothing, halves = np.zeros((0, 2 * _HALF), np.uint8), _half(keys)
    runs = plan.known.of("kept") if len(keys) else ()
    found = [find(plan.output, run, WIDTHS["kept"], keys_of(halves)) for run in runs]
    pairs = np.concatenate([nothing, *found])
    pairs = pairs[_are_among(pairs[:, :_HALF], halves)]
    return _key(pairs[:, :_HALF]), _key(pairs[:, _HALF:])


def _half(keys: Keys) -> Entries:
    """Id and generation of each key: of which shard a row was does not matter later."""
    return np.hstack([keys[:, _RANK_BYTES:_HALF], keys[:, :_RANK_BYTES]])


def _key(halves: Entries) -> Keys:
    return np.hstack([halves[:, ID_BYTES:], halves[:, :ID_BYTES], np.zeros((len(halves), _RANK_BYTES), np.uint8)])


def _are_among(rows: Entries, others: Entries) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.is_in(to_column(rows), value_set=to_column(others)).to_numpy(zero_copy_only=False)
    return found
