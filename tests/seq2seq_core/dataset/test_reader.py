from __future__ import annotations

import errno
import io
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.data.columns import Columns
from seq2seq_core.dataset import reader
from seq2seq_core.dataset.manifest import CorpusEntry, ShardEntry, publish_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import Split, shard_schema
from seq2seq_core.dataset.verify import verify
from seq2seq_core.dataset.writer import write_shard
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.modalities.base import Side
from tests.text_sides import text_sides

DatasetMaker = Callable[..., Dataset]


def test_lengths_come_from_the_length_columns_alone(
    random_dataset: DatasetMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = random_dataset()
    tables = [dataset.read_shard(shard) for shard in dataset.split("train").shards]
    asked: set[str] = set()
    inner = reader.row_groups

    def spy(*arguments: object) -> object:
        asked.update(arguments[3])  # type: ignore[call-overload]
        return inner(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reader, "row_groups", spy)
    lengths = dataset.lengths("train")
    assert asked == {"source_length", "target_length"}
    for side, found in zip(("source", "target"), lengths, strict=True):
        expected = [len(row) for table in tables for row in table.column(side).to_pylist()]
        assert found.dtype == np.int32
        assert found.tolist() == expected


def test_weights_never_spread_names_over_rows(random_dataset: DatasetMaker) -> None:
    """Names of 64 KiB: those of 10,000 rows would be 600 MiB, and a column of texts may have 2 GiB."""
    dataset, rows, names = random_dataset(), 10_000, ["a" * (1 << 16), "b" * (1 << 16), "other"]
    schema = shard_schema(text_sides(44), with_text=False)
    numbers = np.arange(rows, dtype=np.int32)
    empty = pa.array([[]] * rows, schema.field("source").type)
    zeros = pa.array(np.zeros(rows, np.int32))
    origin = pa.DictionaryArray.from_arrays(pa.array(numbers % 3), pa.array(names))
    ids = pa.array([b"%016d" % number for number in range(rows)], pa.binary(16))
    table = pa.Table.from_arrays(
        [ids, origin, pa.array(numbers + 1).cast("int64"), empty, empty, zeros, zeros], schema=schema
    )
    default = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(default)
    pa.set_memory_pool(counted)
    try:
        shard = write_shard(dataset.root, "train/names.parquet", table, text_sides(44))
        weights = with_corpora(dataset, {names[0]: 2.0, names[1]: 0.5, "corpus-1.en": 3.0}, (shard,)).weights("train")
    finally:
        pa.set_memory_pool(default)
    assert counted.max_memory() < 16 << 20
    assert weights is not None
    before = [n for s in dataset.split("train").shards for n in dataset.read_shard(s)["origin"].to_pylist()]
    expected = [3.0 if name == "corpus-1.en" else 1.0 for name in before] + [2.0, 0.5, 1.0] * (rows // 3) + [2.0]
    assert weights.of(np.arange(len(expected))).tolist() == expected
    assert weights.codes.dtype == np.uint8


def test_weights_of_some_rows_are_those_of_their_shards(random_dataset: DatasetMaker) -> None:
    dataset = with_corpora(random_dataset((40, 0, 25)), {"corpus-0.en": 2.0, "corpus-1.en": 0.5})
    whole = dataset.weights("train")
    assert whole is not None
    expected = whole.of(np.arange(65)).tolist()
    for begin, end in ((0, 65), (0, 40), (40, 65), (10, 50), (64, 65), (3, 4)):
        some = dataset.weights("train", begin, end)
        found = [1.0] * (end - begin) if some is None else some.of(np.arange(end - begin)).tolist()
        assert found == expected[begin:end]
    assert expected[2] == 1.0
    assert dataset.weights("train", 2, 3) is None
    assert dataset.weights("train", 65) is None


def with_corpora(dataset: Dataset, weights: dict[str, float], more: tuple[ShardEntry, ...] = ()) -> Dataset:
    """The dataset with one corpus for each origin, and more training shards."""
    languages = {"source_language": None, "target_language": None, "tag": None}
    corpora = tuple(CorpusEntry(name=n[:9], weight=w, origins=(n,), **languages) for n, w in weights.items())  # type: ignore[arg-type]
    split = dataset.split("train")
    splits = {**dataset.manifest.splits, "train": split.model_copy(update={"shards": split.shards + more})}
    return Dataset(dataset.root, dataset.manifest.model_copy(update={"corpora": corpora, "splits": splits}))


@pytest.mark.parametrize("side", ["source", "target"])
def test_texts(random_dataset: DatasetMaker, side: Side) -> None:
    assert random_dataset().texts("valid", side) == [f"{side} text {i}" for i in range(7)]
    with pytest.raises(DatasetError, match="missing columns"):
        random_dataset().texts("train", side)


def test_an_object_store(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset(root=f"memory://{uuid.uuid4().hex}")
    assert len(dataset.lengths("train").source) == 65
    assert dataset.source_tokenizer is dataset.target_tokenizer


def test_a_missing_split(random_dataset: DatasetMaker) -> None:
    with pytest.raises(DatasetError, match=r"no split 'test'; expected one of \['train', 'valid'\]"):
        random_dataset().lengths("test")


def test_row_groups_are_read_one_by_one(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset()
    full, empty, _ = dataset.split("train").shards
    assert len(list(dataset.row_groups(full, ["line"]))) > 1
    assert [table.num_rows for table in dataset.row_groups(empty, ["line"])] == [0]


def test_paths_of_the_manifest_never_leave_the_folder(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    (tmp_path / "outside.parquet").write_bytes((tmp_path / "dataset" / shard.path).read_bytes())
    for path in ("../outside.parquet", str(tmp_path / "outside.parquet"), "train/../../outside.parquet"):
        with pytest.raises(StorageError, match="leaves its folder"):
            dataset.read_shard(shard.model_copy(update={"path": path}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), r"part-00000-of-00003\.parquet: no such file"),
        (lambda path: path.write_bytes(b""), r"part-00000-of-00003\.parquet: a damaged Parquet file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), r"a damaged Parquet file.*Restore the file"),
    ],
)
def test_a_damaged_shard(random_dataset: DatasetMaker, damage: Callable[[Path], object], message: str) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    damage(Path(dataset.root) / shard.path)
    with pytest.raises(DatasetError, match=message):
        dataset.read_shard(shard)


@pytest.fixture(scope="module")
def damaged(tiny_dataset: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a dataset of which every file may be damaged."""
    return Path(shutil.copytree(tiny_dataset, tmp_path_factory.mktemp("damaged") / "dataset"))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["train", "valid"]), st.integers(0, 2000), st.binary(min_size=1, max_size=6), st.booleans())
def test_damage_is_found_or_does_no_harm(
    damaged: Path, split: Split, place: int, replacement: bytes, from_end: bool
) -> None:
    """Whatever stands in a file: it is read, or a DatasetError names it. Most of a footer lies in the last bytes."""
    dataset = with_corpora(Dataset.open(str(damaged)), {"tiny": 2.0})
    shard = dataset.split(split).shards[0]
    path = damaged / shard.path
    sound = path.read_bytes()
    begin = max(0, len(sound) - len(replacement) - place) if from_end else place % len(sound)
    path.write_bytes(sound[:begin] + replacement + sound[begin + len(replacement) :])
    calls: list[Callable[[], object]] = [
        lambda: dataset.read_shard(shard).to_pylist(),
        lambda: dataset.lengths(split),
        lambda: dataset.weights(split),
        lambda: reader.read_ids(str(path)),
        *([lambda: dataset.texts(split, "target")] if split == "valid" else []),
    ]
    errors: list[DatasetError] = []
    try:
        for call in calls:
            try:
                call()
            except DatasetError as error:
                errors.append(error)
        assert all(error.where == str(path) and "\n" not in str(error) for error in errors)
        if path.read_bytes() != sound:
            with pytest.raises(DatasetError, match=r"wrong (digest|bytes)"):
                verify(str(damaged))
            with TemporaryDirectory() as cache, pytest.raises(DatasetError, match="wrong digest"):
                Columns.open(dataset, split, Path(cache))
    finally:
        path.write_bytes(sound)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EIO, "Input/output error"), "the disk does not read or write; found Input/output error"),
        (TimeoutError("no answer"), "the store refuses; found no answer"),
    ],
)
def test_a_disk_that_does_not_read_is_not_damage(
    random_dataset: DatasetMaker, monkeypatch: pytest.MonkeyPatch, error: OSError, message: str
) -> None:
    class Failing(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise error

        def seekable(self) -> bool:
            return True

    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    monkeypatch.setattr(storage, "open_input", lambda *_: Failing(b"x" * 999))
    for call in (lambda: dataset.read_shard(shard), lambda: list(dataset.blocks(shard))):
        with pytest.raises(StorageError, match=rf"part-00000-of-00003\.parquet: {message}"):
            call()


def test_too_many_open_files_are_not_damage(random_dataset: DatasetMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]

    def refuses(url: str) -> object:
        raise StorageError("the store refuses", where=url, found=OSError(errno.EMFILE, os.strerror(errno.EMFILE)))

    monkeypatch.setattr(storage, "open_input", refuses)
    for call in (lambda: dataset.read_shard(shard), lambda: reader.read_ids(f"{dataset.root}/{shard.path}")):
        with pytest.raises(StorageError, match=r"Too many open files$"):
            call()


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_that_are_not_utf8_are_damage(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.StringArray.from_buffers(2, pa.array([0, 2, 3], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff-"))
    column = texts if kind == pa.string() else pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int32()), texts)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": column}), path)
    with path.open("rb") as file, pytest.raises(DatasetError, match=r"a damaged Parquet file; found .*UTF8"):
        list(reader.row_groups(file, str(path), None))


def test_ids_of_another_type(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match="wrong type of column id; found string; expected fixed_size_binary"):
        reader.read_ids(str(tmp_path / "a.parquet"))


def test_a_wrong_row_count(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    with pytest.raises(DatasetError, match="wrong number of rows; found 40; expected 41"):
        dataset.read_shard(shard.model_copy(update={"rows": 41}))


def test_a_tokenizer_that_is_not_the_datasets(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset()
    other = dataset.manifest.source_tokenizer.model_copy(update={"digest": "0" * 32})
    publish_manifest(dataset.root, dataset.manifest.model_copy(update={"source_tokenizer": other}))
    with pytest.raises(DatasetError, match="not the one this dataset was encoded with"):
        _ = Dataset.open(dataset.root).source_tokenizer
    assert storage.exists(storage.join(dataset.root, other.path))
