"""Compilers that run in the background, so that several programs compile at the same time, and beside Python's work."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable

from recurrency.disk.subprocesses import Program, end

Compile = Callable[[Callable[[Program], None]], bytes]
"""Compiles something, and tells its argument which program does so."""


class Job:
    """One thread that waits for a compiler."""

    def __init__(self, compiles: Compile) -> None:
        self._compiles = compiles
        self._done = threading.Event()
        self._stopped = False
        self._program: Program | None = None
        self._data = b""
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="recurrency-compiler", daemon=True).start()

    def _run(self) -> None:
        try:
            self._data = self._compiles(self._started)
        except BaseException as error:  # it is for whoever waits
            self._error = error
        finally:
            self._done.set()

    def _started(self, program: Program) -> None:
        self._program = program
        if self._stopped:
            end(program)

    @property
    def running(self) -> bool:
        """Whether it is not finished."""
        return not self._done.is_set()

    def result(self) -> bytes:
        """What was compiled. Ctrl-C while one waits stops the compiler.

        Raises:
            CompileError: the compiler refuses the source.
        """
        try:
            self._done.wait()
        except BaseException:
            self.stop()
            raise
        if self._error is not None:
            raise self._error
        return self._data

    def stop(self) -> None:
        """Stop the compiler, and wait until its files are removed."""
        self._stopped = True
        if self._program is not None and self.running:
            end(self._program)
        self._done.wait()


_jobs: dict[str, Job] = {}


def begin(name: str, compiles: Compile, most: int) -> bool:
    """Compile in the background, under a name, unless `most` others do so already; whether it is being compiled now."""
    if name not in _jobs and sum(job.running for job in tuple(_jobs.values())) < most:
        _jobs[name] = Job(compiles)
    return name in _jobs


def taken(name: str) -> Job | None:
    """The job with this name, for one who then waits for it; None if nobody began it."""
    return _jobs.pop(name, None)


@atexit.register
def _stop_all() -> None:
    """Leave no compiler behind that nobody waits for."""
    for job in tuple(_jobs.values()):
        job.stop()


def _forget() -> None:
    """Forget the jobs of the parent process, whose threads wait for them."""
    _jobs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
