"""Sizes of activations and gradients over the layers or the steps of a network, before training and after it.

Glorot and Bengio (2010, figures 6 and 7) compare them over the layers for two ways to initialise weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurrency.disk import figures
from recurrency.errors import UsageError
from recurrency.inspection.probe import probe
from recurrency.reproducing.readings import Reading, Run
from recurrency.reproducing.scenes import Scene, Shown
from recurrency.training.runs.folders import BEST
from recurrency.training.runs.session import Session
from recurrency.training.runs.weights import load_weights

WHEN = ("as initialised", "after training")
"""The two times of measuring."""
KEYS = ("activations", "gradients")


def gradient_kept(run: Run, streams: str, gradients: str) -> Reading:
    """How much of a gradient is left at the first layer or step, relative to the last, as initialised.

    `streams` is a pattern of names of inner streams. If it matches several, such as `h[*]`, they are layers, and a size
    is the root mean square over all steps; if it matches one, its sizes at the steps are compared. Gradients are those
    of the streams that `gradients` matches, or of the same if it is empty. They are measured on the first batch of
    training; `detail` has all sizes, also with the best parameters.

    Raises:
        UsageError: a pattern matches no stream, or the patterns match different numbers of them.
    """
    session = Session.opened(run.folder)
    seed = session.options["seed"]
    batch = next(iter(session.task(seed).train(0, np.random.default_rng(seed))))
    model = session.model
    names = tuple(
        model.interface.matching("stream", pattern, model.streams) for pattern in (streams, gradients or streams)
    )
    if len(names[0]) != len(names[1]):
        raise UsageError(f"{streams} matches {len(names[0])} streams, {gradients} matches {len(names[1])}")
    vectors = session.initial(seed), load_weights(run.folder / BEST, session.model)
    sizes = [_sizes(session.model, params, batch.inputs, names) for params in vectors]
    over = "layer" if len(names[0]) > 1 else "step"
    first, last = (sizes[0]["gradients"][place] for place in (0, -1))
    kept = first / last if last else 0.0
    return Reading(kept, detail={"over": over, **dict(zip(WHEN, sizes, strict=True))})


def _sizes(
    model: Any, params: Any, inputs: Mapping[str, Any], names: tuple[Sequence[str], Sequence[str]]
) -> dict[str, list[float]]:
    """Activations of the first names and gradients of the second ones: one for each stream, or for each step."""
    found = {one.name: one for one in probe(model, params, inputs, sorted({*names[0], *names[1]}))}
    out = {}
    for key, own in zip(KEYS, names, strict=True):
        sizes = [getattr(found[name], key) for name in own]
        several = len(own) > 1
        out[key] = [float(np.sqrt(np.mean(s * s))) for s in sizes] if several else [float(size) for size in sizes[0]]
    return out


# ------------------------------------------------------------------------------------------------------------ picture


def draw(scene: Scene, figure: Any) -> None:
    """Activations and gradients, as initialised and after training, with a line for each row of the table."""
    rows = [(row.name, found) for row in scene.rows for found in _details(row)[:1]]
    grid = figure.subplots(2, 2, squeeze=False, sharex=True)
    for line, when in zip(grid, WHEN, strict=True):
        for axes, key in zip(line, KEYS, strict=True):
            for number, (name, detail) in enumerate(rows):
                sizes = np.array(detail[when][key])
                mark = "o" if detail["over"] == "layer" else ""
                shown = np.where(sizes > 0, sizes, np.nan)
                axes.plot(np.arange(1, len(sizes) + 1), shown, f"C{number % 10}", marker=mark, ms=4, lw=1.4, label=name)
            axes.set(title=f"{key}, {when}", yscale="log")
            axes.title.set_fontsize("medium")
            figures.unframed(axes)
    for axes in grid[1]:
        axes.set_xlabel(rows[0][1]["over"] if rows else "")
    for line in grid:
        line[0].set_ylabel("root mean square")
    if rows:
        figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)


def _details(row: Shown) -> list[Mapping[str, Any]]:
    """The sizes of the runs of a row that have some."""
    found = [reading.detail for _, _, reading in row.runs if reading is not None]
    return [detail for detail in found if isinstance(detail, dict) and {"over", *WHEN} <= detail.keys()]
