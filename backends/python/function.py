"""A whole function: a program as Python statements on arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from recurrency.graph.cost import count
from recurrency.graph.graph import Node
from recurrency.graph.op import Trait
from recurrency.graph.roots import GRADIENT
from recurrency.passes.rewriting import number
from recurrency.program.before import delayed
from recurrency.program.footprint import uses
from recurrency.program.layout import Layout, computed_there, gradients
from recurrency.program.program import Program, Region

from .dialect import Fused, listed
from .frame import Frame, FunctionDialect
from .memory import Loop
from .product_statements import sum_with_product
from .views import write_firsts, write_late_copy, write_view
from .writers import WRITERS


class Function(Frame):
    """Writes one function, whose source is `text`."""

    def __init__(self, name: str, program: Program, layout: Layout, dialect: FunctionDialect) -> None:
        super().__init__(name, program, layout, dialect)
        self.viewed: Counter[str] = Counter()
        self.fused = dialect.fusions(program)
        self.skipped = {id for fused in self.fused.values() for id in fused.inner}
        for region in program.regions:
            self._region(region)
        self._results()

    def text(self) -> str:
        """The source of the function, and of the functions that allocate its memory."""
        return self.dialect.text(self)

    @cached_property
    def uses(self) -> Mapping[int, str]:
        """What each buffer is for: see `recurrency.program.footprint`."""
        return uses(self.program)

    # ---------------------------------------------------------------------------------------------------- regions

    def _region(self, region: Region) -> None:
        if not region.scans:
            for id in region.ids:
                self._node(id)
            return
        for id in delayed(self.graph, region.ids):
            write_firsts(self, id)
        self.memory.loop, self.inner, self.said = Loop(region), [], None
        for id in region.ids:
            self._node(id)
        for id in region.ids:
            write_late_copy(self, id)
        loop, self.memory.loop, self.said = self.memory.loop, None, None
        self.body.append(self._header(loop))
        self.body += [f"    {line}" for line in self.inner]

    def _header(self, loop: Loop) -> str:
        """The line that begins a loop: views of our own arrays are made once, views of the caller's at each call."""
        backwards = loop.region.kind == "scan backwards"
        self.viewed[str(loop.region.clock)] += sum(map(bool, map(self.memory.group, loop.views.values())))
        each = {name: self.dialect.each(whole, backwards) for name, whole in loop.views.items()}
        if not each:
            return f"for _ in range({self.memory.steps(loop.region.clock)}):"
        names, lists, grouped = [], [], set()
        for group in ("kept", "lent"):
            ours = [name for name, whole in loop.views.items() if self.memory.group(whole) == group]
            if not ours:
                continue
            grouped |= set(ours)
            steps = self.names.new("each_step")
            self.memory.define(steps, self.dialect.per_step([loop.views[name] for name in ours], backwards), group)
            names.append(f"({listed(ours)})" if len(ours) < len(each) else listed(ours))
            lists.append(steps)
        others = [name for name in each if name not in grouped]
        names += others
        lists += [each[name] for name in others]
        together = f"zip({', '.join(lists)})" if len(lists) > 1 else lists[0]
        targets = f"({', '.join(names)})" if len(each) > 6 else ", ".join(names)
        return f"for {targets} in {together}:"

    def _node(self, id: int) -> None:
        node = self.graph[id]
        if id in self.skipped:
            return
        if id in self.fused and self._together(id, node, self.fused[id]):
            return
        if node.op.elementwise and Trait.VIEW not in node.op.traits:
            args = self._arguments(id, node, node.args)
            self.say(id, *(row.format(*args, out=self.out(id)) for row in self.dialect.elementwise[node.op.name]))
        elif Trait.VIEW in node.op.traits:
            write_view(self, id, node)
        else:
            WRITERS[node.op.name](self, id, node)

    def _together(self, id: int, node: Node, fused: Fused) -> bool:
        """Write a fused statement; False: no function computes all of it, and only the inner nodes are written."""
        if fused.template:
            args = dict(zip(fused.letters, self._arguments(id, node, tuple(fused.letters.values())), strict=True))
            one = {"one": self.dialect.literal(self, 1.0)} if "{one}" in fused.template else {}
            self.say(id, fused.template.format(**args, **one, out=self.out(id)))
            return True
        (inner,) = fused.inner
        statement = sum_with_product(self, id, inner, fused.letters["x"])
        if statement:
            self.say(id, statement)
        else:
            WRITERS["product"](self, inner, self.graph[inner])
        return bool(statement)

    def _arguments(self, id: int, node: Node, ids: tuple[int, ...]) -> list[str]:
        """The arguments of an element-wise function; the first is broadcast where the library needs it."""
        args = [self.ref(a) for a in ids]
        wide = any(number(self.graph, a) is None and self.kind(a) is self.kind(id) for a in ids)
        if not wide and not self.dialect.widens and (self.kind(id) or node.type.shape):
            type_ = replace(node.type, kind=self.kind(id))
            args[0] = self.dialect.spread(args[0], self.memory.shape(type_, step=self.memory.loop is not None))
        return args

    # ---------------------------------------------------------------------------------------------------- results

    def _results(self) -> None:
        parameters = gradients(self.graph, self.layout)
        if parameters:
            self._gradient(parameters)
        own = {GRADIENT.of(name) for name in parameters}
        self.body += self.dialect.results(self, {r: id for r, id in self.graph.roots.items() if r not in own})

    def _gradient(self, roots: dict[str, int]) -> None:
        in_place = 0
        for name, id in roots.items():
            offset, shape = self.layout.entries[name]
            in_place += count(shape)
            if not computed_there(self.program, self.layout, name, id):
                sizes = "".join(f"{n}, " for n in shape)
                piece = self.dialect.view.format(f"gradient[{offset}:{offset + count(shape)}]", f"({sizes})")
                self.body.append(self.dialect.assign(piece, self.ref(id)))
        zeros = in_place != self.layout.size
        self.body.insert(0, f"gradient = {self.dialect.empty(str(self.layout.size), zeros, here=True)}")
