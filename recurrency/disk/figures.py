"""Pictures of numbers, drawn by matplotlib, which not everybody has."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from recurrency.disk.files import write_whole
from recurrency.errors import UsageError


def figure(what: str, width: float, height: float) -> Any:
    """An empty figure of so many inches; `what` is what it is to show.

    Raises:
        UsageError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(f"a picture of {what} needs matplotlib: pip install 'recurrency[plots]'") from None
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def unframed(axes: Any) -> None:
    """Axes with a faint grid, and without a frame above and on the right."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Any, path: str | Path) -> None:
    """Write a figure as what the suffix says, a PNG without one; it is there whole or not at all.

    Raises:
        UsageError: the suffix is that of no picture, or the file can't be written.
    """
    data = io.BytesIO()
    try:
        figure.savefig(data, format=Path(path).suffix.lstrip(".") or "png")
    except ValueError:
        raise UsageError(f"{path}: a picture of numbers ends in .png, .svg or .pdf") from None
    write_whole(path, data.getvalue())
