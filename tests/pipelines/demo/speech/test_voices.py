from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import xxhash

from pipelines.demo.speech import spoken, voices
from pipelines.demo.speech.voices import Voice, speak
from seq2seq_core.errors import ConfigError

TEXT = "The café opens at nine."
SAY = (
    "from pipelines.demo.speech.voices import *; import xxhash; print(xxhash.xxh3_64_hexdigest(speak({!r}, {!r}).data))"
)


@pytest.mark.parametrize("name", ["en-us", "en-us+f3", "en-gb-scotland+m5"])
def test_nothing_that_was_said_before_changes_a_sample(name: str) -> None:
    """Of these voices one breathes, with random numbers."""
    first = speak(TEXT, Voice(name))
    speak("Something else entirely.", Voice("de+m3", 250, 80))
    again = speak(TEXT, Voice(name))
    assert first.dtype == np.int16
    assert voices.RATE < len(first) < 4 * voices.RATE
    np.testing.assert_array_equal(first, again)


def test_another_process_says_the_same() -> None:
    voice = Voice("en-us+f3", 180, 55)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = SAY.format(TEXT, voice)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.strip() == xxhash.xxh3_64_hexdigest(speak(TEXT, voice).data)


def test_voices_speeds_and_pitches_differ() -> None:
    usual = speak(TEXT, Voice("en-us"))
    assert len(speak(TEXT, Voice("en-us", words_a_minute=300))) < 0.8 * len(usual)
    assert not np.array_equal(speak(TEXT, Voice("en-us", pitch=80)), usual)
    assert not np.array_equal(speak(TEXT, Voice("en-029")), usual)


def test_every_voice_of_the_corpus_is_there() -> None:
    names = {
        f"{accent}+{variant}" for accent in spoken.ACCENTS for names in spoken.VARIANTS.values() for variant in names
    }
    assert len(names) >= 12
    assert len({speak("One.", Voice(name)).tobytes() for name in names}) == len(names)


@pytest.mark.parametrize("name", ["en-gb", "en-us+nobody", "", "xx"])
def test_a_voice_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"espeak-ng has no such voice; found .*expected a voice such as"):
        speak(TEXT, Voice(name))


def test_nothing_is_said_of_nothing() -> None:
    assert not speak("", Voice("en-us")).any()
