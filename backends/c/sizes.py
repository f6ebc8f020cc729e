"""Sizes and layouts of generated C, written once: as text of C, and as numbers for the forecast of memory.

Formulas use what C and Python have in common: integers that are not negative, `+ - * /`, names, and calls of one
another. Only two numbers depend on the machine: the width of its vectors, and how many of them are in a row of the tile
of a product, which stays in registers. The preprocessor chooses both; REC_VECTOR_BYTES overrides its choice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

from recurrency.errors import UsageError

VARIABLE = "RECURRENCY_VECTOR_BYTES"
FORCED = {"16": 16, "32": 32, "64": 64, "portable": 0}
"""The values of this variable, and the REC_VECTOR_BYTES of each."""

SIZES = {"float": 4, "double": 8}
"""The bytes of an element of each type."""

LINE = 64
"""The bytes of a cache line; arrays begin at multiples of it, and vectors are no wider."""

PAGE, APART = 4096, 5 * LINE
"""Behind an array of a page or more, so many bytes stay empty. Otherwise the same element of several arrays, which a
loop reads and writes at a time, would often be a multiple of a page apart, and these compete for one set of lines of
the first cache."""

CHUNK = 262144
"""The bytes of a chunk of products: see `chunks`."""

WORTH = 250_000
"""From so many operations of products at one step on, several threads at one step are faster, although they wait."""

CHOICE = """
/* REC_WIDTH is the bytes of a vector: those of the processor, unless REC_VECTOR_BYTES is defined (0: there are none).
   REC_VECTORS is the number of vectors in a row of the tile of a product; 0: the tile is plain C. */
#if !defined(REC_VECTOR_BYTES)
#if defined(__AVX512F__)
#define REC_VECTOR_BYTES 64
#elif defined(__AVX__)
#define REC_VECTOR_BYTES 32
#elif defined(__SSE2__) || defined(__ARM_NEON)
#define REC_VECTOR_BYTES 16
#else
#define REC_VECTOR_BYTES 0
#endif
#elif REC_VECTOR_BYTES != 0 && REC_VECTOR_BYTES != 16 && REC_VECTOR_BYTES != 32 && REC_VECTOR_BYTES != 64
#error "REC_VECTOR_BYTES is 16, 32 or 64, or 0 for a tile in plain C"
#endif
#if REC_VECTOR_BYTES > 0
#define REC_WIDTH REC_VECTOR_BYTES
#else
#define REC_WIDTH 16
#endif
#if REC_VECTOR_BYTES == 0 || !defined(__GNUC__) || defined(REC_PORTABLE)
#define REC_VECTORS 0
#elif REC_WIDTH == 64 || (REC_WIDTH == 16 && defined(__aarch64__))
#define REC_VECTORS 4
#else
#define REC_VECTORS 2
#endif
"""

COMMON = {"REC_LINE_BYTES": f"{LINE}", "REC_LINE": "REC_LINE_BYTES / SIZE", "REC_CHUNK": f"{CHUNK} / SIZE"}
COMMON |= {"REC_PAGE_BYTES": f"{PAGE}", "REC_APART_BYTES": f"{APART}"}
"""A cache line, and the elements of one and of a chunk. SIZE is the bytes of an element."""

TILES = {
    True: {"REC_ROWS": "6", "REC_COLUMNS": "REC_VECTORS * REC_WIDTH / SIZE"},
    False: {"REC_ROWS": "4", "REC_COLUMNS": "8"},
}
"""The tile with vectors, and without."""

BLOCKS = {
    "REC_M": "16 * REC_ROWS",
    "REC_PACKED_M": "8 / SIZE * REC_M",
    "REC_K": "256",
    "REC_N": "16384 / SIZE",
    "REC_STRIP": "8",
    "REC_UNPACKED": "65536 / SIZE",
}
"""Blocks: M rows and K steps of k fit the second cache, K x N elements of packed columns the third. Rows that one
panel reads are not packed if they are within UNPACKED elements."""


@dataclass(frozen=True)
class Formula:
    """A function of integers."""

    name: str
    parameters: str
    text: str
    says: str
    type: str = "long"

    def definition(self) -> str:
        """Its definition in C."""
        head = ", ".join(f"{self.type} {name}" for name in self.parameters.split(", "))
        lines = [
            f"/* {self.says} */",
            f"static REC_UNUSED {self.type} {self.name}({head}) {{",
            f"    return {self.text};",
        ]
        return "\n".join([*lines, "}", ""])


CHUNKS = (
    Formula(
        "rec_chunk_steps",
        "steps, row",
        "REC_MIN(steps, REC_MAX(1, REC_CHUNK / REC_MAX(1, row)))",
        "How many of `steps` steps, each of so many elements, are computed at a time, to be in a cache when read.",
        "long long",
    ),
)
PRODUCTS = (
    Formula(
        "rec_packed_size",
        "k, n",
        "REC_CEIL_DIV(n, REC_COLUMNS) * REC_COLUMNS * k",
        "The elements of a packed matrix: whole panels.",
    ),
    Formula(
        "rec_block_depth",
        "k",
        "REC_CEIL_DIV(k, REC_MAX(1, REC_CEIL_DIV(k, REC_K)))",
        "Steps of k in a block. Blocks are even: a short one would not be worth reading and writing `c` again.",
    ),
    Formula(
        "rec_packed_depth",
        "n, k",
        "REC_MIN(k, REC_K * REC_MAX(1, REC_N / REC_MAX(1, n)))",
        "Steps of k that are packed at a time, for so many columns.",
    ),
    Formula(
        "rec_packed_rows_size",
        "m, k",
        "REC_CEIL_DIV(REC_CEIL_DIV(REC_MIN(m, REC_PACKED_M), REC_ROWS) * REC_STRIP * rec_block_depth(k), REC_LINE)"
        " * REC_LINE",
        "The elements of packed rows: whole cache lines, so that the panels after them are aligned for vectors.",
    ),
    Formula(
        "rec_product_work_size",
        "m, n, k",
        "rec_packed_rows_size(m, rec_packed_depth(n, k)) + rec_packed_size(rec_packed_depth(n, k), REC_MIN(n, REC_N))",
        "The elements of workspace that a product needs.",
    ),
    Formula(
        "rec_products_work_size",
        "m, n, k",
        "rec_packed_rows_size(m, rec_block_depth(k)) + rec_packed_size(rec_block_depth(k), n)",
        "The elements of workspace that several products need, whose panels have n columns in all.",
    ),
)

SIDE = """
/* A matrix `b` with n columns, and the product that it becomes. */
struct rec_side { long n; const REAL *b; long b_k, b_n; REAL *c; long c_m; };
"""
"""What each of several products with one left side has of its own; REAL is the type of the numbers."""

MACROS = """
#define REC_MIN(x, y) ((x) < (y) ? (x) : (y))
#define REC_MAX(x, y) ((x) > (y) ? (x) : (y))
#define REC_CEIL_DIV(n, size) (((n) + (size) - 1) / (size))
"""
PYTHON: Mapping[str, Any] = {"REC_MIN": min, "REC_MAX": max, "REC_CEIL_DIV": lambda n, size: (n + size - 1) // size}
"""The macros in Python."""


def _defined(constants: Mapping[str, str]) -> str:
    """The definitions of constants; a compiler option may set the chunk."""
    lines = {name: f"#define {name} {f'({text})' if ' ' in text else text}\n" for name, text in constants.items()}
    return "".join(f"#ifndef {name}\n{line}#endif\n" if name == "REC_CHUNK" else line for name, line in lines.items())


def common_text(size: int) -> str:
    """What all files need, for elements of so many bytes."""
    text = CHOICE + MACROS + "\n" + _defined(COMMON) + "\n" + "".join(formula.definition() for formula in CHUNKS)
    return text.replace("SIZE", str(size))


def products_text(size: int) -> str:
    """What files with products also need; REAL stands for the type of the numbers."""
    tiles = f"#if REC_VECTORS\n{_defined(TILES[True])}#else\n{_defined(TILES[False])}#endif\n"
    formulas = "\n".join(formula.definition() for formula in PRODUCTS)
    return f"\n{tiles}\n{_defined(BLOCKS)}\n{formulas}\n{SIDE}\n".replace("SIZE", str(size))


@dataclass(frozen=True)
class Vectors:
    """The vectors of a machine: the bytes of each, and how many are in a row of the tile; 0 if it has none."""

    width: int
    row: int


@cache
def numbers(size: int, vectors: Vectors) -> Mapping[str, Any]:
    """Constants and formulas by name, for elements of so many bytes and the vectors of a machine."""
    known: dict[str, Any] = {**PYTHON, "SIZE": size, "REC_WIDTH": vectors.width, "REC_VECTORS": vectors.row}
    for name, text in {**COMMON, **TILES[vectors.row > 0], **BLOCKS}.items():
        known[name] = value(text, known)
    for formula in (*CHUNKS, *PRODUCTS):
        known[formula.name] = eval(_code(f"lambda {formula.parameters}: {formula.text}"), known)
    return known


def value(text: str, known: Mapping[str, Any]) -> Any:
    """The value of a text with these names."""
    return eval(_code(text), {}, known)


@cache
def _code(text: str) -> CodeType:
    return compile(text.replace("/", "//"), "<sizes>", "eval")


def lines(size: int) -> int:
    """The bytes of an array of so many: whole cache lines, and room behind those of a page and more (see `APART`)."""
    return -(-size // LINE) * LINE + min(size // PAGE, 1) * APART


def forced() -> tuple[str, ...]:
    """The compiler option for the width of vectors that the environment sets, if any.

    Raises:
        UsageError: there is no such width.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return ()
    if text not in FORCED:
        raise UsageError(
            f"{VARIABLE} is {', '.join(list(FORCED)[:-1])} or portable, not {text!r}; without it, vectors are as wide "
            "as those of the processor"
        )
    return (f"-DREC_VECTOR_BYTES={FORCED[text]}",)
