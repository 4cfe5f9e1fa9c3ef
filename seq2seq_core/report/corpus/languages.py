"""Texts in, the language each seems to be in out, where the package that can tell is installed."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence

_LETTER = re.compile(r"[^\W\d_]")


def identify(texts: Sequence[str]) -> list[str] | None:
    """ISO 639-1 codes, empty for a text without letters; None when py3langid is not installed.

    Short texts are often taken for another language: read shares, not single rows.
    """
    try:
        py3langid = importlib.import_module("py3langid")
    except ModuleNotFoundError:
        return None
    return [str(py3langid.classify(text)[0]) if _LETTER.search(text) else "" for text in texts]
