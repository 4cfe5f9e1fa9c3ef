"""`storage` on real stores behind a proxy that is busy, loses answers or breaks off."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import fsspec.config
import pytest

from seq2seq_core import storage
from seq2seq_core.errors import StorageError
from tests.stores import OBJECT_STORES, Store

BUSY = 503
CONFLICT = b"<Error><Code>ConditionalRequestConflict</Code><Message>one is under way</Message></Error>"
# What a proxy does with a request, by method and path: pass it on (None), an answer of its own, or "lose the answer".
Fault = Callable[[str, str], "tuple[int, bytes] | str | None"]


class _Handler(BaseHTTPRequestHandler):
    """Passes requests on to the store under the host name they were signed for."""

    protocol_version = "HTTP/1.1"
    upstream: ClassVar[str]
    fault: ClassVar[Fault]

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = type(self).fault(self.command, self.path)
        if isinstance(fault, tuple):
            self._answer(fault[0], fault[1], {})
            return
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if fault is not None:
            self.close_connection = True
            return
        self._answer(answer.status, data, dict(answer.getheaders()))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle

    def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


class Times:
    """A fault of the first so many requests that match."""

    def __init__(self, count: int, fault: tuple[int, bytes] | str, matches: Callable[[str, str], bool]) -> None:
        self.left = count
        self._fault = fault
        self._matches = matches
        self._lock = threading.Lock()

    def __call__(self, method: str, path: str) -> tuple[int, bytes] | str | None:
        with self._lock:
            if not self.left or not self._matches(method, path):
                return None
            self.left -= 1
            return self._fault


@pytest.fixture
def behind(object_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Fault], None]]:
    """Puts a proxy with a fault between this process and the store."""
    servers: list[ThreadingHTTPServer] = []

    def start(fault: Fault) -> None:
        endpoint = object_store.environment.get("AWS_ENDPOINT_URL") or object_store.environment["STORAGE_EMULATOR_HOST"]
        handler = type("Handler", (_Handler,), {"upstream": endpoint.removeprefix("http://"), "fault": fault})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        protocol = "s3" if object_store.root.startswith("s3") else "gcs"
        settings = fsspec.config.conf.get(protocol, {}) | {"endpoint_url": f"http://127.0.0.1:{server.server_port}"}
        monkeypatch.setitem(fsspec.config.conf, protocol, settings)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def is_write(method: str, path: str) -> bool:
    return method == "PUT" or (method == "POST" and "upload" in path)


def test_a_busy_store_is_asked_again(object_store: Store, behind: Callable[[Fault], None]) -> None:
    url = object_store.url("x")
    for action in (
        lambda: storage.publish_bytes(url, b"one"),
        lambda: storage.read_bytes(url),
        lambda: storage.list_folder(object_store.root),
        lambda: storage.exists(url),
        lambda: storage.remove(url),
    ):
        busy = Times(1, (BUSY, b""), lambda method, path: True)
        behind(busy)
        action()
        assert not busy.left
    assert not storage.exists(url)


def test_who_creates_knows_it_even_when_the_answer_is_lost(
    object_store: Store, behind: Callable[[Fault], None]
) -> None:
    lost = Times(1, "lose the answer", is_write)
    behind(lost)
    assert storage.create_exclusively(object_store.url("x"), b"one")
    assert not lost.left
    assert not storage.create_exclusively(object_store.url("x"), b"one")
    assert storage.read_bytes(object_store.url("x")) == b"one"


@pytest.mark.parametrize("object_store", OBJECT_STORES[:1], indirect=True)  # only S3 answers so
def test_a_conflict_of_conditional_writes_is_tried_again(object_store: Store, behind: Callable[[Fault], None]) -> None:
    conflict = Times(2, (409, CONFLICT), is_write)
    behind(conflict)
    assert storage.create_exclusively(object_store.url("x"), b"one")
    assert not conflict.left
    behind(Times(99, (409, CONFLICT), is_write))
    with pytest.raises(StorageError, match=r"the store refuses; found .*under way"):
        storage.create_exclusively(object_store.url("y"), b"one")


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_of_a_broken_upload_nothing_is_seen(object_store: Store, behind: Callable[[Fault], None]) -> None:
    """The second part of a large file is refused: there is no object, no half of one, and no part is left behind."""
    parts: list[str] = []

    def second_part(method: str, path: str) -> tuple[int, bytes] | None:
        is_part = "partNumber=" in path or "upload_id=" in path
        if not is_part or method == "DELETE":
            return None
        parts.append(path)
        return (403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>") if len(parts) > 1 else None

    behind(second_part)
    with pytest.raises(StorageError, match="large"), storage.publish(object_store.url("large")) as out:
        out.write(bytes(120 << 20))
    assert len(parts) > 1
    assert not storage.exists(object_store.url("large"))
    assert storage.list_folder(object_store.root) == []


def test_a_store_that_does_not_answer_is_named(object_store: Store, behind: Callable[[Fault], None]) -> None:
    behind(lambda method, path: (403, b"<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"))
    for action in (storage.read_bytes, storage.exists, lambda url: storage.publish_bytes(url, b"")):
        with pytest.raises(StorageError, match=rf"{object_store.url('x')}: (access is denied|the store refuses)"):
            action(object_store.url("x"))
