"""Kernel texts as shared libraries: compiled by g++ once, kept in a cache that only its owner can write."""

from __future__ import annotations

import _ctypes
import ctypes
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
import weakref
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from recurrency.backends._emulated_shim import source
from recurrency.backends._emulated_signature import signatures

COMPILERS = ("g++", "c++", "clang++")
FLAGS = ("-x", "c++", "-std=c++17", "-O0", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden",
         "-fPIC", "-shared", "-pipe")  # fmt: skip
"""To compile takes longer than to run, so nothing is optimised; nothing is contracted to a fused multiply-add."""

MOST_FILES = 4096
"""So many libraries may lie in the cache; then the older half goes."""


class CompileError(RuntimeError):
    """The C++ compiler refuses a kernel text; the message is the compiler's own."""


def compiler() -> str | None:
    """The path of a C++ compiler, or None."""
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def obstacle() -> str | None:
    """Why nothing can be compiled here, or None."""
    if os.name != "posix":
        return f"its libraries can't be unloaded on {platform.system()}; it runs on Linux and macOS"
    return None if compiler() else "needs g++, a C++ compiler, for the kernels; apt-get install g++"


class Library:
    """A compiled kernel text; its code is unloaded with it."""

    def __init__(self, code: str) -> None:
        self.kernels = {kernel.name: kernel for kernel in signatures(code)}
        # Calls keep Python's lock: the indices of block and thread are the library's own variables.
        self._loaded = ctypes.PyDLL(str(_compiled(source(code, tuple(self.kernels.values())))))
        weakref.finalize(self, _ctypes.dlclose, self._loaded._handle).atexit = False

    def launcher(self, name: str) -> partial[None]:
        """Runs all threads of a kernel's grid: a function of grid and block, order, arguments, memory."""
        function: Any = self._loaded[f"launch_{name}"]
        function.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        function.restype = None
        return partial(self._launch, function)

    @staticmethod
    def _launch(function: Callable[..., None], shape: Any, order: int, values: Any, _: object) -> None:
        function(ctypes.addressof(shape), order, ctypes.addressof(values))


_libraries: weakref.WeakValueDictionary[str, Library] = weakref.WeakValueDictionary()


def library(code: str) -> Library:
    """The library of a kernel text, compiled when it is first asked for.

    Raises:
        CompileError: the compiler refuses it. NotImplementedError: see `signatures`.
    """
    found = _libraries.get(code)
    if found is None:
        found = _libraries[code] = Library(code)
    return found


def _compiled(text: str) -> Path:
    """The shared library of a C++ text in the cache."""
    path = compiler()
    if path is None:
        raise CompileError(str(obstacle()))
    about = Path(path).stat()
    made_with = (path, about.st_size, about.st_mtime_ns, platform.machine(), *FLAGS)
    folder = cache_folder()
    target = folder / f"{hashlib.sha256(f'{made_with}{text}'.encode()).hexdigest()[:32]}.so"
    if target.exists():
        target.touch()  # the age says when it was last used
    else:
        _prune(folder)
        _compile(path, text, target)
    return target


def _compile(path: str, text: str, target: Path) -> None:
    """Compile beside the target, then rename: nobody loads half a library."""
    handle, beside = tempfile.mkstemp(prefix=".", suffix=".so", dir=target.parent)
    os.close(handle)
    try:
        said = subprocess.run([path, *FLAGS, "-o", beside, "-"], input=text, capture_output=True, text=True)
        if said.returncode:
            raise CompileError(f"{path} refuses the kernels:\n{said.stderr}")
        Path(beside).chmod(0o700)
        Path(beside).replace(target)
    finally:
        Path(beside).unlink(missing_ok=True)


@cache
def cache_folder() -> Path:
    """Where libraries are kept: the user's own cache, or a folder for this process where that is not safe."""
    try:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = root / "recurrency" / "emulated-kernels"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _only_ours(folder):
            return folder
    except (OSError, RuntimeError):
        pass  # a home that can't be written, or none at all: what follows needs neither
    private = tempfile.TemporaryDirectory(prefix="recurrency-kernels-")
    _private.append(private)
    return Path(private.name)


_private: list[tempfile.TemporaryDirectory[str]] = []
"""Held until the process ends."""


def _only_ours(folder: Path) -> bool:
    """Whether nobody else could have put a library here, which would then be run."""
    about = folder.stat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return about.st_uid == os.getuid() and not about.st_mode & others and os.access(folder, os.W_OK)


def _prune(folder: Path) -> None:
    """Remove the older half of a cache that has grown too large."""
    names = os.listdir(folder)  # noqa: PTH208 - it is called often, and paths take their time
    if len(names) > MOST_FILES:
        for file in sorted((folder / name for name in names), key=_age)[: len(names) // 2]:
            file.unlink(missing_ok=True)


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0  # somebody else has removed it
