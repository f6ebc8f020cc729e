"""Which expressions are numbers, from the text alone: compared with the shapes that the compiler finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import recurrency as rc
from recurrency.language.elaboration.elaborate import check
from recurrency.language.linting.scalars import flatten, scalars_of
from recurrency.language.syntax import Equation
from recurrency.testing.specs.sources import Dice
from recurrency.testing.specs.strategy import written

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "specs").glob("*.rnn"))
NUMBERS = (
    """
dot(x, y); norm(x); logsumexp(x); sum(x); max(x); mean(x) * 2; s; s[t-1]; init(s); -s; sigmoid(s); a; N; 1 / 3;
sum(s for j in 1..3); max(s, a); s < 1; where(s, a, 2); last(s); half(s); total(x); q; u.n; u.b; Inner(x);
r(x); v.n; squared_error(x, y); s if N == 1 else a; m[2]; noise(0, 1)
""".replace("\n", " ")
    .strip()
    .split("; ")
)
VECTORS = [
    "x",
    "x * s",
    "half(x)",
    "concat(s, a)",
    "softmax(x)",
    "x[t-1]",
    "u.h",
    "max(x, y)",
    "where(s, x, y)",
    "W @ x",
]
TEXT = """fn half(v) = v / 2
fn total(v) = sum(v) + 1

cell Inner[N](x: [N]) -> (n: [], h: [N]) {{
    param b : [] ~ zeros
    n = norm(x) + b
    h = n * x
}}

cell Outer[N](x, y: [N]) -> (z: [N]) {{
    param a : [] ~ zeros
    param W : [N, N] ~ zeros
    state s : [] = 0

    s    = 0.9 * s[t-1] + dot(x, y)
    q    = q[t-1] + a
    m[1] = s
    m[2] = m[1] * a
    u    = Inner(x)
    r    = Inner[N]
    v    = r(y)
    k    = {}
    z    = k * y
}}
"""


def numbers_of(spec: rc.Spec) -> dict[str, bool]:
    """For each equation of the cell whether it is a number."""
    module = spec.definition.module
    cells = {name: d.cell for name, d in module.cells.items()}
    scalars = scalars_of(spec.cell, module.functions, cells)
    return {
        s.target.name: s.target.name in scalars.names or scalars.has(s.value)
        for s in flatten(spec.cell.body)
        if isinstance(s, Equation)
    }


@pytest.mark.parametrize("text", NUMBERS)
def test_a_product_with_a_number_has_no_sign(text: str) -> None:
    spec = rc.parse(TEXT.format(text))
    spec.check()
    assert numbers_of(spec)["k"]
    assert "\\odot" not in spec.latex().split("z_{t} &=")[1].split("\n")[0]


@pytest.mark.parametrize("text", VECTORS)
def test_a_product_of_vectors_has_one(text: str) -> None:
    spec = rc.parse(TEXT.replace("z    = k * y", "z    = sum(k) * y").format(text))
    spec.check()
    assert not numbers_of(spec)["k"]


def compared(spec: rc.Spec) -> int:
    """How many equations are numbers; none is taken for one that the compiler finds to be a vector, or the reverse."""
    found = check(spec.definition)
    count = 0
    for name, number in numbers_of(spec).items():
        if (root := found.graph.roots.get(f"stream:{name}")) is not None and found.graph[root].type.index is None:
            along = re.search(rf"^\s*{re.escape(name)} .*\baxis = ", spec.source.text, re.MULTILINE)
            if not (along and not number):  # the text does not tell how many axes are left
                assert number == (found.graph[root].type.shape == ()), (name, spec.source.text)
            count += number
    return count


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_text_tells_numbers_as_the_compiler_does(path: Path) -> None:
    for name in [c.name for c in rc.load(path).file.cells]:
        compared(rc.load(path, name))


def test_the_text_tells_numbers_in_random_specs() -> None:
    assert sum(compared(rc.parse(written(Dice(seed)).text)) for seed in range(80)) > 15
