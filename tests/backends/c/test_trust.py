"""Compiled code is used only where it was tried: compilers that miscompile, crash, hang or refuse."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recurrency.backends.c.runtime import compiler as runtime_compiler
from recurrency.backends.c.runtime import trial as runtime_trial
from recurrency.backends.c.runtime import trust

import recurrency as rc
from recurrency import backend
from tests.cli.test_interrupted import ended
from tests.support.calling import Run

pytestmark = pytest.mark.skipif(
    runtime_compiler.obstacle() is not None, reason=f"nothing compiled: {runtime_compiler.obstacle()}"
)
CC = runtime_compiler.compiler()[0] if runtime_compiler.obstacle() is None else ""

ON_LOAD = '(cat; echo "__attribute__((constructor)) static void f(void) { %s }") | $CC "$@"'
CRASHES = ON_LOAD % "__builtin_trap();"
HANGS = ON_LOAD % "for (;;) ;"
WAITS = ON_LOAD % "extern int pause(void); for (;;) pause();"


def replacing(old: str, new: str) -> str:
    """A compiler that takes one text for another."""
    return f"sed 's/{old}/{new}/' | exec $CC \"$@\""


ROWS = replacing("to\\[r\\] = from\\[r \\* a_m\\]", "to[r] = from[0]")
WRONG = {
    "the edge of a product": (
        "products",
        "float",
        replacing("rec_copy_few(c, edge, n)", "rec_copy_few(c, edge + (n > 1), n)"),
    ),
    "packed rows": ("products", "double", ROWS),
    "a function near its border": ("functions", "float", replacing("any >= 0\\.6f", "any >= 0.01f")),
    "a function of doubles": ("functions", "double", replacing("any >= 0\\.55 ", "any >= 99.0 ")),
    "the rest of a vector": ("cell", "", replacing("(n) - REC_STRIDE(n) : (j))", "(n) - REC_STRIDE(n) - 1 : (j))")),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a process that has tried nothing."""
    for variable in ("CC", "RECURRENCY_CC", "RECURRENCY_BACKEND"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("RECURRENCY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECURRENCY_CFLAGS", "-O0")
    monkeypatch.setenv("RECURRENCY_TRUST", "1")
    monkeypatch.setattr(runtime_compiler, "_given_up", [])
    monkeypatch.setattr(backend, "_warned", [])
    forget()
    return tmp_path / "cache" / "native"


def forget() -> None:
    """As if another process went on."""
    trust._known.cache_clear()
    runtime_compiler.said.cache_clear()


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`compiler(script)` is what compiles from now on; `$CC` is the real one, which says what it is."""

    def write(script: str) -> None:
        path = tmp_path / "mycc"
        path.write_text(f'#!/bin/sh\nCC={CC}\n[ "$1" = --version ] && exec $CC "$@"\n{script}\n', encoding="utf-8")
        path.chmod(0o700)
        monkeypatch.setenv("RECURRENCY_CC", str(path))
        forget()

    return write


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on no program runs."""

    def begin() -> None:
        forget()
        monkeypatch.setattr(trust, "finished", lambda *_: pytest.fail("it was tried again"))

    return begin


def elman(**options: Any) -> Any:
    return rc.library.Elman.compile(N=2, H=3, **options)


def verdicts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.verdict"))


def test_a_compiler_that_is_right_is_tried_once(folder: Path, nothing_runs: Callable[[], None]) -> None:
    assert trust.doubts() is None
    assert len(verdicts(folder)) == 1
    nothing_runs()
    assert elman().backend == "c"


SCRIPT = """
import numpy as np, recurrency as rc
model = rc.library.GRU.compile(N=2, H=3)
run = model.forward(model.init(), np.ones((4, 2, 2), "float32"))
rc.library.GRU.compile(N=2, H=4)
print(model.backend, np.isfinite(run.outputs["h"]).all())
"""


def test_where_code_crashes_auto_is_numpy_and_that_is_said_once(compiler: Callable[[str], None]) -> None:
    compiler(CRASHES)
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "numpy True\n")
    assert said.stderr.count("RuntimeWarning: c can't run here: code from ") == 1
    assert "mycc crashes on this processor (SIG" in said.stderr


@pytest.mark.parametrize("fault", [CRASHES, HANGS, ROWS], ids=["crashes", "hangs", "is wrong"])
def test_c_is_refused_with_the_reason(
    fault: str,
    compiler: Callable[[str], None],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    nothing_runs: Callable[[], None],
) -> None:
    compiler(fault)
    if fault == HANGS:
        monkeypatch.setattr(trust, "RUNS", 0.2)
    with pytest.warns(RuntimeWarning, match="c can't run here: code from .*mycc .* run on numpy, which is slower"):
        assert elman().backend == "numpy"
    reason = {CRASHES: "crashes on this", HANGS: "does not finish"}.get(fault, r"products of 13 x 20 by 20 x 67")
    nothing_runs()
    assert len(verdicts(folder)) == 1
    with pytest.raises(rc.UsageError, match=rf"the backend c can't run here: (.|\n)*{reason}"):
        elman(backend="c")
    assert elman().backend == "numpy", "and no second warning"
    monkeypatch.setenv("COLUMNS", "1000")
    found = run("backends")
    assert found.code == 0
    assert reason in found.out
    assert "auto, the default, is numpy: c can't run here: code from" in found.out
    assert "recurrency cache --clear" in found.out
    run("cache", "--clear")
    assert verdicts(folder) == []
    monkeypatch.setenv("RECURRENCY_TRUST", "0")
    assert elman().backend == "c"


def test_code_that_waits_for_ever_is_ended_and_tried_again(
    compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """It may wait because others keep the machine busy: that is no verdict."""
    compiler(WAITS)
    monkeypatch.setattr(trust, "WAITS", 1.0)
    assert "does not finish: it was stopped after 1 s (the next process tries it again" in str(trust.doubts())
    assert verdicts(folder) == []


@pytest.mark.parametrize("what", WRONG)
def test_wrong_numbers_are_found_wherever_they_come_from(
    what: str, compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    part, real, script = WRONG[what]
    compiler(script)
    if part == "cell":
        monkeypatch.setenv("RECURRENCY_TRUST", "0")
        graph, layout = runtime_trial.trial()
        arguments = backend.find("c").build(graph, layout, "float32"), graph, layout
    else:
        arguments = runtime_compiler.library(runtime_trial.driver(real)), runtime_trial.REALS[real]
    with pytest.raises(runtime_trial.WrongError, match=" wrong: "):
        getattr(runtime_trial, part)(*arguments)


def test_a_compiler_that_does_not_end_is_ended(
    compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(trust, "COMPILES", 0.3)
    compiler('case "$*" in *-shared*) ;; *) exec $CC "$@";; esac; sleep 1234.25 & wait')
    assert "mycc does not finish: it was stopped after 0.3 s" in str(trust.doubts())
    assert len(verdicts(folder)) == 1
    assert ended("sleep 1234.25")


def test_a_compiler_that_does_not_say_what_it_is_is_ended(
    compiler: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_compiler, "PATIENCE", 0.2)
    compiler("")
    (tmp_path / "mycc").write_text("#!/bin/sh\nsleep 1000\n")
    assert backend.automatic(quietly=True)[0] == "numpy"
    assert "mycc does not finish" in str(backend.describe()["c"])


def test_a_compiler_without_its_headers_is_tried_again(compiler: Callable[[str], None], folder: Path) -> None:
    compiler("echo 'fatal error: math.h: No such file or directory' >&2; exit 1")
    assert "math.h: No such file or directory" in str(trust.doubts())
    assert verdicts(folder) == []
    with pytest.warns(RuntimeWarning, match="No such file or directory"):
        assert elman().backend == "numpy"
    compiler('exec $CC "$@"')
    assert trust.doubts() is None


@pytest.mark.parametrize(("code", "reason"), [(-9, "exit code -9"), (1, "ImportError: none")])
def test_a_trial_that_somebody_ended_is_no_verdict(
    code: int, reason: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = subprocess.CompletedProcess("", code, "", "ImportError: none\n" if code > 0 else "")
    monkeypatch.setattr(trust, "finished", lambda *_: said)
    assert f"can't be tried: {reason} (the next process tries it again" in str(trust.doubts())
    assert verdicts(folder) == []


def test_verdicts_are_of_compiler_processor_options_and_width(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder may be shared by nodes with other processors."""
    monkeypatch.setattr(trust, "tried", lambda: trust.Verdict(None, True))
    changes: list[Callable[[], None]] = [
        lambda: None,
        lambda: monkeypatch.setenv("RECURRENCY_CFLAGS", "-O1"),
        lambda: monkeypatch.setenv("RECURRENCY_VECTOR_BYTES", "16"),
        lambda: monkeypatch.setattr(runtime_compiler, "_machine", lambda: "another"),
        lambda: monkeypatch.setattr(runtime_compiler, "_version", lambda command: "another"),
        lambda: monkeypatch.setattr(trust.records, "_code", lambda: "another"),
    ]
    for number, change in enumerate(changes):
        change()
        for _ in range(2):
            forget()
            assert trust.doubts() is None
        assert len(verdicts(folder)) == 1 + number


def test_a_damaged_verdict_is_found_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [trust.Verdict("it is wrong", True), trust.Verdict(None, True)]
    monkeypatch.setattr(trust, "tried", found.pop)
    assert trust.doubts() is None
    verdicts(folder)[0].write_text("[]")
    forget()
    assert "it is wrong" in str(trust.doubts())


def test_a_process_that_knows_the_verdict_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "tried", lambda: trust.Verdict(None, True))
    times = []
    for _ in range(5):
        forget()
        runtime_compiler._machine.cache_clear()
        begin = time.perf_counter()
        trust.doubts()
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.005


def test_source_is_written_without_a_trial(nothing_runs: Callable[[], None], run: Run, tmp_path: Path) -> None:
    nothing_runs()
    assert run("compile", "Elman", "--backend", "c", "-D", "N=1", "-D", "H=1", "-o", tmp_path / "e.c").code == 0
    assert run("cache").code == 0


def test_in_a_program_that_embeds_python_nothing_is_tried(
    nothing_runs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_runs()
    for program in ("/usr/bin/app", "", None):
        monkeypatch.setattr(sys, "executable", program)
        assert trust.doubts() is None


def test_a_switch_that_is_neither_on_nor_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_TRUST", "yes")
    with pytest.raises(rc.UsageError, match="RECURRENCY_TRUST is 0 or 1, and not 'yes'"):
        elman()
