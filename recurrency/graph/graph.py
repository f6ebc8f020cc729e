"""The stream graph: frozen nodes, also available as a networkx multigraph whose edges carry delays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from recurrency.errors import Span
from recurrency.graph.op import Attrs, Op
from recurrency.graph.ops import OPS
from recurrency.graph.types import Type
from recurrency.graph.value import Value

if TYPE_CHECKING:
    import networkx

V = TypeVar("V")
PENDING = -1
"""The argument of a delayed use until its stream is defined."""


@dataclass(frozen=True)
class Node:
    """One operation: arguments in order (ids), attributes, type, and origin.

    `name` is the user's name of the value ("" if it has none); `span` is its place in the specification.
    """

    op: Op
    args: tuple[int, ...]
    attrs: Attrs = field(hash=False)
    type: Type
    name: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)
    delay: int = field(init=False, compare=False, repr=False)
    """The number of steps by which the first argument is delayed; 0 for all operations but `shift`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "delay", self.attrs.get("delay", 0))

    @property
    def key(self) -> tuple[Any, ...]:
        """A key that is equal for nodes that compute the same value."""
        return (self.op.name, self.args, tuple(sorted(self.attrs.items())), self.type)

    def reading(self, args: tuple[int, ...]) -> Node:
        """The same operation on other arguments."""
        return Node(self.op, args, self.attrs, self.type, self.name, self.span)


class Graph:
    """Nodes by number, with `roots`: the values that are wanted, by name (`recurrency.graph.roots`).

    A cycle always passes through a `shift`. The edge from its stream has a `delay` other than 0.
    """

    def __init__(self) -> None:
        self._nodes: dict[int, Node] = {}
        self._nx: networkx.MultiDiGraph[int] | None = None
        self._said: dict[tuple[object, tuple[int, ...]], Any] = {}
        self.roots: dict[str, int] = {}
        self._next = 0
        self.span: Span | None = None
        """The origin of nodes that are added without a span."""
        self.limit: int | None = None
        """The greatest number of nodes, checked by `insert` (OverflowError)."""

    def __getitem__(self, id: int) -> Node:
        return self._nodes[id]

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[int]:
        return iter(self._nodes)

    def __contains__(self, id: object) -> bool:
        return id in self._nodes

    @property
    def nx(self) -> networkx.MultiDiGraph[int]:
        """The graph in networkx, for reading: an edge from each argument to its user, with its `delay`.

        It is built on the first access after a change, because most graphs between passes never need it.
        """
        if self._nx is None:
            import networkx  # it takes longer to import than most cells to compile

            self._nx = networkx.MultiDiGraph()
            self._nx.add_nodes_from(self._nodes)
            for id, node in self._nodes.items():
                for position, arg in enumerate(node.args):
                    if arg != PENDING:
                        self._nx.add_edge(arg, id, key=position, delay=node.delay if position == 0 else 0)
        return self._nx

    def value(self, id: int) -> Value:
        """A handle on a node."""
        return Value(self, id)

    def add(
        self,
        op: str | Op,
        args: Iterable[int] = (),
        attrs: Attrs | None = None,
        name: str = "",
        span: Span | None = None,
    ) -> Value:
        """A new node.

        Raises:
            TypeError: the arguments do not fit the op; the text says how.
            OverflowError: the graph has reached its `limit`.
        """
        op = OPS[op] if isinstance(op, str) else op
        args, attrs = tuple(args), attrs or {}
        if op.arity is not None and op.arity != len(args):
            raise TypeError(f"{op.name} takes {op.arity} values, not {len(args)}")
        type_ = attrs["type"] if "type" in attrs else op.typing(tuple(self[a].type for a in args), attrs)
        return self.insert(Node(op, args, attrs, type_, name, span or self.span))

    def insert(self, node: Node) -> Value:
        """A new node with this content."""
        if self.limit is not None and self._next >= self.limit:
            raise OverflowError(f"more than {self.limit} operations")
        id, self._next = self._next, self._next + 1
        self.put(id, node)
        return Value(self, id)

    def put(self, id: int, node: Node) -> None:
        """Set the node with this number."""
        self._nodes[id] = node
        self._nx = None
        if self._said:
            self._said = {}

    def delayed(self, type_: Type, delay: int, first: Iterable[Value] = (), **rest: Any) -> Value:
        """A delayed use of a stream of `type_` that is not defined yet; `bind` sets the stream later."""
        args = (PENDING, *(f.id for f in first))
        return self.insert(Node(OPS["shift"], args, {"delay": delay}, type_, span=self.span, **rest))

    def bind(self, shift: int, stream: int) -> None:
        """Set the stream that a delayed use reads."""
        node = self[shift]
        self.put(shift, node.reading((stream, *node.args[1:])))

    def rename(self, id: int, name: str, span: Span | None = None) -> None:
        """Give a node the user's name, unless it has one."""
        node = self[id]
        if not node.name:
            self.put(id, replace(node, name=name, span=span or node.span))

    def order(self, roots: Iterable[int] | None = None) -> list[int]:
        """The ids that `roots` need (all of them by default), each after its arguments at the same step.

        Raises:
            CycleError: a value needs itself at the same step; `.cycle` lists the ids.
        """
        wanted = tuple(self.roots.values() if roots is None else roots)
        return list(self._once("order", wanted, lambda: self._ordered(wanted)))

    def said(self, what: Callable[[Graph], V]) -> V:
        """The value of a function of the graph and its roots; it is computed again only after a change of these."""
        return self._once(what, tuple(self.roots.values()), lambda: what(self))

    def _once(self, what: object, roots: tuple[int, ...], make: Callable[[], V]) -> V:
        key = (what, roots)
        if key not in self._said:
            self._said[key] = make()
        found: V = self._said[key]
        return found

    def _ordered(self, wanted: tuple[int, ...]) -> list[int]:
        nodes = self._nodes
        done: dict[int, bool] = {}
        out: list[int] = []
        later = list(wanted)
        while later:
            stack = [(later.pop(), False)]
            while stack:
                id, finished = stack.pop()
                if finished:
                    done[id] = True
                    out.append(id)
                    continue
                if id in done:
                    if not done[id]:
                        raise CycleError([i for i, f in stack if f and not done.get(i, True)], id)
                    continue
                done[id] = False
                stack.append((id, True))
                node = nodes[id]
                now = node.args
                if node.delay:
                    later.append(now[0])
                    now = now[1:]
                for arg in reversed(now):
                    if arg not in done:
                        stack.append((arg, False))
                    elif not done[arg]:
                        raise CycleError([i for i, f in stack if f and not done.get(i, True)], arg)
        return out

    @staticmethod
    def _uses(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if node.delay:
            return node.args[1:], node.args[:1]
        return node.args, ()

    def needed(self, ids: Iterable[int], late: bool = True) -> set[int]:
        """These values and all that they depend on, as far as it is defined; without `late`, at the same step alone."""
        found = set(ids)
        later = list(found)
        while later:
            now, delayed = self._uses(self[later.pop()])
            new = {arg for arg in (*now, *(delayed if late else ())) if arg != PENDING} - found
            found |= new
            later += new
        return found

    def sources(self, op: str) -> dict[str, int]:
        """The nodes of one kind of source (`param`, `input`, `start`), by name."""
        kind = OPS[op]
        return {n.attrs["name"]: id for id in self if (n := self[id]).op is kind}

    def select(self, roots: Mapping[str, int] | Iterable[str]) -> Graph:
        """A graph with these roots only, and the nodes that they need."""
        chosen = dict(roots) if isinstance(roots, Mapping) else {name: self.roots[name] for name in roots}
        return rebuild(self, chosen)


class CycleError(Exception):
    """A value needs itself at the same step."""

    def __init__(self, path: list[int], id: int) -> None:
        self.cycle = path[path.index(id) :] if id in path else [id]
        super().__init__(f"nodes {self.cycle} need one another at the same step")


Visit = Callable[[Graph, Node, int], Value]
"""Adds a node, whose arguments are those of the new graph already, and returns the value that replaces it."""


def copy_node(graph: Graph, node: Node, old: int) -> Value:
    """The visit that copies a node unchanged."""
    return graph.insert(node)


def rebuild(graph: Graph, roots: Mapping[str, int] | None = None, visit: Visit = copy_node) -> Graph:
    """A new graph of the nodes that the roots need. `visit` adds each of them, arguments first.

    A delayed use is visited before its stream exists. Its first argument is `PENDING` at that time, and is bound
    afterwards.
    """
    roots = graph.roots if roots is None else roots
    out = Graph()
    new: dict[int, int] = {}
    pending: list[tuple[int, int]] = []
    for id in graph.order(roots.values()):
        node = graph[id]
        old = node.args
        args = (PENDING, *[new[a] for a in old[1:]]) if node.delay else tuple([new[a] for a in old])
        out.span = node.span
        made = new[id] = visit(out, node if args == old else node.reading(args), id).id
        if node.delay and out[made].args[:1] == (PENDING,):
            pending.append((made, old[0]))
        if node.name:
            out.rename(made, node.name, node.span)
    for shift, stream in pending:
        if out[shift].args[0] == PENDING:
            out.bind(shift, new[stream])
    out.roots = {name: new[id] for name, id in roots.items()}
    return out
