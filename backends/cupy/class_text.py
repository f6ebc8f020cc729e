"""The text of a function's class in a generated module: its tables, its memory, its launches."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from recurrency.graph.cost import whole
from recurrency.graph.roots import START, TAPE, Group
from recurrency.graph.types import Kind

from ..kernels.arrays import VECTORS, Array
from ..kernels.index import clock_name, extent
from .function import CudaFunction
from .loops import Scan

WIDTH = 104
"""Characters of a line within a method."""

SAYS = {
    "loop": "The loop over {states}, all steps in one kernel.",
    "step": "The loop over {states}: at each step kernels, which also compute products.",
    "split": "The loop over {states}: at each step kernels in which warps share the terms of a product.",
    "gemm": "The loop over {states}: at each step products by cuBLAS, and kernels for the rest.",
}
"""The docstrings of the ways to run a loop over time."""


def class_text(f: CudaFunction) -> str:
    """A class `NAME(Function)`, with the `Function` of `cupy.runtime.driver`."""
    scans = [line for number, scan in enumerate(f.scans) for line in _ways(f, number, scan)]
    body = [
        *_tables(f),
        "",
        *_method(f"largest(self, {_sizes(f)})", "The numbers of elements of all arrays.", _largest(f)),
        "",
        *_method(f"allocate(self, p, {_sizes(f)})", "The arrays of a plan that stay.", _memory(f, fresh=False)),
        "",
        *_method(f"renew(self, p, {_sizes(f)})", "The arrays that become the caller's.", _memory(f, fresh=True)),
        "",
        *_method("run(self, p)", "All products and launches, in order.", [*_frame(f, f.body), *f.body]),
        *scans,
        "",
        *_method("results(self, p)", "The results by name.", _results(f)),
    ]
    lines = [f"class {f.name}(Function):", *(f"    {line}" if line else "" for line in body)]
    return "\n".join(lines) + "\n"


def _method(head: str, says: str, body: Sequence[str]) -> list[str]:
    return [f"def {head}:", f'    """{says}"""', *(f"    {part}" for line in body for part in _laid_out(line))]


def _laid_out(line: str) -> Iterator[str]:
    """A line on several lines, with its comment above."""
    indent = line[: len(line) - len(line.lstrip())]
    text, _, said = line.partition("  # ")
    if said:
        yield f"{indent}# {said}"
    if "(" not in text:
        yield text
        return
    first, *rest = textwrap.wrap(text.strip(), WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
    yield f"{indent}{first}"
    yield from (f"{indent}    {part}" for part in rest)


def _sizes(f: CudaFunction) -> str:
    return ", ".join([*(f"T_{clock_name(c)}" for c in f.memory.clocks), "B"])


def _tables(f: CudaFunction) -> list[str]:
    return [
        f'"""{f.name}: kernels: {len(f.kernels)}, loops over time: {len(f.scans)}."""',
        "",
        *_table("CLOCKS", {c: clock_name(c) for c in f.memory.clocks}),
        *_table("INPUTS", _inputs(f)),
        *_table("SCANS", {f"scan_{k}": (s.states, tuple(s.ways), s.refused, s.work) for k, s in enumerate(f.scans)}),
        *_table("FLAGS", f.memory.flags),
        f"LENT = {tuple(sorted(f.fresh | {'gradient', 'params'}))!a}",
        f"SIZE = {f.layout.size}",
        f"RANDOM = {f.random}",
    ]


def _table(name: str, rows: Mapping[str, object]) -> list[str]:
    """A dictionary, a line for each row."""
    if not rows:
        return [f"{name} = {{}}"]
    return [f"{name} = {{", *(f"    {key!a}: {row!a}," for key, row in rows.items()), "}"]


def _inputs(f: CudaFunction) -> dict[str, tuple[str, int | None, str | None, tuple[str | int, ...]]]:
    """The arrays that the caller passes: inputs, and initial states as `start:NAME`.

    Name -> array, the number of symbols (None: real numbers), the clock of a stream whose padding is cleared, shape.
    """
    out = {}
    for op, group in (("input", Group("")), ("start", START)):
        for name, id in f.graph.sources(op).items():
            array = f.memory.array(f.program.places[id].buffer)
            clean = array.kind is Kind.STREAM and not TAPE.has(name)
            axes = (*array.lead(), *(extent(d) if isinstance(d, str) else whole(d) for d in array.shape))
            symbols = f.graph[id].type.index
            index = None if symbols is None else whole(symbols)
            out[group.of(name)] = (array.name, index, clock_name(array.clock) if clean else None, axes)
    return out


def _used(f: CudaFunction) -> list[Array]:
    """The arrays that kernels or the driver use, except those that the caller passes."""
    text = "\n".join([*(k.text for k in (*f.kernels, *f.launches.writer.apart)), *_all_lines(f), *f.results.values()])
    words = set(re.findall(r"\w+", text))
    given = {array for name, (array, *_) in _inputs(f).items() if not START.has(name)}
    return [a for a in f.memory.used() if a.name in words and a.name not in given and a.home not in VECTORS]


def _all_lines(f: CudaFunction) -> list[str]:
    return [*f.body, *(line for scan in f.scans for lines in scan.ways.values() for line in lines)]


def _largest(f: CudaFunction) -> list[str]:
    sizes = [
        " * ".join([*(f"({s})" if "+" in s else s for s in a.lead()), *map(extent, a.shape)]) or "1" for a in _used(f)
    ]
    return [f"return [{', '.join(dict.fromkeys(sizes))}]"]


def _memory(f: CudaFunction, fresh: bool) -> list[str]:
    lines = []
    for array in _used(f):
        if (array.name in f.fresh) is fresh:
            lines.append(f"p.{array.name} = {_allocation(f, array)}")
    if fresh and f.has_gradient:
        lines.append(f"p.gradient = self.xp.zeros(({f.layout.size},), self.real)")
    return lines or ["return"]


def _allocation(f: CudaFunction, array: Array) -> str:
    sizes = [*array.lead(), *map(extent, array.shape)]
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    empty = array.front or array.behind or array.name in f.nothing
    if not array.real:
        return f"self.nothing({', '.join(sizes)})"
    return f"self.xp.{'zeros' if empty else 'empty'}({shape}, self.real)"


def _frame(f: CudaFunction, lines: Sequence[str]) -> list[str]:
    """The definitions of names that the lines of a method use."""
    words = set(re.findall(r"\w+", "\n".join(lines)))
    out = []
    if "k" in words:
        out.append("k = self.kernels")
    if "xp" in words:
        out.append("xp = self.xp")
    if words & set(_sizes(f).split(", ")):
        out.append(f"[{_sizes(f)}] = (*p.sizes, int(p.B))")
    return out


def _ways(f: CudaFunction, number: int, scan: Scan) -> list[str]:
    out = []
    for way, lines in scan.ways.items():
        steps = [f"steps = p.steps_{clock_name(scan.region.clock)}"] if any("steps[t]" in x for x in lines) else []
        head, says = f"scan_{number}_{way}(self, p)", SAYS[way].format(states=scan.states)
        out += ["", *_method(head, says, [*_frame(f, lines), *steps, *lines])]
    return out


def _results(f: CudaFunction) -> list[str]:
    frame = _frame(f, list(f.results.values()))
    found = {**f.results, "gradient": "p.gradient"} if f.has_gradient else f.results
    return [*frame, "return {", *(f"    {name!a}: {text}," for name, text in found.items()), "}"]
