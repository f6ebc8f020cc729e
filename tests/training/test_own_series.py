"""One long sequence is split by time: nothing of a later part is in an earlier one, and every step counts once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.predicting import LoadedRun
from recurrency.training.loop.loop import evaluate
from recurrency.training.runs.command import Request, run
from recurrency.training.tasks import Settings, Task
from recurrency.training.tasks.own import own_task
from tests.support.predicting import TRAINING

EACH = """
use GRU, Linear from library

cell Each[N, H = 3](x: [N], target: [1]) -> (y: [1]) {
    y = Linear[1](GRU[H](x))
    loss squared_error(y, target)
}
"""
END = EACH.replace("(y, target)", "(last(y), last(target))")
BOTH = EACH.replace("y = Linear[1](GRU[H](x))", "y = Linear[1](GRU[H](x) + reverse(GRU[H](reverse(x))))")
STEPS = 230


def model(text: str, **dimensions: Any) -> Any:
    return rc.parse(text).compile(dtype="float64", backend="numpy", **dimensions)


def series(folder: Path, steps: int = STEPS) -> Path:
    """A series whose x is the number of the step."""
    lines = [f"{t},{np.sin(0.3 * t):.4f}" for t in range(steps)]
    (folder / "my.csv").write_text("\n".join(["x,target", *lines]), encoding="utf-8")
    return folder / "my.csv"


def parts(task: Task) -> list[list[Any]]:
    return [list(task.train(0, np.random.default_rng(0))), list(task.valid()), list(task.test())]


def steps_of(batches: list[Any]) -> list[int]:
    """The numbers of all steps in the batches, in the order in which they are read."""
    out: list[int] = []
    for batch in batches:
        for column, count in enumerate(batch.steps("x")):
            out += batch.inputs["x"][:count, column, 0].astype(int).tolist()
    return out


def test_beginning_middle_and_end_are_what_is_trained_validated_and_tested_on(tmp_path: Path) -> None:
    task = own_task(Settings(series(tmp_path), 4, dtype="float64"), model(EACH, N=1), chunk=10)
    train, valid, test = parts(task)
    assert sorted(steps_of(train)) == [*range(184)]
    assert (steps_of(valid), steps_of(test)) == ([*range(184, 207)], [*range(207, 230)])
    assert [batch.fresh for batch in train] == [True, *[False] * (len(train) - 1)]
    assert len(train) == task.steps
    assert all(batch.size == 4 and len(batch.inputs["x"]) <= 10 for batch in train)
    assert "184 steps to train (steps 0 to 183), 23 steps to validate (steps 184 to 206)" in task.told[0]


def test_percents_are_given_as_shares_or_as_what_is_held(tmp_path: Path) -> None:
    path, net = series(tmp_path), model(EACH, N=1)
    cases: list[dict[str, Any]] = [{"split": "50/25/25"}, {"held": 25}]
    for options in cases:
        task = own_task(Settings(path, dtype="float64"), net, **options)
        assert [len(steps_of(part)) for part in parts(task)] == [115, 57, 58]
    assert [len(steps_of(p)) for p in parts(own_task(Settings(path), net, split="90/10/0"))] == [207, 23, 0]


def test_the_loss_of_a_part_is_that_of_one_whole_sequence(tmp_path: Path) -> None:
    net = model(EACH, N=1)
    task = own_task(Settings(series(tmp_path), dtype="float64"), net, chunk=7)
    params = net.init(seed=0)
    t = np.arange(207, 230)
    wanted = net.loss(params, {"x": t[:, None, None] * 1.0, "target": np.sin(0.3 * t).round(4)[:, None, None]})
    assert evaluate(net, params, task.test()) == pytest.approx(wanted, rel=1e-10)


def test_windows_are_sequences_within_a_part(tmp_path: Path) -> None:
    path = series(tmp_path)
    each = parts(own_task(Settings(path, dtype="float64"), model(EACH, N=1), window=20))
    assert sorted(steps_of(each[0])) == [*range(184)], "each step once; the last window is shorter"
    end = parts(own_task(Settings(path, dtype="float64"), model(END, N=1), window=20))
    firsts = sorted(int(x) for batch in end[1] for x in batch.inputs["x"][0, :, 0])
    assert firsts == [*range(184, 188)], "a window ends in the part in which it begins"
    other = parts(own_task(Settings(path, dtype="float64"), model(END, N=1), window=20, stride=3))
    assert sum(batch.size for batch in other[0]) == len(range(0, 165, 3))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (END, {}, "can't be trained on it in pieces, as its loss has one value for each sequence: .*-T window=STEPS"),
        (BOTH, {}, "can't be trained on it in pieces, as .*reverse"),
        (END, {"window": 24}, "a part of the series has 23 steps, fewer than a window of 24"),
        (EACH, {"window": 20, "chunk": 5}, "windows are not cut into chunks"),
        (EACH, {"stride": 5}, "say how long they are with -T window=STEPS"),
        (EACH, {"held": 5, "split": "80/10/10"}, "leave one of them out"),
        (EACH, {"split": "80/10"}, "must be three percents that add up to 100"),
    ],
)
def test_what_does_not_go_with_a_series_is_refused(
    tmp_path: Path, text: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        own_task(Settings(series(tmp_path), dtype="float64"), model(text, N=1), **options)


def test_a_series_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 12 steps, too few to split by time: 80/10/10 leaves 1 for valid"):
        own_task(Settings(series(tmp_path, 12)), model(EACH, N=1))


def test_the_elapsed_time_is_0_where_states_are_new(tmp_path: Path) -> None:
    """In parts, windows, streams and chunks; within them it is the difference of times."""
    timed = EACH.replace("x: [N],", "x: [N], dt: [],").replace("GRU[H](x)", "GRU[H](x) * dt")
    lines = [f"{t},{t * t},0" for t in range(STEPS)]
    (tmp_path / "my.csv").write_text("\n".join(["x,time,target", *lines]), encoding="utf-8")
    cases: list[dict[str, Any]] = [{}, {"window": 20}, {"split": "80/10/10"}]
    for options in cases:
        task = own_task(Settings(tmp_path / "my.csv", 4), model(timed, N=1), elapsed="dt=time", **options)
        for part in parts(task):
            for batch in part:
                x, dt = batch.inputs["x"][..., 0], batch.inputs["dt"]
                np.testing.assert_array_equal(dt[1:], np.where(x[1:] > 0, 2 * x[1:] - 1, 0))
                np.testing.assert_array_equal(dt[0], 0 if batch.fresh else 2 * x[0] - 1)


def test_a_column_of_splits_cuts_a_series_too(tmp_path: Path) -> None:
    rows = ["train"] * 50 + ["valid"] * 10 + ["test"] * 8
    lines = [f"{split},{t},0" for t, split in enumerate(rows)]
    (tmp_path / "my.csv").write_text("\n".join(["split,x,target", *lines]), encoding="utf-8")
    task = own_task(Settings(tmp_path / "my.csv", 2, dtype="float64"), model(EACH, N=1))
    assert [sorted(steps_of(part)) for part in parts(task)] == [[*range(50)], [*range(50, 60)], [*range(60, 68)]]
    with pytest.raises(UsageError, match="the option split has no effect"):
        own_task(Settings(tmp_path / "my.csv"), model(EACH, N=1), split="80/10/10")


def test_a_run_on_a_series_predicts_evaluates_and_forecasts(tmp_path: Path) -> None:
    """Test steps are numbered on; a file of the run is one sequence."""
    (tmp_path / "my.rnn").write_text(EACH, encoding="utf-8")
    said: list[str] = []
    request = Request(
        str(tmp_path / "my.rnn"), options=TRAINING, data=str(series(tmp_path)), folder=str(tmp_path / "r")
    )
    run(request, said.append)
    assert any("split by time: 184 steps to train" in words for words in said)
    loaded: LoadedRun = rc.load_run(tmp_path / "r")
    test, whole = loaded.predict(), loaded.predict(tmp_path / "my.csv")
    assert (test.first.tolist(), len(test.output[0]), len(whole.output[0])) == ([207], 23, STEPS)
    run_ = loaded.model.forward(loaded.params, {"x": np.arange(207.0, 230.0)[:, None, None]})
    np.testing.assert_allclose(test.output[0], run_.output[:, 0], rtol=1e-10)
    target = np.sin(0.3 * np.arange(207, 230)).round(4)
    wanted = float(np.mean((test.output[0][:, 0] - target) ** 2))
    assert loaded.evaluate()["y"].values["mse"] == pytest.approx(wanted, rel=1e-9)
    ahead = loaded.forecast(ahead=2, feed={"y": "x"})
    assert ahead.first.tolist() == [STEPS]
    np.testing.assert_allclose(ahead["y"][0][0], test.output[0][-1], rtol=1e-10)
