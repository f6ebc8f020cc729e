#!/usr/bin/env python
"""Nanoseconds for an element of each function of generated C, in a loop over an array, and of the same with libm.

python benchmarks/functions.py [--rounds N] [--flags=-mavx2]
"""

from __future__ import annotations

import argparse
import ctypes
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from recurrency.backends.c.math import text
from recurrency.backends.c.runtime import compiler
from recurrency.backends.c.text import common

FUNCTIONS = ("exp", "log", "log1p", "softplus", "tanh", "sin", "cos", "atan", "erf", "erfc", "power")
NEAR = ("sin", "cos")
"""Those whose loops take this form, unless an argument is greater than 2^26."""
LIBM = {"softplus": "log1p{f}(exp{f}({x}))", "power": "pow{f}({x}, b[i])"}
SUFFIX = {"float": "f", "double": ""}
SEEN = '__attribute__((visibility("default")))'
COUNT, TIMES = 1024, 200
"""Elements of an array, and calls in a round."""


def source(real: str) -> str:
    """A loop over each function, ours and that of libm."""
    code, f = "", SUFFIX[real]
    for op in FUNCTIONS:
        near = "_near" if op in NEAR else ""
        ours = f"rec_{op}{f}(a[i], b[i])" if op == "power" else f"rec_{op}{near}{f}(a[i])"
        theirs = LIBM.get(op, "{op}{f}({x})").format(op=op, f=f, x="a[i]")
        for name, call in ((f"ours_{op}", ours), (f"libm_{op}", theirs)):
            head = f"{SEEN} void {name}(long n, const {real} *restrict a, const {real} *restrict b, {real} *restrict y)"
            code += f"{head};\n{head} {{ (void)b; for (long i = 0; i < n; ++i) y[i] = {call}; }}\n"
    helpers = text(re.findall(r"\w+", code), real)
    return f"{common(real)}{helpers}#include <math.h>\n{code}"


def measured(real: str, flags: list[str], rounds: int) -> dict[str, list[float]]:
    """Nanoseconds for an element, libm and ours: the best of some alternating rounds."""
    dtype = np.dtype({"float": "float32", "double": "float64"}[real])
    a, b = np.random.default_rng(1).uniform(0.1, 4, (2, COUNT)).astype(dtype)
    y = np.empty_like(a)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "functions.so"
        command = [*compiler.compiler(), *compiler.flags(), *flags, "-x", "c", "-", "-o", str(path), "-lm"]
        subprocess.run(command, input=source(real), text=True, check=True)
        library = ctypes.CDLL(str(path))
        arguments = (ctypes.c_long(COUNT), *(ctypes.c_void_p(array.ctypes.data) for array in (a, b, y)))
        best = {op: [np.inf, np.inf] for op in FUNCTIONS}
        for _ in range(rounds):
            for op in FUNCTIONS:
                for k, name in enumerate((f"libm_{op}", f"ours_{op}")):
                    function = library[name]
                    start = time.perf_counter()
                    for _ in range(TIMES):
                        function(*arguments)
                    best[op][k] = min(best[op][k], (time.perf_counter() - start) / TIMES / COUNT * 1e9)
    return best


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="The functions of generated C against libm, nanoseconds an element.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flags", default="", help="further options of the compiler, such as --flags='-mno-avx512f'")
    given = parser.parse_args()
    print(f"{'':10s} {'float32: libm':>14s} {'ours':>8s} {'float64: libm':>14s} {'ours':>8s}")
    tables = [measured(real, given.flags.split(), given.rounds) for real in SUFFIX]
    for op in FUNCTIONS:
        print(f"{op:10s}" + "".join(f" {table[op][0]:14.2f} {table[op][1]:8.2f}" for table in tables))


if __name__ == "__main__":
    main()
