"""How well a network executes small programs, by their nesting and the length of their numbers, as a heat map.

Zaremba and Sutskever (2014) and Chung et al. (2015) compare networks by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.generating.folder import trained
from recurrency.reproducing.readings import Reading, Run
from recurrency.reproducing.scenes import Scene, Shown
from recurrency.training.data.sequences import Array, Batch
from recurrency.training.runs.experiments import load
from recurrency.training.runs.folders import RUN
from recurrency.training.tasks import TASKS
from recurrency.training.tasks.measures import wrong_steps
from recurrency.training.tasks.programs import program, side_by_side

TASK = "programs"
DRAWN = 3
"""Separates these programs from the training and the held-out ones of the same seed."""
BATCH = 50


@dataclass(frozen=True)
class Accuracies:
    """Accuracies [nesting, length] between 0 and 1, for `nesting` 1, 2, ... and `length` 1, 2, ...

    A cell is the fraction of the printed characters, with the point that ends them, to which the network gives the
    greatest probability, while it is fed the right characters before. `characters` [nesting, length] counts them.
    """

    accuracy: Array
    characters: Array
    sequences: int
    seed: int

    @property
    def mean(self) -> float:
        """The mean over the cells, each of which counts the same."""
        return float(self.accuracy.mean())

    def detail(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "accuracy": self.accuracy.round(6).tolist(),
            "characters": self.characters.tolist(),
            "sequences": self.sequences,
            "seed": self.seed,
        }


def accuracies(
    folder: str | Path,
    nesting: int = 0,
    length: int = 0,
    sequences: int = 100,
    seed: int = 0,
    backend: str | None = None,
) -> Accuracies:
    """The accuracies of the model in a run folder of the task `programs`, for each nesting and length.

    A cell has `sequences` programs of exactly so many statements, and numbers of up to so many digits. They follow
    from `seed` and the cell alone, so all models execute the same ones. `nesting` and `length` are the greatest ones;
    0: those that the model was trained on.

    Raises:
        UsageError: there is no run, or it is one of another task; a number is out of its range.
    """
    known = {option.name: option for option in TASKS[TASK].options}
    learned = TASKS[TASK].values(**_learned(Path(folder)))
    sizes = []
    for name, given in (("nesting", nesting), ("length", length)):
        most = int(known[name].most or 0)
        if not 0 <= given <= most:
            raise UsageError(f"{name} must be from 1 to {most}, or 0 for that of the training, not {given}")
        sizes.append(given or int(learned[name]))
    if sequences < 1:
        raise UsageError(f"sequences must be 1 or more, not {sequences}")
    found, measure = trained(folder, backend), wrong_steps("tgt")
    if not measure.fits(found.model):
        raise UsageError(f"{folder}: the first output of the model has no score for each printed character")
    sums = np.array(
        [
            [measure.sums(found.model, found.params, drawn(seed, n, k, sequences))[0] for k in range(1, sizes[1] + 1)]
            for n in range(1, sizes[0] + 1)
        ]
    )
    return Accuracies(1 - sums[..., 0] / sums[..., 1], sums[..., 1].astype(int), sequences, seed)


def drawn(seed: int, nesting: int, length: int, count: int) -> list[Batch]:
    """Programs of so many statements and numbers of up to so many digits, in batches."""
    rng = np.random.default_rng([seed, DRAWN, nesting, length])
    pairs = [program(rng, lambda: length, nesting) for _ in range(count)]
    return [side_by_side(pairs[start : start + BATCH]) for start in range(0, count, BATCH)]


def _learned(folder: Path) -> Mapping[str, Any]:
    """The options of the task that a run was trained on."""
    experiment = load(folder / RUN)
    if experiment.task != TASK:
        raise UsageError(f"{folder} was trained on {experiment.task or 'own data'}; this needs a run of {TASK}")
    return experiment.task_options


def percent_right(run: Run, sequences: int, nesting: int, length: int) -> Reading:
    """The mean over all cells in percent; `detail` has the matrix. See `accuracies`."""
    found = accuracies(run.folder, nesting, length, sequences)
    return Reading(100 * found.mean, detail=found.detail())


# ------------------------------------------------------------------------------------------------------------ picture


def draw(scene: Scene, figure: Any) -> None:
    """A heat map for each row of the table, and one of a difference of two: `better` minus `worse`.

    Raises:
        UsageError: the options name a row that the table does not have.
    """
    maps = {row.name: found for row in scene.rows if (found := _mean(row)) is not None}
    panels = [(name, 100 * found, "viridis", (0.0, 100.0)) for name, found in maps.items()]
    pair = [scene.options[key] for key in ("better", "worse")]
    if all(pair):
        names = [row.name for row in scene.rows]
        for name in pair:
            if name not in names:
                raise UsageError(f"picture nesting: there is no run {name} in the table{nearest_hint(name, names)}")
        if all(name in maps and maps[name].shape == maps[pair[0]].shape for name in pair):
            difference = 100 * (maps[pair[0]] - maps[pair[1]])
            most = max(float(np.abs(difference).max()), 1.0)
            panels.append((f"{pair[0]} minus {pair[1]}", difference, "RdBu_r", (-most, most)))
    for axes, panel in zip(figure.subplots(1, max(1, len(panels)), squeeze=False)[0], panels, strict=False):
        _heat(axes, figure, *panel)


def _heat(axes: Any, figure: Any, title: str, percent: Array, colours: str, span: tuple[float, float]) -> None:
    """One matrix [nesting, length] with the number of each cell."""
    rows, columns = percent.shape
    image = axes.imshow(percent, cmap=colours, vmin=span[0], vmax=span[1], origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(percent):
        red, green, blue, _ = image.cmap(image.norm(value))
        dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
        text = f"{round(value):+d}" if span[0] < 0 else f"{round(value)}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    axes.set_xticks(range(columns), range(1, columns + 1))
    axes.set_yticks(range(rows), range(1, rows + 1))
    axes.set(xlabel="length: digits of numbers", ylabel="nesting: statements")
    axes.set_title(title, fontsize="medium")
    unit = "percentage points" if span[0] < 0 else "percent of characters"
    figure.colorbar(image, ax=axes, label=unit, shrink=0.9)


def _mean(row: Shown) -> Array | None:
    """The mean matrix over the runs of a row; None if none has a readable one of the same shape."""
    found = [matrix for _, _, reading in row.runs if (matrix := _matrix(reading)) is not None]
    alike = [matrix for matrix in found if matrix.shape == found[0].shape]
    return np.mean(alike, axis=0) if alike else None


def _matrix(reading: Reading | None) -> Array | None:
    """The accuracies [nesting, length] of a reading."""
    detail = reading.detail if reading is not None else None
    rows = detail.get("accuracy") if isinstance(detail, dict) else None
    if not isinstance(rows, Sequence) or not all(isinstance(row, Sequence) for row in rows):
        return None
    try:
        matrix = np.array(rows, float)
    except (TypeError, ValueError):
        return None
    return matrix if matrix.ndim == 2 and matrix.size and np.isfinite(matrix).all() else None
