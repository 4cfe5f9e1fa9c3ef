"""Stores for tests: a fresh folder on local disk, S3 and Google Cloud Storage, and the environment that leads there.

SEQ2SEQ_VERSITYGW and SEQ2SEQ_FAKE_GCS name the server programs; both serve a folder of this machine on a free port.
A test that asks for the fixture `store` runs on all three: it reads and writes below `store.root` in this process, and
hands `store.environment` to processes it starts. `object_store` leaves local disk out.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import fsspec.config
import pytest

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import LOOKS_FOLDER
from tests.processes import answers, free_port, running

BUCKET = "bucket"
OBJECT_STORES = tuple(pytest.param(name, marks=pytest.mark.stores) for name in ("s3", "gcs"))
STORES = ("local", *OBJECT_STORES)


# gcsfs reads it on its import: the server here does not speak the protocol that it would try for a minute.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")


@dataclass(frozen=True)
class Store:
    """A folder of a store, and the variables a process needs to reach it."""

    root: str
    environment: Mapping[str, str]

    def url(self, *parts: str) -> str:
        """A URL below the root."""
        return storage.join(self.root, *parts)

    def tree(self, *parts: str) -> dict[str, bytes]:
        """Every file of a folder below the root; in manifests the root is called ROOT. How inputs looked when they
        were read (a time, an entity tag) is left out: it is no part of what was read.
        """
        root = self.root.encode()
        names = [name for name in storage.files_below(self.url(*parts)) if not name.startswith(f"{LOOKS_FOLDER}/")]
        files = {name: storage.read_bytes(self.url(*parts, name)) for name in names}
        return {name: data.replace(root, b"ROOT") if name.endswith(".json") else data for name, data in files.items()}


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A bucket on an S3 server."""
    program = _program("SEQ2SEQ_VERSITYGW", "the program versitygw (an S3 server over a folder)")
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    (folder / "data" / BUCKET).mkdir(parents=True)
    keys = ["--access", "test", "--secret", "testtest"]
    command = [program, *keys, "--port", f"127.0.0.1:{port}", "posix", str(folder / "data")]
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "testtest",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with running(command, folder / "log") as server:
        server.await_(lambda: answers(port), "it listens")
        yield Store(f"s3://{BUCKET}", environment)


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A bucket on a Google Cloud Storage server."""
    program = _program("SEQ2SEQ_FAKE_GCS", "the program fake-gcs-server")
    folder, port = tmp_path_factory.mktemp("gcs"), free_port()
    (folder / "data" / BUCKET).mkdir(parents=True)
    host = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    command = [program, *host, "-backend", "filesystem", "-filesystem-root", str(folder / "data")]
    environment = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        "FSSPEC_GCS_TOKEN": "anon",
        "FSSPEC_GCS_PROJECT": "test",
    }
    with running(command, folder / "log") as server:
        server.await_(lambda: answers(port), "it listens")
        yield Store(f"gs://{BUCKET}", environment)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    """A fresh folder on local disk, S3 and Google Cloud Storage in turn."""
    return fresh_store(request.param, request)


@pytest.fixture(params=OBJECT_STORES)
def object_store(request: pytest.FixtureRequest) -> Store:
    """A fresh folder on S3 and Google Cloud Storage in turn."""
    return fresh_store(request.param, request)


def fresh_store(name: str, request: pytest.FixtureRequest) -> Store:
    """A fresh folder on one of `STORES`, which this process can reach until the end of the test."""
    if name == "local":
        return Store(str(request.getfixturevalue("tmp_path") / "store"), {})
    server: Store = request.getfixturevalue(f"{name}_server")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    here: dict[str, dict[str, str]] = {}
    fsspec.config.set_conf_env(here, dict(server.environment))  # which fsspec itself does on its import only
    for protocol, settings in here.items():
        monkeypatch.setitem(fsspec.config.conf, protocol, settings)
    return Store(server.url(uuid.uuid4().hex), server.environment)


def _program(variable: str, what: str) -> str:
    program = os.environ.get(variable)
    if not program:
        pytest.skip(f"set {variable} to {what}")
    return program
