"""Compiles kernel texts to shared libraries with g++, once each, and keeps these in a cache of the user."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from recurrency.disk.cache import most_bytes, private_folder, prune, store
from recurrency.disk.libraries import CompileError, LockedLibrary, kept, opened
from recurrency.disk.subprocesses import finished
from recurrency.errors import UsageError

from .shim import source
from .signature import signatures

COMPILERS = ("g++", "c++", "clang++")
FLAGS = tuple(
    "-x c++ -std=c++17 -O0 -ffp-contract=off -fno-exceptions -fno-rtti -fvisibility=hidden -fPIC -shared -pipe".split()
)
"""Nothing is optimised, because compiling takes longer than running; no fused multiply-add."""

MOST_FILES = 4096
"""The greatest number of libraries in the cache; beyond it, the oldest are removed."""


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
        # Calls keep Python's lock, because the indices of block and thread are global variables of the library.
        self._loaded = _loaded(source(code, tuple(self.kernels.values())))

    def launcher(self, name: str) -> partial[None]:
        """A function that runs all threads of a kernel's grid; it takes grid and block, order, arguments, memory."""
        function: Any = self._loaded[f"launch_{name}"]
        function.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        function.restype = ctypes.c_int
        return partial(self._launch, name, function)

    @staticmethod
    def _launch(name: str, function: Callable[..., int], shape: Any, order: int, values: Any, _: object) -> None:
        if function(ctypes.addressof(shape), order, ctypes.addressof(values)):
            raise RuntimeError(f"kernel {name}: some threads of a block wait for others that never come")


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


def _loaded(text: str) -> LockedLibrary:
    """The shared library of a C++ text, from the cache or compiled now."""
    path = compiler()
    if path is None:
        raise CompileError(str(obstacle()))
    about = Path(path).stat()
    made_with = (path, about.st_size, about.st_mtime_ns, platform.machine(), *FLAGS)
    folder = cache_folder()
    target = folder / f"{hashlib.sha256(f'{made_with}{text}'.encode()).hexdigest()[:32]}.so"
    try:
        return opened(target, LockedLibrary)
    except OSError:  # not there, or damaged
        data = _compile(path, text)
    _prune(folder)
    return kept(target, data, LockedLibrary)


def _compile(path: str, text: str) -> bytes:
    """The bytes of the library of a C++ text."""
    with tempfile.TemporaryDirectory(prefix="recurrency-") as work:
        out = Path(work) / "library.so"
        said = finished([path, *FLAGS, "-o", str(out), "-"], text)
        if said.returncode:
            raise CompileError(f"{path} refuses the kernels:\n{said.stderr}")
        return out.read_bytes()


def _about() -> Mapping[str, str]:
    """The compiler, for `recurrency cache`."""
    if reason := obstacle():
        raise UsageError(reason)
    path = str(compiler())
    said = finished([path, "--version"]).stdout.splitlines()
    return {"compiler": path, "version": said[0] if said else "", "flags": " ".join(FLAGS)}


STORE = store("emulated-kernels", _about)


@cache
def cache_folder() -> Path:
    """The folder of libraries: the user's cache, or a folder of this process where that is not safe."""
    try:
        return STORE.folder()
    except UsageError:
        return private_folder()


def _prune(folder: Path) -> None:
    """Remove the older libraries of a cache that has grown too large."""
    prune(folder, MOST_FILES, most_bytes())
