"""The layout of a picture: labels fit, and nothing lies on top of anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, combinations, pairwise

import pytest

from recurrency.pictures.drawing.drawing import Box, Drawing, Path, Point
from recurrency.pictures.drawing.labels import INDENT, make_label, typeset
from recurrency.pictures.sketching.formula import BREAK
from tests.support.drawn import CELLS, picture, shipped
from tests.support.usual import some


@pytest.mark.parametrize("widest", [60.0, 100.0, 400.0])
def test_breaking_a_label_loses_nothing(widest: float) -> None:
    for node in shipped("LSTM").sketch.nodes.values():
        lines = make_label(node.label, 11.0, widest).lines
        assert "".join(line.latex for line in lines) == re.sub(f"{BREAK}\\d", "", node.label)
        assert len(lines) == 1 or widest < 400


LONG = """cell Long[N](x, y, z: [N]) -> (h: [N]) {
    state h : [N] = 0
    a = tanh(x + (y + z) * y) + 0.5 * max(x, y, z) * (h[t-1] - x) + y * (x - y) * (z + y) * (x + z) * (y + z)
    h = sigmoid(concat(x, y, z, tanh(a + x + (y - z))) @ transpose(outer(x, concat(x + y, y, z, a)))) * a
}"""


@pytest.mark.parametrize("widest", [60.0, 100.0, 150.0, 250.0])
def test_a_line_ends_in_brackets_only_where_they_do_not_fit(widest: float) -> None:
    checked = 0
    for node in [*picture(LONG).sketch.nodes.values(), *shipped("LSTM").sketch.nodes.values()]:
        pieces = [(0, node.label.split(BREAK)[0])] + [(int(p[0]), p[1:]) for p in node.label.split(BREAK)[1:]]
        ends = set(accumulate(len(line.latex) for line in make_label(node.label, 11.0, widest).lines))
        starts = list(accumulate((len(text) for _, text in pieces), initial=0))
        for n, (level, _) in enumerate(pieces):
            if n and level and starts[n] in ends and "\n" not in node.label:
                first = max((k for k in range(n) if k == 0 or pieces[k][0] < level), default=0)
                last = next((k for k in range(n + 1, len(pieces)) if pieces[k][0] < level), len(pieces))
                whole = "".join(text for _, text in pieces[first:last])
                assert typeset(whole, 11.0).getsize()[0] + INDENT > widest, (whole, level)
                checked += 1
    assert checked or widest > 200


THREE_STATES = """\
cell A[H](x: [H]) -> (y: [H]) {
    state a : [H] = 0
    state b : [H] = 0
    state c : [H] = 0
    past = a[t-1] + b[t-1] + c[t-1]
    a = tanh(past + x)
    b = relu(past + x)
    c = sigmoid(past + x)
    y = a + b + c
}
"""
"""Three states side by side: the way back of the one in the middle has to go around its neighbours."""


def middle_points(path: Path) -> Iterator[Point]:
    """Points along a path, its ends left out."""
    for (x0, y0), (x1, y1) in pairwise(path.points):
        for step in range(1, 20):
            s = step / 20
            bend = s if path.square else 3 * s * s - 2 * s * s * s
            yield x0 + (x1 - x0) * bend, y0 + (y1 - y0) * s


def inside(point: Point, box: Box, margin: float) -> bool:
    """Whether a point is deeper in a box than the margin."""
    return abs(point[0] - box.x) < box.width / 2 - margin and abs(point[1] - box.y) < box.height / 2 - margin


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share more than their edge."""
    return abs(a.x - b.x) < (a.width + b.width) / 2 and abs(a.y - b.y) < (a.height + b.height) / 2


DRAWINGS: dict[str, tuple[str, dict[str, int | str]]] = {
    **{name: (name, {}) for name in CELLS},
    "one layer": ("GatedFeedback", {"L": 1}),
    "six layers": ("GatedFeedback", {"L": 6}),
    "ten LSTMs": ("Translate", {"L": 5}),
    "three states": (THREE_STATES, {}),
}


@pytest.fixture(params=[*some(CELLS, 6), *(name for name in DRAWINGS if name not in CELLS)])
def drawing(request: pytest.FixtureRequest) -> Drawing:
    what, sizes = DRAWINGS[request.param]
    return (picture if "cell" in what else shipped)(what, **sizes).drawing


def test_no_two_boxes_overlap(drawing: Drawing) -> None:
    assert [(a.node.id, b.node.id) for a, b in combinations(drawing.boxes, 2) if overlap(a, b)] == []


def test_no_edge_runs_through_a_box(drawing: Drawing) -> None:
    struck = {b.node.id for p in drawing.paths for q in middle_points(p) for b in drawing.boxes if inside(q, b, 1.0)}
    assert struck == set()


def test_no_edge_runs_through_the_caption_of_a_frame(drawing: Drawing) -> None:
    for frame in drawing.frames:
        (x, y), label = frame.label_at, frame.label
        for path in drawing.paths:
            assert not any(x < px < x + label.width and y < py < y + label.height for px, py in middle_points(path))


def test_everything_lies_in_the_picture(drawing: Drawing) -> None:
    for box in drawing.boxes:
        assert box.width / 2 <= box.x <= drawing.width - box.width / 2
        assert box.height / 2 <= box.y <= drawing.height - box.height / 2
    for path in drawing.paths:
        assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in path.points)


def test_labels_fit_their_boxes(drawing: Drawing) -> None:
    assert [b.node.id for b in drawing.boxes if b.label.width > b.width - 8 or b.label.height > b.height - 5] == []


@pytest.mark.parametrize("cell", some(CELLS, 3))
def test_a_frame_holds_its_recurrence_and_nothing_else(cell: str) -> None:
    drawn = shipped(cell)
    for loop, frame in zip(drawn.sketch.loops, drawn.drawing.frames, strict=True):
        for box in drawn.drawing.boxes:
            within = frame.x < box.x < frame.x + frame.width and frame.y < box.y < frame.y + frame.height
            assert within == (box.node.id in loop.members)


@pytest.mark.parametrize("cell", ["LSTM", "GatedFeedback", "Translate"])
def test_a_picture_fits_the_column_of_a_paper(cell: str) -> None:
    assert shipped(cell).drawing.width <= 425
