"""Values of more axes in random specs: einsum, functions along an axis, new shapes, rows, states with heads."""

from __future__ import annotations

from collections.abc import Callable

from recurrency.testing.specs.expressions import Fits, expr, form, most, none, twice
from recurrency.testing.specs.forms import wrapped
from recurrency.testing.specs.recurrences import first, wanted
from recurrency.testing.specs.scope import Writer
from recurrency.testing.specs.terms import Expr, Level, Shape, Size, Want, shown

MOST_AXES = 3
LETTERS = "mdkn"


def axes(least: int, greatest: int = MOST_AXES) -> Fits:
    """Fits values with so many axes."""
    return lambda w, want: least <= len(want.shape) <= greatest


# ------------------------------------------------------------------------------------------------------------- einsum


@form(axes(0), 3)
def contracted(w: Writer, want: Want) -> Expr:
    """`einsum("md,d->m", A, x)`"""
    sizes = dict(zip(LETTERS, want.shape, strict=False))
    out = "".join(sizes)
    sizes |= {"j": w.size()} if w.pick((True, True, False)) or not out else {}
    sides = _sides(w, "".join(sizes), w.pick((2, 1, 3, 2)))
    operands = [
        expr(w, want.part(shape=tuple(sizes[c] for c in side), must=want.must and not k))
        for k, side in enumerate(sides)
    ]
    text = f'einsum("{",".join(sides)}->{out}", {", ".join(o.text for o in operands)})'
    return Expr(text, max(o.level for o in operands), sum(o.degree for o in operands))


def _sides(w: Writer, letters: str, count: int) -> list[str]:
    """The letters of each value: each letter at one of them at least, and at most three at one."""
    if count == 1 and len(letters) > MOST_AXES:
        count = 2
    sides = [""] * count
    for letter in letters:
        for k in {w.pick(range(count)), w.pick(range(count))}:
            sides[k] += letter
    for k, side in enumerate(sides):
        if len(side) > MOST_AXES:
            sides[k], gone, other = side[:MOST_AXES], side[MOST_AXES], (k + 1) % count
            sides[other] = sides[other][: MOST_AXES - 1] + gone if gone not in sides[other] else sides[other]
    missing = [c for c in letters if not any(c in side for side in sides)]
    sides += ["".join(missing)] if missing else []
    return [side[::-1] if len(side) > 1 and w.sometimes(3) else side for side in sides]


# ------------------------------------------------------------------------------------------------------ along an axis

REDUCTIONS: tuple[tuple[str, Callable[..., int]], ...] = (
    ("sum({0}, axis = {1})", most),
    ("mean({0}, axis = {1})", most),
    ("max({0}, axis = {1})", most),
    ("min({0}, axis = {1})", most),
    ("var({0}, axis = {1})", twice),
    ("norm(2 + cos({0}), axis = {1})", none),
    ("logsumexp({0}, axis = {1})", most),
)
ALONG: tuple[tuple[str, Callable[..., int]], ...] = (
    ("softmax({0}, axis = {1})", none),
    ("log_softmax({0}, axis = {1})", most),
    ("layer_norm({0}, axis = {1})", none),
    ("rms_norm({0}, axis = {1})", none),
    ("cumsum({0}, axis = {1})", most),
    ("roll({0}, 1, axis = {1})", most),
    ("roll({0}, -2, axis = {1})", most),
)


@form(axes(0, MOST_AXES - 1))
def reduced(w: Writer, want: Want) -> Expr:
    """`sum(A, axis = 2)`"""
    place = w.pick(range(len(want.shape) + 1))
    inner = expr(w, want.part(shape=(*want.shape[:place], w.size(), *want.shape[place:])))
    template, grows = w.pick(REDUCTIONS)
    return Expr(template.format(inner, place + 1), inner.level, grows(inner.degree))


@form(axes(2))
def along(w: Writer, want: Want) -> Expr:
    """`softmax(A, axis = 2)`"""
    inner = expr(w, want.part())
    template, grows = w.pick(ALONG)
    return Expr(template.format(inner, w.pick(range(len(want.shape))) + 1), inner.level, grows(inner.degree))


@form(axes(1))
def repeated(w: Writer, want: Want) -> Expr:
    """`repeat(x, N, axis = 2)`"""
    place = w.pick(range(len(want.shape)))
    inner = expr(w, want.part(shape=want.shape[:place] + want.shape[place + 1 :]))
    return wrapped(f"repeat({{0}}, {want.shape[place]}, axis = {place + 1})", inner)


# ------------------------------------------------------------------------------------------------------------- shapes


@form(axes(2))
def exchanged(w: Writer, want: Want) -> Expr:
    """`transpose(A, 1, 3)`"""
    i, j = w.pick(range(len(want.shape))), w.pick(range(len(want.shape)))
    shape = list(want.shape)
    shape[i], shape[j] = shape[j], shape[i]
    return wrapped(f"transpose({{0}}, {i + 1}, {j + 1})", expr(w, want.part(shape=tuple(shape))))


@form(axes(1))
def reshaped(w: Writer, want: Want) -> Expr:
    """`reshape(x, [N, H])`"""
    inner = expr(w, want.part(shape=w.pick(_arrangements(want.shape))))
    return wrapped(f"reshape({{0}}, {shown(want.shape)})", inner)


def _arrangements(shape: Shape) -> list[Shape]:
    """Other shapes with as many elements."""
    one = Size.of(1)
    found = [shape[::-1], *([(one, *shape), (*shape, one)] if len(shape) < MOST_AXES else [])]
    (unit, factor), *rest = shape[-1].terms
    if unit and factor > 1 and not rest and len(shape) < MOST_AXES:
        found.append((*shape[:-1], Size.of(unit), Size.of(factor)))
    return found


@form(axes(0, MOST_AXES - 1))
def row(w: Writer, want: Want) -> Expr:
    """`(A)[1]`; with no axes, an element"""
    more = (w.size(), w.size()) if not want.shape else (w.size(),)
    index = ", ".join(w.pick(("1", str(size) if len(size.terms) == 1 else "1")) for size in more)
    return wrapped(f"({{0}})[{index}]", expr(w, want.part(shape=(*more, *want.shape))))


@form(lambda w, want: any(size.pieces() for size in want.shape[1:]))
def joined_inside(w: Writer, want: Want) -> Expr:
    """`concat(A, B, axis = 2)`"""
    place = w.pick([k for k, size in enumerate(want.shape) if k and size.pieces()])
    pieces = want.shape[place].pieces()
    assert pieces is not None
    shapes = [(*want.shape[:place], size, *want.shape[place + 1 :]) for size in pieces]
    parts = [expr(w, want.part(shape=shape, must=want.must and not k)) for k, shape in enumerate(shapes)]
    text = f"concat({parts[0]}, {parts[1]}, axis = {place + 1})"
    return Expr(text, max(p.level for p in parts), max(p.degree for p in parts))


@form(axes(2))
def cut_inside(w: Writer, want: Want) -> Expr:
    """`split(A, 2, 1, axis = 2)`, `slice(A, 1, N, axis = 2)`"""
    place = w.pick(range(len(want.shape)))
    size = want.shape[place]
    shape = (*want.shape[:place], 2 * size, *want.shape[place + 1 :])
    templates = ("split({{0}}, 2, 2, axis = {0})", "slice({{0}}, 1, {1}, axis = {0})", "split({{0}}, 2, 1, axis = {0})")
    return wrapped(w.pick(templates).format(place + 1, size), expr(w, want.part(shape=shape)))


# -------------------------------------------------------------------------------------------------------- recurrences

UPDATES = (
    'einsum("m,mvk->mvk", sigmoid({f}), {s}) + einsum("mv,mk->mvk", tanh({v}), tanh({k}))',
    'tanh(einsum("mvj,mjk->mvk", {p}, {s}) + einsum("mv,mk->mvk", {v}, tanh({k})))',
    '0.5 * {s} + einsum("mjk,mj,mv->mvk", softmax({s}, axis = 2), tanh({v}), tanh({v}))',
    '0.5 * transpose(transpose({s}, 1, 3), 1, 3) - einsum("mv,mk->mvk", tanh({v}), rms_norm({k}, axis = 2))',
)


def heads(w: Writer) -> None:
    """A state with a matrix for each head, and what is read from it."""
    m, v, k = w.size(), w.size(), w.size()
    start = w.pick(("= 0", "~ zeros", first(w, (m, v, k))))
    w.begin(1)
    state = w.state((m, v, k), start)
    value, key = (expr(w, wanted(w, shape, depth=1)) for shape in ((m, v), (m, k)))
    forget, weight = expr(w, wanted(w, (m,), depth=1)), w.param((m, v, v))
    text = w.pick(UPDATES).format(f=forget, v=value, k=key, p=weight, s=f"{state.text}[t-1]")
    w.settle(state.text, Expr(text, Level.STREAM, 1, False))
    w.end()
    query = expr(w, wanted(w, (m, k), depth=1))
    w.define(w.name("a"), (m, v), Expr(f'einsum("mvk,mk->mv", {state.text}, {query})', Level.STREAM, 2), w.cell.clock)


def tensor_input(w: Writer) -> None:
    """An input of three axes."""
    w.input((w.size(), w.size(), w.size()))
