"""Compiles C sources to shared libraries, once each, and keeps these in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from recurrency.disk.cache import TOOLS, most_bytes, private_folder, prune, store, touch
from recurrency.disk.files import write_whole
from recurrency.disk.libraries import CompileError, Library, kept, opened, put
from recurrency.disk.subprocesses import Program, finished, unseen
from recurrency.errors import UsageError
from recurrency.extras import install

from ..sizes import forced
from . import ahead

COMPILERS = ("cc", "gcc", "clang")
CHOSEN = ("RECURRENCY_CC", "CC")
"""Variables that name a compiler, with its arguments."""
NATIVE = "-march=native"
FLAGS = tuple(
    f"-std=gnu11 -O3 {NATIVE} -ffp-contract=fast -fno-math-errno -fno-trapping-math -fopenmp-simd -fPIC -shared "
    "-fvisibility=hidden -fno-sanitize=undefined -w".split()
)
"""The sanitizer is off; zig's compiler switches it on by default where it does not optimise."""

TIERS = {"full": (), "quick": ("-O1",)}
"""The options of each tier, after `FLAGS`. -O1 compiles three times as fast as -O3; -Og gains a little more, and its
code takes four times as long."""
LEFT_OUT = {"full": (), "quick": ("-fno-ivopts", "-fno-tree-ccp", "-fno-tree-dominator-opts")}
"""Passes of gcc that are left out at each tier: they take a fifth of the time of -O1, and gain at most a tenth."""
GCC = "Free Software Foundation"
"""The version of gcc names it; other compilers refuse options of gcc."""

MOST_FILES = 4096
PATIENCE = 20
"""Seconds for a compiler to print its version."""
MOST_LINES = 20
"""Lines of a compiler's message that are shown."""

PROCESSOR = re.compile(
    r"^(vendor_id|model|model name|cpu|cpu (?!MHz)\w+|flags|features|isa)\s*:.*$", re.IGNORECASE | re.M
)
"""The lines of /proc/cpuinfo that describe the processor's instructions, and not its current speed."""


class LateError(CompileError):
    """A compiler takes longer than allowed."""


def obstacle() -> str | None:
    """Why nothing can be compiled here, or None."""
    try:
        compiler()
    except UsageError as error:
        return str(error)
    return None


def compiler() -> tuple[str, ...]:
    """The command of a C compiler, word by word.

    Raises:
        UsageError: there is none (the message says what to install).
    """
    if os.name != "posix":
        raise UsageError(f"it runs on Linux and macOS, not on {platform.system()}; on Windows, use WSL")
    for variable in CHOSEN:
        if words := _words(variable):
            if (path := shutil.which(words[0])) is None:
                raise UsageError(f"{variable} names {words[0]}, but there is no such program")
            return path, *words[1:]
    if found := next((found for name in COMPILERS if (found := shutil.which(name))), None):
        return (found,)
    if found := _zig():
        return found, "cc"
    system = "xcode-select --install" if platform.system() == "Darwin" else "apt-get install gcc"
    raise UsageError(f"there is no C compiler: {system}, or {install('cc')}")


def _zig() -> str | None:
    """The program in the package ziglang, which `python -m ziglang` runs."""
    spec = importlib.util.find_spec("ziglang")
    return shutil.which("zig", path=Path(spec.origin).parent) if spec and spec.origin else None


def _words(variable: str) -> list[str]:
    """The words of an environment variable."""
    text = os.environ.get(variable, "")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{variable} is not a command line: {text!r} ({error})") from error


def flags(optimise: str = "full") -> tuple[str, ...]:
    """The options of a call, for one of `recurrency.backend.TIERS`."""
    left_out = LEFT_OUT[optimise]
    if left_out and GCC not in _version(compiler()):
        left_out = ()
    return *FLAGS, *TIERS[optimise], *left_out, *forced(), *_words("RECURRENCY_CFLAGS")


# -------------------------------------------------------------------------------------------------------------- library

_libraries: weakref.WeakValueDictionary[str, Library] = weakref.WeakValueDictionary()


def library(source: str, kind: type[Library] = Library, optimise: str = "full") -> Library:
    """The library of a source, at a tier. It stays loaded as long as it or one of its functions is referenced.

    Raises:
        CompileError: the compiler refuses it. UsageError: there is no compiler, or no place for a library.
    """
    command, options = compiler(), flags(optimise)
    name = f"{_key(options, source)}.so"
    found = _libraries.get(name)
    if found is None:
        found = _libraries[name] = _loaded(name, source, command, options, kind)
    return found


def begin(source: str, most: int, optimise: str = "full") -> bool:
    """Compile a source in the background, for a later call of `library`; at most so many at a time.

    Returns whether it is being compiled: not if it is in the cache.
    """
    command, options = compiler(), flags(optimise)
    name = f"{_key(options, source)}.so"
    if name in _libraries or (path := folder() / name).exists():
        return False
    return ahead.begin(name, partial(_cached, path, source, command, options), most)


def _cached(
    path: Path, source: str, command: Sequence[str], options: Sequence[str], started: Callable[[Program], None]
) -> bytes:
    """Compile a source into the cache as it was at the call; what comes back is not empty if it can't be written."""
    data = _compiled(source, command, options, None, started)
    try:
        prune(path.parent, MOST_FILES, most_bytes() - len(data))
        put(path, data)
    except UsageError:
        return data
    return b""


def key(*parts: object) -> str:
    """A file name for what depends on these words, and on compiler, options and processor."""
    return _key(flags(), *parts)


def _key(options: Sequence[str], *parts: object) -> str:
    command = compiler()
    made_of = (*parts, options, command, _version(command), _machine())
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:32]


def prepare(source: str, seconds: float, optimise: str = "full") -> None:
    """Compile a source into the cache without loading it.

    Raises:
        CompileError: the compiler refuses it, or takes longer. UsageError: see `library`.
    """
    options = flags(optimise)
    name = f"{_key(options, source)}.so"
    if (folder() / name).exists():
        return
    data = _compiled(source, compiler(), options, seconds)
    try:
        put(folder() / name, data)
    except UsageError as error:
        _give_up(error)
        put(folder() / name, data)


def _loaded(name: str, source: str, command: Sequence[str], options: Sequence[str], kind: type[Library]) -> Library:
    """A library from the cache, or compiled now."""
    try:
        return opened(folder() / name, kind)
    except OSError:  # not there, damaged, or of another machine
        size = most_bytes()
        data = ahead.result(name)
    if data == b"":
        with contextlib.suppress(OSError):  # somebody has cleared the cache
            return opened(folder() / name, kind)
    data = data or _compiled(source, command, options)
    try:
        prune(folder(), MOST_FILES, size - len(data))
        return kept(folder() / name, data, kind)
    except UsageError as error:
        _give_up(error)
    return kept(folder() / name, data, kind)


def _compiled(
    source: str,
    command: Sequence[str],
    options: Sequence[str],
    seconds: float | None = None,
    started: Callable[[Program], None] = unseen,
) -> bytes:
    """The bytes of the library of a source; `started` is told which program compiles."""
    try:
        with tempfile.TemporaryDirectory(prefix="recurrency-", ignore_cleanup_errors=True) as work:
            out = Path(work) / "library.so"
            said = _run([*command, *options, "-x", "c", "-o", str(out), "-", "-lm"], source, work, seconds, started)
            if said.returncode and "march" in said.stderr and NATIVE in options:
                return _compiled(source, command, [word for word in options if word != NATIVE], seconds, started)
            if said.returncode:
                raise CompileError(f"{shlex.join(command)} refuses the generated C:\n{_message(said)}")
            return out.read_bytes()
    except OSError as error:
        raise CompileError(f"{shlex.join(command)} can't compile: {error}") from error


def _run(
    command: Sequence[str],
    text: str,
    work: str,
    seconds: float | None,
    started: Callable[[Program], None] = unseen,
) -> subprocess.CompletedProcess[str]:
    """Run a compiler. Zig caches files between calls, but only those that all calls share.

    Raises:
        OSError: it can't be run. CompileError: it takes longer than so many seconds.
    """
    places = {"ZIG_LOCAL_CACHE_DIR": work, "ZIG_GLOBAL_CACHE_DIR": str(folder() / TOOLS)}
    try:
        return finished(command, text, {**places, **os.environ}, seconds, started)
    except subprocess.TimeoutExpired as error:
        raise LateError(f"{command[0]} does not finish: it was stopped after {seconds:g} s") from error


def _message(said: subprocess.CompletedProcess[str]) -> str:
    """The first lines of what a compiler says."""
    lines = (said.stderr or said.stdout).splitlines() or [f"it ended with exit code {said.returncode}"]
    more = len(lines) - MOST_LINES
    return "\n".join(lines[:MOST_LINES] + ([f"... and {more} more lines"] if more > 0 else []))


# --------------------------------------------------------------------------------------------------------------- folder


def _about() -> Mapping[str, str]:
    """The compiler, for `recurrency cache`."""
    command = compiler()
    said = _version(command).splitlines()
    return {"compiler": shlex.join(command), "version": said[0] if said else "", "flags": shlex.join(flags())}


STORE = store("native", _about)

_given_up: list[str] = []
"""Why this process does not use the cache: at most one reason."""


def folder() -> Path:
    """The folder of libraries: the user's cache, or a folder of this process."""
    if not _given_up:
        try:
            return STORE.folder()
        except UsageError as error:
            _give_up(error)
    return private_folder()


def _give_up(error: UsageError) -> None:
    """Stop using the cache, with a warning.

    Raises:
        UsageError: the folder of this process cannot be used either.
    """
    if _given_up:
        raise error
    _given_up.append(str(error))
    warnings.warn(
        f"{error}; compiled code is kept only for this process, and the next one compiles it again. "
        "Set RECURRENCY_CACHE to a folder that you can write to",
        RuntimeWarning,
        stacklevel=2,
    )


# ------------------------------------------------------------------------------------------------ what libraries are of


def _version(command: tuple[str, ...]) -> str:
    """The version that a compiler prints; it is asked once for the files that its command names."""
    files = []
    for word in command:
        path = shutil.which(word)
        about = Path(path).stat() if path else None
        files.append((word, path, about and (about.st_size, about.st_mtime_ns)))
    return said((*command, "--version"), "", repr(files))


@cache
def said(command: tuple[str, ...], text: str, made_of: str) -> str:
    """The output of a compiler for a text; it is asked once for each `made_of`."""
    path = folder() / f"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}.version"
    try:
        answer = path.read_text(encoding="utf-8")
        touch(path)
    except (OSError, ValueError):
        answer = ""
    if not answer:
        try:
            answer = _run(command, text, str(folder() / TOOLS), PATIENCE).stdout
        except OSError as error:
            raise CompileError(f"{command[0]} can't be run: {error}") from error
        note(path, answer)
    return answer


def note(path: Path, text: str) -> None:
    """Write a small file to the folder; if that fails, the next process finds its content again."""
    try:
        write_whole(path, text)
    except UsageError as error:
        _give_up(error)


@cache
def _machine() -> str:
    """The processor, for which code is optimised, and the system's C library."""
    try:
        with open("/proc/cpuinfo", "rb") as file:  # noqa: PTH123 - only its first lines
            first = file.read(1 << 13).decode(errors="replace").partition("\n\n")[0]
    except OSError:
        first = ""
    facts = [match[0] for match in PROCESSOR.finditer(first)] or [platform.processor()]
    with contextlib.suppress(OSError, ValueError):  # of another C library
        facts.append(os.confstr("CS_GNU_LIBC_VERSION") or "")
    return repr((platform.machine(), platform.system(), facts))
