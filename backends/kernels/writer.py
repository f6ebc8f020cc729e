"""The kernels of one function: of all steps, of one step, over a whole loop, and for parts of sums."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from recurrency.graph.types import Kind
from recurrency.program.program import Region

from ..names import Names
from .arrays import Array
from .index import At, Ix, clock_size, extent
from .pieces import Domain, Store
from .races import NotDiagonalError, Written, race
from .reductions import PARTS
from .text import Kernel, decoded, kernel
from .values import Asked, Body, Source


@dataclass
class Writer:
    """Writes the kernels of one function. Arrays in the driver are attributes of a plan, `p.NAME`."""

    source: Source
    made: list[Kernel]
    prefix: str

    def points(
        self, domain: Domain, stores: Sequence[Store], ready: Collection[int], wish: str, scan: Region | None = None
    ) -> Kernel:
        """A kernel in which each thread computes one element of its domain; within a loop (`scan`) of one step.

        Raises:
            RaceError: threads would read what others write.
        """
        mode = "step" if scan is not None else "all"
        draft, at, _ = self._begun(domain, ready, mode)
        self._stores(draft, stores, at)
        body, at, head = self._begun(domain, ready, mode, draft.asked)
        written = self._stores(body, stores, at)
        found = race(body.reads, written, mode == "step")
        if found is not None:
            found.stores = [s for s in stores if self._element(s, at)[1] in found.written]
            raise found
        ragged = all(_cleans(body, element, w.text) for element, w in written.items())
        return self._finished(wish, domain, [*head, *body.scopes[0].lines], written, mode, ragged)

    def parts(self, ids: Sequence[int], ready: Collection[int], wish: str) -> Kernel:
        """The first half of sums over all sequences, all of one shape: a thread for each part of each element."""
        types = [self.source.graph[id].type for id in ids]
        arrays = [self.source.memory.made(f"{wish}_parts", type_, lead=PARTS) for type_ in types]
        domain = Domain(Kind.STATIC, None, arrays[0].shape)
        body, at, head = self._begun(domain, ready, "all")
        body.part = at.idx[0].text
        written = {}
        for id, array in zip(ids, arrays, strict=True):
            text = body.value(id, at.to(*at.idx[1:]))
            element = array.element(at)
            body.line(f"{element} = {text};", id)
            written[element] = Written(array, text, array.span(at))
        self.source.partials.update(zip(ids, arrays, strict=True))
        return self._finished(f"{wish}_parts", domain, [*head, *body.scopes[0].lines], written, "all")

    def turned(self, id: int, ready: Collection[int], wish: str) -> Kernel:
        """A matrix transposed, so that neighbouring threads read neighbouring elements of it."""
        rows, columns = self.source.graph[id].type.shape
        array = self.source.memory.made(f"{wish}_turned", self.source.graph[id].type.with_shape(columns, rows))
        domain = Domain(Kind.STATIC, None, array.shape)
        body, at, head = self._begun(domain, ready, "all")
        text, element = body.value(id, at.to(*at.idx[::-1])), array.element(at)
        body.line(f"{element} = {text};", id)
        written = {element: Written(array, text, array.span(at))}
        self.source.turned[id] = array
        return self._finished(f"{wish}_turned", domain, [*head, *body.scopes[0].lines], written, "all")

    def loop(self, domain: Domain, stores: Sequence[Store], ready: Collection[int], wish: str, scan: Region) -> Kernel:
        """A kernel that runs over all steps: each thread computes one element at all of them.

        Raises:
            NotDiagonalError: it would need an element of another thread.
        """
        body, at, head = self._begun(domain, ready, "loop")
        elements = {element: array for array, element, _ in (self._element(store, at) for store in stores)}
        body.carried = {element: body.names.new("before") for element in elements}
        written = self._stores(body, stores, at)
        names = {array.name for array in elements.values()}
        for read in body.reads:
            if read.array in names and read.element not in elements:
                name = self.source.graph[read.node].name or self.source.graph[read.node].op.name
                raise NotDiagonalError(f"{name} is read of other units of the step before")
        return self._finished(wish, domain, [*head, *self._around(body, written, scan)], written, "loop")

    def _around(self, body: Body, written: dict[str, Written], scan: Region) -> list[str]:
        """The loop over time around a body, with what stays in registers."""
        steps, real = clock_size(scan.clock), self.source.scalars.real
        forwards = scan.kind == "scan forwards"
        out = [f"int t = {'0' if forwards else f'{steps} - 1'};", "long long tb = (long long)t * B + b;"]
        out += [f"{real} {body.carried[element]} = {start};" for element, start in body.started.items()]
        out.append(f"for (; t < {steps}; ++t, tb += B) {{" if forwards else "for (; t >= 0; --t, tb -= B) {")
        out += [f"    {line}" for line in body.scopes[0].lines]
        out += [f"    {body.carried[element]} = {written[element].text};" for element in body.started]
        return [*out, "}"]

    # ------------------------------------------------------------------------------------------------------- parts

    def _begun(
        self, domain: Domain, ready: Collection[int], mode: str, asked: Asked | None = None
    ) -> tuple[Body, At, list[str]]:
        """A body, the element that a thread stands for, and the lines that say which; `mode`: all steps, step, loop."""
        names = Names(self.source.memory.names.taken)
        body = Body(self.source, ready, names, asked)
        idx = tuple(Ix(f"i{k}" if size != 1 else "0", 0, size) for k, size in enumerate(domain.shape))
        t = "t" if domain.kind is Kind.STREAM else None
        b = "b" if domain.kind >= Kind.SEQUENCE else None
        axes = [(ix.text, extent(size)) for ix, size in zip(idx, domain.shape, strict=True) if size != 1]
        axes = [("b", "B"), *axes] if b else axes
        axes = [("t", clock_size(domain.clock)), *axes] if t and mode == "all" else axes
        head = decoded(axes)
        if t and mode != "loop":
            head.append("const long long tb = (long long)t * B + b;")
        return body, At(t, b, idx), head

    def target(self, store: Store) -> Array:
        """The array that a store writes."""
        if store.target is not None:
            return store.target
        assert store.place is not None
        return self.source.memory.array(store.place.buffer)

    def _element(self, store: Store, at: At) -> tuple[Array, str, tuple[int, int]]:
        """Where an element of a store goes: array, element, rows."""
        there = at if store.size is None else at.to(at.idx[0].shifted(store.low), *at.idx[1:])
        if store.target is not None:
            return store.target, store.target.element(there), store.target.span(there)
        assert store.place is not None
        if store.row is not None:
            base = self.source.memory.array(store.place.buffer)
            front = base.front - store.row
            if store.rows:  # the row of the value says which row in memory
                there = At(str(at.idx[0].shifted(front)), at.b, there.idx[1:])
            else:
                there = At(str(front), at.b, there.idx)
            array, there = self.source.memory.find(store.place, there)
            return array, array.element(there, array.front), array.span(there)
        array, there = self.source.memory.find(store.place, there)
        return array, array.element(there, store.place.delay), array.span(there)

    def _stores(self, body: Body, stores: Sequence[Store], at: At) -> dict[str, Written]:
        """Compute and write; of several values in one place the last."""
        last = {self._element(store, at)[1]: store for store in stores}
        written = {}
        for store in stores:
            there = at if store.size is None else at.to(at.idx[0].shifted(store.low), *at.idx[1:])
            text = body.value(store.value, there)
            if store.target is not None:
                text = self._masked(body, store, there, text)
            array, element, span = self._element(store, at)
            if last[element] is store:
                body.line(f"{element} = {text};", store.node)
                written[element] = Written(array, text, span)
        return written

    def _masked(self, body: Body, store: Store, at: At, text: str) -> str:
        """A result with nothing where the sequence has not that many steps."""
        node = self.source.graph[store.value]
        timed = [(ix, dim) for ix, dim in zip(at.idx, node.type.shape, strict=True) if isinstance(dim, str)]
        inside = " && ".join(f"{ix} < {body.length(dim, at)}" for ix, dim in timed)
        return f"({inside} ? {text} : {body.nothing(node)})" if timed else text

    def _finished(
        self, wish: str, domain: Domain, lines: list[str], written: dict[str, Written], mode: str, ragged: bool = False
    ) -> Kernel:
        name: str = self.source.memory.names.new(f"{self.prefix}_{wish}")
        arrays = {w.array.name for w in written.values()}
        made = kernel(name, domain, mode, lines, arrays, self.source.memory, self.source.scalars.real, ragged)
        for known in self.made:
            if known.text.replace(known.name, name) == made.text and known.args == made.args:
                return known  # the same at each step, whoever multiplies matrices
        self.made.append(made)
        return made


def _cleans(body: Body, element: str, name: str) -> bool:
    """Whether what is written to an element is what it held, but for padding."""
    inner = body.cleaned.get(body.texts.get(name, name))
    return inner is not None and body.texts.get(inner, inner) == element
