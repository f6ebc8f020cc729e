"""Who is named for a difference: the pass, the piece of the schedule, the operation, or the gradient rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

import recurrency as rc
import recurrency.passes
from recurrency.graph.graph import Graph
from recurrency.graph.ops import OPS
from recurrency.graph.value import Value
from recurrency.passes import PASSES
from recurrency.testing import Case, differences, guilty, slopes, wrong_rule
from recurrency.testing.verification.blame import NOBODY
from tests.support.planting import Edit, Wrong, edited, scaled

CASE = Case({"N": 2, "H": 3}, {"t": 3}, 2, {"t": (3, 2)}, state=True, seed=1)
TEXT = """\
cell Leaky[N, H](x: [N]) -> (h: [H]) {
    param W, V : [H, N] ~ glorot_uniform
    param U, A : [H, H] ~ glorot_uniform
    param b    : [H]    ~ ones

    state h : [H] = 0

    f = sigmoid(V @ x + A @ h[t-1])
    g = tanh(W @ x + U @ h[t-1] + b)
    h = f * h[t-1] + g
}
"""


def leaky() -> rc.Spec:
    """A new one each time, for models are kept with their spec."""
    return rc.parse(TEXT, "leaky.rnn")


def blamed(backend: Wrong | str, kind: str) -> str:
    spec = leaky()
    return guilty(spec, CASE, backend, differences(spec, CASE, backend, [kind])[0])


@pytest.mark.parametrize("kind", ["forward", "backward"])
@pytest.mark.parametrize(
    ("op", "edit", "said"),
    [
        ("tanh", scaled(1 + 1e-6), "op tanh (g), line 9 of leaky.rnn: g = tanh("),
        ("sigmoid", lambda y: -y, "op sigmoid (f), line 8 of leaky.rnn: f = sigmoid("),
        ("product", scaled(0.999), "op product, line "),
    ],
)
def test_the_operation_is_named_that_a_backend_computes_wrongly(op: str, edit: Edit, said: str, kind: str) -> None:
    assert blamed(Wrong(op, edit), kind).startswith(said)


def test_an_operation_of_the_gradient_is_named_as_well() -> None:
    assert blamed(Wrong("sum_time", scaled(1.001)), "backward").startswith("op sum_time, line ")


def test_an_operation_that_a_backend_can_not_compute_is_named() -> None:
    def refuse(value: Value) -> Value:
        raise NotImplementedError("no tanh here")

    spec, backend = leaky(), Wrong("tanh", refuse)
    found = differences(spec, CASE, backend, ["forward"])
    assert str(found[0]) == "forward, float64: it raises NotImplementedError: no tanh here"
    assert guilty(spec, CASE, backend, found[0]).startswith("op tanh (g), line 9")


@pytest.mark.parametrize(("name", "op"), [("simplify", "add"), ("cse", "sigmoid"), ("pack", "concat")])
def test_the_pass_is_named_that_breaks_a_program(name: str, op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = PASSES[name]

    def wrong(graph: Graph) -> Graph:
        return edited(right(graph), op, lambda value: -value)

    monkeypatch.setitem(recurrency.passes.PASSES, name, wrong)
    assert blamed("numpy", "backward") == f"pass {name}"


def test_what_is_neither_a_pass_nor_an_operation_is_called_so() -> None:
    class Forgetful(Wrong):
        """Right in all programs that give out everything."""

        def build(self, graph: Graph, *rest: object, **settings: object) -> object:
            spoilt = not any(root.startswith("probe:") for root in graph.roots)
            return Wrong("tanh", scaled(2.0) if spoilt else scaled(1.0)).build(graph, *rest, **settings)

    assert blamed(Forgetful("tanh", scaled(2.0)), "forward") == NOBODY


# -------------------------------------------------------------------------------------------------- gradient rules


def spec_of_first(spec: str) -> str:
    """The product of the adjoint with the second factor."""
    (first, second), out = spec.split("->")[0].split(","), spec.split("->")[1]
    return f"{out},{second}->{first}"


RULES = {
    "tanh": lambda g, y, x: (g * (1.0 - y),),
    "multiply": lambda g, y, a, b: (g * b, -(g * a)),
    "shift": lambda g, y, x, *first, delay: (g.shift(-delay), *(None for _ in first)),
    "sum_time": lambda g, y, x: (g * 2.0,),
    "product": lambda g, y, a, b, spec: (g.product(b, spec_of_first(spec)), None),
}


@pytest.mark.parametrize("name", RULES)
def test_a_wrong_gradient_rule_is_found_and_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All backends agree with one another on it: only differences tell."""
    right = OPS[name]
    monkeypatch.setitem(OPS, name, replace(right, gradient=RULES[name]))
    spec = leaky()
    assert not differences(spec, CASE, "interpreter", ["backward"])
    assert slopes(spec, CASE)
    assert wrong_rule(spec, CASE).startswith(f"gradient rule of op {name}")


@pytest.mark.parametrize("name", ["LSTM", "MLSTM", "Music", "FirstElementAbsolute", "Tagger"])
def test_the_gradients_of_shipped_cells_are_what_differences_say(name: str) -> None:
    spec = rc.library.spec(name)
    dimensions = {d.name: 2 for d in spec.cell.dimensions if d.name in "NHKV"}
    assert not slopes(spec, replace(CASE, dimensions=dimensions, state=False))


def test_bends_and_intended_changes_of_gradients_are_no_mistakes() -> None:
    bent = rc.parse("cell Bent[H](x: [H]) -> (y: [H]) { y = abs(0 * x) + relu(x) + max(x, 2 * x - x) }")
    stopped = rc.parse("cell Stop[H](x: [H]) -> (y: [H]) { y = stop_grad(x) * x }")
    case = Case({"H": 2}, {"t": 2})
    assert not slopes(bent, case)
    assert not slopes(stopped, case)
