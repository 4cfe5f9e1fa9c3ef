"""Words of a call in; the others, and in the environment how its work is to be watched, out: nothing of what is done.

So neither stands in a configuration, a manifest or the identity of a run; processes that are started find both in
their environment, and containers may set them there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from seq2seq_core.errors import ConfigError
from seq2seq_core.log_lines import FORMAT_VARIABLE, FORMATS
from seq2seq_core.options import take_option

PORT_VARIABLE = "SEQ2SEQ_METRICS_PORT"
LOG_FORMAT, METRICS_PORT = "--log-format", "--metrics-port"
USAGE = (
    (LOG_FORMAT, f"{' or '.join(FORMATS)}; default {FORMATS[0]}", "log lines, or a JSON object in the place of each"),
    (METRICS_PORT, "port or HOST:PORT; default none", "serve metrics to Prometheus while the work goes on"),
)
"""The options with their values and meaning."""

_MOST_PORT = 65_535
_EVERYWHERE = "0.0.0.0"  # noqa: S104 (as exporters of metrics listen: who asks is on another machine)


def take(words: Sequence[str], *, serves: bool = True) -> list[str]:
    """Put what is asked for into the environment; the other words.

    Args:
        words: Of a call, options of an engine behind `--` among them.
        serves: Whether there are metrics to serve.

    Raises:
        ConfigError: There is no such format, no such port, or nothing to serve.
    """
    cut = words.index("--") if "--" in words else len(words)
    log_format, rest = take_option(words[:cut], LOG_FORMAT)
    port, rest = take_option(rest, METRICS_PORT)
    if port is not None and not serves:
        raise ConfigError("this command has no metrics to serve", found=f"{METRICS_PORT} {port}")
    for variable, value in ((FORMAT_VARIABLE, log_format), (PORT_VARIABLE, port)):
        if value is not None:
            os.environ[variable] = value
    _check()
    return [*rest, *words[cut:]]


@contextlib.contextmanager
def for_a_while() -> Iterator[None]:
    """Put the environment back, as to this, when the block ends."""
    before = {variable: os.environ.get(variable) for variable in (FORMAT_VARIABLE, PORT_VARIABLE)}
    try:
        yield
    finally:
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value


def address() -> tuple[str, int] | None:
    """Where metrics are to be served, host and port; None where they are not. A ConfigError for what is no port."""
    value = os.environ.get(PORT_VARIABLE)
    if not value:
        return None
    host, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= len(str(_MOST_PORT)) and int(port) <= _MOST_PORT):
        raise ConfigError("no such port", where=METRICS_PORT, found=value, expected=f"0 to {_MOST_PORT}, or HOST:PORT")
    return host.strip("[]") or _EVERYWHERE, int(port)


def _check() -> None:
    found = os.environ.get(FORMAT_VARIABLE)
    if found and found not in FORMATS:
        del os.environ[FORMAT_VARIABLE]  # the error itself is told as a text
        raise ConfigError("no such format of log lines", where=LOG_FORMAT, found=found, expected=" or ".join(FORMATS))
    address()
