"""Where a path of a row leads, and that none leads out of the corpus."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.corpora.formats.audio.places import Places

PARTS = st.sampled_from(["..", ".", "", "a", "b", "c", "out", "in", "~", "x::y", "file://", "s3://", "%2e%2e"])


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus with a link out of it, one within it, and a folder beside that begins with its name."""
    root = tmp_path / "corpus"
    (root / "a" / "b").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "corpus-2").mkdir()
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "in").symlink_to(root / "a")
    return root


def test_what_lies_in_the_corpus(corpus: Path) -> None:
    places = Places(str(corpus / "a" / "m.jsonl"), str(corpus))
    assert places.url_of("x.wav") == str(corpus / "a" / "x.wav")
    assert places.url_of("../x.wav") == str(corpus / "x.wav")
    assert places.url_of(str(corpus / "b" / "x.wav")) == str(corpus / "b" / "x.wav")
    assert places.url_of(f"file://{corpus}/x.wav") == str(corpus / "x.wav")
    assert places.url_of("../in/b/../x.wav") == str(corpus / "a" / "x.wav")


@pytest.mark.parametrize(
    "path",
    ["../x.wav", "b/../../x.wav", "/etc/passwd", "s3://bucket/x.wav", "http://host/x.wav", "", "x\0.wav", "out/x.wav"],
)
def test_what_leaves_it(corpus: Path, path: str) -> None:
    assert Places(str(corpus / "m.jsonl")).url_of(path) is None


def test_a_folder_whose_name_begins_as_the_corpus(corpus: Path) -> None:
    assert Places(str(corpus / "m.jsonl")).url_of(str(corpus.parent / "corpus-2" / "x.wav")) is None


def test_a_corpus_that_is_a_link(corpus: Path) -> None:
    link = corpus.parent / "link"
    link.symlink_to(corpus)
    places = Places(str(link / "m.jsonl"))
    assert places.url_of(str(link / "x.wav")) == places.url_of(str(corpus / "x.wav")) == str(corpus / "x.wav")


def test_rows_that_lie_outside_of_the_root_start_at_the_root(corpus: Path) -> None:
    places = Places(str(corpus.parent / "manifests" / "m.jsonl"), str(corpus))
    assert places.url_of("x.wav") == str(corpus / "x.wav")
    assert places.url_of(str(corpus.parent / "manifests" / "x.wav")) is None


def test_relative_paths_of_rows(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(corpus)
    assert Places("m.jsonl").url_of("x.wav") == str(corpus / "x.wav")
    assert Places("a/m.jsonl", ".").url_of("x.wav") == str(corpus / "a" / "x.wav")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x.wav", "s3://bucket/c/x.wav"),
        ("a/../x.wav", "s3://bucket/c/x.wav"),
        ("s3://bucket/c/a/x.wav", "s3://bucket/c/a/x.wav"),
        ("../x.wav", None),
        ("s3://bucket/c/../x.wav", None),
        ("s3://bucket/cd/x.wav", None),
        ("s3://other/c/x.wav", None),
        ("gs://bucket/c/x.wav", None),
        ("/etc/passwd", None),
        ("file:///etc/passwd", None),
        ("x::file:///etc/passwd", None),
    ],
)
def test_a_store(path: str, expected: str | None) -> None:
    assert Places("s3://bucket/c/m.jsonl").url_of(path) == expected


def test_a_chain_of_file_systems() -> None:
    places = Places("zip://c/m.jsonl::s3://bucket/all.zip")
    assert places.url_of("x.wav") == "zip://c/x.wav::s3://bucket/all.zip"
    assert places.url_of("../x.wav") is None
    assert Places("zip://m.jsonl::s3://bucket/all.zip").url_of("../x.wav") is None
    assert Places("zip://m.jsonl::s3://bucket/all.zip").url_of("x.wav") == "zip://x.wav::s3://bucket/all.zip"


def test_rows_of_one_store_and_audio_of_another() -> None:
    places = Places("/manifests/m.jsonl", "s3://bucket/c")
    assert places.url_of("x.wav") == "s3://bucket/c/x.wav"
    assert places.url_of("/manifests/x.wav") is None


@given(parts=st.lists(PARTS, max_size=6), local=st.booleans(), begin=st.sampled_from(["", "/", "ROOT/"]))
def test_nothing_leads_out(tmp_path_factory: pytest.TempPathFactory, parts: list[str], local: bool, begin: str) -> None:
    folder = tmp_path_factory.mktemp("places") / "corpus"
    folder.mkdir()
    (folder / "out").symlink_to(folder.parent)
    (folder / "in").symlink_to(folder)
    root = str(folder) if local else "memory://box/corpus"
    found = Places(f"{root}/m.jsonl").url_of(begin.replace("ROOT", root) + "/".join(parts))
    if found is not None:
        assert os.path.realpath(found) == found if local else ".." not in found.split("/")
        assert found == root or found.startswith(f"{root}/")
        assert "::" not in found or local
