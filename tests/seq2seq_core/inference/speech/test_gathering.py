"""Units hold every part of every recording once, and one recording more changes few of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.inference.speech.gathering import gather
from seq2seq_core.inference.speech.terms import AudioFile, Recording

RATE = 100
UNIT_SECONDS = 60


def recording(number: int, seconds: float, *, problem: str | None = None) -> Recording:
    name = f"talks/{number:04d}"
    file, samples = AudioFile(f"in/{name}.wav", name), int(seconds * RATE)
    parts = round(seconds / UNIT_SECONDS)
    cuts = tuple(samples * part // parts for part in range(1, parts))
    digest = xxhash.xxh3_128_hexdigest(f"{number} {seconds}".encode())
    if problem is not None:
        return Recording(file, 9, digest, problem=problem)
    return Recording(file, 9, digest, RATE, 1, samples, cuts)


def unit_paths(recordings: Sequence[Recording]) -> set[str]:
    return set(gather(recordings, ("json",), "job", UNIT_SECONDS).units)


SECONDS = st.lists(st.one_of(st.floats(0.1, 20), st.floats(0.1, 400)), max_size=60)


@given(SECONDS, st.randoms(use_true_random=False))
def test_every_sample_is_in_one_unit_and_transcripts_know_where(seconds: list[float], draw: object) -> None:
    recordings = [
        recording(number, each, problem="empty" if draw.random() < 0.1 else None)  # type: ignore[attr-defined]
        for number, each in enumerate(seconds)
    ]
    shuffled = list(recordings)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    found = gather(shuffled, ("srt", "jsonl"), "job", UNIT_SECONDS)
    assert found == gather(recordings, ("srt", "jsonl"), "job", UNIT_SECONDS)
    held = Counter(
        {
            one.file.name: sum(
                part.samples for unit in found.units.values() for part in unit.parts if part.recording == one
            )
            for one in recordings
        }
    )
    assert held == Counter({one.file.name: one.samples for one in recordings})
    assert all(unit.seconds <= 1.5 * UNIT_SECONDS for unit in found.units.values())
    subtitles = [transcript for transcript in found.transcripts if transcript.format == "srt"]
    assert [transcript.path for transcript in subtitles] == [f"{one.file.name}.srt" for one in recordings]
    for transcript in found.transcripts:
        for one, places in zip(transcript.recordings, transcript.places, strict=True):
            parts = [found.units[place.path].parts[place.line] for place in places]
            assert [part.recording for part in parts] == [one] * len(parts)
            assert [part.begin for part in parts] == ([0, *one.cuts] if one.problem is None else [])


def test_long_recordings_are_units_by_themselves() -> None:
    found = gather([recording(0, 5), recording(1, 200), recording(2, 5)], ("json",), "job", UNIT_SECONDS)
    assert sorted(len(unit.parts) for unit in found.units.values()) == [1, 1, 1, 2]


def test_one_recording_more_changes_few_units() -> None:
    """Where units end depends on what they end with, not on all that stands before it."""
    usual = [recording(number, 2 + number % 5) for number in range(2000)]
    before, after = unit_paths(usual), unit_paths([*usual[:500], recording(5000, 3.3), *usual[500:]])
    assert len(before) > 60
    moved = dataclasses.replace(recording(5000, 3.3), file=AudioFile("in/talks/0499x.wav", "talks/0499x"))
    after = unit_paths([*usual, moved])
    assert len(after - before) <= 8


def test_units_are_known_by_content_and_range_and_job_alone() -> None:
    one = recording(1, 200)
    moved = dataclasses.replace(one, file=AudioFile("s3://elsewhere/x.wav", "x"))
    assert unit_paths([moved]) == unit_paths([one])
    assert len(unit_paths([moved, one])) == len(unit_paths([one]))
    assert not unit_paths([dataclasses.replace(one, fingerprint="0" * 32)]) & unit_paths([one])
    assert not unit_paths([dataclasses.replace(one, cuts=())]) & unit_paths([one])
    other = gather([one], ("json",), "another job", UNIT_SECONDS)
    assert not set(other.units) & unit_paths([one])


def test_a_manifest_of_very_many_recordings_is_several_files() -> None:
    found = gather([recording(number, 1) for number in range(2500)], ("jsonl",), "job", UNIT_SECONDS)
    assert [transcript.records for transcript in found.transcripts] == [1000, 1000, 500]
    assert found.transcripts[2].path == "transcripts-00002-of-00003.jsonl"
