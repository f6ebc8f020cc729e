"""A trained model in Python, opened from the folder of its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurrency.disk.toml import read_tables
from recurrency.errors import RecurrencyError, UsageError
from recurrency.graph.roots import STREAM
from recurrency.model.model import Model
from recurrency.model.spec import Spec
from recurrency.predicting.evaluation import Evaluation, evaluated
from recurrency.predicting.forecasting import feed_of, forecast
from recurrency.predicting.outputs import outputs
from recurrency.predicting.predictions import Predictions
from recurrency.predicting.sources import known_of, to_evaluate, to_predict
from recurrency.training.data.sequences import Array
from recurrency.training.runs.best import best_parameters
from recurrency.training.runs.folders import RUN, RunFolder, started
from recurrency.training.runs.session import Session
from recurrency.training.runs.shipped_cells import check_shipped
from recurrency.training.tasks.comparisons import kinds_of
from recurrency.version import VERSION

Tell = Callable[[str], None]


@dataclass(frozen=True)
class LoadedRun:
    """A trained model: the compiled `model`, its best parameters `params` [size], and `facts` about its data.

    `session` has the experiment with every option of the run, and makes its data again.
    """

    path: Path
    model: Model
    params: Array
    facts: Mapping[str, Any]
    session: Session

    @property
    def spec(self) -> Spec:
        """The spec that was trained: the copy in the folder."""
        spec: Spec = self.model.spec
        return spec

    def __repr__(self) -> str:
        return f"<run {self.path}: {self.model!r}>"

    def predict(
        self, data: Any = None, streams: Sequence[str] = (), split: str | None = None, seed: int = 0
    ) -> Predictions:
        """Every output for each sequence, probabilities and classes of outputs that are scores, and inner `streams`.

        `data` is a file (.csv, .npz, .npy, .parquet; .txt for a run on texts), a dict of arrays [sequences, steps,
        *shape] or lists of arrays [steps, *shape] by the names of inputs, or one of these for the only input. Inputs
        that the outputs do not read, such as targets, may be left out. Without data these are the run's own: its test
        data, or another `split`, which also chooses among the splits of a file. `seed` is that of random draws.

        An output is scores of classes where the loss compares it with symbols, by `cross_entropy(y, target)`: then
        `y.probability` is softmax(y), and `y.class` its largest element; of `softmax(y)`, which is probabilities, only
        the class is added; `y.label` is its symbol, where the symbols of the target are texts. With
        `binary_cross_entropy`, `y.probability` is sigmoid(y) of logits.

        Raises:
            UsageError: the data are empty, can't be read or don't fit; there is no such stream.
        """
        needed = self.model.reads("output", *map(STREAM.of, self._streams(streams)))
        found = to_predict(self.session, self.facts, data, split, needed)
        names = known_of(self.session, self.facts).vocabulary
        return outputs(self.model, self.params, found, self._streams(streams), kinds_of(self.model), seed, names)

    def forecast(
        self,
        data: Any = None,
        ahead: int = 1,
        feed: Mapping[str, str] | None = None,
        split: str | None = None,
        seed: int = 0,
    ) -> Predictions:
        """The `ahead` steps behind each sequence, with real-valued outputs fed back as inputs.

        `feed` says which output feeds which input, `{"y": "x"}`. Unless it is given, an output feeds the input with
        which the loss compares it, or the only output the only input. A value is the forecast of its input at its step,
        whether the model reads the current step or only earlier ones.

        Raises:
            UsageError: as `predict`; or it can't be known which output feeds which input, an input is left, or the
                model can't be run step by step.
        """
        if ahead < 1:
            raise UsageError(f"a forecast has at least one step, not {ahead}")
        found = feed_of(self.model, feed)
        sequences = to_predict(self.session, self.facts, data, split, self.model.reads("output"))
        return forecast(self.model, self.params, sequences, ahead, found, seed)

    def evaluate(self, data: Any = None, split: str | None = None, labels: str | Path | None = None) -> Evaluation:
        """The loss, and what suits what it compares: accuracy, confusion and bits of classes, errors of real numbers.

        Data are as in `predict`, with all inputs that the loss reads; `labels` is a file of those with one value for
        each sequence, if they are not in `data`.

        Raises:
            UsageError: the data are empty, can't be read or don't fit; the spec has no loss.
        """
        stream, measure = to_evaluate(self.session, self.facts, data, split, labels)
        return evaluated(self.model, self.params, stream, measure, known_of(self.session, self.facts).vocabulary)

    def _streams(self, streams: Sequence[str]) -> tuple[str, ...]:
        names = (streams,) if isinstance(streams, str) else tuple(dict.fromkeys(streams))
        for name in names:
            if name not in self.model.streams:
                raise self.model.interface.unknown("stream", name, self.model.streams)
        return tuple(name for name in names if name not in self.model.outputs)


def load_run(path: str | Path, backend: str | None = None, tell: Tell = lambda words: None) -> LoadedRun:
    """Open the folder of `recurrency train ... --run FOLDER`, on another `backend` than its own if one is named.

    The best parameters are used; while the run is training, those of its last checkpoint. Nothing that is read can
    run code: parameters are safetensors files, the spec is compiled anew from its text. `tell` gets warnings.

    Raises:
        UsageError: there is no run, it has no parameters yet, or it can't be opened by this version.
    """
    folder = started(path)
    try:
        session = Session.opened(folder.path, backend, tell)
        check_shipped(folder, session.spec, session.experiment.dimensions)
        params = best_parameters(folder, session.model, tell)
        facts = folder.facts() or {}
    except RecurrencyError as error:
        raise UsageError(f"{path} can't be opened: {error}{_other_version(folder)}") from error
    return LoadedRun(folder.path, session.model, params, facts, session)


def _other_version(folder: RunFolder) -> str:
    """The version that wrote a folder, for the end of a message; "" where it is this one."""
    try:
        versions = read_tables(folder / RUN).get("versions", {})
    except UsageError:
        return ""
    was = versions.get("recurrency") if isinstance(versions, dict) else None
    if was == VERSION:
        return ""
    wrote = f"recurrency {was}" if isinstance(was, str) else "another version of recurrency"
    return f"\nThe folder was written by {wrote}; this is {VERSION}: open it with that version, or train again"
