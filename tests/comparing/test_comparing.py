"""Comparing cells: what is the same whatever it is called, what differs, and what that is called."""

from __future__ import annotations

import random
from itertools import combinations, permutations
from pathlib import Path

import pytest

from recurrency import UsageError, library, parse
from recurrency.comparing import compare
from recurrency.comparing.assignment import assignment
from recurrency.comparing.cuts import Cut
from recurrency.comparing.roles import roles
from recurrency.inspection.scaffold import started
from recurrency.language import syntax
from recurrency.language.words import lex
from recurrency.language.writing.latex import flatten
from recurrency.model.spec import Spec
from tests.support.comparing import GATED, MEMORY, difference

# --------------------------------------------------------------------------------------------------------- the same


def renamed(spec: Spec) -> Spec:
    """The same cell with other names for everything, its equations in the opposite order."""
    text = started("Copy", Path("copy.rnn"), spec)
    cell = parse(text).cell
    names = {d.name for d in cell.dimensions} | {p.name for p in (*cell.inputs, *cell.outputs)}
    for statement in flatten(cell.body):
        target = getattr(statement, "target", None)
        names |= {t.name for t in getattr(statement, "targets", [target] if target else [])}
    words = [(w.start_pos or 0, w) for w in lex(text) if w.type == "NAME" and w in names]
    for start, word in reversed(words):
        text = f"{text[:start]}my_{word}{text[start + len(word) :]}"
    cell = parse(text).cell
    moved = [s for s in cell.body if isinstance(s, syntax.Equation)]
    rest = text[: cell.body[0].span.start] + "\n".join(s.span.text for s in cell.body if s not in moved)
    return parse("\n".join([rest, *(s.span.text for s in reversed(moved)), "}"]))


@pytest.mark.parametrize(
    "name",
    "GRU LSTM CIFG TorchGRU LSTMP MGU QRNN SRU MinLSTM IndRNN LRU RGLRU SCRN Jordan ZoneoutLSTM LinearAttention "
    "DeltaNet SLSTM RHN ClockworkRNN".split(),
)
def test_names_and_the_order_of_equations_make_no_difference(name: str) -> None:
    spec = library.spec(name)
    found = compare(spec, renamed(spec))
    assert found.same
    assert all(pair.ours and pair.theirs for pair in found.parameters)
    assert found.names
    assert all(other == f"my_{own}" for own, other in found.names.items())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("W_z @ x + U_z @ h[t-1] + b_z", "b_z + W_z @ x + U_z @ h[t-1]"),
        ("(1 - z) * h[t-1] + z * c", "h[t-1] + z * (c - h[t-1])"),
        ("(1 - z) * h[t-1] + z * c", "z * c - (z - 1) * h[t-1]"),
        ("r * h[t-1]", "h[t-1] * r"),
        ("    c = tanh(", "    s = r * h[t-1]\n    c = tanh("),
        ("param b_z, b_c      : [H]    ~ zeros", "param b_z : [H] ~ zeros\n    param b_c : [H] ~ constant(0)"),
    ],
)
def test_what_is_equal_is_the_same(old: str, new: str) -> None:
    found = difference(GATED, (old, new))
    assert found.same == ("constant" not in new), found


def test_it_makes_a_difference_whether_two_streams_are_dropped_together() -> None:
    text = """\
        cell Dropped[H, p = 0.5](a: [H], b: [H]) -> (y: [H], z: [H]) {
            mask = dropout(1 + 0 * a, p)
            y = mask * a
            z = mask * b
        }
        """
    assert compare(parse(text), parse(text.replace("mask", "kept"))).same
    assert not difference(text, ("z = mask * b", "z = dropout(1 + 0 * b, p) * b")).same


def test_a_cell_is_the_same_as_itself_where_it_reads_whole_streams() -> None:
    spec = library.spec("BahdanauAttention")
    found = compare(spec, spec)
    assert found.same
    assert found.note


def test_of_whole_streams_the_text_is_compared() -> None:
    text = """\
        cell A[N, H](x: [N] over s, q: [N]) -> (y: [N]) {
            fn f(a) = 2 * a
            y = attend(f(q), x, x)
        }
        """
    found = difference(text, ("2 * a", "3 * a"))
    assert not found.same
    assert found.equations == [(["fn f(a) = 2 * a"], ["fn f(a) = 3 * a"])]
    assert compare(parse(text), parse(text.replace("  ", " "))).same


# ------------------------------------------------------------------------------------------------------ the interface


def test_kinds_of_recurrence_are_compared() -> None:
    section = {s.name: s for s in difference(GATED, ("U_c @ (r * h[t-1])", "r")).sections}
    assert section["recurrence"].same
    section = {s.name: s for s in compare(library.spec("GRU"), library.spec("MinGRU")).sections}
    assert (section["recurrence"].ours, section["recurrence"].theirs) == (("full",), ("diagonal affine",))


def test_recurrences_of_one_kind_are_told_apart_by_number_and_direction() -> None:
    text = """\
        cell In[H](x: [H]) -> (h: [H]) { state h : [H] = 0
            h = tanh(x + h[t-1]) }
        cell Back[H](x: [H]) -> (h: [H]) { state h : [H] = 0
            h = tanh(x + h[t+1]) }
        cell Out[H](x: [H]) -> (y: [H]) { y = In(x) }
        """
    found = difference(text, ("y = In(x)", "y = Back(In(In(x)))"))
    section = {s.name: s for s in found.sections}["recurrence"]
    assert section.ours == ("diagonal forwards",)
    assert sorted(section.theirs) == ["2 x diagonal forwards", "diagonal backwards"]


def test_shapes_are_compared_and_told_in_letters() -> None:
    found = compare(library.spec("LSTM"), library.spec("LSTMP"))
    section = {s.name: s for s in found.sections}
    assert not section["outputs"].same
    assert section["outputs"].theirs == ("r: [R]",)
    pair = next(pair for pair in found.parameters if pair.ours and pair.ours.name == "U_i")
    assert pair.theirs
    assert (pair.ours.shape if pair.ours else "", pair.theirs.shape, pair.same_shape) == ("[H, H]", "[H, R]", False)


@pytest.mark.parametrize(("new", "same"), [("p = 0.5", True), ("p = 0.25", False), ("q = 0.5", True)])
def test_defaults_are_compared(new: str, same: bool) -> None:
    assert difference(MEMORY, ("p = 0.5", new)).same == same


def test_a_default_that_names_a_dimension_does_not_depend_on_its_name() -> None:
    ours = "cell A[N, K = N](x: [N]) -> (y: [K]) { param W : [K, N] ~ zeros\n y = W @ x }"
    assert compare(parse(ours), parse(ours.replace("N", "M"))).same
    assert not compare(parse(ours), parse(ours.replace("K = N", "K = 2 * N"))).same


def test_dimensions_are_given_to_both() -> None:
    elman, irnn = library.spec("Elman"), library.spec("IRNN")
    assert "relu in place of tanh" in compare(elman, irnn).summary
    assert "relu" not in compare(elman, irnn, {"squash": "relu", "H": 7}).summary
    with pytest.raises(UsageError, match="did you mean squash"):
        compare(elman, irnn, {"sqash": "relu"})


def test_alike_terms_are_not_tried_in_all_orders() -> None:
    inputs = [f"x_{n}" for n in range(12)]
    text = f"""\
        cell Many[H]({", ".join(f"{name}: [H]" for name in inputs)}) -> (y: [H]) {{
            param {", ".join(f"W_{name}" for name in inputs)} : [H, H] ~ glorot_uniform
            param b : [H] ~ zeros
            y = {" + ".join(f"W_{name} @ {name}" for name in inputs)} + b * tanh(x_0)
        }}
        """
    assert difference(text, ("tanh", "relu")).summary == "relu in place of tanh"


@pytest.mark.parametrize("name", ["Stacked", "GatedFeedback", "ClockworkRNN", "Tagger", "Music", "Translate"])
def test_cells_with_loops_and_defaults_are_the_same_as_themselves(name: str) -> None:
    assert compare(library.spec(name), library.spec(name)).same


# -------------------------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize("letters", ["zrcifo", "abdefg"])
def test_gates_are_named_after_what_they_do(letters: str) -> None:
    text = MEMORY
    for old, new in zip("ifo", letters[3:], strict=True):
        text = text.replace(f" {old} =", f" {new} =").replace(f"{old} *", f"{new} *")
    for source, wanted in (
        (GATED, {"z": "update gate", "r": "reset gate"}),
        (text, dict(zip(letters[3:], ["input gate", "forget gate", "output gate"], strict=True))),
    ):
        cut = Cut.of(parse(source).graph(N=24, H=36))
        assert roles(cut, cut.results()) == wanted


def test_the_cheapest_pairs_are_found() -> None:
    rng = random.Random(0)
    for _ in range(200):
        n, m = rng.randint(0, 4), rng.randint(0, 4)
        costs = [[rng.choice([rng.randint(0, 50), 10**9]) for _ in range(m)] for _ in range(n)]
        left, right = ([rng.randint(0, 40) for _ in range(k)] for k in (n, m))
        total, pairs = assignment(costs, left, right)
        assert total == min(
            sum(costs[i][j] for i, j in zip(rows, columns, strict=True))
            + sum(left[i] for i in range(n) if i not in rows)
            + sum(right[j] for j in range(m) if j not in columns)
            for k in range(min(n, m) + 1)
            for rows in combinations(range(n), k)
            for columns in permutations(range(m), k)
        )
        assert sorted(i for i, _ in pairs if i is not None) == list(range(n))
        assert sorted(j for _, j in pairs if j is not None) == list(range(m))
