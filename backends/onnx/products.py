"""Products of two values along named axes (`product`), as `MatMul`, or as `Mul` where nothing is summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Type

from .lower import Lower
from .values import Val
from .writer import Tensor


@dataclass(frozen=True)
class Side:
    """A factor and the letters of its axes."""

    val: Val
    letters: str

    def arranged(self, letters: str) -> Val:
        """The factor with its axes in this order."""
        order = [self.letters.index(letter) for letter in letters]
        lead = self.val.lead
        tensor = self.val.tensor.permuted([*range(lead), *(lead + k for k in order)])
        type_ = replace(self.val.type, shape=tuple(self.val.shape[k] for k in order))
        return Val(tensor, lead, type_, frozenset(order.index(k) for k in self.val.thin))


def product(low: Lower, spec: str, a: Val, b: Val, type_: Type) -> Val:
    """The product that `spec` says, such as `ij,j->i`, of the type of the result."""
    left, out = spec.split("->")
    one, two = left.split(",")
    sizes = dict(zip(one + two, a.shape + b.shape, strict=True))
    first, second = _alone(low, Side(a, one), two + out), _alone(low, Side(b, two), one + out)
    summed = [c for c in first.letters if c in second.letters and c not in out]
    if not summed:
        return _scaled(first, second, out, type_)
    first, second = (Side(low.cleared(s.val, [s.letters.index(c) for c in summed]), s.letters) for s in (first, second))
    return _contracted(low, first, second, "".join(summed), out, sizes, type_)


def _alone(low: Lower, side: Side, wanted: str) -> Side:
    """Sum over the axes that neither the other factor nor the result has."""
    gone = [k for k, c in enumerate(side.letters) if c not in wanted]
    if not gone:
        return side
    return Side(low.total(side.val, gone), "".join(c for c in side.letters if c in wanted))


def _aligned(side: Side, letters: str) -> tuple[Tensor, int]:
    """The tensor with an axis for each letter, of size 1 where the factor has none; and its leading axes."""
    own = [c for c in letters if c in side.letters]
    found = side.arranged("".join(own))
    missing = [found.lead + k for k, c in enumerate(letters) if c not in own]
    return found.tensor.unsqueezed(*missing), found.lead


def _scaled(first: Side, second: Side, out: str, type_: Type) -> Val:
    """Nothing is summed."""
    (a, one), (b, two) = _aligned(first, out), _aligned(second, out)
    thin = frozenset(k for k, c in enumerate(out) if all(_flat(s, c) for s in (first, second)))
    return Val(a * b, max(one, two), type_, thin)


def _flat(side: Side, letter: str) -> bool:
    return letter not in side.letters or side.letters.index(letter) in side.val.thin


def _contracted(
    low: Lower, first: Side, second: Side, summed: str, out: str, sizes: dict[str, Dim], type_: Type
) -> Val:
    """A sum over the letters `summed`, in which both factors have their full size."""
    first, second = (Side(low.full(s.val), s.letters) for s in (first, second))
    shared = "".join(c for c in out if c in first.letters and c in second.letters)
    mine, yours = ("".join(c for c in out if c in s.letters and c not in shared) for s in (first, second))
    lead = max(first.val.lead, second.val.lead)
    if not mine and not yours:
        (a, _), (b, _) = _aligned(first, shared + summed), _aligned(second, shared + summed)
        axes = [lead + len(shared) + k for k in range(len(summed))]
        return _ordered(Val((a * b).summed(*axes), lead, type_), shared, out)
    if not shared and first.val.lead == 0 != second.val.lead:
        first, second, mine, yours = second, first, yours, mine
    a = _matrix(low, first, [shared, mine, summed], sizes)
    b = _matrix(low, second, [shared, summed, yours], sizes)
    plain = not shared and second.val.lead == 0  # one matrix for all steps and sequences
    rowless = plain and not mine and first.val.lead > 0
    # Never a vector: onnxruntime computes `MatMul` of a transposed matrix and a vector wrongly when it fuses them.
    a = a if mine or rowless else a.unsqueezed(first.val.lead + len(shared))
    b = b if yours else b.unsqueezed(second.val.lead + len(shared) + 1)
    found = a.apply("MatMul", b)
    if len(yours) != 1 or len(mine) != 1 - rowless:
        found = low.reshaped(found, lead + len(shared), [[sizes[c]] for c in mine + yours])
    return _ordered(Val(found, lead, type_), shared + mine + yours, out)


def _matrix(low: Lower, side: Side, groups: Sequence[str], sizes: dict[str, Dim]) -> Tensor:
    """The factor with its axes in this order, those of each group but the first as one."""
    found = side.arranged("".join(groups))
    if all(len(g) <= 1 for g in groups[1:]):
        return found.tensor
    dims = [[sizes[c] for c in group] for group in groups[1:] if group]
    return low.reshaped(found.tensor, found.lead + len(groups[0]), dims)


def _ordered(val: Val, letters: str, out: str) -> Val:
    """The result with its axes in the order of the specification."""
    order = [*range(val.lead), *(val.lead + letters.index(c) for c in out)]
    return replace(val, tensor=val.tensor.permuted(order))
