"""Notebooks: views of models and runs."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import recurrency as rc
from recurrency.model.views import model_html, run_html

PARSER = """
cell Both[N, H](x: [N], s: index[5]) -> (h: [H], last_h: [H]) {
    param W : [H, N] ~ between(-0.5, 0.5)
    param E : [H, 5] ~ normal(0, 0.1)
    state h : [H] = 0

    h = tanh(W @ x + E @ onehot(s) + h[t-1])
    last_h = last(h)
}
"""
SPEC = rc.parse(PARSER)


def model(batch_first: bool = False) -> rc.Model:
    return SPEC.compile(backend="numpy", N=3, H=4, batch_first=batch_first)


def inputs(steps: int = 5, batch: int = 2) -> dict[str, np.ndarray]:
    return {"x": np.ones((steps, batch, 3), np.float32), "s": np.zeros((steps, batch), int)}


def cells(view: str) -> list[list[str]]:
    """The rows of all tables of a view, which is well-formed."""
    tree = ElementTree.fromstring(view)
    return [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")]


def test_a_model_shows_its_ports_and_parameters() -> None:
    rows = cells(model()._repr_html_())
    assert ["input", "x", "[T, B, N=3]"] in rows
    assert ["input", "s", "[T, B], symbols below 5"] in rows
    assert ["output", "last_h", "[B, H=4]"] in rows
    assert ["W", "4 × 3", "12", "between(-0.5, 0.5)"] in rows
    assert "32 parameters" in model()._repr_html_()
    assert ["output", "h", "[B, T, H=4]"] in cells(model(batch_first=True)._repr_html_())


def test_many_parameters_are_counted() -> None:
    found = rc.library.Stacked.compile(backend="numpy", N=2, H=3, L=15, Cell="LSTM")
    rows = cells(found._repr_html_())
    more = [row[0] for row in rows if row[0].startswith("and ")]
    assert more == [f"and {len(found.parameters) - 40} more"]


def test_a_run_shows_axes_ranges_and_a_line_over_time() -> None:
    net = model()
    run = net.forward(net.init(seed=0), inputs(), streams=["h"])
    rows = {(row[0], row[1]): row for row in cells(run._repr_html_())}
    h = run.outputs["h"]
    assert rows["output", "h"][2:4] == ["5 × 2 × 4", "[T, B, H=4]"]
    assert rows["output", "h"][5] == f"{h.mean():.3g} ± {h.std():.3g}, {h.min():.3g} to {h.max():.3g}"
    assert ("stream", "h") in rows
    assert run._repr_html_().count("<polyline") == 2, "of what has steps, and not of the state"


def test_the_line_follows_time_whatever_the_order_of_axes() -> None:
    found = []
    for first in (False, True):
        net = model(first)
        arrays = inputs() if not first else {n: a.swapaxes(0, 1) for n, a in inputs().items()}
        found.append(net.forward(net.init(seed=0), arrays)._repr_html_().partition("<svg")[2])
    assert found[0].partition("</svg>")[0] == found[1].partition("</svg>")[0] != ""


def test_what_is_not_finite_is_counted_and_has_no_line() -> None:
    net = model()
    run = net.forward(net.init(seed=0), inputs(), keep=False)
    run.outputs["h"][1, 0, 2] = np.nan
    view = run._repr_html_()
    assert "; 1 not finite" in view
    assert "<polyline" not in view


@pytest.mark.parametrize("steps", [0, 1])
def test_a_run_of_no_or_one_step_can_be_shown(steps: int) -> None:
    net = model()
    assert "<table" in net.forward(net.init(seed=0), inputs(steps))._repr_html_()


def test_names_cannot_be_markup() -> None:
    net = model()
    view = model_html(dataclasses.replace(net.interface, name="<script>", dimensions={"F": "a < b"}), "<i>")
    assert "&lt;script&gt;</b> (F = a &lt; b) on &lt;i&gt;" in view
    assert "&lt;img&gt;" in run_html({"output": {"<img>": np.ones(3)}}, None)


def test_a_copied_run_can_be_shown() -> None:
    net = model()
    run = net.forward(net.init(seed=0), inputs(), keep=False)
    for other in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):
        assert other._repr_html_() == run._repr_html_()


@pytest.mark.parametrize(("suffix", "begins"), [("svg", b"<svg"), ("PDF", b"%PDF"), ("dot", b"digraph")])
def test_a_spec_saves_its_picture(suffix: str, begins: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    rc.library.Elman.save_picture(path, H=3)
    assert path.read_bytes().startswith(begins)


def test_a_picture_without_a_format_or_a_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(rc.UsageError, match=r"ends in \.svg, \.png, \.pdf or \.dot, not in '\.docx'"):
        rc.library.Elman.save_picture(tmp_path / "x.docx")
    with pytest.raises(rc.UsageError, match="nowhere"):
        rc.library.Elman.save_picture(tmp_path / "nowhere" / "x.svg")
    with pytest.raises(rc.UsageError, match="no dimension Q"):
        rc.library.Elman.save_picture(tmp_path / "x.svg", Q=3)
