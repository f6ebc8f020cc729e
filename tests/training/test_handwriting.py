"""Texts with the strokes of a pen, and networks that write them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.generating import Choice, generate
from recurrency.generating.kinds import kind_of, past
from recurrency.generating.steps import Ahead, Writer
from recurrency.training.data.jhf import read_font
from recurrency.training.tasks import TASKS, Settings
from recurrency.training.tasks.handwriting import ALPHABET, Pen, phrase
from tests.support.task_data import counts, epoch
from tests.training.test_text_tasks import built

H = "    8  9MWOMOV RUMUV ROQUQ"
"""The example of the fonts' notice: between -5 and 5, three strokes."""


def font(folder: Path, *, line: str = H, lines: int = 96) -> Path:
    """A font whose letters are all alike."""
    path = folder / "hershey_rowmans.jhf"
    path.write_text("\n".join(["  699  1JZ", *[H] * (lines - 2), line]) + "\n", encoding="latin-1")
    return path


# ------------------------------------------------------------------------------------------------------------ fonts


def test_a_glyph_is_its_margins_and_strokes(tmp_path: Path) -> None:
    glyphs = read_font(font(tmp_path))
    assert (glyphs["a"].left, glyphs["a"].right) == (-5, 5)
    assert [stroke.tolist() for stroke in glyphs["a"].strokes] == [
        [[-3, -5], [-3, 4]],
        [[3, -5], [3, 4]],
        [[-3, -1], [3, -1]],
    ]
    assert (glyphs[" "].right, glyphs[" "].strokes) == (8, ())
    assert len(glyphs) == 96


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"lines": 95}, "has 95 glyphs; a font in JHF has 96"),
        ({"line": "    8  9MWOMOV"}, r"line 96: 6 characters after the 8th; its count of pairs is '9'"),
        ({"line": "    8  xMW"}, "line 96: 2 characters after the 8th; its count of pairs is 'x'"),
        ({"line": "    8  0"}, "line 96: 0 characters"),
        ({"line": ""}, "line 96"),
    ],
)
def test_damaged_fonts_are_named_with_their_line(tmp_path: Path, how: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_font(font(tmp_path, **how))


# ------------------------------------------------------------------------------------------------------------- task


def test_letters_stand_side_by_side_and_the_pen_is_lifted_behind_each_stroke(tmp_path: Path) -> None:
    pen = Pen(read_font(font(tmp_path)), 0.0)
    steps = pen.write("a b", np.random.default_rng(0))
    points = np.cumsum(steps[:, :2], 0)
    first = np.array([[2, -5], [2, 4], [8, -5], [8, 4], [2, -1], [8, -1]])
    np.testing.assert_allclose(points, np.concatenate([first, first + np.array([26, 0])]), atol=1e-12)
    np.testing.assert_array_equal(steps[:, 2], [0, 1] * 6)


def test_jitter_moves_points_a_little_and_each_time_differently(tmp_path: Path) -> None:
    glyphs, rng = read_font(font(tmp_path)), np.random.default_rng(0)
    exact = Pen(glyphs, 0.0).write("ab", rng)
    near = np.stack([Pen(glyphs, 0.1).write("ab", rng) for _ in range(300)])
    assert (near[:, :, 2] == exact[:, 2]).all()
    off = abs(near.mean(0) - exact)[:, :2]
    assert off.max() < 0.1
    assert (near.std(0)[:, :2] > 0.01).all()


def test_texts_have_single_spaces_inside() -> None:
    rng = np.random.default_rng(0)
    texts = [phrase(rng, 2, 6) for _ in range(500)]
    assert {len(text) for text in texts} == {2, 3, 4, 5, 6}
    assert all(text == " ".join(text.split()) for text in texts)
    assert set("".join(texts)) == set(ALPHABET)


def test_steps_are_divided_by_their_deviations_and_belong_to_their_text(tmp_path: Path) -> None:
    data = font(tmp_path)
    task = TASKS["hershey"].build(Settings(data=data, batch=8), steps=3, held=10, jitter=0.0)
    assert counts(task) == {"train": 24, "valid": 10, "test": 10}
    scale = np.array(task.facts["scale"])
    for batch in epoch(task):
        assert isinstance(batch.lengths, dict)
        for b in range(8):
            symbols = batch.inputs["text"][: batch.lengths["s"][b], b]
            text = "".join(task.facts["vocabulary"]["text"][symbol] for symbol in symbols)
            x = batch.inputs["x"][: batch.lengths["t"][b], b]
            wanted = Pen(read_font(data), 0.0).write(text, np.random.default_rng(0))
            np.testing.assert_allclose(x * [*scale, 1], wanted, atol=1e-6)
    assert task.facts["pace"] == pytest.approx(6, rel=0.2)  # six points a letter, none a space


def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = font(tmp_path)
    with pytest.raises(UsageError, match="the option longest of hershey must be at least 5"):
        TASKS["hershey"].build(Settings(data=data), least=5, longest=3)
    with pytest.raises(UsageError, match="the option font of hershey must be rowmans or"):
        TASKS["hershey"].build(Settings(data=data), font="gothic")
    data.write_text("\n".join(["  699  1JZ"] * 96), encoding="latin-1")
    with pytest.raises(UsageError, match="has no strokes for a, b, c"):
        TASKS["hershey"].build(Settings(data=data))
    monkeypatch.chdir(tmp_path / "..")
    monkeypatch.delenv("RECURRENCY_DATA", raising=False)
    with pytest.raises(UsageError, match=r"hershey_scripts.jhf is not at data/.*hershey-fonts \(with its notice\)"):
        TASKS["hershey"].build(Settings(), font="scripts")


@pytest.mark.parametrize("name", ["rowmans", "scripts"])
def test_shipped_fonts_have_all_letters(name: str) -> None:
    task = built("hershey", font=name, held=5, steps=1)
    assert next(iter(task.test())).inputs["x"].shape[2] == 3


# ---------------------------------------------------------------------------------------------------------- writing

TEXT = np.array([3, 1, 2])
SMALL = {"V": 4, "H": 3, "M": 2, "L": 2, "K": 2}


def writer(scale: float, **biases: list[float]) -> tuple[Any, Any]:
    """A small network that writes; the last parts of names are enough."""
    model = rc.library.Handwriting.compile(dtype="float64", **SMALL)
    params = scale * model.init(seed=1)
    views = model.views(params)
    for name, values in biases.items():
        views[next(n for n in views if n.endswith((f"{name}.b", f".{name}")))][...] = values
    return model, params


def test_a_network_with_a_window_writes_its_text() -> None:
    model, params = writer(1.0)
    assert kind_of(Writer(model, params)).name == "hand"
    first, second = generate(model, params, 7, source=TEXT, samples=2, seed=3)
    assert first.values.shape[1] == 3
    assert len(first.values) <= 7
    whole = np.concatenate([first.values, np.zeros((1, 3))])[:, None]
    with_text = model.forward(params, {"text": TEXT[:, None], "x": whole})
    writing = Writer(model, params)
    ahead = writing.begin(1, source=TEXT)
    for t, values in enumerate(first.values):
        np.testing.assert_allclose(ahead.outputs["kappa"], with_text.outputs["kappa"][t], rtol=1e-12)
        np.testing.assert_allclose(ahead.outputs["mu_1"], with_text.outputs["mu_1"][t], rtol=1e-10)
        ahead = writing.advance(ahead, values[None])
    assert first.values.tolist() != second.values.tolist()


def test_it_ends_where_the_window_is_past_the_text() -> None:
    """Each bump moves by one half a step and is narrow: past a text of 3 from kappa = 3.5 on, which is not above."""
    for length in (1, 3):
        model, params = writer(0.0, b_a=[0.0, 0.0], b_b=[1.0, 1.0], b_k=[math.log(0.5), math.log(0.5)])
        (piece,) = generate(model, params, 100, source=TEXT[:length], seed=0)
        steps = np.arange(1, 100)
        kappa = 0.5 * steps
        u = np.arange(1, length + 2)[:, None]
        phi = 2 * np.exp(-np.e * (kappa - u) ** 2)
        over = (phi[-1] > phi[:-1]).all(0)
        assert len(piece.values) == steps[over.argmax()] - 1


def test_each_sample_ends_by_itself() -> None:
    text = np.array([[0, 0], [1, 1], [2, 2]])
    outputs = {"alpha": [[1.0], [1.0]], "beta": [[1.0], [1.0]], "kappa": [[3.4], [3.6]]}
    ahead = Ahead({name: np.array(value) for name, value in outputs.items()}, None, {"text": text})
    assert past(ahead).tolist() == [False, True]


def test_a_bias_narrows_the_gaussians_and_prefers_the_likely_ones() -> None:
    b, p = 0.7, 0.25
    model, params = writer(
        0.0, pi_hat=[math.log(1 - p), math.log(p)], mu_1=[0.0, 100.0], sigma_1_hat=[0.5, 0.5], b_k=[-40.0, -40.0]
    )
    pieces = generate(model, params, 50, source=TEXT, samples=100, choice=Choice(bias=b))
    x = np.concatenate([piece.values for piece in pieces])[:, 0]
    far = x > 50
    likely = p ** (1 + b) / (p ** (1 + b) + (1 - p) ** (1 + b))
    assert abs(far.mean() - likely) < 5 * math.sqrt(likely * (1 - likely) / len(x))
    sigma = math.exp(0.5 - b)
    assert abs(x[~far].std() - sigma) < 5 * sigma / math.sqrt(2 * (~far).sum())


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"bias": -1.0}, "the bias must be at least 0, not -1"),
        ({"bias": math.nan}, "the bias must be at least 0"),
        ({"bias": 1.0, "temperature": 0.5}, "a bias and a temperature do the same"),
        ({"bias": 1.0, "temperature": 0.0}, "a bias and a temperature do the same"),
    ],
)
def test_biases_that_mean_nothing_are_refused(how: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Choice(**how)
