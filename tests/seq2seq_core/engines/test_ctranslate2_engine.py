"""A model of this project says on CTranslate2 what it says on torch, whatever stands beside a source."""

from __future__ import annotations

import logging
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
import torch

from seq2seq_core import config as configuration
from seq2seq_core.decoding.batched import pad
from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.converted import cache
from seq2seq_core.engines.converted.facts import Facts, read_facts, write_facts
from seq2seq_core.engines.ctranslate2_engine import CTranslate2EngineConfig
from seq2seq_core.engines.interface import Engine, Languages
from seq2seq_core.engines.torch_engine import TorchEngineConfig
from seq2seq_core.errors import ConfigError, ModelError, StorageError
from seq2seq_core.models.folder import load_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID
from tests.model_folders import write_model_folder
from tests.small_models import CORPUS, save_random, small_model

SHAPES: list[dict[str, Any]] = [
    {},
    {"norm": "post", "activation": "gelu", "tie_embeddings": "all"},
    {"positions": "rotary", "normalization": "rms", "feed_forward": "gated", "share_layers": True},
    {"positions": "relative", "embedding_width": 12, "encoder_layers": 4, "distinct_layers": 2},
    {"positions": "learned", "max_positions": 64, "activation": "swish", "tie_embeddings": "none"},
]
SHORT = {"max_length_ratio": 1.0, "max_length_extra": 10}


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: "-".join(map(str, shape.values())) or "usual")
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"), **request.param)


@pytest.fixture(scope="module")
def one_root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def sources(count: int, seed: int = 0) -> list[Any]:
    draw = np.random.default_rng(seed)
    return [draw.integers(4, 340, draw.integers(1, 30)).astype(np.int32) for _ in range(count)]


def engine(root: str, **more: Any) -> Engine:
    values = {"device": "cpu", "threads": 1, **more}
    return configuration.build(CTranslate2EngineConfig, values).load(root).engine


def torch_engine(root: str, **more: Any) -> Engine:
    return TorchEngineConfig(device="cpu", threads=1, **more).load(root).engine


def search(**more: Any) -> SearchConfig:
    return SearchConfig(**(SHORT | more))


def tokens(found: list[list[Hypothesis]]) -> list[list[list[int]]]:
    return [[one.tokens.tolist() for one in row] for row in found]


def test_scores_that_nobody_looks_at_are_not_made_and_outputs_stay_the_same(one_root: str) -> None:
    given, fast = sources(30), engine(one_root)
    greedy, beam = search(beam=1), search(beam=3, n_best=2)
    scored, bare = fast.generate(given, greedy), fast.generate(given, greedy.unscored())
    assert tokens(bare) == tokens(scored)
    assert all(math.isnan(one.score) and math.isnan(one.log_probability) for row in bare for one in row)
    assert not any(math.isnan(one.score) for row in scored for one in row)
    compared = fast.generate(given, beam.unscored())
    assert [[one.score for one in row] for row in compared] == [
        [one.score for one in row] for row in fast.generate(given, beam)
    ]


def test_greedy_outputs_are_those_of_torch(root: str) -> None:
    given, options = sources(200), search(beam=1, attention=True)
    found = engine(root).generate(given, options)
    wanted = TorchEngineConfig(device="cpu", threads=1).load(root).engine.generate(given, options)
    assert tokens(found) == tokens(wanted)
    for (one,), (other,) in zip(found, wanted, strict=True):
        assert one.finished == other.finished
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
        assert one.attention is not None
        np.testing.assert_allclose(one.attention, other.attention, atol=1e-4)


def test_some_outputs_end_and_some_are_cut(one_root: str) -> None:
    """Else the tests here would show less than they seem to."""
    assert {one.finished for (one,) in engine(one_root).generate(sources(200), search(beam=1))} == {True, False}


def test_probabilities_of_given_targets_are_those_of_torch(root: str) -> None:
    loaded = load_model(root)
    pieces = loaded.tokenizers["target"].pieces(np.arange(340))
    folder = cache.converted(root, loaded.digest, "float32", lambda *_: pytest.fail("it is there"))
    library = ctranslate2.Translator(folder, "cpu", intra_threads=1)
    for source, target in zip(sources(20, 1), sources(20, 2), strict=True):
        names = [[pieces[i] for i in (*ids, *end)] for ids, end in ((source, [EOS_ID]), (target, []))]
        (scored,) = library.score_batch([names[0]], [names[1]], max_input_length=0)
        with torch.no_grad():
            given = torch.tensor([[BOS_ID, *target.tolist()]])
            logits = loaded.model(*pad(loaded.modality, [source]), given).logits_BTV[0]
        logits[:, [0, BOS_ID]] = -torch.inf  # never said
        expected = logits.log_softmax(-1)[range(len(target) + 1), [*target.tolist(), EOS_ID]].numpy()
        np.testing.assert_allclose(scored.log_probs, expected, atol=1e-4)


@pytest.mark.parametrize(
    "more",
    [
        {"beam": 1},
        {"beam": 4, "n_best": 3},
        {"beam": 3, "length_penalty": 0.0},
        {"beam": 3, "min_length_ratio": 0.5},
        {"beam": 2, "no_repeat_ngram": 2, "coverage_penalty": 0.5, "repetition_penalty": 1.3},
        {"beam": 5, "max_length_ratio": 0.5, "max_length_extra": 1},
    ],
    ids=str,
)
def test_a_result_does_not_depend_on_its_neighbours(one_root: str, more: dict[str, Any]) -> None:
    given, options = sources(40, 3), search(**more)
    together = engine(one_root, max_batch_tokens=400).generate(given, options)
    one_by_one = engine(one_root)
    for source, row in zip(given, together, strict=True):
        (alone,) = one_by_one.generate([source], options)
        assert tokens([row]) == tokens([alone])
        for one, other in zip(row, alone, strict=True):
            assert one.finished == other.finished
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert len(one.tokens) + one.finished <= options.max_length(len(source))
            assert not one.finished or len(one.tokens) >= int(options.min_length_ratio * len(source))
        assert len(row) == options.n_best
        ranks = [(one.finished, one.score) for one in row]
        assert ranks == sorted(ranks, reverse=True)


def test_beams_of_a_model_that_has_learnt_something_are_mostly_those_of_torch(one_root: str) -> None:
    """The two searches stop by rules of their own; what both find has the same score."""
    given, options = sources(60, 4), search(beam=4, length_penalty=0.6)
    found = engine(one_root).generate(given, options)
    wanted = TorchEngineConfig(device="cpu", threads=1).load(one_root).engine.generate(given, options)
    same = [
        (one, other)
        for (one, *_), (other, *_) in zip(found, wanted, strict=True)
        if one.tokens.tolist() == other.tokens.tolist()
    ]
    assert len(same) > 10
    for one, other in same:
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_penalties_have_an_effect(one_root: str) -> None:
    given, plain = sources(30, 5), search(beam=2)
    usual = tokens(engine(one_root).generate(given, plain))
    for more in ({"repetition_penalty": 2.0}, {"coverage_penalty": 5.0}, {"no_repeat_ngram": 1}):
        assert tokens(engine(one_root).generate(given, search(beam=2, **more))) != usual
    for (one,) in engine(one_root).generate(given, search(beam=1, no_repeat_ngram=1)):
        assert len(set(one.tokens.tolist())) == len(one.tokens)


def test_an_empty_source_and_none(one_root: str) -> None:
    found = engine(one_root)
    assert found.generate([], search()) == []
    (nothing,), (something,) = found.generate([np.zeros(0, np.int32), sources(1)[0]], search(attention=True))
    assert (len(nothing.tokens), nothing.finished, nothing.score) == (0, True, 0.0)
    assert len(something.tokens)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("length_reward", 1.0),
        ("ctc_weight", 0.3),
        ("ctc_candidates", 5),
        ("align", True),
        ("ngram_repeats", 1),
        ("sample", True),
    ],
)
def test_what_the_search_does_not_have_is_refused_by_name(one_root: str, key: str, value: Any) -> None:
    besides = {"length_penalty": 0.0} if key == "length_reward" else {}
    besides |= {"no_repeat_ngram": 2} if key == "ngram_repeats" else {}
    with pytest.raises(ConfigError, match=rf"search\.{key}: this engine does not have it"):
        engine(one_root).generate(sources(1), search(**{key: value}, **besides))


@pytest.mark.parametrize(
    "more",
    [{"repetition_penalty": 1.7}, {"coverage_penalty": 0.5}, {"beam": 4, "repetition_penalty": 1.7}],
    ids=str,
)
def test_penalties_are_those_of_torch(one_root: str, more: dict[str, Any]) -> None:
    given, options = sources(40, 8), search(**{"beam": 1, **more})
    found = engine(one_root).generate(given, options)
    wanted = torch_engine(one_root).generate(given, options)
    same = [
        one.score == pytest.approx(other.score, abs=1e-3)
        for (one,), (other,) in zip(found, wanted, strict=True)
        if one.tokens.tolist() == other.tokens.tolist()
    ]
    assert all(same)
    assert len(same) > (10 if options.beam > 1 else 38)


@pytest.mark.parametrize("beam", [1, 3])
def test_outputs_begin_with_their_prefixes_as_on_torch(one_root: str, beam: int) -> None:
    given, options = sources(30, 9), search(beam=beam)
    demands = [Demand((50, 7, 300)[: i % 4]) for i in range(30)]
    found = engine(one_root).generate(given, options, demands)
    wanted = torch_engine(one_root).generate(given, options, demands)
    same = 0
    for (one,), (other,), source, demand in zip(found, wanted, given, demands, strict=True):
        assert tuple(one.tokens[: len(demand.prefix)].tolist()) == demand.prefix
        (alone,) = engine(one_root).generate([source], options, [demand])[0]
        assert alone.tokens.tolist() == one.tokens.tolist()
        assert len(one.tokens) + one.finished <= options.max_length(len(source)) + len(demand.prefix)
        if one.tokens.tolist() == other.tokens.tolist():
            assert one.score == pytest.approx(other.score, abs=1e-4)
            same += 1
    assert same > (28 if beam == 1 else 5)


def test_phrases_are_refused(one_root: str) -> None:
    with pytest.raises(ConfigError, match=r"glossary.*engine\.kind torch"):
        engine(one_root).generate(sources(1), search(), [Demand(phrases=((5,),))])


def test_tokens_have_the_scores_and_the_places_that_torch_gives_them(root: str) -> None:
    given, options = sources(20, 10), search(beam=1, token_scores=True, alignment=True)
    found, wanted = engine(root).generate(given, options), torch_engine(root).generate(given, options)
    for (one,), (other,) in zip(found, wanted, strict=True):
        assert one.token_scores is not None
        assert one.alignment is not None
        assert one.attention is None
        np.testing.assert_allclose(one.token_scores, other.token_scores, atol=1e-4)
        assert one.alignment.tolist() == other.alignment.tolist()


def test_beams_have_the_attention_that_torch_gives_them(root: str) -> None:
    """Whatever stands beside them in a batch, and behind a prefix that is demanded."""
    given, options = sources(30, 10), search(beam=4, attention=True, max_length_extra=3)
    demands = [Demand((5, 6) if place % 2 else ()) for place in range(len(given))]
    found = engine(root).generate(given, options, demands)
    wanted = torch_engine(root).generate(given, options, demands)
    same = 0
    for (one,), (other,) in zip(found, wanted, strict=True):
        assert one.attention is not None
        np.testing.assert_allclose(one.attention.sum(1), 1, atol=1e-4)
        if one.tokens.tolist() == other.tokens.tolist() and one.finished == other.finished:
            same += 1
            np.testing.assert_allclose(one.attention, other.attention, atol=1e-4)
    assert same > len(given) / 2


def test_given_targets_have_the_scores_that_torch_gives_them(root: str) -> None:
    given, targets = sources(25, 11), [*sources(24, 12), np.zeros(0, np.int32)]
    found, wanted = engine(root).score(given, targets), torch_engine(root, max_batch_tokens=200).score(given, targets)
    for some, others, target in zip(found, wanted, targets, strict=True):
        assert len(some) == len(target) + 1
        np.testing.assert_allclose(some, others, atol=1e-4)


@pytest.mark.parametrize("quantization", ["int8", "int16", "float16", "bfloat16"])
def test_quantized_models_are_smaller_and_say_nearly_the_same(one_root: str, quantization: str) -> None:
    given, options = sources(60, 6), search(beam=1, max_length_extra=3)
    found = engine(one_root, quantization=quantization).generate(given, options)
    exact = engine(one_root).generate(given, options)
    firsts = [
        one.tokens[:1].tolist() == other.tokens[:1].tolist() for (one,), (other,) in zip(found, exact, strict=True)
    ]
    assert sum(firsts) >= 0.8 * len(firsts)
    sizes = {  # half of it are positions and bytes' names
        folder.name.split("-")[1]: (folder / "model.bin").stat().st_size
        for folder in (Path(one_root) / cache.CACHE_FOLDER).iterdir()
    }
    assert sizes[quantization] < 0.85 * sizes["float32"]


def test_longer_sources_than_the_positions_fail_alone(tmp_path: Path) -> None:
    root = small_model(tmp_path, positions="learned", max_positions=32)
    long = np.full(60, 5, np.int32)
    with pytest.raises(Exception, match="position"):
        engine(root).generate([long], search())
    (found,) = engine(root).generate([np.full(28, 5, np.int32)], search(beam=2, max_length_extra=100))
    assert len(found[0].tokens) + found[0].finished <= 32


def test_recurrent_models_stay_on_torch(tmp_path: Path) -> None:
    root = save_random(tmp_path, RnnConfig(width=16))
    with pytest.raises(ConfigError, match=r"no such architecture; found family rnn; .*engine\.kind torch"):
        CTranslate2EngineConfig().describe(root)


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model stands here"):
        CTranslate2EngineConfig().load(str(tmp_path / "nothing"))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ModelError, match="holds no model that is known"):
        CTranslate2EngineConfig().load(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelError, match=r"not run; found model_type llama; expected bart, m2m_100"):
        CTranslate2EngineConfig().load(str(tmp_path))


def test_a_converted_model_is_kept_beside_it_and_found_again(tmp_path: Path, caplog: Any) -> None:
    root, place = small_model(tmp_path), tmp_path / cache.CACHE_FOLDER
    caplog.set_level(logging.INFO)
    found = CTranslate2EngineConfig(quantization="int8").describe(root)
    assert (found.digest, found.lineage) == (load_model(root).digest, load_model(root).lineage.told)
    (folder,) = place.iterdir()
    assert folder.name.startswith(f"{found.digest}-int8-")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    CTranslate2EngineConfig(quantization="int8").load(root)
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert caplog.text.count("is converted for CTranslate2") == 1
    (folder / "model.bin").write_bytes(b"half")
    assert len(tokens(engine(root, quantization="int8").generate(sources(2), search()))) == 2
    assert "missing or damaged" in caplog.text


def test_two_who_convert_at_once_find_one_whole_model(tmp_path: Path) -> None:
    root, both = str(tmp_path / "model"), threading.Barrier(2)

    def convert(_: str, quantization: str, folder: Path) -> None:
        both.wait(10)
        for name in ("model.bin", "config.json"):
            (folder / name).write_bytes(b"weights" * 1000)
        write_facts(folder, Facts(digest="00", quantization=quantization))

    with ThreadPoolExecutor() as pool:
        found = {*pool.map(lambda _: cache.converted(root, "00", "int8", convert), range(2))}
    (folder,) = found
    assert read_facts(folder) == Facts(digest="00", quantization="int8", files={"model.bin": 7000, "config.json": 7000})


def test_a_prompt_is_for_models_of_others(one_root: str) -> None:
    with pytest.raises(ConfigError, match=r"engine\.prompt: a model of this project has no prompt"):
        CTranslate2EngineConfig(prompt="summarize:").describe(one_root)


def test_what_was_converted_of_a_model_that_is_gone_goes(tmp_path: Path) -> None:
    CTranslate2EngineConfig().describe(small_model(tmp_path))
    (tmp_path / cache.CACHE_FOLDER / "somebody's").mkdir()
    (old,) = (tmp_path / cache.CACHE_FOLDER).glob("*-float32-*")
    CTranslate2EngineConfig().describe(small_model(tmp_path, seed=1))
    (new,) = (tmp_path / cache.CACHE_FOLDER).glob("*-float32-*")
    assert new != old
    assert (tmp_path / cache.CACHE_FOLDER / "somebody's").exists()


def test_a_model_beside_which_nothing_can_be_written_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = small_model(tmp_path)

    def refuse(*_: Any) -> None:
        raise StorageError("read-only", where=root)

    monkeypatch.setattr(cache, "publish", refuse)
    assert engine(root).generate(sources(2), search())
    assert "is not kept" in caplog.text
    assert not (tmp_path / cache.CACHE_FOLDER).exists()


def test_a_model_on_a_store_runs(tmp_path: Path) -> None:
    import fsspec

    root, url = small_model(tmp_path), "memory://ct2/model"
    fsspec.filesystem("memory").put(root, "/ct2/model", recursive=True)
    given = sources(5)
    assert tokens(engine(url).generate(given, search())) == tokens(engine(root).generate(given, search()))


def test_texts_go_through_as_with_torch(one_root: str) -> None:
    loaded = [
        CTranslate2EngineConfig(device="cpu").load(one_root),
        TorchEngineConfig(device="cpu", threads=1).load(one_root),
    ]
    texts = ["a small cat", "the dog", "Fünf"]
    said = []
    for one in loaded:
        found, prefix = one.speaking(Languages(), "here")
        assert len(prefix) == 0
        rows = found.generate(one.source_tokenizer.encode(texts), search(beam=1))
        said.append(one.target_tokenizer.decode([row[0].tokens for row in rows]))
    assert said[0] == said[1]
    assert loaded[0].source_text == loaded[1].source_text
    with pytest.raises(ConfigError, match="no tag for this language"):
        loaded[0].speaking(Languages(target="de"), "here")


def test_processes_and_cores() -> None:
    config = CTranslate2EngineConfig(device="cpu")
    assert [config.side_by_side(cores) for cores in (1, 2, 6, 16)] == [(1, 1), (1, 2), (1, 2), (4, 2)]
    assert config.on_cores(3).threads == 3
    assert CTranslate2EngineConfig(threads=2).on_cores(3).threads == 2
    assert CTranslate2EngineConfig(device="cuda").side_by_side(6) == (1, 1)
    assert "threads" not in config.identity()
    assert config.identity()["quantization"] == "float32"


def test_a_model_without_torch_runs_once_it_is_converted(one_root: str) -> None:
    import subprocess
    import sys

    CTranslate2EngineConfig().describe(one_root)
    code = f"""
import sys
sys.modules["torch"] = None
from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.ctranslate2_engine import CTranslate2EngineConfig
loaded = CTranslate2EngineConfig(device="cpu").load({one_root!r})
ids = loaded.source_tokenizer.encode(["a small cat"])
assert loaded.engine.generate(ids, SearchConfig())[0]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_tokenizer_of_echo_is_no_model_for_it(tmp_path: Path) -> None:
    from seq2seq_core.tokenizer.training import TokenizerConfig, train

    write_model_folder(tmp_path, train(iter(CORPUS), TokenizerConfig(vocabulary_size=340, type="bpe")))
    with pytest.raises(ModelError):
        CTranslate2EngineConfig().describe(str(tmp_path))
