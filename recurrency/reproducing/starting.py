"""Starts jobs: each in one process, or in several that train together; and stops them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from recurrency.errors import RecurrencyError, UsageError
from recurrency.reproducing.child import FAILED, perform
from recurrency.reproducing.plan import Job
from recurrency.reproducing.store import Place
from recurrency.training.loop.processes import NEEDED

THREADS = ("RECURRENCY_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables for the number of threads: each process has one."""

GENTLE = (0.0, 20.0)
"""Seconds after which a job that is to stop gets an interrupt: after the first it makes a checkpoint."""
GRACE = 45.0
"""Seconds after which it is killed."""


class Started(Protocol):
    """A job that was started."""

    def code(self) -> int | None:
        """The exit code, or None while it runs."""

    def stop(self) -> None:
        """Ask it to stop, and insist with time; to be called again until it has ended."""

    def kill(self) -> None:
        """End it at once."""


class Start(Protocol):
    """Starts a job."""

    def __call__(self, job: Job, place: Place, trains: bool) -> Started:
        """Start it; one that does not train only computes its values.

        Raises:
            UsageError: it can't be started.
        """


@dataclass
class Children:
    """The processes of one job, each in a process group of its own."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    asked: float | None = None
    """When it was first asked to stop."""
    interrupts: int = 0

    def code(self) -> int | None:
        """The first exit code that is not 0, once all have ended."""
        codes = [process.poll() for process in self.processes]
        if any(code is None for code in codes):
            return None
        self._close()
        return next((code for code in codes if code), 0)

    def stop(self) -> None:
        """Send the interrupts that are due."""
        now = time.monotonic()
        self.asked = now if self.asked is None else self.asked
        if now - self.asked > GRACE:
            self.kill()
        elif self.interrupts < len(GENTLE) and now - self.asked >= GENTLE[self.interrupts]:
            self.interrupts += 1
            self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill all processes and wait for their end."""
        self._signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self._close()

    def _signal(self, number: int) -> None:
        for process in self.processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)

    def _close(self) -> None:
        """Close the pipes whose end tells the processes to stop."""
        for process in self.processes:
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()


def in_processes(job: Job, place: Place, trains: bool) -> Children:
    """Start a job in processes of its own, which write to its log. They end when this process does.

    Several processes find one another by the environment variables that `torchrun` sets, too.
    """
    wanted = [json.dumps([one.value, dict(one.options)]) for one in job.wanted]
    paths, what = (str(place.experiment), str(place.folder)), "train" if trains else "measure"
    command = [sys.executable, "-m", "recurrency.reproducing.child", *paths, what, *wanted]
    common = {name: value for name, value in os.environ.items() if name not in NEEDED} | dict.fromkeys(THREADS, "1")
    children = Children()
    try:
        with place.log.open("ab") as log:
            for env in _environments(job.processes if trains else 1):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**common, **env},
                    process_group=0,
                )
                children.processes.append(process)
    except OSError as error:
        children.kill()
        raise UsageError(f"{job.name} can't be started: {error.strerror or error}") from error
    except BaseException:
        children.kill()
        raise
    return children


def _environments(count: int) -> list[dict[str, str]]:
    """The variables of each of `count` processes that train together."""
    if count == 1:
        return [{}]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


@dataclass(frozen=True)
class Ended:
    """A job that has run in this process."""

    found: int

    def code(self) -> int | None:
        """The exit code."""
        return self.found

    def stop(self) -> None:
        """It has ended."""

    def kill(self) -> None:
        """It has ended."""


def in_this_process(job: Job, place: Place, trains: bool) -> Ended:
    """Run a job here, without a second process; for tests."""
    with place.log.open("a", encoding="utf-8") as log:

        def write(text: str) -> None:
            log.write(f"{text}\n")

        try:
            return Ended(perform(place.experiment, place.folder, list(job.wanted), write, trains))
        except (RecurrencyError, OSError) as error:
            write(f"error: {error}")
            return Ended(FAILED)


def reason(log: Path, code: int) -> str:
    """Why a job failed: the last error in its log, else the signal or exit code."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65536))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        return f"the process was ended by {name}"
    found = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), "")
    return (found or next((line for line in reversed(lines) if line.strip()), f"exit code {code}"))[:500]
