from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from importlib import metadata

import pytest

from seq2seq_core import extras
from seq2seq_core.extras import extra_with
from tests.extras import packages_of

REQUIREMENTS = (
    "numpy>=2.0",
    'seq2seq[beam,score]; extra == "prepare"',
    'py3langid<0.5,>=0.4; extra == "prepare"',
    'seq2seq[beam]; extra == "translate"',
    'Torch>=2.8; extra == "translate"',
    'Torch>=2.8; python_version < "4" and extra == "train"',
    'apache_beam<2.78,>=2.77; extra == "beam"',
    'sacrebleu; extra == "score"',
)


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    extras._brought.cache_clear()
    yield
    extras._brought.cache_clear()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Message()
    for line in REQUIREMENTS:
        found["Requires-Dist"] = line
    for extra in ("prepare", "translate", "train", "beam", "score"):
        found["Provides-Extra"] = extra
    monkeypatch.setattr(extras, "metadata", lambda _: found)


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        ("apache_beam", "prepare", "prepare"),
        ("apache_beam.io.filesystem", "translate", "translate"),
        ("apache_beam", None, "beam"),
        ("apache_beam", "train", "beam"),
        ("torch.nn", "translate", "translate"),
        ("torch", None, "train"),
        ("sacrebleu", "prepare", "prepare"),
        ("py3langid", "inspect", "prepare"),
        ("grpc", "prepare", "prepare"),
        ("grpc", "inspect", None),
        ("numpy", None, None),
    ],
)
@pytest.mark.usefixtures("installed")
def test_the_extra_is_that_of_the_command_or_the_smallest(module: str, command: str | None, extra: str | None) -> None:
    assert extra_with(module, command) == extra


def test_a_checkout_that_is_not_installed_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> Message:
        raise metadata.PackageNotFoundError("seq2seq")

    monkeypatch.setattr(extras, "metadata", absent)
    assert extra_with("torch", "train") is None


def test_what_is_told_is_what_the_project_says() -> None:
    """Where this fails after a change of `pyproject.toml`, install again: `make`."""
    brought = extras._brought()
    for extra in ("prepare", "train", "translate", "score", "report", "demo", "all"):
        assert brought[extra] == packages_of(extra)


def test_no_preparing_machine_has_torch_and_no_training_one_beam() -> None:
    assert not {"torch", "safetensors"} & packages_of("prepare")
    assert "apache-beam" not in packages_of("train")
    assert {"torch", "apache-beam"} <= packages_of("translate")
    assert packages_of("all") >= packages_of("demo") >= packages_of("prepare") | packages_of("translate")
