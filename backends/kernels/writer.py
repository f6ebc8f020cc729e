"""What kernels in CUDA and in C have in common: the elements that each writes, and that no thread disturbs another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from dataclasses import dataclass

from recurrency.program.program import Region

from .arrays import Array
from .index import At
from .pieces import Domain, Store
from .races import Written, race
from .values import Asked, Body, Source


@dataclass(frozen=True)
class Kernel:
    """A kernel's text, and how it is called: with the arguments `args`, for `count` threads (CUDA) or steps (C)."""

    name: str
    text: str
    args: tuple[str, ...]
    count: str
    only_ragged: bool = False
    """Whether it does nothing where all sequences are full."""


@dataclass(frozen=True)
class Draft:
    """What a kernel is made of: its lines, the body that says what they read, and what they write, by element.

    `mode` is `all` for a kernel over all steps, `step` for one step of a loop over time, `loop` for a whole such loop.
    """

    domain: Domain
    mode: str
    body: Body
    lines: Sequence[str]
    written: dict[str, Written]
    only_ragged: bool = False

    @property
    def arrays(self) -> set[str]:
        """The names of the arrays that it writes."""
        return {written.array.name for written in self.written.values()}


class Writer(ABC):
    """Writes the kernels of one function, whose names begin with `prefix`."""

    def __init__(self, source: Source, prefix: str) -> None:
        self.source, self.prefix = source, prefix
        self.made: list[Kernel] = []
        self.known: dict[tuple[str, tuple[str, ...]], Kernel] = {}
        """Kernels by their text without the name, and their arguments."""

    @abstractmethod
    def begin(
        self, domain: Domain, ready: Container[int], mode: str, asked: Asked | None = None
    ) -> tuple[Body, At, list[str]]:
        """An empty body, the element that it computes, and the lines before it that choose this element."""

    @abstractmethod
    def kernel(self, name: str, draft: Draft) -> Kernel:
        """The kernel around the lines of a draft."""

    def points(
        self, domain: Domain, stores: Sequence[Store], ready: Container[int], wish: str, scan: Region | None = None
    ) -> Kernel:
        """A kernel in which each thread computes one element of its domain; within a loop (`scan`) of one step.

        Raises:
            RaceError: threads would read what others write.
        """
        mode = "step" if scan is not None else "all"
        first, at, _ = self.begin(domain, ready, mode)
        self.stores(first, stores, at)
        body, at, head = self.begin(domain, ready, mode, first.asked)
        written = self.stores(body, stores, at)
        found = race(body.reads, written, mode == "step")
        if found is not None:
            found.stores = [s for s in stores if self.element(s, at)[1] in found.written]
            raise found
        ragged = all(_cleans(body, element, w.text) for element, w in written.items())
        return self.finish(wish, Draft(domain, mode, body, [*head, *body.scopes[0].lines], written, ragged))

    def element(self, store: Store, at: At) -> tuple[Array, str, tuple[int, int]]:
        """Where an element of a store goes: the array, the element as text, between which rows it lies."""
        there = at if store.size is None else at.to(at.idx[0].shifted(store.low), *at.idx[1:])
        if store.target is not None:
            return store.target, store.target.element(there), store.target.span(there)
        assert store.place is not None
        delay = store.place.delay
        if store.row is not None:
            delay = self.source.memory.array(store.place.buffer).front
            row = delay - store.row
            # with `rows`, the row of the value determines the row in memory
            there = At(str(at.idx[0].shifted(row)) if store.rows else str(row), at.b, there.idx[store.rows :])
        array, there = self.source.memory.find(store.place, there)
        return array, array.element(there, delay), array.span(there)

    def stores(self, body: Body, stores: Sequence[Store], at: At) -> dict[str, Written]:
        """Write the lines that compute and store values; where several go to one element, the last is stored.

        What the next step reads is stored when everything has been computed.
        """
        later: list[tuple[str, int]] = []
        last = {self.element(store, at)[1]: store for store in stores}
        written = {}
        for store in stores:
            there = at if store.size is None else at.to(at.idx[0].shifted(store.low), *at.idx[1:])
            text = body.value(store.value, there)
            if store.target is not None:
                text = self._masked(body, store, there, text)
            array, element, span = self.element(store, at)
            if last[element] is store:
                written[element] = Written(array, text, span)
                if array.carried:
                    later.append((f"{element} = {text};", store.node))
                else:
                    body.line(f"{element} = {text};", store.node)
        for line in later:
            body.line(*line)
        return written

    def _masked(self, body: Body, store: Store, at: At, text: str) -> str:
        """A result, with nothing at the steps that a sequence does not have."""
        node = self.source.graph[store.value]
        timed = [(ix, dim) for ix, dim in zip(at.idx, node.type.shape, strict=True) if isinstance(dim, str)]
        inside = " && ".join(f"{ix} < {body.length(dim, at)}" for ix, dim in timed)
        return f"({inside} ? {text} : {body.nothing(node)})" if timed else text

    def finish(self, wish: str, draft: Draft) -> Kernel:
        """The kernel around the lines of a draft, or an earlier one with the same text and arguments."""
        name: str = self.source.memory.names.new(f"{self.prefix}_{wish}")
        made = self.kernel(name, draft)
        same = self.known.setdefault((made.text.replace(name, "?"), made.args), made)
        if same is made:
            self.made.append(made)
        return same


def _cleans(body: Body, element: str, name: str) -> bool:
    """Whether a kernel writes back what an element held, except in padding."""
    inner = body.cleaned.get(body.texts.get(name, name))
    return inner is not None and body.texts.get(inner, inner) == element
