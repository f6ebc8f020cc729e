"""Other programs, run until they end, or ended with all that they have started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

GRACE = 2.0
"""Seconds in which a program that is to end may remove what it has half written."""

STOPPED = (-signal.SIGINT, 128 + signal.SIGINT)
"""Exit codes of a program that somebody has stopped by Ctrl-C, and of a shell whose program was."""

_programs: set[subprocess.Popen[str]] = set()
"""Those that run just now."""


def finished(
    command: Sequence[str], text: str = "", env: Mapping[str, str] | None = None, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program with this input, and give its exit code and what it has written.

    It runs in a group of processes of its own: Ctrl-C reaches this process alone, which then ends the whole group, as
    it does after so many seconds and at any other exception.

    Raises:
        OSError: it can't be run. TimeoutExpired: it took longer. KeyboardInterrupt: it was stopped, or this process.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8", errors="replace", env=env, process_group=0
    ) as program:
        _programs.add(program)
        try:
            out, said = program.communicate(text, seconds)
        except BaseException:
            _end(program)
            raise
        finally:
            _programs.discard(program)
    if program.returncode in STOPPED:
        raise KeyboardInterrupt
    return subprocess.CompletedProcess(command, program.returncode, out, said)


def end_all() -> None:
    """End all that run just now, in whatever thread."""
    for program in tuple(_programs):
        _signal(program, signal.SIGKILL)


def _end(program: subprocess.Popen[str]) -> None:
    """End a program and what it has started: asked first, so that it can clean up."""
    _signal(program, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(GRACE)
    _signal(program, signal.SIGKILL)
    program.wait()


def _signal(program: subprocess.Popen[str], number: int) -> None:
    """Send a signal to the group; it may have ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)
