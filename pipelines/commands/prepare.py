"""`seq2seq prepare`: raw corpora in, a dataset folder out; with `--dry-run`, what its rules would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipelines.commands.call import Call
from seq2seq_core.terminal import say

_DRY_RUN = ("--dry-run", "--dry_run")


def run(call: Call) -> int:
    """Raw corpora to a dataset folder."""
    from pipelines import prepare_job
    from pipelines.head_start import head_start

    call = replace(call, options=tuple(_take_strict(call.options)))
    if _is_dry(call.options):
        from pipelines import dry_run

        say(dry_run.run(call.load(dry_run.DryRunConfig)))
        return 0
    config = call.load(prepare_job.PrepareConfig)
    with head_start(config, is_local=call.engine_options is None) as job:
        from pipelines.running.beam_import import import_beam

        import_beam()
        from pipelines import prepare
        from seq2seq_core.report import inspection

        prepare.run(config, call.beam_options(), job)
    say(inspection.describe(config.output))
    return 0


def _is_dry(options: Sequence[str]) -> bool:
    return any(option.split("=", 1)[0] in _DRY_RUN for option in options)


def _take_strict(options: tuple[str, ...]) -> Iterator[str]:
    """The options with `--strict`, which is short for `--on_error fail`, spelt out."""
    for option in options:
        yield from ("--on_error", "fail") if option == "--strict" else (option,)
