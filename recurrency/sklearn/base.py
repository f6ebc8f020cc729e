"""What the estimators share: parameters, training, and answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from recurrency.backend import AUTO, automatic
from recurrency.model.model import Model
from recurrency.sklearn.folders import epoch_in, opened, store
from recurrency.sklearn.network import Network, answers, interrupted, learn, plain, spec_of
from recurrency.sklearn.reading import Read, read
from recurrency.sklearn.targets import check_given, of_steps
from recurrency.training.data.sequences import Array, Sequences
from recurrency.training.loop.progress import History

SEQUENCE, STEP = "sequence", "step"
EACH = (SEQUENCE, STEP)
OPTIONS = ("epochs", "rate", "batch", "optimiser", "clip", "l2", "patience", "seed")
"""The parameters that are options of the training loop."""


class Recurrent(BaseEstimator):
    """Parameters and training of all estimators; see `RecurrentClassifier`."""

    networks: ClassVar[dict[str, str]]
    """The shipped network for each value of `each`."""
    target: ClassVar[str]
    """The input that its loss compares with the output."""

    def __init__(
        self,
        cell: Any = "GRU",
        hidden: int = 32,
        *,
        each: str = SEQUENCE,
        epochs: int = 50,
        rate: float | None = 0.01,
        batch: int = 16,
        optimiser: str = "adam",
        clip: float | None = None,
        l2: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        warm_start: bool = False,
        seed: int = 0,
        backend: str = "auto",
        dtype: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.cell = cell
        self.hidden = hidden
        self.each = each
        self.epochs = epochs
        self.rate = rate
        self.batch = batch
        self.optimiser = optimiser
        self.clip = clip
        self.l2 = l2
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.seed = seed
        self.backend = backend
        self.dtype = dtype
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _fitted(self, X: Any, y: Any, lengths: Any) -> Any:
        """Train on data."""
        if self.each not in EACH:
            raise ValueError(f"each must be {' or '.join(map(repr, EACH))}, not {self.each!r}")
        check_given(self, y)
        found = read(self, X, lengths, fit=True)
        targets, outputs, kinds = self._targets(found, y, lengths)
        network = self._network(found, outputs)
        initial = self._initial(network)
        data = self._data(found, targets)
        self.options_ = {name: getattr(self, name) for name in OPTIONS}
        session = network.session(self.options_)
        history = learn(session, self._splits(data, kinds), initial, self.verbose)
        self.from_table_ = found.table
        self._keep(network, session.model, history)
        if interrupted(history):
            raise KeyboardInterrupt  # so that a grid search ends; the best parameters so far are kept
        return self

    def _keep(self, network: Network, model: Model, history: History) -> None:
        """Note what was learned."""
        self.network_, self.model_, self.params_, self.history_ = network, model, history.params, history
        self.n_iter_, self.loss_curve_ = len(history.epochs), [epoch.train for epoch in history.epochs]

    def _targets(self, found: Read, y: Any, lengths: Any) -> tuple[list[Array], int, Array | None]:
        """What each sequence is to answer, as a stream; the number of outputs; and kinds to split evenly, if any."""
        raise NotImplementedError

    def _network(self, found: Read, outputs: int) -> Network:
        cell = spec_of(self.cell)
        dtype = self.dtype or found.rows[0].dtype.name
        backend = automatic()[0] if self.backend == AUTO else self.backend
        hidden = plain(self.hidden)
        if type(hidden) is not int or hidden < 1:
            raise ValueError(f"hidden must be a whole number from 1 on, not {self.hidden!r}")
        sizes = (("N", found.rows[0].shape[1]), ("K", outputs), ("H", hidden))
        return Network(self.networks[self.each], self.target, cell, cell.made_of, sizes, backend, dtype)

    def _initial(self, network: Network) -> Array | None:
        """The parameters to start from; None: new ones."""
        if not self.warm_start or not hasattr(self, "params_"):
            return None
        if network != self.network_:
            raise ValueError(
                f"warm_start goes on from the parameters of the last fit, which are those of {self.network_.told}; "
                f"this is {network.told}: use clone(estimator) for a new start"
            )
        return np.array(self.params_)

    def _data(self, found: Read, targets: list[Array]) -> Sequences:
        symbols = frozenset({self.target} if targets[0].dtype.kind == "i" else ())
        return Sequences({"x": found.rows, self.target: targets}, {"x": "t", self.target: "t"}, symbols)

    def _splits(self, data: Sequences, kinds: Array | None) -> dict[str, Sequences]:
        """The data to learn from, and those to judge by, with early stopping."""
        if not self.early_stopping:
            return {"train": data}
        how = {"test_size": self.validation_fraction, "random_state": self.seed, "stratify": kinds}
        train, valid = train_test_split(np.arange(len(data)), **how)
        return {"train": data.take(train), "valid": data.take(valid)}

    @property
    def _whole(self) -> bool:
        """Whether the fitted network answers for each sequence."""
        return bool(self.network_.name == self.networks[SEQUENCE])

    def _answers(self, X: Any, lengths: Any) -> tuple[Read, list[Array]]:
        """The outputs at each step of each sequence, [T_i, K]."""
        check_is_fitted(self)
        found = read(self, X, lengths)
        return found, answers(self.model_, self.params_, found.rows)

    def _paired(self, said: Any, y: Any, lengths: Any) -> tuple[Any, Any]:
        """What is right and what was said; for each step, those of all sequences one after the other."""
        if self._whole:
            return y, said
        rows = list(said)
        right = of_steps(Read([np.asarray(row) for row in rows], False), y, lengths)
        return np.concatenate(right), np.concatenate(rows)

    def _weights(self, said: Any, weights: Any) -> Any:
        """The weight of everything that is compared."""
        if weights is None or self._whole:
            return weights
        return np.repeat(np.asarray(weights), [len(row) for row in said])

    # ------------------------------------------------------------------------------------------------------- on disk

    def save(self, path: str | Path) -> None:
        """Write a run folder, which `load`, `rc.load_run` and `recurrency predict` open; it holds no pickle.

        A name that ends in .safetensors gets the parameters alone, by their names in the spec.

        Raises:
            NotFittedError: before `fit`. UsageError: the folder holds something else, or can't be written; labels are
                of a type that JSON does not have.
        """
        check_is_fitted(self)
        store(path, self.network_.session(self.options_), self.history_, self._facts())

    def _facts(self) -> dict[str, Any]:
        """What a run folder says of the data."""
        return {"columns": int(self.n_features_in_)} if self.from_table_ else {}

    @classmethod
    def load(cls, path: str | Path) -> Any:
        """The fitted estimator of a folder that `save` wrote, with its options.

        The folder may come from anywhere: nothing that is read can run code. `history_` has the parameters only.

        Raises:
            UsageError: there is no such folder, or another estimator or another version wrote it.
        """
        run, each, network = opened(path, cls.networks, cls.target)
        options = run.session.options
        trained = {name: options[name] for name in OPTIONS}
        dimensions = run.session.experiment.compiled_for()
        out = cls(
            dimensions["Cell"],
            dimensions["H"],
            each=each,
            backend=options["backend"],
            dtype=options["dtype"],
            **trained,
        )
        columns = run.facts.get("columns")
        out.options_ = trained
        out.from_table_, out.inputs_ = columns is not None, dict(network.sizes)["N"]
        out.n_features_in_ = out.inputs_ if columns is None else columns
        out._keep(network, run.model, History(params=run.params, best_epoch=epoch_in(run.path)))
        out._restore(run.facts)
        return out

    def _restore(self, facts: Mapping[str, Any]) -> None:
        """What the folder says of the targets."""
        raise NotImplementedError
