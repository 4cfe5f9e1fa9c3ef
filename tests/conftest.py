"""Fixtures every test may use: the folder of real corpora, and a tiny published dataset."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import settings

from seq2seq_core import storage
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    Manifest,
    SplitEntry,
    TokenizerEntry,
    publish_manifest,
)
from seq2seq_core.dataset.schema import ID_BYTES, Split, shard_name, shard_schema
from seq2seq_core.dataset.writer import length_histogram, write_shard
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig
from seq2seq_core.tokenizer.training import train as train_tokenizer
from tests.engines import flink_cluster, spark_job_server  # noqa: F401
from tests.points import points_dataset, published_points  # noqa: F401
from tests.stores import gcs_server, object_store, s3_server, store  # noqa: F401
from tests.text_sides import text_sides

settings.register_profile("shared", deadline=None)  # a busy machine is no error
settings.load_profile("shared")

# Each of several workers has its share of the cores: threads of PyTorch that wait for one another's cores wait long.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _WORKERS > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _WORKERS)))

# Who starts the suite in the background of a script lets it ignore Ctrl-C, and with it all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

DATA_FOLDER = Path(os.environ.get("SEQ2SEQ_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()


@pytest.fixture(autouse=True)
def logging_as_it_is_at_first() -> None:
    """Commands set up logging for the process they run in; no test depends on which came before it."""
    for name in ("pipelines", "seq2seq_core"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.raiseExceptions = True
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def multi30k() -> Path:
    """The folder of Multi30k (train/val/test_2016_flickr, .en/.de/.fr, gzip)."""
    return real_data("multi30k")


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A `SmallWhisper` of several languages; its libraries are slow to import, and few tests need them."""
    from tests.small_whisper import small_whisper

    return small_whisper(tmp_path_factory.mktemp("whisper"))


def real_data(name: str) -> Path:
    """A folder of real data; the test skips, naming it, where it is absent."""
    folder = DATA_FOLDER / name
    if not folder.is_dir():
        pytest.skip(f"no such folder: {folder} (set SEQ2SEQ_DATA)")
    return folder


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A published dataset folder that a small model learns in seconds: 400 training and 24 validation rows."""
    root = str(tmp_path_factory.mktemp("tiny") / "dataset")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SEQ2SEQ_CACHE", str(tmp_path_factory.mktemp("cache")))
        publish_tiny_dataset(root, {"train": 400, "valid": 24})
        yield root


@pytest.fixture(scope="session")
def tiny_training(tiny_dataset: str) -> dict[str, Any]:
    """The values of a train.yaml, `output` aside, that fits the tiny dataset: about 10 ms a step on one core."""
    shape = {"width": 32, "feed_forward_width": 64, "heads": 4, "encoder_layers": 1, "decoder_layers": 1}
    return {
        "dataset": tiny_dataset,
        "model": {"family": "transformer", **shape, "dropout": 0.0, "tie_embeddings": "all"},
        "data": {"batch_tokens": 1024, "max_source_tokens": 32, "max_target_tokens": 32},
        "optimizer": {"learning_rate": 0.005},
        "schedule": {"warmup_steps": 50},
        "limits": {"max_steps": 20},
        "device": "cpu",
        "report_every_steps": 1,
        "tensorboard": False,
    }


@pytest.fixture
def publish_tiny() -> Callable[..., Manifest]:
    """`publish_tiny_dataset`, for tests that need other rows."""
    return publish_tiny_dataset


def publish_tiny_dataset(root: str, rows: dict[Split, int], seed: int = 0) -> Manifest:
    """Sentences of 1 to 5 number words, English to German, with a joint SentencePiece model."""
    english = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    german = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"]
    random = Random(seed)
    numbers = [[random.randrange(10) for _ in range(random.randint(1, 5))] for _ in range(sum(rows.values()))]
    sources, targets = ([" ".join(words[n] for n in row) for row in numbers] for words in (english, german))
    data = train_tokenizer(iter(sources + targets), TokenizerConfig(vocabulary_size=44, byte_fallback=False))
    tokenizer = Tokenizer(data)
    storage.publish_bytes(storage.join(root, "tokenizer/joint.model"), data)
    entry = TokenizerEntry(path="tokenizer/joint.model", digest=tokenizer.digest, vocabulary_size=44)
    splits: dict[Split, SplitEntry] = {}
    begin = 0
    for split, count in rows.items():
        part = slice(begin, begin + count)
        splits[split] = _publish_split(root, split, tokenizer, sources[part], targets[part])
        begin += count
    manifest = Manifest(
        fingerprint=storage.digest_bytes(str((rows, seed)).encode()),
        source_tokenizer=entry,
        target_tokenizer=entry,
        splits=splits,
        rejected=(),
        ledger=Ledger(read=sum(rows.values()), kept=rows, duplicates=0, rejected={}),
        inputs=(),
        configuration={},
        software={},
    )
    publish_manifest(root, manifest)
    return manifest


def _publish_split(root: str, split: Split, tokenizer: Tokenizer, sources: list[str], targets: list[str]) -> SplitEntry:
    """One shard with all rows of a split."""
    columns = [tokenizer.encode_column(pa.array(texts)) for texts in (sources, targets)]
    lengths = [pc.list_value_length(column) for column in columns]
    values: list[Any] = [
        pa.array([storage.digest_bytes(text.encode())[:16].encode() for text in sources], pa.binary(ID_BYTES)),
        pa.DictionaryArray.from_arrays(pa.array([0] * len(sources), pa.int32()), pa.array(["tiny"])),
        pa.array(range(1, len(sources) + 1), pa.int64()),
        *columns,
        *lengths,
    ]
    with_text = split != "train"
    values += [pa.array(sources), pa.array(targets)] if with_text else []
    sides = text_sides(tokenizer.vocabulary_size)
    schema = shard_schema(sides, with_text=with_text)
    shard = write_shard(root, f"{split}/{shard_name(0, 1)}", pa.Table.from_arrays(values, schema=schema), sides)
    histograms = [length_histogram(length.to_numpy()) for length in lengths]
    return SplitEntry(shards=(shard,), source_lengths=histograms[0], target_lengths=histograms[1])
