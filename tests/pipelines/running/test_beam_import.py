"""Beam without its clients of databases, in an interpreter that has not imported it yet."""

from __future__ import annotations

import subprocess
import sys

LEFT_OUT = """
import logging, sys
logging.disable()
from pipelines.running.beam_import import import_beam
import_beam()
assert "apache_beam" in sys.modules
assert not {"pymongo", "bson", "apache_beam.io.gcp.bigquery"} & sys.modules.keys()
"""

ASKED_FOR_LATER = f"""{LEFT_OUT}
import apache_beam.io.gcp.bigquery as bigquery
import bson
assert bigquery.BigQueryDisposition.CREATE_NEVER and bson.ObjectId()
"""


def test_clients_are_left_out_and_come_when_they_are_asked_for() -> None:
    subprocess.run([sys.executable, "-c", ASKED_FOR_LATER], check=True, timeout=60)


def test_a_second_import_changes_nothing() -> None:
    script = f"{LEFT_OUT}\nbefore = list(sys.meta_path); import_beam(); assert sys.meta_path == before"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
