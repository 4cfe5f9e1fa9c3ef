from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys

import pytest

from pipelines.commands.call import Call, Command
from pipelines.commands.table import COMMANDS
from seq2seq_core.config import Config, keys


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_what_the_table_names_is_there(command: Command) -> None:
    main = pkgutil.resolve_name(command.main)
    assert [taken.annotation for taken in inspect.signature(main, eval_str=True).parameters.values()] == [Call]
    assert issubclass(command.keys, Config)


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.positional])
def test_plain_words_may_stand_behind_every_switch(name: str) -> None:
    """But for those of `translate`, whose only plain word is a dash, which no option takes."""
    switches = {key.name for key in keys(COMMANDS[name].keys) if key.is_switch}
    assert name == "translate" or set(COMMANDS[name].switches) == switches


@pytest.mark.parametrize(
    ("words", "goes_on"),
    [
        ("prepare --output o", True),
        ("prepare --dry-run", False),
        ("prepare --dry_run=true --sample 5", False),
        ("train", True),
        ("translate --input a", True),
        ("translate - --model m", False),
        ("score", False),
        ("demo", True),
    ],
)
def test_commands_that_go_on_after_an_interrupt(words: str, goes_on: bool) -> None:
    name, *rest = words.split()
    assert COMMANDS[name].goes_on(rest) == goes_on


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("prepare --sorce a", "Did you mean"),
        ("prepare --dry-run --sorce a", "Did you mean"),
        ("translate --modle m", "Did you mean"),
        ("translate - --modle m", "Did you mean"),
        ("translate --model m --input /nowhere/a.txt --output o", "no such file"),
        ("score --hypothesis a", "Did you mean"),
        ("inspect . --verfy", "Did you mean"),
        ("report --sorces a", "Did you mean"),
        ("demo --pears 3000", "Did you mean"),
    ],
)
def test_a_mistake_is_told_before_what_takes_long_is_imported(words: str, message: str) -> None:
    script = f"from pipelines.cli import main; main({words.split()}); import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert message in run.stderr
    assert not set(run.stdout.split()) & {"apache_beam", "torch", "sacrebleu", "matplotlib"}
