"""Nothing in; two machines out, as network namespaces that a cable joins, or the reason why there are none."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

INTERFACE = "eth0"


@dataclass(frozen=True)
class Machine:
    """A namespace, and its address."""

    name: str
    address: str

    def command(self, *words: str) -> tuple[str, ...]:
        """What runs a command there."""
        return ("ip", "netns", "exec", self.name, *words)

    def unplug(self) -> None:
        """From now on nothing comes from there, not even that a connection is closed."""
        _do("ip", "-n", self.name, "link", "set", INTERFACE, "down")


@contextlib.contextmanager
def machines() -> Iterator[tuple[Machine, Machine]]:
    """Two of them; the test is skipped where they cannot be made."""
    if shutil.which("ip") is None:
        pytest.skip("network namespaces need the command ip")
    first, second = (Machine(f"seq2seq{os.getpid()}{end}", f"10.77.7.{end}") for end in (1, 2))
    with contextlib.ExitStack() as stack:
        try:
            for machine in (first, second):
                _do("ip", "netns", "add", machine.name)
                stack.callback(_do, "ip", "netns", "del", machine.name)
            ends = ("name", INTERFACE, "netns", first.name, "type", "veth")
            _do("ip", "link", "add", *ends, "peer", "name", INTERFACE, "netns", second.name)
            for machine in (first, second):
                _do("ip", "-n", machine.name, "address", "add", f"{machine.address}/24", "dev", INTERFACE)
                for interface in (INTERFACE, "lo"):
                    _do("ip", "-n", machine.name, "link", "set", interface, "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield first, second


def _do(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)
