#!/usr/bin/env python
"""Which tiles and blocks of matrix products are fastest in generated C, for each width of vectors.

A tile of `REC_ROWS` rows and `REC_VECTORS` vectors stays in registers while the steps of k run; blocks of `REC_K` steps
and `REC_M` rows stay in caches. The choice for each width of vectors is in `backends/c/sizes.py`: this script compares
it with others, so that the choice can be made again on another machine. Nothing is searched where models run.

The products are those of an LSTM with the sizes of `cpu.py`: of x and of the state at each step, of the gradient of the
gates at each step and for x, and of the gradients of both weights. All candidates run in one process in alternating
rounds. The table has the share of the peak at each size (the median of the rounds), and below `all` the geometric mean
of the time of today's choice divided by that of a candidate.

    python benchmarks/tiles.py [--width 64] [--real float] [--sizes small,medium] [--rounds N] [--only TEXT]
                               [--out FILE]
"""

from __future__ import annotations

import argparse
import ctypes
import math
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _machine
import cpu
import numpy as np
from _rounds import alternate
from recurrency.backends.c.gemm import gemm_text
from recurrency.backends.c.runtime.compiler import FLAGS, compiler
from recurrency.backends.c.text import common

DRIVER = """
#define SHOWN __attribute__((visibility("default")))
SHOWN long packed_size(long k, long n) { return rec_packed_size(k, n); }
SHOWN long work_size(long m, long n, long k) { return rec_product_work_size(m, n, k); }
SHOWN void pack(long k, long n, const REAL *b, REAL *packed) { rec_pack(k, n, b, n, 1, packed); }
/* A product at each of some steps, of its own rows with the same matrix. */
SHOWN void at_steps(long steps, long m, long n, long k, const REAL *a, const REAL *packed, REAL *c) {
    for (long t = 0; t < steps; t++)
        rec_multiply(m, n, k, a + t * m * k, k, packed, c + t * m * n, n, 0, 0, REC_CEIL_DIV(n, REC_COLUMNS), t % 2);
}
/* A sum over all steps: the transpose of `a` times `b`. */
SHOWN void over_steps(long m, long n, long k, const REAL *a, const REAL *b, REAL *c, REAL *work) {
    rec_product(m, n, k, a, 1, m, b, n, 1, c, n, 0, work, n);
}
"""

TODAY = "today"
TILES: dict[int, Sequence[tuple[int, int]]] = {
    64: [(4, 5), (3, 8), (2, 12)],
    32: [(3, 4), (2, 5), (1, 12)],
    16: [(3, 4), (2, 5), (1, 12)],
}
"""Vectors and rows of tiles for each width: 32 registers hold 24 sums or a few more, 16 registers hold 12."""

BLOCKS: dict[str, Sequence[str]] = {
    "REC_K": ["128", "192", "384", "512"],
    "REC_M": ["8 * REC_ROWS", "32 * REC_ROWS"],
    "REC_N": ["8192 / SIZE", "32768 / SIZE"],
    "REC_STRIP": ["REC_ROWS"],
}
"""Other blocks than today's, one at a time."""


@dataclass(frozen=True)
class Candidate:
    """A choice: what is defined otherwise than today."""

    name: str
    other: Mapping[str, str] = field(default_factory=dict)

    def text(self, real: str) -> str:
        """The products with these definitions."""
        text = common(real) + gemm_text(real) + DRIVER.replace("REAL", real)
        for name, value in self.other.items():
            value = value.replace("SIZE", str(SIZE[real]))
            text, count = re.subn(rf"^#define {name} [^\n]*", f"#define {name} ({value})", text, flags=re.M)
            assert count, name
        return text


SIZE = {"float": 4, "double": 8}
REALS = {"float": np.float32, "double": np.float64}


def candidates(width: int) -> list[Candidate]:
    """Today's choice, and others."""
    tiles = [Candidate(f"tile {rows} x {vectors}", _tile(vectors, rows)) for vectors, rows in TILES[width]]
    blocks = [Candidate(f"{name} {text}", {name: text}) for name, texts in BLOCKS.items() for text in texts]
    return [Candidate(TODAY), *tiles, *blocks]


def _tile(vectors: int, rows: int) -> dict[str, str]:
    return {"REC_VECTORS": str(vectors), "REC_ROWS": str(rows), "REC_STRIP": str(max(8, rows))}


class Library:
    """The products of one candidate, compiled."""

    def __init__(self, candidate: Candidate, real: str, width: int, folder: Path) -> None:
        source, out = folder / f"{abs(hash(candidate.name))}.c", folder / f"{abs(hash(candidate.name))}.so"
        source.write_text(candidate.text(real))
        words = [*compiler(), *FLAGS, f"-DREC_VECTOR_BYTES={width}", str(source), "-o", str(out), "-lm"]
        subprocess.run(words, check=True)
        self.functions = ctypes.CDLL(str(out))
        self.real = REALS[real]

    def call(self, name: str, *args: Any) -> int:
        """One of the functions above."""
        function = getattr(self.functions, name)
        function.restype = ctypes.c_long
        found: int = function(
            *(ctypes.c_void_p(a.ctypes.data) if hasattr(a, "ctypes") else ctypes.c_long(a) for a in args)
        )
        return found

    def room(self, size: int) -> np.ndarray[Any, Any]:
        """So many elements, on 64 bytes."""
        memory = np.zeros(size + 64, self.real)
        return memory[-memory.ctypes.data % 64 // memory.itemsize :][:size]

    def at_steps(self, steps: int, m: int, n: int, k: int) -> Callable[[], Any]:
        """Products with a packed matrix."""
        rng = np.random.default_rng(0)
        a, b = (rng.standard_normal(shape).astype(self.real) for shape in ((steps * m, k), (k, n)))
        packed, c = self.room(self.call("packed_size", k, n)), self.room(steps * m * n)
        self.call("pack", k, n, b, packed)
        run = lambda: self.call("at_steps", steps, m, n, k, a, packed, c)  # noqa: E731
        run()
        assert np.allclose(c.reshape(-1, n)[-m:], a[-m:] @ b, atol=1e-3 * math.sqrt(k))
        return run

    def over_steps(self, m: int, n: int, k: int) -> Callable[[], Any]:
        """A sum over steps."""
        rng = np.random.default_rng(0)
        a, b = (rng.standard_normal(shape).astype(self.real) for shape in ((k, m), (k, n)))
        c, work = self.room(m * n), self.room(self.call("work_size", m, n, k))
        run = lambda: self.call("over_steps", m, n, k, a, b, c, work)  # noqa: E731
        run()
        assert np.allclose(c.reshape(m, n), a.T @ b, atol=1e-3 * math.sqrt(k))
        return run

    def products(self, T: int, B: int, N: int, H: int) -> Callable[[], None]:
        """Those of an LSTM, forward and backward."""
        rows = max(1, 65536 // (B * 4 * H))  # steps of a chunk
        runs = [
            self.at_steps(max(1, T // rows), rows * B, 4 * H, N),
            self.at_steps(T, B, 4 * H, H),
            self.at_steps(T, B, H, 4 * H),
            self.at_steps(1, T * B, N, 4 * H),
            self.over_steps(4 * H, H, T * B),
            self.over_steps(4 * H, N, T * B),
        ]

        def run() -> None:
            for one in runs:
                one()

        return run


def measured(found: Sequence[Candidate], real: str, width: int, sizes: Sequence[str], rounds: int) -> dict[str, Any]:
    """The medians of each candidate, and of the ratios of today's time to its, by size."""
    out: dict[str, dict[str, tuple[float, float]]] = {c.name: {} for c in found}
    with tempfile.TemporaryDirectory() as folder:
        libraries = {c.name: Library(c, real, width, Path(folder)) for c in found}
        for size in sizes:
            T, B, N, H = cpu.SIZES[size]
            jobs = {name: library.products(T, B, N, H) for name, library in libraries.items()}
            times = alternate(jobs, rounds, least=0.02)
            for name, seconds in times.items():
                out[name][size] = float(np.median(seconds)), float(np.median(times[TODAY] / seconds))
    return out


def page(found: Mapping[str, Any], real: str, width: int, sizes: Sequence[str], peak: float) -> str:
    """A table."""
    lines = [
        f"{_machine.processor()}, vectors of {width} bytes, {real}; peak {peak / 1e9:.0f} GFLOP/s",
        "",
        f"| choice | {' | '.join(sizes)} | all |",
        f"|---|{'---|' * len(sizes)}---|",
    ]
    for name, by_size in found.items():
        cells = []
        for size in sizes:
            T, B, N, H = cpu.SIZES[size]
            cells.append(f"{6 * T * B * 4 * H * (N + H) / by_size[size][0] / peak:.1%}".replace("%", " %"))
        mean = math.exp(np.mean([math.log(ratio) for _, ratio in by_size.values()]))
        lines.append(f"| {name} | {' | '.join(cells)} | {mean:.3f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--width", type=int, choices=list(TILES), default=64, help="bytes of a vector")
    parser.add_argument("--real", choices=list(SIZE), default="float")
    parser.add_argument("--sizes", type=cpu.several(list(cpu.SIZES)), default=["latency", "small", "medium"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="candidates with this in their name")
    parser.add_argument("--out", type=Path, help="a file to which the table is appended")
    given = parser.parse_args()
    _machine.pin(1)
    peak = _machine.fma_peak(1) or math.nan
    chosen = [c for c in candidates(given.width) if c.name == TODAY or given.only in c.name]
    found = measured(chosen, given.real, given.width, given.sizes, given.rounds)
    text = page(found, given.real, given.width, given.sizes, peak * 4 / SIZE[given.real])
    print(text)
    if given.out:
        with given.out.open("a") as out:
            out.write(text + "\n")


if __name__ == "__main__":
    main()
