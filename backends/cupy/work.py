"""What the launches of one step have to do, for the rule that chooses a plan: see `runtime.plans.predicted`."""

from __future__ import annotations

import re
from math import prod

from ..kernels.products import MatrixProduct
from ..kernels.writer import Kernel
from .rows import RowKernel
from .tile_kernels import TileKernel

LOOP = re.compile(r"for \(int \w+ = 0; \w+ < (\d+); \+\+\w+\) \{")

Work = tuple[str, int, int]
"""`("kernel", terms, threads)`: the terms that a thread adds up, the threads for one sequence.
`("tiles", multiplications, blocks)`: those of one block for one sequence, the blocks for a group of sequences.
`("rows", stages, threads)`: those of a block, which computes one sequence.
`("product", multiplications, 1)`: those of a product of cuBLAS for one sequence."""


def of_kernel(kernel: Kernel) -> Work:
    """The work of a launch."""
    if isinstance(kernel, TileKernel):
        return "tiles", kernel.work, kernel.blocks
    if isinstance(kernel, RowKernel):
        return "rows", 1 + kernel.text.count("__syncthreads();"), kernel.threads
    threads = prod(int(part) for part in kernel.count.split(" * ") if part.isdigit())
    return "kernel", terms(kernel.text), threads


def of_product(form: MatrixProduct) -> Work:
    """The work of a product of cuBLAS."""
    return "product", prod(size for size in form.sizes.values() if isinstance(size, int)), 1


def terms(text: str) -> int:
    """How many terms a thread of a kernel adds up, one after another."""
    total, loops = 0, list[tuple[int, int]]()
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        while loops and indent <= loops[-1][0]:
            loops.pop()
        if found := LOOP.search(line):
            loops.append((indent, int(found[1])))
        elif loops and re.search(r"\w \+= |= f?max|= \w+ > ", line):
            total += prod(turns for _, turns in loops)
    return total
