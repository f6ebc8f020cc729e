"""LaTeX of cells: what papers print, well-formed, and understood by matplotlib's mathtext where it is installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import recurrency as rc
from recurrency.errors import Source
from recurrency.language import syntax
from recurrency.language.reading.parser import parse_file
from recurrency.language.sources import read_source
from recurrency.language.writing.latex import equations_of_cell, latex_of_cell, latex_of_expression
from tests.support.language_page import PAGE

HEADER = "cell A[N, H, L](x: [N], w: index[N]) -> (h: [H]) {\n"
DECLARED = (
    "param alpha, s : [] ~ zeros\nparam W_i, V : [H, N] ~ zeros\nparam U[1..L] : [H, H] ~ zeros\nstate h : [H] = 0\n"
)
MATHEMATICS = [
    ("W_i @ x", r"W_{i} x_{t}"),
    ("h[t-1]", r"h_{t-1}"),
    ("W_i @ x + U[2] @ h[t-1]", r"W_{i} x_{t} + U^{(2)} h_{t-1}"),
    ("x * h", r"x_{t} \odot h_{t}"),
    ("2 * x", r"2 \, x_{t}"),
    ("x * 2", r"x_{t} \cdot 2"),
    ("alpha * x", r"\alpha \, x_{t}"),
    ("1e-4 * s", r"10^{-4} \, s"),
    ("σ(x)", r"\sigma(x_{t})"),
    ("tanh(x / h)", r"\tanh\left(\frac{x_{t}}{h_{t}}\right)"),
    ("(x - h) * x - (h - x)", r"(x_{t} - h_{t}) \odot x_{t} - (h_{t} - x_{t})"),
    ("V @ (x * h) + x * -h", r"V (x_{t} \odot h_{t}) + x_{t} \odot (-h_{t})"),
    ("x ** 2 + (x + h) ** 2", r"x_{t}^{2} + (x_{t} + h_{t})^{2}"),
    ("outer(x, h) @ h", r"x_{t} \, h_{t}^{\top} h_{t}"),
    ("dot(x, h)", r"x_{t}^{\top} h_{t}"),
    ("g[i, j]", "g_{i,j}"),
    ("sum(U[j] @ h[t-j] for j in 1..L)", r"\sum_{j=1}^{L} U^{(j)} h_{t-j}"),
    ("sum(U[j] for j in 1..L if j != 2)", r"\sum_{1 \leq j \leq L,\; j \neq 2} U^{(j)}"),
    ("concat(x, h)", r"\left[x_{t};\, h_{t}\right]"),
    ("concat(U[j] for j in 1..L)", r"\left[U^{(j)}\right]_{j=1}^{L}"),
    ("last(h)", r"\operatorname{last}(h)"),
    ("layer_norm(x)", r"\operatorname{LayerNorm}(x_{t})"),
    ("LSTM[H, squash = relu](x)", r"\operatorname{LSTM}_{H, \mathrm{squash} = \operatorname{ReLU}}(x_{t})"),
    ("f(v = x, squash = tanh)", r"f(v = x_{t}, \mathrm{squash} = \tanh)"),
    ("x if L == 1 else h", r"\begin{cases} x_{t} & \text{if } L = 1 \\ h_{t} & \text{otherwise} \end{cases}"),
    (
        "where(x > 1, x, where(x, 0, h))",
        r"\begin{cases} x_{t} & \text{if } x_{t} > 1 \\ 0 & \text{if } x_{t} \\ h_{t} & \text{otherwise} \end{cases}",
    ),
    ("(x + h)[t-1]", r"(x + h)_{t-1}"),
    ("tanh(init(h))", r"\tanh(h_{0})"),
    ("h̃ + c_hat + x2 + W_ih + ω", r"\tilde{h}_{t} + \hat{c}_{t} + x_{2,t} + W_{\mathrm{ih},t} + \omega_{t}"),
]


def cell_of(text: str) -> syntax.Cell:
    return parse_file(Source("test.rnn", text)).cells[-1]


def all_cells() -> list[syntax.Cell]:
    """The cells of the page, of the shipped specs, and one for each piece of mathematics above."""
    shipped = sorted((Path(__file__).parents[2] / "specs").glob("*.rnn"))
    cells = [cell_of(text) for text in PAGE.values()] + [
        c for path in shipped for c in parse_file(read_source(path)).cells
    ]
    return cells + [cell_of(f"{HEADER}{DECLARED}y = {text}\n}}") for text, _ in MATHEMATICS]


@pytest.mark.parametrize(("text", "expected"), MATHEMATICS)
def test_expressions_look_as_in_print(text: str, expected: str) -> None:
    cell = cell_of(f"{HEADER}{DECLARED}y = {text}\n}}")
    equation = cell.body[-1]
    assert isinstance(equation, syntax.Equation)
    assert latex_of_expression(equation.value, cell) == expected


def test_the_equations_of_an_lstm_look_as_in_print() -> None:
    assert (
        latex_of_cell(cell_of(PAGE["LSTM"]))
        == r"""\begin{align*}
    i_{t} &= \sigma(W_{i} x_{t} + U_{i} h_{t-1} + p_{i} \odot c_{t-1} + b_{i}) \\
    f_{t} &= \sigma(W_{f} x_{t} + U_{f} h_{t-1} + p_{f} \odot c_{t-1} + b_{f}) \\
    g_{t} &= \tanh(W_{g} x_{t} + U_{g} h_{t-1} + b_{g}) \\
    c_{t} &= f_{t} \odot c_{t-1} + i_{t} \odot g_{t} \\
    o_{t} &= \sigma(W_{o} x_{t} + U_{o} h_{t-1} + p_{o} \odot c_{t} + b_{o}) \\
    h_{t} &= o_{t} \odot \tanh(c_{t}) \\
    c_{0} = h_{0} &= 0
\end{align*}"""
    )


def test_loops_are_told_behind_their_equations() -> None:
    rows = equations_of_cell(cell_of(PAGE["GatedFeedback"]))
    assert rows[2].endswith(r"h^{(j-1)}_{t} & \text{otherwise} \end{cases}, \quad j = 1, \ldots, L")
    assert rows[3].startswith(r"g^{(i,j)}_{t} &= \sigma((w^{(j,i)})^{\top} \mathit{below}^{(j)}_{t}")


def test_losses_are_added_up() -> None:
    cell = cell_of(f"{HEADER}{DECLARED}loss f(x)\nloss 1e-4 * l2(V)\n}}")
    assert equations_of_cell(cell)[-1] == r"\mathcal{L} &= f(x_{t}) + 10^{-4} \, \operatorname{l2}(V)"


def test_an_instance_of_a_cell_carries_no_time() -> None:
    cell = cell_of(HEADER + "shared = LSTM[H]\ny = shared(x)\n}")
    assert equations_of_cell(cell)[0] == r"\mathit{shared} &= \operatorname{LSTM}_{H}"


def test_what_is_computed_from_parameters_alone_carries_no_time() -> None:
    body = "rate = exp(alpha) * s\nslow[1] = rate\nslow[2] = rate + sum(s for j in 1..L)\nfast = rate * x\n"
    rows = equations_of_cell(cell_of(HEADER + DECLARED + body + "count = count[t-1] + 1\nh = slow[1] * fast}"))
    assert rows[:3] == [
        r"\mathit{rate} &= \exp(\alpha) \, s",
        r"\mathit{slow}^{(1)} &= \mathit{rate}",
        r"\mathit{slow}^{(2)} &= \mathit{rate} + \sum_{j=1}^{L} s",
    ]
    assert rows[3:6] == [
        r"\mathit{fast}_{t} &= \mathit{rate} \, x_{t}",
        r"\mathit{count}_{t} &= \mathit{count}_{t-1} + 1",
        r"h_{t} &= \mathit{slow}^{(1)} \, \mathit{fast}_{t}",
    ]


@pytest.mark.parametrize("cell", all_cells(), ids=lambda cell: cell.name)
def test_brackets_and_environments_are_balanced(cell: syntax.Cell) -> None:
    for row in equations_of_cell(cell):
        assert sum(row.count(sign) for sign in ("&=", r"&\sim", r"&\;\text{given}")) == 1
        plain = re.sub(r"\\[{}|]", "", row)
        assert plain.count("{") == plain.count("}")
        assert row.count(r"\left") == row.count(r"\right")
        assert row.count(r"\begin{") == row.count(r"\end{")


@pytest.mark.parametrize("cell", all_cells(), ids=lambda cell: cell.name)
def test_mathtext_understands_every_equation_without_cases(cell: syntax.Cell) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("path")
    for row in equations_of_cell(cell):
        if r"\begin" not in row:
            parser.parse(f"${row.replace('&', '')}$")


def test_functions_of_the_file_that_a_cell_reads_come_first() -> None:
    """Also those that they read, and one that is the default of a dimension; a name of the cell hides one."""
    text = """
    fn twice(a) = 2 * a
    fn gate(a, b) = twice(a) + b
    fn squash(unread) = unread
    fn unread(a) = a
    fn y(a) = a

    cell A[N, f = squash](x: [N]) -> (y: [N]) { y = f(gate(x, y[t-1])) }
    """
    rows = rc.parse(text).latex().split("\n")[1:-1]
    assert [row.strip().split(" &")[0] for row in rows] == [
        r"\operatorname{twice}(a)",
        r"\operatorname{gate}(a, b)",
        r"\operatorname{squash}(\mathit{unread})",
        "y_{t}",
    ]
