"""A compiled cell as stand-alone source code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recurrency.backend import find
from recurrency.disk.files import require_file, write_whole
from recurrency.errors import UsageError
from recurrency.graph.graph import Graph
from recurrency.graph.op import Array
from recurrency.graph.roots import AFTER, RESET
from recurrency.model.arrays import Port
from recurrency.passes.beyond import beyond
from recurrency.program.layout import Layout
from recurrency.version import VERSION

if TYPE_CHECKING:
    from recurrency.model.compiled import Compiled
    from recurrency.model.programs import Programs


@dataclass(frozen=True)
class Export:
    """What a backend needs to write a stand-alone module: the graphs of its functions, and their interface.

    A backend writes the module with `module`. If its language has headers, `module_with_header` returns source and
    header, and puts `weights` into the source.

    `functions` are `forward_pass` (roots output:, final:, tape:), `backward_pass` (reads the tape; roots gradient:),
    and, for a cell with losses, `loss_pass`. See `recurrency.passes.derivatives` for the names of sources and roots.
    """

    name: str
    header: str
    inputs: dict[str, Port]
    outputs: dict[str, Port]
    states: dict[str, Port]
    functions: list[tuple[str, Graph]]
    layout: Layout
    dtype: str
    without: frozenset[str]
    model: Compiled
    """The model, for a backend that writes more functions."""
    weights: Array | None = None
    """Parameters [size] to put into the source."""
    no_step: str = ""
    """Why the module can't have a function for one step ("" if it can)."""
    resets: tuple[str, ...] = ()
    """The clocks on which the functions take resets: inputs `reset:CLOCK` [T, B] of 0 and 1.

    With masks also `after:CLOCK`: inputs `reset:after:CLOCK` [B], 1 where the final states are to begin again.
    """
    masks: tuple[str, ...] = ()
    """The clocks on which the functions take masks, [T, B] of 0 and 1, for sequences with gaps."""

    @property
    def programs(self) -> Programs:
        """The programs that the functions are of."""
        return self.model.programs.resetting(self.resets)


@dataclass(frozen=True)
class ModuleFiles:
    """The source of a module, and its header, or None if its language has no headers.

    `no_step` says why the module has no function for one step ("" if it has one).
    """

    source: str
    header: str | None = None
    no_step: str = ""
    binaries: Mapping[str, bytes] = field(default_factory=dict)
    """Files that are no text, by the extensions that replace that of the module's name."""

    def write(self, output: str | Path) -> list[str]:
        """Write the module; returns the paths of its files.

        Source goes to `output`, which may be a device, and its header beside it.

        Raises:
            UsageError: a file can't be written.
        """
        path = Path(output)
        contents: dict[str, str | bytes] = {str(path): self.source}
        if self.binaries and not path.suffix:  # a device
            contents = {str(path): next(iter(self.binaries.values()))}
        elif self.binaries:
            contents = {str(path.with_suffix(ending)): data for ending, data in self.binaries.items()}
        elif self.header is not None and path.suffix:  # else a device
            contents[str(path.with_suffix(".h"))] = self.header
        if len(contents) > 1:
            for name in contents:
                require_file(name)
        for name, data in contents.items():
            write_whole(name, data)
        return list(contents)


def module_files(
    model: Compiled,
    options: str = "",
    weights: Array | None = None,
    resets: bool = False,
    masks: bool = False,
    streams: Sequence[str] = (),
) -> ModuleFiles:
    """A module with functions for forward pass, backward pass, one step and (with loss lines) loss and gradients.

    With `weights` [size] it includes these parameters; with `resets` its functions take resets within sequences, with
    `masks` they take masks, for sequences with gaps (modules of PyTorch always do). `streams` are inner
    streams that are outputs too, `options` is for its first line.

    Raises:
        UsageError: the model's backend writes no source, or none with weights; they are not finite; the cell can't be
            reset within sequences; the backend has no masks.
    """
    backend = find(model.backend, run=False)
    if (binaries := getattr(backend, "files", None)) is not None:
        return _binary(model, binaries, weights, resets, masks, streams)
    if streams:
        raise UsageError(f"the backend {model.backend} writes no modules with inner streams; onnx does")
    no_step = model.over_steps if getattr(backend, "writes_steps", False) else ""
    both, write = getattr(backend, "module_with_header", None), getattr(backend, "module", None)
    if weights is not None:
        if both is None:
            raise UsageError(f"the backend {model.backend} writes no weights into its source; c and onnx do")
        _require_finite(model, weights)
    if both is not None:
        source, header = both(_export(model, options, weights, resets, masks))
        return ModuleFiles(source, header, no_step)
    if write is not None:
        return ModuleFiles(str(write(_export(model, options, weights, resets, masks))), no_step=no_step)
    raise UsageError(f"the backend {model.backend} writes no source; numpy does")


def _binary(
    model: Compiled,
    write: Callable[..., Mapping[str, bytes]],
    weights: Array | None,
    resets: bool,
    masks: bool,
    streams: Sequence[str],
) -> ModuleFiles:
    """The files of a backend that writes no text."""
    if masks:
        raise UsageError(f"the backend {model.backend} takes no masks: leave out the steps that are not there")
    if weights is not None:
        _require_finite(model, weights)
    return ModuleFiles("", no_step=model.over_steps, binaries=write(model, weights, resets, streams))


def export(
    model: Compiled,
    path: str | Path,
    weights: Array | None = None,
    backend: str | None = None,
    streams: Sequence[str] = (),
) -> list[str]:
    """Write a compiled cell as files of another program; see `Model.export`."""
    chosen = find(backend or WRITERS.get(Path(path).suffix) or model.backend, run=False)
    wanted = getattr(chosen, "extension", None)
    if wanted is not None and Path(path).suffix != wanted:
        raise UsageError(f"{path}: the backend {chosen.name} writes a file that ends in {wanted}")
    programs = model.programs
    other = type(model)(
        model.spec, programs.elaborated, chosen, model.dtype, model.batch_first, sorted(programs.without)
    )
    given = None if weights is None else np.asarray(weights)
    return module_files(other, "", given, streams=other.known_streams(streams)).write(path)


WRITERS = {".c": "c", ".onnx": "onnx"}
"""Extension -> the only backend that writes such files."""


def module_text(model: Compiled, options: str = "", weights: Array | None = None) -> str:
    """The source alone; see `module_files`."""
    return module_files(model, options, weights).source


def _require_finite(model: Compiled, weights: Array) -> None:
    """Raise a UsageError if a weight is not finite in the model's dtype, or the model has no parameters."""
    if not model.size:
        raise UsageError(f"{model.interface.name} has no parameters that could be written into its source")
    for name, values in model.views(weights).items():
        with np.errstate(over="ignore"):
            rounded = values.astype(model.dtype)
        for place in np.argwhere(~np.isfinite(rounded))[:1].tolist():
            where = f"{name}{place if place else ''} is {rounded[tuple(place)]} in {model.dtype}"
            raise UsageError(f"{where}; weights in a source must be finite")


def _export(model: Compiled, options: str, weights: Array | None, resets: bool, masks: bool) -> Export:
    clocks = tuple(model.interface.input_clocks)
    model.allow_resets(clocks if resets else (), ("loss",) if model.has_loss else ())
    late = tuple(RESET.name(AFTER.of(clock)) for clock in clocks) if masks or model.backend == "torch" else ()
    flags = (*clocks, *late) if resets else ()
    programs = model.programs.resetting(flags)
    functions = [
        ("forward_pass", programs.graph("forward_kept", ())),
        ("backward_pass", programs.graph("backward", ())),
    ]
    for _, graph in functions:
        beyond(graph, model.dtype)
    if model.has_loss:
        functions.append(("loss_pass", programs.graph("loss_gradients", ("params",))))
    return Export(
        model.interface.name,
        _header(model, options),
        model.inputs,
        model.outputs,
        model.state_ports,
        functions,
        programs.layout,
        model.dtype,
        programs.without,
        model,
        weights,
        model.over_steps,
        flags,
        clocks if masks else (),
    )


def _header(model: Compiled, options: str) -> str:
    cell = "\n".join(f"    {line}" if line else "" for line in model.spec.cell.span.text.split("\n"))
    sizes = f" for {options}" if options else ""
    return f"{model.interface.name}{sizes}, written by recurrency {VERSION} from\n\n{cell}\n"
