"""What is known of a preparation before Beam is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipelines.prepare_job import usable_cores

WITHOUT_BEAM = """
import sys
from pipelines import cli
code = cli.main(sys.argv[1:])
assert "apache_beam" not in sys.modules
sys.exit(code)
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_BEAM, "prepare", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_this_process_may_use_a_core() -> None:
    assert usable_cores() >= 1


def test_help_a_dry_run_and_mistakes_do_not_wait_for_beam(tmp_path: Path) -> None:
    source = tmp_path / "a.en"
    source.write_text("a line of text\n" * 3)
    pair = ("--source", str(source), "--target", str(source))
    assert run("--help").returncode == 0
    assert run(*pair, "--dry-run").returncode == 0
    wrong = run("--source", str(tmp_path / "none"), "--target", str(source), "--output", str(tmp_path / "out"))
    assert (wrong.returncode, "no such file" in wrong.stderr, "Traceback" in wrong.stderr) == (1, True, False)
    assert run(*pair, "--output", str(tmp_path / "out"), "--shard", "2").returncode == 2
