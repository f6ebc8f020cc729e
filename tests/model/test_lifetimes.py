"""Copies of what was compiled, and its end: nothing that is dropped stays in memory."""

from __future__ import annotations

import copy
import gc
import pickle
import resource
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.backend import find
from recurrency.graph.text import graph_text
from recurrency.testing import Case
from recurrency.testing.bench import MOST_SPECS, bench

BACKENDS = ("interpreter", "numpy", "torch", "c", "cupy-emulated")
T, B, N, H = 4, 2, 2, 3

COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that can run here."""
    name: str = request.param
    try:
        find(name)
    except rc.UsageError as error:
        pytest.skip(str(error))
    return name


def spec(number: int) -> rc.Spec:
    """A cell unlike all others: its code has a constant of its own."""
    return rc.parse(
        f"""cell Cell{number}[N, H](x: [N]) -> (h: [H]) {{
            param W : [H, N] ~ glorot_uniform
            state h : [H] = 0
            h = tanh(W @ x + 0.5 * h[t-1] + {number}.5)
        }}"""
    )


def called(model: rc.Model) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The output of a model and the gradient of its parameters, for inputs that are the same each time."""
    x = np.random.default_rng(0).standard_normal((T, B, N))
    run = model.forward(model.init(0), x)
    return run.output, model.backward(run, np.ones((T, B, H))).params


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("checkpoint", [None, 2])
def test_a_model_that_was_called_is_copied_and_pickled(backend: str, way: str, checkpoint: int | None) -> None:
    model = rc.library.LSTM.compile(backend, checkpoint=checkpoint, N=N, H=H)
    wanted = called(model)
    for found, right in zip(called(COPIES[way](model)), wanted, strict=True):
        assert np.array_equal(found, right)


@pytest.mark.parametrize("way", COPIES)
def test_a_run_is_copied_and_pickled(backend: str, way: str) -> None:
    model = rc.library.LSTM.compile(backend, N=N, H=H)
    run = model.forward(model.init(0), np.ones((T, B, N)))
    wanted = model.backward(run, np.ones((T, B, H))).params
    assert np.array_equal(model.backward(COPIES[way](run), np.ones((T, B, H))).params, wanted)


@pytest.mark.parametrize("way", COPIES)
def test_a_module_on_kernels_is_copied_and_pickled(way: str) -> None:
    torch = pytest.importorskip("torch")
    module, x = rc.library.LSTM.module(N=N, H=H), torch.randn(T, B, N)
    y, _ = module(x)
    assert torch.equal(COPIES[way](module)(x)[0], y)


@pytest.mark.parametrize("way", COPIES)
def test_graphs_are_copied_and_pickled(way: str) -> None:
    found = rc.library.GRU.elaborate(N=N, H=H)
    assert graph_text(COPIES[way](found).graph) == graph_text(found.graph)


def test_arrays_of_another_process_are_taken(backend: str) -> None:
    """Unpickled arrays have a dtype that is equal to the one of NumPy, but another object."""
    model = rc.library.LSTM.compile(backend, N=N, H=H)
    params, x, d = model.init(0), np.ones((T, B, N), np.float32), np.ones((T, B, H), np.float32)
    sent = [pickle.loads(pickle.dumps(a)) for a in (params, x, d)]
    assert all(a.dtype is not np.dtype(np.float32) for a in sent)
    wanted = model.backward(model.forward(params, x), d).params
    assert np.array_equal(model.backward(model.forward(sent[0], sent[1]), sent[2]).params, wanted)


def test_what_is_dropped_is_gone(backend: str) -> None:
    seen: list[weakref.ref[Any]] = []
    for number in range(3):
        model = spec(number).compile(backend, N=N, H=H)
        called(model)
        seen += map(weakref.ref, (model, model.spec, model.programs, model.programs.elaborated))
    del model
    gc.collect()
    assert [one() for one in seen if one() is not None] == []


def test_modules_that_are_dropped_are_gone() -> None:
    torch = pytest.importorskip("torch")
    seen: list[weakref.ref[Any]] = []
    for number in range(3):
        module = spec(number).module(N=N, H=H)
        module(torch.ones(T, B, N))[0].sum().backward()
        seen.append(weakref.ref(module))
    del module
    gc.collect()
    assert [one() for one in seen if one() is not None] == []


def test_specs_that_were_compared_do_not_stay() -> None:
    seen: list[weakref.ref[Any]] = []
    for number in range(2 * MOST_SPECS):
        one = spec(number)
        case = Case({"N": N, "H": H}, {"t": T}, B, None, seed=1)
        bench(one).reference(case, "forward")
        seen.append(weakref.ref(one))
    del one
    gc.collect()
    assert sum(one() is not None for one in seen) <= MOST_SPECS


GROWTH = """
import gc, sys
from tests.model.test_lifetimes import called, memory, spec

def drop(numbers):
    for number in numbers:
        called(spec(number).compile(sys.argv[1], N=2, H=3))
    gc.collect()

drop(range(int(sys.argv[2])))
before = memory()
drop(range(int(sys.argv[2]), 2 * int(sys.argv[2])))
print(memory() - before)
"""


def memory() -> float:
    """Megabytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat_over_thousands_of_specs(backend: str) -> None:
    """After the first thousand specs the next thousand take less than 10 kB each: what was seen is less than 3 kB."""
    half = 1000 if backend != "cupy-emulated" else 100
    out = subprocess.run([sys.executable, "-c", GROWTH, backend, str(half)], capture_output=True, text=True, check=True)
    assert float(out.stdout) < 0.01 * half
