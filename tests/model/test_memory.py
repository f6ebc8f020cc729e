"""The memory that training on a batch needs, as it is forecast and as it is."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend, library
from recurrency.model.budget import Search, longest, size_in_bytes
from recurrency.model.memory import Forecast
from recurrency.model.model import Model
from tests.support.calling import Run
from tests.support.usual import diagonal

REASON = backend.describe()["c"]
needs_compiler = pytest.mark.skipif(REASON is not None, reason=f"c: {REASON}")

CELLS: dict[str, dict[str, Any]] = {
    "LSTM": {"N": 32, "H": 64},
    "GRU": {"N": 16, "H": 48},
    "ZoneoutLSTM": {"N": 16, "H": 32},
    "FastWeights": {"N": 8, "H": 16},
    "LayerNormLSTM": {"N": 16, "H": 32},
    "LanguageModel": {"V": 40, "N": 16, "H": 32},
    "Music": {"H": 46},
    "Bidirectional": {"N": 8, "H": 32},
}
SIZES = [(200, 16, False), (120, 9, True)]


class Batch:
    """A batch for a model, on which it is trained."""

    def __init__(self, model: Model, steps: int, batch: int, ragged: bool) -> None:
        rng = np.random.default_rng(0)
        lead = (steps, batch)
        self.model, self.ragged = model, ragged
        self.params = model.init(0)
        self.lengths = rng.integers(1, steps + 1, batch) if ragged else None
        self.inputs = {
            n: rng.standard_normal((*lead, *p.shape)).astype(model.real)
            if p.index is None
            else rng.integers(0, p.index, lead)
            for n, p in model.inputs.items()
        }
        real = {n: p for n, p in model.outputs.items() if p.index is None and not model.has_loss}
        self.seeds = {n: np.ones((*lead, *p.shape), model.real) for n, p in real.items()}

    @property
    def given(self) -> int:
        """Bytes that are there before training."""
        return self.params.nbytes + sum(a.nbytes for a in (*self.inputs.values(), *self.seeds.values()))

    @property
    def copied(self) -> int:
        """Bytes of the copies without what stands in padding, which every backend gets."""
        return (self.given - self.params.nbytes) * self.ragged

    def train(self) -> Any:
        """Forward and backward."""
        how: dict[str, Any] = {"lengths": self.lengths, "training": True}
        if self.model.has_loss:
            return self.model.loss_and_gradients(self.params, self.inputs, wrt=("params",), **how)
        run = self.model.forward(self.params, self.inputs, **how)
        return run, self.model.backward(run, self.seeds)


def allocated_by_c(model: Model) -> int:
    """Bytes of all memory that compiled functions keep."""
    runners: list[Any] = list(model.programs._runners.values())
    plans = [plan for runner in runners for kept in runner.plans.values() for plan in kept]
    return sum(p.bytes + 64 + sum(a.memory.nbytes for arenas in p.arenas for a in arenas) for p in plans)


@needs_compiler
@pytest.mark.parametrize(("steps", "batch", "ragged"), SIZES)
@pytest.mark.parametrize("cell", ["LSTM", "GRU", "LanguageModel", "Bidirectional"])
def test_c_allocates_what_was_forecast(cell: str, steps: int, batch: int, ragged: bool) -> None:
    model = library.spec(cell).compile(backend="c", **CELLS[cell])
    wanted = model.memory(steps, batch, ragged=ragged).peak
    case = Batch(model, steps, batch, ragged)
    kept = case.train()
    assert kept is not None
    found = case.given + case.copied + allocated_by_c(model)
    assert abs(wanted - found) <= 0.01 * found, "it is the same layout, but for the columns of packed matrices"


@needs_compiler
@pytest.mark.parametrize("threads", [1, 3])
def test_the_workspace_is_that_of_the_compiled_function(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from recurrency.backends.c.runtime import pool
    from recurrency.backends.c.runtime import runner as runtime_runner

    monkeypatch.setenv("RECURRENCY_THREADS", str(threads))
    monkeypatch.setattr(runtime_runner, "SMALL", 0)
    pool.threads.cache_clear()
    try:
        model = library.spec("LSTM").compile(backend="c", N=40, H=96)
        case = Batch(model, 30, 5, False)
        case.train()
        for runner in list(model.programs._runners.values()):
            found: Any = runner
            given = tuple(name for name in found.signature.inputs if not name.startswith("start:"))
            forecast = found.footprint({"t": 30}, 5, given)
            total = forecast.gradients + forecast.tape + forecast.workspace
            plans = [p for kept in found.plans.values() for p in kept]
            real = sum(p.bytes + 64 + sum(a.memory.nbytes for arenas in p.arenas for a in arenas) for p in plans)
            assert abs(total - real) <= 0.01 * real
    finally:
        pool.threads.cache_clear()


@pytest.mark.parametrize(("steps", "batch", "ragged"), SIZES)
@pytest.mark.parametrize(("cell", "chunk"), diagonal(CELLS, [None, 30]))
def test_numpy_allocates_what_was_forecast(cell: str, chunk: int | None, steps: int, batch: int, ragged: bool) -> None:
    if chunk and cell == "Bidirectional":
        pytest.skip("it has no chunks")
    model = library.spec(cell).compile(backend="numpy", checkpoint=chunk, **CELLS[cell])
    wanted = model.memory(steps, batch, ragged=ragged).peak
    Batch(model, 2, 1, False).train()  # to compile
    case = Batch(model, steps, batch, ragged)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(2):
            case.train()
        found = tracemalloc.get_traced_memory()[1] - before + case.given
    finally:
        tracemalloc.stop()
    assert abs(wanted - found) <= 0.1 * found


SCRIPT = """
import re
from pathlib import Path
import numpy as np
from recurrency import library


def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

T, B, H = 1500, 16, 192
model = library.spec("LSTM").compile(backend="c", N=H, H=H, checkpoint={chunk})
params = model.init(0)
small = np.zeros((2, 1, H), np.float32)
if model.checkpoint:
    model.checkpoint.fixed = 1
run = model.forward(params, small)
model.backward(run, small)
if model.checkpoint:
    model.checkpoint.fixed = {chunk}
del run
before = peak()
x, d = (np.random.default_rng(k).standard_normal((T, B, H), dtype=np.float32) for k in (0, 1))
for _ in range(2):
    run = model.forward(params, x)
    found = model.backward(run, d)
    del run, found
print(peak() - before, model.memory(T, B).peak)
"""


@needs_compiler
def test_chunks_use_the_same_memory_one_after_another() -> None:
    model = library.spec("GRU").compile(backend="c", N=3, H=5, checkpoint=10)
    case = Batch(model, 50, 3, False)
    kept = [case.train() for _ in range(2)]
    assert len(kept) == 2
    runners: list[Any] = list(model.programs._runners.values())
    plans = [plan for runner in runners for kept in runner.plans.values() for plan in kept]
    assert {len(arenas) for plan in plans for arenas in plan.arenas} == {1}


@needs_compiler
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("chunk", [pytest.param(None, marks=pytest.mark.long), 150])
def test_the_process_grows_as_was_forecast(chunk: int | None) -> None:
    """The peak is not that of `getrusage`, for a process that another one starts begins with the peak of that one."""
    environment = {k: v for k, v in os.environ.items() if k != "RECURRENCY_CFLAGS"} | {"RECURRENCY_THREADS": "1"}
    words = [sys.executable, "-c", SCRIPT.replace("{chunk}", str(chunk))]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    grown, wanted = map(int, done.stdout.split())
    assert abs(1024 * grown - wanted) <= 0.1 * wanted


@pytest.mark.parametrize("name", ["numpy", pytest.param("c", marks=needs_compiler)])
def test_a_checkpoint_needs_less(name: str) -> None:
    spec = library.spec("LSTM")
    models = [
        Model(spec, spec.elaborate(N=8, H=16), backend.find(name, run=False), checkpoint=size)
        for size in (None, 100, 10)
    ]
    whole, long, short = (model.memory(1000, 4) for model in models)
    assert whole.peak > long.peak > short.peak
    assert whole.tape > 5 * long.tape


def test_the_parts_are_what_they_say() -> None:
    model = library.spec("LSTM").compile(backend="numpy", N=8, H=16)
    found = model.memory(50, 4)
    assert found.parameters == 4 * model.size
    assert found.inputs == 4 * 50 * 4 * 8
    assert found.gradients >= 4 * (model.size + 50 * 4 * (8 + 16))
    assert found.peak == found.parameters + found.gradients + found.inputs + found.tape + found.workspace
    double = library.spec("LSTM").compile(backend="numpy", N=8, H=16, dtype="float64").memory(50, 4)
    assert double.tape == 2 * found.tape
    assert model.memory({"t": 50}, 4) == found


@pytest.mark.parametrize("name", ["numpy", pytest.param("c", marks=needs_compiler)])
def test_an_input_that_nothing_reads_is_passed_and_not_used(name: str) -> None:
    spec = rc.parse("cell A[N](x, b: [N]) -> (h: [N]) {\n    h = x + h[t-1]\n}")
    model = Model(spec, spec.elaborate(N=4), backend.find(name, run=False))
    found = model.memory(10, 2)
    assert found.peak >= found.inputs == 2 * 4 * 10 * 2 * 4


def test_what_is_not_known_is_not_guessed() -> None:
    model = library.spec("LSTM").compile(backend="interpreter", N=2, H=2)
    with pytest.raises(rc.UsageError, match="the backend interpreter does not report what memory it needs"):
        model.memory(10, 2)
    chunked = library.spec("LSTM").compile(backend="interpreter", N=2, H=2, checkpoint="1 GB")
    with pytest.raises(rc.UsageError, match="the backend interpreter does not report what memory it needs"):
        chunked.forward(np.zeros(model.size), np.zeros((4, 1, 2)))
    with pytest.raises(rc.UsageError, match="steps and batch are whole numbers from 0, not -1"):
        library.spec("LSTM").compile(backend="numpy", N=2, H=2).memory(-1, 2)
    with pytest.raises(rc.UsageError, match="the number of steps of s is missing"):
        library.spec("EncoderDecoder").compile(backend="numpy", V=3, K=3, N=2, H=2).memory({"t": 3}, 2)


def test_how_wide_vectors_would_be_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = library.spec("LSTM")
    model = Model(spec, spec.elaborate(N=2, H=2), backend.find("c", run=False))
    monkeypatch.setenv("RECURRENCY_CC", "no-such-cc")
    with pytest.raises(rc.UsageError, match="as its compiler makes vectors, and RECURRENCY_CC names no-such-cc"):
        model.memory(10, 2)


# ------------------------------------------------------------------------------------------------------------ budgets


@pytest.mark.parametrize(
    ("text", "size"), [("512 MB", 512 * 10**6), ("1.5gib", 3 * 2**29), (" 7 kB ", 7000), ("3B", 3)]
)
def test_a_budget_is_read(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("cell", ["GRU", "FrameRegressor"])
def test_the_longest_chunk_within_the_budget_is_taken(cell: str) -> None:
    dimensions = {"N": 3, "H": 5} | ({"K": 2} if cell == "FrameRegressor" else {})
    model = library.spec(cell).compile(backend="numpy", checkpoint=1, **dimensions)
    forecast, count = Forecast(model.interface, model.programs, 4, False), 37
    peaks = {size: Search(forecast, count).peak(size) for size in range(1, count + 1)}
    for budget in np.linspace(min(peaks.values()), max(peaks.values()) + 1, 40).astype(int):
        wanted = max(size for size, peak in peaks.items() if peak <= budget)
        assert longest(forecast, int(budget), count) == wanted
    with pytest.raises(rc.UsageError, match=r"does not fit in .* it needs at least .*"):
        longest(forecast, min(peaks.values()) - 1, count)
    assert Search(forecast, count).least() == min(peaks.values())


def test_a_budget_gives_the_numbers_of_its_chunk() -> None:
    spec = library.spec("GRU")
    whole = spec.compile(backend="numpy", N=3, H=5)
    peak = whole.memory(60, 4).peak
    model = spec.compile(backend="numpy", N=3, H=5, checkpoint=f"{0.7 * peak / 1000:.1f} kB")
    assert model.memory(60, 4).peak <= 0.7 * peak
    assert model.checkpoint is not None
    fixed = spec.compile(backend="numpy", N=3, H=5, checkpoint=model.checkpoint.steps(60, 4))
    one, other = (Batch(m, 60, 4, False).train()[1].params for m in (model, fixed))
    np.testing.assert_array_equal(one, other)


# ------------------------------------------------------------------------------------------------------- command line


def test_show_tells_the_memory(run: Run) -> None:
    words = ["show", "LSTM", "-D", "N=64", "-D", "H=128", "--backend", "numpy", "--steps", "1000", "--batch", "32"]
    shown = run(*words)
    assert "memory of training on 32 sequences of 1000 steps (numpy, float32):" in shown.out
    peak = library.spec("LSTM").compile(backend="numpy", N=64, H=128).memory(1000, 32).peak
    assert f"{peak / 1e6:.0f} MB" in shown.out
    shown = run(*words, "--checkpoint", "100")
    assert ", in chunks of 100 steps):" in " ".join(shown.out.split()), "lines are as long as the window is wide"
    assert "needs" in run(*words, "--checkpoint", "1 MB").err
    assert run(*words, "--checkpoint", "few").code != 0
    other = run("show", "LSTM", "-D", "N=4", "-D", "H=4", "--backend", "interpreter").out
    assert "on 16 sequences of 100 steps: the backend interpreter does not report what" in " ".join(other.split())
    assert "memory of training" not in run("show", "LSTM").out
