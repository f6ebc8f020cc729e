"""Estimators for scikit-learn: the training of the library, in the forms of scikit-learn."""

from __future__ import annotations

import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data.sequences import Sequences
from recurrency.training.loop.loop import Options, Silent, train
from recurrency.training.loop.optimisers import Adam
from recurrency.training.loop.progress import Epoch
from recurrency.training.runs.reporters import REPORTERS
from recurrency.training.tasks.task import Settings, from_sequences

pytest.importorskip("sklearn", reason="scikit-learn is not installed (the extra sklearn)")

import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recurrency.sklearn import EachStep, RecurrentClassifier, RecurrentRegressor

OWN = """
cell Own[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    state h : [H] = 0

    h = FACTOR * h[t-1] + tanh(W @ x)
}
"""


def sequences(count: int = 24, width: int = 2) -> list[Any]:
    rng = np.random.default_rng(1)
    return [rng.normal([k % 3] * width, 0.5, (2 + k % 3, width)) for k in range(count)]


X = sequences()
Y = np.array(["c", "a", "b"])[np.arange(len(X)) % 3]
CODES = {"a": 0, "b": 1, "c": 2}
NUMBERS = np.array([x.mean() for x in X])


def small(make: Any = RecurrentClassifier, cell: Any = "Elman", **options: Any) -> Any:
    return make(cell, 3, **{"epochs": 2, "batch": 5, "backend": "numpy", **options})


@pytest.fixture(scope="module")
def fitted() -> Any:
    return small(epochs=6, rate=0.05).fit(X, Y)


# --------------------------------------------------------------------------------------------- the same as train


def plain(name: str, sizes: dict[str, Any], inputs: dict[str, Any], **options: Any) -> Any:
    """Training with the library's own loop; returns the parameters."""
    model = rc.library.spec(name).compile(backend="numpy", dtype="float64", dimensions=sizes)
    symbols = frozenset(n for n in inputs if inputs[n][0].dtype.kind == "i")
    data = Sequences(inputs, dict.fromkeys(inputs, "t"), symbols)
    task = from_sequences("plain", {"train": data}, Settings(batch=5))
    return train(model, task, Options(epochs=2, **options)).params


def test_a_classifier_learns_as_the_training_loop_does() -> None:
    label = [np.full(len(x), CODES[y]) for x, y in zip(X, Y, strict=True)]
    sizes = {"N": 2, "K": 3, "H": 3, "Cell": "GRU"}
    wanted = plain("Classifier", sizes, {"x": X, "label": label}, optimiser=Adam(rate=0.01), seed=4, clip=0.5)
    assert np.array_equal(small(cell="GRU", seed=4, clip=0.5).fit(X, Y).params_, wanted)


def test_a_regressor_of_steps_learns_as_the_training_loop_does() -> None:
    target = [np.cumsum(x, axis=0) for x in X]
    sizes = {"N": 2, "K": 2, "H": 3, "Cell": "Elman"}
    wanted = plain("FrameRegressor", sizes, {"x": X, "target": target}, optimiser=Adam(rate=0.02), l2=0.1)
    found = small(RecurrentRegressor, each="step", rate=0.02, l2=0.1).fit(X, target)
    assert np.array_equal(found.params_, wanted)


def test_early_stopping_keeps_the_best_parameters_on_sequences_set_aside() -> None:
    y = np.random.default_rng(0).permutation(Y)
    found = small(early_stopping=True, validation_fraction=6, patience=2, epochs=40, rate=0.1).fit(X, y)
    losses = [epoch.valid for epoch in found.history_.epochs]
    assert found.history_.best_epoch == int(np.argmin(losses)) == found.n_iter_ - 3
    assert found.n_iter_ < 40
    assert found.loss_curve_ == [epoch.train for epoch in found.history_.epochs]
    _, aside = train_test_split(np.arange(len(X)), test_size=6, random_state=0, stratify=y)
    right = [found.predict_proba([X[n]])[0, CODES[y[n]]] for n in aside]
    assert np.isclose(min(losses), -np.log(right).mean())


# ------------------------------------------------------------------------------------------------------- answers


def test_probabilities_are_those_of_the_model_after_the_last_step(fitted: Any) -> None:
    found = fitted.predict_proba(X)
    for x, row in zip(X, found, strict=True):
        run = fitted.model_.forward(fitted.params_, {"x": x[:, None]})
        assert np.allclose(row, run.output[-1, 0], rtol=0, atol=1e-14)
    assert list(fitted.classes_) == ["a", "b", "c"]
    assert list(fitted.predict(X)) == [fitted.classes_[row.argmax()] for row in found]
    assert np.array_equal(fitted.predict_log_proba(X), np.log(found))
    assert fitted.score(X, Y) == np.mean(fitted.predict(X) == Y) > 0.9


@pytest.mark.parametrize("classes", [[10, -3], [True, False], [0.5, 2.0], ["é", "x y"], np.array(["b", "a"], object)])
def test_labels_may_be_of_any_type(classes: Any) -> None:
    if isinstance(classes, list) and classes[0] == 0.5:
        with pytest.raises(ValueError, match="continuous"):
            small().fit(X, np.array(classes)[np.arange(len(X)) % 2])
        return
    y = np.array(classes)[np.arange(len(X)) % 2]
    found = small(epochs=1).fit(X, y)
    assert list(found.classes_) == sorted(classes)
    assert found.predict(X).dtype == y.dtype
    assert set(found.predict(X)) <= set(classes)


def test_each_step_has_a_label_or_a_number() -> None:
    labels = [np.array(["up", "down"])[(x[:, 0] > 1).astype(int)] for x in X]
    found = small(each="step", epochs=5, rate=0.1).fit(X, labels)
    said = found.predict(X)
    assert [len(row) for row in said] == [len(x) for x in X]
    right = np.concatenate(said) == np.concatenate(labels)
    assert found.score(X, labels) == right.mean() > 0.8
    weights = np.arange(len(X))
    assert np.isclose(found.score(X, labels, weights), np.average(right, weights=np.repeat(weights, list(map(len, X)))))
    run = found.model_.forward(found.params_, {"x": X[0][:, None]})
    assert np.allclose(found.predict_proba(X)[0], run.output[:, 0], rtol=0, atol=1e-14)
    numbers = small(RecurrentRegressor, each="step").fit(X, [x[:, 0] for x in X])
    assert [row.shape for row in numbers.predict(X)] == [x[:, 0].shape for x in X]
    errors = np.concatenate([x[:, 0] - row for x, row in zip(X, numbers.predict(X), strict=True)])
    whole = np.concatenate([x[:, 0] for x in X])
    assert np.isclose(numbers.score(X, [x[:, 0] for x in X]), 1 - (errors @ errors) / (whole.var() * len(whole)))


def test_several_targets_are_several_columns() -> None:
    found = small(RecurrentRegressor).fit(X, np.stack([NUMBERS, -NUMBERS], 1))
    assert found.predict(X).shape == (len(X), 2)
    assert small(RecurrentRegressor).fit(X, NUMBERS).predict(X).shape == (len(X),)


# ------------------------------------------------------------------------------------------------- forms of data


def test_an_array_with_lengths_is_a_list_of_sequences(fitted: Any) -> None:
    ends = np.array([len(x) for x in X])
    padded = np.full((len(X), 5, 2), 1e6)
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    assert np.array_equal(fitted.predict_proba(padded, lengths=ends), fitted.predict_proba(X))
    again = clone(fitted).fit(padded, Y, lengths=ends)
    assert np.array_equal(again.params_, fitted.params_)
    assert again.score(padded, Y, lengths=ends) == fitted.score(X, Y)
    equal = np.stack([x[:2] for x in X])
    steps = small(each="step").fit(equal, np.tile([0, 1], (len(X), 1)))
    assert steps.predict(equal).shape == (len(X), 2)
    assert steps.predict_proba(equal).shape == (len(X), 2, 2)
    assert isinstance(steps.predict(padded, lengths=ends), list)


def test_lengths_are_routed_through_cross_validation() -> None:
    ends = np.array([len(x) for x in X])
    padded = np.zeros((len(X), 4, 2))
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    with sklearn.config_context(enable_metadata_routing=True):
        routed = small().set_fit_request(lengths=True).set_score_request(lengths=True)
        found = cross_val_score(routed, padded, Y, cv=KFold(2), params={"lengths": ends})
    assert np.array_equal(found, cross_val_score(small(), X, Y, cv=KFold(2)))


def test_a_row_of_a_table_is_a_sequence_of_numbers() -> None:
    table = np.stack([x.ravel()[:4] for x in X])
    found = small().fit(table, Y)
    assert found.n_features_in_ == 4
    series = small().fit(table[:, :, None], Y)
    assert series.n_features_in_ == 1
    assert np.array_equal(found.params_, series.params_)
    assert np.array_equal(found.predict_proba(table), series.predict_proba([row[:, None] for row in table]))
    assert np.array_equal(series.predict_proba(table[:, :3]), found.predict_proba([row[:3, None] for row in table]))
    ragged = [list(x.ravel()) for x in X]
    assert np.array_equal(
        small().fit(ragged, Y).predict_proba(table), small().fit(ragged, Y).predict_proba(list(table))
    )
    of_objects = np.empty(len(X), object)
    of_objects[:] = X
    assert np.array_equal(small().fit(of_objects, Y).params_, small().fit(X, Y).params_)


def test_the_dtype_is_that_of_the_data() -> None:
    assert small(epochs=1).fit(X, Y).params_.dtype == np.float64
    single = [x.astype(np.float32) for x in X]
    assert small(epochs=1).fit(single, Y).params_.dtype == np.float32
    assert small(epochs=1, dtype="float64").fit(single, Y).params_.dtype == np.float64


BAD: dict[str, Any] = {
    "X has 24 sequences, y has 3": lambda: small(each="step").fit(X, [[0]] * 3),
    r"y\[1\] has 2 steps, X\[1\] has 3": lambda: small(each="step").fit(X, [[0, 1]] * 24),
    "inconsistent numbers of samples": lambda: small().fit(X, Y[:3]),
    r"X\[3\] has no steps": lambda: small().fit([*X[:3], np.zeros((0, 2))], Y[:4]),
    r"X\[0\] has 2 features, X\[1\] has 3": lambda: small().fit([X[0], np.zeros((2, 3))], Y[:2]),
    r"X\[1\] contains NaN": lambda: small().fit([X[0], np.full((2, 2), np.nan)], Y[:2]),
    r"X\[0\] is \[1, 1, 2\]": lambda: small().fit([np.zeros((1, 1, 2))], Y[:1]),
    "lengths must be 24 whole numbers from 1 to 2": lambda: small().fit(np.zeros((24, 2, 2)), Y, lengths=[3] * 24),
    "lengths are for arrays": lambda: small().fit(X, Y, lengths=[1] * 24),
    "requires y to be passed": lambda: small().fit(X, None),
    "Input y contains NaN": lambda: small(RecurrentRegressor).fit(X, [np.nan] * 24),
    "each must be 'sequence' or 'step', not 'steps'": lambda: small(each="steps").fit(X, Y),
    "differ in the number of targets": lambda: small(RecurrentRegressor, each="step").fit(
        X[:2], [np.zeros((2, 1)), np.zeros((3, 2))]
    ),
    "did you mean GRU?": lambda: small(cell="gru").fit(X, Y),
    "not 3": lambda: small(cell=3).fit(X, Y),
    "hidden must be a whole number from 1 on, not 2.5": lambda: RecurrentClassifier(hidden=2.5).fit(X, Y),
    "epochs must be a whole number": lambda: small(epochs=2.5).fit(X, Y),
    "there is no optimiser adm": lambda: small(optimiser="adm").fit(X, Y),
}


@pytest.mark.parametrize("words", BAD)
def test_what_does_not_fit_is_refused(words: str) -> None:
    with pytest.raises((ValueError, UsageError), match=words):
        BAD[words]()


def test_other_features_than_those_of_training_are_refused(fitted: Any) -> None:
    with pytest.raises(ValueError, match="X has 3 features, but RecurrentClassifier is expecting 2"):
        fitted.predict(sequences(3, width=3))
    with pytest.raises(ValueError, match=r"one sequence as \[X\]"):
        fitted.predict(X[0])
    with pytest.raises(NotFittedError):
        small().predict(X)


# --------------------------------------------------------------------------------------- what scikit-learn does


def test_a_grid_search_compares_cells_of_all_kinds(tmp_path: Path) -> None:
    file = tmp_path / "own.rnn"
    file.write_text(OWN.replace("FACTOR", "0.5"), encoding="utf-8")
    cells = ["Elman", rc.library.Elman, str(file), file, rc.parse(OWN.replace("FACTOR", "0.9"))]
    search = GridSearchCV(small(), {"cell": cells, "hidden": np.array([3])}, cv=2).fit(X, Y)
    alone = [cross_val_score(small(cell=cell), X, Y, cv=2).mean() for cell in cells]
    assert np.allclose(search.cv_results_["mean_test_score"], alone)
    assert search.best_estimator_.score(X, Y) > 0


def test_a_pipeline_scales_each_step() -> None:
    network = make_pipeline(EachStep(StandardScaler()), small())
    rows = np.concatenate(X)
    scaled = [(x - rows.mean(0)) / rows.std(0) for x in X]
    assert np.allclose(network.fit(X, Y).predict_proba(X), small().fit(scaled, Y).predict_proba(scaled))
    assert network[0].transform(np.stack([x[:2] for x in X])).shape == (len(X), 2, 2)
    assert cross_val_score(network, X, Y, cv=2).shape == (2,)


def test_a_warm_start_goes_on_from_the_parameters_of_the_last_fit() -> None:
    found = small(warm_start=True, epochs=2).fit(X, Y)
    before = found.params_.copy()
    label = [np.full(len(x), CODES[y]) for x, y in zip(X, Y, strict=True)]
    task = from_sequences(
        "again",
        {"train": Sequences({"x": X, "label": label}, {"x": "t", "label": "t"}, frozenset({"label"}))},
        Settings(batch=5),
    )
    wanted = train(found.model_, task, Options(Adam(rate=0.01), epochs=2), params=before).params
    assert not np.array_equal(wanted, before)
    assert np.array_equal(found.fit(X[:], Y).params_, wanted)
    assert list(found.fit(X[:2], Y[:2]).classes_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="new are"):
        found.fit(X, np.array(["z", "y"])[np.arange(len(X)) % 2])
    with pytest.raises(ValueError, match=r"Elman\(N=2, K=3, H=3\), float64; this is GRU"):
        found.set_params(cell="GRU").fit(X, Y)


def test_an_interrupt_ends_a_fit_and_keeps_what_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    class Impatient(Silent):
        def __init__(self, *words: Any) -> None: ...

        def epoch(self, record: Epoch) -> None:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setitem(REPORTERS, "lines", Impatient)
    found = small(verbose=True, epochs=9)
    with pytest.raises(KeyboardInterrupt):
        found.fit(X, Y)
    assert found.n_iter_ == 1
    assert np.array_equal(found.params_, small(epochs=1).fit(X, Y).params_)


# ------------------------------------------------------------------------------------------------------- on disk


def test_a_pickle_has_the_equations_and_not_the_path_of_their_file(tmp_path: Path) -> None:
    file = tmp_path / "own.rnn"
    file.write_text(OWN.replace("FACTOR", "0.5"), encoding="utf-8")
    found = small(cell=file).fit(X, Y)
    file.write_text(OWN.replace("FACTOR", "0.1"), encoding="utf-8")
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.predict_proba(X), found.predict_proba(X))
    found.save(tmp_path / "run")
    loaded = RecurrentClassifier.load(tmp_path / "run")
    assert np.array_equal(loaded.predict_proba(X), found.predict_proba(X))
    loaded.save(tmp_path / "again")
    assert np.array_equal(RecurrentClassifier.load(tmp_path / "again").predict_proba(X), found.predict_proba(X))


@pytest.mark.parametrize("make", [RecurrentClassifier, RecurrentRegressor])
def test_a_folder_has_the_fitted_estimator_and_is_a_run(tmp_path: Path, make: Any) -> None:
    y = Y if make is RecurrentClassifier else NUMBERS
    found = small(make, epochs=3, seed=2).fit(X, y)
    found.save(tmp_path / "run")
    again = make.load(tmp_path / "run")
    assert np.array_equal(again.predict(X), found.predict(X))
    assert again.get_params() == {**found.get_params(), "dtype": "float64"}
    assert np.array_equal(clone(again).fit(X, y).params_, found.params_)
    assert not list((tmp_path / "run").rglob("*.pkl"))
    run = rc.load_run(tmp_path / "run")
    wanted = found.predict_proba(X) if make is RecurrentClassifier else found.predict(X)[:, None]
    assert np.allclose(np.stack(run.predict(X).last()[run.predict(X).outputs[0]]), wanted, rtol=0, atol=1e-14)
    with pytest.raises(UsageError, match="holds a run already"):
        found.save(tmp_path / "run")
    with pytest.raises(UsageError, match="which no estimator of this class wrote"):
        (RecurrentClassifier if make is RecurrentRegressor else RecurrentRegressor).load(tmp_path / "run")
    found.save(tmp_path / "w.safetensors")
    from recurrency.training.runs.weights import load_weights

    assert np.array_equal(load_weights(tmp_path / "w.safetensors", found.model_), found.params_)


def test_a_folder_of_a_table_knows_its_columns(tmp_path: Path) -> None:
    table = np.stack([x.ravel()[:4] for x in X])
    small(epochs=1).fit(table, np.arange(len(X)) % 2 == 1).save(tmp_path / "run")
    again = RecurrentClassifier.load(tmp_path / "run")
    assert again.n_features_in_ == 4
    assert again.predict(table).dtype == bool
    with pytest.raises(ValueError, match="X has 3 features"):
        again.predict(table[:, :3])
    (tmp_path / "run" / "facts.json").write_text('{"classes": [1, 1]}', encoding="utf-8")
    with pytest.raises(UsageError, match="classes must be"):
        RecurrentClassifier.load(tmp_path / "run")


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("recurrency.sklearn"):
            monkeypatch.delitem(sys.modules, name)
        if name.partition(".")[0] == "sklearn":
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delattr(rc, "sklearn", raising=False)
    with pytest.raises(ImportError, match=r"needs scikit-learn: .*\[sklearn\]"):
        import recurrency.sklearn  # noqa: F401
