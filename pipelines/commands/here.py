"""What is read and Beam's options in; who does the work on this machine, if anybody, out: processes, or one thread."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipelines.local import pool
from pipelines.local.workers import HERE, Workers
from seq2seq_core import stopping, storage
from seq2seq_core.terminal import say

_OF_THIS_PROCESS = "memory://"


@dataclass(frozen=True)
class Work:
    """What there is to do.

    Attributes:
        inputs: URLs of what is read.
        output: URL of what is written.
        small_bytes: Inputs of no more than these are done sooner than processes are started.
        preload: Modules that the processes will need.
    """

    inputs: Sequence[str]
    output: str
    small_bytes: int
    preload: Sequence[str]


def is_here(beam_arguments: Sequence[str]) -> bool:
    """Whether this process does it all, by Beam's options; a mistake in them is told before all others."""
    if not beam_arguments:
        return True
    with stopping.interrupts_wait():
        from pipelines.graphs import options

    return options.run_in_this_thread(options.parse(beam_arguments))


def is_local(beam_arguments: Sequence[str]) -> bool:
    """Whether Beam's runner is the local one, be it with workers of its own; it does not stream."""
    if not beam_arguments:
        return True
    with stopping.interrupts_wait():
        from pipelines.graphs import options

    return options.is_local(options.parse(beam_arguments))


def is_described(graph: str, job: Callable[[], object], beam_arguments: Sequence[str]) -> bool:
    """Whether Beam's options ask for the description of a job alone, which has been made then.

    Args:
        graph: The module whose `build` makes the graph.
        job: Makes the job; called where it is needed.
        beam_arguments: Beam's options.
    """
    if not beam_arguments:
        return False
    with stopping.interrupts_wait():
        from pipelines.graphs import description

    if not description.is_asked_for(beam_arguments):
        return False
    description.describe(importlib.import_module(graph).build, job(), beam_arguments)
    say("described to Dataflow, and not run here")
    return True


@contextlib.contextmanager
def workers(work: Work, processes: int, beam_arguments: Sequence[str], in_each: int = 1) -> Iterator[Workers]:
    """So many processes; this thread alone where starting them takes longer than they save, or options ask for it.

    Args:
        work: What there is to do.
        processes: How many are the fastest to do it.
        beam_arguments: Beam's options.
        in_each: How many parts of the work each of them does at a time.
    """
    is_asked_for = any(word.startswith("--direct_") for word in beam_arguments)
    is_seen_here_alone = any(url.startswith(_OF_THIS_PROCESS) for url in (work.output, *work.inputs))
    if processes * in_each == 1 or is_asked_for or is_seen_here_alone or _is_small(work):
        yield HERE
    else:
        with pool.started(processes, work.preload, in_each) as started:
            yield started


def _is_small(work: Work) -> bool:
    left = work.small_bytes
    for url in work.inputs:
        left -= storage.size(url)
        if left < 0:
            return False
    return True
