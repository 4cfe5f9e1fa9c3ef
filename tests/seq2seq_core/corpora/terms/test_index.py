"""One pass over a file that is read whole."""

from __future__ import annotations

import gzip
from pathlib import Path

from seq2seq_core.corpora.terms.index import index_whole


def test_a_compressed_file_has_no_cuts(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress(b"\n\n\nany bytes\n"))
    assert (index_whole(str(path)).lines, index_whole(str(path)).cuts) == (None, (0,))
