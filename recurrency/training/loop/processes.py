"""Data-parallel processes started by `torchrun`: the rank of this one, and sums over all."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurrency.errors import RecurrencyError, UsageError
from recurrency.extras import install

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""The environment variables that `torchrun` sets."""

PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others."""


class LostError(RecurrencyError):
    """Another process has ended, or can't be reached."""


@dataclass
class Processes:
    """All processes that train together; `rank` counts from 0 to `size` - 1."""

    rank: int = 0
    size: int = 1
    interrupted: bool = field(default=False, repr=False)
    """Whether this process got Ctrl-C."""

    @property
    def first(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0

    def sum(self, *arrays: NDArray[Any]) -> None:
        """Replace each array by its sum over all processes, with the same bits in all of them.

        Raises:
            LostError: a process has ended.
        """
        if self.size == 1:
            return
        import torch.distributed as dist
        from torch import from_numpy

        with _reached():
            for array in arrays:
                dist.all_reduce(from_numpy(array))

    def send(self, array: NDArray[Any], rank: int) -> None:
        """Send an array to one process, and wait until it is received.

        Raises:
            LostError: a process has ended.
        """
        import torch.distributed as dist
        from torch import from_numpy

        with _reached():
            dist.send(from_numpy(array), rank)

    def receive(self, array: NDArray[Any], rank: int) -> None:
        """Fill an array with the one that a process sends.

        Raises:
            LostError: a process has ended.
        """
        import torch.distributed as dist
        from torch import from_numpy

        with _reached():
            dist.recv(from_numpy(array), rank)

    def all_interrupted(self) -> bool:
        """Whether any process got Ctrl-C; all of them see it at the same step."""
        asked = np.array([float(self.interrupted)])
        self.sum(asked)
        return bool(asked[0])


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise LostError(f"another process has ended or can't be reached: {_head(error)}") from error


def _head(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


ALONE = Processes()


@contextlib.contextmanager
def joined(environment: Mapping[str, str] = os.environ) -> Iterator[Processes]:
    """The processes that `torchrun` started, connected within this context; else this one alone.

    Raises:
        UsageError: PyTorch is missing. LostError: the others do not connect.
    """
    if any(name not in environment for name in NEEDED) or int(environment["WORLD_SIZE"]) == 1:
        yield ALONE
        return
    processes = Processes(int(environment["RANK"]), int(environment["WORLD_SIZE"]))
    with _group(processes), _stopping(processes):
        try:
            yield processes
        except RecurrencyError as error:
            error.args = (f"process {processes.rank} of {processes.size}: {error}",)
            raise


@contextlib.contextmanager
def _group(processes: Processes) -> Iterator[None]:
    try:
        import torch
        import torch.distributed as dist
    except ImportError:
        what = f"this is one of {processes.size} processes (WORLD_SIZE)"
        raise UsageError(f"{what}, which talk to one another by PyTorch: {install('torch')}") from None
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        dist.init_process_group(backend, timeout=PATIENCE)
    except RuntimeError as error:
        raise LostError(f"process {processes.rank} can't reach the others: {_head(error)}") from error
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def _stopping(processes: Processes) -> Iterator[None]:
    """Ctrl-C is kept until the next step, so that no process waits for one that has left."""

    def stop(number: int, frame: object) -> None:
        processes.interrupted = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
