"""How good a trained model is on data: its loss, and what suits its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from recurrency.errors import UsageError
from recurrency.training.data.sequences import Array, Batch
from recurrency.training.data.vocabularies import Vocabulary
from recurrency.training.loop.loop import evaluate
from recurrency.training.loop.scoring import Scored, scored
from recurrency.training.loop.weighing import with_next
from recurrency.training.tasks.measures import Measure


@dataclass(frozen=True)
class Evaluation:
    """The mean loss over all sequences, and the scores of all that the loss compares (`training.loop.scoring`).

    `sequences` is their number, `verdict` the task's own measure in words, if it has one.
    """

    loss: float
    sequences: int
    scores: tuple[Scored, ...] = field(default=())
    verdict: str = ""

    def __getitem__(self, name: str) -> Scored:
        """The scores of an output by its name.

        Raises:
            KeyError: there are none.
        """
        for found in self.scores:
            if found.name == name:
                return found
        raise KeyError(f"there are no scores of {name}; there are those of {', '.join(s.name for s in self.scores)}")

    def told(self) -> str:
        """A line for each figure."""
        lines = [f"loss {self.loss:.6g} ({self.sequences} sequence{'s' * (self.sequences != 1)})"]
        lines += [found.told() for found in self.scores]
        return "\n".join([*lines, *([self.verdict] if self.verdict else [])])

    def plain(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        scores = {
            found.name: {
                "kind": found.kind,
                found.counts: found.count,
                **found.values,
                **({} if found.confusion is None else {"confusion": found.confusion.tolist()}),
                **({"labels": list(found.labels)} if found.labels else {}),
            }
            for found in self.scores
        }
        return {"loss": self.loss, "sequences": self.sequences, "scores": scores, "verdict": self.verdict or None}


def evaluated(
    model: Any,
    params: Array,
    stream: Callable[[], Iterable[Batch]],
    measure: Measure | None = None,
    vocabulary: Vocabulary | None = None,
) -> Evaluation:
    """The evaluation of a model on batches, which `stream` gives anew at each call.

    Classes have the names that the `vocabulary` has for the symbols of the target.

    Raises:
        UsageError: the spec has no loss, or there is no batch.
    """
    model.need_loss()
    count = sum(_sequences(stream()))
    loss = evaluate(model, params, stream())
    if loss is None or not count:
        raise UsageError("there is nothing to evaluate: the data hold no sequence")
    verdict = ""
    if measure is not None and measure.fits(model):
        judged = measure.judged(measure.sums(model, params, stream()))
        verdict = f"{measure.meaning}: {measure.told(judged)}" if judged.count else ""
    return Evaluation(loss, count, tuple(scored(model, params, stream(), names=vocabulary)), verdict)


def _sequences(stream: Iterable[Batch]) -> Iterator[int]:
    """The sequences that end in each batch."""
    for batch, ends in with_next(stream):
        yield batch.size if ends else 0
