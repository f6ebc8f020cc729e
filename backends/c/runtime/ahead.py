"""Compilers that run in the background, so that several programs compile at the same time, and beside Python's work."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Collection

from recurrency.disk.subprocesses import TURN, Program, ctrl_c_deferred, end

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

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: this process can start no more of them.
        """
        _running.add(self)
        try:
            threading.Thread(target=self._run, name="recurrency-compiler", daemon=True).start()
        except RuntimeError:
            _running.discard(self)
            raise

    def _run(self) -> None:
        try:
            self._data = self._compiles(self._started)
        except BaseException as error:  # it is for whoever waits
            self._error = error
        finally:
            _running.discard(self)
            self._done.set()

    def _started(self, program: Program) -> None:
        self._program = program
        if self._stopped:
            end(program)

    def result(self) -> bytes:
        """What the function returned. Ctrl-C while one waits stops the compiler.

        Raises:
            CompileError: the compiler refuses the source.
        """
        try:
            while not self._done.wait(TURN):
                pass
        except BaseException:
            _stop((self,))
            raise
        if self._error is not None:
            raise self._error
        return self._data

    def stopping(self) -> Program | None:
        """The program to stop now; one that starts later is stopped at once."""
        self._stopped = True
        return self._program

    def wait(self) -> None:
        """Wait until its program has ended and its files are removed."""
        self._done.wait()


_jobs: dict[str, Job] = {}
"""Those that nobody has waited for yet."""
_running: set[Job] = set()
"""Those whose thread is not finished."""


def begin(name: str, compiles: Compile, most: int) -> bool:
    """Compile in the background, under a name, unless `most` others do so already; whether that has begun.

    Ctrl-C is raised when the job is known to this module: in the middle it would leave a compiler behind.
    """
    with ctrl_c_deferred():
        if name not in _jobs and len(_running) < most:
            job = Job(compiles)
            with contextlib.suppress(RuntimeError):
                job.start()
                _jobs[name] = job
    return name in _jobs


def result(name: str) -> bytes | None:
    """Wait for the job with this name, and forget it; None if nobody began it. See `Job.result`."""
    try:
        job = _jobs.get(name)
        return None if job is None else job.result()
    finally:
        _jobs.pop(name, None)


def _stop(jobs: Collection[Job]) -> None:
    """Stop compilers, and wait until their files are removed."""
    programs = [job.stopping() for job in jobs]
    end(*(program for program in programs if program is not None))
    for job in jobs:
        job.wait()


@atexit.register
def _stop_all() -> None:
    """Leave no compiler behind."""
    _stop(tuple(_running))


def _forget() -> None:
    """Forget the jobs of the parent process, whose threads wait for them."""
    _jobs.clear()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
