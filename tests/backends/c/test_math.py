"""The functions of the C backend against NumPy in a wider type: a few ulp, special values, and gcc vectorises them."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.c.angles import FAR, near_and_far
from recurrency.backends.c.math import FUNCTIONS, OWN, text
from recurrency.backends.c.text import common
from recurrency.backends.kernels.scalars import SCALAR_C

import recurrency as rc
from recurrency.graph.ops import OPS
from recurrency.testing.rounding import ERRORS

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


WIDE = ("16 bytes", "32 bytes")


def preferred(width: int) -> list[str]:
    """The option that makes vectors of loops as wide as that, where the compiler has it."""
    option = f"-mprefer-vector-width={8 * width}"
    command = [*COMPILER, option, "-E", "-x", "c", "-"]
    return [option] if not subprocess.run(command, input="", capture_output=True, text=True).returncode else []


ULPS = {
    "float": {
        "exp": 1.25,
        "expm1": 1.75,
        "log": 0.9,
        "log1p": 1.5,
        "tanh": 1.42,
        "sigmoid": 2.41,
        "softplus": 1.85,
        "sin": 0.6,
        "cos": 0.6,
        "atan": 2.0,
        "erf": 1.5,
        "erfc": 3.9,
        "power": 0.55,
    },
    "double": {
        "exp": 1.25,
        "expm1": 2.0,
        "log": 0.85,
        "log1p": 1.25,
        "tanh": 1.6,
        "sigmoid": 2.35,
        "softplus": 1.75,
        "sin": 0.9,
        "cos": 0.95,
        "atan": 1.85,
        "erf": 1.45,
        "erfc": 3.2,
        "power": 0.95,
    },
}
"""How far results may be from the exact ones, in units of the last place."""

ONE = [op for op in OWN if OPS[op].arity == 1]
NEAR = ["sin", "cos"]
"""Functions of one argument, and those that are libm's for arguments far from zero."""

REFERENCE: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.where(x < 0, np.exp(-abs(x)), 1) / (1 + np.exp(-abs(x))),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x))),
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "erf": lambda x: wide("erf", x),
    "erfc": lambda x: wide("erfc", x),
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
    "sin": [(-INF, NAN), (INF, NAN), (0, 0), (-0.0, -0.0)],
    "cos": [(-INF, NAN), (INF, NAN), (0, 1), (-0.0, 1)],
    "atan": [(0, 0), (-0.0, -0.0)],
    "erf": [(-INF, -1), (INF, 1), (0, 0), (-0.0, -0.0), (-30, -1), (30, 1)],
    "erfc": [(-INF, 2), (INF, 0), (0, 1), (-0.0, 1), (-30, 2), (30, 0)],
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


@cache
def widest() -> ctypes.CDLL:
    """Functions of libm that NumPy lacks, for long double."""
    heads = [f"void wide_{op}(int n, const long double *x, long double *y)" for op in ("erf", "erfc")]
    folder = Path(tempfile.mkdtemp())
    code = "#include <math.h>\n" + "".join(
        f"{head};\n{head} {{ for (int i = 0; i < n; ++i) y[i] = {op}l(x[i]); }}\n"
        for head, op in zip(heads, ("erf", "erfc"), strict=True)
    )
    compile_c(code, folder)
    return ctypes.CDLL(str(folder / "functions.so"))


def wide(op: str, x: Array) -> Array:
    """Results in long double, as an array like this one."""
    given = x.astype(np.longdouble)
    found = np.empty_like(given)
    widest()[f"wide_{op}"](len(x), *(a.ctypes.data_as(ctypes.c_void_p) for a in (given, found)))
    return found.astype(x.dtype)


class Library:
    """All operations, compiled."""

    def __init__(self, real: str, flags: list[str], folder: Path) -> None:
        self.real, self.dtype = real, TYPES[real][0]
        self.native = "-march=native" in flags
        loops = [loop(f"run_{op}", real, "abc", row(op, real, "a[i]", "b[i]", "c[i]")) for op in FUNCTIONS]
        loops += [loop(f"run_{op}_near", real, "abc", row(op, real, "a[i]").replace(op, f"{op}_near")) for op in NEAR]
        loops = [code.replace("{ for (;", "{ (void)a; (void)b; (void)c; for (;") for code in loops]
        words = [f"rec_{op}{TYPES[real][2]}" for op in [*OWN, *(f"{op}_near" for op in NEAR)]]
        compile_c(common(real) + text(words, real) + "".join(loops), folder, *flags)
        self.functions = ctypes.CDLL(str(folder / "functions.so"))

    def __call__(self, op: str, *arguments: Array) -> Array:
        """The results of an operation."""
        result = np.full_like(arguments[0], 12345.0)
        arrays = [*arguments, *[arguments[0]] * (3 - len(arguments)), result]
        self.functions[f"run_{op}"](len(result), *(a.ctypes.data_as(ctypes.c_void_p) for a in arrays))
        return result


EACH = [
    pytest.param((real, flags), id=f"{real}-{flags}", marks=[pytest.mark.long] * (real == "double" and flags in WIDE))
    for real, flags in product(TYPES, FLAGS)
]
"""All types and widths; by default double in the widest vectors and in none."""


@pytest.fixture(scope="module", params=EACH)
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
@pytest.mark.parametrize("op", ONE)
def test_results_are_within_a_few_units_of_the_last_place(op: str, library: Library) -> None:
    if np.finfo(TYPES[library.real][1]).nmant <= np.finfo(library.dtype).nmant:
        pytest.skip("no type of NumPy is wider than double here")
    x = samples(library.real)
    found = library(op, x)
    apart = ulps(found, exact(op, library.real))
    worst = int(np.argmax(apart))
    assert apart[worst] <= ULPS[library.real][op], f"{op}({x[worst]!r}) = {found[worst]!r}"
    assert op not in ("tanh", "expm1", "atan", "erf") or not np.any(np.signbit(found) != np.signbit(x))


@needs_compiler
@pytest.mark.parametrize("op", NEAR)
def test_sines_of_what_is_nearly_a_multiple_of_a_right_angle(op: str, library: Library) -> None:
    """Where the difference from it has few bits, in vectors, up to the greatest argument that libm does not get."""
    wider = TYPES[library.real][1]
    if np.finfo(wider).nmant <= np.finfo(library.dtype).nmant:
        pytest.skip("no type of NumPy is wider than double here")
    turns = np.concatenate([np.arange(2000), np.random.default_rng(3).integers(0, int(FAR / 1.58), 20_000)])
    x = (turns * (np.arctan(wider(1)) * 2)).astype(library.dtype)
    x = np.concatenate([x, np.nextafter(x, library.dtype(INF)), [library.dtype(FAR)]])
    found = library(f"{op}_near", x)
    with np.errstate(invalid="ignore"):
        wanted = REFERENCE[op](x.astype(np.longdouble)).astype(wider)
    assert ulps(found, wanted).max() <= ULPS[library.real][op]
    np.testing.assert_array_equal(library(op, x), found)


def bases_and_exponents(dtype: type) -> tuple[Array, Array]:
    """Numbers whose powers are of every size, near 1 and far from it."""
    rng, most = np.random.default_rng(4), 2 ** (np.finfo(dtype).iexp - 1)
    a = np.concatenate([np.exp2(rng.uniform(-most, most, 60_000)), 1 + rng.normal(0, 1e-3, 20_000)])
    sizes = np.exp2(rng.uniform(-4, 1, len(a))) * most / np.maximum(abs(np.log2(a)), 1e-6)
    return a.astype(dtype), np.where(rng.random(len(a)) < 0.5, sizes, -sizes).astype(dtype)


@needs_compiler
def test_powers_are_within_a_unit_of_the_last_place(library: Library) -> None:
    wider = TYPES[library.real][1]
    if np.finfo(wider).nmant <= np.finfo(library.dtype).nmant:
        pytest.skip("no type of NumPy is wider than double here")
    a, b = bases_and_exponents(library.dtype)
    with np.errstate(all="ignore"):
        apart = ulps(library("power", a, b), np.power(a.astype(wider), b.astype(wider)))
    worst = int(np.argmax(apart))
    most = ULPS[library.real]["power"] if library.native else 1.0  # libm's
    assert apart[worst] <= most, f"{a[worst]!r} ** {b[worst]!r}"


@needs_compiler
def test_powers_that_are_numbers_of_the_type_are_exact(library: Library) -> None:
    most = 2 ** (np.finfo(library.dtype).nmant + 1)
    pairs = [(x, n) for x in range(1, 130) for n in range(40) if x**n < most]
    pairs += [(x * x, 0.5) for x in range(1, 500)] + [(2, n) for n in range(-100, 100)]
    a, b = np.array(pairs, library.dtype).T.copy()
    np.testing.assert_array_equal(library("power", a, b), np.power(a.astype(np.longdouble), b).astype(library.dtype))


@needs_compiler
def test_powers_of_special_values(library: Library) -> None:
    info = np.finfo(library.dtype)
    odd = float(2 ** (info.nmant + 1) - 1)
    ends = [float(info.max), float(info.tiny), float(info.smallest_subnormal), odd, odd + 1, 2 * odd + 4]
    values = [0.0, 1.0, 0.5, 2.0, 3.0, 2.5, 1e30, INF, 1 + float(info.eps), *ends]
    signed = np.array([*values, *(-x for x in values), NAN], library.dtype)
    a, b = (x.ravel() for x in np.meshgrid(signed, signed, indexing="ij"))
    found = library("power", a, b)
    with np.errstate(all="ignore"):
        wanted = np.power(a.astype(np.longdouble), b.astype(np.longdouble)).astype(library.dtype)
    special = ~np.isfinite(wanted) | (wanted == 0) | (abs(wanted) == 1)
    np.testing.assert_array_equal(found[special], wanted[special])
    np.testing.assert_array_equal(np.signbit(found)[~np.isnan(wanted)], np.signbit(wanted)[~np.isnan(wanted)])
    np.testing.assert_allclose(found, wanted, rtol=2 * info.eps, atol=2 * float(info.smallest_subnormal))


@pytest.mark.parametrize("real", TYPES)
def test_the_error_model_of_verify_knows_these_bounds(real: str) -> None:
    """An error of n units of the last place is one of at most 2 n units u of the dtype."""
    one = np.array(0.75)
    for op in OWN:
        arguments = [one] * OPS[op].arity
        y = np.asarray(OPS[op].meaning(*arguments))
        assert ERRORS[op](y, *arguments) >= 2 * ULPS[real][op] * abs(y), op


@needs_compiler
@pytest.mark.parametrize("op", ONE)
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
    for op in ("tanh", "expm1", "log1p", "sin", "atan"):
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
        assert found == called, op
    assert defined(f"rec_exp{f}", f"rec_tanh{f}") == defined(f"rec_exp{f}") | defined(f"rec_tanh{f}")


CELL = "rec_sigmoidf(a[i]) * rec_tanhf(b[i]) + rec_softplusf(c[i]) * rec_expf(d[i]) - rec_log1pf(e[i] * e[i])"


def only_gcc() -> None:
    """Skip the test for other compilers."""
    macros = subprocess.run([*COMPILER, "-dM", "-E", "-"], input="", capture_output=True, text=True, check=False).stdout
    if "__GNUC__" not in macros or "__clang__" in macros:
        pytest.skip(f"{COMPILER[0]} is not gcc")


@needs_compiler
def test_gcc_makes_vectors_of_many_functions_at_once(tmp_path: Path) -> None:
    only_gcc()
    code = loop("many", "float", "abcde", f"{CELL} + rec_tanhf({CELL}) + rec_logf(a[i])")
    words = re.findall(r"\w+", code)
    said = compile_c(common("float") + text(words, "float") + code, tmp_path, *FAST, "-fopt-info-vec-optimized")
    assert "loop vectorized" in said


WIDTHS = {
    "native": FAST,
    "AVX-512": "-O3 -march=x86-64-v4 -mprefer-vector-width=512 -ffp-contract=fast".split(),
    "AVX2": "-O3 -march=x86-64-v3 -ffp-contract=fast".split(),
    "AVX2, not contracted": "-O3 -march=x86-64-v3 -ffp-contract=off".split(),
    "SSE2": "-O3 -march=x86-64".split(),
}
NOT_SSE2 = {("tanh", "double"), ("power", "float"), ("power", "double")}


@needs_compiler
@pytest.mark.parametrize("real", TYPES)
@pytest.mark.parametrize("flags", [k if k == "native" else pytest.param(k, marks=pytest.mark.long) for k in WIDTHS])
def test_no_loop_calls_libm(flags: str, real: str, tmp_path: Path) -> None:
    """gcc says that the loop over each function is vectorised, and the assembly has no call."""
    only_gcc()
    if flags != "native" and platform.machine() != "x86_64":
        pytest.skip("these are widths of x86-64")
    own = [op for op in OWN if flags != "SSE2" or (op, real) not in NOT_SSE2]
    code = ""
    for op in own:
        call = row(op, real, "a[i]", "b[i]").replace(op, f"{op}_near" if op in NEAR else op)
        head = f"void {op}_(long n, const {real} *restrict a, const {real} *restrict b, {real} *restrict y)"
        code += f"{head};\n{head} {{ (void)b; for (long i = 0; i < n; ++i) y[i] = {call}; }}\n"
    source = common(real) + text(re.findall(r"\w+", code), real) + code
    command = [*COMPILER, *STRICT, *WIDTHS[flags], "-fopt-info-vec-optimized", "-S", "-x", "c", "-", "-o", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    vectorised = [int(line) for line in re.findall(r":(\d+):\d+: optimized: loop vectorized", done.stderr)]
    found = {source.split("\n")[line - 1].split("(")[0] for line in vectorised}
    assert found >= {f"void {op}_" for op in own}
    assert not re.findall(r"^\s+(?:call\w*|bl)\s+(?!__stack)\w+", done.stdout, re.MULTILINE)


EVERY = """
#include <math.h>
double every(double (*exact)(double), float (*own)(float), int seen[1]);
double every(double (*exact)(double), float (*own)(float), int seen[1]) {
    double worst = 0;
    for (uint64_t bits = 0; bits >> 32 == 0; ++bits) {
        const float x = rec_from_bitsf((uint32_t)bits), found = own(x);
        const double wanted = exact((double)x);
        if (isnan(wanted) || isnan(found) || isinf((float)wanted) || isinf(found)) {
            if (!(isnan(wanted) && isnan(found)) && (float)wanted != found) return INFINITY;
            continue;
        }
        int exponent;
        frexp(fmax(fabs(wanted), 0x1p-126), &exponent);
        const double apart = fabs((double)found - wanted) * ldexp(1.0, 24 - exponent);
        if (apart > worst) worst = apart;
        if (!signbit(found) != !signbit(wanted)) return INFINITY;
        ++*seen;
    }
    return worst;
}
"""
EXACT = {"sigmoid": "1 / (1 + exp(-x))", "softplus": "fmax(x, 0) + log1p(exp(-fabs(x)))"}


@pytest.mark.long
@needs_compiler
@pytest.mark.parametrize("op", ONE)
def test_all_numbers_of_float(op: str, tmp_path: Path) -> None:
    """All 2^32, against libm in double."""
    code = common("float") + text([f"rec_{op}f", "rec_from_bitsf"], "float") + EVERY
    code += f"static double exact(double x) {{ return {EXACT.get(op, f'{op}(x)')}; }}\n"
    code += f"static float own(float x) {{ return rec_{op}f(x); }}\n"
    code += "double worst(int *seen);\ndouble worst(int *seen) { return every(exact, own, seen); }\n"
    compile_c(code, tmp_path, *FAST, "-Wno-float-conversion")
    function = ctypes.CDLL(str(tmp_path / "functions.so")).worst
    function.restype = ctypes.c_double
    assert function(ctypes.byref(ctypes.c_int())) <= ULPS["float"][op]


LINES = ["const float a = x[i];", "const float b = rec_sinf(a); // rec_cosf(c)", "y[i] = b + rec_cosf(0.5f);"]


def test_a_loop_with_sines_has_one_form_without_libm() -> None:
    assert near_and_far("LOOP(i, 8) {", ["for ... {"], ["y[i] = rec_tanhf(x[i]);"], "float") is None
    found = near_and_far("LOOP(i, 8) {", ["for ... {"], LINES, "float")
    assert found is not None
    before, after = found[: found.index("}")], found[found.index("}") :]
    assert before[:2] == ["int32_t rec_any = 0;", "LOOP(i, 8) {"]
    assert before[3].startswith("const float b = rec_sin_nearf(a);")
    assert before[4] == "y[i] = b + rec_cos_nearf(0.5f);"
    assert before[5] == "rec_any |= rec_farf(a) | rec_farf(0.5f);"
    assert after == ["}", "if (rec_any) {", "for ... {", *LINES, "}"]


def test_a_loop_with_sines_of_what_only_its_blocks_know_keeps_libm() -> None:
    """So does one that adds to an array, since the second loop would add again."""
    inner = ["for (;;) {", "const float a = x[k];", "total += rec_sinf(a);", "}", "y[i] = total;"]
    assert near_and_far("LOOP(i, 8) {", ["for ... {"], inner, "float") is None
    assert near_and_far("LOOP(i, 8) {", ["for ... {"], [*LINES[:2], "y[i] += b;"], "float") is None
    outer = ["const float a = x[i];", "for (;;) {", "total += rec_sinf(a);", "}", "y[i] = total;"]
    assert near_and_far("LOOP(i, 8) {", ["for ... {"], outer, "float") is not None


@needs_compiler
def test_sums_of_sines_along_an_axis() -> None:
    spec = rc.parse("cell S[N, H](x: [N, H]) -> (y: [N]) { y = sum(sin(2 * x), axis = 2) }")
    x = np.random.default_rng(6).standard_normal((3, 2, 4, 3))
    x[1, 0, 2, 1] = 1e9
    model = spec.compile(backend="c", N=4, H=3, dtype="float64")
    np.testing.assert_allclose(model.forward(model.init(seed=0), x).outputs["y"], np.sin(2 * x).sum(-1), rtol=1e-13)


@needs_compiler
def test_sums_over_steps_of_sines_count_each_argument_once() -> None:
    spec = rc.parse("cell S[H](x: [H]) -> (y: [H]) { param a : [H] ~ ones\n y = sin(a * x) }")
    x = np.random.default_rng(7).standard_normal((4, 3, 20))
    x[2, 1, 5] = 1e9
    model = spec.compile(backend="c", H=20, dtype="float64")
    run = model.forward(model.init(seed=0), x, keep=True)
    found = model.backward(run, np.ones_like(x)).params
    np.testing.assert_allclose(found, (x * np.cos(x)).sum((0, 1)), rtol=1e-11)


@needs_compiler
def test_sines_of_arguments_near_and_far() -> None:
    spec = rc.parse(
        "cell S[H](x: [H]) -> (y: [H]) { state s : [H] = 0\n s = sin(x) + 0 * s[t-1]\n y = s + cos(x * 2) }"
    )
    model = spec.compile(backend="c", H=20, dtype="float64")
    x = np.random.default_rng(5).standard_normal((3, 2, 20))
    x[1, 0, 3], x[1, 1, 19], x[2, 0, 0] = 1e9, -3e300, FAR * 0.75
    found = model.forward(model.init(seed=0), x).outputs["y"]
    np.testing.assert_allclose(found, np.sin(x) + np.cos(x * 2), rtol=1e-13, atol=1e-15)
