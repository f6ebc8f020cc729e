"""Networks that draw: how likely whole drawings are, and drawings of theirs.

Graves (2013) reports nats a sequence, not a step, and shows what the networks write.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recurrency.generating.choice import Choice
from recurrency.generating.drawings import drawings
from recurrency.generating.steps import Writer
from recurrency.generating.strokes import lines
from recurrency.reproducing.readings import Reading, Run, number
from recurrency.reproducing.scenes import Scene
from recurrency.training.runs.folders import BEST
from recurrency.training.runs.session import Session
from recurrency.training.runs.weights import load_weights


def sequence(run: Run, samples: int, text: str, bias: float) -> Reading | None:
    """The test loss of a whole sequence, for a loss that is a mean over steps: it times the mean number of steps.

    `detail` has drawings of the network, as many as `samples`: each is a list of strokes of points. `text` is what is
    drawn, if the network reads a text; `bias` makes them neater.

    Raises:
        UsageError: the network does not draw, or can't write this text.
    """
    test = number(run.end.get("test"))
    if test is None:
        return None
    session = Session.opened(run.folder)
    task = session.task(session.options["seed"])
    name = next(name for name, port in session.model.inputs.items() if port.clock == "t")
    steps = np.concatenate([batch.steps(name) for batch in task.test()])
    drawn = []
    if samples:
        writer = Writer(session.model, load_weights(run.folder / BEST, session.model))
        source = text if writer.sources else None
        drawn = drawings(writer, task.facts, source, samples=samples, choice=Choice(bias=bias))
    detail = {"drawings": [[np.round(line, 1).tolist() for line in lines(one)] for one in drawn]}
    return Reading(test * float(steps.mean()), f"{steps.mean():.1f} steps a sequence", detail)


# ------------------------------------------------------------------------------------------------------------ picture


WIDE, NARROW = 3, 6
"""Drawings in a line of the picture: of texts, and of single characters."""


def draw(scene: Scene, figure: Any) -> None:
    """Drawings of the first run of each row that has some; each row begins a new line of the picture."""
    rows = [(row.name, found) for row in scene.rows if (found := _drawn(row.runs))]
    columns = WIDE if any(_aspect(drawing) > 2.5 for _, found in rows for drawing in found) else NARROW
    lines = [
        (name if first == 0 else "", found[first : first + columns])
        for name, found in rows
        for first in range(0, len(found), columns)
    ]
    grid = figure.subplots(max(1, len(lines)), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for line, (name, found) in zip(grid, lines, strict=False):
        line[0].set_title(name, loc="left", fontsize="medium")
        for axes, drawing in zip(line, found, strict=False):
            for stroke in drawing:
                axes.plot(*zip(*stroke, strict=True), "k", lw=1, solid_capstyle="round")
            axes.set_aspect("equal")
            axes.invert_yaxis()


def _aspect(drawing: Any) -> float:
    """Width by height."""
    width, height = np.ptp(np.concatenate([np.array(stroke) for stroke in drawing]), axis=0)
    return float(width / max(float(height), 1e-9))


def _drawn(runs: Any) -> list[Any]:
    """The drawings of the first run that has some."""
    for _, _, reading in runs:
        detail = None if reading is None else reading.detail
        if isinstance(detail, dict) and isinstance(detail.get("drawings"), list) and detail["drawings"]:
            return list(detail["drawings"])
    return []
