"""A kernel as text: its signature, the element that a thread computes, the lines around its body."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from math import prod

from recurrency.graph.types import Kind

from ..kernels.arrays import Memory
from ..kernels.index import clock_size, extent
from ..kernels.pieces import Domain
from ..kernels.writer import Kernel

BLOCK = 128
"""Threads of a block."""

BLOCKS = 4
"""Blocks that have to fit a multiprocessor, which leaves 128 registers to each thread: enough, according to NVRTC."""

LINE = 110
"""Characters of a line of parameters."""

COPY = """
extern "C" __global__ void copy_NAME(TYPE* out, const TYPE* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}
"""
CLEAN = """
extern "C" __global__ void clean_NAME(TYPE* out, const TYPE* x, const int* lengths, int B, int row, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = i / row / B < lengths[i / row % B] ? x[i] : (TYPE)NOTHING;
}
"""
"""The kernels that the runtime launches: copies, and copies of streams with cleared padding."""


def runtime_kernels(real: str, symbols: bool, random: bool) -> str:
    """The kernels of the runtime; modules with symbols or random numbers have further ones for their types."""
    copied = {"real": real, "int32": "int"}
    copied |= {"int64": "long long"} if symbols or random else {}
    copied |= {"uint64": "unsigned long long"} if random else {}
    cleaned = {"real": (real, "0")} | ({"symbols": ("long long", "-1")} if symbols else {})
    copies = [COPY.replace("NAME", name).replace("TYPE", type_) for name, type_ in copied.items()]
    return "".join([
        *copies,
        *(CLEAN.replace("NAME", name).replace("TYPE", type_).replace("NOTHING", nothing)
          for name, (type_, nothing) in cleaned.items()),
    ])  # fmt: skip


def kernel(
    name: str, domain: Domain, mode: str, lines: Sequence[str], written: Collection[str], memory: Memory, real: str,
    only_ragged: bool = False,
) -> Kernel:  # fmt: skip
    """The kernel around a body, in which each thread computes one element of a domain; it writes the arrays `written`.

    `mode` is `all` (steps), `step` (of a loop in the driver) or `loop` (over all steps, in the kernel).
    """
    params, args = _signature(lines, written, memory, real)
    if mode == "step":
        params, args = [*params, "int t"], [*args, "t"]
    head = f'extern "C" __global__ void __launch_bounds__({BLOCK}, {BLOCKS}) {name}('
    text = "\n".join([head, *_wrapped([*params, "int n"]), ") {", *(f"    {line}" for line in lines), "}"])
    return Kernel(name, text + "\n", tuple(args), _count(domain, mode), only_ragged)


def _signature(
    lines: Iterable[str], written: Collection[str], memory: Memory, real: str
) -> tuple[list[str], list[str]]:
    """The parameters that a body needs, and the arguments for them."""
    words = _words(lines)
    params, args = [], []
    for array in memory.used(words):
        kind = real if array.real else "long long"
        wrote = array.name in written
        params.append(f"{kind}* {array.name}" if wrote else f"const {kind}* __restrict__ {array.name}")
        args.append(f"p.{array.name}")
    for word, kind in memory.scalars(words).items():
        params.append(f"{kind}{word}")
        args.append(f"p.{word}")
    return params, args


def _words(lines: Iterable[str]) -> set[str]:
    """The words of lines of C, without comments and members (`blockIdx.x`)."""
    return set(re.findall(r"(?<![.\w])\w+", "\n".join(line.split("//")[0] for line in lines)))


def _count(domain: Domain, mode: str) -> str:
    """The number of threads."""
    sizes = [extent(size) for size in domain.shape if not isinstance(size, int)]
    number = prod(size for size in domain.shape if isinstance(size, int))
    lead = ["B"] if domain.kind >= Kind.SEQUENCE else []
    lead = [clock_size(domain.clock), *lead] if domain.kind is Kind.STREAM and mode == "all" else lead
    return " * ".join([*lead, *sizes, *([str(number)] if number != 1 or not (lead or sizes) else [])])


def decoded(axes: Sequence[tuple[str, str]]) -> list[str]:
    """The lines in which a thread finds the indices of its element."""
    out = ["const int i = blockIdx.x * blockDim.x + threadIdx.x;", "if (i >= n) return;"]
    inner: list[str] = []
    for k, (name, size) in reversed(list(enumerate(axes))):
        divided = f"i / ({' * '.join(reversed(inner))})" if len(inner) > 1 else f"i / {inner[0]}" if inner else "i"
        out.append(f"const int {name} = {divided if k == 0 else f'{divided} % {size}'};")
        inner.append(size)
    return out


def _wrapped(params: Sequence[str]) -> list[str]:
    """Parameters on lines of limited length."""
    lines, line = [], ""
    for k, param in enumerate(params):
        text = param + ("," if k + 1 < len(params) else "")
        if len(line) + len(text) > LINE:
            lines.append(f"    {line}")
            line = ""
        line = f"{line} {text}".strip()
    return [*lines, f"    {line}"]
