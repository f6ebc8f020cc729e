"""What a picture shows: nodes, edges, delays and recurrences."""

from __future__ import annotations

import pytest

from recurrency import library
from recurrency.errors import UsageError
from recurrency.language.elaboration.elaborate import check
from recurrency.model.spec import parse
from recurrency.passes.recurrence import recurrences
from recurrency.pictures import Picture
from recurrency.pictures.sketching.sketch import Kind, Line
from tests.support.drawn import CELLS, picture, shipped
from tests.support.usual import some

PLAIN = """
CIFG CfC ClockworkRNN DeltaNet Elman FastWeights FullPeepholeLSTM GRU GatedDeltaNet GatedFeedback
GatedFeedbackGRU GatedFeedbackLSTM GatedFeedbackSkip IRNN IndRNN Jordan LRU LSTM LSTMP LTC LayerNormLSTM
LinearAttention MGU MLSTM MUT1 MUT2 MUT3 MinGRU MinLSTM MultiplicativeLSTM PlainLSTM QRNN RGLRU RHN S6 SCRN
SLSTM SRU UGRNN UncoupledRHN VariationalLSTM ZoneoutLSTM
""".split()


def edges(drawn: Picture) -> set[str]:
    """`x -> h` for uses at the same step, `x ~> h` for the others; first states are `x .> h`."""
    arrows = {Line.SOLID: "->", Line.DASHED: "~>", Line.DOTTED: ".>"}
    return {f"{e.source} {arrows[e.line]} {e.target}" for e in (*drawn.sketch.edges, *drawn.sketch.feedback)}


def test_a_recurrence_is_a_frame_around_its_equations_and_their_delays() -> None:
    drawn = picture("cell A[H](x: [H]) -> (h: [H]) { state h : [H] = 0\n h = tanh(x + h[t-1]) }")
    assert [loop.members for loop in drawn.sketch.loops] == [("h", "h[t-1]")]
    assert edges(drawn) == {"x -> h", "h[t-1] ~> h", "h ~> h[t-1]", "h -> output:h"}


def test_a_delay_without_a_cycle_stands_outside_of_any_frame() -> None:
    drawn = picture("cell A[H](x: [H]) -> (y: [H]) { y = x + x[t-2] + x[t+1] }")
    assert drawn.sketch.loops == []
    assert {"x ~> x[t-2]", "x[t-2] ~> y", "x ~> x[t+1]", "x[t+1] ~> y", "x -> y"} <= edges(drawn)


def test_another_name_for_a_stream_is_no_node() -> None:
    drawn = picture("cell A[H](x: [H]) -> (y: [H]) { a = x\n b = a\n y = tanh(b) }")
    assert set(drawn.sketch.nodes) == {"x", "y", "output:y"}
    assert drawn.sketch.nodes["y"].label == r"y = \tanh(x)"


def test_loops_are_unrolled_and_conditions_decided() -> None:
    text = "cell A[H, L = 2](x: [H]) -> (y: [H]) { for l in 1..L { z[l] = tanh(x if l == 1 else z[l-1]) }\n y = z[L] }"
    assert edges(picture(text)) == {"x -> z[1]", "z[1] -> z[2]", "z[2] -> output:y"}
    assert "z[3] -> output:y" in edges(picture(text, L=3))


def test_members_that_play_the_same_part_are_one_node() -> None:
    nodes = shipped("GatedFeedback").sketch.nodes
    assert [id for id in nodes if id.startswith("g")] == ["g[i, 1]", "g[i, 2]", "g[i, 3]"]
    assert nodes["g[i, 2]"].label.endswith("\ni=1,2,3")


def test_members_that_are_read_by_different_equations_stay_apart() -> None:
    loop = "for i in 1..3 { g[i] = tanh(x) }"
    drawn = picture(f"cell A[H](x: [H]) -> (y: [H]) {{ {loop}\n z = relu(g[1] + g[2])\n y = z + g[3] }}")
    assert {"g[i] -> z", "g[3] -> y"} <= edges(drawn)


def test_members_with_different_equations_stay_apart() -> None:
    text = "cell A[H](x: [H]) -> (y: [H]) { a[1] = tanh(x)\n a[2] = relu(x)\n y = a[1] + a[2] }"
    assert {"a[1]", "a[2]"} <= set(picture(text).sketch.nodes)


def test_what_is_read_together_a_step_later_is_one_delay() -> None:
    sketch = shipped("GatedFeedback").sketch
    delays = [n for n in sketch.nodes.values() if n.kind is Kind.DELAY]
    assert [n.text for n in delays] == ["h[1][t-1] to h[3][t-1]"]
    assert [e.source for e in sketch.feedback] == ["h[1]", "h[2]", "h[3]"]


def test_a_use_of_a_cell_is_one_box_marked_if_it_has_states() -> None:
    nodes = shipped("FirstElement").sketch.nodes
    boxes = {n.label: n.recurrent for n in nodes.values() if n.kind is Kind.CELL}
    operators = r"\operatorname{Elman}_{H}(x)", r"\operatorname{Linear}_{1}(\operatorname{Elman})"
    assert boxes == dict(zip(operators, (True, False), strict=True))


def test_a_state_without_a_declaration_marks_its_box_and_an_outer_loop_does_not() -> None:
    nodes = shipped("AttentionWindow").sketch.nodes
    assert nodes["w.Position"].recurrent
    inner, outer = "cell B[H](x: [H]) -> (y: [H]) { y = tanh(x) }", "state y : [H] = 0\n y = B(x + y[t-1])"
    assert not picture(f"{inner}\ncell A[H](x: [H]) -> (y: [H]) {{ {outer} }}").sketch.nodes["y"].recurrent


def test_a_cell_of_the_header_is_called_what_it_is() -> None:
    assert any("LSTM" in n.label for n in shipped("FirstElement", Cell="LSTM").sketch.nodes.values())


def test_calls_of_one_instance_are_boxes_and_the_instance_is_none() -> None:
    inner = "cell B[H](x: [H]) -> (y: [H]) { y = tanh(x) }"
    outer = "cell A[H](x: [H], z: [H]) -> (y: [H]) { f = B[H]\n a = f(x)\n y = a + f(z) }"
    drawn = picture(f"{inner}\n{outer}")
    assert {"x -> a", "z -> y.f", "a -> y", "y.f -> y"} <= edges(drawn)
    assert "f" not in drawn.sketch.nodes


def test_first_states_are_handed_over_by_dotted_edges() -> None:
    drawn = shipped("Translate")
    assert {"enc[1] .> dec[1]:from", "dec[1]:from .> dec[1]", "enc[2] .> dec[2]:from"} <= edges(drawn)
    assert "last" in drawn.sketch.nodes["dec[1]:from"].label
    assert "from" not in drawn.sketch.nodes["dec[1]"].label


def test_clocks_are_told_apart() -> None:
    nodes = shipped("Translate").sketch.nodes
    assert {id: nodes[id].clock for id in ("src", "enc[2]", "tgt", "dec[1]", "logits")} == {
        "src": "s",
        "enc[2]": "s",
        "tgt": "t",
        "dec[1]": "t",
        "logits": "t",
    }
    assert "over" in nodes["src"].label


def test_one_value_a_sequence_has_no_clock() -> None:
    drawn = picture("cell A[H](x: [H]) -> (y: [H]) { m = mean_over_time(x)\n y = x - m }")
    assert drawn.sketch.nodes["m"].clock is None
    assert drawn.sketch.nodes["y"].clock == "t"


def test_a_target_that_only_the_loss_reads_is_left_out() -> None:
    assert "tag" not in shipped("Tagger").sketch.nodes


@pytest.mark.parametrize("cell", PLAIN)
def test_recurrences_are_of_the_kind_that_the_compiler_finds(cell: str) -> None:
    spec = library.spec(cell)
    graph = spec.graph(**{d.name: 4 + n for n, d in enumerate(spec.cell.dimensions) if d.default is None})
    drawn = [loop.kind for loop in shipped(cell).sketch.loops]
    assert sorted(drawn) == sorted(loop.kind for loop in recurrences(graph))


@pytest.mark.parametrize(
    ("equation", "kind"),
    [
        ("h = a * h[t-1] + x", "diagonal, affine"),
        ("h = tanh(x + h[t-1])", "diagonal"),
        ("h = U @ h[t-1] + x", "affine"),
        ("h = tanh(U @ h[t-1]) + x", "full"),
        ("h = h[t-1] * h[t-1]", "diagonal"),
        ("h = scale(h[t-1]) + x", "diagonal, affine"),
        ("h = softmax(h[t-1] + x)", "full"),
        ("h = where(x, h[t-1], a)", "diagonal, affine"),
        ("h = x / h[t-1]", "diagonal"),
        ("h = dropout(h[t-1], 0.1) + x", "diagonal, affine"),
    ],
)
def test_kinds_of_recurrences(equation: str, kind: str) -> None:
    head = "fn scale(v) = 2 * v\ncell A[H](x: [H]) -> (h: [H]) { param U : [H, H] ~ zeros\n param a : [H] ~ zeros"
    drawn = picture(f"{head}\n state h : [H] = 0\n {equation} }}")
    assert [loop.kind for loop in drawn.sketch.loops] == [kind]


def test_a_function_of_the_header_is_of_the_kind_that_it_was_given() -> None:
    text = "cell A[H, squash = relu](x: [H]) -> (h: [H]) { state h : [H] = 0\n h = squash(x + h[t-1]) }"
    assert [loop.kind for loop in picture(text).sketch.loops] == ["diagonal"]
    assert [loop.kind for loop in picture(text, squash="softmax").sketch.loops] == ["full"]


def test_too_many_equations_are_no_picture() -> None:
    with pytest.raises(UsageError, match="too many"):
        shipped("Translate", L=150)


def test_a_bound_that_is_not_known_has_the_number_that_the_check_gives_it() -> None:
    text = (
        "cell A[H, L](x: [H]) -> (y: [H]) { for l in 1..L { z[l] = tanh(x if l == 1 else z[l-1]) }\n y = tanh(z[1]) }"
    )
    assert check(parse(text).definition).dimensions["L"] == 3
    assert {"x -> z[1]", "z[1] -> z[2]", "z[2] -> z[3]"} <= edges(picture(text))
    assert "z[4]" not in picture(text).sketch.nodes


def test_what_a_function_reads_is_read_by_the_equation_that_calls_it() -> None:
    text = """
    fn change(a) = a - a[t-2]
    cell A[H](x, z: [H]) -> (y: [H]) {
        fn scaled(a) = a * z
        y = scaled(change(x))
    }"""
    assert {"x -> y", "x ~> x[t-2]", "x[t-2] ~> y", "z -> y"} <= edges(picture(text))


def test_streams_inside_a_cell_are_read_from_its_box() -> None:
    inner = "cell B[H](x: [H]) -> (y: [H]) { state c : [H] = 0\n c = x + c[t-1]\n y = tanh(c[t-2]) }"
    outer = "cell A[H](x: [H]) -> (z: [H]) { u = B(2 * x)\n v = B(u.c)\n z = u.c[t-1] + u.x * v }"
    drawn = picture(f"{inner}\n{outer}")
    assert edges(drawn) == {"x -> u", "u -> v", "u ~> u[t-1]", "u[t-1] ~> z", "u -> z", "v -> z", "z -> output:z"}
    assert drawn.sketch.loops == []


def test_a_loop_through_a_cell_is_of_the_kind_that_the_equations_inside_have_too() -> None:
    cells = {f: f"cell B[H](x: [H]) -> (y: [H]) {{ y = {f}(x) }}" for f in ("tanh", "2 *", "softmax")}
    outer = "cell A[H](x: [H]) -> (y: [H]) { state y : [H] = 0\n y = B(0.5 * y[t-1]) + x }"
    kinds = {f: [loop.kind for loop in picture(f"{cell}\n{outer}").sketch.loops] for f, cell in cells.items()}
    assert kinds == {"tanh": ["diagonal"], "2 *": ["diagonal, affine"], "softmax": ["full"]}


@pytest.mark.parametrize("cell", some(CELLS, 3))
def test_every_shipped_cell_has_a_picture_of_all_its_outputs(cell: str) -> None:
    outputs = {f"output:{port.name}" for port in library.spec(cell).cell.outputs}
    assert outputs <= {edge.target for edge in shipped(cell).sketch.edges}


def test_a_held_use_within_an_expression_is_read_once_however_long_it_is_held() -> None:
    text = "cell Main[N, H](x: [N], m: []) -> (y: [H]) {\nparam q : [H] ~ ones\ny = (GRU[H](x) when m) * q + 1\n}"
    edges = picture(f"use GRU from library\n{text}").sketch.edges
    assert {(e.source, e.target) for e in edges} >= {("x", "y.GRU"), ("m", "y.GRU"), ("y.GRU", "y")}
