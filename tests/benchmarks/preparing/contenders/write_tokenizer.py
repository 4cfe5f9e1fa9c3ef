"""A SentencePiece unigram model's pieces in (JSON), a fast tokenizer of Hugging Face's of the same pieces out.

python write_tokenizer.py PIECES.json TOKENIZER.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers


def main() -> None:
    """Build and save it."""
    pieces, output = sys.argv[1:]
    entries = json.loads(Path(pieces).read_text())
    tokenizer = Tokenizer(models.Unigram([(text, score) for text, score in entries], unk_id=1, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(output)


if __name__ == "__main__":
    main()
