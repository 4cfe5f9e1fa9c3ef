from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pipelines
import seq2seq_core
from seq2seq_core.machine import usable_cores

# What only Linux has of modules that all systems have; and who may ask for it, as it asks first whether it is there.
LINUX_ALONE = {
    "os": "sched_getaffinity sched_setaffinity posix_fadvise posix_fallocate fdatasync memfd_create copy_file_range "
    "splice eventfd pidfd_open getrandom O_TMPFILE O_DIRECT O_NOATIME getxattr setxattr sched_yield fallocate",
    "signal": "SIGRTMIN SIGRTMAX SIGPWR SIGSTKFLT sigtimedwait sigwaitinfo",
    "select": "epoll",
    "fcntl": "F_OFD_SETLK F_SETPIPE_SZ",
    "mmap": "MAP_POPULATE MAP_STACK",
    "socket": "AF_NETLINK SOCK_CLOEXEC SOCK_NONBLOCK",
    "resource": "prlimit RLIMIT_SIGPENDING",
    "time": "CLOCK_BOOTTIME clock_settime pthread_getcpuclockid",
}
GUARDED = {("machine.py", "sched_getaffinity")}


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert usable_cores() == 3


@pytest.mark.parametrize(("count", "cores"), [(8, 8), (None, 1)])
def test_where_the_system_does_not_say_it_is_all_of_them(
    monkeypatch: pytest.MonkeyPatch, count: int | None, cores: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert usable_cores() == cores


def used(path: Path) -> set[str]:
    """Names that a module asks of others, as `os.link`, and those that it imports from them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{name.name}" for name in node.names)
    return names


@pytest.mark.parametrize("package", [pipelines, seq2seq_core])
def test_nothing_that_only_linux_has_is_used_unguarded(package: object) -> None:
    folders = list(package.__path__)  # type: ignore[attr-defined]
    wanted = {f"{module}.{name}" for module, names in LINUX_ALONE.items() for name in names.split()}
    found = {
        (path.name, name.rpartition(".")[2])
        for folder in folders
        for path in Path(folder).rglob("*.py")
        for name in used(path) & wanted
    }
    assert found <= GUARDED


def test_cores_are_counted_in_one_place() -> None:
    counts = {"os.cpu_count", "os.process_cpu_count", "multiprocessing.cpu_count", "psutil.cpu_count"}
    folders = [*pipelines.__path__, *seq2seq_core.__path__]
    assert [path.name for folder in folders for path in Path(folder).rglob("*.py") if used(path) & counts] == [
        "machine.py"
    ]


STREAMS = """
import os, subprocess, sys
from seq2seq_core.machine import open_closed_streams

open_closed_streams()
print("printed")
print("told", file=sys.stderr)
sys.stdin.read()
with open("next", "w") as file:
    assert file.fileno() > 2, file.fileno()
    subprocess.run(["sh", "-c", "echo printed; echo told >&2; cat"], check=True)
assert os.path.getsize("next") == 0
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_lead_nowhere_also_for_what_is_started(closed: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(STREAMS)
    path = os.pathsep.join(str(Path(folder).parent) for folder in seq2seq_core.__path__)
    shell, environment = f'"{sys.executable}" program.py {closed}', {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        ["sh", "-c", shell],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (b"" if ">&-" in closed.replace("2>&-", "") else b"printed\n" * 2)
    assert done.stderr == (b"" if "2>&-" in closed else b"told\n" * 2)
