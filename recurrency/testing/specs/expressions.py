"""Expressions of random specs: a table of forms, each of which writes a value of the wanted shape and kind.

All of them are tame: what could overflow or divide by zero is bounded first, and comparisons are made with numbers that
no exact computation meets, because a backend may round differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from recurrency.language.vocabulary import table as vocabulary
from recurrency.language.vocabulary.table import FUNCTIONS
from recurrency.testing.specs.scope import Writer
from recurrency.testing.specs.terms import Entry, Expr, Level, Want

Fits: TypeAlias = Callable[[Writer, Want], bool]
Form: TypeAlias = Callable[[Writer, Want], Expr]
GREATEST_DEGREE = 3
NUMBERS = ("1", "0", "0.5", "2", "-1", "0.25 * 3", "1e-1", "-.7", "2 / 3")
THRESHOLDS = ("0.1234", "-0.2345")


def most(*degrees: int) -> int:
    """What grows like its greatest operand."""
    return max(degrees)


@dataclass(frozen=True)
class Row:
    """A form whose operands have the shape of the result (s), that shape or none (e), any shape (a), that of a vector
    (v), or of the vector before (o).

    `grows` makes the degree of the result of those of the operands.
    """

    template: str
    takes: str = "s"
    grows: Callable[..., int] = most
    tight: bool = True


def none(*degrees: int) -> int:
    """What is bounded."""
    return 0


def total(*degrees: int) -> int:
    """A product."""
    return sum(degrees)


def twice(*degrees: int) -> int:
    """A square."""
    return 2 * max(degrees)


ELEMENTWISE: tuple[Row, ...] = (
    Row("{0:p} + {1:p}", "se", tight=False),
    Row("{0:p} * {1:p}", "se", total, tight=False),
    Row("{0:p} - {1:p}", "se", tight=False),
    Row("{1:p} - {0:p}", "se", tight=False),
    Row("-{0:p}", tight=False),
    Row("tanh({0})", grows=none),
    Row("sigmoid({0})", grows=none),
    Row("σ({0})", grows=none),
    Row("{0:p} ⊙ {1:p}", "se", total, tight=False),
    Row("relu({0})"),
    Row("abs({0})"),
    Row("sin({0})", grows=none),
    Row("cos({0})", grows=none),
    Row("sign({0} - 0.3456)", grows=none),
    Row("softplus({0})"),
    Row("square({0})", grows=twice),
    Row("elu({0})"),
    Row("gelu({0})"),
    Row("silu({0})"),
    Row("hard_sigmoid({0})", grows=none),
    Row("prelu({0}, {1})", "se", total),
    Row("exp(tanh({0}))", grows=none),
    Row("exp(-square({0}))", grows=none),
    Row("log(0.5 + square({0}))"),
    Row("log(1 + abs({0}))"),
    Row("sqrt(square({0}) + 0.3)"),
    Row("{0:p} / (1.5 + square({1}))", "se", tight=False),
    Row("{1:p} / (2 + sin({0}))", "se", tight=False),
    Row("{0:p} / 2", tight=False),
    Row("{0:p} ** 2", grows=twice, tight=False),
    Row("tanh({0}) ** 3", grows=none, tight=False),
    Row("(1.3 + sin({0})) ** tanh({1})", "se", none, tight=False),
    Row("2 ** tanh({0})", grows=none, tight=False),
    Row("max({0}, {1})", "se"),
    Row("min({1}, {0})", "se"),
    Row("max({0}, {1}, {2})", "see"),
    Row("clip({0}, -0.8, {1})", "se"),
    Row("where({0} < THRESHOLD, {1}, {2})", "sse"),
    Row("where({0} >= THRESHOLD, {2}, {1})", "see"),
    Row("where(({0} > THRESHOLD) == ({1} <= 0.4567), {2}, 0.5)", "ses"),
    Row("{0:p} * ({1} < THRESHOLD)", "se", tight=False),
    Row("where(({0} > THRESHOLD) != 0, {1}, {2})", "ses"),
    Row("floor(2 * tanh({0}) + 0.1234)", grows=none),
    Row("ceil(2 * tanh({0}) + 0.2345)", grows=none),
    Row("round(3 * tanh({0}) + 0.1234)", grows=none),
    Row("mod(tanh({0}) + 0.1234, 0.7 + square({1}))", "se", none),
    Row("mod(1.2345, 1.5 + sin({0}))", grows=none),
    Row("log1p(abs({0}))"),
    Row("leaky_relu({0})"),
    Row("leaky_relu({0}, {1})", "se", total),
    Row("gelu_exact({0})"),
    Row("pi * atan({0})", grows=none, tight=False),
    Row("stop_grad({0})"),
    Row("clip_grad({0}, 0.7)"),
    Row("straight_through(sign({0} - 0.3456), {1})", "ss"),
    Row("heaviside({0} - 0.3456, 1 / (1 + square({0})))", grows=none),
    Row("dropout({0}, 0.3)"),
    Row("dropout({0}, 0.4, per = sequence)"),
    Row("noise({0}, 0.2)"),
    Row("noise({0}, 0.3 * sigmoid({1}))", "se"),
    Row("sample({0}, 0.2)"),
    Row("sample({0}, 0.3 * sigmoid({1}), per = sequence)", "se"),
    Row("0.1 * gumbel({0})", tight=False),
    Row("noise({0}, 0.1, per = sequence)"),
    Row("zoneout({0}, {1}, 0.25)", "ss"),
    Row("zoneout({0}, {1}, 0.5, per = sequence)", "ss"),
    Row("sum({0} for i in 1..2)"),
    Row("mean(i * {0:p} for i in 1..3 if not i == 2)"),
    Row("max({0:p} / i for i in 1..2)"),
    Row("min({0}, {1:p} + 0)", "se"),
)
"""Rows of these need nothing of their shape."""

ELEMENTWISE += tuple(
    Row(f"{name}(tanh({{0}}))", grows=none)
    for name, function in FUNCTIONS.items()
    if function.group == vocabulary.ELEMENTWISE and function.most == 1
    if not any(f"{name}(" in row.template for row in ELEMENTWISE)
)
"""Functions of one number that no row has, each of a number between -1 and 1."""

VECTORS = (
    Row("softmax({0})", grows=none),
    Row("log_softmax({0})"),
    Row("layer_norm({0})", grows=none),
    Row("layer_norm({0}, {1}, {2})", "sse"),
    Row("rms_norm({0})", grows=none),
    Row("rms_norm({0}, {1})", "se"),
    Row("cumsum({0})"),
    Row("categorical({0})", grows=none),
    Row("roll({0}, 1)"),
    Row("roll({0}, -2)"),
)
SCALARS = (
    Row("sum({0})", "a"),
    Row("mean({0})", "a"),
    Row("var({0})", "a", twice),
    Row("norm(2 + cos({0}))", "a", none),
    Row("max({0})", "v"),
    Row("min({0})", "v"),
    Row("dot({0}, {1})", "vo", total),
    Row("logsumexp({0})", "v"),
    Row("dot({0}, onehot(argmax({1})))", "vo"),
)


def expr(w: Writer, want: Want) -> Expr:
    """An expression of the wanted shape and kind."""
    w.cell.budget -= 1
    if want.depth <= 0 or w.cell.budget <= 0:
        return leaf(w, want)
    forms = [form for fits, form in FORMS if fits(w, want)]
    return w.choices.span(lambda: tamed(w.pick(forms)(w, want)))


def tamed(e: Expr) -> Expr:
    """An expression that does not grow faster than a cube."""
    return e if e.degree <= GREATEST_DEGREE else Expr(f"tanh({e.text})", e.level)


# ------------------------------------------------------------------------------------------------------------- leaves


def leaf(w: Writer, want: Want) -> Expr:
    """A name, a number, a parameter, or something made of a stream."""
    found: list[Entry] = w.readable(want)
    options: list[Entry | Form] = [*found, *[e for e in found if e.timed]]
    if not want.must:
        options += [number] * (not want.shape) + [parameter] * (want.level >= Level.STATIC)
    if not found and want.level is Level.STREAM:
        options += [made, made]
    chosen = w.pick(options) if options else constant
    return w.read(want, chosen) if isinstance(chosen, Entry) else chosen(w, want)


def number(w: Writer, want: Want) -> Expr:
    """A number that is known at compilation."""
    text = w.pick((*NUMBERS, f"1 / {w.cell.units[0]}", f"sqrt({w.cell.units[0]})"))
    return Expr(text, Level.CONST, 0, text.replace(".", "").replace("e-", "").isdigit())


def parameter(w: Writer, want: Want) -> Expr:
    """A parameter."""
    return w.param(want.shape)


def constant(w: Writer, want: Want) -> Expr:
    """A declared constant."""
    return w.const(want.shape, w.pick(("0.5", "-0.3")))


def made(w: Writer, want: Want) -> Expr:
    """A shape that no stream has, made of one by a parameter."""
    stream = replace(want, must=True, whole=True)
    source = w.pick([e for e in w.cell.entries if w.allows(stream, e)][::-1])
    if source.index is not None:
        return Expr(f"embed({w.param((source.index, *want.shape))}, {source.text})", Level.STREAM)
    if len(source.shape) == 1 == len(want.shape):
        return Expr(f"{w.param((*want.shape, *source.shape))} @ {source.text}", Level.STREAM, source.degree, False)
    size = f"mean({source.text})" if source.shape else source.text
    text = f"{size} * {w.param(want.shape)}" if want.shape else size
    return Expr(text, Level.STREAM, source.degree, not want.shape)


# ----------------------------------------------------------------------------------------------------- rows of tables


def row_form(row: Row) -> Form:
    """The form of a row."""

    def write(w: Writer, want: Want) -> Expr:
        shapes = {"s": want.shape, "a": w.shape(), "v": w.vector()} if set(row.takes) & {"a", "v"} else {}
        operands = []
        for place, letter in enumerate(row.takes):
            shape = shapes.get(letter, want.shape)
            if letter == "o":
                shape = shapes["v"]
            if letter == "e" and want.shape:
                shape = w.pick((want.shape, ()))
            part = want.part(shape=shape, must=want.must and place == 0)
            operands.append(expr(w, part))
        return filled(w, row, operands)

    return write


def filled(w: Writer, row: Row, operands: list[Expr]) -> Expr:
    """A row with its operands."""
    template = row.template
    if "THRESHOLD" in template:
        template = template.replace("THRESHOLD", w.pick(THRESHOLDS))
    degree = row.grows(*(o.degree for o in operands))
    return Expr(template.format(*operands), max(o.level for o in operands), degree, row.tight)


FORMS: list[tuple[Fits, Form]] = [(lambda w, want: True, leaf)]
"""When a form can be written, and how; the simplest first."""


WEIGHT = 2
"""How many rows of a table a form counts as that is a function of its own."""


def form(fits: Fits, weight: int = WEIGHT) -> Callable[[Form], Form]:
    """Enter a form in the table."""

    def enter(write: Form) -> Form:
        FORMS.extend([(fits, write)] * weight)
        return write

    return enter


DRAWING = ("dropout", "noise", "zoneout", "sample", "gumbel", "categorical")
"""The functions that draw random numbers."""


def _random(row: Row) -> bool:
    return any(word in row.template for word in DRAWING)


def _silent(row: Row) -> bool:
    """Whether its gradient is another than that of its value."""
    return any(word in row.template for word in ("grad", "straight", "heaviside"))


def _enter(rows: tuple[Row, ...], fits: Callable[[Want], bool]) -> None:
    for row in rows:
        FORMS.append((_from(Level.STATIC if _random(row) or _silent(row) else Level.CONST, fits), row_form(row)))


def _from(least: Level, fits: Callable[[Want], bool]) -> Fits:
    return lambda w, want: fits(want) and want.level >= least


_enter(ELEMENTWISE, lambda want: True)
_enter(VECTORS, lambda want: len(want.shape) == 1)
_enter(SCALARS, lambda want: not want.shape)
