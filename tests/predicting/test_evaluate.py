"""The loss and the scores of a trained run are those that one counts by hand, sequence by sequence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch, Sequences, batches
from recurrency.training.loop.scoring import scored
from recurrency.training.tasks.comparisons import comparisons, scores
from tests.support.predicting import labelled, rows, trained

KINDS = """
use GRU, Linear from library

cell Kinds[H = 3](x: [2], label: index[3], target: [2], m: []) -> (p: [3], q: [2], y: [2]) {
    hidden = GRU[H](x)
    p      = softmax(Linear[3](hidden))
    z      = Linear[2](hidden)
    q      = sigmoid(z)
    y      = Linear[2](hidden)

    loss cross_entropy(log(p), label) where m
    loss binary_cross_entropy(last(q), last(target))
    loss squared_error(y, target)
}
"""


def data(count: int = 11) -> tuple[Sequences, dict[str, Any]]:
    """Ragged sequences of all kinds of targets, also -1, and weights of 0."""
    rng = np.random.default_rng(0)
    steps = [1 + number % 5 for number in range(count)]
    inputs: dict[str, Any] = {
        "x": [rng.standard_normal((n, 2)) for n in steps],
        "label": [rng.integers(-1, 3, n) for n in steps],
        "target": [rng.integers(0, 2, (n, 2)).astype(float) for n in steps],
        "m": [rng.integers(0, 2, n).astype(float) for n in steps],
    }
    return Sequences(inputs, dict.fromkeys(inputs, "t"), frozenset({"label"})), inputs


def test_scores_are_those_that_one_counts_by_hand() -> None:
    model = rc.parse(KINDS).compile(backend="numpy", dtype="float64")
    params = 4 * model.init(seed=1)
    sequences, inputs = data()
    found = {s.name: s for s in scored(model, params, batches(sequences, 4, "float64"))}
    confusion, nats, right, off = np.zeros((3, 3), int), [], [], []
    for number in range(len(sequences)):
        one = {name: rows_[number] for name, rows_ in inputs.items()}
        run = model.forward(params, {name: np.asarray(a)[:, None] for name, a in one.items()})
        p, q, y = (run.outputs[name][:, 0] for name in ("p", "q", "y"))
        for step in range(len(p)):
            if one["label"][step] >= 0 and one["m"][step] > 0:
                confusion[one["label"][step], p[step].argmax()] += 1
                nats.append(-np.log(p[step][one["label"][step]]))
        right += ((q[-1] > 0.5) == (one["target"][-1] > 0.5)).tolist()
        off += (y - one["target"]).ravel().tolist()
    np.testing.assert_array_equal(found["p"].confusion, confusion)
    assert 0 < np.trace(confusion) < confusion.sum() == found["p"].count
    assert found["p"].values["accuracy"] == pytest.approx(np.trace(confusion) / confusion.sum(), rel=1e-12)
    assert found["p"].values["bits"] == pytest.approx(np.mean(nats) / np.log(2), rel=1e-9)
    assert (found["q"].counts, found["q"].count) == ("sequences", 11)
    assert found["q"].values["accuracy"] == pytest.approx(np.mean(right), rel=1e-12)
    assert (found["y"].counts, found["y"].count) == ("steps", sum(map(len, inputs["x"])))
    assert found["y"].values == pytest.approx({"mse": np.mean(np.square(off)), "mae": np.mean(np.abs(off))}, rel=1e-9)


def test_the_bits_of_yes_and_no_are_the_loss() -> None:
    """Per answer, and to base 2."""
    model = rc.library.spec("BinaryClassifier").compile(N=2, K=2, H=3, backend="numpy", dtype="float64")
    params = 4 * model.init(seed=2)
    _, inputs = data()
    for number in (4, 7):
        batch = {name: inputs[name][number][:, None] for name in ("x", "target")}
        (found,) = scored(model, params, [Batch(batch)])
        assert found.values["bits"] == pytest.approx(model.loss(params, batch) / 2 / np.log(2), rel=1e-9)


def test_a_text_that_is_read_in_pieces_scores_as_a_whole() -> None:
    model = rc.library.spec("CharacterModel").compile(V=4, H=3, backend="numpy", dtype="float64")
    params = 4 * model.init(seed=1)
    text = np.random.default_rng(1).integers(0, 4, (9, 2))
    whole = {"x": text[:-1], "target": text[1:]}
    pieces = [Batch({n: a[:3] for n, a in whole.items()}), Batch({n: a[3:] for n, a in whole.items()}, fresh=False)]
    (one,), (other,) = (scored(model, params, stream) for stream in ([Batch(whole)], pieces))
    assert one.values == pytest.approx(other.values, rel=1e-12)
    assert one.count == other.count == 16


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        ("cross_entropy(y, k)", {"y": ("classes", "logits")}),
        ("0.1 * cross_entropy(last(y), last(k)) + l2(last(y))", {"y": ("classes", "logits")}),
        ("cross_entropy(log_softmax(y), k)", {}),
        ("binary_cross_entropy(sigmoid(y), b)", {"y": ("bits", "logits")}),
        ("binary_cross_entropy(y, b)", {"y": ("bits", "probabilities")}),
        ("squared_error(y, b)", {}),
        ("l2(y)", {}),
        ("squared_error(y, 2 * x - x)", {}),
    ],
)
def test_the_loss_decides_what_an_output_is(loss: str, wanted: dict[str, tuple[str, str]]) -> None:
    text = f"cell C(x: [3], k: index[3], b: [3]) -> (y: [3]) {{ y = 2 * x\n loss {loss} }}"
    graph = rc.parse(text).graph()
    assert {name: (found.kind, found.form) for name, found in scores(graph).items()} == wanted
    assert len(comparisons(graph)) == (loss != "l2(y)")


# ---------------------------------------------------------------------------------------------------------------- runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classes")
    return trained(path, "FrameClassifier", labelled(path / "my.csv"), N=2, K=3, H=3)


def test_a_run_is_evaluated_on_its_test_data_or_on_a_file(tmp_path: Path, folder: Path) -> None:
    run = rc.load_run(folder)
    last = json.loads((folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert run.evaluate().loss == pytest.approx(last["test"], rel=1e-12)
    found = run.evaluate(folder.parent / "my.csv")
    assert found.sequences == 24
    losses = []
    for name, x in rows(folder.parent / "my.csv").items():
        lines = (folder.parent / "my.csv").read_text(encoding="utf-8").splitlines()
        label = np.array([int(line.split(",")[3]) for line in lines if line.startswith(f"{name},")])
        batch = {"x": x[:, None], "label": label[:, None]}
        losses += [run.model.loss(run.params, batch)] * len(x)
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-9)
    assert found["p"].count == len(losses)
    with pytest.raises(UsageError, match=r"new.csv has no column label; it has sequence, x.0, x.1"):
        run.evaluate(labelled(tmp_path / "new.csv", label=False))
    with pytest.raises(KeyError, match="there are no scores of q; there are those of p"):
        found["q"]


def test_masked_steps_do_not_count_and_resets_begin_a_sequence(tmp_path: Path, folder: Path) -> None:
    run, found = rc.load_run(folder), {}
    for name, text in {
        "plain": "sequence,x.0,x.1,label\na,1,2,0\nb,0,1,1\nb,3,1,2\n",
        "mask": "sequence,x.0,x.1,label,mask\na,1,2,0,1\na,9,9,1,0\nb,0,1,1,1\nb,3,1,2,1\n",
        "resets": "sequence,x.0,x.1,label,resets\na,1,2,0,0\na,0,1,1,1\na,3,1,2,0\n",
    }.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        found[name] = run.evaluate(tmp_path / f"{name}.csv")
    assert found["plain"]["p"].count == 3
    for other in ("mask", "resets"):
        assert found[other].loss == pytest.approx(found["plain"].loss, rel=1e-12)
        assert found[other]["p"].values == pytest.approx(found["plain"]["p"].values, rel=1e-12)


def test_a_run_of_a_task_reports_the_measure_of_its_task(tmp_path: Path) -> None:
    from recurrency.training.runs.command import Request, run

    options = {"epochs": 1, "length": 4, "batch": 8, "backend": "numpy", "log-form": "quiet"}
    run(
        Request("first-element", None, {"H": 3}, options, folder=str(tmp_path / "one"), draws=False), lambda words: None
    )
    found = rc.load_run(tmp_path / "one").evaluate()
    assert found.sequences == 1000
    assert "whose last answer is on the wrong side" in found.verdict
    assert "wrong " in found.told()


def test_a_text_is_read_by_the_vocabulary_of_the_run(tmp_path: Path) -> None:
    text = "abcb" * 120
    (tmp_path / "my.txt").write_text(text, encoding="utf-8")
    run = rc.load_run(trained(tmp_path / "run", "CharacterModel", tmp_path / "my.txt", V=3, H=4))
    (tmp_path / "new.txt").write_text("abca", encoding="utf-8")
    symbols = np.array([0, 1, 2, 0])
    logits = run.model.forward(run.params, {"x": symbols[:, None]}).output[:, 0]
    np.testing.assert_allclose(run.predict(tmp_path / "new.txt").output[0], logits, rtol=1e-12)
    batch = {"x": symbols[:, None], "target": np.array([1, 2, 0, -1])[:, None]}
    assert run.evaluate(tmp_path / "new.txt").loss == pytest.approx(run.model.loss(run.params, batch), rel=1e-12)
    (tmp_path / "new.txt").write_text("abxy", encoding="utf-8")
    with pytest.raises(UsageError, match=r"new.txt has 'x', 'y', which are unknown characters to the model"):
        run.predict(tmp_path / "new.txt")
    with pytest.raises(UsageError, match=r"a text that is read in pieces; name a file with --data FILE.txt"):
        run.predict(split="train")
