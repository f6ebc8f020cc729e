"""The time of plans, predicted from machine code: a slow plan changes a golden table. No GPU is needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from recurrency.backends.cupy.cost import lanes, recording, sass, table, warps
from recurrency.backends.cupy.cost.devices import TOLERANCE, USUAL
from recurrency.backends.cupy.cost.model import Machine
from recurrency.backends.cupy.cost.recording import Launch
from recurrency.backends.cupy.runtime.plans import predicted
from recurrency.backends.python.module import executed

from recurrency import backend, library
from recurrency.cli import cli
from recurrency.errors import UsageError
from recurrency.extras import install
from recurrency.model.export import module_text
from recurrency.model.model import Model

GOLDEN = Path(__file__).parents[2] / "golden" / "cost"
MISSING = table.obstacle()
needs_machine_code = pytest.mark.skipif(MISSING is not None, reason=f"no times predicted: {MISSING}")

BATCH = 16
SAME = 0.15
"""How far a time may be from that of the golden table, as a fraction: versions of NVRTC differ."""


@cache
def source_of(cell: str, **sizes: int) -> str:
    """The module of a shipped cell in float32."""
    spec = library.spec(cell)
    return module_text(Model(spec, spec.elaborate(**sizes), backend.find("cupy", run=False), "float32"))


def rows_of(text: str) -> dict[tuple[str, ...], float]:
    """The times in a table: of each pass, loop and plan."""
    rows = (line.split(" | ") for line in text.splitlines()[2:])
    return {(*row[:3],): float(row[3]) for row in rows}


@needs_machine_code
@pytest.mark.parametrize(
    "cell", ["LSTM", *(pytest.param(name, marks=pytest.mark.long) for name in ("GRU", "LayerNormLSTM"))]
)
def test_the_time_of_every_plan_is_that_of_the_golden_table(
    cell: str, golden: Callable[[Path, str], None], request: Any
) -> None:
    found = table.forecast(source_of(cell, N=64, H=256), BATCH, (USUAL,))
    text = "\n".join([found.title, " | ".join(found.head), *(" | ".join(row) for row in found.rows)]) + "\n"
    path = GOLDEN / f"{cell}.txt"
    if request.config.getoption("--update-golden"):
        golden(path, text)
    want, got = rows_of(path.read_text(encoding="utf-8")), rows_of(text)
    assert set(got) == set(want)
    for key, us in want.items():
        assert got[key] == pytest.approx(us, rel=SAME), f"{key} takes {got[key]} us a step, not {us}"


@needs_machine_code
@pytest.mark.parametrize("size", [pytest.param(768, marks=pytest.mark.long), 256])
def test_the_rule_of_the_runtime_agrees_with_the_machine_code(size: int) -> None:
    source = source_of("LSTM", N=64, H=size)
    module: Any = executed(source, "cupy", "module")
    for row in table.predicted(source, BATCH, (USUAL,)):
        (scan,) = module[row.function].SCANS.values()
        us = predicted(row.plan, scan[3][row.plan], BATCH, 4)
        assert us == pytest.approx(row.steps[USUAL.name].us, rel=TOLERANCE), row


def kernel(body: str, threads: int = 32, blocks: int = 1, **sizes: int) -> tuple[Machine, Launch]:
    """A kernel with the arguments `x`, `y` and n, and a launch of it."""
    code = f"""extern "C" __global__ void __launch_bounds__({threads}, 1) one(
        const float* __restrict__ x, float* y, int n
    ) {{
        const int i = blockIdx.x * {threads} + threadIdx.x;
        {body}
    }}"""
    arguments = (1 << 28, 1 << 29, sizes.get("n", 1 << 20))
    return Machine([code], USUAL), Launch("one", (blocks, 1, 1), (threads, 1, 1), arguments, (8, 8, 4), arguments[2:])


@needs_machine_code
def test_a_loop_is_followed_to_its_end() -> None:
    """Each turn waits for memory: the chain of loads, which each need the one before, is what the kernel takes."""
    machine, launch = kernel("int at = i; for (int k = 0; k < n; ++k) at = (int)x[at]; y[i] = at;", n=100)
    assert machine.device is USUAL
    time = machine.time(launch)
    cycles = 1e3 * USUAL.clock * time.us
    assert time.bound == "latency"
    assert 100 * USUAL.l2_hit < cycles < 1.4 * 100 * USUAL.l2_hit + 1000


@needs_machine_code
def test_what_bounds_a_kernel_is_seen() -> None:
    chain = "float s = x[i]; for (int k = 0; k < n; ++k) s = s * s + 0.5f; y[i] = s;"
    alone, full = kernel(chain, 32, n=1000), kernel(chain, 1024, 264, n=1000)
    assert alone[0].time(alone[1]).bound == "latency"
    assert full[0].time(full[1]).bound in ("instructions", "arithmetic")
    apart = kernel("float s = 0; for (int k = 0; k < 64; ++k) s += x[i * 1024 + k * 32]; y[i] = s;", 1024, 264)
    beside = kernel("float s = 0; for (int k = 0; k < 64; ++k) s += x[i + k * 1048576]; y[i] = s;", 1024, 264)
    assert apart[0].time(apart[1]).us > 4 * beside[0].time(beside[1]).us


@needs_machine_code
def test_more_blocks_than_fit_run_one_after_another() -> None:
    one, many = (kernel("for (int k = 0; k < 500; ++k) y[i] = x[(int)y[i]];", 1024, n) for n in (132, 132 * 2 * 3))
    assert many[0].time(many[1]).us == pytest.approx(3 * one[0].time(one[1]).us, rel=0.5)


def test_accesses_are_served_line_by_line() -> None:
    lane = np.arange(32, dtype=np.uint64)
    assert lanes.lines(lane * np.uint64(4), 4)[0] == 1
    assert lanes.lines(np.zeros(32, np.uint64), 4) == (1, frozenset({0}))
    assert lanes.lines(lane * np.uint64(128), 4)[0] == 32
    assert lanes.lines(lane * np.uint64(16), 16)[0] == 4
    assert len(lanes.lines(lane * np.uint64(4), 4)[1]) == 4
    assert lanes.banks(lane * np.uint64(4), 4) == 1
    assert lanes.banks(lane * np.uint64(8), 4) == 2
    assert lanes.banks(lane * np.uint64(128), 4) == 32


def test_integers_are_computed_as_registers_do() -> None:
    assert lanes.signed(lanes.MASK) == -1
    assert lanes.multiplied(lanes.MASK, 3, True) == lanes.WIDE - 2
    assert lanes.shifted(0x80000000, 31, left=False, is_signed=True) == lanes.MASK
    assert lanes.added([lanes.MASK, 1], lanes.MASK) == (0, 1)
    assert lanes.logic(0b1100, 0b1010, 0, 0xC0) == 0b1000
    array = np.array([1, lanes.MASK] * 16, np.uint64)
    assert lanes.multiplied(array, 2, True)[1] == lanes.WIDE - 1


def test_the_launches_of_a_step_are_those_of_the_driver() -> None:
    module: Any = executed(source_of("LSTM", N=5, H=7), "cupy", "module")
    (few, many) = (recording.ways(module, "backward_pass", steps, 3) for steps in (2, 5))
    for key, calls in many.items():
        assert len(calls) - len(few[key]) == 3 * (1 + (key[1] != "loop"))


def test_without_the_disassembler_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sass, "disassembler", lambda: None)
    result = CliRunner().invoke(cli, ["show", "LSTM", "-D", "N=2", "-D", "H=3", "--backend", "cupy"])
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    assert "is not installed" in words
    assert install("cuda-check") in words


def test_a_kernel_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warps, "MOST_STEPS", 10)
    code = (sass.Instruction(("MOV",), ("R0", "RZ"), ""), sass.Instruction(("BRA",), ("0x0",), ""))
    warp = warps.Warp(code, warps.constants(90, [], (1, 1, 1), (32, 1, 1), []), USUAL, 0, 0, set())
    with pytest.raises(UsageError, match="can't follow"):
        warp.run()
