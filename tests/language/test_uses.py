"""Promises about cells in cells, clocks, randomness and losses."""

from __future__ import annotations

import numpy as np
import pytest

import recurrency as rc
from tests.support.elaborating import B, T, arrays, cell, elaborated, numbers, run, same

USE = "use LSTM, GRU, Elman, Linear, PlainLSTM from library\n"
SUM = "cell Sum[N](x: [N]) -> (s: [N]) {\n    state s : [N] = 0\n    s = s[t-1] + x\n}\n"
BEST = "cell Best[N](q: [N], k: [N] over s) -> (y: [N]) {\n    y = attend(q, k, k)\n}\n"


# ------------------------------------------------------------------------------------------------- cells in cells


def test_a_use_is_the_cell_written_out_with_parameters_of_its_own() -> None:
    text = "use Linear from library\n" + cell("a = Linear[N](x)", "y = Linear[N](a) + Linear[N](a)")
    assert list(elaborated(text, N=2, H=1).parameters) == [
        *("a.W", "a.b", "y.Linear.W", "y.Linear.b", "y.Linear_2.W", "y.Linear_2.b")
    ]


def test_a_use_alone_means_its_first_output_and_any_stream_inside_is_read_by_name() -> None:
    text = USE + cell("fwd = LSTM[N](x)", "y = fwd + fwd.c + fwd.i + fwd[t-1] + fwd.c[t-1] + fwd.b_i")
    results = run(text, N=2, H=1)
    h, c, i = (results[f"stream:fwd.{n}"] for n in "hci")
    before = [np.concatenate([np.zeros((1, B, 2)), s[:-1]]) for s in (h, c)]
    bias = arrays(elaborated(text, N=2, H=1))["fwd.b_i"]
    assert np.allclose(results["output:y"], h + c + i + sum(before) + bias)


def test_calls_of_one_instance_share_parameters_and_have_own_states() -> None:
    lines = ["shared = Elman[N]", "a = shared(x)", "b = shared(2 * x)", "y = a + b"]
    result = elaborated(USE + cell(*lines), N=2, H=1)
    assert list(result.parameters) == ["shared.W", "shared.U", "shared.b"]
    assert set(result.starts) == {"a.h", "b.h"}


def test_a_family_of_instances_has_parameters_for_each_member() -> None:
    text = USE + cell("for l in 1..2 { f[l] = Linear[N] }", "y = f[1](x) + f[2](x) + f[1](2 * x)")
    assert list(elaborated(text, N=2, H=1).parameters) == ["f[1].W", "f[1].b", "f[2].W", "f[2].b"]


def test_a_stack_reads_inside_of_its_members() -> None:
    lines = ["for l in 1..3 { enc[l] = Elman[N](x if l == 1 else enc[l-1]) }", "y = enc[3] + enc[2].h[t-1]"]
    results = run(USE + cell(*lines), N=2, H=1)
    before = np.concatenate([np.zeros((1, B, 2)), results["stream:enc[2].h"][:-1]])
    assert np.allclose(results["output:y"], results["stream:enc[3]"] + before)


def test_members_of_families_inside_of_a_use_are_read_by_index() -> None:
    inner = cell("for i in 1..2 { a[i] = i * x }", "y = a[1]", header="Inner[N](x: [N]) -> (y: [N])")
    assert same(inner + cell("u = Inner(x)", "y = u.a[2]"), cell("y = 2 * x"), N=2, H=1)


def test_from_hands_over_first_states() -> None:
    lines = ["a = Sum(x)", "b = Sum(x) from (s = last(a.s) + 1)", "y = b"]
    results = run(SUM + cell(*lines), N=2, H=1)
    a = results["stream:a.s"]
    assert np.allclose(results["output:y"], a + a[-1] + 1)


def test_dimensions_follow_from_the_arguments_or_are_written_in_order_or_by_name() -> None:
    for brackets in ("[H]", "[N, H]", "[H = H]", "[H, N = N]"):
        text = USE + cell(f"a = PlainLSTM{brackets}(x)", "y = x")
        assert elaborated(text, N=2, H=3).parameters["a.W_i"].shape == (3, 2)


def test_cells_and_functions_are_arguments_of_cells() -> None:
    header = "Top[N, H, Cell = Elman, squash = tanh](x: [N]) -> (y: [H])"
    text = USE + cell("a = Cell[H](x)", "y = squash(a)", header=header)
    assert "a.h" in elaborated(text, N=2, H=3).starts
    assert set(elaborated(text, N=2, H=3, Cell="LSTM", squash="sigmoid").starts) == {"a.h", "a.c"}


def test_cells_that_take_cells_are_arguments_too() -> None:
    inner = cell("y = Cell[H](x)", header="Wrapped[N, H, Cell = Elman](x: [N]) -> (y: [H])")
    twice = cell("a = Cell[H](x)", "y = Cell[H](a)", header="Twice[N, H, Cell = Elman](x: [N]) -> (y: [H])")
    text = (
        USE
        + inner
        + twice
        + cell("y = Twice[H, Cell = Wrapped[Cell = LSTM]](x)", header="Top[N, H](x: [N]) -> (y: [H])")
    )
    assert set(elaborated(text, N=2, H=3).starts) == {f"y.{n}.y.{s}" for n in "a" for s in "hc"} | {
        "y.y.y.h",
        "y.y.y.c",
    }


def test_an_entry_of_the_outer_header_is_handed_on() -> None:
    inner = cell("y = f(x)", header="Inner[N, f = tanh](x: [N]) -> (y: [N])")
    text = inner + cell("y = Inner[f = g](x)", header="Top[N, g = sigmoid](x: [N]) -> (y: [N])")
    assert same(text, cell("y = sigmoid(x)", header="Top[N](x: [N]) -> (y: [N])"), N=2)


def test_a_feedback_may_lead_through_a_used_cell() -> None:
    lines = ["ctx = tanh(dec)", "dec = Elman[N](concat(x, ctx[t-1]))", "y = dec"]
    declared = ["state ctx : [N] = 0", *lines]
    assert same(USE + cell(*lines), USE + cell(*declared), N=2, H=1)


@pytest.mark.parametrize("depth", [3, 300])
def test_cells_may_be_nested_deeply(depth: int) -> None:
    header = "A{}[N](x: [N]) -> (y: [N])"
    cells = [cell("y = tanh(x)", header=header.format(0))]
    cells += [cell(f"y = A{i}(x) + 1", header=header.format(i + 1)) for i in range(depth)]
    assert same("".join(cells), cell(f"y = tanh(x) + {depth}", header=header.format("")), N=2)


# ------------------------------------------------------------------------------------------- clocks, whole streams


def test_streams_on_two_clocks_meet_in_attend_only() -> None:
    text = cell("y = attend(x, src, src)", header="Two[N](src: [N] over s, x: [N]) -> (y: [N])")
    given = {"src": np.random.default_rng(0).normal(size=(7, B, 2))}
    results = run(text, given, N=2)
    scores = np.einsum("tbn,sbn->tbs", results["stream:x"], given["src"])
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    assert np.allclose(results["output:y"], np.einsum("tbs,sbn->tbn", weights, given["src"]))
    assert numbers(cell("y = x + src", header="Two[N](src: [N] over s, x: [N]) -> (y: [N])")) == [28]


def test_a_used_cell_runs_over_the_clock_of_its_arguments() -> None:
    lines = ["a = Sum(src)", "b = Best(x, src)", "y = last(a) + b"]
    top = cell(*lines, header="Two[N](src: [N] over s, x: [N]) -> (y: [N])")
    result = elaborated(SUM + BEST + top, N=2)
    graph = result.graph
    assert graph[graph.roots["stream:a"]].type.clock == "s"
    assert result.clocks == ("s", "t")


def test_states_run_over_the_clock_that_all_inputs_have() -> None:
    text = cell("state h : [N] = 0", "h = h[t-1] + x", header="Other[N](x: [N] over s) -> (h: [N])")
    assert elaborated(text, N=2).outputs["h"].clock == "s"


def test_outputs_may_run_over_another_clock_than_t() -> None:
    header = "Two[N](src: [N] over s, x: [N]) -> (y: [N], z: [N] over s)"
    result = elaborated(cell("y = x + last(z)", "z = src + src[t-1]", header=header), N=2)
    assert [result.outputs[n].clock for n in "yz"] == ["t", "s"]


def test_whole_streams_respect_the_length_of_each_sequence() -> None:
    lines = ["r = reverse(x)", "f = first(x)", "l = last(x)", "s = sum_over_time(x)", "m = mean_over_time(x)", "y = x"]
    lengths = [5, 2, 1]
    results = run(cell(*lines), options={"lengths": {"t": lengths}}, N=2, H=1)
    x = run(cell("y = x"), N=2, H=1)["output:y"]
    for b, n in enumerate(lengths):
        own = x[:n, b]
        assert np.allclose(results["stream:r"][:n, b], own[::-1])
        for name, value in zip("flsm", (own[0], own[-1], own.sum(0), own.mean(0)), strict=True):
            assert np.allclose(results[f"stream:{name}"][b], value)


# ------------------------------------------------------------------------------------------------- symbols, randomness


def test_no_symbol_before_the_start_is_embedded_as_zero() -> None:
    lines = ["param E : [V, N] ~ zeros", "e = embed(E, w[t-1])", "o = onehot(w[t-2])", "y = embed(E, w)"]
    results = run(cell(*lines, header="Words[V, N](w: index[V]) -> (y: [N])"), V=4, N=2)
    assert not results["stream:e"][0].any()
    assert not results["stream:o"][:2].any()
    assert np.allclose(results["stream:e"][1:], results["output:y"][:-1])
    assert np.allclose(results["stream:o"][2:].sum(-1), 1)


@pytest.mark.parametrize(
    ("expression", "rest"), [("dropout(x, 0.5)", "x"), ("noise(x, 3)", "x"), ("zoneout(x, 2 * x, 0.25)", "1.25 * x")]
)
def test_random_values_rest_out_of_training(expression: str, rest: str) -> None:
    assert same(cell(f"y = {expression}"), cell(f"y = {rest}"), N=3, H=1)


def test_each_place_of_a_random_draw_has_draws_of_its_own() -> None:
    lines = ["y = dropout(x, 0.5) + 0 * dropout(x, 0.5)", "a = dropout(x, 0.5)", "b = dropout(x, 0.5, per = sequence)"]
    results = run(cell(*lines), options={"training": True}, N=20, H=1)
    masks = {n: results[f"stream:{n}"] != 0 for n in "yab"}
    assert not np.array_equal(masks["y"], masks["a"])
    assert (masks["b"] == masks["b"][0]).all()
    assert not (masks["a"] == masks["a"][0]).all()


def test_draws_do_not_depend_on_other_equations() -> None:
    one, two = cell("y = dropout(x, 0.5)"), cell("a = dropout(x, 0.5)", "b = noise(x, 1)", "y = dropout(x, 0.5)")
    found = [run(text, options={"training": True, "seed": 3}, N=9, H=1)["output:y"] for text in (one, two)]
    assert np.array_equal(*found)


# -------------------------------------------------------------------------------------------------------------- losses


def test_loss_lines_are_averaged_over_what_they_vary_over_and_summed() -> None:
    lines = ["param W : [N] ~ ones", "y = x * W", "loss sum(y)", "loss 2 * sum(last(x))", "loss l2(W)"]
    results = run(cell(*lines), options={"lengths": {"t": [5, 2, 1]}}, N=2, H=1)
    text = cell("param W : [N] ~ ones", "y = x * W")
    whole, weights = run(text, N=2, H=1), arrays(elaborated(text, N=2, H=1))["W"]
    steps = [whole["output:y"][:n, b].sum(-1) for b, n in enumerate([5, 2, 1])]
    ends = [2 * whole["stream:x"][n - 1, b].sum() for b, n in enumerate([5, 2, 1])]
    assert np.isclose(results["loss"], np.concatenate(steps).mean() + np.mean(ends) + (weights**2).sum())


def test_losses_of_used_cells_count() -> None:
    inner = cell("y = x", "loss sum(y)", header="Inner[N](x: [N]) -> (y: [N])")
    results = run(inner + cell("y = Inner(x)"), N=2, H=1)
    assert np.isclose(results["loss"], results["stream:x"].sum(-1).mean())


def test_predictions_of_losses_are_remembered_once_each() -> None:
    lines = ["e = squared_error(y, 2 * x)", "y = tanh(x)", "loss e", "loss binary_cross_entropy(sigmoid(y), x)"]
    assert elaborated(cell(*lines), N=2, H=1).curvatures == 2


def test_gradients_are_stopped_and_cut_without_a_change_of_values() -> None:
    assert same(cell("y = stop_grad(x) + clip_grad(x, 1)"), cell("y = 2 * x"), N=2, H=1)
    model = rc.parse(cell("y = clip_grad(x, 0.5) + stop_grad(x)")).compile("interpreter", N=2, H=1)
    ran = model.forward(model.init(), np.ones((T, B, 2)))
    assert np.allclose(model.backward(ran, {"y": np.full((T, B, 2), 3.0)}).inputs["x"], 0.5)


def test_an_instance_within_an_instance_is_shared_by_all_calls() -> None:
    """Its parameters have the name of the outer instance, not those of the calls."""
    spec = rc.parse("""
        cell Inner[H](x: [H]) -> (y: [H]) {
            param w : [H] ~ ones
            y = w * x
        }
        cell Middle[H](x: [H]) -> (y: [H]) {
            both = Inner
            y    = both(x) + both(2 * x)
        }
        cell Outer[H](x: [H]) -> (y: [H]) {
            reader = Middle
            a      = reader(x)
            b      = reader(a)
            y      = a + b
        }""")
    model = spec.compile(backend="numpy", dtype="float64", H=2)
    assert list(model.parameters) == ["reader.both.w"]
    assert model.forward(model.init(), np.ones((1, 1, 2))).outputs["y"].ravel().tolist() == [12.0, 12.0]


def test_a_dimension_that_is_written_has_to_be_that_of_the_input() -> None:
    text = """
        cell Inner[N, H](x: [N]) -> (y: [H]) {
            param W : [H, N] ~ zeros
            y = W @ x
        }
        cell Outer(x: [4]) -> (y: [2]) {
            y = Inner[N = 3, H = 2](x)
        }"""
    with pytest.raises(rc.SpecError, match="the input x of Inner is \\[3\\], but x is \\[4\\]"):
        rc.parse(text).compile(backend="numpy")
