"""The pictures of a report: curves of losses, and further kinds that a study asks for with `[[picture]]`.

To add a kind, write a function that draws a scene and a row of `PICTURES` (CONTRIBUTING.md, "Add a value").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recurrency.disk import figures
from recurrency.errors import UsageError, nearest_hint
from recurrency.reproducing.handwriting import draw as drawings
from recurrency.reproducing.nesting import draw as heat_maps
from recurrency.reproducing.probing import draw as sizes
from recurrency.reproducing.scenes import Picture, Scene


def _mark(points: Sequence[Any]) -> dict[str, str]:
    """A single point is a dot, as no line shows it."""
    return {"marker": "o"} if len(points) == 1 else {}


def _curves(scene: Scene, figure: Any) -> None:
    """Validation losses over updates, a colour for each row; published numbers of the same kind as dashed lines."""
    axes = figure.subplots()
    change = scene.value.of_loss
    for number, row in enumerate(scene.rows):
        label: str | None = row.name
        for _, run, _ in row.runs:
            points = [
                (line["step"], change(line["valid"]) if change else line["valid"])
                for line in run.epochs
                if line["valid"] is not None
            ]
            if points:
                axes.plot(
                    *zip(*points, strict=True), f"C{number % 10}", lw=1.6, alpha=0.85, label=label, **_mark(points)
                )
                label = None
        if change is not None and isinstance(row.published, int | float):
            axes.axhline(row.published, color=f"C{number % 10}", lw=1, ls="--")
    unit = scene.unit.partition(",")[0]
    what = f"{unit}, validation" if change and unit else "validation loss"
    axes.set(xlabel="updates", ylabel=what, yscale="log" if scene.options["log"] else "linear")
    figures.unframed(axes)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(frameon=False, fontsize="small", loc="outside right upper")


CURVES = Picture("curves", "the losses", _curves, {"log": False})

_ROWS = (
    CURVES,
    Picture("strokes", "drawings, for tables of the value `sequence`", drawings, {}, 9, 5),
    Picture("probe", "activations and gradients over layers or steps, before and after training", sizes, {}, 8, 6),
    Picture(
        "nesting",
        "accuracies of programs by nesting and length, and the difference of two networks",
        heat_maps,
        {"better": "", "worse": ""},
        13,
        3.4,
    ),
)
PICTURES: Mapping[str, Picture] = {picture.kind: picture for picture in _ROWS}
"""The kinds of pictures."""


def picture_named(kind: str, where: str) -> Picture:
    """A kind of picture by its name.

    Raises:
        UsageError: there is none.
    """
    if kind not in PICTURES:
        hint = nearest_hint(kind, PICTURES)
        raise UsageError(f"{where}: there is no kind of picture {kind}; there are {', '.join(PICTURES)}{hint}")
    return PICTURES[kind]
