"""The kernels of one function in CUDA C: of all steps, of one step, over a whole loop, and for parts of sums."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

from recurrency.graph.types import Kind
from recurrency.program.program import Region

from ..kernels.index import At, Ix, clock_size, extent
from ..kernels.pieces import Domain, Store
from ..kernels.races import NotDiagonalError, Written
from ..kernels.reductions import PARTS
from ..kernels.values import Asked, Body
from ..kernels.writer import Kernel, Writer
from ..names import Names
from .text import decoded, kernel

UNROLLED = 16
"""The turns of a longer loop that are unrolled: NVRTC would unroll hundreds, and run out of registers."""


class CudaBody(Body):
    """A body that each thread runs for one element."""

    @contextmanager
    def loop(self, wish: str, bound: str, count: int = 1) -> Iterator[str]:
        """See `Body.loop`."""
        name: str = self.names.new(wish)
        if bound.isdigit() and int(bound) * count > UNROLLED:
            self.line(f"#pragma unroll {max(1, UNROLLED // count)}")
        with self.block(f"for (int {name} = 0; {name} < {bound}; ++{name})"):
            yield name

    def reduction(self, names: Sequence[str]) -> None:
        """See `Body.reduction`; a thread adds in order."""


class CudaWriter(Writer):
    """Writes kernels in which each thread computes one element; the driver passes arrays of a plan, `p.NAME`."""

    def parts(self, ids: Sequence[int], ready: Container[int], wish: str) -> Kernel:
        """The first half of sums over all sequences, all of one shape: a thread for each part of each element."""
        types = [self.source.graph[id].type for id in ids]
        arrays = [self.source.memory.made(f"{wish}_parts", type_, lead=PARTS) for type_ in types]
        domain = Domain(Kind.STATIC, None, arrays[0].shape)
        body, at, head = self.begin(domain, ready, "all")
        body.part = at.idx[0].text
        written = {}
        for id, array in zip(ids, arrays, strict=True):
            text = body.value(id, at.to(*at.idx[1:]))
            element = array.element(at)
            body.line(f"{element} = {text};", id)
            written[element] = Written(array, text, array.span(at))
        self.source.partials.update(zip(ids, arrays, strict=True))
        return self.finish(f"{wish}_parts", domain, "all", body, [*head, *body.scopes[0].lines], written)

    def turned(self, id: int, ready: Container[int], wish: str) -> Kernel:
        """A matrix transposed, so that neighbouring threads read neighbouring elements of it."""
        rows, columns = self.source.graph[id].type.shape
        array = self.source.memory.made(f"{wish}_turned", self.source.graph[id].type.with_shape(columns, rows))
        domain = Domain(Kind.STATIC, None, array.shape)
        body, at, head = self.begin(domain, ready, "all")
        text, element = body.value(id, at.to(*at.idx[::-1])), array.element(at)
        body.line(f"{element} = {text};", id)
        written = {element: Written(array, text, array.span(at))}
        self.source.turned[id] = array
        return self.finish(f"{wish}_turned", domain, "all", body, [*head, *body.scopes[0].lines], written)

    def loop(self, domain: Domain, stores: Sequence[Store], ready: Container[int], wish: str, scan: Region) -> Kernel:
        """A kernel that runs over all steps: each thread computes one element at all of them.

        Raises:
            NotDiagonalError: it would need an element of another thread.
        """
        body, at, head = self.begin(domain, ready, "loop")
        elements = {element: array for array, element, _ in (self.element(store, at) for store in stores)}
        body.carried = {element: body.names.new("before") for element in elements}
        written = self.stores(body, stores, at)
        names = {array.name for array in elements.values()}
        for read in body.reads:
            if read.array in names and read.element not in elements:
                name = self.source.graph[read.node].name or self.source.graph[read.node].op.name
                raise NotDiagonalError(f"{name} is read of other units of the step before")
        return self.finish(wish, domain, "loop", body, [*head, *self._around(body, written, scan)], written)

    def _around(self, body: Body, written: dict[str, Written], scan: Region) -> list[str]:
        """The loop over time around a body, which keeps values in registers."""
        steps, real = clock_size(scan.clock), self.source.scalars.real
        forwards = scan.kind == "scan forwards"
        out = [f"int t = {'0' if forwards else f'{steps} - 1'};", "long long tb = (long long)t * B + b;"]
        out += [f"{real} {body.carried[element]} = {start};" for element, start in body.started.items()]
        out.append(f"for (; t < {steps}; ++t, tb += B) {{" if forwards else "for (; t >= 0; --t, tb -= B) {")
        out += [f"    {line}" for line in body.scopes[0].lines]
        out += [f"    {body.carried[element]} = {written[element].text};" for element in body.started]
        return [*out, "}"]

    def begin(
        self, domain: Domain, ready: Container[int], mode: str, asked: Asked | None = None
    ) -> tuple[Body, At, list[str]]:
        """See `Writer.begin`: a thread finds its element from its number."""
        body = CudaBody(self.source, ready, Names(outer=self.source.memory.names), asked)
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

    def kernel(
        self, name: str, domain: Domain, mode: str, body: Body, lines: Sequence[str], written: dict[str, Written],
        only_ragged: bool,
    ) -> Kernel:  # fmt: skip
        """See `Writer.kernel`."""
        arrays = {w.array.name for w in written.values()}
        return kernel(name, domain, mode, lines, arrays, self.source.memory, self.source.scalars.real, only_ragged)
