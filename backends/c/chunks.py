"""Products that only one loop over time reads: computed for some steps at a time, so that they stay in a cache.

What a loop reads of its inputs, `W @ x`, is one product for all steps. Computed as a whole, it goes to memory and comes
back; in chunks, it is read while it is still in the cache. A chunk has as many steps as fit (`rec_chunk_steps`), and at
least one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.program.program import Program, Region

from ..kernels.arrays import Array
from ..kernels.index import clock_size
from ..kernels.products import MatrixProduct
from ..kernels.stages import Stages
from .products import CProducts, inner_elements

AT_STEP, AT_OTHER = re.compile(r"\b(\w+)\[tb\b"), re.compile(r"\b(\w+)\[(?!cb\b)")
"""Elements of an array at the step of a loop, and elements that are not in the chunk."""

STOP = "if (rec_stopped(w->barrier, "
"""The beginning of the line that ends a loop when the call is to be stopped."""

WAIT = "rec_wait(w->barrier, count);"
"""All threads wait here, within a loop, whose chunks say where it may end."""

VIEWS = frozenset({Trait.VIEW, Trait.UNIFORM, Trait.PERMUTES})
"""Operations whose results may be views of a product that is computed in chunks."""


def fed(stages: Stages, forms: Mapping[int, MatrixProduct], products: CProducts) -> dict[int, Region]:
    """The products that only one loop reads, each at its own step, with that loop."""
    users: dict[int, list[tuple[int, str]]] = {}
    for id in stages.region:
        for arg, how in stages.reads(id):
            users.setdefault(arg, []).append((id, how))
    within: dict[int, set[int]] = {}
    for id, place in stages.program.places.items():
        within.setdefault(place.buffer, set()).add(id)
    results = frozenset(stages.graph.roots.values())
    found = {}
    for id, form in forms.items():
        if not stages.region[id].scans and _is_plain(stages.program, id, form, products):
            loop = _reader(stages, id, users, within[stages.program.places[id].buffer], results)
            if loop is not None:
                found[id] = loop
    return found


def _is_plain(program: Program, id: int, form: MatrixProduct, products: CProducts) -> bool:
    """Whether a product has one row for each step and sequence, of a stream times a constant matrix."""
    place, array = program.places[id], products.output(id)
    if form.batch or array is None or array.home != "own" or not array.timed or array.front or array.behind:
        return False
    fixed = program.places[form.b.node].kind is Kind.STATIC and products.matrix(form.a, form, False).columns == "1"
    stream = program.places[form.a.node].kind is Kind.STREAM
    return fixed and stream and form.rows.startswith("TB") and place.kind is Kind.STREAM


def _reader(
    stages: Stages, id: int, users: Mapping[int, Sequence[tuple[int, str]]], same: set[int], results: frozenset[int]
) -> Region | None:
    """The only loop that reads a product, or a view of it, directly or through values that are not stored; or None.

    `same` are the values in its buffer, `results` those of the graph.
    """
    program, graph = stages.program, stages.graph
    if any(program.places[other].delay or not graph[other].op.traits >= VIEWS for other in same - {id}):
        return None
    loops: dict[int, Region] = {}
    seen, left = set(same), list(same)
    while left:
        node = left.pop()
        if node in results:
            return None
        for user, how in users.get(node, ()):
            if user in same:
                continue
            if how not in ("same", "row") or graph[user].delay or user in program.sums:
                return None
            region, stored = stages.region[user], user in stages.stored
            if stored or region.scans:
                loops[region.number] = region
            if not stored and user not in seen:
                seen.add(user)
                left.append(user)
    only = next(iter(loops.values())) if len(loops) == 1 else None
    return only if only is not None and only.scans else None


@dataclass
class Chunks:
    """The products of one function that are computed in chunks."""

    loops: dict[int, Region]
    names: dict[str, Region] = field(default_factory=dict)
    sizes: dict[int, list[str]] = field(default_factory=dict)
    """For each loop, by number: the elements of each product that feeds it, of one sequence at one step."""

    def add(self, id: int, array: Array) -> None:
        """Note the array that a product is computed into."""
        region = self.loops[id]
        self.names[array.name] = region
        self.sizes.setdefault(region.number, []).append(inner_elements(array))

    def steps(self, region: Region) -> str:
        """The number of steps of a chunk, as text."""
        row = " + ".join(f"B * {size}" for size in self.sizes[region.number])
        return f"rec_chunk_steps({clock_size(region.clock)}, {row})"

    def elements(self, array: Array) -> str | None:
        """The number of elements of an array that holds one chunk at a time; None for other arrays."""
        if array.name not in self.names:
            return None
        return f"{self.steps(self.names[array.name])} * B * {inner_elements(array)}"

    def turns(self, region: Region, statements: Iterable[str]) -> tuple[list[str], list[str]]:
        """The lines before the loop, and the lines of a step that compute the next chunk where the last one ends."""
        steps = clock_size(region.clock)
        forwards = region.kind == "scan forwards"
        before = [
            f"const long long chunk = {self.steps(region)}, all = b1 - b0 == B;",
            f"long long first = {'0' if forwards else steps}, end = first;",
        ]
        turn = (
            ["if (t >= end) {", "first = t;", f"end = first + chunk < {steps} ? first + chunk : {steps};"]
            if forwards
            else ["if (t < first) {", "end = t + 1;", "first = end > chunk ? end - chunk : 0;"]
        )
        out = [*turn, "const long long rows = all ? end - first : 1;"]
        for text in statements:
            out += ["for (long long t = first; t < end; t += rows) {", text, "}"]
        return before, [*out, "REC_STEP_BARRIER;", "}"]

    def whole(self, region: Region, statements: Iterable[str], loop: Iterable[str]) -> list[str]:
        """The lines that compute each chunk in all threads, and then its steps: `loop`, from `first` to `end`."""
        steps = clock_size(region.clock)
        forwards = region.kind == "scan forwards"
        last = f"REC_MIN({steps}, first + chunk)"
        head, ends, turn = (
            ("first = 0; first < {0}; first += chunk", f"const long long end = {last};", "first / chunk")
            if forwards
            else (
                "end = {0}; end > 0; end -= chunk",
                "const long long first = REC_MAX(0, end - chunk);",
                "({0} - end) / chunk",
            )
        )
        return [
            f"const long long chunk = {self.steps(region)};",
            f"for (long long {head.format(steps)}) {{",
            ends,
            f"{STOP}{turn.format(steps)}, count, id)) break;",
            "{",
            "const long long t = first, rows = end - first, b0 = 0, b1 = B, way = id, ways = count;",
            *statements,
            "}",
            WAIT,
            *loop,
            WAIT,
            "}",
        ]

    def read(self, lines: Sequence[str]) -> list[str]:
        """The lines of a kernel, changed to read these arrays in the chunk that begins with step `first`."""
        found = [AT_STEP.sub(lambda m: f"{m[1]}[cb" if m[1] in self.names else m[0], line) for line in lines]
        if found == list(lines):
            return found
        others = (name for line in found for name in AT_OTHER.findall(line))
        assert not any(name in self.names for name in others), "a step reads another's products"
        k = next(k for k, line in enumerate(found) if line.startswith("const long long tb = "))
        return [*found[: k + 1], "const long long cb = (t - first) * B + b;", *found[k + 1 :]]
