"""The products of matrices of the C backend, against NumPy in float64."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from itertools import cycle, product
from pathlib import Path

import numpy as np
import pytest
from recurrency.backends._c_gemm import gemm_text

COMPILER = shlex.split(os.environ.get("CC", "cc"))
pytestmark = pytest.mark.skipif(not shutil.which(COMPILER[0]), reason=f"no C compiler: {COMPILER[0]}")

KINDS = list(product(["float", "double"], [False, True]))
"""Types of numbers, with and without vectors."""

FLAGS = {
    False: ["-std=gnu11", "-O2", "-march=native", "-Wall", "-Wextra", "-Werror"],
    True: ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"],
}

WRAPPERS = """
long columns(void);
long packed_size(long k, long n);
long work_size(long m, long n, long k);
void pack(long k, long n, const REAL *b, long b_k, long b_n, REAL *packed);
void multiply(long m, long n, long k, const REAL *a, long a_m, const REAL *packed, REAL *c, long c_m, long add,
              long first, long last);
void multiply_any(long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
                  REAL *c, long c_m, long add, REAL *work);
long columns(void) { return REC_COLUMNS; }
long packed_size(long k, long n) { return rec_packed(k, n); }
long work_size(long m, long n, long k) { return rec_product_work(m, n, k); }
void pack(long k, long n, const REAL *b, long b_k, long b_n, REAL *packed) { rec_pack(k, n, b, b_k, b_n, packed); }
void multiply(long m, long n, long k, const REAL *a, long a_m, const REAL *packed, REAL *c, long c_m, long add,
              long first, long last) { rec_multiply(m, n, k, a, a_m, packed, c, c_m, (int)add, first, last); }
void multiply_any(long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
                  REAL *c, long c_m, long add, REAL *work) {
    rec_product(m, n, k, a, a_m, a_k, b, b_k, b_n, c, c_m, (int)add, work);
}
"""

GUARD = 12345.0
"""What lies around the elements that are to be written, and has to lie there afterwards."""

SMALL = list(product([1, 2, 3, 5, 7, 13], [1, 8, 17, 40], [0, 1, 3, 10]))
LARGE = [(64, 131, 257), (6, 64, 520), (389, 33, 31), (7, 4111, 5), (193, 96, 769), (1, 300, 1031)]
SHAPES = [(0, 5, 3), (5, 0, 3), (0, 0, 0), *SMALL, *LARGE]
"""Rows, columns and steps (m, n, k): fewer and more than a tile and than each block has."""


class Library:
    """The compiled text, for arrays of one dtype."""

    def __init__(self, real: str, path: Path):
        self.dtype = np.dtype({"float": "float32", "double": "float64"}[real])
        self.functions = ctypes.CDLL(str(path))

    def __getattr__(self, name: str) -> Callable[..., int]:
        function = getattr(self.functions, name)
        function.restype = ctypes.c_long
        return lambda *args: function(*map(argument, args))

    def strides(self, array: np.ndarray) -> list[int]:
        """In elements."""
        return [step // self.dtype.itemsize for step in array.strides]

    def space(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """So many NaNs, on 64 bytes, and guards after them."""
        room = np.full(size + 64, GUARD, self.dtype)
        room = room[-room.ctypes.data % 64 // self.dtype.itemsize :]
        room[:size] = np.nan
        return room, room[size:]

    def packed(self, b: np.ndarray) -> np.ndarray:
        """`rec_pack`."""
        packed, after = self.space(self.packed_size(*b.shape))
        self.pack(*b.shape, b, *self.strides(b), packed)
        assert (after == GUARD).all()
        return packed

    def by_panels(self, a: np.ndarray, b: np.ndarray, c: np.ndarray, add: bool, first: int = 0, last: int = -1) -> None:
        """`rec_multiply`."""
        last = -(-b.shape[1] // self.columns()) if last < 0 else last
        shape, a_m, c_m = (*c.shape, a.shape[1]), self.strides(a)[0], self.strides(c)[0]
        self.multiply(*shape, a, a_m, self.packed(b), c, c_m, add, first, last)

    def by_blocks(self, a: np.ndarray, b: np.ndarray, c: np.ndarray, add: bool) -> None:
        """`rec_product`."""
        shape = (*c.shape, a.shape[1])
        work, after = self.space(self.work_size(*shape))
        self.multiply_any(*shape, a, *self.strides(a), b, *self.strides(b), c, self.strides(c)[0], add, work)
        assert (after == GUARD).all()


def argument(value: np.ndarray | int) -> ctypes.c_void_p | ctypes.c_long:
    """An argument of a wrapper."""
    return ctypes.c_void_p(value.ctypes.data) if isinstance(value, np.ndarray) else ctypes.c_long(value)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind[0] + "-portable" * kind[1])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The text for one type, compiled."""
    real, portable = request.param
    folder = tmp_path_factory.mktemp("gemm")
    (folder / "gemm.c").write_text(gemm_text(real, portable) + WRAPPERS.replace("REAL", real))
    command = [*COMPILER, *FLAGS[portable], "-fPIC", "-shared", "gemm.c", "-o", "gemm.so"]
    subprocess.run(command, cwd=folder, check=True)
    return Library(real, folder / "gemm.so")


def matrix(library: Library, rng: np.random.Generator, m: int, n: int, layout: str) -> np.ndarray:
    """Random numbers: `rows` one after the other, `padded` with NaN, as `columns`, or with `gaps` of NaN everywhere."""
    tall, wide = {"rows": (m, n), "padded": (m, n + 3), "columns": (n, m), "gaps": (2 * m, 3 * n)}[layout]
    room = np.full((tall, wide), np.nan, library.dtype)
    view = {"rows": room, "padded": room[:, :n], "columns": room.T, "gaps": room[::2, ::3]}[layout]
    view[...] = rng.standard_normal((m, n))
    return view


def product_into(
    library: Library, how: str, a: np.ndarray, b: np.ndarray, add: bool, before: float, **panels: int
) -> np.ndarray:
    """`before + a b`, or `a b` in place of `before`, with guards around the elements."""
    (m, _), n = a.shape, b.shape[1]
    room = np.full((m + 2, n + 21), GUARD, library.dtype)
    c = room[1:-1, 9:-12]
    c[...] = before
    getattr(library, how)(a, b, c, add, **panels)
    around = np.ones(room.shape, bool)
    around[1:-1, 9:-12] = False
    assert (room[around] == GUARD).all()
    return c


def assert_product(c: np.ndarray, a: np.ndarray, b: np.ndarray, before: float = 0.0) -> None:
    """As in float64, but for the rounding of k additions in any order."""
    exact = a.astype("float64") @ b.astype("float64") + before
    sizes = np.abs(a).astype("float64") @ np.abs(b).astype("float64") + abs(before)
    assert (np.abs(c - exact) <= (a.shape[1] + 2) * np.finfo(c.dtype).eps * sizes).all()


@pytest.mark.parametrize("add", [False, True], ids=["put", "add"])
@pytest.mark.parametrize("b_layout", ["rows", "padded", "columns", "gaps"])
def test_a_packed_product_is_that_of_numpy(library: Library, b_layout: str, add: bool) -> None:
    rng = np.random.default_rng(1)
    before = 0.5 if add else np.nan
    for (m, n, k), a_layout in zip(SHAPES, cycle(["rows", "padded"])):
        a, b = matrix(library, rng, m, k, a_layout), matrix(library, rng, k, n, b_layout)
        assert_product(product_into(library, "by_panels", a, b, add, before), a, b, 0.5 * add)


@pytest.mark.parametrize("add", [False, True], ids=["put", "add"])
@pytest.mark.parametrize("b_layout", ["rows", "padded", "columns", "gaps"])
@pytest.mark.parametrize("a_layout", ["rows", "padded", "columns", "gaps"])
def test_a_product_is_that_of_numpy_whatever_the_strides(
    library: Library, a_layout: str, b_layout: str, add: bool
) -> None:
    rng = np.random.default_rng(2)
    before = 0.5 if add else np.nan
    for m, n, k in [*SHAPES[: len(SMALL) : 5], *LARGE]:
        a, b = matrix(library, rng, m, k, a_layout), matrix(library, rng, k, n, b_layout)
        assert_product(product_into(library, "by_blocks", a, b, add, before), a, b, 0.5 * add)


def test_only_the_panels_asked_for_are_written(library: Library) -> None:
    rng = np.random.default_rng(3)
    width = library.columns()
    a, b = matrix(library, rng, 9, 20, "rows"), matrix(library, rng, 20, 3 * width + 1, "rows")
    for first, last in [(0, 1), (1, 3), (2, 4), (3, 4), (2, 2)]:
        c = product_into(library, "by_panels", a, b, False, GUARD, first=first, last=last)
        inside = slice(first * width, last * width)
        assert_product(c[:, inside], a, b[:, inside])
        assert (
            (np.delete(c, np.r_[inside], axis=1) == GUARD).all() if last < 4 else (c[:, : first * width] == GUARD).all()
        )


@pytest.mark.parametrize("how", ["by_panels", "by_blocks"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_stays_in_its_row_and_column(library: Library, how: str, value: float) -> None:
    rng = np.random.default_rng(4)
    for m, n, k in [(1, 19, 7), (7, 19, 7), (64, 70, 300)]:
        a, b = np.abs(matrix(library, rng, m, k, "rows")), np.abs(matrix(library, rng, k, n, "rows"))
        a[m // 2, k - 1] = b[k // 2, n - 1] = value
        finite = np.isfinite(product_into(library, how, a, b, False, np.nan))
        expected = np.ones((m, n), bool)
        expected[m // 2] = expected[:, -1] = False
        assert (finite == expected).all()


def test_packed_columns_are_padded_with_zeros(library: Library) -> None:
    width = library.columns()
    b = np.arange(1, 3 * (width + 1) + 1, dtype=library.dtype).reshape(3, width + 1)
    packed = library.packed(b)[: 6 * width].reshape(2, 3, width)
    assert (packed[0] == b[:, :width]).all()
    assert (packed[1, :, 0] == b[:, width]).all()
    assert not packed[1, :, 1:].any()


@pytest.mark.parametrize("real", ["float", "double"])
def test_names_have_the_prefix_of_the_library(real: str) -> None:
    for portable in (False, True):
        text = gemm_text(real, portable)
        assert "REAL" not in text
        assert "SIZE" not in text
        assert not re.findall(
            r"^static.*?\b(?!rec_)\w+\(|^#define (?!REC_)", re.sub(r"__attribute__\(\(.*?\)\)", "", text), re.M
        )


@pytest.mark.parametrize(("real", "portable"), KINDS)
def test_text_of_which_nothing_is_used_compiles_without_warnings(real: str, portable: bool, tmp_path: Path) -> None:
    (tmp_path / "gemm.c").write_text(gemm_text(real, portable))
    subprocess.run([*COMPILER, *FLAGS[portable], "-c", "gemm.c"], cwd=tmp_path, check=True)
