"""A converted Whisper says what Hugging Face's generate() says, and a folder that holds none says why."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import ctranslate2
import fsspec
import numpy as np
import pytest
import torch

from seq2seq_core import config as configuration
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.recognition import SILENCE, Recognized
from seq2seq_core.engines.torch_engine import TorchEngineConfig
from seq2seq_core.engines.whisper import WhisperEngineConfig
from seq2seq_core.errors import ConfigError, ModelError

SHORT = {"max_length_ratio": 0.1, "max_length_extra": 6}  # 20 tokens of a window of 150 states
END = "<|endoftext|>"


def engine(**more: Any) -> WhisperEngineConfig:
    values = {"device": "cpu", "compute_type": "float32", "threads": 1, "language": "en"}
    return configuration.build(WhisperEngineConfig, {k: v for k, v in (values | more).items() if v is not None})


def search(**more: Any) -> SearchConfig:
    return SearchConfig(**(SHORT | more))


@pytest.fixture(scope="module")
def chunks() -> list[Any]:
    """Tones in noise of 0.3 to 3 seconds."""
    draw, times = np.random.default_rng(0), np.arange(48_000) / 16_000
    sounds = [(300, 48_000, 0.01), (1500, 20_000, 0.2), (700, 33_333, 0.0), (3000, 5000, 0.05), (100, 40_000, 0.1)]
    waves = [0.3 * np.sin(2 * np.pi * hertz * times[:n]) + draw.normal(size=n) * noise for hertz, n, noise in sounds]
    return [np.asarray(wave, np.float32) for wave in waves]


def generated(whisper: Any, chunks: list[Any], **options: Any) -> list[list[int]]:
    """The tokens that the model itself says, without the prompt, up to the end."""
    frames = whisper.features(chunks, sampling_rate=16_000, return_tensors="pt")["input_features"]
    whole = {"num_beams": 1, "do_sample": False, "return_dict_in_generate": True}
    rows = whisper.model.generate(frames, max_new_tokens=20, **whole, **options).sequences.tolist()
    end = whisper.id(END)
    texts = [row[row.index(whisper.id("<|notimestamps|>")) + 1 :] for row in rows]
    return [text[: text.index(end)] if end in text else text for text in texts]


def log_probability(whisper: Any, chunk: Any, prompt: list[str], tokens: list[int]) -> float:
    """Of the tokens, by the model itself, which never says what its configuration suppresses."""
    frames = whisper.features([chunk], sampling_rate=16_000, return_tensors="pt")["input_features"]
    start = [whisper.id(token) for token in prompt]
    with torch.no_grad():
        logits = whisper.model(frames, decoder_input_ids=torch.tensor([start + tokens[:-1]])).logits[
            0, len(start) - 1 :
        ]
    logits[:, whisper.model.generation_config.suppress_tokens] = -torch.inf
    logits[0, whisper.model.generation_config.begin_suppress_tokens] = -torch.inf
    return float(torch.log_softmax(logits, -1)[range(len(tokens)), tokens].sum())


@pytest.mark.parametrize("task", ["transcribe", "translate"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_greedy_search_says_what_the_model_says(whisper: Any, chunks: list[Any], language: str, task: str) -> None:
    found = engine(language=language, task=task, max_batch_chunks=2).load_recognizer(str(whisper.converted))
    assert (found.rate, found.longest) == (16_000, 3.0)
    expected = generated(whisper, chunks, language=language, task=task)
    heard = found.recognize(chunks, search(beam=1))
    prompt = ["<|startoftranscript|>", f"<|{language}|>", f"<|{task}|>", "<|notimestamps|>"]
    for one, tokens, chunk in zip(heard, expected, chunks, strict=True):
        assert one.text == " ".join(whisper.tokenizer.decode(tokens, skip_special_tokens=True).split())
        assert one.finished == (len(tokens) < 20)
        said = tokens + [whisper.id(END)] * one.finished
        assert one.score == pytest.approx(log_probability(whisper, chunk, prompt, said) / len(said), abs=1e-4)
        assert "".join(word.text for word in one.words) == "".join(one.text.split())
    assert len({one.text for one in heard}) == len(chunks)


def test_some_texts_end_and_some_are_cut(whisper: Any, chunks: list[Any]) -> None:
    """Else the tests here would show less than they seem to."""
    recognizer = engine().load_recognizer(str(whisper.converted))
    assert {one.finished for one in recognizer.recognize(chunks, search(beam=1))} == {True, False}


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
def test_scores_are_mean_log_probabilities_whatever_ranks(
    whisper: Any, chunks: list[Any], length_penalty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    real = ctranslate2.models.Whisper.generate
    monkeypatch.setattr(
        ctranslate2.models.Whisper, "generate", lambda *a, **k: said.append(found := real(*a, **k)) or found
    )
    recognizer = engine().load_recognizer(str(whisper.converted))
    heard = recognizer.recognize(chunks, search(beam=3, length_penalty=length_penalty))
    prompt = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    order = sorted(range(len(chunks)), key=lambda place: len(chunks[place]))
    for place, result in zip(order, said[0], strict=True):
        tokens = result.sequences_ids[0] + [whisper.id(END)] * heard[place].finished
        expected = log_probability(whisper, chunks[place], prompt, tokens) / len(tokens)
        assert heard[place].score == pytest.approx(expected, abs=1e-4)


def test_a_result_does_not_depend_on_its_neighbours(whisper: Any, chunks: list[Any]) -> None:
    recognizer = engine(language=None).load_recognizer(str(whisper.converted))
    together = recognizer.recognize([*chunks, chunks[0][:0]], search(beam=2))
    alone = [recognizer.recognize([chunk], search(beam=2))[0] for chunk in chunks]
    for one, other in zip(together, alone, strict=False):
        assert (one.text, one.finished) == (other.text, other.finished)
        assert [(w.text, w.begin, w.end) for w in one.words] == [(w.text, w.begin, w.end) for w in other.words]
        assert one.score == pytest.approx(other.score, abs=1e-4)
    assert together[-1] == SILENCE
    assert recognizer.recognize([], search()) == []


def test_words_lie_in_the_chunk_in_order(whisper: Any, chunks: list[Any]) -> None:
    recognizer = engine().load_recognizer(str(whisper.converted))
    few = [chunks[0][:n] for n in (1, 100, 320, 400, 700, 1600)]
    for chunk, one in zip([*chunks, *few], recognizer.recognize([*chunks, *few], search(beam=1)), strict=True):
        assert one.words
        assert all(0 <= word.begin <= word.end <= len(chunk) / 16_000 + 0.0005 for word in one.words)
        assert all(word.end <= other.begin for word, other in pairwise(one.words))
        assert all(word.score is not None and word.score < 0 for word in one.words)


def test_times_are_those_of_the_library(whisper: Any, chunks: list[Any]) -> None:
    (one,) = engine().load_recognizer(str(whisper.converted)).recognize(chunks[:1], search(beam=1))
    (tokens,) = generated(whisper, chunks[:1], language="en", task="transcribe")
    model = ctranslate2.models.Whisper(str(whisper.converted), compute_type="float32")
    frames = whisper.features(chunks[:1], sampling_rate=16_000, return_tensors="np")["input_features"]
    start = [whisper.id(token) for token in ("<|startoftranscript|>", "<|en|>", "<|transcribe|>")]
    (found,) = model.align(ctranslate2.StorageView.from_array(frames), start, [tokens], 300)
    first = dict(reversed(found.alignments))
    assert one.words[0].begin == pytest.approx(first[0] * 0.02)
    assert one.words[-1].end == pytest.approx(first[len(tokens)] * 0.02)


def test_a_language_is_found_out_for_each_chunk(whisper: Any, chunks: list[Any]) -> None:
    model = ctranslate2.models.Whisper(str(whisper.converted), compute_type="float32")
    frames = whisper.features(chunks, sampling_rate=16_000, return_tensors="np")["input_features"]
    rankings = model.detect_language(ctranslate2.StorageView.from_array(frames))
    languages = [ranking[0][0][2:-2] for ranking in rankings]
    assert len(set(languages)) > 1
    found = engine(language=None).load_recognizer(str(whisper.converted)).recognize(chunks, search(beam=1))
    for language in set(languages):
        of_it = engine(language=language).load_recognizer(str(whisper.converted)).recognize(chunks, search(beam=1))
        assert [_rounded(one) for one, name in zip(found, languages, strict=True) if name == language] == [
            _rounded(one) for one, name in zip(of_it, languages, strict=True) if name == language
        ]


def _rounded(one: Recognized) -> object:
    return one.text, one.finished, [(word.text, word.begin, word.end) for word in one.words], round(one.score or 0, 3)


def test_a_model_of_english_alone(chunks: list[Any], tmp_path: Path) -> None:
    from tests.small_whisper import small_whisper

    english = small_whisper(tmp_path, languages=())
    for language in (None, "en"):
        if language:  # its vocabulary may know the names of languages
            _add_token(english.converted, "<|en|>", "<|de|>")
        recognizer = engine(language=language).load_recognizer(str(english.converted))
        heard = recognizer.recognize(chunks, search(beam=1))
        expected = [english.tokenizer.decode(tokens) for tokens in generated(english, chunks)]
        assert [one.text for one in heard] == [" ".join(text.split()) for text in expected]
    with pytest.raises(ConfigError, match=r"transcribes English alone; found engine\.language de"):
        engine(language="de").load_recognizer(str(english.converted))
    with pytest.raises(ConfigError, match=r"transcribes English alone; .*engine.task translate"):
        engine(task="translate").load_recognizer(str(english.converted))


def _add_token(folder: Path, *tokens: str) -> None:
    """In the place of times."""
    path = folder / "vocabulary.json"
    path.write_text(json.dumps([*json.loads(path.read_text())[: -len(tokens)], *tokens]))


def test_no_speech_is_told_where_the_model_has_a_token_for_it(whisper: Any, chunks: list[Any], tmp_path: Path) -> None:
    (one,) = engine().load_recognizer(str(whisper.converted)).recognize(chunks[:1], search(beam=1))
    frames = whisper.features(chunks[:1], sampling_rate=16_000, return_tensors="pt")["input_features"]
    with torch.no_grad():
        logits = whisper.model(frames, decoder_input_ids=torch.tensor([[whisper.id("<|startoftranscript|>")]])).logits
    expected = float(torch.softmax(logits[0, 0], -1)[whisper.id("<|nospeech|>")])
    assert one.no_speech == pytest.approx(expected, rel=1e-3)
    root = changed(whisper, tmp_path, "vocabulary.json", lambda text: text.replace("<|nospeech|>", "<|other|>"))
    (other,) = engine().load_recognizer(root).recognize(chunks[:1], search(beam=1))
    assert other.no_speech is None


def test_suppressed_tokens_are_not_said(whisper: Any, chunks: list[Any]) -> None:
    (tokens,) = generated(whisper, chunks[:1], language="en", task="transcribe")
    expected = generated(
        whisper,
        chunks[:1],
        language="en",
        task="transcribe",
        suppress_tokens=[*whisper.model.generation_config.suppress_tokens, tokens[0]],
    )
    recognizer = engine(suppress_tokens=[-1, tokens[0]]).load_recognizer(str(whisper.converted))
    (found,) = recognizer.recognize(chunks[:1], search(beam=1))
    assert found.text == " ".join(whisper.tokenizer.decode(expected[0]).split())
    with pytest.raises(ConfigError, match=r"engine\.suppress_tokens: the model has no such token; found 5000"):
        engine(suppress_tokens=[5000]).describe_recognizer(str(whisper.converted))


def test_int8_works(whisper: Any, chunks: list[Any]) -> None:
    recognizer = engine(compute_type="int8").load_recognizer(str(whisper.converted))
    assert len(recognizer.recognize(chunks, search(beam=1))) == len(chunks)
    unknown = {"int8_float16", "float16"} - ctranslate2.get_supported_compute_types("cpu")
    for name in unknown:
        with pytest.raises(ConfigError, match=rf"engine\.compute_type: the device \(cpu\).*; found {name}"):
            engine(compute_type=name).load_recognizer(str(whisper.converted))


def test_a_model_in_a_store_is_read_there(whisper: Any, chunks: list[Any]) -> None:
    store = fsspec.filesystem("memory")
    store.put(str(whisper.converted), "/whisper-model", recursive=True)
    try:
        far = engine().load_recognizer("memory://whisper-model").recognize(chunks[:2], search(beam=1))
    finally:
        store.rm("/whisper-model", recursive=True)
    assert far == engine().load_recognizer(str(whisper.converted)).recognize(chunks[:2], search(beam=1))


def test_the_longest_chunk_is_the_window_of_the_model(whisper: Any) -> None:
    recognizer = engine().load_recognizer(str(whisper.converted))
    with pytest.raises(ModelError, match=r"longer than what the model hears.*found 3\.1 s; expected 3 s"):
        recognizer.recognize([np.zeros(49_000, np.float32)], search(beam=1))


@pytest.mark.parametrize("option", [{"ctc_weight": 0.3}, {"min_length_ratio": 0.01}, {"attention": True}])
def test_what_the_search_does_not_have_is_refused(whisper: Any, option: dict[str, Any]) -> None:
    recognizer = engine().load_recognizer(str(whisper.converted))
    with pytest.raises(ConfigError, match=rf"search\.{next(iter(option))}: this engine does not have it"):
        recognizer.recognize([np.zeros(0, np.float32)], search(**option))


def changed(whisper: Any, to: Path, name: str, change: Any) -> str:
    """A copy of the converted folder in which the text of a file is another; None: without the file."""
    shutil.copytree(whisper.converted, to / "changed")
    path = to / "changed" / name
    text = change(path.read_text())
    path.unlink()
    if text is not None:
        path.write_text(text)
    return str(to / "changed")


def test_a_model_is_known_by_what_shapes_its_output(whisper: Any, tmp_path: Path) -> None:
    found = engine().describe_recognizer(str(whisper.converted))
    assert (found.lineage, len(found.digest)) == (None, 32)
    assert engine().load_recognizer(str(whisper.converted)).digest == found.digest
    root = changed(whisper, tmp_path, "tokenizer.json", lambda text: None)
    assert engine().describe_recognizer(root) == found
    config = json.loads((whisper.converted / "config.json").read_text()) | {"suppress_ids": []}
    (tmp_path / "changed" / "config.json").write_text(json.dumps(config))
    assert engine().describe_recognizer(root) != found
    assert engine().identity() == {
        "kind": "whisper",
        "compute_type": "float32",
        "language": "en",
        "task": "transcribe",
        "suppress_tokens": [-1],
    }


def test_usual_frames_need_no_file_and_a_vocabulary_may_be_lines(whisper: Any, tmp_path: Path) -> None:
    root = Path(changed(whisper, tmp_path, "preprocessor_config.json", lambda text: None))
    tokens = json.loads((root / "vocabulary.json").read_text())
    (root / "vocabulary.json").unlink()
    (root / "vocabulary.txt").write_text("\n".join(tokens) + "\n")
    assert engine().load_recognizer(str(root)).longest == 30.0


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("vocabulary.json", lambda text: None, "the model has no vocabulary"),
        (
            "vocabulary.json",
            lambda text: '["a"]',
            r"vocabulary\.json: this is not the vocabulary of a Whisper.*no <\|start",
        ),
        ("vocabulary.json", lambda text: text[:100], "this is not the vocabulary of a Whisper"),
        ("preprocessor_config.json", lambda text: '{"hop_length": 200}', "not the frames of a Whisper model"),
        ("preprocessor_config.json", lambda text: "{", "not the frames of a Whisper model"),
        ("preprocessor_config.json", lambda text: '{"feature_size": 128}', "do not belong together; found 128 mels"),
        ("config.json", lambda text: "{", "CTranslate2 cannot load the model"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(
    whisper: Any, tmp_path: Path, name: str, change: Any, message: str
) -> None:
    root = changed(whisper, tmp_path, name, change)
    with pytest.raises(ModelError, match=message):
        engine().load_recognizer(root)


def test_weights_that_end_early(whisper: Any, tmp_path: Path) -> None:
    shutil.copytree(whisper.converted, tmp_path / "m")
    weights = tmp_path / "m" / "model.bin"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match="CTranslate2 cannot load the model"):
        engine().load_recognizer(str(tmp_path / "m"))


def test_a_folder_that_holds_none(whisper: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model stands here\. Check the path.*ct2-transformers-converter"):
        engine().describe_recognizer(str(tmp_path / "none"))
    with pytest.raises(
        ModelError, match=r"no model that was converted.*found no model\.bin\..*ct2-transformers-convert"
    ):
        engine().describe_recognizer(str(whisper.folder))
    for header, found in (
        (b"\x06\0\0\0\x10\0TransformerSpec\0rest", "found TransformerSpec; expected WhisperSpec"),
        (b"", "found a model.bin of another program"),
        (b"\x06\0\0\0\x09\0what else", "found a model.bin of another program"),
    ):
        (tmp_path / "model.bin").write_bytes(header)
        with pytest.raises(ModelError, match=found):
            engine().describe_recognizer(str(tmp_path))
        assert not WhisperEngineConfig.is_for(str(tmp_path))
    assert WhisperEngineConfig.is_for(str(whisper.converted))
    assert not TorchEngineConfig.is_for(str(whisper.converted))


def test_what_the_model_or_machine_does_not_have(whisper: Any) -> None:
    with pytest.raises(ConfigError, match=r"engine\.language: the model knows no such language; found fr"):
        engine(language="fr").describe_recognizer(str(whisper.converted))
    number = ctranslate2.get_cuda_device_count()
    with pytest.raises(ConfigError, match=rf"engine\.device: there is no such device; found cuda:{number}"):
        engine(device=f"cuda:{number}").load_recognizer(str(whisper.converted))
    with pytest.raises(ConfigError, match="device"):
        engine(device="tpu")
    with pytest.raises(ConfigError, match="translates no text"):
        engine().load(str(whisper.converted))


def test_processes_share_the_cores() -> None:
    assert (engine().side_by_side(6), engine(device="cuda").side_by_side(6)) == ((6, 1), (1, 1))
    assert engine(device="auto").side_by_side(6).processes == (1 if ctranslate2.get_cuda_device_count() else 6)
    assert (engine(threads=None).on_cores(3).threads, engine(threads=2).on_cores(3).threads) == (3, 2)
