"""What is known of a preparation before Beam is imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines import cli
from pipelines.commands.prepare import PrepareConfig, make_job
from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError

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


def test_help_a_dry_run_and_mistakes_do_not_wait_for_beam(tmp_path: Path) -> None:
    source = tmp_path / "a.en"
    target = tmp_path / "a.de"
    for side in (source, target):
        side.write_text("a line of text\n" * 3)
    pair = ("--source", str(source), "--target", str(target))
    assert run("--help").returncode == 0
    assert run(*pair, "--dry-run").returncode == 0
    wrong = run("--source", str(tmp_path / "none"), "--target", str(source), "--output", str(tmp_path / "out"))
    assert (wrong.returncode, "no such file" in wrong.stderr, "Traceback" in wrong.stderr) == (1, True, False)
    assert run(*pair, "--output", str(tmp_path / "out"), "--shard", "2").returncode == 2


def test_a_file_is_known_by_its_real_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.tsv").write_text("one\teins\n")
    Path("link.tsv").symlink_to("a.tsv")
    for other in ("./a.tsv", "link.tsv", str(tmp_path / "a.tsv"), f"file://{tmp_path}/a.tsv"):
        config = PrepareConfig.model_validate({"corpora": [{"path": "a.tsv"}, {"path": other}], "output": "out"})
        with pytest.raises(ConfigError, match=rf"a file stands in two corpora; found a\.tsv and {re.escape(other)}"):
            make_job(config)


@pytest.mark.parametrize(
    "values",
    [
        {"corpora": [{"path": "out/raw/a.tsv"}]},
        {"corpora": [{"path": "b.tsv"}], "tokenizer": {"model": "out/tokenizer/joint.model"}},
        {"corpora": [{"path": "b.tsv"}], "filters": {"phrases": {"file": "out/words"}}},
        {"corpora": [{"path": "b.tsv", "filters": {"phrases": {"file": "link/words"}}}]},
        {"corpora": [{"path": "b.tsv"}], "validation": {"path": "out/raw/a.tsv"}},
        {"corpora": [{"path": "b.tsv"}], "benchmarks": [{"path": "out/raw/a.tsv"}]},
    ],
)
def test_nothing_that_is_read_stands_where_the_dataset_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("out/raw/a.tsv", "out/tokenizer/joint.model", "out/words", "b.tsv"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("one\teins\n")
    Path("link").symlink_to("out")
    with pytest.raises(ConfigError, match="an input stands in the output folder"):
        make_job(PrepareConfig.model_validate({**values, "output": "out"}))


@pytest.mark.parametrize("role", ["corpora", "validation", "benchmarks"])
@pytest.mark.parametrize("pattern", ["in", "in/**"])
def test_what_the_output_folder_holds_is_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, pattern: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.txt", "in/out/report.html", "in/out/train/part.txt", "b.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("one\n")
    values: dict[str, Any] = {"corpora": [{"text": "b.txt"}], "output": "in/out"}
    values[role] = {"text": pattern} if role == "validation" else [{"text": pattern}]
    urls = {url for input_ in make_job(PrepareConfig.model_validate(values)).inputs for url in input_.source.urls}
    assert urls - {"b.txt"} == {"in/a.txt"}


def test_one_corpus_of_any_format_is_named_at_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.tsv").write_text("one\teins\t3\n")
    Path("a.txt").write_text("one\n")
    Path("a.jsonl").write_text('{"audio_filepath": "/sounds/a.wav", "text": "one"}\n')
    for words, keys in (
        (["--path", "a.tsv"], {"path": "a.tsv"}),
        (
            ["--path", "a.jsonl", "--format", "speech_manifest", "--audio_root", "/sounds"],
            {"path": "a.jsonl", "format": "speech_manifest", "audio_root": "/sounds"},
        ),
        (
            ["--path", "a.tsv", "--source_field", "3", "--target_field", "1"],
            {"path": "a.tsv", "source_field": 3, "target_field": 1},
        ),
        (["--path", "a.txt", "--format", "tsv", "--text_field=1"], {"path": "a.txt", "format": "tsv", "text_field": 1}),
        (["--text", "a.txt"], {"text": "a.txt"}),
    ):
        top = configuration.load(
            PrepareConfig, None, configuration.parse_overrides(PrepareConfig, [*words, "--output", "out"])
        )
        listed = PrepareConfig.model_validate({"corpora": [keys], "output": "out"})
        jobs = make_job(top), make_job(listed)
        assert jobs[0].inputs == jobs[1].inputs
    by_place = configuration.parse_overrides(PrepareConfig, ["--corpora.0.path", "a.tsv", "--output", "out"])
    assert configuration.load(PrepareConfig, None, by_place).corpora[0].path == ("a.tsv",)


def test_keys_of_one_corpus_that_are_not_given_are_not_told_of(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("one\teins\n")
    config = PrepareConfig.model_validate({"corpora": [{"path": str(tmp_path / "a.tsv")}], "output": "out"})
    told = make_job(config).configuration
    assert {"source", "target", "corpora"} <= told.keys()
    assert not {"path", "text", "source_field"} & told.keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--source", "a"], "both sides are needed; found --source without --target. Give --target as well"),
        (["--path", "a.tsv", "--text", "b"], "give source and target, or path alone, or text alone"),
        (["--path", "a.tsv", "--corpora", "{text: b}"], "found path and 1 corpora"),
        (["--source_field", "2"], "a corpus needs source and target, or path, or text"),
        (["--paht", "a.tsv"], r"unknown option --paht. Did you mean path\?"),
        (["--max_rows", "3"], r"Did you mean corpora\.0\.max_rows, validation\.max_rows, test\.max_rows or"),
        (["--corpora.1.path", "a"], r"--corpora\.1\.path leaves a gap"),
    ],
)
def test_what_does_not_fit_is_told_with_the_option(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configuration.load(
            PrepareConfig, None, configuration.parse_overrides(PrepareConfig, [*words, "--output", "out"])
        )


def test_the_help_names_strict_and_the_keys_of_a_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prepare", "--help"]) == 0
    told = capsys.readouterr().out
    assert "--strict is short for --on_error fail" in told
    assert "--corpora.0.KEY: name, format" in told
