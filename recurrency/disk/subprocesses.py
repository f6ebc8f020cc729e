"""Runs other programs; if they are stopped, their child processes are stopped as well."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import TypeAlias

GRACE = 2.0
"""Seconds that a program has to clean up before it is killed."""

STOPPED = (-signal.SIGINT, 128 + signal.SIGINT)
"""Exit codes of a program that was stopped by Ctrl-C, and of a shell whose program was."""

Program: TypeAlias = "subprocess.Popen[str]"

_programs: set[Program] = set()
"""The programs that are running."""


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
    after `seconds`, and at any other exception.

    Raises:
        OSError: the program can't be run. TimeoutExpired: it took longer than `seconds`. KeyboardInterrupt: the program
            or this process was stopped.
    """
    pipe = subprocess.PIPE
    with _ctrl_c_deferred() as asked:
        program = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace", env=env, process_group=0
        )
        _programs.add(program)
    with program:
        try:
            started(program)
            for number in asked:
                signal.raise_signal(number)
            out, said = program.communicate(text, seconds)
        except BaseException:
            end(program)
            raise
        finally:
            _programs.discard(program)
    if program.returncode in STOPPED:
        raise KeyboardInterrupt
    return subprocess.CompletedProcess(command, program.returncode, out, said)


@contextlib.contextmanager
def _ctrl_c_deferred() -> Iterator[list[int]]:
    """Collect Ctrl-C instead of raising it: inside `Popen` it would leave a program that nobody knows."""
    asked: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield asked
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def end_all() -> None:
    """Kill all running programs, whichever thread started them."""
    for program in tuple(_programs):
        _signal(program, signal.SIGKILL)


def end(program: Program) -> None:
    """Stop a program and its child processes: it is terminated first, so that it can clean up, then killed."""
    _signal(program, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(GRACE)
    _signal(program, signal.SIGKILL)
    program.wait()


def _signal(program: Program, number: int) -> None:
    """Send a signal to the process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)
