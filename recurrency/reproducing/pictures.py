"""The pictures of a report: curves of losses, and further kinds that a study asks for with `[[picture]]`.

To add a kind, write a function that draws a scene and a row of `PICTURES` (CONTRIBUTING.md, "Add a value").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recurrency.disk import figures
from recurrency.errors import UsageError, nearest_hint
from recurrency.reproducing.values import Reading, Run, Value


@dataclass(frozen=True)
class Shown:
    """One row of a table with its runs: seed, folder with metrics, and the value where there is one."""

    name: str
    published: float | str | None
    runs: tuple[tuple[int, Run, Reading | None], ...]


@dataclass(frozen=True)
class Scene:
    """What a picture shows: the rows of a table that have runs, and the options of the picture."""

    value: Value
    unit: str
    rows: tuple[Shown, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Picture:
    """A kind of picture. `draw(scene, figure)` fills a figure of matplotlib, `width` by `height` inches."""

    kind: str
    meaning: str
    draw: Callable[[Scene, Any], None]
    options: Mapping[str, Any] = field(default_factory=dict)
    width: float = 7
    height: float = 4

    def taken(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """All options, with those given.

        Raises:
            UsageError: there is no such option, or it has another type than the default.
        """
        for key, value in given.items():
            if key not in self.options:
                known = ["kind", "table", "caption", *self.options]
                raise UsageError(
                    f"{where}: there is no key {key}; there are {', '.join(known)}{nearest_hint(key, known)}"
                )
            if type(value) is not type(self.options[key]):
                raise UsageError(f"{where}: {key} must be like {self.options[key]!r}, not {value!r}")
        return {**self.options, **given}

    def save(self, scene: Scene, path: Path) -> None:
        """Draw a scene and write the picture; the suffix of the path determines the format.

        Raises:
            UsageError: matplotlib is missing, or the file can't be written.
        """
        figure = figures.figure(self.meaning, self.width, self.height)
        self.draw(scene, figure)
        figures.save(figure, path)


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
                axes.plot(*zip(*points, strict=True), f"C{number % 10}", lw=1.6, alpha=0.85, label=label)
                label = None
        if change is not None and isinstance(row.published, int | float):
            axes.axhline(row.published, color=f"C{number % 10}", lw=1, ls="--")
    what = f"{scene.unit}, validation" if change and scene.unit else "validation loss"
    axes.set(xlabel="updates", ylabel=what, yscale="log" if scene.options["log"] else "linear")
    figures.unframed(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small")


CURVES = Picture("curves", "the losses", _curves, {"log": False})

PICTURES: Mapping[str, Picture] = {picture.kind: picture for picture in (CURVES,)}
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
