from __future__ import annotations

import numpy as np

from seq2seq_core.software import versions


def test_what_is_installed_is_told_with_its_version() -> None:
    assert versions(("numpy",)) == {"numpy": np.__version__}


def test_what_is_not_installed_is_left_out() -> None:
    assert versions(("no-such-package-anywhere", "numpy")).keys() == {"numpy"}
