"""The size of activations and gradients over time and depth, for an initialised cell.

Glorot and Bengio (2010, figures 6 and 7) plot them over the layers of a deep network. In a recurrent network they
decide whether anything is learned over many steps (Pascanu et al. 2013; Le et al. 2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurrency.disk import figures
from recurrency.errors import UsageError, nearest_hint
from recurrency.graph.graph import Graph, rebuild
from recurrency.graph.roots import ADJOINT, OUTPUT, STREAM
from recurrency.graph.types import Kind
from recurrency.graph.value import constant
from recurrency.passes import finished
from recurrency.passes.differentiate import differentiate

if TYPE_CHECKING:
    from recurrency.model.model import Model

Array = NDArray[Any]


@dataclass(frozen=True)
class Stream:
    """The root mean square of an inner stream, over sequences and elements, at each step: both arrays are [T].

    `gradients` are gradients of the loss or, without a loss, of a random sum of the outputs at the last step.
    """

    name: str
    activations: Array
    gradients: Array

    @property
    def kept(self) -> float:
        """The gradient at the first step, divided by the gradient at the last step where it is not zero."""
        there = np.flatnonzero(self.gradients)
        return float(self.gradients[0] / self.gradients[there[-1]]) if len(there) else float("nan")


def probe(
    model: Model,
    params: Array | None = None,
    inputs: Mapping[str, Array] | None = None,
    streams: Sequence[str] = (),
    seed: int = 0,
    steps: int = 100,
    batch: int = 32,
) -> list[Stream]:
    """The sizes of inner streams (by default, of all real ones), in the order in which they are computed.

    `inputs` are arrays [T, B, *shape] by name; without them, `batch` sequences of `steps` steps are drawn (see
    `random_inputs`). Without `params` they are those of `model.init(seed)`. `seed` also decides the random sum of the
    outputs.

    Raises:
        UsageError: there is no such stream. ShapeError: an array does not fit.
    """
    names = _chosen(model, streams)
    params = model.init(seed) if params is None else params
    inputs = random_inputs(model, steps, batch, seed) if inputs is None else inputs
    graph, adjoints = _graph(model, names)
    call = model.gather(params, inputs)
    given = {}
    rng = np.random.default_rng(seed)
    for name, port in adjoints.items():
        array = port.zeros(call.steps, call.batch, model.real)
        last = array[-1] if port.kind is Kind.STREAM and len(array) else array
        last[...] = rng.standard_normal(last.shape)
        given[ADJOINT.of(name)] = array
    programs = model.programs
    runner = programs.backend.build(finished(graph), programs.layout, model.dtype, "probe", programs.without)
    values = runner(call.plus(given))
    return [Stream(n, _size(values[STREAM.of(n)]), _size(values[f"adjoint:{n}"])) for n in names]


def _chosen(model: Model, streams: Sequence[str]) -> list[str]:
    known = {n: p for n, p in model.streams.items() if p.index is None and p.kind is Kind.STREAM}
    for name in streams:
        if name not in known:
            hint = nearest_hint(name, known)
            raise UsageError(f"{model.spec.name} has no stream {name} over time; it has {', '.join(known)}{hint}")
    graph = model.programs.elaborated.graph
    place = {id: k for k, id in enumerate(graph.order())}
    return sorted(streams or known, key=lambda name: place[graph.roots[STREAM.of(name)]])


def _graph(model: Model, names: Sequence[str]) -> tuple[Graph, dict[str, Any]]:
    """A graph with the streams and their adjoints as roots, and the ports of the outputs that need adjoints."""
    whole = model.programs.elaborated.graph
    outputs = {OUTPUT.of(n): p for n, p in model.outputs.items() if p.index is None}
    kept = ["loss"] if model.has_loss else list(outputs)
    out = rebuild(whole, {r: whole.roots[r] for r in [*kept, *(STREAM.of(n) for n in names)]})
    ports: dict[str, Any] = {}
    seeds = {}
    if model.has_loss:
        seeds[out.roots["loss"]] = constant(out, 1.0)
    else:
        for root, port in outputs.items():
            id = out.roots[root]
            node = out.add("input", attrs={"name": ADJOINT.of(root), "type": out[id].type})
            seeds[id] = seeds[id] + node if id in seeds else node
            ports[root] = port
    adjoints = differentiate(out, seeds, [out.roots[STREAM.of(n)] for n in names])
    roots = {STREAM.of(n): out.roots[STREAM.of(n)] for n in names}
    roots |= {f"adjoint:{n}": adjoints[out.roots[STREAM.of(n)]].id for n in names}
    return rebuild(out, roots), ports


def _size(array: Array) -> Array:
    """The root mean square at each step."""
    flat = array.reshape(len(array), -1).astype(np.float64)
    return np.sqrt(np.mean(flat * flat, axis=1)) if flat.shape[1] else np.zeros(len(array))


# ------------------------------------------------------------------------------------------------------------- inputs


def random_inputs(model: Model, steps: int, batch: int, seed: int = 0) -> dict[str, Array]:
    """Standard normal inputs [T, B, *shape], and uniformly drawn symbols."""
    rng = np.random.default_rng(seed)
    out: dict[str, Array] = {}
    for name, port in model.inputs.items():
        timed = {Kind.STREAM: (steps, batch), Kind.SEQUENCE: (batch,), Kind.STATIC: ()}[port.kind]
        size = (*timed, *port.shape)
        out[name] = rng.standard_normal(size) if port.index is None else rng.integers(0, port.index, size)
    return out


# ----------------------------------------------------------------------------------------------------------- pictures


def draw(found: Sequence[Stream], title: str, path: str) -> None:
    """Plot activations and gradients over time, with a line for each stream, to a file.

    Raises:
        UsageError: matplotlib is missing, or the file can't be written.
    """
    figure = figures.figure("activations and gradients", 9, 4)
    import matplotlib

    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(found)))
    for axes, what in zip(figure.subplots(1, 2), ("activations", "gradients"), strict=True):
        for stream, colour in zip(found, colours, strict=True):
            size = getattr(stream, what)
            axes.plot(np.arange(1, len(size) + 1), np.where(size > 0, size, np.nan), color=colour, label=stream.name)
        axes.set(title=what, xlabel="step", ylabel="root mean square", yscale="log")
        figures.unframed(axes)
    columns = 1 + len(found) // 24
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside right center", frameon=False, ncols=columns, fontsize=8
    )
    figure.suptitle(title, fontsize=10)
    figures.save(figure, path)
