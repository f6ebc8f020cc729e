"""A recurrence as a `Scan`: its delayed uses are the states, streams from outside are read step by step."""

from __future__ import annotations

from dataclasses import dataclass, field

from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from recurrency.graph.graph import Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Type

from .nodes import Nodes
from .time import before, first_rows
from .values import Val
from .writer import HUGE, Tensor


@dataclass
class Ports:
    """What goes into a body, and comes out of it."""

    outer: list[str] = field(default_factory=list)
    inner: list[ValueInfoProto] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


def write_loop(low: Nodes, ids: list[int]) -> None:
    """Write the nodes of one recurrence as the body of a `Scan`."""
    Loop(low, ids).write()


class Loop:
    """One recurrence while it is written."""

    def __init__(self, low: Nodes, ids: list[int]) -> None:
        self.low, self.ids, self.graph = low, ids, low.graph
        self.delayed = [id for id in ids if self.graph[id].delay]
        self.clock = str(self.graph[self.delayed[0]].type.clock)
        self.backwards = self.graph[self.delayed[0]].delay < 0
        self.states, self.streams = Ports(), Ports()
        inside = set(ids)
        others = [self.graph[id] for id in self.graph.order() if id not in inside]
        self.read = {a for node in others for a in node.args} | set(self.graph.roots.values())
        """The values that somebody outside of the loop reads, among others."""

    def write(self) -> None:
        """The `Scan`, and the streams that others read from it."""
        low, outside = self.low, dict(self.low.values)
        carried = {id: self._carried(id, self.graph[id]) for id in self.delayed}
        self._read_streams()
        low.w.enter([v.name for v in (*self.states.inner, *self.streams.inner)])
        low.streams = 1
        for id, (state, node) in carried.items():
            low.values[id] = self._read(state, node)
        for id in self.ids:
            if id not in carried:
                low.write(id)
        for state, node in carried.values():
            self.states.results.append(self._next(state, node))
        wanted = [id for id in self.ids if id in self.read]
        self.streams.results += [self._named(low.stored(low.values[id]).tensor) for id in wanted]
        body = low.w.leave()
        low.streams, low.masks, low.values = 2, {}, outside
        self._scan(body, wanted)

    # ------------------------------------------------------------------------------------------------------- states

    def _carried(self, id: int, node: Node) -> tuple[Tensor, Node]:
        """A state of the loop: the value that a delayed use reads next, or for a longer delay the next ones."""
        low, firsts = self.low, tuple(self.low.values[a] for a in node.args[1:])
        if abs(node.delay) == 1:
            first = low.at(before(low, node, firsts, 0), 1)
            start = low.like(first, node.type)
            rows: tuple[int, ...] = ()
        else:
            start, rows = first_rows(low, node, firsts), (abs(node.delay),)
        name = low.w.names.new(f"{node.name or self.graph[node.args[0]].name or 'state'}_before")
        self.states.outer.append(start.name)
        self.states.inner.append(self._info(name, node.type, rows))
        return Tensor(low.w, name), node

    def _info(self, name: str, type_: Type, rows: tuple[int, ...] = ()) -> ValueInfoProto:
        inner = [d if isinstance(d, int) else None for d in type_.shape]
        return helper.make_tensor_value_info(name, self._kind(type_), [*rows, None, *inner])

    def _kind(self, type_: Type) -> int:
        return self.low.w.kind if type_.index is None else int(TensorProto.INT64)

    def _read(self, state: Tensor, node: Node) -> Val:
        w = self.low.w
        if abs(node.delay) > 1:
            state = w("Gather", state, w.scalar(0), axis=0)
        return Val(state, 1, node.type)

    def _next(self, state: Tensor, node: Node) -> str:
        low = self.low
        new = low.at(low.values[node.args[0]], 1).tensor
        if abs(node.delay) > 1:
            new = low.w.joined([state.rows(1, HUGE, 0), new.unsqueezed(0)], 0)
        return self._named(new)

    def _named(self, tensor: Tensor) -> str:
        """A result of the body under a name of its own: a body returns no value twice, and none of another place."""
        w = self.low.w
        name = w.names.new(f"{tensor.name.rstrip('_')}_out")
        assert w.body is not None
        w.body.append(helper.make_node("Identity", [tensor.name], [name], name=name))
        w.inside.add(name)
        return name

    # ------------------------------------------------------------------------------------------------------ streams

    def _read_streams(self) -> None:
        """Streams from outside become inputs of the body; what is the same at each step is read from where it is."""
        inside, low = set(self.ids), self.low
        args = {a for id in self.ids for a in self.graph[id].args[bool(self.graph[id].delay) :]}
        firsts = {a for id in self.delayed for a in self.graph[id].args[1:]}
        for arg in sorted(args - inside):
            val = low.values[arg]
            if val.lead == 2 and arg not in firsts:
                name = low.w.names.new(f"{self.graph[arg].name or 'stream'}_now")
                info = helper.make_tensor_value_info(name, self._kind(val.type), [None] * (1 + val.rank))
                self._stream(val.tensor, info)
                low.values[arg] = Val(Tensor(low.w, name), 1, val.type, val.thin)
        if any(Trait.CLEANS in self.graph[id].op.traits for id in self.ids):
            name = low.w.names.new("valid_now")
            self._stream(low.sizes.valid(self.clock), helper.make_tensor_value_info(name, TensorProto.BOOL, [None]))
            low.masks = {self.clock: Tensor(low.w, name)}
        if not self.streams.inner:
            name = low.w.names.new("step")
            self._stream(low.sizes.order(self.clock), helper.make_tensor_value_info(name, TensorProto.INT64, []))

    def _stream(self, tensor: Tensor, info: ValueInfoProto) -> None:
        self.streams.outer.append(tensor.name)
        self.streams.inner.append(info)

    # --------------------------------------------------------------------------------------------------------- Scan

    def _scan(self, body: list[NodeProto], wanted: list[int]) -> None:
        low, w = self.low, self.low.w
        states = zip(self.states.results, self.states.inner, strict=True)
        outputs = [helper.make_value_info(name, info.type) for name, info in states]
        outputs += [self._info(n, self.graph[id].type) for n, id in zip(self.streams.results, wanted, strict=True)]
        title = w.names.new("loop")
        graph = helper.make_graph(body, title, [*self.states.inner, *self.streams.inner], outputs)
        last = [w.names.new("last") for _ in self.states.inner]
        whole = [w.names.new(self.graph[id].name or "stream") for id in wanted]
        direction = int(self.backwards)
        node = helper.make_node(
            "Scan",
            [*self.states.outer, *self.streams.outer],
            [*last, *whole],
            name=title,
            body=graph,
            num_scan_inputs=len(self.streams.inner),
            scan_input_directions=[direction] * len(self.streams.inner),
            scan_output_directions=[direction] * len(wanted),
        )
        w.main.append(node)
        for id, name in zip(wanted, whole, strict=True):
            low.values[id] = Val(Tensor(w, name), 2, self.graph[id].type)
