"""The metrics of a run, and perhaps of another one, in; captions and curves of their training, side by side, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from seq2seq_core.metrics.measures import MEASURES, RECOGNITION, TRANSLATION, MeasureName
from seq2seq_core.report.charts import Series, curves
from seq2seq_core.report.metrics import Metrics, TrainPoint, ValidationPoint

_PERCENT, _GIGABYTE = 100.0, 1e-9


def run_charts(metrics: Metrics, other: tuple[str, Metrics] | None = None) -> Iterator[tuple[str, str]]:
    """Caption and drawing of each curve there is data for.

    Args:
        metrics: Those of the run.
        other: What another run is called, and its metrics: one kind of curve a drawing then, so that they compare.
    """
    if other is not None:
        yield from _side_by_side((("this run", metrics), other))
        return
    if losses := _both(metrics, "loss"):
        yield "Loss in nats a token", curves("Loss over steps", losses)
        yield "Perplexity", curves("Perplexity over steps", _both(metrics, "perplexity"), logarithmic=True)
    for names, label in ((TRANSLATION, "Scores over steps"), (RECOGNITION, "Error rates over steps")):
        if scores := [series for name in names for series in _score(metrics, name, MEASURES[name].label)]:
            shown = " and ".join(series.name for series in scores)
            yield f"{shown} on the validation set", curves(label, scores)
    if metrics.train:
        rates = _trained(metrics, "learning rate", lambda point: point.learning_rate)
        yield "Learning rate", curves("Learning rate over steps", rates)
    if drawn := [series for name in _drawn_names(metrics) for series in _drawn(metrics, name)]:
        yield "Rows of each dataset", curves("Rows drawn over steps", drawn)
    yield from _effort(metrics)


def _effort(metrics: Metrics) -> Iterator[tuple[str, str]]:
    """What the training took."""
    if not any(point.padding is not None for point in metrics.train):
        return
    speed = _trained(metrics, "target tokens a second", lambda point: point.tokens_per_second)
    yield "Speed", curves("Tokens a second over steps", speed)
    lost = [
        *_trained(metrics, "padding, % of positions", lambda point: _scaled(point.padding, _PERCENT)),
        *_trained(metrics, "data wait, % of time", lambda point: _scaled(point.data_wait, _PERCENT)),
    ]
    yield "What was lost", curves("Padding and waiting over steps", lost)
    used = _trained(metrics, "utilization, %", lambda point: _scaled(point.utilization, _PERCENT))
    memory = _trained(metrics, "peak memory, GB", lambda point: _scaled(point.peak_memory, _GIGABYTE))
    for caption, series in (("Utilization of the device", used), ("Memory", memory)):
        if series:
            yield caption, curves(f"{caption} over steps", series)


def _side_by_side(runs: Sequence[tuple[str, Metrics]]) -> Iterator[tuple[str, str]]:
    kinds: list[tuple[str, Callable[[Metrics, str], list[Series]]]] = [
        ("Training loss in nats a token", lambda metrics, name: _trained(metrics, name, lambda point: point.loss)),
        ("Validation loss in nats a token", lambda metrics, name: _validated(metrics, name, lambda point: point.loss)),
        *(
            (f"{MEASURES[measure].label} on the validation set", _measured(measure))
            for measure in MEASURES
            if measure != "loss"
        ),
        ("Learning rate", lambda metrics, name: _trained(metrics, name, lambda point: point.learning_rate)),
        (
            "Target tokens a second",
            lambda metrics, name: _trained(metrics, name, lambda point: point.tokens_per_second),
        ),
    ]
    for caption, of in kinds:
        if series := [one for name, metrics in runs for one in of(metrics, name)]:
            yield caption, curves(f"{caption} over steps", series)


def _measured(measure: MeasureName) -> Callable[[Metrics, str], list[Series]]:
    return lambda metrics, name: _score(metrics, measure, name)


def _drawn_names(metrics: Metrics) -> list[str]:
    """The datasets of a run that mixes several."""
    return list(metrics.train[-1].drawn) if metrics.train else []


def _drawn(metrics: Metrics, name: str) -> list[Series]:
    return _trained(metrics, name, lambda point: point.drawn.get(name))


def _both(metrics: Metrics, quantity: str) -> list[Series]:
    trained = _trained(metrics, "training", lambda point: getattr(point, quantity))
    return trained + _validated(metrics, "validation", lambda point: getattr(point, quantity))


def _score(metrics: Metrics, measure: MeasureName, name: str) -> list[Series]:
    """The curve of a measure, where there is any; an infinite error rate has no place in it."""
    return _validated(metrics, name, lambda point: getattr(point, measure))


def _trained(metrics: Metrics, name: str, of: Callable[[TrainPoint], float | None]) -> list[Series]:
    found = [(point.step, value) for point in metrics.train if (value := of(point)) is not None]
    return [Series(name, [step for step, _ in found], [value for _, value in found])] if found else []


def _validated(metrics: Metrics, name: str, of: Callable[[ValidationPoint], float | None]) -> list[Series]:
    found = [(point.step, value) for point in metrics.validation if (value := of(point)) is not None]
    return [Series(name, [step for step, _ in found], [value for _, value in found], marked=True)] if found else []


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
