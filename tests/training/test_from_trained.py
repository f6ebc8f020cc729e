"""Runs that no folder was named for, that go on with more epochs, start from weights, or find their dimensions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.runs.command import Request, run
from recurrency.training.runs.experiments import load
from recurrency.training.runs.folders import BEST, METRICS, RUN, START
from recurrency.training.runs.metrics import read_metrics
from tests.support.predicting import TRAINING, labelled

QUICK = {**TRAINING, "length": 4, "batch": 50}


def started(folder: Path | None, **more: Any) -> list[str]:
    said: list[str] = []
    options = {**QUICK, **more.pop("options", {})}
    where = None if folder is None else str(folder)
    more = {"task_options": {"steps": 5, "held": 50}, **more}
    run(Request("first-element", None, {"H": 3}, options, folder=where, draws=False, **more), said.append)
    return said


def losses(folder: Path) -> list[tuple[float, float]]:
    return [(line["train"], line["valid"]) for line in read_metrics(folder / METRICS) if line["event"] == "epoch"]


# -------------------------------------------------------------------------------------------------------------- folders


def test_a_run_without_a_folder_gets_one_and_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(started(None)) == 1
    assert not (tmp_path / "runs").exists(), "from Python nothing is stored"
    for name in ("first-element", "first-element-2"):
        assert f"the run is stored in runs/{name}; " in started(None, keeps=True)[0]
        assert rc.load_run(tmp_path / "runs" / name).evaluate().sequences == 50
    started(None, keeps=True, output=str(tmp_path / "w.safetensors"))
    started(None, keeps=True, runs=2)
    assert len(list((tmp_path / "runs").iterdir())) == 2


# --------------------------------------------------------------------------------------------------------------- epochs


def test_more_epochs_go_on_as_if_they_had_been_asked_for_at_first(tmp_path: Path) -> None:
    started(tmp_path / "long", options={"epochs": 4})
    started(tmp_path / "one", options={"epochs": 2})
    request = Request(str(tmp_path / "one"), options={"epochs": 4, "log-form": "quiet"}, draws=False)
    run(request, lambda words: None)
    assert losses(tmp_path / "one") == losses(tmp_path / "long")
    one, other = (load_file(tmp_path / name / BEST) for name in ("one", "long"))
    assert all(np.array_equal(one[name], other[name]) for name in other)
    assert [line["event"] for line in read_metrics(tmp_path / "one" / METRICS)].count("end") == 1
    said: list[str] = []
    run(Request(str(tmp_path / "one")), said.append)
    assert said[-1] == "every loss is the same as before, to the last bit"


def test_epochs_that_change_nothing_are_refused(tmp_path: Path) -> None:
    started(tmp_path / "one", options={"epochs": 2})
    with pytest.raises(UsageError, match="one has had 2 epochs; name a larger number to go on"):
        run(Request(str(tmp_path / "one"), options={"epochs": 2}), print)
    with pytest.raises(UsageError, match="goes on as it began, or with more --epochs"):
        run(Request(str(tmp_path / "one"), options={"epochs": 5, "rate": 0.1}), print)
    lines = (tmp_path / "one" / METRICS).read_text(encoding="utf-8")
    early = lines.replace('"stopped": "all epochs done"', '"stopped": "no better validation loss in 10 epochs"')
    (tmp_path / "one" / METRICS).write_text(early, encoding="utf-8")
    with pytest.raises(UsageError, match="has ended: no better validation loss in 10 epochs; more epochs do not"):
        run(Request(str(tmp_path / "one"), options={"epochs": 5}), print)


# -------------------------------------------------------------------------------------------------------------- weights


def test_a_run_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    """Those are kept in its folder, so that it can be repeated when the other is gone."""
    started(tmp_path / "one", options={"epochs": 1})
    for number, source in enumerate((tmp_path / "one", tmp_path / "one" / BEST)):
        folder = tmp_path / f"warm{number}"
        started(folder, options={"epochs": 1, "seed": 5}, weights=str(source))
        kept, given = load_file(folder / START), load_file(tmp_path / "one" / BEST)
        assert all(np.array_equal(kept[name], given[name]) for name in given)
    assert losses(tmp_path / "warm0") == losses(tmp_path / "warm1") != losses(tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "gone")
    said: list[str] = []
    run(Request(str(tmp_path / "warm0")), said.append)
    assert said[-1] == "every loss is the same as before, to the last bit"


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    started(tmp_path / "one", options={"epochs": 1})
    with pytest.raises(UsageError, match="has the parameters of another model"):
        run(
            Request("first-element", None, {"H": 4}, QUICK, task_options={"held": 50}, weights=str(tmp_path / "one")),
            print,
        )
    with pytest.raises(UsageError, match="so init has no effect: leave one of them out"):
        started(None, weights=str(tmp_path / "one"), init={"*.U": "zeros"})
    with pytest.raises(UsageError, match="cannot read weights from"):
        started(None, weights=str(tmp_path / "none.safetensors"))
    started(tmp_path / "warm", options={"epochs": 1}, weights=str(tmp_path / "one"))
    text = (tmp_path / "warm" / RUN).read_text(encoding="utf-8")
    (tmp_path / "warm" / RUN).write_text(text.replace(START, "../one/best.safetensors"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"lie outside of the run folder; run.toml was changed"):
        run(Request(str(tmp_path / "warm")), print)


# ----------------------------------------------------------------------------------------------------------- dimensions


def found(tmp_path: Path, spec: str, data: Path, **dimensions: Any) -> tuple[str, dict[str, Any]]:
    said: list[str] = []
    if "cell" in spec:
        (tmp_path / "my.rnn").write_text(spec, encoding="utf-8")
        spec = str(tmp_path / "my.rnn")
    folder = tmp_path / "run"
    options = {**TRAINING, "epochs": 1}
    run(Request(spec, None, dimensions, options, data=str(data), folder=str(folder), draws=False), said.append)
    return said[0], dict(load(folder / RUN).dimensions)


def test_the_dimensions_of_a_table_are_found(tmp_path: Path) -> None:
    said, sizes = found(tmp_path, "FrameClassifier", labelled(tmp_path / "my.csv"), H=3)
    assert said == "from the data: N=2, K=3"
    assert sizes == {"N": 2, "K": 3, "H": 3}


def test_dimensions_that_are_given_count(tmp_path: Path) -> None:
    said, sizes = found(tmp_path, "FrameClassifier", labelled(tmp_path / "my.csv"), H=3, K=7)
    assert (said, sizes) == ("from the data: N=2", {"K": 7, "H": 3, "N": 2})


def test_the_dimensions_of_arrays_and_texts_are_found(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "my.npz",
        x=np.ones((9, 4, 5)),
        label=np.full((9, 4), 2),
        test_label=np.full((2, 4), 6),
        test_x=np.ones((2, 4, 5)),
    )
    assert found(tmp_path / "a", "FrameClassifier", tmp_path / "my.npz", H=3)[0] == "from the data: N=5, K=7"
    (tmp_path / "my.txt").write_text("abcd" * 100, encoding="utf-8")
    assert found(tmp_path / "b", "CharacterModel", tmp_path / "my.txt", H=3)[0] == "from the data: V=4"


def test_data_that_do_not_agree_on_a_dimension_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.ones((9, 4, 5)), target=np.ones((9, 4, 2)))
    spec = "cell Same[N](x: [N], target: [N]) -> (y: [N]) {\n    y = x\n    loss squared_error(y, target)\n}\n"
    with pytest.raises(UsageError, match="the data do not agree on the dimension N: 5 in x, 2 in target"):
        found(tmp_path, spec, tmp_path / "my.npz")


def test_the_dimensions_of_a_task_are_found(tmp_path: Path) -> None:
    said: list[str] = []
    options = {"epochs": 1, "log-form": "quiet", "backend": "numpy"}
    run(
        Request("SymbolClassifier", "temporal-order", {"H": 2}, options, task_options={"steps": 1, "held": 20}),
        said.append,
    )
    assert said[0].startswith("from the data: V=")


def test_the_accuracy_of_classes_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    data, options = labelled(tmp_path / "my.csv"), {**TRAINING, "epochs": 1}
    run(
        Request("FrameClassifier", None, {"H": 3}, options, data=str(data), folder=str(tmp_path / "r"), draws=False),
        said.append,
    )
    accuracy = rc.load_run(tmp_path / "r").evaluate()["p"].values["accuracy"]
    assert f"p accuracy {100 * accuracy:.4g} %" in said[-1]
    assert json.loads((tmp_path / "r" / METRICS).read_text(encoding="utf-8").splitlines()[-1])["event"] == "end"
