"""Programs compile in the background: at the same time, not in vain, and with no traces when they are stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.c.runtime import ahead, pool
from recurrency.backends.c.runtime import compiler as native

import recurrency as rc

pytestmark = pytest.mark.skipif(native.obstacle() is not None, reason=f"nothing compiled: {native.obstacle()}")
CC = native.compiler()[0] if native.obstacle() is None else ""

Compiler = Callable[[str], None]


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """`compiler(script)` compiles from now on, on two processors, into an empty cache.

    `$CC` is the real one, `$text` the file of its input and `$here` an empty folder.
    """
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("RECURRENCY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECURRENCY_CC", str(tmp_path / "mycc"))
    monkeypatch.setattr(pool, "threads", lambda: 2)
    monkeypatch.setattr(ahead, "_jobs", {})
    monkeypatch.setattr(ahead, "_running", set())

    def write(script: str) -> None:
        lines = ["#!/bin/sh", f"CC={CC}; here={tmp_path}/here", '[ "$1" = --version ] && echo mine && exit']
        lines += ["text=$(mktemp -p $here); cat > $text", script, 'exec $CC "$@" < $text']
        (tmp_path / "mycc").write_text("\n".join([*lines, ""]))
        (tmp_path / "mycc").chmod(0o700)
        native.said.cache_clear()

    return write


def gradients(model: Any) -> Any:
    x = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 2, 3)
    run = model.forward(model.init(0), x)
    return run.outputs, lambda: model.backward(run, {"h": np.ones((4, 2, 3), np.float32)}).params


def elman(**options: Any) -> Any:
    return rc.library.spec("Elman").compile(backend="c", N=3, H=3, **options)


AT_ONCE = """
grep -q 'forward_kept\\|backward' $text && touch $here/running.$$
k=0; while grep -q 'forward_kept\\|backward' $text && [ $(ls $here/running.* | wc -l) -lt 2 ]; do
  k=$((k+1)); [ $k -gt 500 ] && { echo alone >&2; exit 1; }; sleep 0.02
done
"""
"""Compiles a program only while another one is compiled."""


def test_the_forward_and_the_backward_pass_compile_at_the_same_time(compiler: Compiler) -> None:
    compiler(AT_ONCE)
    outputs, backward = gradients(elman())
    wanted, other = gradients(rc.library.spec("Elman").compile(backend="numpy", N=3, H=3))
    np.testing.assert_allclose(outputs["h"], wanted["h"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(backward(), other(), rtol=1e-5, atol=1e-5)


def test_on_one_processor_only_what_is_called_is_compiled(
    compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler("")
    monkeypatch.setattr(pool, "threads", lambda: 1)
    gradients(elman())
    assert not ahead._jobs
    texts = [path.read_text() for path in (tmp_path / "here").iterdir()]
    assert not any("backward" in text for text in texts)


def test_the_pool_compiles_while_python_makes_a_model(
    compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler("")
    monkeypatch.setattr(pool, "_loaded", [])
    elman()
    (name,) = ahead._jobs
    ahead.result(name)
    assert [path.read_text() for path in (tmp_path / "here").iterdir()] == [pool.SOURCE]


def test_a_mistake_in_the_background_is_for_who_calls_the_program(compiler: Compiler) -> None:
    compiler("grep -q backward_part $text && { echo no >&2; exit 1; }")
    _, backward = gradients(elman())
    for _ in range(2):
        with pytest.raises(rc.UsageError, match="refuses the generated C:\nno"):
            backward()


LASTS = f"sleep 2345.{os.getpid()}"
ENDS = """
import numpy as np, recurrency as rc
from recurrency.backends.c.runtime import pool
pool.threads = lambda: 2
model = rc.library.spec("Elman").compile(backend="c", N=3, H=3)
print(model.forward(model.init(0), np.ones((4, 2, 3), np.float32)).outputs["h"].shape)
"""


def test_a_process_that_ends_leaves_no_compiler(compiler: Compiler, tmp_path: Path) -> None:
    compiler(f"grep -q backward_part $text && {{ touch $here/lasts; {LASTS}; }}")
    (tmp_path / "tmp").mkdir()
    code = ENDS + f"while not __import__('os').path.exists({str(tmp_path / 'here/lasts')!r}): pass"
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert (said.stdout, said.stderr) == ("(4, 2, 3)\n", "")
    assert not running(LASTS)
    assert not list((tmp_path / "tmp").iterdir())


def running(words: str) -> bool:
    """Whether a process has these words in its command, and does not end at once."""
    for _ in range(100):
        if words not in subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout:
            return False
        time.sleep(0.02)
    return True


EVERYWHERE = """
import contextlib, os, signal, sys, threading
from recurrency.backends.c.runtime import ahead
from recurrency.disk import subprocesses

FILES = (ahead.__file__, subprocesses.__file__, contextlib.__file__)
"Of threading.py only the start of a thread: its locks are not made for Ctrl-C at any line."

def compiles(started):
    words = ["sh", "-c", f"sleep {sys.argv[1]} & wait"]
    return subprocesses.finished(words, started=started)

def background():
    ahead.begin("first", compiles, 2)
    ahead.begin("second", compiles, 2)
    ahead.result("first")

def interrupted(what, most):
    "Ctrl-C at this line of those that run, or after half a second: how many had run by then."
    lines = found = 0
    def interrupt():
        nonlocal found
        found = lines
        os.kill(os.getpid(), signal.SIGINT)
    def line(frame, event, value):
        nonlocal lines
        code = frame.f_code
        if code.co_filename not in FILES and code.co_qualname != "Thread.start":
            return None
        if event == "line":
            lines += 1
            if lines == most:
                interrupt()
        return line
    late = threading.Timer(0.5, interrupt)
    try:
        if not most:
            late.start()
        sys.settrace(line)
        what()
    except KeyboardInterrupt:
        sys.settrace(None)
    ahead._stop_all()
    ahead._forget()
    return found

def foreground():
    compiles(lambda program: None)

for what in (background, foreground):
    lines = interrupted(what, 0)
    for k in range(1, lines + 1):
        interrupted(what, k)
    print(lines)
"""


def test_ctrl_c_at_any_line_leaves_no_compiler() -> None:
    """A compiler that has begun is known to someone who stops it, whenever Ctrl-C comes."""
    words = [sys.executable, "-c", EVERYWHERE, f"3456.{os.getpid()}"]
    said = subprocess.run(words, capture_output=True, text=True, timeout=100)
    assert said.stderr == "", said.stderr
    assert all(int(line) > 30 for line in said.stdout.split())
    assert not running(f"sleep 3456.{os.getpid()}")


def test_what_nobody_asks_for_is_in_the_cache_and_not_in_memory(compiler: Compiler, tmp_path: Path) -> None:
    compiler("")
    source = "int nobody(void) { return 1; }"
    assert native.begin(source, 1)
    name, job = ahead._jobs.popitem()
    assert job.result() == b""
    assert (tmp_path / "cache" / "native" / name).stat().st_size > 1000
    assert not native.begin(source, 1)


def test_a_compiler_writes_to_the_cache_that_it_began_with(
    compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler("sleep 0.3")
    assert native.begin("int later(void) { return 1; }", 1)
    monkeypatch.setenv("RECURRENCY_CACHE", str(tmp_path / "other"))
    name, job = ahead._jobs.popitem()
    assert job.result() == b""
    assert (tmp_path / "cache" / "native" / name).exists()
    assert not list(tmp_path.glob("other/**/*.so"))


def test_a_program_that_starts_while_all_are_ended_is_ended_too() -> None:
    """Another thread starts one again and again, while this one ends all and its process."""
    code = f"""
import os, threading, time
from recurrency.disk import subprocesses
def starts():
    while True:
        threading.Thread(target=subprocesses.finished, args=(["sleep", "4567.{os.getpid()}"],)).start()
        time.sleep(0.001)
threading.Thread(target=starts, daemon=True).start()
time.sleep(0.05)
subprocesses.end_all()
os._exit(0)
"""
    for _ in range(5):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert not running(f"sleep 4567.{os.getpid()}")


def test_a_child_process_does_not_wait_for_what_its_parent_compiles(compiler: Compiler) -> None:
    compiler("")
    name = "0.so"
    assert ahead.begin(name, lambda started: b"", 1)
    if (child := os.fork()) == 0:
        os._exit(int(ahead.result(name) is not None))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ahead.result(name) == b""
    assert ahead.result(name) is None


# ---------------------------------------------------------------------------------------------------------------- tiers


def test_the_quick_tier_computes_the_same_and_has_libraries_of_its_own(compiler: Compiler, tmp_path: Path) -> None:
    compiler('echo "$*" > $here/words.$$')
    found = [gradients(elman(optimise=tier)) for tier in ("full", "quick")]
    for one, other in zip(*((outputs["h"], backward()) for outputs, backward in found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    words = [path.read_text() for path in (tmp_path / "here").glob("words.*")]
    assert sum("-O3" in line and "-O1" in line for line in words) == 2
    assert len(list((tmp_path / "cache" / "native").glob("*.so"))) >= 4


@pytest.mark.parametrize("version", ["gcc 12.2\nCopyright (C) 2022 Free Software Foundation, Inc.", "clang 17"])
def test_only_gcc_gets_options_of_gcc(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_version", lambda command: version)
    gccs = set(native.LEFT_OUT["quick"])
    assert native.flags("quick").count("-O1") == 1
    assert gccs & set(native.flags("quick")) == (gccs if "gcc" in version else set())
    assert not gccs & set(native.flags())


def test_a_tier_is_named_by_the_environment_too_and_an_unknown_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(rc.UsageError, match="optimise is full or quick, and not 'fast'"):
        elman(optimise="fast")
    with pytest.raises(rc.UsageError, match="optimise is full or quick"):
        rc.library.spec("Elman").compile(backend="numpy", N=3, H=3, optimise="")
    monkeypatch.setenv("RECURRENCY_OPTIMISE", "quick")
    assert elman().programs.runner("forward", ()).optimise == "quick"
    assert elman(optimise="full").programs.runner("forward", ()).optimise == "full"
    monkeypatch.setenv("RECURRENCY_OPTIMISE", "slow")
    with pytest.raises(rc.UsageError, match="RECURRENCY_OPTIMISE is full or quick, and not 'slow'"):
        elman()
