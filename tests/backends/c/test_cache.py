"""Compiled C in the user's cache: compiled once, safe among processes and users, bounded; and when nothing will do."""

from __future__ import annotations

import ctypes
import errno
import gc
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recurrency.backends.c.runtime import compiler as native

import recurrency as rc
from recurrency import backend
from recurrency.disk import cache as disk_cache
from recurrency.extras import install

pytestmark = pytest.mark.skipif(native.obstacle() is not None, reason=f"nothing compiled: {native.obstacle()}")

CC = native.compiler()[0] if native.obstacle() is None else ""
EXPORT = '__attribute__((visibility("default")))'
MAPS = Path("/proc/self/maps")


def text(value: object = 7) -> str:
    return f"{EXPORT} int f(void) {{ return {value}; }}"


def call(source: str) -> int:
    return int(native.library(source)["f"]())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a process that has compiled nothing."""
    for variable in ("CC", "RECURRENCY_CC", "RECURRENCY_CACHE_SIZE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("RECURRENCY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECURRENCY_CFLAGS", "-O0")
    monkeypatch.setattr(native, "_given_up", [])
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no power fails here
    forget()
    return tmp_path / "cache" / "native"


def forget() -> None:
    """As if another process went on."""
    native._libraries.clear()
    native.said.cache_clear()


@pytest.fixture
def no_compiler_runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on."""

    def begin() -> None:
        forget()
        monkeypatch.setattr(native, "finished", lambda *_: pytest.fail("a compiler was called"))

    return begin


@pytest.fixture
def written_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """`written_compiler(script)` is what compiles from now on: `$CC` is the real one, `$out` the file that it makes."""

    def write(script: str) -> Path:
        path = tmp_path / "mycc"
        find = 'out=; last=; for word; do [ "$last" = -o ] && out=$word; last=$word; done'
        path.write_text(f"#!/bin/sh\nCC={CC}\n{find}\n{script}\n", encoding="utf-8")
        path.chmod(0o700)
        monkeypatch.setenv("RECURRENCY_CC", str(path))
        return path

    return write


def libraries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


# ------------------------------------------------------------------------------------------------------ compiled once


def test_a_library_is_compiled_once(folder: Path, no_compiler_runs: Callable[[], None]) -> None:
    assert call(text()) == 7
    assert len(libraries(folder)) == 1
    no_compiler_runs()
    assert call(text()) == 7


def test_a_process_has_a_library_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = native.library(text())
    monkeypatch.setattr(native, "_loaded", None)
    assert native.library(text()) is first


def test_a_library_that_is_there_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    call(text())
    times = []
    for _ in range(5):
        forget()
        native._machine.cache_clear()
        begin = time.perf_counter()
        native.library(text())
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.005


def test_other_options_make_another_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (5, 6):
        monkeypatch.setenv("RECURRENCY_CFLAGS", f"-O0 '-DX={number} + 0'")
        assert call(text("X")) == number
    assert len(libraries(folder)) == 2


def test_another_compiler_makes_another_library(folder: Path, written_compiler: Callable[[str], Path]) -> None:
    for number in (5, 16):
        written_compiler(f'[ "$1" = --version ] && echo {number} || exec $CC -DX={number} "$@"')
        native.said.cache_clear()
        assert call(text("X")) == number
    assert len(libraries(folder)) == 2


def test_another_processor_makes_another_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for machine in ("one", "another"):
        monkeypatch.setattr(native, "_machine", lambda machine=machine: machine)
        assert call(text()) == 7
    assert len(libraries(folder)) == 2


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="no /proc/cpuinfo")
def test_a_processor_is_its_instructions_and_not_its_clock() -> None:
    assert "MHz" not in native._machine()
    assert any(word in native._machine().lower() for word in ("flags", "features", "isa", "cpu"))


# --------------------------------------------------------------------------------------------------------- the compiler


def test_a_compiler_may_have_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{CC} -DX=4")
    assert call(text("X")) == 4
    monkeypatch.setenv("RECURRENCY_CC", f"{CC} '-DX = 5' -DX=5")
    assert call(text("X")) == 5


def test_a_compiler_that_refuses_a_source_is_quoted(folder: Path) -> None:
    with pytest.raises(native.CompileError, match=r"refuses the generated C:\n(.|\n)*error: .*nonsense") as caught:
        native.library("int f(void) { return nonsense; }")
    assert isinstance(caught.value, rc.UsageError)
    assert libraries(folder) == []


def test_a_long_message_is_cut() -> None:
    with pytest.raises(native.CompileError, match=r"\.\.\. and \d+ more lines$") as caught:
        native.library("".join(f"int f{i}(void) {{ return nonsense{i}; }}\n" for i in range(50)))
    assert len(str(caught.value).splitlines()) == 1 + native.MOST_LINES + 1


@pytest.mark.parametrize(
    ("script", "said"),
    [("exit 3", "exit code 3"), ("kill -9 $$", "exit code -9"), ("exit 0", "can't compile: .*library.so")],
)
def test_a_compiler_that_says_nothing_is_met(written_compiler: Callable[[str], Path], script: str, said: str) -> None:
    written_compiler(script)
    with pytest.raises(native.CompileError, match=said):
        native.library(text())


def test_a_file_that_is_no_program_is_no_compiler(written_compiler: Callable[[str], Path]) -> None:
    written_compiler("").write_bytes(b"\x00\x01")
    with pytest.raises(native.CompileError, match=r"mycc can't be run: .*format"):
        native.library(text())


def test_a_compiler_that_knows_not_this_processor_compiles_for_any(written_compiler: Callable[[str], Path]) -> None:
    written_compiler('case "$*" in *-march=native*) echo "no such option: -march" >&2; exit 1;; esac; exec $CC "$@"')
    assert call(text()) == 7


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(native.platform, "system", lambda: "Linux")
    assert native.obstacle() == f"there is no C compiler: apt-get install gcc, or {install('cc')}"
    with pytest.raises(rc.UsageError, match="apt-get install gcc"):
        native.library(text())
    with pytest.raises(rc.UsageError, match="the backend c can't run here: there is no C compiler"):
        backend.find("c")


def test_without_another_compiler_zig_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "path" / "ziglang"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    program = package / "zig"
    program.write_text(f'#!/bin/sh\n[ "$1" = cc ] && shift && PATH={os.environ["PATH"]} exec {CC} "$@"\n')
    program.chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.setenv("PATH", "")
    assert native.compiler() == (str(program), "cc")
    assert call(text()) == 7


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RECURRENCY_CC", "no-such-cc -O3", "RECURRENCY_CC names no-such-cc, but there is no such program"),
        ("CC", "/no/such/cc", "CC names /no/such/cc"),
        ("CC", "cc 'half", "CC is not a command line"),
    ],
)
def test_a_chosen_compiler_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert str(native.obstacle()).startswith(said)


def test_on_another_system_it_says_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "os", type("Windows", (), {"name": "nt"}))
    assert "Linux and macOS" in str(native.obstacle())


# ---------------------------------------------------------------------------------------------------- damaged libraries


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _bit(data: bytes) -> bytes:
    return data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]


def _foreign(_: bytes) -> bytes:
    """Whole, but no library of this machine."""
    return (other := b"of another machine") + hashlib.sha256(other).digest()


@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"some text", _half, _bit, _foreign])
def test_a_library_that_is_damaged_or_foreign_is_compiled_again(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_compiler_runs: Callable[[], None],
    damage: Callable[[bytes], bytes],
) -> None:
    call(text())
    gc.collect()
    (path,) = libraries(folder)
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(damage(whole))
    forget()
    assert call(text()) == 7
    no_compiler_runs()
    assert call(text()) == 7


@pytest.mark.filterwarnings("ignore:what has just been compiled:RuntimeWarning")
def test_a_compiler_for_another_machine_is_told(folder: Path, written_compiler: Callable[[str], Path]) -> None:
    written_compiler('[ "$out" ] && echo "no library" > "$out"')
    with pytest.raises(rc.UsageError, match="what has just been compiled can't be loaded"):
        native.library(text())
    assert libraries(folder) == []


# ---------------------------------------------------------------------------------------------------- where it is kept


def test_the_folder_is_its_owners_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call(text())
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("RECURRENCY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/where")
    assert native.STORE.place == Path("/some/where/recurrency/native")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert native.STORE.place == Path.home() / ".cache" / "recurrency" / "native"
    monkeypatch.setenv("RECURRENCY_CACHE", "~/here")
    assert native.STORE.place == Path.home() / "here" / "native"


def _others_can_write(folder: Path, _: pytest.MonkeyPatch) -> str:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    return "can be written by others"


def _of_another_user(_: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("recurrency.disk.cache.stranger", lambda place: "belongs to another user")
    return "belongs to another user"


def _a_file_is_in_the_way(folder: Path, _: pytest.MonkeyPatch) -> str:
    folder.parent.touch()
    return "can't be made: Not a directory"


def _not_to_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, *how: path != folder and may(path, *how))
    return "can't be written"


def _no_home(_: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RECURRENCY_CACHE", "~nobody-of-this-name/cache")
    return "no home folder"


def failing(number: int) -> Callable[[Path, pytest.MonkeyPatch], str]:
    """A file system that takes no more files."""

    def fail(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        make = tempfile.mkstemp

        def mkstemp(*names: Any, dir: Any = None, **options: Any) -> Any:
            if dir is not None and Path(dir) == folder:
                raise OSError(number, os.strerror(number))
            return make(*names, dir=dir, **options)

        monkeypatch.setattr(tempfile, "mkstemp", mkstemp)
        return os.strerror(number)

    return fail


UNUSABLE = [
    _others_can_write,
    _of_another_user,
    _a_file_is_in_the_way,
    _not_to_be_written,
    _no_home,
    failing(errno.ENOSPC),
    failing(errno.EROFS),
    failing(errno.EACCES),
]


@pytest.mark.parametrize("break_it", UNUSABLE)
def test_where_the_cache_can_not_be_used_a_process_says_so_once_and_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[Path, pytest.MonkeyPatch], str]
) -> None:
    said = break_it(folder, monkeypatch)
    with pytest.warns(RuntimeWarning, match=f"{said}.*Set RECURRENCY_CACHE") as told:
        assert call(text()) == 7
    assert len(told) == 1
    assert call(text(8)) == 8
    assert not folder.is_dir() or libraries(folder) == []
    kept = libraries(disk_cache.private_folder())
    assert kept
    assert disk_cache.private_folder().stat().st_mode & 0o077 == 0


def test_a_disk_that_fills_up_is_no_reason_to_compile_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call(text(1))
    failing(errno.ENOSPC)(folder, monkeypatch)
    calls, run = [], native.finished
    monkeypatch.setattr(native, "finished", lambda *words: (calls.append(words), run(*words))[1])
    with pytest.warns(RuntimeWarning, match="No space left"):
        assert call(text("2 + 10")) == 12
    assert len(calls) == 1


def test_without_any_folder_it_says_what_to_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    _a_file_is_in_the_way(folder, monkeypatch)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", none)
    monkeypatch.setattr(native, "private_folder", disk_cache.private_folder.__wrapped__)
    with pytest.raises(rc.UsageError, match="No usable temporary directory found; set TMPDIR"), pytest.warns():
        native.library(text())


# ------------------------------------------------------------------------------------------------------- many at a time

PROGRAM = """
import sys, time
from recurrency.backends.c.runtime import compiler
from recurrency.extras import install
while time.time() < float(sys.argv[1]): pass
print(*[compiler.library(text)["f"]() for text in sys.argv[2:]])
"""


def test_processes_that_compile_the_same_at_once_all_succeed(folder: Path) -> None:
    start = str(time.time() + 1)
    words = [sys.executable, "-c", PROGRAM, start, text(3), text(4)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate() for process in running] == [("3 4\n", "")] * 4
    assert len(libraries(folder)) == 2
    assert {path.suffix for path in folder.iterdir()} == {".so", ".version"}


def mapped(folder: Path) -> int:
    """Libraries of a folder that this process has loaded."""
    return len({line.split()[-1] for line in MAPS.read_text().splitlines() if str(folder) in line})


@pytest.mark.skipif(not MAPS.exists(), reason="no /proc/self/maps")
def test_many_programs_in_a_row_leave_few_libraries_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They differ in nothing but their files: to compile two hundred takes too long."""
    made = native._compiled(text(), native.compiler(), native.flags())
    monkeypatch.setattr(native, "_compiled", lambda *_: made)
    gc.disable()  # nothing has to wait until garbage is collected
    try:
        loaded = []
        for number in range(200):
            assert call(text(number)) == 7
            loaded.append(mapped(folder))
    finally:
        gc.enable()
    assert len(libraries(folder)) == 200
    assert max(loaded) == 0


@pytest.mark.skipif(not MAPS.exists(), reason="no /proc/self/maps")
def test_a_library_stays_while_it_or_a_function_is_held(folder: Path) -> None:
    library = native.library(text())
    assert mapped(folder) == 1
    function = library["f"]
    del library
    gc.collect()
    assert mapped(folder) == 1
    assert function() == 7
    del function
    assert mapped(folder) == 0


# --------------------------------------------------------------------------------------------------------------- bounds


def aged(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_was_used_least_lately_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "MOST_FILES", 4)  # one of them says which compiler there is
    names = {}
    for number in range(4):
        before = set(libraries(folder))
        call(text(number))
        (names[number],) = set(libraries(folder)) - before
        aged(names[number], 1000 - number)
    call(text(0))
    call(text(10))
    assert [names[number].exists() for number in range(4)] == [True, False, False, True]


def test_a_size_that_is_exceeded_leaves_the_newest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_CACHE_SIZE", "0")
    held = [native.library(text(number)) for number in range(3)]
    assert len(libraries(folder)) == 1
    assert [library["f"]() for library in held] == [0, 1, 2]


def test_pruning_by_size_goes_down_to_three_quarters(tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / f"{number}.so"
        path.write_bytes(bytes(100))
        aged(path, 100 - number)
    disk_cache.prune(tmp_path, 100, 1000)
    assert len(libraries(tmp_path)) == 10
    disk_cache.prune(tmp_path, 100, 999)
    assert [path.stem for path in libraries(tmp_path)] == list("3456789")


def test_nothing_is_removed_that_is_not_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call(text())
    for name in ("notes.txt", "libmine.so", "README"):
        (folder / name).touch()
    half = folder / f".{libraries(folder)[0].name}.abc_123"
    half.touch()
    native.STORE.clear()
    assert {path.name for path in folder.iterdir()} == {"notes.txt", "libmine.so", "README"}


@pytest.mark.parametrize("size", ["many", "-1", "1.5", "9" * 30])
def test_a_size_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("RECURRENCY_CACHE_SIZE", size)
    with pytest.raises(rc.UsageError, match="RECURRENCY_CACHE_SIZE is a whole number of megabytes"):
        native.library(text())


# ---------------------------------------------------------------------------------------------------------------- whole


def test_the_options_users_get_compute_what_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECURRENCY_CFLAGS")
    function = native.library(f"#include <math.h>\n{EXPORT} double g(double x) {{ return tgamma(x) + exp(x); }}")["g"]
    function.argtypes, function.restype = (ctypes.c_double,), ctypes.c_double
    assert function(1.0) == pytest.approx(1 + 2.718281828459045)
