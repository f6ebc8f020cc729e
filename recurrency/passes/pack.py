"""Products with a common operand are merged into one, then sums and gates, so that a loop takes few large steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from recurrency.graph.cost import count
from recurrency.graph.graph import Graph, Node
from recurrency.graph.op import Trait
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.passes.cse import cse
from recurrency.passes.recurrence import components, recurrences
from recurrency.passes.rewriting import filled, made_by, redirected, rows
from recurrency.passes.simplify import simplify


def pack(graph: Graph) -> Graph:
    """Merge products with one operand, then sums and gates of their parts, as long as there are any.

    W x and V x become the halves of [W; V] x. Adding U h to both becomes one addition, and sigmoid of both becomes one
    sigmoid. Parts with the same use are placed side by side, so that they are processed as one piece. Only values of
    one loop, or outside all loops, are merged.
    """
    for step in (pack_products, pack_sums, pack_gates):
        while True:
            instead = step(graph)
            if not instead:
                break
            graph = cse(simplify(redirected(graph, instead)))
    return graph


class Outlook:
    """Facts about a graph that the steps of packing need."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = graph.order()
        self.place = {id: number for number, id in enumerate(self.order)}
        self.loops = components(graph)
        self.pure = self._pure()
        self.depth = self._depths()
        self.users: dict[int, list[int]] = defaultdict(list)
        for id in self.order:
            for arg in graph[id].args:
                self.users[arg].append(id)

    def _pure(self) -> set[int]:
        """Static values that come from parameters and constants alone."""
        pure: set[int] = set()
        for id in self.order:
            node = self.graph[id]
            if node.type.kind is Kind.STATIC and not node.delay and all(a in pure for a in node.args):
                pure.add(id)
        return pure

    def _depths(self) -> dict[int, int]:
        """The number of products and functions in a chain before each value, at its step."""
        depth: dict[int, int] = {}
        for id in self.order:
            node = self.graph[id]
            args = node.args[1:] if node.delay else node.args
            depth[id] = max((depth[a] for a in args), default=0) + _counts(node)
        return depth

    def aim(self, id: int) -> tuple[str, int, int]:
        """Name, depth and position of the first function that uses a value, possibly through other nodes."""
        seen: set[int] = set()
        later = [id]
        while later:
            id = later.pop(0)
            if _counts(self.graph[id]) and seen:
                return (self.graph[id].op.name, self.depth[id], self.place[id])
            seen.add(id)
            fresh = [u for u in self.users[id] if u not in seen and not self.graph[u].delay]
            later += sorted(fresh, key=self.place.__getitem__)
        return ("", 0, 0)


def _counts(node: Node) -> bool:
    """Whether a node is more than a cheap element-wise operation."""
    return Trait.CONTRACTS in node.op.traits or (node.op.elementwise and node.op.cost > 1)


def pack_products(graph: Graph) -> dict[int, int]:
    """Merge products of static matrices with one vector. Returns node -> replacement."""
    look = Outlook(graph)
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for id in look.order:
        node = graph[id]
        if _is_row_product(node) and node.args[0] in look.pure and node.args[1] not in look.pure:
            groups[node.args[1], look.loops.get(id, -1)].append(id)
    instead: dict[int, int] = {}
    for (operand, _), ids in groups.items():
        if len(ids) > 1:
            graph.span = graph[ids[0]].span
            ids = _arranged(look, ids)
            matrix = graph.add("concat", [_as_matrix(graph, graph[id].args[0]).id for id in ids])
            instead |= _sliced(graph, ids, matrix.product(graph.value(operand), "ij,j->i"))
    return instead


def _is_row_product(node: Node) -> bool:
    """Whether a node is a matrix times a vector; the rows may have several axes, such as heads and their units."""
    if Trait.CONTRACTS not in node.op.traits:
        return False
    left, out = node.attrs["spec"].split("->")
    matrix, vector = left.split(",")
    return len(vector) == 1 <= len(out) and bool(matrix == out + vector)


def _as_matrix(graph: Graph, id: int) -> Value:
    """A value whose axes but the last are one."""
    shape, value = graph[id].type.shape, graph.value(id)
    return value if len(shape) == 2 else value.reshape(count(shape[:-1]), shape[-1])


def _arranged(look: Outlook, ids: list[int]) -> list[int]:
    """The same nodes: those with one aim side by side, otherwise in the order of their use."""
    aims = {id: look.aim(id) for id in ids}
    ids = sorted(ids, key=lambda i: (aims[i][2], look.place[i]))
    kinds = list(dict.fromkeys(aims[i][:2] for i in ids))
    return sorted(ids, key=lambda i: kinds.index(aims[i][:2]))


def _sliced(graph: Graph, ids: Iterable[int], whole: Value, start: int = 0) -> dict[int, int]:
    """The pieces of a value that replace these nodes, one after another; of a vector, the elements of a node's axes."""
    instead = {}
    for id in ids:
        shape = graph[id].type.shape
        flat = len(shape) > len(whole.type.shape)
        stop = start + (count(shape) if flat else rows(graph[id]))
        piece = whole.slice(start, stop)
        instead[id] = (piece.reshape(*shape) if flat else piece).id
        start = stop
    return instead


# ------------------------------------------------------------------------------------------------------------ sums

Run = tuple[int, int, int]
"""Start and end of a piece, and the sum that it belongs to."""


def pack_sums(graph: Graph) -> dict[int, int]:
    """Merge sums of pieces with pieces of another value, or with static values. Returns node -> replacement."""
    look = Outlook(graph)
    return _sums_of_pieces(look) or _sums_with_statics(look)


def _sums_of_pieces(look: Outlook) -> dict[int, int]:
    """P[a:b] + Q[c:d] for neighbouring pieces is a piece of one sum."""
    graph = look.graph
    groups: dict[tuple[int, int, int, int], list[Run]] = defaultdict(list)
    for id in look.order:
        p, q = (_piece(graph, a) for a in graph[id].args) if made_by(graph, id, "add") else (None, None)
        if p and q and p[0] != q[0]:
            p, q = sorted((p, q))
            groups[p[0], q[0], q[1] - p[1], look.loops.get(id, -1)].append((p[1], p[2], id))
    instead: dict[int, int] = {}
    for (first, second, offset, _), runs in groups.items():
        for run in _neighbours(runs):
            graph.span = graph[run[0][2]].span
            a, b = run[0][0], run[-1][1]
            total = graph.value(first).slice(a, b) + graph.value(second).slice(a + offset, b + offset)
            instead |= _sliced(graph, [id for _, _, id in run], total)
    return instead


def _piece(graph: Graph, id: int) -> tuple[int, int, int] | None:
    """The value that a node is a slice of, with start and end."""
    node = made_by(graph, id, "slice")
    return (node.args[0], node.attrs["start"], node.attrs["stop"]) if node else None


def _neighbours(runs: list[Run]) -> list[list[Run]]:
    """Runs of two or more adjacent pieces; each piece is used once."""
    out: list[list[Run]] = []
    for run in sorted(runs):
        if out and out[-1][-1][1] == run[0]:
            out[-1].append(run)
        elif not out or out[-1][-1][0] != run[0]:
            out.append([run])
    return [run for run in out if len(run) > 1]


def _sums_with_statics(look: Outlook) -> dict[int, int]:
    """P[a:b] + c for most pieces of P is a piece of P + concat(c...), with zeros for the other pieces."""
    graph = look.graph
    groups: dict[tuple[int, int], dict[Run, int]] = defaultdict(dict)
    for id in look.order:
        found = _with_static(look, id)
        if found:
            piece, static = found
            taken = groups[piece[0], look.loops.get(id, -1)]
            if all(run[:2] != piece[1:] for run in taken):
                taken[piece[1], piece[2], id] = static
    instead: dict[int, int] = {}
    for (whole, _), statics in groups.items():
        parts = _filled_up(statics)
        if parts:
            instead |= _with_concat(graph, whole, statics, parts)
    return instead


def _with_static(look: Outlook, id: int) -> tuple[tuple[int, int, int], int] | None:
    """The piece and the static value whose sum a node is."""
    node = made_by(look.graph, id, "add")
    if node is None:
        return None
    for position in (0, 1):
        piece = _piece(look.graph, node.args[position])
        if piece and node.args[1 - position] in look.pure and piece[0] not in look.pure:
            return piece, node.args[1 - position]
    return None


def _filled_up(statics: dict[Run, int]) -> list[tuple[int, int, int | None]]:
    """Start, end and static value (None: zeros) of adjacent pieces; empty if fewer than half have a value."""
    out: list[tuple[int, int, int | None]] = []
    for (start, stop, _), static in sorted(statics.items()):
        end = out[-1][1] if out else start
        if start < end:
            return []
        if start > end:
            out.append((end, start, None))
        out.append((start, stop, static))
    return out if len(statics) > 1 and 2 * len(statics) >= len(out) else []


def _with_concat(
    graph: Graph, whole: int, statics: dict[Run, int], parts: list[tuple[int, int, int | None]]
) -> dict[int, int]:
    first, last = parts[0][0], parts[-1][1]
    graph.span = graph[next(iter(statics))[2]].span
    rest = graph[whole].type.shape[1:]
    values = [
        filled(graph, 0.0, Type(Kind.STATIC, (stop - start, *rest))).id if static is None else static
        for start, stop, static in parts
    ]
    old = {id: piece for id in list(graph) if (piece := _piece(graph, id)) and piece[0] == whole}
    total = graph.value(whole).slice(first, last) + graph.add("concat", values)
    instead = {id: total.slice(start - first, stop - first).id for start, stop, id in statics}
    for start, stop, static in parts:
        if static is None:
            inside = {id: piece for id, piece in old.items() if start <= piece[1] and piece[2] <= stop}
            instead |= {id: total.slice(a - first, b - first).id for id, (_, a, b) in inside.items()}
    return instead


# ----------------------------------------------------------------------------------------------------------- gates


def pack_gates(graph: Graph) -> dict[int, int]:
    """Merge functions of gates of one loop that do not depend on one another. Returns node -> replacement."""
    look = Outlook(graph)
    mixing = {id: n for n, loop in enumerate(recurrences(graph)) if "diagonal" not in loop.kind for id in loop.ids}
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for id in look.order:
        node = graph[id]
        if Trait.SQUASHES in node.op.traits and id in mixing and node.type.shape:
            groups[node.op.name, look.depth[id], mixing[id], node.type.shape[1:]].append(id)
    instead: dict[int, int] = {}
    for (op, *_), ids in groups.items():
        if len(ids) > 1:
            ids = sorted(ids, key=_by_piece(graph, look))
            graph.span = graph[ids[0]].span
            together = graph.add("concat", [graph[id].args[0] for id in ids])
            instead |= _sliced(graph, ids, together.apply(str(op)))
    return instead


def _by_piece(graph: Graph, look: Outlook) -> Callable[[int], tuple[int, int, int]]:
    """An order by the pieces that the functions are applied to, or that their sums start from; otherwise by use."""

    def key(id: int) -> tuple[int, int, int]:
        arg = graph[id].args[0]
        while made_by(graph, arg, "add") or made_by(graph, arg, "subtract"):
            arg = graph[arg].args[0]
        piece = _piece(graph, arg)
        return (look.place[piece[0]], piece[1], look.place[id]) if piece else (look.place[arg], 0, look.place[id])

    return key
