"""What stands in landing zones, on a disk and in memory."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError
from seq2seq_core.landing.config import NAME
from seq2seq_core.landing.zone import Zone, marker_of


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def below(zone: Zone) -> list[str]:
    return sorted(seen.below for seen in zone.look(0))


def test_nothing_is_no_error(tmp_path: Path) -> None:
    for pattern in ("", "/*.tsv", "/deep/**/*.tsv", "/file.tsv"):
        assert Zone(((f"{tmp_path}/none{pattern}",),)).look(0) == []


def test_patterns_folders_and_files(tmp_path: Path) -> None:
    put(tmp_path, "a.tsv", "b.txt", "deep/c.tsv", "deep/[odd].tsv")
    assert below(Zone(((f"{tmp_path}/*.tsv",),))) == ["a.tsv"]
    assert below(Zone(((f"{tmp_path}/**/*.tsv",),))) == ["a.tsv", "deep/[odd].tsv", "deep/c.tsv"]
    assert below(Zone(((str(tmp_path),),))) == ["a.tsv", "b.txt", "deep/[odd].tsv", "deep/c.tsv"]
    assert below(Zone(((f"{tmp_path}/deep/[odd].tsv",),))) == ["[odd].tsv"]


def test_what_is_hidden_unfinished_or_in_the_output_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "a.tsv", ".b.tsv", "_c.tsv", "d.tsv.tmp", ".git/e.tsv", "out/f.tsv", "g.tmp")
    (tmp_path / "link.tsv").symlink_to(tmp_path / "nowhere")
    assert below(Zone(((str(tmp_path),),), ("*.tmp",), str(tmp_path / "out"))) == ["a.tsv"]
    assert below(Zone(((f"{tmp_path}/_*.tsv",),), ("*.tmp",))) == ["_c.tsv"]


def test_a_version_follows_from_what_is_written_alone(tmp_path: Path) -> None:
    put(tmp_path, "a.tsv")
    zone = Zone(((str(tmp_path),),))
    (first,) = zone.look(0)
    (tmp_path / "a.tsv").chmod(0o600)
    assert zone.look(0) == [first]
    (tmp_path / "a.tsv").write_text("b.tsv")
    os.utime(tmp_path / "a.tsv", ns=(0, 10**18))
    assert zone.look(0)[0].version != first.version


def test_sides_belong_together_by_what_the_stars_stand_for(tmp_path: Path) -> None:
    put(tmp_path, "x/a.en", "x/a.de", "x/b.en.gz", "x/b.de.gz", "x/only.en", "y/a.en", "y/a.de")
    (zone,) = [Zone(((f"{tmp_path}/*/*.en*",), (f"{tmp_path}/*/*.de*",)))]
    found = {seen.below: [storage.name_of(url) for url in seen.urls] for seen in zone.look(0)}
    assert found == {"x/a.en": ["a.en", "a.de"], "x/b.en.gz": ["b.en.gz", "b.de.gz"], "y/a.en": ["a.en", "a.de"]}


def test_sides_in_folders_belong_together_by_their_paths(tmp_path: Path) -> None:
    put(tmp_path, "en/x/a.txt", "de/x/a.txt", "en/b.en", "de/b.de", "en/only.txt")
    found = Zone(((str(tmp_path / "en"),), (str(tmp_path / "de"),))).look(0)
    assert sorted(seen.below for seen in found) == ["b.en", "x/a.txt"]


@pytest.mark.parametrize(
    ("source", "target", "names"),
    [
        ("?-[a-c].src", "?-[a-c].tgt", ["1-a", "2-b"]),
        ("[!x]*.src", "[!x]*.tgt", ["1-a", "2-b", "3-d"]),
        ("**/*.src", "**/*.tgt", ["1-a", "2-b", "3-d", "x"]),
    ],
)
def test_all_signs_of_patterns_pair_files(tmp_path: Path, source: str, target: str, names: list[str]) -> None:
    for name in ("1-a", "2-b", "3-d", "x"):
        put(tmp_path, f"{name}.src", f"{name}.tgt")
    found = Zone(((f"{tmp_path}/{source}",), (f"{tmp_path}/{target}",))).look(0)
    assert sorted(Path(seen.urls[0]).stem for seen in found) == names
    assert all(Path(one).stem == Path(other).stem for one, other in (seen.urls for seen in found))


def test_a_pair_changes_with_either_file(tmp_path: Path) -> None:
    put(tmp_path, "a.en", "a.de")
    zone = Zone(((f"{tmp_path}/*.en",), (f"{tmp_path}/*.de",)))
    (before,) = zone.look(0)
    (tmp_path / "a.de").write_text("longer than before")
    (after,) = zone.look(0)
    assert (before.key, before.version) != (after.key, after.version)
    assert before.key == after.key


def test_sides_have_as_many_patterns() -> None:
    with pytest.raises(ConfigError, match="differ in number of patterns; found 1 and 2"):
        Zone((("a",), ("b", "c")))


def test_relative_patterns_are_known_by_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "in/a.tsv")
    monkeypatch.chdir(tmp_path)
    (seen,) = Zone((("in/*.tsv",),)).look(3)
    assert (seen.key, seen.urls, seen.zone) == (str(tmp_path / "in/a.tsv"), ("in/a.tsv",), 3)


def test_object_stores_are_whole_at_once() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe("/landing-zone/in/a.tsv", b"text")
    zone = Zone((("memory://landing-zone/in/*.tsv",),))
    assert zone.is_whole_at_once
    assert [seen.urls for seen in zone.look(0)] == [("memory:///landing-zone/in/a.tsv",)]
    fs.rm("/landing-zone", recursive=True)
    assert zone.look(0) == []
    assert not Zone((("/in",), ("gs://bucket/in",))).is_whole_at_once


def test_markers_stand_beside() -> None:
    assert marker_of("/in/a.tsv", f"{NAME}.done", NAME) == "/in/a.tsv.done"
    assert marker_of("gs://in/x/a.tsv", "_SUCCESS", NAME) == "gs://in/x/_SUCCESS"
    assert marker_of("a.tsv", f"{NAME}.done", NAME) == "a.tsv.done"
