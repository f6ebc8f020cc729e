"""The place of each value: a buffer of its own, that of an argument, part of a concatenation, or a view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recurrency.graph.cost import count
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.before import origins, rows_before
from recurrency.program.layout import Layout, gradients
from recurrency.program.program import Buffer, Place, Region, View
from recurrency.program.readers import Readers, keeps_rows
from recurrency.program.waiting import Waiting


@dataclass(frozen=True)
class Claim:
    """A value is computed as a part of another one, from row `start` on; `into` None: in the gradient vector."""

    into: int | None
    start: int


class Storage:
    """Plans the places of the values of one graph. The results are `buffers`, `places` and `copies`."""

    def __init__(
        self,
        graph: Graph,
        regions: tuple[Region, ...],
        hidden: frozenset[int],
        layout: Layout | None,
        without: frozenset[str],
    ) -> None:
        self.graph, self.layout, self.without = graph, layout, without
        self.order = [id for region in regions for id in region.ids]
        self.position = {id: k for k, id in enumerate(self.order)}
        self.region = {id: region for region in regions for id in region.ids}
        self.hidden = hidden
        self.readers = Readers(graph, self.position)
        self.buffers: dict[int, Buffer] = {}
        self.places: dict[int, Place] = {}
        self.waiting = Waiting()
        self.copies: set[int] = set()
        self.claims: dict[int, Claim] = {}
        self.parts: dict[int, list[tuple[int, int, int]]] = {}
        self.roots = frozenset(graph.roots.values())
        self.gradients = {} if layout is None else gradients(graph, layout)
        self.slopes = frozenset(self.gradients.values())
        if "in-place concat" not in without:
            self._claim_parts()
        if layout is not None and "in-place gradients" not in without:
            self._claim_gradients(layout)
        for id in self._in_order():
            self._put(id, self._placed(id, graph[id]))

    def _put(self, id: int, place: Place) -> None:
        if id not in self.places:
            self.waiting.placed(id)
        self.places[id] = place

    def _in_order(self) -> Iterator[int]:
        """All nodes to place, each view after the value that it views; a delayed use may come before its stream."""
        later = self.waiting
        for id in self.order:
            node = self.graph[id]
            late = node.delay and node.args[0] not in self.places and number(self.graph, node.args[0]) is None
            if late or (Trait.VIEW in node.op.traits and any(a in later for a in node.args)):
                later.add(id, node.args[0], node.args[0] in self.places)
                continue
            yield id
            yield from later.woken()
        while later:
            before = len(later)
            yield from later.woken()
            if len(later) == before:
                yield later.first()

    # ------------------------------------------------------------------------------------------------------ claims

    def _claim_parts(self) -> None:
        """Compute parts of `concat` and `pad` where they belong, if they have no other place; outer ones first."""
        for id in reversed(self.order):
            node = self.graph[id]
            if Trait.JOINS not in node.op.traits:
                continue
            start = node.attrs.get("start", 0)
            for arg in node.args:
                if not isinstance(start, int) or not isinstance(node.type.shape[0], int):
                    break
                size = self.graph[arg].type.shape[0]
                assert isinstance(size, int)
                if arg not in self.claims and self._claimable(arg, node):
                    self.claims[arg] = Claim(id, start)
                    self.parts.setdefault(id, []).append((arg, start, start + size))
                start += size

    def _claimable(self, arg: int, node: Node) -> bool:
        part = self.graph[arg]
        same = (part.type.kind, part.type.clock) == (node.type.kind, node.type.clock)
        return same and self._computed(arg) and not (arg in self.roots and arg in self.slopes)

    def _computed(self, id: int) -> bool:
        """Whether a node computes new elements, which may be stored anywhere."""
        there = self.graph[id].op.traits & {Trait.VIEW, Trait.NAMED}
        return not there and id not in self.hidden and number(self.graph, id) is None

    def _claim_gradients(self, layout: Layout) -> None:
        """Compute a value in the flat vector if its pieces are gradients of parameters in the order of that vector."""
        wishes: dict[int, set[int]] = {}
        for name, id in self.gradients.items():
            owner, rows = id, 0
            while Trait.CONTIGUOUS in self.graph[owner].op.traits:
                node = self.graph[owner]
                if Trait.ROWS in node.op.traits:
                    rows += node.attrs["start"] * count(node.type.shape[1:])
                owner = node.args[0]
            wishes.setdefault(owner, set()).add(layout.offset(name) - rows)
        taken: list[tuple[int, int]] = []
        for owner, offsets in wishes.items():
            type_ = self.graph[owner].type
            start = min(offsets)
            stop = start + count(type_.shape)
            free = start >= 0 and stop <= layout.size and all(stop <= a or b <= start for a, b in taken)
            plain = len(offsets) == 1 and self._computed(owner) and type_.kind is Kind.STATIC
            if free and plain and self._all_wished(owner, layout, start):
                self.claims[owner] = Claim(None, start)
                taken.append((start, stop))

    def _all_wished(self, owner: int, layout: Layout, start: int) -> bool:
        """Whether the gradients of all parameters in this stretch of the flat vector are pieces of the value."""
        stop = start + count(self.graph[owner].type.shape)
        covered = 0
        for name, id in self.gradients.items():
            offset, shape = layout.entries[name]
            if start <= offset < stop and owner in self._origins(id):
                covered += count(shape)
        return covered == stop - start

    def _origins(self, id: int) -> set[int]:
        out = {id}
        while Trait.CONTIGUOUS in self.graph[id].op.traits:
            id = self.graph[id].args[0]
            out.add(id)
        return out

    # ------------------------------------------------------------------------------------------------------ places

    def _placed(self, id: int, node: Node) -> Place:
        if id in self.places:
            return self.places[id]
        if Trait.NAMED in node.op.traits and (self.layout is None or Trait.PARAMETER not in node.op.traits):
            return self._fresh(id, home="given")
        if self.layout is not None and (offset := self._in_parameters(id, self.layout)) is not None:
            place = self._fresh(id, home="params")
            self.buffers[place.buffer].offset = offset
            return place
        if Trait.VIEW in node.op.traits:
            found = self._alias(id, node)
            return self._copied(id, node) if found is None else found
        if id in self.claims:
            return self._claimed(id, self.claims[id])
        found = self._taken_over(id, node) if "in place" not in self.without else None
        return self._fresh(id) if found is None else found

    def _in_parameters(self, id: int, layout: Layout) -> int | None:
        """The offset in the flat vector of a concatenation of neighbouring parameters; None if it is none."""
        if Trait.PARAMETER in self.graph[id].op.traits:
            return layout.offset(self.graph[id].attrs["name"])
        if Trait.TILES not in self.graph[id].op.traits:
            return None
        starts = [self._in_parameters(a, layout) for a in self.graph[id].args]
        end = starts[0]
        for start, arg in zip(starts, self.graph[id].args, strict=True):
            if start is None or start != end:
                return None
            end = start + count(self.graph[arg].type.shape)
        return starts[0]

    def _fresh(self, id: int, home: str = "own") -> Place:
        node = self.graph[id]
        buffer = Buffer(len(self.buffers), id, node.type, home, self._scope(id) if home == "own" else None)
        self.buffers[buffer.id] = buffer
        return Place(buffer.id, node.type.kind)

    def _scope(self, id: int) -> int | None:
        """The number of the region if a value is read only within the same step of it; None if all steps are stored."""
        region = self.region[id]
        if not region.scans or self.readers.escapes(id):
            return None
        reads = self.readers.of(id)
        inside = all(not r.displaced and self.region[r.reader] is region for r in reads)
        return region.number if inside and self._parts_inside(id, region) else None

    def _parts_inside(self, id: int, region: Region) -> bool:
        """Whether all parts of a value are computed and read within single steps of the region."""
        parts = [part for part, _, _ in self.parts.get(id, ())]
        return all(
            self.region[p] is region
            and not self.readers.escapes(p)
            and all(not r.displaced and self.region[r.reader] is region for r in self.readers.of(p))
            and self._parts_inside(p, region)
            for p in parts
        )

    def _copied(self, id: int, node: Node) -> Place:
        """A buffer for a view that has to be copied; a delayed use gets rows before and after the steps."""
        self.copies.add(id)
        place = self._fresh(id)
        if Trait.DELAYS not in node.op.traits:
            return place
        self.buffers[place.buffer].step = None
        base = Place(place.buffer, Kind.STREAM)
        shifted = self._shifted(id, node, base, node.delay)
        assert shifted is not None
        return shifted

    def _claimed(self, id: int, claim: Claim) -> Place:
        node = self.graph[id]
        if claim.into is None:
            place = self._fresh(id, home="gradient")
            self.buffers[place.buffer].offset = claim.start
            return place
        if claim.into not in self.places:
            into = claim.into
            self._put(into, self._claimed(into, self.claims[into]) if into in self.claims else self._fresh(into))
        size = node.type.shape[0]
        assert isinstance(size, int)
        return self.places[claim.into].then(View("slice", node.type.shape, (claim.start, claim.start + size)))

    def _taken_over(self, id: int, node: Node) -> Place | None:
        """The place of an argument that is not read any more once this node is computed."""
        for position in node.op.in_place:
            arg = node.args[position]
            place = self.places.get(arg)
            if place is not None and self._free_for(id, node, arg, place) and self._alone(node, place):
                return place
        return None

    def _free_for(self, id: int, node: Node, arg: int, place: Place) -> bool:
        buffer = self.buffers[place.buffer]
        if buffer.home != "own" or place.repeats or place.delay or place.kind is not node.type.kind:
            return False
        if any(view.op == "slice" for view in place.views):
            return False  # short rows with gaps between them cost more than a buffer
        if self.graph[arg].type.index is not None or self.graph[arg].type.clock != node.type.clock:
            return False
        if buffer.step is not None and buffer.step != self._scope(id):
            return False
        return self.readers.last(arg, id, self.copies, self.parts)

    def _alone(self, node: Node, place: Place) -> bool:
        """Whether a node reads a place only as it is: through another view, it would read what it has just written."""
        read = [self.places[arg] for arg in node.args if arg in self.places]
        return all(other == place or other.buffer != place.buffer for other in read)

    # ------------------------------------------------------------------------------------------------------- views

    def _alias(self, id: int, node: Node) -> Place | None:
        """The place of a view; None if it has to be copied."""
        place = self.places.get(node.args[0])
        if place is None or ("views" in self.without and not keeps_rows(node.op)):
            return None
        if Trait.DELAYS in node.op.traits:
            return self._delayed(id, node, place)
        if Trait.CLEANS in node.op.traits:
            return self._cleaned(place)
        if Trait.DISPLACES in node.op.traits:
            return self._turned(node, place)
        return place if Trait.SAME in node.op.traits else self._viewed(node, place)

    def _viewed(self, node: Node, place: Place) -> Place | None:
        """Other axes, or fewer rows. A new shape is a view as long as the elements lie one after another."""
        view = View.of(node)
        if view.op == "reshape" and any(outer.op not in ("slice", "reshape") for outer in place.views):
            return None
        return place.then(view)

    def _turned(self, node: Node, place: Place) -> Place | None:
        """Steps as rows of one value, or rows as steps."""
        kind = node.type.kind
        turns = place.kind is (Kind.STREAM if kind is Kind.SEQUENCE else Kind.SEQUENCE)
        if not turns or self.graph[node.args[0]].type.index is not None:
            return None
        return Place(place.buffer, kind, (*place.views, View.of(node)), place.delay)

    def _cleaned(self, place: Place) -> Place | None:
        """Padding becomes zero in place, unless the caller owns the memory or its rows are read as other steps."""
        own = self.buffers[place.buffer].home == "own"
        return place if own and not place.repeats and not place.delay and place.kind is Kind.STREAM else None

    def _delayed(self, id: int, node: Node, place: Place) -> Place | None:
        buffer = self.buffers[place.buffer]
        timed = any(view.op in ("frames", "unframes", "expand") for view in place.views)
        if buffer.home != "own" or timed or place.kind is not Kind.STREAM or buffer.type.kind is not Kind.STREAM:
            return None
        if buffer.step is not None or (place.delay and not (place.delay > 0 and node.delay > 0)):
            return None
        return self._shifted(id, node, place, place.delay + node.delay)

    def _shifted(self, id: int, node: Node, place: Place, delay: int) -> Place | None:
        """The place `delay` steps earlier, first values in the rows in front; None if other values stand there."""
        buffer = self.buffers[place.buffer]
        moved = Place(place.buffer, place.kind, place.views, delay)
        size = buffer.type.shape[0] if buffer.type.shape else 1
        columns = place.columns(size if isinstance(size, int) else 1 << 60)
        lines, there = rows_before(self.graph, node, delay), (columns, place.views)
        wanted = [rows for line in lines for rows in origins(self.graph, line)]
        if not buffer.firsts.agrees(there, wanted):
            return None
        buffer.firsts.say(there, wanted)
        buffer.front, buffer.behind = max(buffer.front, delay), max(buffer.behind, -delay)
        return moved
