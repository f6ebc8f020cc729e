"""Rows of figures as a file for machines, as tables and as pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from recurrency.disk.figures import figure, save, unframed
from recurrency.disk.files import write_whole
from recurrency.errors import UsageError

Row = dict[str, Any]

MODES = {"forward": "forward", "train": "forward and backward"}


def rounds_of(row: Row) -> tuple[Any, ...]:
    """What is measured, and replaced, together."""
    return row["threads"], row["cell"], row["size"]


def ordered(values: Iterable[Any], order: Sequence[str]) -> list[Any]:
    """Each once, in a given order."""
    return sorted(set(values), key=lambda value: order.index(value) if value in order else len(order))


def number(value: float | None) -> str:
    """Three digits, but all of those before the point."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"


def percent(value: float | None) -> str:
    """A share."""
    return "" if value is None else f"{100 * value:.0f} %"


def table(
    rows: Sequence[Row], base: str, cells: Sequence[str], sizes: Sequence[str], names: Sequence[str]
) -> list[str]:
    """Rows of one mode and number of threads, one line for each cell and size."""
    found = {(row["cell"], row["size"], row["name"]): row for row in rows}
    others = [n for n in ordered((row["name"] for row in rows), names) if n != base]
    lines = [f"| cell | size | ours, ms | of the peak | {' | '.join(f'{n} / ours' for n in others)} |"]
    lines.append("|---" * (4 + len(others)) + "|")
    for cell in ordered((row["cell"] for row in rows), cells):
        for size in ordered((row["size"] for row in rows if row["cell"] == cell), sizes):
            own = found.get((cell, size, base))
            ratios = [found[cell, size, n]["ratio"] if (cell, size, n) in found else None for n in others]
            first = [cell, size, number(own and own["median"] * 1e3), percent(own and own["share"])]
            lines.append(f"| {' | '.join([*first, *map(number, ratios)])} |")
    return lines


def shares(rows: Sequence[Row], cells: Sequence[str], sizes: Sequence[str], names: Sequence[str]) -> list[str]:
    """How near to the peak all contestants come, for the cells whose products are counted."""
    rows = [row for row in rows if row["share"] is not None]
    if not rows:
        return []
    found = {(row["cell"], row["size"], row["name"]): row["share"] for row in rows}
    every = ordered((row["name"] for row in rows), names)
    lines = [f"| cell | size | {' | '.join(every)} |", "|---" * (2 + len(every)) + "|"]
    for cell in ordered((row["cell"] for row in rows), cells):
        for size in ordered((row["size"] for row in rows if row["cell"] == cell), sizes):
            parts = [percent(found.get((cell, size, name))) for name in every]
            lines.append(f"| {' | '.join([cell, size, *parts])} |")
    return lines


def page(found: dict[str, Any]) -> str:
    """All tables, and what they are about."""
    order = found["base"], found["cells"], list(found["sizes"]), found["names"]
    lines = ["# Recurrent cells on a CPU", ""]
    lines += [", ".join(f"{what} {which}" for what, which in found["machine"].items()) + ".", ""]
    lines += [", ".join(f"{what} {which}" for what, which in found["versions"].items()) + ".", ""]
    sizes = "; ".join(f"{name} {', '.join(map(str, size))}" for name, size in found["sizes"].items())
    lines += [f"float32. Sizes T, B, N, H: {sizes}.", ""]
    lines += ["Medians over alternating rounds, and medians of the ratios of one round: above 1 ours is faster.", ""]
    for threads, peak in sorted(found["peaks"].items()):
        lines += [f"{threads} thread(s): {peak / 1e9:.0f} GFLOP/s each in registers.", ""]
    for threads in sorted({row["threads"] for row in found["rows"]}):
        for mode, title in MODES.items():
            rows = [row for row in found["rows"] if row["threads"] == threads and row["mode"] == mode]
            if rows:
                clock = ", ".join(sorted({row["clock"] for row in rows}))
                lines += [f"## {title.capitalize()}, {threads} thread(s), {clock}", "", *table(rows, *order), ""]
                near = shares(rows, *order[1:])
                lines += (
                    ["Floating-point operations of the products, as a part of the peak:", "", *near, ""] if near else []
                )
    if found["absent"]:
        lines += ["## Left out", "", *left_out(found["absent"]), ""]
    return "\n".join(lines)


def left_out(rows: Sequence[Row]) -> list[str]:
    """Who, why and where, each reason once."""
    places: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        places.setdefault((row["name"], row["reason"]), []).append(row)
    lines = []
    for (name, reason), where in places.items():
        parts = (", ".join(dict.fromkeys(str(row[word]) for row in where)) for word in ("cell", "size", "threads"))
        lines.append(f"- {name}: {reason} ({'; '.join(parts)} thread(s))")
    return lines


COLOURS = {
    "numpy": "#7f7f7f",
    "torch.nn": "#d62728",
    "torch-loop": "#ff7f0e",
    "torch-hoisted": "#e8b520",
    "torch.compile": "#8c564b",
    "jax-scan": "#1f77b4",
    "jax-hoisted": "#17becf",
    "jax-associative": "#9467bd",
    "onnxruntime": "#2ca02c",
}
"""Of those that a picture knows; it gives others black."""

COLUMNS = 4


def draw(found: dict[str, Any], threads: int, mode: str) -> Any:
    """A picture of the ratios: a field for each cell, and a line in it for each contestant."""
    rows = [row for row in found["rows"] if row["threads"] == threads and row["mode"] == mode]
    rows = [row for row in rows if row["name"] != found["base"]]
    cells = ordered((row["cell"] for row in rows), found["cells"])
    sizes = ordered((row["size"] for row in rows), list(found["sizes"]))
    columns = min(COLUMNS, len(cells))
    lines = -(-len(cells) // columns)
    picture = figure("ratios", 2.8 * columns + 1.8, 2.4 * lines + 0.8)
    fields = list(picture.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
    shown: dict[str, Any] = {}
    for cell, axes in zip(cells, fields, strict=False):
        _field(axes, cell, [row for row in rows if row["cell"] == cell], sizes, found["names"], shown)
    for place, axes in enumerate(fields):
        axes.set_visible(place < len(cells))
        axes.tick_params(labelbottom=place + columns >= len(cells), labelleft=place % columns == 0)
    picture.suptitle(f"{MODES[mode].capitalize()}, {threads} thread{'s'[: threads > 1]}: time of others / ours")
    handles = {name: shown[name] for name in found["names"] if name in shown}
    picture.legend(handles.values(), handles, loc="outside right upper", frameon=False)
    return picture


def _field(axes: Any, cell: str, rows: list[Row], sizes: list[str], names: list[str], shown: dict[str, Any]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    unframed(axes)
    axes.axhline(1, color="black", linewidth=1)
    for name in ordered((row["name"] for row in rows), names):
        points = {row["size"]: row["ratio"] for row in rows if row["name"] == name}
        ratios = [points.get(size, float("nan")) for size in sizes]  # a gap where it was not measured
        (shown[name],) = axes.plot(ratios, "o-", ms=4, lw=1.3, color=COLOURS.get(name, "black"))
    axes.set(title=cell, yscale="log", xticks=range(len(sizes)), xlim=(-0.3, len(sizes) - 0.7))
    axes.set_xticklabels(sizes, fontsize=8)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def write(folder: Path, found: dict[str, Any]) -> list[str]:
    """`cpu.json`, `cpu.md` and pictures; what could not be drawn is reported."""
    write_whole(folder / "cpu.json", json.dumps(found, indent=1) + "\n")
    write_whole(folder / "cpu.md", page(found))
    others = {(row["threads"], row["mode"]) for row in found["rows"] if row["name"] != found["base"]}
    try:
        for threads, mode in sorted(others):
            save(draw(found, threads, mode), folder / f"{mode}-{threads}.png")
    except UsageError as error:
        return [str(error)]
    return []


def read(folder: Path) -> dict[str, Any] | None:
    """What an earlier run has written, or None."""
    path = folder / "cpu.json"
    return json.loads(path.read_text()) if path.exists() else None
