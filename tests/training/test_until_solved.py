"""Training that ends when the validation data meet the task's criterion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop.loop import Options, Silent, train
from recurrency.training.loop.optimisers import Adam
from recurrency.training.loop.processes import ALONE
from recurrency.training.loop.sharing import Shared
from recurrency.training.runs.summaries import outcome
from recurrency.training.tasks import TASKS, Settings, Task
from recurrency.training.tasks.measures import Measure

SMALL = Settings(batch=32, dtype="float32")


@pytest.fixture(scope="module")
def model() -> Any:
    return rc.library.CharacterModel.compile(V=4, H=16, Cell="GRU")


def memory(**options: Any) -> Task:
    return TASKS["memorisation-5-bits"].build(SMALL, **{"length": 1, "count": 3, "steps": 10, **options})


OPTIONS = Options(Adam(0.02), epochs=60, patience=None, until_solved=True)


def test_training_ends_after_the_epoch_that_meets_the_criterion(model: Any) -> None:
    measured: list[float] = []

    class Seeing(Silent):
        def epoch(self, record: Any) -> None:
            measured.append(record.facts["measured"])

    history = train(model, memory(), OPTIONS, Seeing())
    assert history.stopped == "solved"
    assert history.solved == 10 * len(history.epochs)
    assert [value < 0.01 for value in measured] == [False] * (len(measured) - 1) + [True]
    assert history.best_epoch == history.epochs[-1].number
    assert history.measured == 0.0  # all cases are in both splits
    assert f"(solved after {history.solved} updates;" in outcome(history)


def test_without_the_option_training_goes_on(model: Any) -> None:
    history = train(model, memory(), replace(OPTIONS, until_solved=False, epochs=25))
    assert (len(history.epochs), history.solved) == (25, None)
    assert history.epochs[-1].facts == {}


def test_too_few_sequences_do_not_meet_the_criterion(model: Any) -> None:
    own = memory()
    assert own.measure is not None
    history = train(model, replace(own, measure=replace(own.measure, least=9)), replace(OPTIONS, epochs=25))
    assert history.epochs[-1].facts["measured"] == 0.0
    assert (len(history.epochs), history.solved) == (25, None)


def test_processes_judge_together(model: Any) -> None:
    history = train(Shared(model, ALONE), memory(), OPTIONS)
    assert history.stopped == "solved"


def test_a_task_without_a_criterion_is_refused(model: Any) -> None:
    def batches() -> Iterator[Batch]:
        yield Batch({"x": np.zeros((2, 3), int), "target": np.zeros((2, 3), int)})

    def like(measure: Measure | None) -> Task:
        return Task("mine", lambda epoch, rng: batches(), 1, batches, batches, measure=measure)

    known = memory().measure
    assert known is not None
    for measure in (None, replace(known, solved=None)):
        with pytest.raises(UsageError, match="nothing says when the task mine is solved: leave until-solved out"):
            train(model, like(measure), OPTIONS)
    with pytest.raises(UsageError, match="the task mine has no validation data, by which it would count as solved"):
        train(model, replace(like(known), valid=tuple), OPTIONS)
    with pytest.raises(UsageError, match="the first output of this spec does not answer the task mine"):
        train(rc.library.LanguageModel.compile(V=5, H=4, N=4), like(replace(known, answer="p")), OPTIONS)
