"""The report page: what is given appears, what is not leaves no trace, user text is escaped, nothing is fetched."""

from __future__ import annotations

import dataclasses
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    InputEntry,
    Manifest,
    ShardEntry,
    SplitEntry,
    TokenizerEntry,
)
from seq2seq_core.report.data import AttentionMap, Example, Fact, ReportData, Score, ScoreTable
from seq2seq_core.report.metrics import Metrics, TrainPoint, ValidationPoint
from seq2seq_core.report.page import render

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Reader(HTMLParser):
    """Collects ids, texts and attributes, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def make_manifest(read_rows: int = 1000) -> Manifest:
    tokenizer = TokenizerEntry(path="tokenizer/joint.model", digest="d" * 32, vocabulary_size=2000)
    lengths = (0, 100, 700, 50)
    shard = ShardEntry(path="train/p", rows=850, source_tokens=1650, target_tokens=1650, bytes=9, digest="s")
    return Manifest(
        fingerprint="f",
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        splits={"train": SplitEntry(shards=(shard,), source_lengths=lengths, target_lengths=lengths)},
        rejected=(),
        ledger=Ledger(
            read=read_rows, kept={"train": read_rows - 150}, duplicates=100, rejected={"empty": 10, "<ratio>": 40}
        ),
        inputs=(InputEntry(url="corpus/<b>.en", bytes=12345, fingerprint="abc"),),
        configuration={},
        software={"numpy": "2.0"},
    )


def make_metrics() -> Metrics:
    train = tuple(
        TrainPoint(
            step=step,
            epoch=0,
            loss=9.0 / step,
            perplexity=float("inf") if step == 10 else 2.0,
            learning_rate=0.001,
            gradient_norm=float("nan"),
            tokens_per_second=1e4,
            seconds=step * 6.0,
        )
        for step in range(10, 110, 10)
    )
    validation = tuple(
        ValidationPoint(step=step, loss=1.0, perplexity=2.7, bleu=bleu, chrf=None)
        for step, bleu in ((50, 31.25), (100, None))
    )
    return Metrics(train, validation)


def make_data() -> ReportData:
    return ReportData(
        title="A <title>",
        subtitle="sub & title",
        manifest=make_manifest(),
        metrics=make_metrics(),
        scores=(ScoreTable("test", (Score("exact match", 95.25, "%"), Score("BLEU", 97.5, "", "nrefs:1|tok:13a"))),),
        examples=(
            Example("<script>alert(1)</script>", "gleich", "gleich "),
            Example("a & b", "東京", "<i>München</i>"),
        ),
        attention=AttentionMap(("▁<a>", "</s>"), ("▁b", "c", "</s>"), np.array([[0.9, 0.1], [0.98, 0.02], [0.5, 0.5]])),
        lineage=(Fact("model", "cafe"),),
    )


@pytest.fixture(scope="module")
def page() -> str:
    return render(make_data())


def test_everything_given_appears_once_and_escaped(page: str) -> None:
    reader = read(page)
    assert len(set(reader.ids)) == len(reader.ids)
    assert {"results", "training", "corpus", "lineage"} <= set(reader.ids)
    for text in ("A <title>", "sub & title", "<script>alert(1)</script>", "東京", "<i>München</i>", "corpus/<b>.en"):
        assert text in reader.texts
    assert not any(tag in ("script", "i", "b", "a") and "href" not in attrs for tag, attrs in reader.tags)
    for text in ("nrefs:1|tok:13a", "95.25 %", "31.25", "cafe", "12,345", "abc", "850 for train."):
        assert any(text in found for found in reader.texts), text


def test_error_rates_have_a_drawing_of_their_own() -> None:
    points = tuple(
        ValidationPoint(step=step, loss=1.0, perplexity=2.7, wer=wer, cer=10.0)
        for step, wer in ((50, math.inf), (100, 31.25), (150, 20.0))
    )
    text = render(dataclasses.replace(make_data(), metrics=Metrics((), points)))
    assert "WER and CER on the validation set" in text
    assert "BLEU on the validation set" not in text


def test_nothing_comes_from_outside_or_runs(page: str) -> None:
    reader = read(page)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in reader.tags}
    targets = [
        value for _, attrs in reader.tags for name in ("href", "src", "xlink:href") if (value := attrs.get(name))
    ]
    assert targets
    assert all(value.startswith("#") for value in targets)
    assert all(target[1:] in reader.ids for target in targets)
    assert not re.search(r"url\((?!#)", page)
    assert not re.search(r"https?://(?!www\.w3\.org/)", page)


def test_the_same_data_gives_the_same_bytes(page: str) -> None:
    assert render(make_data()) == page


def test_drawings_take_colours_and_fonts_from_the_page(page: str) -> None:
    drawings = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert len(drawings) == 6  # loss, perplexity, scores, learning rate, and lengths of two sides
    for drawing in drawings:
        assert 'role="img"' in drawing
        assert re.search(r'viewBox="0 0 [\d.]+ [\d.]+"', drawing)
        assert "var(--first)" in drawing or "var(--second)" in drawing
        assert not re.search(r"#0102\d\d", drawing)
        assert set(re.findall(r"font: [\d.]+px ([^;\"]+)", drawing)) <= {"var(--sans)"}
        assert "<text" in drawing


def test_the_funnel_reconciles(page: str) -> None:
    texts = read(page).texts
    body = texts[texts.index("read") :]
    steps = ["read", "1,000", "<ratio>", "40", "4.00 %", "960", "empty", "10", "1.00 %", "950"]
    steps += ["duplicates", "100", "10.00 %", "850", "kept", "85.00 %", "850"]
    assert body[: len(steps)] == steps


def test_exact_translations_are_marked_and_need_no_reference(page: str) -> None:
    reader = read(page)
    assert "1 of these 2 equal their reference." in reader.texts
    assert sum(attrs.get("class") == "exact" for _, attrs in reader.tags) == 1
    assert reader.texts.count("Reference") == 1
    assert ("✓ exact" in reader.texts, "✗ differs" in reader.texts) == (True, True)


def test_attention_cells_say_their_weight_where_it_counts(page: str) -> None:
    reader = read(page)
    cells = [attrs["style"] for tag, attrs in reader.tags if tag == "td" and "--weight" in str(attrs.get("style"))]
    assert cells == [f"--weight: {weight}" for weight in (90, 10, 98, 2, 50, 50)]
    rows = reader.texts[reader.texts.index("▁b") :]
    assert rows[:8] == ["▁b", "90", "10", "c", "98", "</s>", "50", "50"]


def test_what_is_not_given_leaves_no_trace() -> None:
    reader = read(render(ReportData("only a title")))
    assert reader.ids == []
    assert reader.texts[-1] == "only a title"
    reader = read(render(ReportData("run", metrics=make_metrics())))
    assert [id_ for id_ in reader.ids if id_ in ("results", "training", "corpus", "lineage")] == ["training"]


def test_an_empty_dataset_has_no_histogram() -> None:
    empty = make_manifest().model_copy(
        update={
            "ledger": Ledger(read=0, kept={}, duplicates=0, rejected={}),
            "splits": {"train": SplitEntry(shards=(), source_lengths=(), target_lengths=())},
        }
    )
    assert "<svg" not in render(ReportData("empty", manifest=empty))


def test_the_dataset_digest_stands_there_once() -> None:
    digest = make_manifest().digest
    assert read(render(ReportData("x", manifest=make_manifest()))).texts.count(digest) == 1
    known = ReportData("x", manifest=make_manifest(), lineage=(Fact("dataset digest", digest),))
    assert read(render(known)).texts.count(digest) == 1


def test_metrics_without_any_points_are_no_section() -> None:
    assert "training" not in read(render(ReportData("x", metrics=Metrics((), ())))).ids


def test_an_attention_map_must_fit_its_pieces() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\).*\(2, 1\)"):
        AttentionMap(("a",), ("b", "c"), np.zeros((1, 2)))
