"""The functions of the C backend against NumPy in a wider type: a few ulp, special values, and gcc vectorises them."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.c.math import FUNCTIONS, OWN, text
from recurrency.backends.c.text import common
from recurrency.backends.kernels.scalars import SCALAR_C

from recurrency.graph.ops import OPS

Array = np.ndarray[Any, Any]
COMPILER = shlex.split(os.environ.get("CC", "cc"))
needs_compiler = pytest.mark.skipif(not shutil.which(COMPILER[0]), reason=f"no C compiler: {COMPILER[0]}")

TYPES: dict[str, tuple[type, type, str]] = {
    "float": (np.float32, np.float64, "f"),
    "double": (np.float64, np.longdouble, ""),
}
"""Of each type of C: its numbers, wider ones, and the suffix of functions."""

STRICT = "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Werror -fno-math-errno -fno-trapping-math".split()
FAST = "-O3 -march=native -ffp-contract=fast".split()
FLAGS = {
    **{f"{width} bytes": [*FAST, f"-DREC_VECTOR_BYTES={width}"] for width in (16, 32, 64)},
    "portable": "-O1 -ffp-contract=off -DREC_PORTABLE".split(),
}
"""Of loops in whole vectors of each width, and of loops as any compiler makes them."""


def preferred(width: int) -> list[str]:
    """The option that makes vectors of loops as wide as that, where the compiler has it."""
    option = f"-mprefer-vector-width={8 * width}"
    command = [*COMPILER, option, "-E", "-x", "c", "-"]
    return [option] if not subprocess.run(command, input="", capture_output=True, text=True).returncode else []


ULPS = {
    "float": {"exp": 1.25, "expm1": 1.75, "log": 0.9, "log1p": 1.5, "tanh": 1.4, "sigmoid": 2.35, "softplus": 1.85},
    "double": {"exp": 1.25, "expm1": 2.0, "log": 1.0, "log1p": 1.0, "tanh": 1.6, "sigmoid": 2.35, "softplus": 2.0},
}
"""How far results may be from the exact ones, in units of the last place."""

REFERENCE: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.where(x < 0, np.exp(-abs(x)), 1) / (1 + np.exp(-abs(x))),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x))),
}

INF, NAN = np.inf, np.nan
SPECIAL = {
    "exp": [(-INF, 0), (INF, INF), (0, 1), (-0.0, 1), (-800, 0), (800, INF)],
    "expm1": [(-INF, -1), (INF, INF), (0, 0), (-0.0, -0.0), (-800, -1), (800, INF)],
    "log": [(0, -INF), (-0.0, -INF), (1, 0), (-1, NAN), (-INF, NAN), (INF, INF)],
    "log1p": [(0, 0), (-0.0, -0.0), (-1, -INF), (-1.5, NAN), (-INF, NAN), (INF, INF)],
    "tanh": [(-INF, -1), (INF, 1), (0, 0), (-0.0, -0.0), (-30, -1), (30, 1)],
    "sigmoid": [(-INF, 0), (INF, 1), (0, 0.5), (-0.0, 0.5), (-800, 0), (800, 1)],
    "softplus": [(-INF, 0), (INF, INF), (-800, 0), (800, 800)],
}
"""Arguments and results."""

ROW_SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 20.0, -300.0, 1e30, -1e30, INF, -INF, NAN)


ROW = 37
"""Elements of a row, whose last vector begins before the one before it ends."""


def compile_c(code: str, folder: Path, *flags: str) -> str:
    """Compile a library; gives what the compiler says."""
    source = folder / "functions.c"
    source.write_text(code)
    command = [*COMPILER, *STRICT, *flags, "-shared", "-fPIC", str(source), "-o", str(folder / "functions.so"), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def loop(name: str, real: str, inputs: str, expression: str) -> str:
    """`void NAME(int n, const real *a, const real *b, const real *c, real *y)`, and its declaration."""
    parameters = "".join(f"const {real} *restrict {a}, " for a in inputs)
    head = f"void {name}(int n, {parameters}{real} *restrict y)"
    rows = f"for (; n >= {ROW}; n -= {ROW}) {{ REC_VECTOR_LOOP(i, {ROW}) y[i] = {expression};"
    on = "".join(f" {a} += {ROW};" for a in (*inputs, "y"))
    return f"{head};\n{head} {{ {rows}{on} }} for (int i = 0; i < n; ++i) y[i] = {expression}; }}\n"


def row(op: str, real: str, *arguments: str) -> str:
    """An operation in C."""
    return FUNCTIONS[op].replace("{f}", TYPES[real][2]).replace("{real}", real).format(*arguments)


class Library:
    """All operations, compiled."""

    def __init__(self, real: str, flags: list[str], folder: Path) -> None:
        self.real, self.dtype = real, TYPES[real][0]
        loops = [loop(f"run_{op}", real, "abc", row(op, real, "a[i]", "b[i]", "c[i]")) for op in FUNCTIONS]
        loops = [code.replace("{ for (;", "{ (void)a; (void)b; (void)c; for (;") for code in loops]
        words = [f"rec_{op}{TYPES[real][2]}" for op in OWN]
        compile_c(common(real) + text(words, real) + "".join(loops), folder, *flags)
        self.functions = ctypes.CDLL(str(folder / "functions.so"))

    def __call__(self, op: str, *arguments: Array) -> Array:
        """The results of an operation."""
        result = np.full_like(arguments[0], 12345.0)
        arrays = [*arguments, *[arguments[0]] * (3 - len(arguments)), result]
        self.functions[f"run_{op}"](len(result), *(a.ctypes.data_as(ctypes.c_void_p) for a in arrays))
        return result


@pytest.fixture(scope="module", params=product(TYPES, FLAGS), ids="-".join)
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    real, flags = request.param
    more = preferred(int(flags.split()[0])) if flags.endswith("bytes") else []
    return Library(real, [*FLAGS[flags], *more], tmp_path_factory.mktemp("math"))


@cache
def samples(real: str) -> Array:
    """Numbers of every exponent and both signs, and many where the functions bend."""
    dtype, _, _ = TYPES[real]
    info, rng = np.finfo(dtype), np.random.default_rng(1)
    uint = np.dtype(f"u{np.dtype(dtype).itemsize}")
    exponents = np.arange(2**info.iexp - 1, dtype=uint) << uint.type(info.nmant)
    mantissas = rng.integers(0, 2**info.nmant, (600 if real == "float" else 20, len(exponents))).astype(uint)
    mantissas[:2] = [[0], [2**info.nmant - 1]]
    each = (mantissas | exponents).ravel().view(dtype)
    lines = [rng.uniform(-bound, bound, 40_000).astype(dtype) for bound in (0.75, 2, 20, 110, 750)]
    return np.concatenate([each, -each, *lines])


@cache
def exact(op: str, real: str) -> Array:
    """The results for these numbers in the wider type."""
    with np.errstate(all="ignore"):
        return REFERENCE[op](samples(real).astype(TYPES[real][1]))


def ulps(found: Array, wanted: Array) -> Array:
    """Distances in units of the last place of the wanted numbers, subnormal ones included."""
    info = np.finfo(found.dtype)
    with np.errstate(all="ignore"):
        exponent = np.frexp(np.maximum(np.abs(wanted), info.tiny))[1] - 1
        apart = np.abs(found.astype(wanted.dtype) - wanted) / np.ldexp(wanted.dtype.type(1), exponent - info.nmant)
        same = (found == wanted.astype(found.dtype)) | (np.isnan(found) & np.isnan(wanted))
    return np.where(np.isnan(apart) & ~same, INF, np.where(same, np.fmin(apart, 0.5), apart))


@needs_compiler
@pytest.mark.parametrize("op", OWN)
def test_results_are_within_a_few_units_of_the_last_place(op: str, library: Library) -> None:
    if np.finfo(TYPES[library.real][1]).nmant <= np.finfo(library.dtype).nmant:
        pytest.skip("no type of NumPy is wider than double here")
    x = samples(library.real)
    found = library(op, x)
    apart = ulps(found, exact(op, library.real))
    worst = int(np.argmax(apart))
    assert apart[worst] <= ULPS[library.real][op], f"{op}({x[worst]!r}) = {found[worst]!r}"
    assert op not in ("tanh", "expm1") or not np.any(np.signbit(found) != np.signbit(x))


@needs_compiler
@pytest.mark.parametrize("op", OWN)
def test_special_values(op: str, library: Library) -> None:
    x, wanted = np.array([*SPECIAL[op], (NAN, NAN)], library.dtype).T.copy()
    for repeat in (1, 16):  # alone, and in a vector
        found = library(op, np.repeat(x, repeat))
        np.testing.assert_array_equal(found, np.repeat(wanted, repeat))
        signed = ~np.isnan(found)
        assert np.array_equal(np.signbit(found)[signed], np.signbit(np.repeat(wanted, repeat))[signed])


@needs_compiler
def test_subnormal_numbers_and_the_ends_of_the_range(library: Library) -> None:
    info = np.finfo(library.dtype)
    tiny = np.array([info.smallest_subnormal, 7 * info.smallest_subnormal, info.tiny], library.dtype)
    for op in ("tanh", "expm1", "log1p"):
        assert np.array_equal(library(op, tiny), tiny)
        assert np.array_equal(library(op, -tiny), -tiny)
    last = np.log(np.array(info.max)).astype(library.dtype)
    ends = np.array([np.nextafter(last, -library.dtype(INF)), np.nextafter(last, library.dtype(INF))], library.dtype)
    for op in ("exp", "expm1"):
        assert np.isfinite(library(op, ends)).tolist() == [True, False]
    far = np.log(tiny.astype(np.float64)).astype(library.dtype)
    for op in ("exp", "sigmoid", "softplus"):
        assert np.all(library(op, far) > 0)


@needs_compiler
@pytest.mark.parametrize("op", [op for op in FUNCTIONS if op not in OWN])
def test_other_rows_mean_what_the_interpreter_means(op: str, library: Library) -> None:
    values = np.array(ROW_SPECIAL, library.dtype)
    arguments = [a.ravel() for a in np.meshgrid(*[values] * OPS[op].arity, indexing="ij")]
    with np.errstate(all="ignore"):
        attributes = {"limit": 1.0} if op == "clip_grad" else {}
        wanted = np.asarray(OPS[op].meaning(*arguments, **attributes)).astype(library.dtype)
    np.testing.assert_allclose(library(op, *arguments), wanted, rtol=16 * np.finfo(library.dtype).eps)


def test_there_is_a_row_for_every_operation() -> None:
    assert set(FUNCTIONS) == set(SCALAR_C)
    for op, template in FUNCTIONS.items():
        assert set(re.findall(r"{\d}", template)) == set(re.findall(r"{\d}", SCALAR_C[op]))


@pytest.mark.parametrize("real", TYPES)
def test_text_holds_what_was_asked_for_and_what_that_calls(real: str) -> None:
    f = TYPES[real][2]

    def defined(*words: str) -> set[str]:
        return set(
            re.findall(r"^static inline .*?(\w+)\(\w+ ", text(words, real).replace("((always_inline))", ""), re.M)
        )

    assert text([], real) == text(["tanh", "expf", "rec_other"], real) == ""
    for op in OWN:
        found = defined("int", f"rec_{op}{f}")
        assert found & {f"rec_{other}{f}" for other in OWN} == {f"rec_{op}{f}"}
        called = set(re.findall(r"rec_\w+", text([f"rec_{op}{f}"], real)))
        assert found == called
    assert defined(f"rec_exp{f}", f"rec_tanh{f}") == defined(f"rec_exp{f}") | defined(f"rec_tanh{f}")


CELL = "rec_sigmoidf(a[i]) * rec_tanhf(b[i]) + rec_softplusf(c[i]) * rec_expf(d[i]) - rec_log1pf(e[i] * e[i])"


@needs_compiler
@pytest.mark.parametrize(
    "code",
    [
        *(pytest.param(loop("one", "float", "x", f"rec_{op}f(x[i])"), id=op) for op in ("tanh", "sigmoid")),
        pytest.param(loop("many", "float", "abcde", f"{CELL} + rec_tanhf({CELL}) + rec_logf(a[i])"), id="many at once"),
    ],
)
def test_gcc_makes_vectors(code: str, tmp_path: Path) -> None:
    macros = subprocess.run([*COMPILER, "-dM", "-E", "-"], input="", capture_output=True, text=True, check=False).stdout
    if "__GNUC__" not in macros or "__clang__" in macros:
        pytest.skip(f"{COMPILER[0]} is not gcc")
    words = re.findall(r"\w+", code)
    said = compile_c(common("float") + text(words, "float") + code, tmp_path, *FAST, "-fopt-info-vec-optimized")
    assert "loop vectorized" in said
