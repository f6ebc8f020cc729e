"""Specs that would expand without bound are refused, and within a second."""

from __future__ import annotations

import pytest

import recurrency as rc
from recurrency.errors import SpecError
from tests.support.elaborating import cell
from tests.support.work import SECOND, at_most


def _doubling(count: int, step: str) -> str:
    lines = [f"a{i + 1} = " + step.replace("?", f"a{i}") for i in range(count)]
    return cell("a0 = x", *lines, f"y = slice(a{count}, 1, N)")


def _functions(count: int, body: str, call: str) -> str:
    fns = [f"fn f{i + 1}(a) = " + body.replace("?", f"f{i}") for i in range(count)]
    return "fn f0(a) = a + 1\n" + "\n".join(fns) + "\n" + cell(f"y = {call.replace('?', f'f{count}')}")


def _cells(count: int) -> str:
    header = "A{}[N](x: [N]) -> (y: [N])"
    texts = [cell("y = x", header=header.format(0))]
    texts += [cell(f"y = A{i}(A{i}(x))", header=header.format(i + 1)) for i in range(count)]
    return "".join(texts)


LOOPS = "for i in 1..1000 { for j in 1..1000 { for k in 1..1000 { BODY } } }"

BOMBS = {
    "nested loops": cell(LOOPS.replace("BODY", "a[i, j, k] = x"), "y = a[1, 1, 1]"),
    "nested empty loops": cell(LOOPS.replace("BODY", ""), "y = x"),
    "a long range": cell("for i in 1..1000000000 { a[i] = x }", "y = a[1]"),
    "a long empty range": cell("y = sum(x for i in 1..1000000000 if i < 0) + x"),
    "a family": cell("param W[1..100000, 1..100000] : [N] ~ zeros", "y = W[1, 1]"),
    "a long family": cell("param W[1..1000000000000] : [N] ~ zeros", "y = W[1]"),
    "comprehensions": cell("y = sum(x for i in 1..1000 for j in 1..1000 for k in 1..1000)"),
    "comprehensions in comprehensions": cell("y = sum(sum(sum(x for i in 1..1000) for j in 1..1000) for k in 1..1000)"),
    "a large default": cell("for l in 1..L { a[l] = x }", "y = a[1]", header="B[N, L = 100000000](x: [N]) -> (y: [N])"),
    "functions": _functions(40, "?(?(a))", "?(x)"),
    "functions of numbers": _functions(40, "?(?(a))", "x * ?(1)"),
    "functions in sums": _functions(40, "?(a) + ?(a)", "?(x)"),
    "cells": _cells(40),
    "long delays": cell("for i in 1..500 { a[i] = a[i+1][t-16000000] }", "a[501] = x", "y = a[1]"),
    "reads far ahead": cell("for i in 1..500 { a[i] = a[i+1][t+16000000] }", "a[501] = x", "y = a[1]"),
    "many delays": cell("for i in 1..12000 { a[i] = x[t-i] }", "y = sum(a[i] for i in 1..12000)"),
    "products of dimensions": cell(
        f"param W : [{' * '.join(['(A + B + C + D + E)'] * 30)}] ~ zeros",
        "y = x",
        header="P[N, A, B, C, D, E](x: [N]) -> (y: [N])",
    ),
    "powers of dimensions": cell("param W : [" + "(" * 40 + "N" + " ** 4)" * 40 + "] ~ zeros", "y = x"),
    "powers of numbers": cell("y = x * 9 ** 9 ** 9 ** 9"),
    "concat": _doubling(40, "concat(?, ?)"),
    "outer products": cell("a = outer(concat(x for i in 1..30000), concat(x for i in 1..30000))", "y = x"),
    "deep functions": _functions(100, "(" * 40 + "?(a)" + " + 1)" * 40, "?(x)"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_spec_that_explodes_is_refused_within_a_second(name: str) -> None:
    with pytest.raises(SpecError) as caught, at_most(SECOND):
        rc.parse(BOMBS[name]).elaborate(N=7, **({"H": 1} if "[N, H]" in BOMBS[name] else {}))
    assert caught.value.diagnostics[0].number in {39, 46, 50}, str(caught.value)


def test_a_long_chain_is_no_bomb() -> None:
    text = cell("a[1] = x", "for i in 2..6000 { a[i] = tanh(a[i-1]) }", "y = a[6000]")
    assert len(rc.parse(text).graph(N=1, H=1)) == 6000


def test_a_spec_that_doubles_values_without_size_is_no_bomb() -> None:
    assert len(rc.parse(_doubling(40, "? + ?")).graph(N=1, H=1)) < 60
