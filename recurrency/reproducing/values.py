"""The values that tables of a study compare: how each is read from a run.

To add one, write a function and a row of `VALUES` (CONTRIBUTING.md, "Add a value").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from recurrency.errors import UsageError, nearest_hint
from recurrency.reproducing.handwriting import sequence
from recurrency.reproducing.nesting import percent_right
from recurrency.reproducing.probing import gradient_kept
from recurrency.reproducing.readings import Reading, Run, Value, number
from recurrency.reproducing.translations import bleu_of
from recurrency.training.loop.progress import SOLVED


def _of_end(key: str, change: Callable[[float], float] = float) -> Callable[[Run], Reading | None]:
    """A number of the last line of the metrics."""

    def read(run: Run) -> Reading | None:
        found = number(run.end.get(key))
        return None if found is None else Reading(change(found))

    return read


def _solved(run: Run) -> Reading | None:
    verdict = run.end.get("verdict")
    if not isinstance(verdict, str) or "solved" not in verdict:
        return None
    solved = verdict.endswith("(solved)")
    words = verdict.partition(" (solved")[0]
    updates = run.updates if run.end.get("stopped") == SOLVED else run.best_updates
    return Reading(float(solved), f"{words}, after {updates} updates" if solved else words)


def _total(run: Run) -> Reading | None:
    found = number(run.epochs[-1].get("total")) if run.epochs else None
    return None if found is None else Reading(found)


def _bits(loss: float) -> float:
    return loss / math.log(2)


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 700.0))


def _same(loss: float) -> float:
    return loss


_ROWS = (
    Value("test", "loss on the test data", _of_end("test"), of_loss=_same),
    Value("valid", "best loss on the validation data", _of_end("best_valid"), of_loss=_same),
    Value("bits", "loss on the test data in bits", _of_end("test", _bits), of_loss=_bits),
    Value("perplexity", "exponential of the loss on the test data", _of_end("test", _perplexity), of_loss=_perplexity),
    Value("measured", "the task's own measure on the test data", _of_end("measured")),
    Value(
        "accuracy",
        "percent that the task's measure counts as right",
        _of_end("measured", lambda m: 100 * (1 - m)),
        less=False,
    ),
    Value("error", "percent that the task's measure counts as wrong", _of_end("measured", lambda m: 100 * m)),
    Value("solved", "1 if the task counts as solved, else 0", _solved, less=False, form=".2g"),
    Value(
        "gradient-kept",
        "size of the gradient at the first layer or step, divided by that at the last, before training",
        gradient_kept,
        less=False,
        options={"streams": "h[*]", "gradients": ""},
        quick=False,
    ),
    Value(
        "bleu",
        "BLEU of translations of the test sentences in percent, by sacrebleu on the tokenised data in lower case",
        bleu_of,
        less=False,
        options={"beam": 5, "penalty": 1.0, "split": "test", "most": 0},
        quick=False,
        form=".2f",
    ),
    Value(
        "nesting",
        "percent of the printed characters of small programs that are right, mean over nestings and lengths",
        percent_right,
        less=False,
        options={"sequences": 100, "nesting": 0, "length": 0},
        quick=False,
    ),
    Value(
        "sequence",
        "loss of a whole test sequence, where the loss is a mean over steps",
        sequence,
        options={"samples": 0, "text": "", "bias": 0.0},
        quick=False,
        form=".1f",
    ),
    Value("total", "sum of the losses of the last epoch, each before its update", _total),
)

VALUES: Mapping[str, Value] = {value.name: value for value in _ROWS}
"""The table of values."""


def value_named(name: str, where: str) -> Value:
    """A value by its name.

    Raises:
        UsageError: there is none.
    """
    if name not in VALUES:
        raise UsageError(
            f"{where}: there is no value {name}; there are {', '.join(VALUES)}{nearest_hint(name, VALUES)}"
        )
    return VALUES[name]
