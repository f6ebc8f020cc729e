"""A compiled cell as source code that stands alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recurrency import __version__
from recurrency.arrays import Port
from recurrency.backend import find
from recurrency.errors import UsageError
from recurrency.graph.graph import Graph
from recurrency.program.layout import Layout

if TYPE_CHECKING:
    from recurrency.model import Model


@dataclass(frozen=True)
class ModuleRequest:
    """What a backend needs to write a whole module: the functions' graphs, and the interface around them.

    `functions` are `forward_pass` (roots output:, final:, tape:), `backward_pass` (reads the tape; roots gradient:),
    and, for a cell with losses, `loss_pass`. See `recurrency.derivatives` for the names of sources and roots.
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
    model: Model
    """The model itself, for a backend that writes further functions."""


def module_text(model: Model, options: str = "") -> str:
    """The source of a module with forward, backward, step and (where there are losses) loss and gradients.

    Raises:
        UsageError: the model's backend writes no source.
    """
    backend = find(model.backend, run=False)
    write = getattr(backend, "module", None)
    if write is None:
        raise UsageError(f"the backend {model.backend} writes no source; numpy does")
    return str(write(_request(model, options)))


def header_text(model: Model, options: str = "") -> str | None:
    """The header file that belongs to the source of a module; None: its language has none."""
    write = getattr(find(model.backend, run=False), "header", None)
    return None if write is None else str(write(_request(model, options)))


def _request(model: Model, options: str) -> ModuleRequest:
    programs = model.programs
    functions = [
        ("forward_pass", programs.graph("forward_kept", ())),
        ("backward_pass", programs.graph("backward", ())),
    ]
    if model.has_loss:
        functions.append(("loss_pass", programs.graph("loss_gradients", ("params",))))
    return ModuleRequest(
        model.spec.name, _header(model, options), model.inputs, model.outputs, model.state_ports, functions,
        programs.layout, model.dtype, programs.without, model,
    )  # fmt: skip


def _header(model: Model, options: str) -> str:
    cell = "\n".join(f"    {line}" if line else "" for line in model.spec.cell.span.text.split("\n"))
    sizes = f" for {options}" if options else ""
    return f"{model.spec.name}{sizes}, written by recurrency {__version__} from\n\n{cell}\n"
