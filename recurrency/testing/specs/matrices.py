"""Matrices in random specs: states that read their own transposes, constants of matrices, views of views."""

from __future__ import annotations

from dataclasses import replace

from recurrency.testing.specs.expressions import expr, form
from recurrency.testing.specs.forms import joined, rank
from recurrency.testing.specs.recurrences import first, wanted
from recurrency.testing.specs.scope import Writer
from recurrency.testing.specs.terms import Entry, Expr, Level, Shape, Size, Want

MATRICES = 5
"""How many rows of a table a form of matrices counts as."""

# ---------------------------------------------------------------------------------------------------------- constants

RAMPS = ("concat(i / {n} for i in 1..{n})", "concat(1 - i for i in 1..{n})", "concat(0.5 ** i for i in 1..{n})")
"""Vectors whose elements differ."""
SQUARES = ("identity({n})", "0.5 * identity({n}) - 0.1", "outer({a}, {b}) + identity({n})", "diag({a})")


FORMULAS = (
    "matrix(i, j: 0.5 * sin(i) - cos(2 * j))",
    "matrix(i, j: 1 if i < j else (-0.5) ** (i - j))",
    "matrix(i, j: 0.3 if i == j or not i < j and j > 1 else -(i + j) / 9)",
)
VECTOR_FORMULA = "vector(i: (-1) ** i / (i + 1))"
DRAWS = ("~ normal(0, 0.5)", "~ bernoulli(0.5) * normal(0, 1)", "~ dirac", "~ uniform(0.5)")
SQUARE_DRAWS = ("~ normal(0, 1) * spectral(0.8)", "~ spectral(0.7)", "~ hippo(legs)", "~ hippo(legt)")
OF_CONSTANTS = (
    "expm({k} / ({n} + 1))",
    "inverse({k} + 9 * {n} * identity({n}))",
    "solve({k} + 9 * {n} * identity({n}), {k})",
    "expm(identity({n})) - kron({k}, identity(1))",
)
"""Functions of a square constant, whose elements are bounded."""


def ramp(w: Writer, size: Size) -> str:
    """A vector that is known at compilation."""
    return w.pick(RAMPS).format(n=f"({size})" if " " in str(size) else size)


def constant_matrix(w: Writer, shape: Shape) -> Expr:
    """A declared constant with elements of all sorts."""
    vectors = {"a": ramp(w, shape[0]), "b": ramp(w, shape[1])}
    options = ["outer({a}, {b})", "transpose(outer({b}, {a}))", *(SQUARES if shape[0] == shape[1] else ())]
    if w.sometimes(2):
        return fixed_array(w, shape)
    return w.const(shape, w.pick(options).format(n=shape[0], **vectors))


def fixed_array(w: Writer, shape: Shape) -> Expr:
    """A constant matrix by a formula, drawn once, given by the caller, or computed from another one."""
    square = shape[0] == shape[1]
    options = [*FORMULAS, *DRAWS, *(SQUARE_DRAWS if square else ())]
    options += ["given"] * (3 if w.cell.name == "Main" else 0)
    if square and w.sometimes(2):
        inner = w.const(shape, w.pick(FORMULAS))
        n = f"({shape[0]})" if " " in str(shape[0]) else str(shape[0])
        return w.const(shape, w.pick(OF_CONSTANTS).format(k=inner, n=n))
    return w.const(shape, w.pick(options))


def fixed_vector(w: Writer) -> None:
    """`const k : [N] = vector(i: ...)`, and what solves an equation with it"""
    size = w.size()
    vector = w.const((size,), w.pick((VECTOR_FORMULA, "~ normal(0, 1)", "~ hippo(legt)", "~ chrono(9)")))
    if w.sometimes(2):
        matrix = w.const((size, size), f"3 * identity({size}) + matrix(i, j: 1 / (i + j))")
        w.const((size,), f"solve({matrix}, {vector})")


@form(rank(2), MATRICES)
def fixed(w: Writer, want: Want) -> Expr:
    """A matrix that is known at compilation, times a value"""
    matrix = constant_matrix(w, (want.shape[0], want.shape[0]))
    return joined("{0:p} @ {1:p}", matrix, expr(w, want.part()))


# -------------------------------------------------------------------------------------------------------------- views


@form(lambda w, want: len(want.shape) == 2 and want.shape[0] == want.shape[1] and want.level is Level.STREAM, MATRICES)
def beside_its_transpose(w: Writer, want: Want) -> Expr:
    """`a + transpose(a)`, of what has a name"""
    inner = expr(w, want.part(shape=want.shape))
    a = w.define(w.name("a"), want.shape, Expr(f"tanh({inner})", inner.level), want.clock).text
    template = w.pick(
        ("{a} + transpose({a})", "{a} * transpose({a})", "transpose({a}) @ {a}", "{a} - tanh(transpose({a}))")
    )
    return Expr(template.format(a=a), inner.level, 0, False)


@form(rank(2), MATRICES)
def product_turned(w: Writer, want: Want) -> Expr:
    """`transpose(A @ B)`"""
    inner = w.size()
    left = expr(w, want.part(shape=(want.shape[1], inner)))
    return joined("transpose({0:p} @ {1:p})", left, expr(w, want.part(shape=(inner, want.shape[0]), must=False)), True)


@form(lambda w, want: len(want.shape) == 2 and any(size.pieces() for size in want.shape), MATRICES)
def products_together(w: Writer, want: Want) -> Expr:
    """`concat(A @ C, B @ D)`, row by row or column by column"""
    flat = want.shape[0].pieces() is None
    rows, columns = want.shape[::-1] if flat else want.shape
    pieces, inner = rows.pieces(), w.size()
    assert pieces is not None
    turned = w.sometimes(2)
    parts = []
    for k, size in enumerate(pieces):
        left = expr(w, want.part(shape=(inner, size) if turned else (size, inner), must=want.must and not k))
        right = expr(w, want.part(shape=(inner, columns), must=False, depth=0))
        parts.append(joined("transpose({0}) @ {1:p}" if turned else "{0:p} @ {1:p}", left, right))
    text = f"concat({parts[0]}, {parts[1]})"
    level, degree = max(p.level for p in parts), max(p.degree for p in parts)
    return Expr(f"transpose({text})" if flat else text, level, degree)


VIEWS = (
    "split(concat({0}, {1}), 2, 2)",
    "split(split(concat({0}, {1}, {1}, {0}), 2, 2), 2, 1)",
    "slice(concat({0}, {1}), 1, {n})",
    "slice(slice(concat({1}, {0}, {1}), {n} + 1, 3 * {n}), 1, {n})",
    "maxout(split(concat({0}, {1}, {1}, {0}), 2, 1), 2)",
)


@form(rank(1))
def view_of_a_view(w: Writer, want: Want) -> Expr:
    """Pieces of pieces of what is put together, perhaps from its end"""
    template = w.pick((*VIEWS, *(f"reverse({view})" for view in VIEWS if w.cell.ahead and want.level is Level.STREAM)))
    timed = template.startswith("reverse")
    w.cell.causal = w.cell.causal and not timed
    part = want.part(must=want.must or timed, whole=want.whole or timed)
    a, b = expr(w, part), expr(w, replace(part, must=False))
    size = str(want.shape[0])
    return Expr(
        template.format(a, b, n=f"({size})" if " " in size else size), max(a.level, b.level), max(a.degree, b.degree)
    )


# -------------------------------------------------------------------------------------------------------- recurrences

UPDATES = (
    "tanh({e:p} @ transpose({s} @ {k}))",
    "0.5 * ({m} + transpose({m}))",
    "0.5 * (transpose({m}) + {m})",
    "tanh({p} @ {s} @ transpose({p}) + {e:p})",
    "0.5 * transpose({s}) + tanh({e:p} @ {k})",
    "tanh(transpose({m}) @ {e:p})",
    "0.3 * {m} - transpose(tanh({m} @ {k})) * transpose({s})",
    "tanh({e:p} - {k} @ transpose({s}) @ {p})",
    "tanh(transpose({s} @ {p}) @ {e:p})",
)
"""What a square state becomes: of what it was (s), a constant (k), a parameter (p), another value (e), a name (m)."""
MIDDLES = ("{s} + outer(tanh({v}), tanh({v}))", "tanh({s} + {e})", "{s} - 0.5 * tanh({e}) @ {s}", "tanh({e:p} @ {s})")


def square_state(w: Writer) -> None:
    """A matrix that reads its own transpose, as the covariance of a filter does."""
    size = w.size()
    shape = (size, size)
    start = w.pick((f"= identity({size})", first(w, shape)))
    w.begin(1)
    state = w.state(shape, start)
    template = w.pick(UPDATES)
    parts = matrix_parts(w, state, template)
    if "{m}" in template:
        middle = w.pick(MIDDLES)
        value = Expr(middle.format(**matrix_parts(w, state, middle)), Level.STREAM, 1, False)
        parts["m"] = Expr(w.define(w.name("m"), shape, value, w.cell.clock).text, Level.STREAM)
    w.settle(state.text, Expr(template.format(**parts), Level.STREAM, 1, False))
    w.end()


def matrix_parts(w: Writer, state: Entry, template: str) -> dict[str, Expr]:
    """What stands for the letters of a template."""
    found = {"s": Expr(f"{state.text}[t-1]", Level.STREAM)}
    if "{k}" in template:
        found["k"] = constant_matrix(w, state.shape)
    if "{p}" in template:
        found["p"] = w.param(state.shape)
    if "{e" in template:
        found["e"] = expr(w, wanted(w, state.shape, depth=1))
    if "{v}" in template:
        found["v"] = expr(w, wanted(w, state.shape[:1], depth=1))
    return found


def matrix_input(w: Writer) -> None:
    """An input of matrices."""
    w.input((w.size(), w.size()))


def matrix_constant(w: Writer) -> None:
    """`const k : [N, H] = outer(...)`"""
    constant_matrix(w, (w.size(), w.size()))


def first_read(w: Writer) -> None:
    """A state that starts again from its first value, where an input says so."""
    shape = w.vector()
    start = w.pick(("= 3", "~ uniform(0.5)", first(w, shape)))
    w.begin(1)
    state = w.state(shape, start)
    gate = expr(w, wanted(w, (), depth=1))
    inner = w.pick(("where({g} < 0.1234, init({s}), {s}[t-1])", "0.5 * {s}[t-1] + init({s})", "{s}[t-1] - init({s})"))
    e = expr(w, wanted(w, shape, depth=1))
    text = f"tanh({e:p} + 0.7 * ({inner.format(g=gate, s=state.text)}))"
    w.settle(state.text, Expr(text, Level.STREAM))
    w.end()


def static_equation(w: Writer) -> None:
    """An equation of what is the same at all steps."""
    want = wanted(w, level=Level.STATIC, depth=1)
    w.define(w.name("q"), want.shape, expr(w, want), w.cell.clock)
