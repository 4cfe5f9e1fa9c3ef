"""The environment torchrun sets in; this process's place among its peers, its device, and sums over all of them out."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import torch
import torch.distributed as dist

# Here, so that it is imported before a group begins (DDP would import it after that): its functions take the group of
# that moment as a default argument, and would keep it for good.
import torch.distributed.nn.functional
from torch import Tensor, nn
from torch.distributed import Store  # type: ignore[attr-defined]  # it has it where it is built with it
from torch.nn.parallel import DistributedDataParallel

from seq2seq_core.errors import ConfigError, TrainingError
from seq2seq_core.machine import usable_cores
from seq2seq_core.training.processes.meeting import meet
from seq2seq_core.training.processes.parent import follow_launcher
from seq2seq_core.training.processes.place import Place, find_place
from seq2seq_core.training.processes.pulse import Pulse
from seq2seq_core.training.processes.sharding import Sharding, ShardingConfig, build_sharding

DeviceName = Literal["auto", "cpu", "cuda"]

LATE_MINUTES = 30.0
_LATER, _LEAST_SECONDS = 2.0, 60.0
"""The group itself gives up later than who names the late one, as it does not."""


@dataclass(frozen=True)
class World:
    """The processes that train together; a world of one has no process group.

    Attributes:
        sharding: How weights are spread over them; None: each has all.
        pulse: How they know which of them is late; None in a world of one.
    """

    rank: int
    size: int
    local_size: int
    device: torch.device
    sharding: Sharding | None = None
    pulse: Pulse | None = None

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and logs for all."""
        return self.rank == 0

    @contextlib.contextmanager
    def exchanging(self) -> Iterator[None]:
        """All processes come here, and none goes on without the others: who is late for it is named in the end."""
        with self.pulse.exchanging() if self.pulse else contextlib.nullcontext():
            yield

    def sum(self, values: Tensor) -> Tensor:
        """The element-wise sum over all processes, in place; every process gets the same bits."""
        if self.size > 1:
            with self.exchanging():
                dist.all_reduce(values)
        return values

    def most(self, count: int) -> int:
        """The largest count of all processes."""
        if self.size == 1:
            return count
        counts = torch.tensor(count)
        with self.exchanging():
            dist.all_reduce(counts, dist.ReduceOp.MAX)
        return int(counts)

    def agree(self, mine: object) -> Any:
        """Rank 0's object, on every process."""
        if self.size == 1:
            return mine
        holder = [mine]
        with self.exchanging():
            dist.broadcast_object_list(holder, src=0)
        return holder[0]

    def gather(self, mine: object) -> list[Any]:
        """Every process's object, by rank, on every process."""
        if self.size == 1:
            return [mine]
        holder: list[object] = [None] * self.size
        with self.exchanging():
            dist.all_gather_object(holder, mine)
        return holder

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Fill the tensors of every process with rank 0's, in place."""
        with self.exchanging():
            for tensor in tensors if self.size > 1 else ():
                dist.broadcast(tensor, src=0)

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.size > 1:
            with self.exchanging():
                dist.barrier()

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model as it is called in training: its gradients become the mean over all processes."""
        if self.size == 1:
            return model
        if self.sharding is not None:
            return self.sharding.wrapped(model)
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, gradient_as_bucket_view=True)

    def sharded(self, config: ShardingConfig, *, bfloat16: bool) -> World:
        """This world with its weights spread as a configuration says; see `build_sharding`. All processes call this."""
        machine = self.agree(self.local_size)
        found = build_sharding(config, self.size, machine, self.device, bfloat16=bfloat16)
        return dataclasses.replace(self, sharding=found)


@contextlib.contextmanager
def joined(device: DeviceName, late_minutes: float = LATE_MINUTES) -> Iterator[World]:
    """The world torchrun describes (one process where it does not); left again when the block ends.

    A process that waits for another one for so many minutes ends, see `Pulse`.

    Nothing made in the block that holds the process group, such as the model of `World.parallel`, may outlive it. The
    group's threads live as long as the group is held, and abort the process if they release a tensor of a collective
    while the interpreter ends.

    Raises:
        ConfigError: torchrun's variables are wrong; CUDA is asked for and absent, or has fewer devices than processes.
        TrainingError: The processes do not find one another.
    """
    place = find_place()
    follow_launcher(place)
    where = _device(device, place.local_rank, place.local_size)
    if where.type == "cpu" and place.local_size > 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads_per_process(usable_cores(), place.local_size))
    world = World(place.rank, place.size, place.local_size, where)
    if place.size == 1:
        yield world
        return
    seconds = 60 * late_minutes
    store = _connect(place, "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo", _LATER * seconds)
    apart = store.clone()  # type: ignore[attr-defined]  # its stubs leave it out
    pulse = Pulse(apart, place.rank, place.size, seconds)
    try:
        yield dataclasses.replace(world, pulse=pulse)
    finally:
        pulse.close()
    gc.collect()  # the parallel model is part of a cycle, and holds the group
    dist.destroy_process_group()  # not after an error: it would wait for peers that wait for this process


def threads_per_process(cores: int, processes: int) -> int:
    """Threads each of several processes on one machine may use without getting into each other's way."""
    return max(1, cores // processes)


def _connect(place: Place, backend: str, seconds: float) -> Store:
    """Make the group; the store of its processes. An exchange that takes so many seconds fails."""
    store = meet(place)
    timeout = timedelta(seconds=max(seconds, _LEAST_SECONDS))
    try:
        dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.size, timeout=timeout)
        return store
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            "the processes have met, and cannot connect",
            where=f"rank {place.rank} of {place.size} at {place.meeting}",
            found=str(error).strip().splitlines()[0],
            advice="See that the machines reach one another by name; GLOO_SOCKET_IFNAME or NCCL_SOCKET_IFNAME names "
            "the network to use.",
        ) from error


def _device(name: DeviceName, local_rank: int, local_size: int) -> torch.device:
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if count < local_size:
        raise ConfigError(
            "more processes than GPUs on this machine",
            where="device",
            found=f"{local_size} processes, {count} GPUs",
            advice="Start at most one process for each GPU, or set --device cpu.",
        )
    place = torch.device("cuda", local_rank)
    torch.cuda.set_device(place)
    return place
