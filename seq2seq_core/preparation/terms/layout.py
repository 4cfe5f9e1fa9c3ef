"""Where everything stands in the folder of a dataset that is being made."""

from __future__ import annotations

WORK_FOLDER = "_work"
