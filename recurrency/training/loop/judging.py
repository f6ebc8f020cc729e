"""The task's own measure of a model: at the end, and after each epoch of training that is to end when it is met."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recurrency.errors import UsageError
from recurrency.training.data import Batch
from recurrency.training.loop.progress import History
from recurrency.training.loop.scoring import scored, words
from recurrency.training.loop.sharing import Shared, unshared
from recurrency.training.tasks import Task
from recurrency.training.tasks.comparisons import BITS, CLASSES
from recurrency.training.tasks.measures import Judged


def fits(model: Any, task: Task) -> bool:
    """Whether the task has a measure that can judge the model."""
    model = unshared(model)
    return task.measure is not None and hasattr(model, "forward") and task.measure.fits(model)


def judged(model: Any, task: Task, params: Any, stream: Iterable[Batch]) -> Judged:
    """The value of the task's measure, which fits, over all batches."""
    assert task.measure is not None
    if isinstance(model, Shared):
        return model.judged(task.measure, params, stream)
    return task.measure.judged(task.measure.sums(model, params, stream))


def judge(history: History, model: Any, task: Task) -> None:
    """Evaluate the best parameters on the test data: with the task's measure, if it fits the model.

    Without a measure, the accuracy of classes, and of answers of yes or no, is in the verdict.
    """
    if history.test is None:
        return
    if task.measure is None and hasattr(unshared(model), "programs"):
        history.verdict = ", ".join(words(scored(unshared(model), history.params, task.test(), {CLASSES, BITS})))
    if task.measure is None or not fits(model, task):
        return
    found = judged(model, task, history.params, task.test())
    if found.count:
        history.measured, history.judged, history.verdict = found.value, found.count, task.measure.told(found)


def check_criterion(model: Any, task: Task) -> None:
    """Refuse training until a task is solved if nothing says when it is.

    Raises:
        UsageError: the task has no criterion, or the model does not answer what it asks.
    """
    cure = "leave until-solved out"
    if task.measure is None or task.measure.solved is None:
        raise UsageError(f"nothing says when the task {task.name} is solved: {cure}")
    if not fits(model, task):
        raise UsageError(f"the first output of this spec does not answer the task {task.name}: {cure}")
    if next(iter(task.valid()), None) is None:
        raise UsageError(f"the task {task.name} has no validation data, by which it would count as solved: {cure}")
