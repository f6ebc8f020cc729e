"""The kernels of one function in CUDA C: of all steps, of one step, over a whole loop, and for parts of sums."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod

from recurrency.graph.types import Kind
from recurrency.program.program import Region

from ..kernels.index import At, Ix, clock_size, extent
from ..kernels.pieces import Domain, Store
from ..kernels.races import NotDiagonalError, Written
from ..kernels.reductions import PARTS
from ..kernels.values import Asked, Body, Source
from ..kernels.writer import Draft, Kernel, Writer
from ..names import Names

UNROLLED = 16
"""The turns of a longer loop that are unrolled: NVRTC would unroll hundreds, and run out of registers."""


BLOCK = 128
"""Threads of a block."""

BLOCKS = 4
"""Blocks that have to fit a multiprocessor, which leaves 128 registers to each thread: enough, according to NVRTC."""

LINE = 110
"""Characters of a line of parameters."""


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

    def reduction(self, names: Sequence[str], adds: bool) -> None:
        """See `Body.reduction`; a thread has its order."""


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
        return self.finish(f"{wish}_parts", Draft(domain, "all", body, [*head, *body.scopes[0].lines], written))

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
        return self.finish(f"{wish}_turned", Draft(domain, "all", body, [*head, *body.scopes[0].lines], written))

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
        lines = [*head, *self._around(body, written, scan)]
        return self.finish(wish, Draft(domain, "loop", body, lines, written))

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

    def kernel(self, name: str, draft: Draft) -> Kernel:
        """See `Writer.kernel`: each thread computes one element of the domain."""
        params, args = signature(draft, self.source)
        if draft.mode == "step":
            params, args = [*params, "int t"], [*args, "t"]
        text = kernel_of(name, [*params, "int n"], draft.lines, (BLOCK, BLOCKS))
        return Kernel(name, text, tuple(args), _count(draft), draft.only_ragged)


def kernel_of(name: str, params: Sequence[str], lines: Iterable[str], bounds: tuple[int, int]) -> str:
    """The text of a kernel; `bounds` are the threads of a block, and the blocks that have to fit a multiprocessor."""
    head = f'extern "C" __global__ void __launch_bounds__({bounds[0]}, {bounds[1]}) {name}('
    return "\n".join([head, *_wrapped(params), ") {", *(f"    {line}" for line in lines), "}"]) + "\n"


def signature(draft: Draft, source: Source, early: bool = False) -> tuple[list[str], list[str]]:
    """The parameters that a kernel needs, and the arguments for them.

    With `early` it says that no array lies over another one, so that loads need not wait for stores that come before
    them; they need registers then.
    """
    words, written = _words(draft.lines), draft.arrays
    params, args = [], []
    for array in source.memory.used(words):
        kind = source.scalars.real if array.real else "long long"
        wrote = array.name in written
        params.append(
            f"{kind}* {'__restrict__ ' * early}{array.name}" if wrote else f"const {kind}* __restrict__ {array.name}"
        )
        args.append(f"p.{array.name}")
    for word, kind in source.memory.scalars(words).items():
        params.append(f"{kind}{word}")
        args.append(f"p.{word}")
    return params, args


def _words(lines: Iterable[str]) -> set[str]:
    """The words of lines of C, without comments and members (`blockIdx.x`)."""
    return set(re.findall(r"(?<![.\w])\w+", "\n".join(line.split("//")[0] for line in lines)))


def _count(draft: Draft) -> str:
    """The number of threads, as text of Python."""
    domain = draft.domain
    sizes = [extent(size) for size in domain.shape if not isinstance(size, int)]
    number = prod(size for size in domain.shape if isinstance(size, int))
    lead = ["B"] if domain.kind >= Kind.SEQUENCE else []
    lead = [clock_size(domain.clock), *lead] if domain.kind is Kind.STREAM and draft.mode == "all" else lead
    return " * ".join([*lead, *sizes, *([str(number)] if number != 1 or not (lead or sizes) else [])])


def decoded(axes: Sequence[tuple[str, str]]) -> list[str]:
    """The lines in which a thread finds the indices of its element."""
    out = ["const int i = blockIdx.x * blockDim.x + threadIdx.x;", "if (i >= n) return;"]
    inner: list[str] = []
    for k, (name, size) in reversed(list(enumerate(axes))):
        divided = f"i / ({' * '.join(reversed(inner))})" if len(inner) > 1 else f"i / {inner[0]}" if inner else "i"
        out.append(f"const int {name} = {divided if k == 0 else f'{divided} % {size}'};")
        inner.append(size)
    return out


LOADED = re.compile(r"const ([\w ]+) (\w+) = (\w+\[([^\]]*)\]);(  //.*)?")
"""The line of a body that only loads an element: type, name, the element, its index, a comment."""

PLACES = re.compile(r"i\d+|t|b|tb|B|long|\d+")
"""The words of an index that is known when a body begins."""


def loads_first(lines: Sequence[str], written: Container[str]) -> tuple[list[str], list[str]]:
    """The lines of a body in another order: loads, which then wait for nothing that is computed before, and the others.

    A load of what the body stores stays where it is.
    """
    early, late = list[str](), list[str]()
    for line in lines:
        found = LOADED.fullmatch(line)
        known = found is not None and all(PLACES.fullmatch(word) for word in re.findall(r"\w+", found[4]))
        (early if known and found is not None and found[3] not in written else late).append(line)
    return early, late


def index_lines(idx: Sequence[Ix], number: str) -> list[str]:
    """The lines that find indices from the number of an element in row-major order."""
    out, inner = [], 1
    wide = [ix for ix in idx if ix.text != "0"]
    for place, ix in reversed(list(enumerate(wide))):
        divided = f"({number}) / {inner}" if inner > 1 else f"({number})" if " " in number else number
        out.append(f"const int {ix.text} = {divided if not place else f'{divided} % {ix.size}'};")
        assert isinstance(ix.size, int)
        inner *= ix.size
    return out


def _wrapped(params: Sequence[str]) -> list[str]:
    """Parameters on lines of limited length."""
    lines, line = [], ""
    for k, param in enumerate(params):
        text = param + ("," if k + 1 < len(params) else "")
        if len(line) + len(text) > LINE:
            lines.append(f"    {line}")
            line = ""
        line = f"{line} {text}".strip()
    return [*lines, f"    {line}"]
