"""The estimator that says which kind a sequence, or each of its steps, is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from recurrency.errors import UsageError
from recurrency.sklearn.base import SEQUENCE, STEP, Recurrent
from recurrency.sklearn.folders import named_classes
from recurrency.sklearn.reading import Read
from recurrency.sklearn.targets import labels, labels_of_steps
from recurrency.training.data.sequences import Array


class RecurrentClassifier(ClassifierMixin, Recurrent):
    """A recurrent network that classifies sequences, or each of their steps: softmax of a linear layer of the cell.

    It is the shipped network `Classifier` (`each="sequence"`: the answer after the last step) or `FrameClassifier`
    (`each="step"`), and learns by `cross_entropy`.

    Parameters:
        cell: the name of a shipped cell ("GRU", "LSTM"), the path of a .rnn file ("my.rnn" or "my.rnn:Cell"), or a
            spec. Its header must be like `cell MyCell[N, H](x: [N]) -> (h: [H])`.
        hidden: H, the units of the cell.
        each: "sequence" for a label of each sequence, "step" for one of each step.
        epochs: passes over the data.
        rate: the step size of the optimiser; None for the optimiser's own.
        batch: sequences of an update.
        optimiser: as of `recurrency train --optimiser`.
        clip: the largest norm of a gradient; None: none.
        l2: adds l2 / 2 times the sum of the squares of all parameters to the objective.
        early_stopping: set aside `validation_fraction` of the sequences, keep the parameters with the smallest loss on
            them, and end after `patience` epochs without a smaller one.
        validation_fraction: the part of the sequences, or their number, if it is whole.
        patience: see `early_stopping`; None: all epochs.
        warm_start: a further `fit` goes on from the parameters of the last one.
        seed: determines initial parameters, the order of the batches, and the sequences set aside. The same seed, data
            and backend give the same bits.
        backend: "auto", "c", "numpy", "torch" or another one of `recurrency backends`.
        dtype: "float64" or "float32"; None: that of X, if it is one of them, else float64.
        verbose: print a line for each epoch.

    After `fit` it has `classes_` [K], `n_features_in_`, `model_` (a `recurrency.Model`), `params_` (one flat vector, by
    name: `model_.views(params_)`), `history_` (each epoch), `loss_curve_` and `n_iter_` (epochs).
    """

    networks: ClassVar = {SEQUENCE: "Classifier", STEP: "FrameClassifier"}
    target = "label"

    def fit(self, X: Any, y: Any, lengths: Any = None) -> RecurrentClassifier:
        """Train.

        Arguments:
            X: a list of arrays [T_i, N]; or an array [B, T, N]; or a table [B, T], each row of which is a sequence of T
                steps of one number (so is an array [T_i] in a list).
            y: labels of any type, [B]; with `each="step"` an array [T_i] for each sequence, or [B, T].
            lengths: the number of steps of each sequence, [B], of an array or a table with padding at its end.

        Raises:
            ValueError: the data do not fit together, or a number is not finite.
            UsageError: there is no such cell, optimiser or backend, or an option has an impossible value.
            SpecError: the cell is malformed, or does not fit into the network.
            DivergedError: the loss became infinite or NaN.
            KeyboardInterrupt: after Ctrl-C; the estimator has the parameters found so far.
        """
        self._fitted(X, y, lengths)
        return self

    def _targets(self, found: Read, y: Any, lengths: Any) -> tuple[list[Array], int, Array | None]:
        if self.each == STEP:
            known = labels_of_steps(found, y, lengths)
            codes = self._codes(np.concatenate(known))
            ends = np.cumsum([len(row) for row in known])[:-1]
            return np.split(codes, ends), len(self.classes_), None
        codes = self._codes(labels(found, y))
        return [np.full(len(r), code) for r, code in zip(found.rows, codes, strict=True)], len(self.classes_), codes

    def _codes(self, y: Array) -> Array:
        """The numbers of labels among `classes_`; a warm start keeps these.

        Raises:
            ValueError: a label is new to a warm start.
        """
        classes, codes = np.unique(y, return_inverse=True)
        if not self.warm_start or not hasattr(self, "classes_"):
            self.classes_ = classes
            return np.asarray(codes, np.int64)
        if not np.isin(classes, self.classes_).all():
            new = classes[~np.isin(classes, self.classes_)]
            raise ValueError(f"warm_start knows the classes {self.classes_}; new are {new}")
        return np.searchsorted(self.classes_, y).astype(np.int64)

    def _facts(self) -> dict[str, Any]:
        return {**super()._facts(), "classes": named_classes(self.classes_)}

    def _restore(self, facts: Mapping[str, Any]) -> None:
        classes = facts.get("classes", range(self.model_.outputs["p"].shape[0]))
        if len(classes) != self.model_.outputs["p"].shape[0]:
            raise UsageError(f"the model tells {self.model_.outputs['p'].shape[0]} classes, facts.json {len(classes)}")
        self.classes_ = np.array(classes)

    def predict_proba(self, X: Any, lengths: Any = None) -> Any:
        """The probability of each class, in the order of `classes_`.

        Returns:
            [B, K]; with `each="step"` a list of arrays [T_i, K], or [B, T, K] for an array without `lengths`.

        Raises:
            NotFittedError: before `fit`. ValueError: the data have other features than those of training.
        """
        found, rows = self._answers(X, lengths)
        return np.stack([row[-1] for row in rows]) if self._whole else found.shaped(rows)

    def predict_log_proba(self, X: Any, lengths: Any = None) -> Any:
        """The logarithms of `predict_proba`."""
        found = self.predict_proba(X, lengths)
        with np.errstate(divide="ignore"):
            return [np.log(row) for row in found] if isinstance(found, list) else np.log(found)

    def predict(self, X: Any, lengths: Any = None) -> Any:
        """The likeliest label.

        Returns:
            [B]; with `each="step"` a list of arrays [T_i], or [B, T] for an array without `lengths`.

        Raises:
            NotFittedError: before `fit`. ValueError: the data have other features than those of training.
        """
        found = self.predict_proba(X, lengths)
        if isinstance(found, list):
            return [self.classes_[row.argmax(-1)] for row in found]
        return self.classes_[found.argmax(-1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> float:
        """The part of the labels that are right: of sequences, or with `each="step"` of all steps together.

        `sample_weight` [B] weighs sequences; with `each="step"` it weighs the steps of each.
        """
        said = self.predict(X, lengths)
        return float(accuracy_score(*self._paired(said, y, lengths), sample_weight=self._weights(said, sample_weight)))
