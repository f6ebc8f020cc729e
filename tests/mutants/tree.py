"""A copy of the sources in which files may be changed: the tree itself is never touched."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("backends", "grammars", "specs")
"""Folders that are packages within `recurrency`."""
LEFT_OUT = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__", "mutants-out"}
COLLECTED, NO_TESTS = 2, 5
"""Exit codes of pytest: an error before any test ran, and no test that was asked for."""
CRASHES = tuple(-s for s in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT))
"""Signals that a process gets for what it did itself. Any other came from outside."""


@dataclass(frozen=True)
class Outcome:
    """How tests ended: `passed`, `failed`, `late`, `interrupted` from outside, or `none` where nothing was run."""

    word: str
    seconds: float
    said: str


class Tree:
    """The copy, in which Python finds the package before any other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(ROOT, folder, ignore=lambda _, names: LEFT_OUT.intersection(names))
        for name in LINKED:
            (folder / "recurrency" / name).symlink_to(Path("..") / name)

    def text(self, file: str) -> str:
        """What a file holds."""
        return (self.folder / file).read_text(encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        """Change a file."""
        (self.folder / file).write_text(text, encoding="utf-8")

    def tests(self, asked: str, limit: float) -> Outcome:
        """Run tests up to the first that fails; what is not done in time is stopped with all that it started."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-m",
            "not long",
            *shlex.split(asked),
        ]
        settings = {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        start = time.monotonic()
        settings |= {name: value for name, value in os.environ.items() if name not in settings}
        piped: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        process = subprocess.Popen(command, cwd=self.folder, env=settings, start_new_session=True, **piped)
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            return Outcome("late", time.monotonic() - start, said[-2000:])
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return Outcome(word(process.returncode, said), time.monotonic() - start, said[-2000:])


def word(code: int, said: str) -> str:
    """What an exit code of pytest says of the tests."""
    if code == COLLECTED:
        return "interrupted" if "KeyboardInterrupt" in said else "failed"
    if code in (NO_TESTS, 0, 1):
        return {NO_TESTS: "none", 0: "passed", 1: "failed"}[code]
    return "failed" if code in CRASHES else "interrupted" if code < 0 else "none"
