"""Products in generated Python; where the program says so, summed over steps and sequences at once."""

from __future__ import annotations

from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Node
from recurrency.graph.types import Kind
from recurrency.passes.rewriting import number
from recurrency.program.strides import BATCH, Axis

from .frame import Frame
from .masks import clean, masked_text
from .products import Operand, Product, letter_sizes, lettered


def product(f: Frame, node: Node, id: int) -> str:
    """The statement of a product (or `multiply`) into the memory of `id`: the same node, or one that sums it."""
    same = "abcdefghijklmnop"[: len(node.type.shape)]
    a, b, o = lettered(node.attrs.get("spec", f"{same},{same}->{same}"))
    sizes = letter_sizes((a, b), tuple(f.graph[x].type.shape for x in node.args))
    summed = {c for c in sizes if c not in o}
    wide = max(f.kind(x) for x in node.args)
    spread = f.lead(wide) < f.lead(node.type.kind)
    first = _operand(f, node.args[0], a, sizes, summed, node if spread else None)
    second = _operand(f, node.args[1], b, sizes, summed, None)
    call = Product(first, second, _result(f, id, o), _texts(f, node, sizes), None, *_words(f)).call()
    return f.dialect.product(f, call.named(lambda text: text if text.startswith("(") else f.memory.derived(text)))


def sum_with_product(f: Frame, id: int, product: int, other: int) -> str:
    """The statement that adds a product and another value; "" where no function does both."""
    node = f.graph[product]
    a, b, o = lettered(node.attrs["spec"])
    sizes = letter_sizes((a, b), tuple(f.graph[x].type.shape for x in node.args))
    summed = {c for c in sizes if c not in o}
    first, second = (_operand(f, x, letters, sizes, summed, None) for x, letters in zip(node.args, (a, b), strict=True))
    plus = Operand(f.ref(other), "")
    if number(f.graph, other) is None:
        plus = Operand(f.ref(other), _lead(f, f.kind(other)) + o, f.strides(other))
    call = Product(first, second, _result(f, id, o), _texts(f, node, sizes), plus, *_words(f)).call()
    return f.dialect.product(f, call.named(f.memory.derived)) if call.plus else ""


def _result(f: Frame, id: int, letters: str) -> Operand:
    return Operand(f.out(id), _lead(f, f.kind(id)) + letters, f.strides(id))


def _words(f: Frame) -> tuple[str, str]:
    return f.dialect.permute, f.dialect.view


def _texts(f: Frame, node: Node, sizes: dict[str, Dim]) -> dict[str, str]:
    """The size of each letter as source; steps and sequences are T and B."""
    texts: dict[str, str] = {c: f.memory.size(d) for c, d in sizes.items()}
    if f.memory.loop is None and node.type.clock is not None:
        texts["T"] = f.memory.steps(node.type.clock)
    return {**texts, "B": "B"}


def _lead(f: Frame, kind: Kind) -> str:
    """The letters of the axes for steps and sequences."""
    return ("", "B", "TB")[int(f.lead(kind))]


def _operand(f: Frame, id: int, letters: str, sizes: dict[str, Dim], summed: set[str], like: Node | None) -> Operand:
    """A factor: with zeros in padding along summed axes; broadcast to the steps and sequences of `like`, if given."""
    kind = f.kind(id) if like is None else like.type.kind
    text = f.array(id) if like is None else _spread_to(f, id, like)
    strides = f.strides(id)
    if like is not None and strides is not None:
        lead = [Axis(size, (0, ())) for size in (str(like.type.clock), BATCH)[2 - f.lead(kind) :]]
        strides = (*lead, *strides[f.lead(f.kind(id)) :])
    for axis, letter in enumerate(letters):
        size = sizes[letter]
        if isinstance(size, str) and letter in summed and not clean(f, id, axis):
            text, strides = masked_text(f, text, kind, axis, size, "0"), None
    loop = f.memory.loop
    fixed = loop is not None and kind is Kind.STATIC and id not in loop.region.ids
    return Operand(text, _lead(f, kind) + letters, strides, fixed)


def _spread_to(f: Frame, id: int, like: Node) -> str:
    lead = f"{f.memory.steps(like.type.clock)}, B, " if f.lead(like.type.kind) == 2 else "B, "
    sizes = "".join(f"{f.memory.size(d)}, " for d in f.graph[id].type.shape)
    return f.dialect.spread(f.array(id), f"({lead}{sizes})")
