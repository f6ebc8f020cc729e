"""Runs other programs; if they are stopped, their child processes are stopped as well."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import TypeAlias

GRACE = 2.0
"""Seconds that a program has to clean up before it is killed."""

TURN = 0.1
"""Seconds after which the main thread looks whether Ctrl-C has come: a signal that another thread receives, or that
comes just before a thread waits, wakes nobody."""

STOPPED = (-signal.SIGINT, 128 + signal.SIGINT)
"""Exit codes of a program that was stopped by Ctrl-C, and of a shell whose program was."""

Program: TypeAlias = "subprocess.Popen[str]"

_programs: set[Program] = set()
"""The programs that are running."""

_starting = threading.RLock()
"""Held while a program starts, up to its place among the others."""

_over = False
"""Whether this process is to end, so that nothing starts any more."""


def unseen(program: Program) -> None:
    """Nobody wants to know that a program has started."""


def finished(
    command: Sequence[str],
    text: str = "",
    env: Mapping[str, str] | None = None,
    seconds: float | None = None,
    started: Callable[[Program], None] = unseen,
) -> subprocess.CompletedProcess[str]:
    """Run a program with `text` as its input, and return its exit code and output; `started` is told when it runs.

    It gets its own process group. Ctrl-C reaches this process only, which then stops the whole group; it also does so
    after `seconds`, and at any other exception. Where Ctrl-C does not stop this process, as in training, it may still
    stop a program that has not left our group yet: so it is run twice if need be.

    Raises:
        OSError: the program can't be run. TimeoutExpired: it took longer than `seconds`. KeyboardInterrupt: the program
            or this process was stopped.
    """
    for _ in range(2):
        program, out, said = _finished(command, text, env, seconds, started)
        if program.returncode not in STOPPED:
            return subprocess.CompletedProcess(command, program.returncode, out, said)
    raise KeyboardInterrupt


def _finished(
    command: Sequence[str],
    text: str,
    env: Mapping[str, str] | None,
    seconds: float | None,
    started: Callable[[Program], None],
) -> tuple[Program, str, str]:
    """A program that has ended, and its output."""
    program = None
    try:
        with ctrl_c_deferred(), _starting:
            program = _started(command, env)
        started(program)
        return program, *_communicated(program, text, seconds)
    except BaseException:
        if program is not None:
            end(program)
        raise
    finally:
        if program is not None:
            with program:  # which closes its pipes
                _programs.discard(program)


def _started(command: Sequence[str], env: Mapping[str, str] | None) -> Program:
    """A program that runs, unless this process is to end."""
    if _over:
        raise KeyboardInterrupt
    pipe = subprocess.PIPE
    program = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace", env=env, process_group=0
    )
    _programs.add(program)
    return program


def _communicated(program: Program, text: str, seconds: float | None) -> tuple[str, str]:
    """The output of a program for an input.

    Raises:
        TimeoutExpired: it took longer than so many seconds.
    """
    until = math.inf if seconds is None else time.monotonic() + seconds
    given: str | None = text
    while True:
        try:
            return program.communicate(given, min(TURN, until - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            if seconds is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired(program.args, seconds) from error
            given = None


@contextlib.contextmanager
def ctrl_c_deferred() -> Iterator[None]:
    """Raise Ctrl-C only at the end of the block: inside `Popen` it would leave a program that nobody knows."""
    asked: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        for number in asked:
            signal.raise_signal(number)


def end_all() -> None:
    """Kill all running programs, whichever thread started them; none starts afterwards: this process is to end."""
    global _over
    _over = True
    _starting.acquire(timeout=GRACE)
    for program in tuple(_programs):
        _signal(program, signal.SIGKILL)


def _forget() -> None:
    """Forget the programs of the parent process."""
    global _over, _starting
    _over, _starting = False, threading.RLock()
    _programs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def end(*programs: Program) -> None:
    """Stop programs and their child processes: all are terminated first, so that they can clean up, then killed.

    A second Ctrl-C is raised afterwards.
    """
    with ctrl_c_deferred():
        for program in programs:
            _signal(program, signal.SIGTERM)
        until = time.monotonic() + GRACE
        for program in programs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(max(0.0, until - time.monotonic()))
        for program in programs:
            _signal(program, signal.SIGKILL)
        for program in programs:
            program.wait()


def _signal(program: Program, number: int) -> None:
    """Send a signal to the process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)
