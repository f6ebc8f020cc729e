"""Hessian-free training of a model: objective, curvature, options, streams, resuming, and a task that it solves."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.backend import describe
from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop import hessian_free
from recurrency.training.loop.loop import DivergedError, Options, Silent, train
from recurrency.training.loop.optimisers import Adam, HessianFree, optimiser
from recurrency.training.loop.processes import ALONE, Processes
from recurrency.training.loop.schedules import Cosine
from recurrency.training.loop.second_order import Landscape, curvature_call, stream_of
from recurrency.training.loop.sharing import Shared
from recurrency.training.loop.snapshots import Snapshot, read, write
from recurrency.training.loop.updates import Call, Learner
from recurrency.training.runs.metrics import read_metrics
from recurrency.training.tasks import TASKS, Settings, Task
from tests.support.calling import Run

CELL = """
cell Small[H](x: [2], target: [1]) -> (y: [1]) {
    param W : [H, 2] ~ glorot_uniform
    param U : [H, H] ~ orthogonal
    param V : [1, H] ~ glorot_uniform

    state h : [H] = 0

    h = tanh(W @ x + U @ h[t-1])
    y = V @ h
    loss squared_error(y, target)
}
"""
H = 3


@pytest.fixture(scope="module")
def model() -> Any:
    return rc.parse(CELL).compile(dtype="float64", H=H)


def batch(seed: int, count: int = 5, steps: int = 6) -> Batch:
    rng = np.random.default_rng(seed)
    return Batch({"x": rng.standard_normal((steps, count, 2)), "target": rng.standard_normal((steps, count, 1))})


def task(*batches: Batch) -> Task:
    return Task("fixed", lambda epoch, rng: iter(batches), len(batches), lambda: batches[:1], lambda: batches[:1])


def landscape(model: Any, damp: dict[str, float] | None = None, l2: float = 0.0) -> tuple[Landscape, list[Batch]]:
    """The landscape of an update on two batches of different sizes."""
    batches = [batch(0, 5), batch(1, 3, 4)]
    learner, params = Learner(model, Options(l2=l2)), model.init(0)
    parts, _ = learner.gradient(params, [(each, True) for each in batches])
    return Landscape(learner, damp or {}, params, parts, learner.last[0]), batches


# --------------------------------------------------------------------------------------------- objective and curvature


def test_the_objective_is_the_mean_over_all_batches_with_the_penalty(model: Any) -> None:
    found, batches = landscape(model, l2=0.1)
    theta = found.params + 0.1
    steps = [6 * 5, 4 * 3]
    losses = [model.loss(theta, each.inputs) for each in batches]
    want = np.average(losses, weights=steps) + 0.05 * theta @ theta
    assert found.objective(theta) == pytest.approx(want, rel=1e-12)
    assert found.value() == pytest.approx(found.objective(found.params), rel=1e-12)


def test_the_curvature_is_that_of_the_first_batch_with_decay_and_structural_damping(model: Any) -> None:
    found, batches = landscape(model, {"h": 0.3}, l2=0.1)
    v = np.random.default_rng(0).standard_normal(model.size)
    jacobian = differences(lambda theta: model.forward(theta, batches[0].inputs).outputs["y"].ravel(), found.params)
    inner = differences(
        lambda theta: model.forward(theta, batches[0].inputs, streams=["h"]).streams["h"].ravel(), found.params
    )
    h = model.forward(found.params, batches[0].inputs, streams=["h"]).streams["h"].ravel()
    items = 6 * 5  # both are means over all steps of all sequences
    want = 2 * jacobian.T @ jacobian @ v / items  # squared_error is the sum of squares
    want += 0.7 * 0.3 * (inner.T @ ((1 / (1 - h**2)) * (inner @ v))) / items  # the matching distance of tanh
    np.testing.assert_allclose(found.product(v, 0.7), want + 0.1 * v, rtol=1e-4, atol=1e-6)


def differences(f: Callable[[Any], Any], at: Any, h: float = 1e-4) -> Any:
    """The Jacobian of f by central differences, [outputs, inputs]."""
    return np.stack([(f(at + h * e) - f(at - h * e)) / (2 * h) for e in np.eye(len(at))], axis=-1)


def test_a_part_of_the_batch_is_chosen_evenly() -> None:
    whole = Batch({"x": np.arange(10.0).reshape(1, 10, 1)}, np.arange(1, 11))
    call = Call(whole, 7, {"state": {"h": np.arange(10.0)[:, None]}})
    part = learner_part({"steps:t": 10.0})
    found = curvature_call(call, part, 4)
    np.testing.assert_array_equal(found.batch.inputs["x"].ravel(), [0, 2, 5, 7])
    np.testing.assert_array_equal(found.batch.lengths, [1, 3, 6, 8])
    np.testing.assert_array_equal(found.state["state"]["h"].ravel(), [0, 2, 5, 7])
    assert curvature_call(call, part, 0) is call is curvature_call(call, part, 10)
    with pytest.raises(UsageError, match="the lines sequences count in later batches only: train on whole sequences"):
        curvature_call(call, learner_part({"steps:t": 10.0, "sequences": 0.0}), 4)


def learner_part(counts: dict[str, float]) -> Any:
    from recurrency.training.loop.weighing import Part

    return Part(dict.fromkeys(counts, 1.0), counts, 10)


# ---------------------------------------------------------------------------------------------------------- training


def test_it_makes_the_step_that_the_algorithm_makes(model: Any) -> None:
    """One update of training against the algorithm, with gradient and products of the whole batch."""
    one = batch(3)
    method = HessianFree(damping=0.05, iterations=40)
    history = train(model, task(one), Options(method, epochs=1, damp={"h": 0.2}))
    params = model.init(0)
    value, gradients, _ = model.loss_and_gradients(params, one.inputs)
    want = hessian_free.update(
        params,
        value,
        gradients.params,
        lambda theta: model.loss(theta, one.inputs),
        lambda v, damping: model.gnvp(params, one.inputs, v, damping={"h": damping * 0.2}),
        hessian_free.State(0.05),
        method.settings,
    )
    np.testing.assert_allclose(history.params, want.theta, rtol=1e-9)
    facts = history.epochs[0].facts
    assert (facts["inner"], facts["lambda"]) == (want.iterations, 0.05)
    assert facts["rho"] == pytest.approx(want.rho)
    assert facts["minibatches"] == pytest.approx(5 * (1 + want.products) / 1000)
    assert history.epochs[0].rate == want.step


def test_structural_damping_and_curvature_change_the_step(model: Any) -> None:
    def ends(method: HessianFree, damp: dict[str, float]) -> Any:
        return train(model, task(batch(3)), Options(method, epochs=1, damp=damp)).params

    plain = ends(HessianFree(), {})
    assert not np.array_equal(plain, ends(HessianFree(), {"h": 1.0}))
    assert not np.array_equal(plain, ends(HessianFree(curvature=2), {}))
    np.testing.assert_array_equal(plain, ends(HessianFree(curvature=5), {}))


@pytest.mark.parametrize("backend", ["numpy", "c", "torch"])
def test_it_solves_a_task_in_a_few_updates_on_every_backend(backend: str) -> None:
    if (missing := describe()[backend]) is not None:
        pytest.skip(missing)
    network = rc.library.CharacterModel.compile(V=4, H=12, Cell="Elman", backend=backend)
    memory = TASKS["memorisation-5-bits"].build(Settings(dtype="float32"), length=3, steps=1)
    options = Options(HessianFree(damping=0.01), epochs=40, damp={stream_of(network, "h"): 0.03}, until_solved=True)
    history = train(network, memory, options)
    assert history.stopped == "solved"
    assert history.measured == 0.0
    assert history.solved == len(history.epochs)


def test_a_run_that_goes_on_ends_with_the_same_bits(model: Any, tmp_path: Path) -> None:
    """Lambda, the last solution and the counts are in the snapshot."""
    files: list[Path] = []

    def save(snapshot: Callable[[], Snapshot], needed: bool) -> None:
        files.append(tmp_path / str(len(files)))
        write(files[-1], snapshot(), {})

    own = task(*(batch(seed) for seed in range(4)))
    options = Options(HessianFree(curvature=3), epochs=3, accumulate=2, damp={"h": 0.1}, l2=1e-4)
    whole = train(model, own, options, save=save)
    for file in files:
        again = train(model, own, options, resume=read(file))
        np.testing.assert_array_equal(again.params, whole.params)
        assert [(e.train, e.valid, e.facts) for e in again.epochs] == [
            (e.train, e.valid, e.facts) for e in whole.epochs
        ]


def test_states_that_batches_pass_on_stay_fixed_within_an_update(model: Any) -> None:
    learner, params, then = Learner(model, Options()), model.init(0), Batch(batch(1).inputs, fresh=False)
    learner.gradient(params, [(batch(0), False)])
    state = dict(learner.carried)
    parts, _ = learner.gradient(params, [(then, True)])
    found = Landscape(learner, {}, params, parts, learner.last[0])
    theta, v = params + 0.1, np.ones(model.size)
    assert found.objective(theta) == pytest.approx(model.loss(theta, then.inputs, state=state), rel=1e-12)
    np.testing.assert_allclose(found.product(v, 0.1), model.gnvp(params, then.inputs, v, state=state), rtol=1e-12)


def test_negative_curvature_is_reported(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class Seeing(Silent):
        def step(self, epoch: int, step: int, loss: float, facts: Any) -> None:
            seen.append(facts)

    monkeypatch.setattr(type(model), "curvature", lambda *given, **rest: lambda v, weights: -v)
    history = train(model, task(batch(0)), Options(HessianFree(damping=0.1), epochs=2), Seeing())
    assert [facts["negative"] for facts in seen] == [1.0, 2.0]
    assert [facts["lambda"] for facts in seen] == pytest.approx([0.1, 0.15])  # without any step
    assert seen[0]["rho"] is None
    np.testing.assert_array_equal(history.params, model.init(0))


def test_an_objective_that_is_not_finite_diverges_as_with_every_optimiser(model: Any) -> None:
    bad = batch(0)
    bad.inputs["target"][0, 0, 0] = np.inf
    with pytest.raises(DivergedError, match="the loss is inf at step 1"):
        train(model, task(bad), Options(HessianFree(), epochs=1))


# ------------------------------------------------------------------------------------------------- several processes


class Alone(Processes):
    """One of several processes whose sums the test takes itself."""

    def sum(self, *arrays: Any) -> None:
        """Leaves the shares as they are."""


def test_the_shares_of_a_product_add_up_to_that_of_the_batch(model: Any) -> None:
    shared, one = Shared(model, ALONE), batch(0, 7)
    lengths = np.array([6, 1, 2, 3, 6, 5, 4])
    params, v, found = model.init(0), np.linspace(-1, 1, model.size), []
    for rank in range(3):
        shared.processes = Alone(rank, 3)
        found.append(shared.curvature(params, one.inputs, lengths=lengths, damped=("h",))(v, {"h": 0.1}))
    want = model.gnvp(params, one.inputs, v, lengths=lengths, damping={"h": 0.1})
    np.testing.assert_allclose(sum(found), want, rtol=1e-10, atol=1e-12)


def test_asynchronous_processes_are_refused(model: Any) -> None:
    shared = Shared(model, ALONE)
    shared.asynchronous = True
    with pytest.raises(UsageError, match="gradients of all processes at once: leave parallel=asynchronous out"):
        train(shared, task(batch(0)), Options(HessianFree()))


def test_a_loss_with_lines_of_several_kinds_is_refused_by_several_processes() -> None:
    two = rc.parse(CELL.replace("target)\n}", "target)\n    loss l2(V)\n}")).compile(dtype="float64", H=H)
    with pytest.raises(UsageError, match=r"several processes can't share .* \(steps:t, once\): use one process"):
        Shared(two, Alone(0, 2)).curvature(two.init(0), batch(0).inputs)


# ------------------------------------------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"clip": 1.0}, "clip"),
        ({"clip_value": 1.0}, "clip-value"),
        ({"shrink": 0.5}, "shrink"),
        ({"halve_above": 1.0}, "halve-above"),
        ({"schedule": Cosine()}, "schedule"),
        ({"weight_noise": 0.1}, "weight-noise"),
        ({"l1": 0.1}, "l1"),
    ],
)
def test_options_without_effect_are_refused(model: Any, options: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=f"the option {named} has no effect with the optimiser hessian-free: leave it"):
        train(model, task(batch(0)), Options(HessianFree(), **options))


def test_damping_needs_the_optimiser(model: Any) -> None:
    with pytest.raises(UsageError, match=r"structural damping \(h\) has no effect without the optimiser hessian-free"):
        train(model, task(batch(0)), Options(Adam(), damp={"h": 0.1}))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 0.1}, "hessian-free has no option rate; it has damping, curvature"),
        ({"curvatur": 5}, "hessian-free has no option curvatur; .* did you mean curvature?"),
        ({"iterations": 0}, "iterations of hessian-free must be at least 1, not 0"),
        ({"iterations": 2.5}, "iterations of hessian-free must be a whole number, not 2.5"),
        ({"decay": 2.0}, "decay of hessian-free must be at least 0 and at most 1, not 2"),
        ({"damping": float("nan")}, "damping of hessian-free must be at least 0, not nan"),
    ],
)
def test_wrong_options_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        optimiser("hessian-free", **given)


def test_a_spec_without_a_loss_is_refused() -> None:
    silent = rc.library.LSTM.compile(N=2, H=3)
    with pytest.raises(UsageError, match="no `loss` line"):
        train(silent, task(batch(0)), Options(HessianFree()))


def test_a_loss_without_curvature_is_refused() -> None:
    flat = rc.parse("cell Flat[N](x: [N]) -> (y: [N]) {\n param w : [N] ~ ones\n y = w * x\n loss sum(abs(y))\n}")
    with pytest.raises(UsageError, match=r"Flat can't be trained with hessian-free: .*loss"):
        train(flat.compile(N=2), task(Batch({"x": np.ones((3, 2, 2))})), Options(HessianFree()))


@pytest.mark.parametrize(("damp", "why"), [({"h": -1.0}, "at least 0, not -1.0"), ({"g": 0.1}, "no stream g; it has")])
def test_wrong_damping_is_refused(model: Any, damp: dict[str, float], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        train(model, task(batch(0)), Options(HessianFree(), damp=damp))


def test_a_stream_is_named_by_its_last_part_if_that_is_enough() -> None:
    stacked = rc.library.Adding.compile(H=3, Cell="Elman")
    assert stream_of(stacked, "h") == "y.Cell.h" == stream_of(stacked, "y.Cell.h")
    with pytest.raises(UsageError, match=r"damp: x may be b.x or y.x; write the whole name"):
        stream_of(rc.parse(TWICE).compile(), "x")
    with pytest.raises(UsageError, match=r"damp: Adding has no stream y.Cel.h; did you mean y.Cell.h\?"):
        stream_of(stacked, "y.Cel.h")


@pytest.mark.parametrize("words", [["--damp", "h"], ["--damp", "h=0.03"]])
def test_the_command_line_trains_resumes_and_records(run: Run, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "small.rnn").write_text(CELL)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 5, 2)).astype("float32")
    np.savez(tmp_path / "d.npz", x=x, target=x[:, :, :1])
    folder = str(tmp_path / "run")
    target = ["train", str(tmp_path / "small.rnn"), "--data", str(tmp_path / "d.npz"), "-D", "H=3", "--epochs", "2"]
    how = ["--optimiser", "hessian-free", "-O", "iterations=5", "--log-form", "lines", "--log-every", "1"]
    first = run(*target, *how, *words, "--run", folder)
    assert first.code == 0, first.err
    assert "inner 5  lambda 0.0667  rho" in first.out
    kept = tomllib.loads((tmp_path / "run" / "run.toml").read_text())
    assert kept["damp"] == {"h": 0.03}
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl")
    updates = [line for line in lines if line["event"] == "update"]
    assert len(updates) == 4  # 32 sequences to learn from, in batches of 16
    assert all({"inner", "lambda", "rho", "minibatches"} <= line.keys() for line in updates)
    assert "every loss is the same as before, to the last bit" in run("train", folder).out


TWICE = """
use Linear from library

cell Twice(a: [1]) -> (y: [1]) {
    b = Linear[1](a)
    y = Linear[1](b)
    loss l2(y)
}
"""
