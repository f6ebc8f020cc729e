"""The products of matrices of the C backend, against NumPy in float64."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Collection
from itertools import cycle, product
from pathlib import Path

import numpy as np
import pytest
from recurrency.backends.c.gemm import gemm_text
from recurrency.backends.c.sizes import FORCED, VARIABLE, Vectors, numbers
from recurrency.backends.c.text import PARTS, common

COMPILER = shlex.split(os.environ.get("CC", "cc"))
pytestmark = pytest.mark.skipif(not shutil.which(COMPILER[0]), reason=f"no C compiler: {COMPILER[0]}")

WIDTHS = {os.environ[VARIABLE]} if os.environ.get(VARIABLE) else set(FORCED)
"""All widths of vectors, or that which the environment asks for."""

KINDS = list(product(["float", "double"], sorted(WIDTHS)))
"""Types of numbers, and widths."""

VECTORS = ["-std=gnu11", "-O2", "-march=native", "-ffp-contract=fast", "-Wall", "-Wextra", "-Werror"]
PORTABLE = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-DREC_PORTABLE"]
FLAGS = {width: PORTABLE if width == "portable" else [*VECTORS, f"-DREC_VECTOR_BYTES={width}"] for width in WIDTHS}

WRAPPERS = """
long width(void);
long vectors(void);
long columns(void);
long panel(long n);
long packed_size(long k, long n);
long work_size(long m, long n, long k);
long space_size(long m, long k);
long chunk(long steps, long row);
void pack(long k, long n, const REAL *b, long b_k, long b_n, REAL *packed);
void multiply(long m, long n, long k, const REAL *a, long a_m, const REAL *packed, REAL *c, long c_m, long add,
              long first, long last, long back);
void multiply_any(long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
                  REAL *c, long c_m, long add, REAL *work);
void multiply_part(long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
                   REAL *c, long c_m, REAL *work, long room, long id, long count);
long products_size(long m, long n1, long n2, long k);
void products_part(long m, long k, const REAL *a, long a_m, long a_k,
                   long n1, const REAL *b1, long b1_k, long b1_n, REAL *c1, long c1_m,
                   long n2, const REAL *b2, long b2_k, long b2_n, REAL *c2, long c2_m,
                   REAL *work, long room, long id, long count);
long width(void) { return REC_WIDTH; }
long vectors(void) { return REC_VECTORS; }
long columns(void) { return REC_COLUMNS; }
long panel(long n) { return (void)n, REC_PANEL(n); }
long space_size(long m, long k) { return rec_packed_rows_size(m, k); }
long chunk(long steps, long row) { return (long)rec_chunk_steps(steps, row); }
long packed_size(long k, long n) { return rec_packed_size(k, n); }
long work_size(long m, long n, long k) { return rec_product_work_size(m, n, k); }
void pack(long k, long n, const REAL *b, long b_k, long b_n, REAL *packed) { rec_pack(k, n, b, b_k, b_n, packed); }
void multiply(long m, long n, long k, const REAL *a, long a_m, const REAL *packed, REAL *c, long c_m, long add,
              long first, long last, long back) {
    rec_multiply(m, n, k, a, a_m, packed, c, c_m, (int)add, first, last, (int)back);
}
void multiply_any(long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
                  REAL *c, long c_m, long add, REAL *work) {
    rec_product(m, n, k, a, a_m, a_k, b, b_k, b_n, c, c_m, (int)add, work, n);
}
void multiply_part(long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
                   REAL *c, long c_m, REAL *work, long room, long id, long count) {
    rec_product_part(m, n, k, a, a_m, a_k, b, b_k, b_n, c, c_m, work, room, id, count);
}
long products_size(long m, long n1, long n2, long k) {
    return rec_products_work_size(m, rec_packed_size(1, n1) + rec_packed_size(1, n2), k);
}
void products_part(long m, long k, const REAL *a, long a_m, long a_k,
                   long n1, const REAL *b1, long b1_k, long b1_n, REAL *c1, long c1_m,
                   long n2, const REAL *b2, long b2_k, long b2_n, REAL *c2, long c2_m,
                   REAL *work, long room, long id, long count) {
    struct rec_side sides[] = {{n1, b1, b1_k, b1_n, c1, c1_m}, {n2, b2, b2_k, b2_n, c2, c2_m}};
    rec_products_part(m, k, a, a_m, a_k, 2, sides, work, room, id, count);
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

    def space(self, size: int, guards: int = 48) -> tuple[np.ndarray, np.ndarray]:
        """So many NaNs, on 64 bytes, and guards after them."""
        room = np.full(size + 16 + guards, GUARD, self.dtype)
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
        """`rec_multiply`, for an odd number of rows from the last panel to the first."""
        last = -(-b.shape[1] // self.columns()) if last < 0 else last
        shape, a_m, c_m = (*c.shape, a.shape[1]), self.strides(a)[0], self.strides(c)[0]
        self.multiply(*shape, a, a_m, self.packed(b), c, c_m, add, first, last, shape[0] % 2)

    def by_blocks(self, a: np.ndarray, b: np.ndarray, c: np.ndarray, add: bool) -> None:
        """`rec_product`."""
        shape = (*c.shape, a.shape[1])
        work, after = self.space(self.work_size(*shape))
        self.multiply_any(*shape, a, *self.strides(a), b, *self.strides(b), c, self.strides(c)[0], add, work)
        assert (after == GUARD).all()

    def by_parts(self, a: np.ndarray, b: np.ndarray, c: np.ndarray, count: int) -> None:
        """`rec_product_part`, by one thread after the other, each of which has room for the whole product."""
        shape = (*c.shape, a.shape[1])
        size = self.work_size(*shape)
        for id in range(count):
            work, after = self.space(size, size + 4096)
            sides = (a, *self.strides(a), b, *self.strides(b), c, self.strides(c)[0])
            self.multiply_part(*shape, *sides, work, 0, id, count)
            assert (after == GUARD).all(), (shape, count)


def argument(value: np.ndarray | int) -> ctypes.c_void_p | ctypes.c_long:
    """An argument of a wrapper."""
    return ctypes.c_void_p(value.ctypes.data) if isinstance(value, np.ndarray) else ctypes.c_long(value)


def whole_text(real: str, columns: Collection[int] | None = None) -> str:
    """The products, with what they need."""
    return common(real) + gemm_text(real, columns) + PARTS.replace("REAL", real)


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The text for one type and one width, compiled."""
    return compiled(*request.param, tmp_path_factory.mktemp("gemm"))


def compiled(real: str, width: str, folder: Path, columns: Collection[int] | None = None) -> Library:
    """The text for one type, one width, and products with so many columns (None: any)."""
    (folder / "gemm.c").write_text(whole_text(real, columns) + WRAPPERS.replace("REAL", real))
    command = [*COMPILER, *FLAGS[width], "-fPIC", "-shared", "gemm.c", "-o", "gemm.so"]
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


TOGETHER = [(70, (32, 5), 300), (197, (1, 67), 520), (7, (3, 3), 0), (390, (64, 130), 31), (2, (1, 1), 9)]
"""Rows, columns and terms of two products: more and fewer than the blocks of each."""


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("layout", ["rows", "padded", "columns"])
def test_products_with_one_left_side_are_those_of_numpy(library: Library, layout: str, count: int) -> None:
    rng = np.random.default_rng(7)
    for m, widths, k in TOGETHER:
        a, bs = matrix(library, rng, k, m, layout).T, [matrix(library, rng, k, n, layout) for n in widths]
        cs = [np.full((m, n), np.nan, library.dtype) for n in widths]
        room = library.products_size(m, *widths, k)
        for id in range(count):
            work, after = library.space(room)
            sides = [x for b, c in zip(bs, cs, strict=True) for x in side(library, b, c)]
            library.products_part(m, k, a, *library.strides(a), *sides, work, 0, id, count)
            assert (after == GUARD).all()
        for b, c in zip(bs, cs, strict=True):
            assert_product(c, a, b)


def side(library: Library, b: np.ndarray, c: np.ndarray) -> list[np.ndarray | int]:
    """The fields of a `struct rec_side`."""
    return [b.shape[1], b, *library.strides(b), c, library.strides(c)[0]]


@pytest.mark.parametrize("add", [False, True], ids=["put", "add"])
def test_a_product_of_one_column_is_that_of_numpy(library: Library, add: bool) -> None:
    rng = np.random.default_rng(6)
    before = 0.5 if add else np.nan
    for m, k in [(1, 1), (5, 3), (40, 301), (17, 8), (3, 0), (8200, 6)]:
        a, b = matrix(library, rng, m, k, "columns"), matrix(library, rng, k, 1, "gaps")
        room = np.full(m + 20, GUARD, library.dtype)
        c = room[10:-10].reshape(m, 1)
        c[...] = before
        library.by_blocks(a, b, c, add)
        assert (room[:10] == GUARD).all()
        assert (room[-10:] == GUARD).all()
        assert_product(c, a, b, 0.5 * add)


PARTS_OF = [(3, 30, 20), (30, 3, 20), (1, 701, 3000), (1, 1400, 1600), (2, 2731, 800), (3, 4099, 600)]
"""Sizes of products of which threads compute columns: few columns are packed deeper than many."""


@pytest.mark.parametrize("a_layout", ["rows", "columns"])
def test_the_part_of_each_thread_stays_within_its_work(library: Library, a_layout: str) -> None:
    rng = np.random.default_rng(5)
    for m, n, k in PARTS_OF:
        a, b = matrix(library, rng, m, k, a_layout), matrix(library, rng, k, n, "rows")
        for count in (2, 3, 7):
            c = np.full((m, n), np.nan, library.dtype)
            library.by_parts(a, b, c, count)
            assert_product(c, a, b)


def test_the_forecast_counts_what_the_text_counts(library: Library) -> None:
    """Constants and formulas as numbers are those of the compiled text."""
    known = numbers(library.dtype.itemsize, Vectors(library.width(), library.vectors()))
    assert known["REC_COLUMNS"] == library.columns()
    for m, n, k in [*SHAPES, *PARTS_OF, (385, 1, 257), (5, 16384, 9), (7, 8192, 9), (7, 2048, 4000)]:
        assert known["rec_packed_size"](k, n) == library.packed_size(k, n)
        assert known["rec_product_work_size"](m, n, k) == library.work_size(m, n, k)
        assert known["rec_packed_rows_size"](m, k) == library.space_size(m, k)
        assert known["rec_chunk_steps"](k, n) == library.chunk(k, n)


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
    last = packed[1].ravel()[: 3 * library.panel(1)].reshape(3, -1)
    assert (packed[0] == b[:, :width]).all()
    assert (last[:, 0] == b[:, width]).all()
    assert not last[:, 1:].any()


@pytest.mark.skipif("64" not in FLAGS, reason="vectors are forced to be narrower")
@pytest.mark.parametrize(
    ("known", "widths"), [({64}, {64}), ({5, 64}, {16, 64}), ({0, 40, 200}, {16, 48, 64}), ({40}, {48})]
)
def test_columns_without_a_tile_of_their_width_take_the_next_wider_one(
    known: set[int], widths: set[int], tmp_path: Path
) -> None:
    """As where threads divide the columns of a product: a file has tiles for those of whole products."""
    library = compiled("float", "64", tmp_path, known)
    assert {library.panel(n) for n in range(1, max(known) + 1)} == widths
    rng = np.random.default_rng(6)
    for m, n, k in [(3, 5, 7), (13, 17, 3), (7, 40, 9), (8, 64, 5), (5, 100, 11), (2, 69, 13)]:
        if n > max(known):
            break
        a, b = matrix(library, rng, m, k, "rows"), matrix(library, rng, k, n, "columns")
        for how in ("by_panels", "by_blocks"):
            assert_product(product_into(library, how, a, b, True, 0.5), a, b, 0.5)


@pytest.mark.parametrize("real", ["float", "double"])
def test_names_have_the_prefix_of_the_library(real: str) -> None:
    text = re.sub(r"__attribute__\(\(.*?\)\)", "", whole_text(real))
    assert not re.findall(r"\b(?:REAL|SIZES?)\b", text)
    assert not re.findall(r"^static.*?\b(?!rec_)\w+\(|^#define (?!REC_)", text, re.M)


@pytest.mark.parametrize(("real", "width"), KINDS)
def test_text_of_which_nothing_is_used_compiles_without_warnings(real: str, width: str, tmp_path: Path) -> None:
    (tmp_path / "gemm.c").write_text(whole_text(real))
    subprocess.run([*COMPILER, *FLAGS[width], "-c", "gemm.c"], cwd=tmp_path, check=True)
