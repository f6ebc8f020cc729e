"""One function in C: its program as kernels and the statements that call them, its memory, where its results lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from recurrency.graph.cost import count
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind
from recurrency.program.layout import Layout, gradients

from ..kernels.arrays import VECTORS, Array
from ..kernels.function import Function
from ..kernels.index import clock_name, clock_size
from ..names import Names
from .kernels import array_elements, indented, memory_scalars
from .launches import CLaunches
from .memory import rooms
from .products import inner_elements


@dataclass(frozen=True)
class Result:
    """Where a result lies: in an array that becomes the caller's, from a row on; `copied`: as others do."""

    array: Array
    row: int
    copied: bool


class CFunction(Function):
    """A function of a file in C. `results` says where each lies, `fresh` names arrays that become the caller's."""

    launched = CLaunches
    launches: CLaunches
    results: dict[str, Result]

    def __init__(
        self, name: str, graph: Graph, layout: Layout, dtype: str, without: frozenset[str], taken: Names
    ) -> None:  # fmt: skip
        super().__init__(name, graph, layout, dtype, without, taken)
        self.real = self.launches.source.scalars.real
        self.inputs = dict(self._inputs())
        self.taped = {r.array.name for root, r in self.results.items() if root.startswith("tape:")}
        self.padded = {
            a.name
            for name, a in self.inputs.items()
            if a.kind is Kind.STREAM and not name.startswith(("tape:", "start:"))
        }
        """Streams of the caller, in whose padding anything may stand."""
        self.random = any(self.graph[i].op.name == "random" for i in self.graph)
        names = set(re.findall(r"\w+", "\n".join([*(k.text for k in self.kernels), *self.body])))
        names |= {r.array.name for r in self.results.values()}
        names |= {a.name for a in self.inputs.values()}
        self.arrays = [a for a in self.memory.used() if a.name in names and a.home not in VECTORS]
        self.rooms = rooms(self)

    def _inputs(self) -> Iterator[tuple[str, Array]]:
        """The arrays that the caller gives, by the name of what they are: inputs and first states."""
        for op, prefix in (("input", ""), ("start", "start:")):
            for name, id in self.graph.sources(op).items():
                yield prefix + name, self.memory.array(self.program.places[id].buffer)

    def _regions(self, without: frozenset[str]) -> None:
        for region in self.program.regions:
            (self.launches.loop if region.scans else self.launches.region)(region)

    def told(self, array: Array, delay: int, copied: bool) -> Result:
        """See `Function`."""
        return Result(array, array.front - delay if array.timed else 0, copied)

    # ------------------------------------------------------------------------------------------------------- text

    def text(self, structs: bool = True) -> str:
        """Struct (with `structs` that of a call as well), kernels and entry points."""
        kernels = [k.text for k in self.kernels]
        return "\n".join([self._structs(structs), *kernels, self._lay(), self._zeros(), self._run(), self._entry()])

    def call_fields(self) -> list[tuple[str, str]]:
        """The fields of the struct of a call, each of 8 bytes: name and declaration."""
        const, real = "const ", self.real
        out = [("params", f"const {real} *params;"), ("gradient", f"{real} *gradient;")]
        for array in self._outside():
            kind = real if array.real else "long long"
            out.append((array.name, f"{const * (array.name not in self.fresh)}{kind} *{array.name};"))
        for clock in map(clock_name, self.memory.clocks):
            out.append((f"n_{clock}", f"const long long *n_{clock};"))
            out.append((f"before_{clock}", f"const long long *before_{clock};"))
            out.append((f"T_{clock}", f"long long T_{clock};"))
        out += [(flag, f"long long {flag};") for flag in self.memory.flags.values()]
        return [
            *out, ("B", "long long B;"), ("training", "long long training;"), ("seed", "unsigned long long seed;"),
            ("work", "void *work;"), ("bytes", "long long bytes;"), ("barrier", "void *barrier;"),
        ]  # fmt: skip

    def _outside(self) -> list[Array]:
        """The arrays that the caller hands over, to be read or to be written."""
        given = {array.name for array in self.inputs.values()}
        return [a for a in self.arrays if a.name in self.fresh or a.name in given]

    def _structs(self, call: bool) -> str:
        fields = [f"    {text}" for _, text in self.call_fields()]
        lines = [f"struct {self.name}_call {{", *fields, "};", ""] if call else []
        lines += [f"struct {self.name}_memory {{", f"    const {self.real} *params;", f"    {self.real} *gradient;"]
        for array in self.arrays:
            lines.append(f"    {self.real if array.real else 'long long'} *{array.name};")
        lines += [f"    {kind}{word};" for word, kind in memory_scalars(self.memory).items()]
        lines += [f"    {self.real} *{name};" for name in self.launches.products.packed.values()]
        lines += [f"    {self.real} *work;", "    long long room, ragged;", "    void *barrier;", "};", ""]
        return "\n".join(lines)

    def _lay(self) -> str:
        """The function that says where everything lies."""
        n = self.name
        out = [
            f"static size_t {n}_lay(struct {n}_memory *w, const struct {n}_call *call, char *base, long long count) {{",
            "size_t at = 0;",
            "const long long B = call->B;",
            *(f"const long long {clock_size(c)} = call->{clock_size(c)};" for c in self.memory.clocks),
            *(f"w->{clock_size(c)} = {clock_size(c)};" for c in self.memory.clocks),
            "w->params = call->params; w->gradient = call->gradient; w->B = B;",
            "w->training = call->training; w->seed = &call->seed; w->barrier = call->barrier;",
            "w->ragged = 0;",
            *(f"w->{flag} = call->{flag};" for flag in self.memory.flags.values()),
        ]
        for clock in map(clock_name, self.memory.clocks):
            out += [
                f"w->n_{clock} = call->n_{clock}; w->before_{clock} = call->before_{clock};",
                f"if (call->n_{clock}) w->ragged = 1;",
            ]
        for array in self._outside():
            out.append(f"w->{array.name} = ({self.real if array.real else 'long long'} *)call->{array.name};")
        out += [room.statement(self.real) for room in self.rooms.here()]
        out += ["w->room = 0;", *(f"REC_MORE(w->room, {work});" for work in self.rooms.work)]
        out += [f"REC_ROOM(work, {self.real}, w->room * count);", "(void)B; (void)count;"]
        out += [f"(void){clock_size(c)};" for c in self.memory.clocks]
        return _function([*out, "return at;"])

    def _zeros(self) -> str:
        """What has to be there before anything is computed: rows in front and behind, missing first states."""
        n = self.name
        out = [f"static void {n}_begin(const struct {n}_memory *w, const struct {n}_call *call) {{"]
        out.append("const long long B = w->B;")
        out += [f"const long long {clock_size(c)} = w->{clock_size(c)};" for c in self.memory.clocks]
        for clock in map(clock_name, self.memory.clocks):
            for word, size in ((f"n_{clock}", f"T_{clock}"), (f"before_{clock}", "0")):
                out.append(f"if (!call->{word}) {{ REC_FILL((long long *)w->{word}, B, {size}); }}")
        starts = {a.name: name[6:] for name, a in self.inputs.items() if name.startswith("start:")}
        for array in (a for a in self.arrays if a.name in self.padded):
            clock, inner = clock_name(array.clock), inner_elements(array)
            sides = f"w->{array.name}, call->{array.name}, T_{clock}, {inner}, w->n_{clock}, {0 if array.real else -1}"
            out.append(f"if (call->n_{clock}) {{ REC_CLEAN({sides}); }}")
        for array in self.arrays:
            inner = f"B * {inner_elements(array)}"
            nothing = "0" if array.real else "-1"
            if array.timed and array.front:
                out.append(f"REC_FILL(w->{array.name}, {array.front} * {inner}, {nothing});")
            if array.timed and array.behind:
                behind = f"w->{array.name} + ({clock_size(array.clock)} + {array.front}) * {inner}"
                out.append(f"REC_FILL({behind}, {array.behind} * {inner}, {nothing});")
            if array.name in self.nothing and array.name in starts:
                out.append(
                    f"if (!call->{array.name}) {{ REC_FILL(w->{array.name}, {array_elements(array)}, {nothing}); }}"
                )
        if self.has_gradient and not self._covered():
            out.append(f"REC_FILL(w->gradient, {self.layout.size}, 0);")
        out += ["(void)B;", *(f"(void){clock_size(c)};" for c in self.memory.clocks)]
        return _function(out)

    def _covered(self) -> bool:
        covered = sum(count(self.layout.entries[n][1]) for n in gradients(self.graph, self.layout))
        return bool(covered == self.layout.size)

    def _run(self) -> str:
        n = self.name
        out = [f"static void {n}_run(const struct {n}_memory *w, long long id, long long count) {{"]
        out += ["const long long B = w->B;", *(f"const long long {clock_size(c)} = w->{clock_size(c)};"
                                               for c in self.memory.clocks)]  # fmt: skip
        out += ["(void)B; (void)id; (void)count;", *(f"(void){clock_size(c)};" for c in self.memory.clocks)]
        return _function([*out, *self.body])

    def _entry(self) -> str:
        n = self.name
        return f"""
REC_PUBLIC long long {n}_workspace(const struct {n}_call *call, long long count) {{
    struct {n}_memory w;
    return (long long){n}_lay(&w, call, NULL, count);
}}

REC_PUBLIC int {n}_part(const struct {n}_call *call, long long id, long long count) {{
    struct {n}_memory memory, *w = &memory;
    if ((long long){n}_lay(w, call, NULL, count) > call->bytes) return 1;
    {n}_lay(w, call, (char *)call->work, count);
    if (id == 0) {n}_begin(w, call);
    rec_wait(w->barrier, count);
    {n}_run(w, id, count);
    return 0;
}}
"""


def _function(lines: list[str]) -> str:
    return "\n".join([lines[0], *indented(lines[1:]), "}"]) + "\n"
