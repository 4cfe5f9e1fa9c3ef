"""The name of a contender, a model and texts in; the texts translated, and a line of JSON about it, out.

`tests/benchmarks/infer.py` runs this, one contender a process. Counting tokens is not what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RATIO, EXTRA = 2.0, 20
"""The limits of length of `SearchConfig`."""

Texts = list[str]


def main() -> None:
    """Translate, and tell what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--beam", type=int, required=True)
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--cores", type=int)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    name, *words = arguments.words
    outputs = CONTENDERS[name](arguments, *words)
    begin = time.perf_counter()
    tokens = sum(map(len, _tokenizer(arguments.model).encode(outputs))) + len(outputs)
    peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"tokens": tokens, "peak": peak, "unmeasured": time.perf_counter() - begin}))


def alone(arguments: Any, workers: str, threads: str, order: str) -> Texts:
    """CTranslate2, called on the list."""
    import ctranslate2

    tokenizer = _tokenizer(arguments.model)
    translator = ctranslate2.Translator(
        _converted(arguments), "cpu", inter_threads=int(workers), intra_threads=int(threads)
    )
    sources = [[*tokenizer.encode(text, out_type=str), "</s>"] for text in _texts(arguments)]
    how = {"beam_size": arguments.beam, "max_input_length": 0, "max_decoding_length": 256}
    batches = {"max_batch_size": 1024, "batch_type": "tokens"} if order == "sorted" else {"max_batch_size": 32}
    if order == "default":  # in the order of the list, as somebody does who streams
        results = [
            result.result()
            for begin in range(0, len(sources), 32)
            for result in translator.translate_batch(sources[begin : begin + 32], asynchronous=True, **how)
        ]
    else:
        results = translator.translate_batch(sources, **how, **batches)
    return [tokenizer.decode_pieces(result.hypotheses[0]) for result in results]


def translate(arguments: Any, kind: str) -> Texts:
    """The command."""
    from pipelines.cli import main as command

    output = arguments.place / f"out-{os.getpid()}"
    words = ["--model", arguments.model, "--input", str(arguments.texts), "--output", str(output)]
    code = command(["translate", *words, "--engine.kind", kind, "--search.beam", str(arguments.beam)])
    if code:
        raise SystemExit(code)
    outputs = [line for path in sorted(output.glob("*.txt")) for line in path.read_text("utf-8").split("\n")[:-1]]
    shutil.rmtree(output)
    return outputs


def generate(arguments: Any) -> Texts:
    """Hugging Face, batches of 64 sorted by length, all cores."""
    import torch

    from tests.benchmarks.inferring.same_weights import as_hugging_face

    tokenizer, model = _tokenizer(arguments.model), as_hugging_face(arguments.model)
    sources = [[*tokenizer.encode(text), 3] for text in _texts(arguments)]
    order = sorted(range(len(sources)), key=lambda place: -len(sources[place]))
    found: dict[int, str] = {}
    for begin in range(0, len(order), 64):
        places = order[begin : begin + 64]
        width = max(len(sources[place]) for place in places)
        ids = torch.tensor([sources[place] + [0] * (width - len(sources[place])) for place in places])
        with torch.inference_mode():
            said = model.generate(
                ids,
                attention_mask=(ids != 0).long(),
                num_beams=arguments.beam,
                do_sample=False,
                max_new_tokens=int(RATIO * width) + EXTRA,
            )
        found.update(
            (place, tokenizer.decode([i for i in row if i > 3]))
            for place, row in zip(places, said.tolist(), strict=True)
        )
    return [found[place] for place in range(len(sources))]


class Loaded:
    """A model and its tokenizer; Beam refers to it weakly, as it cannot to a tuple."""

    def __init__(self, translator: Any, tokenizer: Any) -> None:
        self.translator, self.tokenizer = translator, tokenizer


def one_by_one(arguments: Any) -> Texts:
    """Beam's RunInference with one sentence an element and a batch, on the engine that is fastest here."""
    import apache_beam as beam
    from apache_beam.ml.inference.base import ModelHandler, RunInference

    class Handler(ModelHandler[str, str, Any]):
        def load_model(self) -> Any:
            import ctranslate2

            model = ctranslate2.Translator(_converted(arguments), "cpu", intra_threads=len(os.sched_getaffinity(0)))
            return Loaded(model, _tokenizer(arguments.model))

        def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Any:
            translator, tokenizer = model.translator, model.tokenizer
            sources = [[*tokenizer.encode(text, out_type=str), "</s>"] for text in batch]
            results = translator.translate_batch(sources, beam_size=arguments.beam, max_input_length=0)
            return [tokenizer.decode_pieces(result.hypotheses[0]) for result in results]

        def batch_elements_kwargs(self) -> dict[str, int]:
            return {"min_batch_size": 1, "max_batch_size": 1}

    output = arguments.place / "one_by_one"
    with beam.Pipeline(runner="DirectRunner") as root:
        said = root | beam.Create(_texts(arguments)) | RunInference(Handler())
        said | beam.io.WriteToText(str(output), num_shards=1, shard_name_template="")
    return output.read_text("utf-8").split("\n")[:-1]


CONTENDERS: dict[str, Callable[..., Texts]] = {
    "alone": alone,
    "translate": translate,
    "generate": generate,
    "one_by_one": one_by_one,
}


def _texts(arguments: Any) -> Texts:
    found: Texts = arguments.texts.read_text("utf-8").split("\n")[:-1]
    return found


def _converted(arguments: Any) -> str:
    """The exported model, which the first contender that needs it makes; not part of what is compared."""
    from pipelines.cli import main as command

    folder = arguments.place / "converted"
    if not (folder / "seq2seq.json").exists():
        command(["export", "--model", arguments.model, "--output", str(folder)])
    return str(folder)


def _tokenizer(model: str) -> Any:
    import sentencepiece

    (path,) = Path(model, "tokenizer").glob("*.model")
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


if __name__ == "__main__":
    main()
