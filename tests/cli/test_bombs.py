"""Every command answers every text, however much there is in it of whatever, or says clearly why it refuses."""

from __future__ import annotations

import cProfile
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.backend import find
from recurrency.errors import UsageError
from recurrency.model.export import module_files, module_text
from recurrency.model.model import Model
from recurrency.pictures import draw
from tests.support.bombs import BOMBS, cell, chain, uses

READING: dict[str, list[str]] = {
    "check": ["check", "SPEC"],
    "fmt": ["fmt", "--check", "SPEC"],
    "show": ["show", "SPEC"],
    "latex": ["show", "SPEC", "--latex"],
    "picture": ["show", "SPEC", "--graph", "out.svg"],
    "list": ["list", "SPEC"],
    "new": ["new", "Mine", "--from", "SPEC", "-o", "mine.rnn"],
}
COMPARING = {"diff": ["diff", "SPEC", "SPEC"]}
WRITING = {
    name: ["compile", "SPEC", "-D", "N=3", "--backend", name, "-o", f"out.{'c' if name == 'c' else 'py'}"]
    for name in ("numpy", "c", "torch")
}
FEW = ("chained cells", "strays")
SECONDS = 2.0
"""What a command may take of a processor to answer or refuse."""
SLACK = 5.0
"""So many times slower are other machines, and this one beside others; what is quadratic is slower yet."""
MEGABYTES = 500

RUN = """
import json, os, resource, sys, tempfile
from recurrency import cli

commands, limit = json.loads(sys.argv[1]), int(sys.argv[2])
for name, words in commands.items():
    out = tempfile.TemporaryFile()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        os.dup2(out.fileno(), 1), os.dup2(out.fileno(), 2)
        sys.argv = ["recurrency", *words]
        code = 0
        try:
            cli.main()
        except SystemExit as done:
            code = done.code or 0
        except BaseException as error:
            os.write(2, f"Traceback {error!r}".encode())
            code = 99
        sys.stdout.flush()
        os._exit(code)
    _, status, used = os.wait4(child, 0)
    out.seek(0)
    text = out.read().decode(errors="replace")
    print(json.dumps([name, os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss // 1024,
                      "Traceback" in text, text[-300:]]), flush=True)
"""


def ran(folder: Path, bomb: str, commands: dict[str, list[str]], limit: float) -> list[list[Any]]:
    """For each command: its name, exit code, seconds of a processor, megabytes, whether it crashed, its last words."""
    spec = folder / "bomb.rnn"
    spec.write_text(BOMBS[bomb](), encoding="utf-8")
    words = {name: [str(spec) if w == "SPEC" else w for w in command] for name, command in commands.items()}
    call = [sys.executable, "-c", RUN, json.dumps(words), str(int(limit))]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def require_answers(results: list[list[Any]], limit: float, megabytes: int = MEGABYTES) -> None:
    """Each command has answered or refused, without a traceback, in time and within its memory."""
    for name, code, seconds, memory, crashed, words in results:
        used = f"{name}: exit code {code} after {seconds:.1f} s with {memory} MB: {words}"
        assert not crashed, used
        assert code in (0, 1, 2), used
        assert seconds <= limit, used
        assert memory <= megabytes, used


@pytest.mark.parametrize("bomb", FEW)
def test_commands_that_read_answer(tmp_path: Path, bomb: str) -> None:
    require_answers(ran(tmp_path, bomb, READING, SLACK * SECONDS), SLACK * SECONDS)


@pytest.mark.long
@pytest.mark.parametrize("bomb", BOMBS)
def test_all_commands_that_read_answer_every_bomb(tmp_path: Path, bomb: str) -> None:
    require_answers(ran(tmp_path, bomb, READING | COMPARING, SLACK * SECONDS), SLACK * SECONDS)


@pytest.mark.long
@pytest.mark.parametrize("bomb", BOMBS)
def test_compile_writes_every_bomb_or_refuses_it(tmp_path: Path, bomb: str) -> None:
    require_answers(ran(tmp_path, bomb, WRITING, 150), 150, 2 * MEGABYTES)


LARGER: dict[str, Callable[[int], str]] = {
    "a chain": chain,
    "views": lambda count: chain(count, "stop_grad(?)"),
    "delays": lambda count: chain(count, "?[t-1]"),
    "uses of a cell": uses,
}


def calls(text: str, backend: str) -> int:
    """How many calls of functions of this package it takes to write a cell as a module: as many on every machine."""
    model, folder = rc.parse(text).compile(backend, N=3), str(Path(rc.__file__).parents[1])
    profile = cProfile.Profile(builtins=False)
    profile.runcall(module_text, model)
    entries = (entry for entry in profile.getstats() if not isinstance(entry.code, str))
    return sum(entry.callcount for entry in entries if entry.code.co_filename.startswith(folder))


@pytest.mark.parametrize("backend", ["numpy", "c", pytest.param("torch", marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", LARGER)
def test_compilation_takes_work_in_proportion_to_the_operations(kind: str, backend: str) -> None:
    """From n to 2n operations as much comes on top as from 2n to 3n."""
    n = 20
    work = [calls(LARGER[kind](size), backend) for size in (n, 2 * n, 3 * n)]
    assert work[2] - work[1] <= 1.05 * (work[1] - work[0]), work


def test_a_chain_of_views_and_delays_is_compiled_without_recursion() -> None:
    x = np.ones((4, 1, 2))
    for step, first in (("stop_grad(?)", 1.0), ("?[t-1]", 0.0)):
        model = rc.parse(chain(600, step)).compile("numpy", dtype="float64", N=2)
        assert (model.forward(np.zeros(0), {"x": x}).outputs["y"] == first).all()


@pytest.mark.parametrize("step", ["stop_grad(?)", "clip_grad(?, 1)"])
@pytest.mark.parametrize("backend", ["c", "cupy"])
def test_kernels_of_a_chain_of_views_are_written_without_recursion(backend: str, step: str) -> None:
    spec = rc.parse(chain(600, step))
    model = Model(spec, spec.elaborate(N=2), find(backend, run=False), "float32")
    assert "y" in module_files(model).source


def test_what_is_too_large_for_a_picture_says_so() -> None:
    texts = {
        "more than 2000 equations": cell("a[0] = x", "for i in 1..3000 { a[i] = tanh(a[i-1]) }", "y = a[3000]"),
        "400 equations": chain(400),
        "too many lines": BOMBS["long ways"](),
        "too long for a picture": BOMBS["a wide concat"](),
    }
    for said, text in texts.items():
        spec = rc.parse(text)
        with pytest.raises(UsageError, match=said):
            draw(spec.definition).svg()


def test_a_cell_of_too_many_operations_is_not_compiled() -> None:
    text = cell("a[0] = x", "for i in 1..9000 { a[i] = tanh(a[i-1]) }", "y = a[9000]")
    with pytest.raises(UsageError, match="at most 8,000 can be compiled"):
        rc.parse(text).compile("numpy", N=2)
