"""A board and the port that is asked for in, its metrics served to Prometheus out, by its own client library."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterator
from typing import Any

from seq2seq_core.errors import ConfigError
from seq2seq_core.monitoring.asked import METRICS_PORT, address
from seq2seq_core.monitoring.board import Board

logger = logging.getLogger(__name__)
_SERVED: list[Board] = []


@contextlib.contextmanager
def serving() -> Iterator[Board | None]:
    """A board that is served while the block runs; None, at no cost, where no port is asked for.

    Work within other work, as a generation is of what follows, has the board of the outer one: there is one port.

    Raises:
        ConfigError: The port is not free, or none.
        ModuleNotFoundError: The extra seq2seq[prometheus] is not installed.
    """
    place = address()
    if place is None:
        yield None
        return
    if _SERVED:
        yield _SERVED[0]
        return
    board = Board()
    server = _started(board, *place)
    _SERVED.append(board)
    try:
        yield board
    finally:
        _SERVED.clear()
        server.shutdown()
        server.server_close()


def _started(board: Board, host: str, port: int) -> Any:
    client = importlib.import_module("prometheus_client")
    registry = client.CollectorRegistry()
    client.ProcessCollector(registry=registry)
    registry.register(_Collector(board))
    try:
        server, _ = client.start_http_server(port, host, registry)
    except OSError as error:
        advice = "Choose another port, or 0 for any that is free."
        found = f"{host}:{port}, {error.strerror or error}"
        raise ConfigError("metrics cannot be served", where=METRICS_PORT, found=found, advice=advice) from None
    logger.info("metrics at http://%s:%d/metrics", host, server.server_port)
    return server


class _Collector:
    """What the client library asks for at each request."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Any]:
        """The families of all metrics that have samples."""
        core = importlib.import_module("prometheus_client.core")
        kinds = {"counter": core.CounterMetricFamily, "gauge": core.GaugeMetricFamily}
        for metric, samples in self._board.samples():
            family = kinds[metric.kind](metric.name, metric.meaning, labels=metric.labels)
            for labels, value in samples:
                family.add_metric(labels, value)
            yield family
