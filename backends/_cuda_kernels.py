"""Whole kernels: signature, the element that each thread stands for, body, stores."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from recurrency.backends._cuda_index import At, Ix, clock_size, extent
from recurrency.backends._cuda_memory import Array
from recurrency.backends._cuda_pieces import Domain, Store
from recurrency.backends._cuda_reductions import PARTS
from recurrency.backends._cuda_values import Body, Read, Source
from recurrency.backends._python_names import Names

from recurrency.graph.types import Kind
from recurrency.program.program import Region

BLOCK = 128
"""Threads of a block."""

PHILOX = """
static __device__ void philox(unsigned int a, unsigned int b, unsigned int c, unsigned int d, unsigned long long seed,
                              unsigned int* first, unsigned int* second) {
    unsigned int low = (unsigned int)seed, high = (unsigned int)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const unsigned long long left = a * 0xD2511F53ull, right = c * 0xCD9E8D57ull;
        a = (unsigned int)(right >> 32) ^ b ^ low;
        b = (unsigned int)right;
        c = (unsigned int)(left >> 32) ^ d ^ high;
        d = (unsigned int)left;
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    *first = a >> 8;
    *second = b >> 8;
}
"""
"""Philox4x32-10 (Salmon et al. 2011), as in `recurrency.draws`: two numbers of 24 bits."""


class RaceError(Exception):
    """In one launch some threads would read elements that others write: `array` is what they are elements of."""

    def __init__(self, array: str, element: str) -> None:
        self.array = array
        super().__init__(f"{element} is read while other threads write {array}")


class NotDiagonalError(Exception):
    """A thread would have to read what another one computed one step before."""


@dataclass(frozen=True)
class Kernel:
    """A kernel's text, and how the driver launches it: `args` and number of threads (`count`) as text of Python."""

    name: str
    text: str
    args: tuple[str, ...]
    count: str
    only_ragged: bool = False
    """Whether it does nothing where all sequences are full."""


@dataclass(frozen=True)
class Written:
    """An element that a kernel writes: of which array, the value's text, between which rows it lies."""

    array: Array
    text: str
    span: tuple[int, int]

    def meets(self, read: Read) -> bool:
        """Whether an element that is read may be one that another thread writes."""
        return read.array == self.array.name and read.span[0] < self.span[1] and self.span[0] < read.span[1]


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
        body, at, head = self._begun(domain, ready, mode)
        written = self._stores(body, stores, at)
        found = race(body.reads, written, mode == "step")
        if found is not None:
            raise found
        ragged = all(self._cleans(store, ready) for store in stores)
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
        return self._finished(f"{wish}_parts", domain, [*head, *body.scopes[0].lines], written, "all", False)

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
        return self._finished(wish, domain, [*head, *self._around(body, written, scan)], written, "loop", False)

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

    def _begun(self, domain: Domain, ready: Collection[int], mode: str) -> tuple[Body, At, list[str]]:
        """A body, the element that a thread stands for, and the lines that say which; `mode`: all steps, step, loop."""
        names = Names(self.source.memory.names.taken)
        body = Body(self.source, ready, names)
        idx = tuple(Ix(f"i{k}" if size != 1 else "0", 0, size) for k, size in enumerate(domain.shape))
        t = "t" if domain.kind is Kind.STREAM else None
        b = "b" if domain.kind >= Kind.SEQUENCE else None
        axes = [(ix.text, extent(size)) for ix, size in zip(idx, domain.shape, strict=True) if size != 1]
        axes = [("b", "B"), *axes] if b else axes
        axes = [("t", clock_size(domain.clock)), *axes] if t and mode == "all" else axes
        head = _decoded(axes)
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
            there = At(str(base.front - store.row), at.b, there.idx)
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

    def _cleans(self, store: Store, ready: Collection[int]) -> bool:
        """Whether a store only puts nothing into padding, in place."""
        node = self.source.graph[store.value]
        if node.op.name != "valid" or node.args[0] not in ready or node.args[0] in self.source.outputs:
            return False
        return self.source.program.places[node.args[0]] == store.place

    def _finished(
        self, wish: str, domain: Domain, lines: list[str], written: dict[str, Written], mode: str,
        ragged: bool,
    ) -> Kernel:  # fmt: skip
        name: str = self.source.memory.names.new(f"{self.prefix}_{wish}")
        params, args = self._signature(lines, {w.array.name for w in written.values()})
        if mode == "step":
            params, args = [*params, "int t"], (*args, "t")
        params.append("int n")
        head = f'extern "C" __global__ void __launch_bounds__({BLOCK}) {name}('
        text = "\n".join([f"{head}", *_wrapped(params), ") {", *(f"    {line}" for line in lines), "}"])
        kernel = Kernel(name, text + "\n", args, self._count(domain, mode), ragged)
        self.made.append(kernel)
        return kernel

    def _count(self, domain: Domain, mode: str) -> str:
        sizes = [extent(size) for size in domain.shape if not isinstance(size, int)]
        number = prod(size for size in domain.shape if isinstance(size, int))
        lead = ["B"] if domain.kind >= Kind.SEQUENCE else []
        lead = [clock_size(domain.clock), *lead] if domain.kind is Kind.STREAM and mode == "all" else lead
        return " * ".join([*lead, *sizes, *([str(number)] if number != 1 or not (lead or sizes) else [])])

    def _signature(self, lines: Iterable[str], written: Collection[str]) -> tuple[list[str], tuple[str, ...]]:
        """The parameters that a body needs, and the arguments for them."""
        words = _words(lines)
        params, args = [], []
        for array in self.source.memory.used():
            if array.name in words:
                kind = self.source.scalars.real if array.real else "long long"
                wrote = array.name in written
                params.append(f"{kind}* {array.name}" if wrote else f"const {kind}* __restrict__ {array.name}")
                args.append(f"p.{array.name}")
        for word, kind in self.source.memory.scalars().items():
            if word in words:
                params.append(f"{kind}{word}")
                args.append(f"p.{word}")
        return params, tuple(args)


def race(reads: Iterable[Read], written: Mapping[str, Written], stepped: bool) -> RaceError | None:
    """Where threads of one launch would disturb each other, if they would; `written`: what is written, by element.

    A kernel may write an array and read it only at the elements that the same thread writes, in other rows, or
    (`stepped`: it computes one step) at other steps.
    """
    for read in reads:
        own = stepped if read.late else read.element in written
        if not own and any(w.meets(read) for w in written.values()):
            return RaceError(read.array, read.element)
    return None


def _decoded(axes: Sequence[tuple[str, str]]) -> list[str]:
    """The lines that find out which element a thread stands for."""
    out = ["const int i = blockIdx.x * blockDim.x + threadIdx.x;", "if (i >= n) return;"]
    inner: list[str] = []
    for k, (name, size) in reversed(list(enumerate(axes))):
        divided = f"i / ({' * '.join(reversed(inner))})" if len(inner) > 1 else f"i / {inner[0]}" if inner else "i"
        out.append(f"const int {name} = {divided if k == 0 else f'{divided} % {size}'};")
        inner.append(size)
    return out


def _words(lines: Iterable[str]) -> set[str]:
    """The words of lines of C, without comments."""
    return set(re.findall(r"\w+", "\n".join(line.split("//")[0] for line in lines)))


def _wrapped(params: Sequence[str]) -> list[str]:
    """Parameters in lines of bearable length."""
    lines, line = [], ""
    for k, param in enumerate(params):
        text = param + ("," if k + 1 < len(params) else "")
        if len(line) + len(text) > 110:
            lines.append(f"    {line}")
            line = ""
        line = f"{line} {text}".strip()
    return [*lines, f"    {line}"]
