"""What a picture of a report shows, and what a kind of picture is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recurrency.disk import figures
from recurrency.reproducing.readings import Reading, Run, Value


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

    def save(self, scene: Scene, path: Path) -> None:
        """Draw a scene and write the picture; the suffix of the path determines the format.

        Raises:
            UsageError: matplotlib is missing, or the file can't be written.
        """
        figure = figures.figure(self.meaning, self.width, self.height)
        self.draw(scene, figure)
        figures.save(figure, path)
