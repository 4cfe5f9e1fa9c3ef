"""datatrove: a folder of two JSONL files in, its token files out, by two processes.

    python datatrove_tokens.py TOKENIZER.json DOCUMENTS OUTPUT

Every side of a pair is a document. The tokenizer is a fast one of the same kind with the same pieces.
"""

from __future__ import annotations

import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer


def main() -> None:
    """Read, encode, write."""
    tokenizer, documents, output = sys.argv[1:]
    steps = [
        JsonlReader(documents),
        DocumentTokenizer(
            f"{output}/tokens", tokenizer_name_or_path=tokenizer, eos_token=None, shuffle_documents=False
        ),
    ]
    LocalPipelineExecutor(steps, tasks=2, workers=2, logging_dir=f"{output}/logs").run()


if __name__ == "__main__":
    main()
