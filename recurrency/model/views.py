"""How notebooks show a compiled model, and the results of a call: tables in HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurrency.graph.types import Kind

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.arrays import Port
    from recurrency.model.interface import Interface

MOST_ROWS = 40
"""A table of parameters is no longer than this; the rest is counted."""
WIDTH, HEIGHT, MOST_POINTS = 120, 20, 120
"""Size of a line over time in pixels, and its most points."""


def model_html(interface: Interface, backend: str) -> str:
    """The dimensions, ports and parameters of a compiled model."""
    sizes = ", ".join(f"{name} = {value}" for name, value in interface.dimensions.items())
    head = f"<b>{_safe(interface.name)}</b> ({_safe(sizes)}) on {_safe(backend)}, {interface.dtype}: "
    head += f"{interface.size:,} parameters" + (", random" if interface.random else "")
    ports = [
        (what, name, _axes(interface, port))
        for what, table in (("input", interface.inputs), ("output", interface.outputs), ("state", interface.states))
        for name, port in table.items()
    ]
    found = list(interface.parameters.values())
    rows = [(p.name, _shape(p.shape), f"{p.size:,}", _drawn(p.initialiser)) for p in found[:MOST_ROWS]]
    if len(found) > MOST_ROWS:
        rows.append((f"and {len(found) - MOST_ROWS} more", "", "", ""))
    tables = _table(("", "name", "array"), ports)
    return f"<div>{head}{tables}{_table(('parameter', 'shape', 'numbers', 'drawn'), rows) if rows else ''}</div>"


def run_html(groups: Mapping[str, Mapping[str, Array]], interface: Interface | None) -> str:
    """The arrays of a run, by group: their axes, range and, over time, their root mean square as a line."""
    rows = []
    for what, arrays in groups.items():
        for name, array in arrays.items():
            port = _port(interface, what, name)
            axes = _axes(interface, port) if interface is not None and port is not None else ""
            line = ""
            if interface is not None and port is not None and port.kind is Kind.STREAM and port.index is None:
                line = _line(np.swapaxes(array, 0, 1) if interface.batch_first else array)
            rows.append((what, name, _shape(array.shape), axes, str(array.dtype), _range(array), Markup(line)))
    head = ("", "name", "shape", "axes", "dtype", "mean ± deviation, least to greatest", "root mean square over time")
    return f"<div>{_table(head, rows)}</div>"


class Markup(str):
    """A text that is HTML already."""


def _port(interface: Interface | None, what: str, name: str) -> Port | None:
    if interface is None:
        return None
    return {"output": interface.outputs, "state": interface.states, "stream": interface.streams}[what].get(name)


def _axes(interface: Interface, port: Port) -> str:
    """The axes of an array for a port, as the header writes them: `[T, B, N=3]`."""
    lead = {Kind.STREAM: ["T", "B"], Kind.SEQUENCE: ["B"], Kind.STATIC: []}[port.kind]
    if interface.batch_first and port.kind is Kind.STREAM:
        lead = ["B", "T"]
    words = port.dimensions or ("",) * len(port.shape)
    own = [
        f"{word}={size}" if word and word != str(size) else str(size)
        for word, size in zip(words, port.shape, strict=True)
    ]
    return f"[{', '.join([*lead, *own])}]" + (f", symbols below {port.index}" if port.index is not None else "")


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "one number"


def _drawn(initialiser: tuple[str, tuple[float, ...]]) -> str:
    name, arguments = initialiser
    return f"{name}({', '.join(f'{a:g}' for a in arguments)})" if arguments else name


def _range(array: Array) -> str:
    """Mean, deviation, least and greatest number, of those that are finite; and how many are not."""
    numbers = np.asarray(array, np.float64)
    finite = numbers[np.isfinite(numbers)]
    lost = f"{numbers.size - finite.size:,} not finite" if finite.size < numbers.size else ""
    if not finite.size:
        return lost or "empty"
    words = f"{finite.mean():.3g} ± {finite.std():.3g}, {finite.min():.3g} to {finite.max():.3g}"
    return f"{words}; {lost}" if lost else words


def _line(array: Array) -> str:
    """The root mean square of each step as an SVG, from zero to its greatest value; of long arrays, every k-th step."""
    steps = np.asarray(array[:: max(1, len(array) // MOST_POINTS)], np.float64)
    if len(steps) < 2 or not steps.size:
        return ""
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.sqrt(np.mean(steps.reshape(len(steps), -1) ** 2, axis=1))
    if not np.isfinite(sizes).all() or not sizes.max():
        return ""
    across = np.linspace(0, WIDTH, len(sizes))
    up = HEIGHT - 1 - (HEIGHT - 2) * sizes / sizes.max()
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, up, strict=True))
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor"/></svg>'
    )


def _safe(text: str) -> str:
    return text if isinstance(text, Markup) else html.escape(text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th>{_safe(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table style="text-align: left"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
