"""A model writes on by itself: step by step as over the whole, greedily, by draws, by beam search."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import ShapeError, UsageError
from recurrency.generating import Beam, Choice, Piece, generate
from recurrency.generating.choice import Dice, log_softmax, picked
from recurrency.generating.kinds import kind_of
from recurrency.generating.steps import Writer

V, END = 4, 3

BEFORE = """
use GRU, Linear from library

cell Before[V, H](w: index[V]) -> (p: [V]) {
    p = softmax(Linear[V](GRU[H](onehot(w[t-1]))))
    loss cross_entropy(log(p), w)
}
"""
REGRESSION = """
use GRU, Linear from library

cell Regression[N, H](x: [N]) -> (y: [N]) {
    y = Linear[N](GRU[H](x[t-1]))
    loss squared_error(y, x)
}
"""


def made(name: str, scale: float = 3.0, **dimensions: Any) -> tuple[Any, Any]:
    """A small model, with parameters large enough that what it says depends on what it read."""
    spec = rc.parse(name) if "cell" in name else rc.library.spec(name)
    model = spec.compile(dtype="float64", **dimensions)
    return model, scale * model.init(seed=1)


CHARACTERS = made("CharacterModel", V=V, H=5, Cell="GRU")
EARLIER = made(BEFORE, V=V, H=5)
both = pytest.mark.parametrize("made", [CHARACTERS, EARLIER], ids=["reads-now", "reads-before"])


def log_probability(model: Any, params: Any, symbols: list[int], start: list[int]) -> float:
    """Of these symbols after those, from one run over all of them."""
    text = np.array([*start, *symbols])
    if "target" in model.inputs:
        scores = model.forward(params, {"x": text[:, None], "target": text[:, None]}).output[:, 0]
        steps = log_softmax(scores)[len(start) - 1 : -1]
    else:
        steps = np.log(model.forward(params, text[:, None]).output[len(start) :, 0])
    return float(sum(row[symbol] for row, symbol in zip(steps, symbols, strict=True)))


def test_each_model_is_known_for_how_it_reads() -> None:
    assert not Writer(*CHARACTERS).reads_before
    assert Writer(*EARLIER).reads_before
    assert [kind_of(Writer(*m)).name for m in (CHARACTERS, EARLIER, made("Music", H=3))] == ["symbols"] * 2 + ["keys"]


@both
def test_probabilities_step_by_step_are_those_of_the_whole_run(made: tuple[Any, Any]) -> None:
    for piece in generate(*made, 12, start=[1, 2], samples=3, choice=Choice(1.7)):
        assert len(piece.values) == 12
        whole = log_probability(*made, piece.values.tolist(), [1, 2])
        assert abs(piece.likely - whole) < 12 * V * 1e-13 * max(1, abs(whole))


@both
def test_greedy_is_the_likeliest_symbol_at_each_step(made: tuple[Any, Any]) -> None:
    (piece,) = generate(*made, 10, start=[2], choice=Choice(0))
    for n in range(10):
        before, likely = [2, *piece.values[:n].tolist()], int(piece.values[n])
        told = [log_probability(*made, [symbol], before) for symbol in range(V)]
        assert int(np.argmax(told)) == likely


@both
def test_the_likeliest_of_one_and_a_beam_of_one_are_greedy(made: tuple[Any, Any]) -> None:
    (greedy,) = generate(*made, 15, start=[2], choice=Choice(0), end=END)
    (top,) = generate(*made, 15, start=[2], choice=Choice(1.3, top=1), end=END)
    (beam,) = generate(*made, 15, start=[2], beam=Beam(1), end=END)
    assert greedy.values.tolist() == top.values.tolist() == beam.values.tolist()
    assert greedy.likely == pytest.approx(beam.likely, rel=1e-12)


def every(steps: int) -> list[list[int]]:
    """All sequences of so many symbols, and all shorter ones that end with the symbol END and have it nowhere else."""
    out = [list(s) for n in range(steps) for s in itertools.product(range(V), repeat=n)]
    out = [[*s, END] for s in out if END not in s]
    return out + [list(s) for s in itertools.product(range(V), repeat=steps) if END not in s]


@both
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_finds_what_trying_all_sequences_finds(made: tuple[Any, Any], penalty: float) -> None:
    steps, beam = 4, Beam(V**4, penalty)
    all_of_them = every(steps)
    ranked = sorted(all_of_them, key=lambda s: -log_probability(*made, s, [0]) / ((5 + len(s)) / 6) ** penalty)
    found = generate(*made, steps, start=[0], beam=beam, samples=6, end=END)
    assert [piece.values.tolist() for piece in found] == ranked[:6]
    assert found[0].likely == pytest.approx(log_probability(*made, ranked[0], [0]), rel=1e-12)
    assert len(generate(*made, steps, start=[0], beam=beam, samples=V**4, end=END)) == len(all_of_them)


def test_the_length_penalty_makes_longer_sequences_win() -> None:
    model, params = made("CharacterModel", 0.0, V=V, H=2)
    model.views(params)["logits.b"][...] = np.log([0.3, 0.2, 0.1, 0.4])  # 0.4 at once, or 0.3 * 0.4, 0.3 * 0.3 * 0.4
    short, long = (generate(model, params, 6, start=[0], beam=Beam(300, a), end=END)[0] for a in (0.0, 5.0))
    assert (short.values.tolist(), long.values.tolist()) == ([END], [0] * 5 + [END])
    one, two = math.log(0.4), math.log(0.3 * 0.4)
    assert Beam(1, 0.6).rank(two, 2) == pytest.approx(two / (7 / 6) ** 0.6)
    assert Beam(1).rank(one, 1) == one


def fixed(p: list[float]) -> tuple[Any, Any]:
    """A model that says the same at each step."""
    model, params = made("CharacterModel", 0.0, V=len(p), H=1)
    model.views(params)["logits.b"][...] = np.log(p)
    return model, params


@pytest.mark.parametrize(("temperature", "top"), [(1.0, None), (0.5, None), (2.0, 3)])
def test_draws_are_as_frequent_as_they_should_be(temperature: float, top: int | None) -> None:
    p = np.array([0.5, 0.05, 0.3, 0.15])
    wanted = p ** (1 / temperature)
    if top is not None:
        wanted[np.argsort(-p)[top:]] = 0
    wanted /= wanted.sum()
    pieces = generate(*fixed(p.tolist()), 50, start=[0], samples=200, seed=3, choice=Choice(temperature, top))
    counts = np.bincount(np.concatenate([piece.values for piece in pieces]), minlength=4)
    n, there = counts.sum(), wanted > 0
    assert (counts[~there] == 0).all()
    chi = float(((counts - n * wanted)[there] ** 2 / (n * wanted[there])).sum())
    free = int(there.sum()) - 1
    assert chi < free + 2 * math.sqrt(free * 14) + 2 * 14  # exceeded with exp(-14): Laurent & Massart 2000, lemma 1


def test_a_sample_is_the_same_among_few_and_among_many_and_other_for_another_seed() -> None:
    few, many = (generate(*CHARACTERS, 20, start=[0], samples=n, seed=5) for n in (2, 7))
    assert [p.values.tolist() for p in few] == [p.values.tolist() for p in many[:2]]
    assert few[0].values.tolist() != few[1].values.tolist()
    assert few[0].values.tolist() != generate(*CHARACTERS, 20, start=[0], seed=6)[0].values.tolist()


def test_all_backends_write_the_same() -> None:
    spec, params = rc.library.CharacterModel, CHARACTERS[1]
    texts = []
    for backend in ("interpreter", "numpy", "torch"):
        model = spec.compile(backend=backend, dtype="float64", V=V, H=5, Cell="GRU")
        texts.append(generate(model, params, 8, start=[0], seed=2)[0].values.tolist())
    assert texts[0] == texts[1] == texts[2]


def test_batch_first_models_write_the_same() -> None:
    model = rc.library.CharacterModel.compile(dtype="float64", batch_first=True, V=V, H=5, Cell="GRU")
    one, other = (generate(m, CHARACTERS[1], 9, start=[0, 1], samples=2) for m in (model, CHARACTERS[0]))
    assert [p.values.tolist() for p in one] == [p.values.tolist() for p in other]


def test_a_sequence_stops_behind_its_end_and_the_others_go_on() -> None:
    pieces = generate(*fixed([0.4, 0.2, 0.2, 0.2]), 60, start=[0], samples=20, end=END)
    assert all(p.values.tolist().index(END) == len(p.values) - 1 for p in pieces if END in p.values)
    assert len({len(p.values) for p in pieces}) > 3
    for piece in pieces:
        told = np.log(np.array([0.4, 0.2, 0.2, 0.2]))[piece.values].sum()
        assert piece.likely == pytest.approx(told, rel=1e-12)


TRANSLATORS = ("Translate", "EncoderDecoder", "LuongAttention", "BahdanauAttention")


@pytest.mark.parametrize("name", TRANSLATORS)
def test_translations_step_by_step_are_as_likely_as_in_one_run(name: str) -> None:
    model, params = made(name, V=5, K=V, H=4, N=3)
    source = np.array([4, 0, 2])

    def likely(symbols: np.ndarray[Any, Any]) -> float:
        scores = model.forward(params, {"src": source[:, None], "tgt": symbols[:, None]}).output[:, 0]
        return float(log_softmax(scores)[np.arange(len(symbols)), symbols].sum())

    for piece in generate(model, params, 6, source=source, samples=2, seed=1):
        assert piece.likely == pytest.approx(likely(piece.values), rel=1e-11)
    best = generate(model, params, 3, source=source, beam=Beam(V**3), end=END)[0]
    assert best.likely == pytest.approx(max(likely(np.array(s)) for s in every(3)), rel=1e-11)


def test_keys_are_drawn_each_by_its_own_probability() -> None:
    model, params = made("Music", 0.0, N=3, H=1)
    model.views(params)["p.Linear.b"][...] = [0.0, 2.0, -1.0]
    pieces = generate(model, params, 50, samples=100, choice=Choice(2.0))
    rate = np.concatenate([p.values for p in pieces]).mean(0)
    p = 1 / (1 + np.exp([0.0, -1.0, 0.5]))
    assert (abs(rate - p) < 5 * np.sqrt(p * (1 - p) / 5000)).all()
    (greedy,) = generate(model, params, 2, choice=Choice(0))
    assert greedy.values.tolist() == [[0, 1, 0]] * 2
    assert greedy.likely == pytest.approx(-2 * np.logaddexp(0, [0, -2, -1]).sum())


def test_the_next_keys_follow_from_those_before() -> None:
    model, params = made("Music", N=3, H=4)
    (piece,) = generate(model, params, 9, start=np.ones((2, 3)), seed=4)
    roll = np.concatenate([np.ones((2, 3)), piece.values])[:, None]
    p = model.forward(params, roll).output[2:, 0]
    assert piece.likely == pytest.approx(np.log(np.where(piece.values, p, 1 - p)).sum(), rel=1e-12)


def density(scale: float, **biases: list[float]) -> tuple[Any, Any]:
    """A pen whose mixture is the same at each step."""
    model, params = made("Strokes", scale, H=1, M=2, L=1)
    views = model.views(params)
    for name, values in biases.items():
        views[next(n for n in views if n.endswith((f"{name}.Linear.b", f"{name}.b")))][...] = values
    return model, params


def test_the_steps_of_a_pen_have_the_moments_of_the_mixture() -> None:
    model, params = density(
        0.0,
        pi_hat=[0.0, -40.0],
        mu_1=[1.0, 9.0],
        mu_2=[-2.0, 9.0],
        sigma_1_hat=[0.0, 0.0],
        sigma_2_hat=[math.log(2), 0.0],
        rho_hat=[math.atanh(0.6), 0.0],
        e_hat=[-1.0],
    )
    steps = np.concatenate([p.values for p in generate(model, params, 50, samples=100, choice=Choice(0.25))])
    n, p = len(steps), 1 / (1 + math.exp(4))
    sigma = np.array([0.5, 1.0])  # a temperature of 1/4 halves deviations
    assert (abs(steps[:, :2].mean(0) - [1, -2]) < 5 * sigma / math.sqrt(n)).all()
    assert (abs(steps[:, :2].std(0) - sigma) < 5 * sigma / math.sqrt(2 * n)).all()
    assert abs(np.corrcoef(steps[:, 0], steps[:, 1])[0, 1] - 0.6) < 5 * (1 - 0.36) / math.sqrt(n)
    assert abs(steps[:, 2].mean() - p) < 5 * math.sqrt(p * (1 - p) / n)
    (greedy,) = generate(model, params, 3, choice=Choice(0))
    np.testing.assert_allclose(greedy.values, [[1, -2, 0]] * 3, rtol=1e-12)


def test_random_numbers_of_a_step_do_not_depend_on_how_many_sequences_there_are() -> None:
    for few, many in ((Dice(1, 4, 2), Dice(1, 4, 5)), (Dice(1, 4, 2), Dice(1, 4, 3))):
        np.testing.assert_array_equal(few.uniform(3), many.uniform(3)[:2])
        np.testing.assert_array_equal(few.normal(3), many.normal(3)[:2])
    u = Dice(0, 0, 10_000).uniform(1)
    assert (u >= 0).all()
    assert (u < 1).all()
    assert abs(u.mean() - 0.5) < 5 / math.sqrt(12 * 10_000)


def test_what_has_no_probability_is_never_picked() -> None:
    with np.errstate(divide="ignore"):
        scores = np.log(np.array([[0.0, 0.3, 0.7, 0.0]]))
    largest = np.nextafter(1.0, 0)
    assert [int(picked(scores, np.array([u]))[0]) for u in (0.0, 0.29, 0.31, largest)] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (("Classifier", {"N": 2, "K": 3, "H": 2}), "cannot be fed back as input. Kinds that can be generated: symbols"),
        (("SymbolClassifier", {"V": 3, "K": 2, "H": 2}), "cannot be fed back as input"),
        ((REGRESSION, {"N": 3, "H": 2}), "cannot be fed back as input"),
        (("Adding", {"H": 2}), "cannot be fed back as input"),
    ],
)
def test_models_that_write_nothing_are_refused(model: tuple[str, dict[str, int]], words: str) -> None:
    name, dimensions = model
    with pytest.raises(UsageError, match=words):
        generate(*made(name, **dimensions), 3)


def test_a_model_that_looks_ahead_is_refused_and_the_line_named() -> None:
    text = "cell Ahead[V](w: index[V]) -> (y: [V]) {\n    y = onehot(w) + onehot(w[t+1])\n}\n"
    with pytest.raises(UsageError, match=r"Ahead can't generate: line 2 of <text> reads later steps"):
        generate(*made(text, V=3), 3)
    text = "cell Both[V](a: index[V], b: index[V]) -> (y: [V]) {\n    y = onehot(a) + onehot(b)\n}\n"
    with pytest.raises(UsageError, match=r"must read one input over the clock t, and reads a and b"):
        generate(*made(text, V=3), 3)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"steps": 0}, "steps and samples must be at least 1, not 0 and 1"),
        ({"samples": 0}, "steps and samples must be at least 1, not"),
        ({"beam": Beam(2), "samples": 3}, "a beam of width 2 finds at most 2"),
        ({"source": [1]}, "has no other clock"),
    ],
)
def test_what_can_not_be_written_is_refused(how: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        generate(*CHARACTERS, **{"steps": 3, **how})


def test_what_is_for_symbols_is_refused_for_keys_and_a_missing_source_is_named() -> None:
    for how in ({"beam": Beam(2)}, {"choice": Choice(top=2)}, {"end": 1}):
        with pytest.raises(UsageError, match="for models that generate symbols; this one generates keys"):
            generate(*made("Music", H=2), 3, **how)
    with pytest.raises(UsageError, match="reads src over another clock, but no source is given"):
        generate(*made("EncoderDecoder", V=3, K=3, H=2, N=2), 3)
    with pytest.raises(ShapeError, match="not a symbol"):
        generate(*CHARACTERS, 3, start=[V])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Choice(-1.0), "temperature"),
        (lambda: Choice(math.nan), "temperature"),
        (lambda: Choice(1.0, 0), "top must be at least 1, not 0"),
        (lambda: Beam(0), "the width of a beam must be at least 1"),
        (lambda: Beam(1, -0.5), "length penalty"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(make: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def test_a_piece_is_what_was_written_without_its_beginning() -> None:
    (piece,) = generate(*CHARACTERS, 5, start=[0, 1, 2])
    assert isinstance(piece, Piece)
    assert piece.values.shape == (5,)
