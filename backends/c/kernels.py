"""Kernels in C: functions with loops over the elements that they compute."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager

from recurrency.graph.dimensions import Dim
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type

from ..kernels.arrays import Array, Memory
from ..kernels.index import At, Ix, clock_size, extent
from ..kernels.pieces import Domain, Store
from ..kernels.races import Written, by_array, race
from ..kernels.values import Asked, Body, Source
from ..kernels.writer import Draft, Kernel, Writer
from ..names import Names
from .angles import near_and_far
from .chunks import Chunks
from .fission import parted
from .rows import flattened

INDEX = "long long"
"""The type of sizes and indices."""


class CBody(Body):
    """A body in loops, each turn of which computes one element."""

    @contextmanager
    def loop(self, wish: str, bound: str, count: int = 1) -> Iterator[str]:
        """See `Body.loop`."""
        name: str = self.names.new(wish)
        with self.block(f"for ({INDEX} {name} = 0; {name} < {bound}; ++{name})"):
            yield name

    def declare(self, wish: str, text: str, kind: str = "", id: int | None = None) -> str:
        """See `Body.declare`; integers have the type of sizes."""
        return super().declare(wish, text, INDEX if kind == "int" else kind, id)

    def reduction(self, names: Sequence[str], adds: bool) -> None:
        """See `Body.reduction`."""
        if adds:
            self.line(f"REC_REDUCTION({', '.join(names)})")


class CWriter(Writer):
    """Writes the kernels of one function as functions of C over a part of the steps or sequences.

    A kernel has the parameter `w` (all memory); for steps, `t0, t1` (or `t`, within a loop over time); for sequences,
    `b0, b1`; and where it reads chunks, `first`, the step with which the chunk begins.
    """

    def __init__(self, source: Source, prefix: str) -> None:
        super().__init__(source, prefix)
        self.chunks: Chunks | None = None

    def sums(self, ids: Sequence[int], ready: Container[int], wish: str) -> Kernel:
        """Sums over time or sequences, all of one type: adds whole rows, one after the other.

        Where the rows are put at places of a larger array (`placed`), only these places are touched.
        """
        source = self.source
        type_ = source.graph[ids[0]].type
        inners = [self.summed(id) for id in ids]
        inner = source.graph[inners[0]].type
        over_time = inner.kind is Kind.STREAM and type_.kind < Kind.STREAM
        body = CBody(source, ready, Names(outer=source.memory.names))
        idx = _indices(type_.shape)
        at = At("t" if over_time else None, "b", idx)
        out = At(None, "b" if type_.kind is Kind.SEQUENCE else None, idx)
        heads, start, end = _split(idx, type_)
        place = self.placed(inners[0], ready)
        before: list[str] = []
        if place is not None:
            body.line(f"const {INDEX} {idx[0]} = (int){body.value(place, at.to())};")
            body.line(f"if ({idx[0]} < {start} || {idx[0]} >= {end}) continue;")
            before = list(body.scopes[0].lines)
        written: dict[str, Written] = {}
        for id, inner_id in zip(ids, inners, strict=True):
            array, element, span = self.element(Store(id, source.program.places[id], id), out)
            put = place is not None
            text = body.real(source.graph[inner_id].args[0], at.to(*idx[1:])) if put else body.real(inner_id, at)
            body.line(f"{element} += {text};", id)
            written[element] = Written(array, text, span)
        found = race(body.reads, written, False)
        if found is not None:
            raise found
        zeros = [*heads, *(f"{element} = {source.scalars.literal(0.0)};" for element in written)]
        zeros += ["}"] * sum(line.endswith("{") for line in heads)
        rest = body.scopes[0].lines[len(before) :]
        within = [*before, *(heads if place is None else _loops(_axes(idx[1:], type_.shape[1:]))), *rest]
        lines = [*zeros, *_steps_and_sequences(body, inner, over_time, type_.kind is not Kind.SEQUENCE), *within]
        lines = [f"for ({INDEX} b = b0; b < b1; ++b) {{", *lines] if type_.kind is Kind.SEQUENCE else lines
        domain = Domain(type_.kind, type_.clock, type_.shape)
        return self.finish(wish, Draft(domain, "all", body, lines, written))

    def summed(self, id: int) -> int:
        """What a sum adds up."""
        return int(self.source.program.sums.get(id, self.source.graph[id].args[0]))

    def placed(self, id: int, ready: Container[int]) -> int | None:
        """The index by which a value of this kernel is put at a place of the first axis, or None."""
        node = self.source.graph[id]
        inserts = Trait.INSERTS in node.op.traits and id not in ready and node.type.shape[0] != 1
        return node.args[1] if inserts else None

    def begin(
        self, domain: Domain, ready: Container[int], mode: str, asked: Asked | None = None
    ) -> tuple[Body, At, list[str]]:
        """See `Writer.begin`: loops run over the elements, and one turn of them computes one."""
        body = CBody(self.source, ready, Names(outer=self.source.memory.names), asked)
        idx = _indices(domain.shape)
        t = "t" if domain.kind is Kind.STREAM else None
        b = "b" if domain.kind >= Kind.SEQUENCE else None
        head = []
        if t and mode == "all":
            head.append(f"for ({INDEX} t = t0; t < t1; ++t) {{")
        axes = _axes(idx, domain.shape)
        if b:
            head += [*([] if axes else ["REC_INDEPENDENT"]), f"for ({INDEX} b = b0; b < b1; ++b) {{"]
        if t:
            head.append(f"const {INDEX} tb = t * B + b;")
        return body, At(t, b, idx), [*head, *_tiled(_loops(axes))]

    def kernel(self, name: str, draft: Draft) -> Kernel:
        """See `Writer.kernel`: a function of C, which is called for a part of the steps or sequences.

        `args` are its arguments besides the memory, `count` is its number of steps.
        """
        lines = _needed(self._arranged(draft))
        params = _parameters(draft, lines)
        listed = "".join(f", {INDEX} {param}" for param in params)
        head = f"static void {name}(const struct {self.prefix}_memory *w{listed}) {{"
        known = locals_of(lines, draft.arrays, self.source.memory, self.source.scalars.real)
        words = set(re.findall(r"\w+", "\n".join(line.split("//")[0] for line in lines)))
        known += [f"(void){param};" for param in params if param not in words]
        known += [] if known else ["(void)w;"]
        text = [head, *(f"    {line}" for line in known), *indented(lines), "}"]
        steps = clock_size(draft.domain.clock) if draft.domain.kind is Kind.STREAM else ""
        return Kernel(name, "\n".join(text) + "\n", tuple(params), steps, draft.only_ragged)

    def _arranged(self, draft: Draft) -> list[str]:
        """The lines with loops in whole vectors and in several pieces where nothing that is written is read."""
        places = by_array(draft.written)
        found = ((read, w) for read in draft.body.reads for _, w in places.get(read.array, ()))
        overlaps = any(w.meets(read) for read, w in found if w.array.carried or not read.late)
        real = self.source.scalars.real
        if overlaps:
            lines = _untiled(draft.lines)
        else:
            lines = flattened(draft.lines, real) or _parted(_needed(draft.lines), real)
        return self.chunks.read(lines) if self.chunks else lines


def _indices(shape: Sequence[Dim]) -> tuple[Ix, ...]:
    return tuple(Ix(f"i{k}" if size != 1 else "0", 0, size) for k, size in enumerate(shape))


def _axes(idx: Sequence[Ix], shape: Sequence[Dim]) -> list[tuple[str, str]]:
    """The indices and sizes of the axes that have more than one element."""
    return [(ix.text, extent(size)) for ix, size in zip(idx, shape, strict=True) if size != 1]


def _split(idx: Sequence[Ix], type_: Type) -> tuple[list[str], str, str]:
    """The heads of the loops over the elements of a sum, and the range of the first; each thread has a part of it."""
    axes = _axes(idx, type_.shape)
    if not axes:
        return [], "0", "1"
    name, size = axes[0]
    start, end = "0", size
    if type_.kind is Kind.STATIC:
        whole = size if size.isdigit() else f"({size})"
        start, end = f"{whole} * id / count", f"{whole} * (id + 1) / count"
    heads = _loops(axes)
    return (
        [line.replace(f"{name} = 0; {name} < {size}", f"{name} = {start}; {name} < {end}") for line in heads],
        start,
        end,
    )


def _steps_and_sequences(body: Body, inner: Type, over_time: bool, over_sequences: bool) -> list[str]:
    """The heads of the loops over what a sum adds up."""
    lines = [f"for ({INDEX} t = 0; t < {clock_size(inner.clock)}; ++t) {{"] if over_time else []
    lines += [f"for ({INDEX} b = 0; b < B; ++b) {{"] if over_sequences else []
    if over_time:
        lines.append(f"if (t >= {body.length(inner.clock, At(None, 'b'))}) continue;")
        lines.append(f"const {INDEX} tb = t * B + b;")
    return lines


def _loops(axes: Sequence[tuple[str, str]]) -> list[str]:
    """The heads of loops over the axes of an element; the turns of the innermost one are independent."""
    heads = [f"for ({INDEX} {name} = 0; {name} < {size}; ++{name}) {{" for name, size in axes]
    return [*heads[:-1], *(["REC_INDEPENDENT"] if heads else []), *heads[-1:]]


TILE = re.compile(r"for \(long long (\w+) = 0; \1 < (\d+); \+\+\1\) \{")
TILED = "REC_VECTOR_LOOP("


def _tiled(heads: list[str]) -> list[str]:
    """The heads with the innermost loop in whole vectors: the last one begins so early that it ends with the loop.

    Elements in two vectors are computed twice, so the body must not read what it writes (see `_untiled`).
    """
    found = TILE.fullmatch(heads[-1]) if heads else None
    return heads if found is None else [*heads[:-2], f"{TILED}{found[1]}, {found[2]}) {{"]


def _parted(lines: Sequence[str], real: str) -> list[str]:
    """The lines with an innermost loop of whole vectors divided by loop fission, or into near and far arguments."""
    for k, line in enumerate(lines):
        if line.startswith(TILED):
            index, size = line[len(TILED) : -3].split(", ")
            found = near_and_far(line, _loops([(index, size)]), lines[k + 1 :], real)
            found = found or parted(line, int(size), index, lines[k + 1 :])
            return [*lines[:k], *found] if found else list(lines)
    return list(lines)


def _untiled(lines: Iterable[str]) -> list[str]:
    """The lines with a plain innermost loop."""
    out = []
    for line in lines:
        if line.startswith(TILED):
            name, size = line[len(TILED) : -3].split(", ")
            out += _loops([(name, size)])
        else:
            out.append(line)
    return out


def _parameters(draft: Draft, lines: Sequence[str]) -> list[str]:
    """The parameters of a kernel besides the memory."""
    params = []
    if draft.domain.kind is Kind.STREAM:
        params += ["t"] if draft.mode == "step" else ["t0", "t1"]
    if draft.domain.kind >= Kind.SEQUENCE:
        params += ["b0", "b1"]
    params += ["first"] if any("(t - first)" in line for line in lines) else []
    return params + (["id", "count"] if any(PART.search(line) for line in lines) else [])


PART = re.compile(r"^for .* \* id / count;")
"""The head of a loop over one thread's part."""
WORD = re.compile(r"\w+")
DECLARED = re.compile(r"const (?:long long|float|double) (\w+) = ")


def _needed(lines: Sequence[str]) -> list[str]:
    """The lines without definitions of names that no other line uses."""
    read = [set(WORD.findall(line.split("//")[0])) for line in lines]
    uses = Counter(word for words in read for word in words)
    found = [DECLARED.match(line.strip()) for line in lines]
    defined: dict[str, list[int]] = {}
    for k, match in enumerate(found):
        if match:
            defined.setdefault(match[1], []).append(k)
    gone: set[int] = set()
    later = [k for word, places in defined.items() if uses[word] <= 1 for k in places]
    while later:
        k = later.pop()
        gone.add(k)
        for word in read[k]:
            uses[word] -= 1
            if uses[word] == 1:
                later += [other for other in defined.get(word, ()) if other not in gone]
    return [line for k, line in enumerate(lines) if k not in gone]


def locals_of(lines: Iterable[str], written: Collection[str], memory: Memory, real: str) -> list[str]:
    """The definitions of the arrays and numbers that some lines use."""
    words = set(re.findall(r"(?<![.\w>])\w+", "\n".join(line.split("//")[0] for line in lines)))
    out = []
    for array in memory.used(words):
        kind = real if array.real else "long long"
        const = "" if array.name in written else "const "
        out.append(f"{const}{kind} *restrict const {array.name} = w->{array.name};")
    for word, kind in memory_scalars(memory, words).items():
        out.append(f"{kind}{'const ' * kind.startswith('const')}{word} = w->{word};")
    return out


def memory_scalars(memory: Memory, words: Set[str] | None = None) -> dict[str, str]:
    """What kernels read besides arrays, with types; all of it, or what these words name."""
    types = {"int ": f"{INDEX} ", "const int* ": "const long long *"}
    return {word: types.get(kind, kind.replace("* ", " *")) for word, kind in memory.scalars(words).items()}


def indented(lines: Iterable[str]) -> Iterator[str]:
    """The lines, indented by the depth of braces; closes open braces at the end."""
    depth = 1
    for line in map(str.strip, lines):
        depth -= line.startswith("}")
        yield f"{'    ' * depth}{line}"
        depth += line.split("//")[0].rstrip().endswith("{")
    yield from (f"{'    ' * k}}}" for k in range(depth - 1, 0, -1))


def array_elements(array: Array) -> str:
    """The number of elements of an array as text of C."""
    sizes = [*(f"({s})" if "+" in s else s for s in array.lead()), *map(extent, array.shape)]
    return " * ".join(sizes) if sizes else "1"
