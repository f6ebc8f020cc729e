"""Ctrl-C, while something compiles and in the middle of a long call: at once, with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from recurrency.backends.c.runtime import compiler as runtime_compiler

from recurrency import cli
from recurrency.disk import subprocesses

pytestmark = pytest.mark.skipif(
    runtime_compiler.obstacle() is not None, reason=f"nothing compiled: {runtime_compiler.obstacle()}"
)
CC = runtime_compiler.compiler()[0] if runtime_compiler.obstacle() is None else ""
PROBE = ("-m", "recurrency", "probe", "Elman", "-D", "N=2", "-D", "H=3")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """`start(script, *words)` runs Python with these words, in a group of its own, until its compiler runs.

    That does what the script says; `$CC` is the real one.
    """
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("RECURRENCY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECURRENCY_CC", str(tmp_path / "mycc"))
    monkeypatch.setenv("RECURRENCY_BACKEND", "c")
    started: list[subprocess.Popen[str]] = []

    def begin(script: str, *words: str) -> subprocess.Popen[str]:
        lines = ["#!/bin/sh", f"CC={CC}", 'case "$*" in *-shared*) ;; *) exec $CC "$@";; esac']
        lines.append(f"echo $$ >> {tmp_path}/running")
        (tmp_path / "mycc").write_text("\n".join([*lines, script, ""]))
        (tmp_path / "mycc").chmod(0o700)
        process = subprocess.Popen([sys.executable, *words], stdout=-1, stderr=-1, text=True, process_group=0)
        started.append(process)
        while not (tmp_path / "running").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


LASTS = f"sleep 1234.{os.getpid()}"
"""A command that lasts, unlike those of other test runs on this machine."""


def ended(words: str) -> bool:
    """Whether nothing runs any more that has these words in its command, or soon does not."""
    for _ in range(100):
        found = subprocess.run(["ps", "-A", "-o", "stat=,args="], capture_output=True, text=True, check=True).stdout
        if not any(words in line and line[0] not in "ZX" for line in found.splitlines()):
            return True
        time.sleep(0.02)
    return False


def left_behind(folder: Path) -> list[str]:
    """Files in the cache and in the folder for temporary ones, but for what the compiler said of itself."""
    found = [path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".version"]
    return sorted({*found} - {"mycc", "running"})


@pytest.mark.parametrize(
    ("script", "whole"),
    [(f"{LASTS} & wait", False), (f"trap '' TERM INT; {LASTS}; {LASTS}", True)],
    ids=["ends", "stays"],
)
def test_ctrl_c_ends_the_compiler(start: Start, tmp_path: Path, script: str, whole: bool) -> None:
    """As a terminal sends it, to the whole group, and as `kill -INT` does."""
    process = start(script, *PROBE)
    (os.killpg if whole else os.kill)(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert said.strip() == "interrupted"
    assert process.returncode in (130, -signal.SIGINT)  # a shell shows both as 130; Python does so after some imports
    assert left_behind(tmp_path) == []
    assert ended(LASTS)


def test_ctrl_c_that_became_another_error_is_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Python 3.11 makes a RuntimeError of it where a class is being defined."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    def defines(**_: object) -> None:
        try:
            interrupted()
        except KeyboardInterrupt as error:
            raise RuntimeError("Error calling __set_name__") from error

    monkeypatch.setattr(cli, "cli", defines)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert (end.value.code, capsys.readouterr().err) == (130, "interrupted\n")


AT_START = f"""
import os, signal, subprocess
from recurrency.disk import subprocesses
start = subprocess.Popen._execute_child
def interrupted(*words):
    start(*words)
    os.kill(os.getpid(), signal.SIGINT)
subprocess.Popen._execute_child = interrupted
subprocesses.finished(["sh", "-c", "{LASTS}7 & wait"])
"""


def test_ctrl_c_while_a_program_starts_ends_it() -> None:
    process = subprocess.run([sys.executable, "-c", AT_START], capture_output=True, text=True, timeout=20)
    assert process.stderr.endswith("KeyboardInterrupt\n")
    assert ended(f"{LASTS}7")


TRAINS = """
import numpy as np, recurrency as rc
from recurrency.training.loop.interrupts import Interrupts
with Interrupts() as interrupts:
    model = rc.library.Elman.compile(backend="c", N=2, H=3)
    run = model.forward(model.init(), np.ones((4, 2, 2), "float32"), keep=False)
    print(interrupts.asked, run.outputs["h"].shape)
"""


def test_ctrl_c_as_a_wish_lets_the_compiler_end(start: Start) -> None:
    """So it is in training, which stops after an update."""
    process = start('sleep 0.5; exec $CC "$@"', "-c", TRAINS)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30) == ("True (4, 2, 3)\n", "")


GROUP = """
import os, signal, sys
from recurrency.disk import subprocesses
signal.signal(signal.SIGINT, lambda number, frame: print("asked"))
start = subprocesses.subprocess.Popen
def interrupted(words, **options):
    early = not os.path.exists(sys.argv[1])
    open(sys.argv[1], "w").close()
    if early:
        os.kill(os.getpid(), signal.SIGINT)
        words = ["sh", "-c", "kill -INT $$"]
    return start(words, **options)
subprocesses.subprocess.Popen = interrupted
print(subprocesses.finished(["echo", "compiled"]).stdout)
"""
"""Ctrl-C stops a program before it has left the group of this process, which goes on."""


def test_ctrl_c_as_a_wish_that_stops_a_program_as_it_starts_has_it_run_again(tmp_path: Path) -> None:
    words = [sys.executable, "-c", GROUP, str(tmp_path / "early")]
    said = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert (said.stdout.split(), said.stderr) == (["asked", "compiled"], "")


def test_a_compiler_that_is_stopped_is_no_compiler_that_refuses(start: Start, tmp_path: Path) -> None:
    process = start("kill -INT $$", *PROBE)
    assert process.communicate(timeout=20)[1].strip() == "interrupted"
    assert process.returncode == 130


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        subprocesses.finished(["sh", "-c", f"{LASTS}5 & wait"], seconds=0.2)
    assert ended(f"{LASTS}5")
    assert subprocesses._programs == set()
