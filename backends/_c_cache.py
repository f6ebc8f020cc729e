"""C sources as shared libraries: compiled once, kept in a folder that only its owner can write."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-fPIC",
         "-shared", "-fvisibility=hidden", "-w")  # fmt: skip


class CompileError(RuntimeError):
    """The C compiler refuses a source; the message is the compiler's own."""


@cache
def compiler() -> str | None:
    """The path of a C compiler, or None."""
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def obstacle() -> str | None:
    """Why nothing can be compiled here, or None."""
    return None if compiler() else "it needs a C compiler; apt-get install gcc"


def folder() -> Path:
    root = os.environ.get("RECURRENCY_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "recurrency"
    return Path(root).expanduser() / "c"


def library(source: str) -> ctypes.CDLL:
    """The library of a source."""
    flags = (*FLAGS, *os.environ.get("RECURRENCY_CFLAGS", "").split())
    key = hashlib.sha256("\0".join([source, *flags, str(compiler())]).encode()).hexdigest()[:32]
    path = folder() / f"{key}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            text, out = Path(work) / "source.c", Path(work) / "out.so"
            text.write_text(source, encoding="utf-8")
            done = subprocess.run(
                [str(compiler()), *flags, str(text), "-o", str(out), "-lm"], capture_output=True, text=True
            )
            if done.returncode:
                raise CompileError(done.stderr)
            out.replace(path)
    return ctypes.CDLL(str(path))
