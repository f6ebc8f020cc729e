"""Forms that depend on the shape of the wanted value: products, pieces, families, choices, look-ups."""

from __future__ import annotations

from dataclasses import replace

from recurrency.testing.specs.expressions import Fits, Row, expr, form, row_form, total
from recurrency.testing.specs.scope import Writer
from recurrency.testing.specs.terms import Expr, Level, Want

# ----------------------------------------------------------------------------------------------------------- products


def rank(count: int, least: Level = Level.CONST) -> Fits:
    """Fits values with so many dimensions."""
    return lambda w, want: len(want.shape) == count and want.level >= least


@form(rank(1))
def matrix_times_vector(w: Writer, want: Want) -> Expr:
    """`W @ x`"""
    inner = w.size()
    matrix = expr(w, want.part(shape=(*want.shape, inner), must=False, depth=want.depth - 2))
    return joined("{0:p} @ {1:p}", matrix, expr(w, want.part(shape=(inner,))))


@form(rank(1))
def vector_times_matrix(w: Writer, want: Want) -> Expr:
    """`x @ W`"""
    inner = w.size()
    vector = expr(w, want.part(shape=(inner,)))
    return joined("{0:p} @ {1:p}", vector, expr(w, want.part(shape=(inner, *want.shape), must=False)))


@form(rank(2))
def matrix_times_matrix(w: Writer, want: Want) -> Expr:
    """`A @ B`"""
    inner = w.size()
    left = expr(w, want.part(shape=(want.shape[0], inner)))
    return joined("{0:p} @ {1:p}", left, expr(w, want.part(shape=(inner, want.shape[1]), must=False)))


@form(rank(2))
def outer(w: Writer, want: Want) -> Expr:
    """`outer(a, b)`"""
    left = expr(w, want.part(shape=want.shape[:1]))
    return joined("outer({0}, {1})", left, expr(w, want.part(shape=want.shape[1:], must=False)), True)


@form(rank(2))
def transposed(w: Writer, want: Want) -> Expr:
    """`transpose(A)`"""
    return wrapped("transpose({0})", expr(w, want.part(shape=want.shape[::-1])))


@form(lambda w, want: len(want.shape) == 2 and want.shape[0] == want.shape[1])
def diagonal(w: Writer, want: Want) -> Expr:
    """`diag(x)`"""
    return wrapped("diag({0})", expr(w, want.part(shape=want.shape[:1])))


@form(lambda w, want: len(want.shape) == 2 and want.shape[0] == want.shape[1] and not want.must)
def identity(w: Writer, want: Want) -> Expr:
    """`identity(n)`"""
    return Expr(f"identity({want.shape[0]})", Level.CONST)


def joined(template: str, a: Expr, b: Expr, tight: bool = False) -> Expr:
    """A product of two expressions."""
    return Expr(template.format(a, b), max(a.level, b.level), a.degree + b.degree, tight)


def wrapped(template: str, a: Expr) -> Expr:
    """A call with an expression in it."""
    return Expr(template.format(a), a.level, a.degree)


# ------------------------------------------------------------------------------------------------------------- pieces


@form(lambda w, want: len(want.shape) >= 1 and want.shape[0].pieces() is not None)
def concatenated(w: Writer, want: Want) -> Expr:
    """`concat(a, b)`"""
    pieces = want.shape[0].pieces()
    assert pieces is not None
    parts = [
        expr(w, want.part(shape=(size, *want.shape[1:]), must=want.must and i == 0)) for i, size in enumerate(pieces)
    ]
    return Expr(f"concat({parts[0]}, {parts[1]})", max(p.level for p in parts), max(p.degree for p in parts))


@form(rank(1))
def half(w: Writer, want: Want) -> Expr:
    """`split(x, 2, 1)`"""
    return wrapped(f"split({{0}}, 2, {w.pick((1, 2))})", expr(w, want.part(shape=(2 * want.shape[0],))))


@form(rank(1))
def greatest(w: Writer, want: Want) -> Expr:
    """`maxout(x, 2)`"""
    return wrapped("maxout({0}, 2)", expr(w, want.part(shape=(2 * want.shape[0],))))


@form(rank(1))
def sliced(w: Writer, want: Want) -> Expr:
    """`slice(x, a, b)`"""
    before, size = w.size(), want.shape[0]
    whole = expr(w, want.part(shape=(before + size,)))
    return wrapped(f"slice({{0}}, {before} + 1, {before} + {size})", whole)


@form(lambda w, want: bool(families(w, want)))
def comprehension(w: Writer, want: Want) -> Expr:
    """`sum(h[i] for i in 1..L)`"""
    template, name, count, level, degree = w.pick(families(w, want))
    return Expr(template.format(f=name, n=count), level, degree)


def families(w: Writer, want: Want) -> list[tuple[str, str, int, Level, int]]:
    """The comprehensions over families that have this shape."""
    found = []
    for family in w.cell.families:
        member = family.member
        if not w.allows(want, replace(member, text=f"{family.name}[1]")):
            continue
        about = (family.name, family.count, member.level, member.degree)
        if member.shape == want.shape:
            found += [(template, *about) for template in FOLDS]
        if len(want.shape) == 1 == len(member.shape) and want.shape[0] == family.count * member.shape[0]:
            found.append(("concat({f}[i] for i in 1..{n})", *about))
    return found


FOLDS = (
    "sum({f}[i] for i in 1..{n})",
    "sum({f}[i] * tanh({f}[j]) / j for i in 1..{n} for j in 1..i if i != j or i == 1)",
    "mean({f}[i] for i in 1..{n})",
    "max({f}[i] for i in 1..{n})",
    "min({f}[i] / i for i in 1..{n})",
)

CONDITIONS = (
    ("2 == 2", True),
    ("{u} < 1", False),
    ("not {u} >= 2 or {u} == 1", False),
    ("{u} + 1 > {u} and 3 != 2", True),
)
"""What is known at compilation, and whether it is true."""


@form(rank(0))
@form(rank(1))
def conditional(w: Writer, want: Want) -> Expr:
    """`a if N < 1 else b`: only one of the two is there"""
    template, truth = w.pick(CONDITIONS)
    both = expr(w, want.part()), expr(w, want.part())
    chosen = both[0 if truth else 1]
    text = f"({both[0]:p} if {template.format(u=w.cell.units[0])} else {both[1]:p})"
    return Expr(text, chosen.level, chosen.degree)


# ----------------------------------------------------------------------------------------------------------- look-ups


@form(lambda w, want: len(want.shape) in (0, 1, 2) and bool(w.symbols(want)) and want.level >= Level.STATIC)
def embedded(w: Writer, want: Want) -> Expr:
    """`embed(E, w)`"""
    found = w.pick(w.symbols(want))
    assert found.index is not None
    table = (
        expr(w, Want((found.index, *want.shape), min(want.level, Level.STATIC), want.clock, depth=want.depth - 1))
        if len(want.shape) < 2
        else w.param((found.index, *want.shape))
    )
    symbol = w.read(want, found)
    return Expr(f"embed({table}, {symbol})", max(table.level, symbol.level), table.degree)


@form(lambda w, want: len(want.shape) == 1 and any((e.index,) == want.shape for e in w.symbols(want)))
def onehot(w: Writer, want: Want) -> Expr:
    """`onehot(w)`"""
    symbol = w.read(want, w.pick([e for e in w.symbols(want) if (e.index,) == want.shape]))
    return Expr(f"onehot({symbol})", symbol.level)


form(rank(1))(row_form(Row("dot({0}, {1}) * {2:p}", "vos", total, tight=False)))
