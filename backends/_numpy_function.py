"""The text of one function: a program's kernels as statements of NumPy."""

from __future__ import annotations

import re
from math import inf, isnan

from recurrency.backends._numpy_masks import masked_text
from recurrency.backends._numpy_memory import Loop, Memory, leased
from recurrency.backends._numpy_names import Names, ascii_name, comment
from recurrency.backends._numpy_ops import ELEMENTWISE, FUNCTIONS, HELPERS, UFUNCS
from recurrency.backends._numpy_writers import WRITERS

from recurrency.graph.graph import Graph, Node
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.layout import GRADIENT, Layout, gradients
from recurrency.program.program import ALIASES, Place, Program, Region, View, count

TAPE = "tape:"
RESERVED = (
    "params given lengths steps batch training seed offset np real inf nan half gradient threading math "
    "B T t results sizes memories workspace"
).split()


class Function:
    """Writes one function; `text` is its source."""

    def __init__(self, name: str, program: Program, layout: Layout) -> None:
        self.name, self.program, self.layout = name, program, layout
        self.graph: Graph = program.graph
        self.names = Names([*RESERVED, *UFUNCS, *FUNCTIONS, *HELPERS, name])
        self.clocks = _clocks(self.graph, self.names)
        self.body: list[str] = []
        self.inner: list[str] = []
        self.memory = Memory(program, self.names, self.clocks, self.body)
        self.literals: dict[tuple[float, str], str] = {}
        self.filled: set[object] = set()
        self.said: object = None
        for region in program.regions:
            self._region(region)
        self._results()

    # ------------------------------------------------------------------------------------------------------ frame

    def text(self) -> str:
        """The function, and the one that makes its memory."""
        sizes = [f"T{suffix}" for suffix in self.clocks.values()] + ["B"]
        kept = sorted(self.memory.own & set(re.findall(r"\w+", "\n".join(self.body))), key=self.memory.order)
        lines = [f"def {self.name}_memory({', '.join(sizes)}):"]
        lines.append(f'    """The buffers of `{self.name}` for so many steps and sequences, and views of them."""')
        arenas = {home: parts for home, parts in self.memory.arenas.items() if parts}
        lines += [f"    {home} = Arena({', '.join(parts)})" for home, parts in arenas.items()]
        lines += [f"    {line}" for line in self.memory.lines]
        lines += [f"    return ({_tuple([f'{home}.memory' for home in arenas])}), ({_tuple(kept)})", "", ""]
        lines.append(f"def {self.name}(params, given, lengths, steps, batch, training, seed, offset):")
        frame = [f"{', '.join(sizes)} = {', '.join([f'int(steps[{c!a}])' for c in self.clocks] + ['int(batch)'])}"]
        if kept:
            frame.append(f"({_tuple(kept)}) = memory({self.name}_memory, {', '.join(sizes)})")
        body = [*frame, *self._measures(), *self.body]
        lines += [f"    {line}" if line else "" for line in body]
        return "\n".join(lines) + "\n"

    def _measures(self) -> list[str]:
        """What the function has to know about the lengths of the sequences."""
        words = set(re.findall(r"\w+", "\n".join(self.body)))
        out: list[str] = []
        for clock, s in self.clocks.items():
            if words & {f"n{s}", f"ragged{s}"}:
                out.append(f"n{s} = None if lengths is None else lengths.get({clock!a})")
                out.append(f"ragged{s} = n{s} is not None and bool((n{s} < T{s}).any())")
                out.append(f"padding{s} = arange(T{s})[:, None] >= n{s} if ragged{s} else None")
            if f"n{s}" in words:
                out.append(f"n{s} = full(B, T{s}) if n{s} is None else n{s}")
        return out

    def say(self, id: int, *statements: str) -> None:
        """Write statements, beside the first the line of the specification that they come from."""
        target = self.body if self.memory.loop is None else self.inner
        span = self.graph[id].span
        here = (span.source.name, span.line) if span else None
        for k, statement in enumerate(statements):
            note = ""
            if k == 0 and span is not None and here != self.said:
                note = f"  # {comment(f'{span.source.name}:{span.line}  {span.source.line(span.line)}')}"
            target.append(statement + note)
        self.said = here

    # ---------------------------------------------------------------------------------------------------- regions

    def _region(self, region: Region) -> None:
        if not region.scans:
            for id in region.ids:
                self._node(id)
            return
        for id in region.ids:
            if self.graph[id].op.name == "shift":
                self._fill_firsts(id)
        self.memory.loop, self.inner, self.said = Loop(region), [], None
        for id in region.ids:
            self._node(id)
        for id in region.ids:
            if self.graph[id].op.name == "shift" and id in self.program.copies:
                place = self.program.places[id]
                self.inner.append(
                    f"{self.memory.array(Place(place.buffer, Kind.STREAM))}[...] = {self.ref(self.graph[id].args[0])}"
                )
        loop, self.memory.loop, self.said = self.memory.loop, None, None
        self.body.append(self._header(loop))
        self.body += [f"    {line}" for line in self.inner]

    def _header(self, loop: Loop) -> str:
        """The line that begins a loop: views of our own arrays are made once, those of the caller's each time."""
        order = "[::-1]" if loop.region.kind == "scan backwards" else ""
        ours = {name: whole for name, whole in loop.views.items() if self._is_ours(whole)}
        others = {name: whole for name, whole in loop.views.items() if name not in ours}
        if not loop.views:
            return f"for _ in range({self.memory.steps(loop.region.clock)}):"
        names, lists = [], []
        if ours:
            steps = self.names.new("each_step")
            arrays = ", ".join(f"{whole}{order}" for whole in ours.values())
            self.memory.define(steps, f"per_step({arrays})", True)
            names.append(f"({_tuple(list(ours))})" if others else _tuple(list(ours)))
            lists.append(steps)
        names += list(others)
        lists += [f"{whole}{order}" for whole in others.values()]
        together = f"zip({', '.join(lists)})" if len(lists) > 1 else lists[0]
        return f"for {', '.join(names)} in {together}:"

    def _is_ours(self, text: str) -> bool:
        return text.split("[")[0].split(".")[0] in self.memory.own

    def _node(self, id: int) -> None:
        node = self.graph[id]
        if node.op.elementwise and node.op.name not in ALIASES:
            args = [self.ref(a) for a in node.args]
            statements = [row.format(*args, out=self.out(id)) for row in ELEMENTWISE[node.op.name]]
            self.say(id, *statements)
        elif node.op.name in ALIASES:
            self._alias(id, node)
        else:
            WRITERS[node.op.name](self, id, node)

    # ----------------------------------------------------------------------------------------------------- arrays

    def kind(self, id: int) -> Kind:
        """The kind of the array that stands for a value."""
        place = self.program.places.get(id)
        return Kind.STATIC if place is None else place.kind

    def ref(self, id: int) -> str:
        """A value as an argument of an element-wise function."""
        value = number(self.graph, id)
        return _number(value) if value is not None else self.memory.array(self.program.places[id])

    def array(self, id: int) -> str:
        """A value as an array, though it be a literal number."""
        value = number(self.graph, id)
        if value is None:
            return self.ref(id)
        return self.constant(value, f"({''.join(f'{self.memory.size(d)}, ' for d in self.graph[id].type.shape)})")

    def constant(self, value: float, shape: str) -> str:
        """An array of equal numbers."""
        if (value, shape) not in self.literals:
            name = self.literals[value, shape] = self.names.new("ones" if value == 1 else "constant")
            self.memory.define(name, f"full({shape}, {_number(value)}, real)", True)
        return self.literals[value, shape]

    def full(self, id: int) -> str:
        """A value as an array with all the axes of its type."""
        type_ = self.graph[id].type
        text = self.array(id)
        if self.kind(id) is type_.kind:
            return text
        return f"np.broadcast_to({text}, {self.memory.shape(type_, step=self.memory.loop is not None)})"

    def out(self, id: int) -> str:
        """The array that a node is computed into."""
        text: str = self.memory.array(self.program.places[id])
        return text

    def lead(self, kind: Kind) -> int:
        """The number of axes of time and sequences of an array of this kind, here."""
        return 1 if kind is Kind.STREAM and self.memory.loop is not None else int(kind)

    def lead_of(self, id: int) -> int:
        """The number of axes of time and sequences of the array that stands for a value."""
        return self.lead(self.kind(id))

    def contiguous(self, id: int) -> bool:
        """Whether the elements of the array of a node lie one after another."""
        place = self.program.places[id]
        return all(view.op == "reshape" or (view.op == "slice" and place.kind is Kind.STATIC) for view in place.views)

    # ------------------------------------------------------------------------------------------------------ views

    def _alias(self, id: int, node: Node) -> None:
        if node.op.name == "shift":
            if self.memory.loop is None:
                self._fill_firsts(id)
                if id in self.program.copies:
                    base = Place(self.program.places[id].buffer, Kind.STREAM)
                    self.say(id, f"{self.memory.array(base)}[...] = {self.ref(node.args[0])}")
            return
        if id in self.program.copies:
            self._copy(id, node)
        if node.op.name == "valid":
            self._clean(id, node)

    def _clean(self, id: int, node: Node) -> None:
        """Put nothing into padding; neighbouring statements of this kind stand under one condition."""
        s = self.clocks[str(node.type.clock)]
        padding = f"padding{s}"
        if self.memory.loop is not None:
            padding = self.memory.stepped(f"(padding{s} if ragged{s} else [None] * T{s})")
        target = self.body if self.memory.loop is None else self.inner
        out = self.out(id)
        if next((line for line in reversed(target) if not line.startswith(" ")), "") != f"if ragged{s}:":
            target.append(f"if ragged{s}:")
        target.append(f"    {out}[{padding}] = {'0' if node.type.index is None else '-1'}")

    def _copy(self, id: int, node: Node) -> None:
        arg = self.array(node.args[0])
        out = self.out(id)
        if node.op.name in ("frames", "unframes"):
            out = f"{out}.swapaxes(0, 1)"
        elif node.op.name in ("slice", "transpose", "reshape", "expand"):
            numbers = {"slice": ("start", "stop"), "expand": ("axes",)}.get(node.op.name, ())
            values = node.attrs["axes"] if numbers == ("axes",) else tuple(node.attrs[n] for n in numbers)
            rank = len(self.graph[node.args[0]].type.shape)
            view = View(node.op.name, node.type.shape, tuple(values))
            arg, _ = self.memory.view(arg, view, self.lead_of(node.args[0]), rank)
        self.say(id, f"{out}[...] = {arg}")

    def _fill_firsts(self, id: int) -> None:
        """Write the first values of a delayed use into the rows before the first step."""
        node, place = self.graph[id], self.program.places[id]
        buffer = self.program.buffers[place.buffer]
        for step, first in enumerate(node.args[1:]):
            row = place.delay - step
            key = next(
                (k for k, (f, p) in buffer.firsts.items() if k[0] == row and f == first and p.views == place.views),
                None,
            )
            assert key is not None
            if (buffer.id, key) in self.filled:
                continue
            self.filled.add((buffer.id, key))
            text = f"{self.memory.base(buffer)}[{buffer.front - row}]"
            rank = len(buffer.type.shape)
            for view in place.views:
                text, _ = self.memory.view(text, view, 1, rank)
                rank = len(view.shape)
            loop, self.memory.loop = self.memory.loop, None
            self.say(id, f"{text}{'' if text.endswith(']') and not place.views else '[...]'} = {self.ref(first)}")
            self.memory.loop = loop

    # ---------------------------------------------------------------------------------------------------- results

    def _results(self) -> None:
        items = []
        parameters = gradients(self.graph, self.layout)
        if parameters:
            self._gradient(parameters)
            items.append('"gradient": gradient')
        for name, id in self.graph.roots.items():
            if name.removeprefix(GRADIENT) not in parameters or not name.startswith(GRADIENT):
                items.append(f"{name!a}: {self._result(name, id)}")
        self.body += ["return {", *(f"    {item}," for item in items), "}"]

    def _result(self, name: str, id: int) -> str:
        type_ = self.graph[id].type
        text = self.full(id)
        if leased(self.program, id):
            return f"{text}.view()" if name.startswith(TAPE) or not self._on_tape(id) else f"read_only({text})"
        text = f"{text}.copy()"
        for axis, dim in enumerate(type_.shape):
            if isinstance(dim, str):
                text = masked_text(self, text, type_.kind, axis, dim, "0")
        return text

    def _on_tape(self, id: int) -> bool:
        """Whether a backward run is going to read the memory of a result."""
        tape = [i for name, i in self.graph.roots.items() if name.startswith(TAPE) and leased(self.program, i)]
        return self.program.places[id].buffer in {self.program.places[i].buffer for i in tape}

    def _gradient(self, roots: dict[str, int]) -> None:
        in_place = 0
        for name, id in roots.items():
            offset, shape = self.layout.entries[name]
            place = self.program.places.get(id)
            if place is not None and self.program.buffers[place.buffer].home == "gradient":
                in_place += count(shape)
                continue
            sizes = "".join(f"{n}, " for n in shape)
            self.body.append(f"gradient[{offset}:{offset + count(shape)}].reshape(({sizes}))[...] = {self.ref(id)}")
            in_place += count(shape)
        maker = "empty" if in_place == self.layout.size else "zeros"
        self.body.insert(0, f"gradient = {maker}({self.layout.size}, real)")


def _number(value: float) -> str:
    if isnan(value):
        return "nan"
    if value in (inf, -inf):
        return "inf" if value > 0 else "-inf"
    return repr(float(value))


def _tuple(names: list[str]) -> str:
    return ", ".join(names) + ("," if len(names) == 1 else "")


def _clocks(graph: Graph, names: Names) -> dict[str, str]:
    """The clocks of a graph, and what is put after names to tell them apart."""
    found: set[str] = set()
    for id in graph.order():
        node = graph[id]
        found |= {str(c) for c in (node.type.clock, node.attrs.get("clock"), *node.type.shape) if isinstance(c, str)}
    if len(found) == 1:
        names.taken |= {"n", "ragged", "padding"}
        return {next(iter(found)): ""}
    out: dict[str, str] = {}
    for clock in sorted(found):
        suffix = f"_{ascii_name(clock)}"
        while suffix in out.values():
            suffix += "_"
        out[clock] = suffix
        names.taken |= {f"{word}{suffix}" for word in ("T", "n", "ragged", "padding")}
    return out
