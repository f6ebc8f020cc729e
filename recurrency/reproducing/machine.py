"""What a number was measured on: the processor, and the state of the source code."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path

from recurrency.disk.subprocesses import finished
from recurrency.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
CODE = ("recurrency", "backends", "grammars", "specs", "pyproject.toml")
"""What results depend on, below the root of a checkout."""

SETS = {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}
"""Flag in /proc/cpuinfo -> the widest instruction set that it stands for, the widest first."""


@cache
def processor() -> str:
    """The model of the processor and its widest vector instructions: `AMD EPYC (AVX2)`."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine() or "an unknown processor"
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    vectors = next((words for flag, words in SETS.items() if flag in known), "")
    name = " ".join(model[1].split()) if model else platform.machine()
    return f"{name} ({vectors})" if vectors else name


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def source(root: Path = ROOT) -> str:
    """The commit of the checkout that runs, and whether its code was changed since; without a checkout, the version.

    Only files that a number depends on count: kept results and other pages may change while runs go on.
    """
    if not (root / ".git").exists():
        return f"recurrency {VERSION}"
    try:
        commit = finished(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"], seconds=10)
        changes = finished(["git", "-C", str(root), "status", "--porcelain", "--", *CODE], seconds=10)
    except (OSError, subprocess.TimeoutExpired):
        return f"recurrency {VERSION}"
    if commit.returncode or changes.returncode:
        return f"recurrency {VERSION}"
    return commit.stdout.strip() + (" with changes" if changes.stdout.strip() else "")
