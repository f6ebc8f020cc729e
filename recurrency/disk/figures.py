"""Plots with matplotlib, which is an optional dependency."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from recurrency.disk.files import write_whole
from recurrency.errors import UsageError
from recurrency.extras import install


def figure(what: str, width: float, height: float) -> Any:
    """An empty figure, `width` by `height` inches; `what` is its content, for the message.

    Raises:
        UsageError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(f"a picture of {what} needs matplotlib: {install('plots')}") from None
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def unframed(axes: Any) -> None:
    """Give axes a faint grid, and remove the frame at the top and on the right."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Any, path: str | Path) -> None:
    """Write a figure atomically. The suffix determines the format; without one it is PNG.

    Raises:
        UsageError: the suffix is no image format, or the file can't be written.
    """
    data = io.BytesIO()
    try:
        figure.savefig(data, format=Path(path).suffix.lstrip(".") or "png")
    except ValueError:
        raise UsageError(f"{path}: a picture of numbers ends in .png, .svg or .pdf") from None
    write_whole(path, data.getvalue())
