"""A program: regions of kernels in order, and the place of each value in memory. Plain data that can be printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from recurrency.graph.cost import Steps, cost, elements, volume
from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.text import expression
from recurrency.graph.types import Kind, Type
from recurrency.program.before import Said


@dataclass(frozen=True)
class View:
    """One step from a value to a view of it. `op` is `slice`, `transpose`, `reshape`, `expand`, `frames` or `unframes`.

    `shape` is the shape of one element afterwards. `numbers` are start and stop of a slice, the axes of an expansion,
    or the order of the axes after a transposition (none: reversed).
    """

    op: str
    shape: tuple[Dim, ...]
    numbers: tuple[int, ...] = ()

    @classmethod
    def of(cls, node: Node) -> View:
        """The view of its argument that a node is."""
        attrs = node.attrs
        numbers = (attrs["start"], attrs["stop"]) if Trait.ROWS in node.op.traits else attrs.get("axes", ())
        return cls(node.op.name, node.type.shape, tuple(numbers))

    @property
    def order(self) -> tuple[int, ...]:
        """Of a transposition: the axis of the argument that each axis of the result is."""
        return self.numbers or tuple(reversed(range(len(self.shape))))


@dataclass(frozen=True)
class Place:
    """The place of a value: views of a buffer, with each step `delay` rows before that of the buffer.

    `kind` may be lower than the kind of the value: what is the same at all steps is stored once.
    """

    buffer: int
    kind: Kind
    views: tuple[View, ...] = ()
    delay: int = 0

    @property
    def repeats(self) -> bool:
        """Whether several elements of the value share one place in memory."""
        return any(view.op == "expand" for view in self.views)

    def columns(self, rows: int) -> tuple[int, int]:
        """The first and the last row (exclusive) of the buffer's first axis between which the value lies."""
        low, high = 0, rows
        for view in self.views:
            if view.op != "slice":
                break
            low, high = low + view.numbers[0], low + view.numbers[1]
        return low, high

    def then(self, *views: View) -> Place:
        """A view of this place."""
        return Place(self.buffer, self.kind, (*self.views, *views), self.delay)


@dataclass
class Buffer:
    """Memory. `home` is its owner: "own", "given" (the caller), "params" or "gradient" (the flat vectors).

    With a `step`, it exists only within the steps of the region of that number; otherwise it holds all steps. The rows
    in `front` of the first step hold first values, listed in `firsts`. `behind` rows of zeros follow the last step.
    """

    id: int
    node: int
    type: Type
    home: str = "own"
    step: int | None = None
    front: int = 0
    behind: int = 0
    firsts: Said = field(default_factory=Said)
    offset: int = 0
    same: int | None = None
    """An earlier buffer whose memory this one takes over."""

    def elements(self, steps: Steps, batch: int) -> int:
        """The number of its elements."""
        kind = Kind.SEQUENCE if self.step is not None else self.type.kind
        rows = self.front + self.behind
        return elements(self.type.shape, steps, batch, kind, self.type.clock, rows)


@dataclass(frozen=True)
class Kernel:
    """Nodes that are computed together: element-wise ones, or a single one of another kind.

    `results` are the nodes that other kernels read.
    """

    kind: str
    nodes: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(frozen=True)
class Region:
    """A part of a program, `once`, `over time`, `scan forwards` or `scan backwards` over the steps of `clock`."""

    number: int
    kind: str
    clock: str | None
    kernels: tuple[Kernel, ...]

    @property
    def scans(self) -> bool:
        """Whether the kernels run step by step."""
        return self.kind.startswith("scan")

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """The nodes in order."""
        return tuple(id for kernel in self.kernels for id in kernel.nodes)


@dataclass
class Program:
    """The regions of a graph, the buffers, and the place of each value (literal numbers have none).

    `copies` are the views that have to be copied into buffers of their own.
    """

    graph: Graph
    regions: tuple[Region, ...]
    buffers: dict[int, Buffer]
    places: dict[int, Place]
    copies: frozenset[int]
    sums: dict[int, int] = field(default_factory=dict)
    """Sums over time or sequences -> the node that is summed while it is computed."""
    views: bool = True
    """Whether views are used; otherwise each view is copied."""

    def __post_init__(self) -> None:
        self._computed = {id for region in self.regions for id in region.ids}

    def flops(self, steps: Steps, batch: int) -> int:
        """Arithmetic operations of one run with so many steps (of each clock) and sequences."""
        return sum(self._cost(id, steps, batch) for region in self.regions for id in region.ids)

    def _cost(self, id: int, steps: Steps, batch: int) -> int:
        """The cost of a node; a sum includes the cost of what is summed on the way."""
        inner = self.sums.get(id)
        if inner is None:
            return cost(self.graph, id, steps, batch)
        hidden = inner not in self._computed
        return cost(self.graph, inner, steps, batch) if hidden else volume(self.graph[inner].type, steps, batch)

    def _reads(self, id: int) -> tuple[int, ...]:
        """The values that a node reads; a sum reads the arguments of a term that is not stored."""
        inner = self.sums.get(id)
        if inner is None:
            return self.graph[id].args
        return (inner,) if inner in self._computed else self.graph[inner].args

    def bytes(self, steps: Steps, batch: int, itemsize: int = 4) -> int:
        """Bytes that kernels read and write in one run. Values that stay within a kernel cost nothing."""
        return itemsize * sum(self._traffic(k, steps, batch) for region in self.regions for k in region.kernels)

    def _traffic(self, kernel: Kernel, steps: Steps, batch: int) -> int:
        if kernel.kind == "view":
            return 0
        inside = set(kernel.nodes)
        touched = {a for id in kernel.nodes for a in self._reads(id) if a not in inside and a in self.places}
        return sum(volume(self.graph[id].type, steps, batch) for id in (*touched, *kernel.results))

    def peak(self, steps: Steps, batch: int, itemsize: int = 4) -> int:
        """Bytes of all buffers that a run needs besides those of the caller."""
        own = [b for b in self.buffers.values() if b.home == "own" and b.same is None]
        return itemsize * sum(b.elements(steps, batch) for b in own)

    def text(self) -> str:
        """The program as text, a line for each kernel and buffer. Equal graphs give equal texts."""
        lines: list[str] = []
        for region in self.regions:
            lines.append(region.kind + (f" {region.clock}" if region.clock else ""))
            for kernel in region.kernels:
                lines += self._kernel_lines(kernel)
        lines.append("buffers")
        lines += [self._buffer_line(buffer) for buffer in self.buffers.values()]
        return "\n".join(lines) + "\n"

    def _kernel_lines(self, kernel: Kernel) -> list[str]:
        lead = f"  {kernel.kind}"
        out = []
        for id in kernel.nodes:
            node = self.graph[id]
            mark = "" if id in kernel.results else "   (stays inside)"
            out.append(
                f"{lead:14}%{id} {node.name} = {expression(node)} -> {self._place_text(id)}{mark}".replace("  =", " =")
            )
            lead = ""
        return out

    def _place_text(self, id: int) -> str:
        place = self.places.get(id)
        if place is None:
            return "summed at once" if id in self.sums.values() else "literal"
        views = "".join(f".{view.op}{list(view.numbers) if view.numbers else ''}" for view in place.views)
        return f"b{place.buffer}{views}" + (f"[{-place.delay:+d}]" if place.delay else "")

    def _buffer_line(self, buffer: Buffer) -> str:
        rows = f" front {buffer.front}" * bool(buffer.front) + f" behind {buffer.behind}" * bool(buffer.behind)
        scope = f" in one step of region {buffer.step}" if buffer.step is not None else ""
        reuse = f" in the memory of b{buffer.same}" if buffer.same is not None else ""
        return f"  b{buffer.id} {buffer.home} {buffer.type}{rows}{scope}{reuse}"
