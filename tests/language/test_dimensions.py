"""Arithmetic of dimensions: the check with units and the graph with numbers agree with exact fractions."""

from __future__ import annotations

import ast
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recurrency as rc
from recurrency.errors import SpecError

SPEC = """cell Inner[A](x: [A]) -> (y: [{size}]) {{
    y = 0
}}
cell Outer[N](x: [N]) -> (y: [N]) {{
    z = Inner(concat(x, 1))
    w = concat(z, x)
    y = x * norm(w)
}}
"""
NUMBERS = st.sampled_from(["1", "2", "3", "7", "0"])
SIZES = st.recursive(
    st.one_of(st.just("A"), NUMBERS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda x: f"(-{x})"),
    ),
    max_leaves=6,
)


def exact(text: str, a: int) -> Fraction | None:
    """The value of a size, None where it has none."""

    def of(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int(value)):
                return Fraction(value)
            case ast.Name():
                return Fraction(a)
            case ast.UnaryOp(operand=operand):
                return -of(operand)
            case ast.BinOp(left=left, op=op, right=right):
                one, two = of(left), of(right)
                match op:
                    case ast.Add():
                        return one + two
                    case ast.Sub():
                        return one - two
                    case ast.Mult():
                        return one * two
                return one / two
        raise AssertionError(ast.dump(node))

    try:
        return of(ast.parse(text, mode="eval").body)
    except ZeroDivisionError:
        return None


def sized(text: str, n: int) -> int | None:
    """What the compiler makes of a size: a number, None where it refuses it with a diagnostic."""
    try:
        graph = rc.parse(SPEC.format(size=text)).elaborate(N=n).graph
    except SpecError as error:
        refused = {d.number for d in error.diagnostics}
    else:
        (size,) = graph[graph.roots["stream:z.y"]].type.shape
        assert type(size) is int
        return size
    assert refused <= {46, 50}, text
    return None


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SIZES, st.integers(1, 50))
def test_a_size_is_the_exact_number_or_a_diagnostic(text: str, n: int) -> None:
    found, wanted = sized(text, n), exact(text, n + 1)
    if found is not None:
        assert found == wanted
    try:
        rc.parse(SPEC.format(size=text)).check()
    except SpecError:
        return
    if wanted is not None and wanted.denominator == 1 and 1 <= wanted <= 1000:
        assert found == wanted


@pytest.mark.parametrize(
    ("text", "n", "wanted"),
    [
        ("A / 2 + 1", 5, 4),
        ("A / 2 - 1 / 2", 6, 3),
        ("A / 2 - (A - 1) / 2 + 1 / 2", 6, 1),
        ("1 - A / 2 + A / 2", 6, 1),
        ("A / 49 * 49", 49, 50),
        ("A / (1 / 3) / 3", 5, 6),
        ("A / 2 - (A - 1) / 2", 6, None),
        ("A / 2", 6, None),
    ],
)
def test_parts_of_dimensions_are_exact(text: str, n: int, wanted: int | None) -> None:
    assert sized(text, n) == wanted


def test_a_slice_of_half_an_element_is_refused() -> None:
    with pytest.raises(SpecError, match=r"would have 1\.5 elements"):
        rc.parse("cell Half[N](x: [N]) -> (y: []) {\n    y = norm(slice(x, N / 2, N / 2 + 1 / 2))\n}").check()


def test_the_negative_of_an_unknown_number_stays_unknown() -> None:
    """`-(-(0.5 * N))` is known with the number of N, and not taken for 1 before."""
    text = """cell Turns[N](x: [N]) -> (y: [N]) {{
    z[0] = x
    for j in 1..{} {{
        z[j] = tanh(z[j-1])
    }}
    y = z[3]
}}"""
    rc.parse(text.format("-(-(1.0 * N))")).check()
    rc.parse(text.format("1.0 * N")).check()
