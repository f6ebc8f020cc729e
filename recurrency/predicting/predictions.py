"""What a trained model says of some sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recurrency.predicting.writing import write
from recurrency.training.data.sequences import Array

PROBABILITY, CLASS, LABEL = "probability", "class", "label"


@dataclass(frozen=True)
class Predictions:
    """The results for each sequence, in the order of the data.

    `values` has, by name, an array for each sequence: [steps, *shape], or [*shape] for a value of a whole sequence. The
    names are those of the outputs, `NAME.probability` and `NAME.class` of outputs that are scores, `NAME.label` where
    classes have names, and those of inner streams that were asked for. `clocks` says over which clock the steps of a
    name are; None: it has no steps. `names` are those of the sequences, and `first` [sequences] is the number of the
    first step, which in a forecast is the number of steps that were read.
    """

    values: Mapping[str, Sequence[Array]]
    clocks: Mapping[str, str | None]
    names: Sequence[str]
    first: Array
    outputs: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> Sequence[Array]:
        """The arrays of a name, one for each sequence.

        Raises:
            KeyError: there is none such.
        """
        if name not in self.values:
            raise KeyError(f"there is no {name} among the predictions; there are {', '.join(self.values)}")
        return self.values[name]

    @property
    def output(self) -> Sequence[Array]:
        """The arrays of the first output."""
        return self.values[self.outputs[0]]

    def last(self) -> Predictions:
        """Only the last step of each sequence: values [*shape], as of a whole sequence."""
        values = {
            n: [np.asarray(a[-1]) for a in v] if self.clocks[n] is not None else v for n, v in self.values.items()
        }
        return Predictions(values, dict.fromkeys(values), self.names, self.first, self.outputs)

    def padded(self) -> dict[str, Array]:
        """Arrays [sequences, steps, *shape], zero after the ends (symbols -1), and `lengths` where these differ.

        The lengths of steps over another clock `s` are called `lengths_s`.
        """
        out, lengths = {}, {}
        for name, rows in self.values.items():
            clock = self.clocks[name]
            if clock is None:
                out[name] = np.stack(rows)
                continue
            ends = np.array([len(row) for row in rows])
            kind = rows[0].dtype.kind
            fill = -1 if kind in "iu" else "" if kind == "U" else 0
            out[name] = np.full((len(rows), int(ends.max()), *rows[0].shape[1:]), fill, rows[0].dtype)
            for number, row in enumerate(rows):
                out[name][number, : len(row)] = row
            if (ends != ends[0]).any():
                lengths["lengths" if clock == "t" else f"lengths_{clock}"] = ends
        return {**out, **lengths}

    def save(self, path: str | Path) -> None:
        """Write a .csv, .parquet, .npz or .npy file, by the end of its name; docs/predict.md says what they hold.

        Raises:
            UsageError: the name has another end, the file can't hold these predictions, or can't be written.
        """
        write(self, path)
