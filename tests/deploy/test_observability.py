"""Every query of the dashboard and of the alert rules can be parsed, and asks for metrics and labels that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from seq2seq_core.monitoring.table import METRICS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
OF_PROMETHEUS = {"instance", "job"}
_BRACES = re.compile(r"\{\{ *(?:\$labels\.)?(\w+) *\}\}")
_METRIC = re.compile(r"\bseq2seq_\w+")


def queries() -> Iterator[tuple[str, str]]:
    yield from ((panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"])
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)


def selectors(query: str) -> list[Any]:
    """Every selector of metrics in a query; a ValueError where it is none."""
    found: list[Any] = []
    waiting = [promql_parser.parse(query)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        parts = (getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector"))
        waiting += [part for part in parts if part is not None]
        waiting += list(getattr(node, "args", ()))
    return found


def labels_of(query: str) -> set[str]:
    return {label for found in selectors(query) for label in METRICS[found.name].labels} | OF_PROMETHEUS


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_a_query_asks_for_what_there_is(where: str, query: str) -> None:
    found = selectors(query)
    assert sorted({selector.name for selector in found}) == sorted(set(_METRIC.findall(query))), where
    for selector in found:
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= {*METRICS[selector.name].labels, *OF_PROMETHEUS}, (where, selector.name)
    used = set(re.findall(r"\$(\w+)", query))
    assert used <= VARIABLES, where


def test_counters_are_asked_for_their_growth_or_as_they_are_where_that_is_meant() -> None:
    plain = {
        selector.name
        for _, query in queries()
        for selector in selectors(query)
        if METRICS[selector.name].kind == "counter" and f"{selector.name}" in re.sub(r"\w+\([^()]*\)", "", query)
    }
    assert plain <= {"seq2seq_failures_total", "seq2seq_steps_total"}


@pytest.mark.parametrize(
    ("query", "problem"), [("rate(seq2seq_x[5m]", ValueError), ("seq2seq_x + seq2seq_lag_files", None)]
)
def test_a_query_that_is_wrong_would_be_found(query: str, problem: type[Exception] | None) -> None:
    if problem is not None:
        with pytest.raises(problem):
            selectors(query)
    else:
        with pytest.raises(KeyError):
            labels_of(query)


def test_legends_and_texts_name_labels_of_their_queries() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            assert set(_BRACES.findall(target["legendFormat"])) <= labels_of(target["expr"]), panel["title"]
    for rule in RULES:
        assert {"alert", "expr", "labels", "annotations"} <= rule.keys() <= {*rule, "for"}
        told = " ".join(rule["annotations"].values())
        named = set(re.findall(r"\$labels\.(\w+)", told))
        assert named <= labels_of(rule["expr"]), rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_every_metric_is_on_the_dashboard_and_lag_death_and_failures_have_alerts() -> None:
    shown = {selector.name for panel in PANELS for target in panel["targets"] for selector in selectors(target["expr"])}
    not_shown = {"seq2seq_expected_rows", "seq2seq_expected_records", "seq2seq_expected_files"}
    assert set(METRICS) - shown == {*not_shown, "seq2seq_expected_audio_seconds"}
    asked = {selector.name for rule in RULES for selector in selectors(rule["expr"])}
    assert asked >= {"seq2seq_lag_oldest_seconds", "seq2seq_folder_state", "seq2seq_failures_total"}


def test_panels_stand_side_by_side_and_have_numbers_of_their_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_variables_ask_for_what_there_is() -> None:
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
            assert found, variable["name"]
            assert found[2] in {*METRICS[found[1]].labels, *OF_PROMETHEUS}


def test_what_prometheus_is_given_names_the_rules() -> None:
    configuration = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    assert all((FOLDER / name).is_file() for name in configuration["rule_files"])


def test_the_page_lists_every_metric() -> None:
    rows = [
        line.split(" | ") for line in (ROOT / "docs" / "operate.md").read_text().splitlines() if "`seq2seq_" in line
    ]
    listed = {name.strip("| `"): (kind, labels.replace("`", ""), meaning) for name, kind, labels, meaning in rows}
    told = {m.name: (m.kind, ", ".join(m.labels), f"{m.meaning} |") for m in METRICS.values()}
    assert listed == told
