"""`einsum`: a text names the axes of some values and of the result, and the dimensions are checked as units."""

from __future__ import annotations

from recurrency.graph.dimensions import Dim
from recurrency.graph.value import Value
from recurrency.language.diagnostics import AXIS_MISMATCH
from recurrency.language.vocabulary.contraction import Factor, contracted
from recurrency.language.vocabulary.signatures import MATRICES, Arguments, row, shown

MOST_LETTERS = 20
MOST_FACTORS = 8
EXAMPLE = 'write the axes as letters, as in einsum("mvk,mk->mv", S, q)'


def _einsum(a: Arguments) -> Value:
    sides, out = _parsed(a)
    values = [a.value(k) for k in range(1, len(a))]
    if len(sides) != len(values):
        title = f"the text of einsum has letters for {_count(len(sides), 'value')}, and {len(values)} follow it"
        a.fail(AXIS_MISMATCH, title, EXAMPLE, 0)
    seen: dict[str, tuple[Dim, str]] = {}
    for k, (letters, value) in enumerate(zip(sides, values, strict=True), 1):
        _fits(a, k, letters, value, seen)
    return contracted([Factor(v, letters) for v, letters in zip(values, sides, strict=True)], out)


def _parsed(a: Arguments) -> tuple[list[str], str]:
    """The letters of each value, and of the result."""
    text = a.quoted(0).replace(" ", "")
    left, arrow, out = text.partition("->")
    sides = left.split(",")
    if not arrow:
        a.fail(AXIS_MISMATCH, "the text of einsum lacks -> and the axes of the result", EXAMPLE, 0)
    strange = next((c for c in left + out if not (c.isascii() and (c.isalpha() or c == ","))), None)
    if strange is not None or "," in out:
        a.fail(AXIS_MISMATCH, f"{strange or ','} names no axis in the text of einsum", EXAMPLE, 0)
    letters = set(left) - {","}
    if len(letters) > MOST_LETTERS or len(sides) > MOST_FACTORS:
        title = f"einsum takes at most {MOST_FACTORS} values and {MOST_LETTERS} letters"
        a.fail(AXIS_MISMATCH, title, "compute it in several equations", 0)
    for side in (*sides, out):
        twice = next((c for c in side if side.count(c) > 1), None)
        if twice is not None:
            help = "each axis of one value has a letter of its own; identity(n) times a matrix keeps its diagonal"
            a.fail(AXIS_MISMATCH, f"the letter {twice} stands twice in {side}", help, 0)
    free = next((c for c in out if c not in letters), None)
    if free is not None:
        a.fail(AXIS_MISMATCH, f"no value has the axis {free} of the result {out}", EXAMPLE, 0)
    return sides, out


def _fits(a: Arguments, position: int, letters: str, value: Value, seen: dict[str, tuple[Dim, str]]) -> None:
    """Refuse letters that do not fit the axes of a value; `seen` has the dimension of each letter, and its place."""
    shape, name = value.type.shape, a.written(position)
    if len(letters) != len(shape):
        axes = _count(len(shape), "axis", "axes")
        title = f"{name} {shown(value.type)} has {axes}, and the text of einsum {_count(len(letters), 'letter')} for it"
        a.fail(AXIS_MISMATCH, title, f"its letters are {letters}" if letters else None, position)
    for axis, (letter, size) in enumerate(zip(letters, shape, strict=True), 1):
        where = f"axis {axis} of {name}" if len(shape) > 1 else name
        known, first = seen.setdefault(letter, (size, where))
        if known != size:
            title = f"the axis {letter} is {known} in {first}, and {size} in {where}"
            a.fail(AXIS_MISMATCH, title, "a letter is the same dimension everywhere", position)


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


row(
    MATRICES,
    'einsum("mk,k->m", A, x, ...)',
    "the product of all values, summed over the letters of axes that the result, behind ->, does not have",
    _einsum,
    2,
    None,
    texts=(0,),
)
