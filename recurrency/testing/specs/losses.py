"""The loss lines of random specs: one row per kind, with the shapes of its operands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from recurrency.testing.specs.expressions import expr
from recurrency.testing.specs.recurrences import wanted
from recurrency.testing.specs.scope import Writer
from recurrency.testing.specs.streams import clocks
from recurrency.testing.specs.terms import Level, Want


@dataclass(frozen=True)
class Kind:
    """A template over two operands `{0}` and `{1}`, and the shapes that they may have: any, vector or scalar."""

    template: str
    shape: Callable[[Writer], Want]
    whole: bool = False
    """Whether all steps of the operands are needed."""


def _any(w: Writer) -> Want:
    return wanted(w)


def _vector(w: Writer) -> Want:
    return wanted(w, w.vector())


def _scalar(w: Writer) -> Want:
    return wanted(w, ())


KINDS = (
    Kind("squared_error({0}, {1})", _any),
    Kind("sum({0:p} * {0:p})", _any),
    Kind("absolute_error({0}, {1:p} + 0.2468)", _any),
    Kind("cross_entropy({0}, SYMBOL)", _vector),
    Kind("cross_entropy({0}, softmax({1}))", _vector),
    Kind("binary_cross_entropy(sigmoid({0}), sigmoid({1}))", _any),
    Kind("binary_cross_entropy(0.1 + 0.8 * sigmoid({0}), sigmoid({1}))", _any),
    Kind("0.01 * l2({0})", _any),
    Kind("0.1 * l1({0} - 0.1357)", _any),
    Kind("0.5 * mean({0})", _any),
    Kind("{0}", _scalar),
    Kind("squared_error(last({0}), first({1}))", _any, True),
    Kind("binary_cross_entropy(last(sigmoid({0})), sigmoid(first({1})))", _any, True),
    Kind("square(sum_over_time({0}))", _scalar, True),
    Kind("0.01 * l2(PARAM)", _any),
    Kind("var(PARAM)", _any),
    Kind("max(PARAM, 0.1357)", _scalar),
)


def loss(w: Writer) -> None:
    """One loss line."""
    kind = w.pick([k for k in KINDS if w.cell.ahead or not k.whole])
    want = replace(kind.shape(w), clock=w.pick(clocks(w)), whole=kind.whole, must=kind.whole)
    template, where = kind.template, ""
    if not kind.whole and "PARAM" not in template:
        where = weight(w, want)
        want = replace(want, must=want.must or bool(where))
    if "SYMBOL" in template:
        found = [e for e in w.symbols(replace(want, must=True)) if e.index is not None]
        if not found:
            template = "0.5 * mean({0})"
        else:
            target = w.pick(found)
            assert target.index is not None
            want, template = replace(want, shape=(target.index,)), template.replace("SYMBOL", target.text)
    if "PARAM" in template:
        template = template.replace("PARAM", w.param(want.shape).text)
    w.cell.causal = w.cell.causal and not kind.whole
    w.cell.lines.append(f"loss {template.format(*operands(w, want, template))}{where}")


def weight(w: Writer, want: Want) -> str:
    """Which steps of a loss count, by an input over its clock; mostly all do.

    In the main cell alone: what another cell reads may depend on other steps where it is used.
    """
    able = [port for port in w.cell.inputs if port.index is None and port.clock == want.clock]
    if w.cell.name != "Main" or not able or not w.sometimes(4):
        return ""
    port = w.pick(able)
    return f" where mean(abs({port.name}))" if port.shape else f" where abs({port.name})"


def operands(w: Writer, want: Want, template: str) -> list[object]:
    """As many expressions as the template has places."""
    found: list[object] = []
    for place in ("{0", "{1"):
        found.append(expr(w, replace(want, level=Level.STREAM)) if place in template else "")
    return found
