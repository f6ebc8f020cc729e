"""The process that tests whether code from this compiler is correct on this processor: see `trust`.

It loads and calls what it compiles, which may crash, hang or be wrong; therefore it is a separate process.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import shlex
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any, NoReturn

import numpy as np

from recurrency import backend
from recurrency.backend import Runner
from recurrency.disk.subprocesses import end_all
from recurrency.errors import Source, UsageError
from recurrency.graph.graph import Graph
from recurrency.language.elaboration.elaborate import elaborate
from recurrency.language.elaboration.modules import Loader
from recurrency.language.reading.parser import parse_file
from recurrency.model.graphs import Graphs
from recurrency.program.layout import Layout

from ..gemm import gemm_text
from ..math import FUNCTIONS, OWN
from ..math import text as math_text
from ..text import common
from . import compiler
from . import pool as runtime_pool
from . import runner as runtime_runner

Array = np.ndarray[Any, np.dtype[Any]]

REALS: dict[str, np.dtype[Any]] = {"float": np.dtype(np.float32), "double": np.dtype(np.float64)}

DRIVER = """
#define SHOWN __attribute__((visibility("default")))
SHOWN long test_room(long m, long n, long k) { return rec_product_work_size(m, n, k) + rec_packed_size(k, n); }
SHOWN void test_product(long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
                        REAL *c, long c_m, REAL *work) {
    rec_product(m, n, k, a, a_m, a_k, b, b_k, b_n, c, c_m, 0, work, n);
}
SHOWN void test_packed(long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
                       REAL *c, long c_m, REAL *work) {
    rec_pack(k, n, b, b_k, b_n, work);
    if (a_k == 1) rec_multiply(m, n, k, a, a_m, work, c, c_m, 0, 0, REC_CEIL_DIV(n, REC_COLUMNS), 0);
    else rec_product(m, n, k, a, a_m, a_k, b, b_k, b_n, c, c_m, 0, work, n);
}
"""
"""Products as all programs call them."""

FUNCTION = "SHOWN void test_NAME(const REAL *x, REAL *y, long n) { for (long i = 0; i < n; i++) y[i] = CALL; }\n"

SIZES = ((1, 1, 1), (3, 5, 7), (6, 16, 33), (13, 67, 20), (50, 131, 65), (7, 300, 9))
"""Rows, columns and terms of the products: less and more than a tile, and rarely whole vectors."""

CELL = """
cell Trial[N, H](x: [N]) -> (y: [H]) {
    param W, V : [H, N] ~ glorot_uniform
    param U    : [H, H] ~ orthogonal
    param b    : [H]    ~ zeros
    state h : [H] = 0
    z = sigmoid(V @ x + b)
    h = (1 - z) * h[t-1] + z * tanh(W @ x + U @ h[t-1])
    y = exp(-h) * z
    loss l2(y)
}
"""
STEPS, BATCH, N, H = 5, 3, 7, 19


class WrongError(Exception):
    """A number is wrong; the message says which one."""


def close(what: str, found: Array, wanted: Array, bound: Array) -> None:
    """Check that numbers are the wanted ones, each within its bound.

    Raises:
        WrongError: one is not.
    """
    with np.errstate(invalid="ignore"):
        off = ~(np.abs(found.astype(float) - wanted) <= bound)
    if off.any():
        at = tuple(np.argwhere(off)[0])
        raise WrongError(f"{what} are wrong: {found[at]!s} instead of {wanted[at]!s}")


# ------------------------------------------------------------------------------------------------------------ functions


def driver(real: str) -> str:
    """The text with products and functions of one type."""
    calls = {op: FUNCTIONS[op].format("x[i]", EXPONENT, f="f" * (real == "float")) for op in OWN}
    loops = "".join(FUNCTION.replace("NAME", op).replace("CALL", call) for op, call in calls.items())
    functions = math_text([f"rec_{op}{'f' * (real == 'float')}" for op in OWN], real)
    products: str = common(real) + gemm_text(real)
    return products + (DRIVER.replace("#define", f"{functions}\n#define") + loops).replace("REAL", real)


EXPONENT = 1.75
"""Of the powers that are tested."""

POSITIVE = ("log", "log1p", "power")
"""Functions that are tested on positive numbers alone."""

EXACT: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))),
    "softplus": lambda x: np.logaddexp(0, x),
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "erf": np.vectorize(math.erf, [float]),
    "erfc": np.vectorize(math.erfc, [float]),
    "power": lambda x: x**EXPONENT,
}


def functions(library: Any, dtype: np.dtype[Any]) -> None:
    """Test each function on whole vectors and on the rest, to a few units of the last place."""
    sizes = np.geomspace(1e-4, 80, 147)
    x = np.concatenate([sizes, -sizes]).astype(dtype)
    for op in OWN:
        given = np.abs(x) if op in POSITIVE else x
        found, function = np.full_like(x, np.nan), library[f"test_{op}"]
        function(ctypes.c_void_p(given.ctypes.data), ctypes.c_void_p(found.ctypes.data), ctypes.c_long(len(x)))
        wanted = EXACT[op](given.astype(float))
        least = np.finfo(dtype).smallest_subnormal
        close(f"values of {op} in {dtype}", found, wanted, 8 * np.finfo(dtype).eps * np.abs(wanted) + least)


# ------------------------------------------------------------------------------------------------------------- products


def spaced(rng: np.random.Generator, shape: tuple[int, int], layout: str, dtype: np.dtype[Any]) -> Array:
    """A matrix in row-major order, in column-major order, or with gaps between rows."""
    rows, columns = shape
    if layout == "columns":
        return rng.standard_normal((columns, rows)).astype(dtype).T
    return rng.standard_normal((rows, columns + 3 * (layout == "apart"))).astype(dtype)[:, :columns]


def on_a_line(size: int, dtype: np.dtype[Any]) -> Array:
    """An array aligned to 64 bytes and not to 128: code that needs more has to fail."""
    room = np.full(size + 128 // dtype.itemsize, np.nan, dtype)
    return room[(64 - room.ctypes.data) % 128 // dtype.itemsize :]


def products(library: Any, dtype: np.dtype[Any]) -> None:
    """Test both products, for odd sizes and every layout."""
    rng = np.random.default_rng(0)
    room = library["test_room"]
    room.restype = ctypes.c_long
    layouts = product(("rows", "columns", "apart"), repeat=2)
    for (m, n, k), (one, other), name in product(SIZES, list(layouts), ("product", "packed")):
        a, b = spaced(rng, (m, k), one, dtype), spaced(rng, (k, n), other, dtype)
        c, sizes = np.full((m, n + 5), np.nan, dtype), list(map(ctypes.c_long, (m, n, k)))
        work = on_a_line(room(*sizes), dtype)
        words = [word for array in (a, b) for word in pointer(array, 2)]
        library[f"test_{name}"](*sizes, *words, *pointer(c, 1), ctypes.c_void_p(work.ctypes.data))
        exact, most = a.astype(float) @ b.astype(float), np.abs(a).astype(float) @ np.abs(b).astype(float)
        close(f"products of {m} x {k} by {k} x {n} in {dtype}", c[:, :n], exact, (k + 4) * np.finfo(dtype).eps * most)
        if not np.isnan(c[:, n:]).all():
            raise WrongError(f"products of {m} x {k} by {k} x {n} in {dtype} write beyond their result")


def pointer(array: Array, strides: int) -> Iterator[Any]:
    """The arguments for an array in C: its address and so many strides, in elements."""
    yield ctypes.c_void_p(array.ctypes.data)
    for stride in array.strides[:strides]:
        yield ctypes.c_long(stride // array.itemsize)


# ----------------------------------------------------------------------------------------------------------------- cell


def trial() -> tuple[Graph, Layout]:
    """The graph of a cell's loss and gradients, and its layout."""
    file = parse_file(Source("trial.rnn", CELL))
    graphs = Graphs(elaborate(Loader().module(file, None).cells["Trial"], {"N": N, "H": H}))
    return graphs.graph("loss_gradients", ("params", "inputs")), graphs.layout


def run(runner: Runner, layout: Layout, dtype: str) -> dict[str, Array]:
    """Loss and gradients by a backend."""
    rng = np.random.default_rng(1)
    params = 0.3 * rng.standard_normal(layout.size)
    x = rng.standard_normal((STEPS, BATCH, N))
    return runner(backend.Call(params.astype(dtype), {"x": x.astype(dtype)}, None, {"t": STEPS}, BATCH))


def cell(runner: Runner, graph: Graph, layout: Layout) -> None:
    """Test a cell's loss and gradients against the interpreter, with one thread and with two."""
    wanted = run(backend.find("interpreter").build(graph, layout, "float64"), layout, "float64")
    for threads in (1, 2):
        with runtime_pool.at_most(threads):
            found = run(runner, layout, "float32")
        for root, exact in wanted.items():
            scale = np.abs(exact).max(initial=1.0) * STEPS * BATCH * (N + H)
            close(f"gradients of a cell ({root})", found[root], exact, 4 * np.finfo(np.float32).eps * scale)


# ---------------------------------------------------------------------------------------------------------------- whole


def main(compiles: float, runs: float, waits: float) -> None:
    """Compile, then run; the last line of the output is a `Verdict` of `trust`, as JSON.

    The compiler has `compiles` seconds. The compiled code has `runs` seconds of processor time, after which SIGPROF
    ends this process, and `waits` seconds in all, after which SIGALRM does, because other processes may delay it.
    """
    signal.signal(signal.SIGTERM, _end)
    reason, lasts = None, True
    try:
        built = _compiled(compiles)
        for name in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(name, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, runs)
        signal.setitimer(signal.ITIMER_REAL, waits)
        _run(*built)
    except WrongError as error:
        reason = f"code from {shlex.join(compiler.compiler())} is wrong on this processor: {error}"
    except UsageError as error:
        reason, lasts = str(error), isinstance(error, compiler.LateError)
    print(json.dumps([reason, lasts]))


def _compiled(seconds: float) -> tuple[Runner, Graph, Layout]:
    """The cell; compiles it and everything else into the cache."""
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(compiler.prepare, text, seconds) for text in (*map(driver, REALS), runtime_pool.SOURCE)]
        jobs.append(pool.submit(compiler.prepare, driver("float"), seconds, "quick"))
        graph, layout = trial()
        built: Any = backend.find("c", run=False).build(graph, layout, "float32", "trial")
        jobs.append(pool.submit(compiler.prepare, built.source, seconds))
        for job in jobs:
            job.result()
    return built, graph, layout


def _run(built: Runner, graph: Graph, layout: Layout) -> None:
    runtime_runner.SMALL = 0  # even small calls use two threads
    try:
        for real, optimise in (*((real, "full") for real in REALS), ("float", "quick")):
            library = compiler.library(driver(real), optimise=optimise)
            products(library, REALS[real])
            functions(library, REALS[real])
        cell(built, graph, layout)
    except MemoryError as error:  # the compiled code computes sizes itself
        raise WrongError(str(error)) from error


def _end(*_: object) -> NoReturn:
    """End this process and the compilers that it runs."""
    end_all()
    os._exit(1)
