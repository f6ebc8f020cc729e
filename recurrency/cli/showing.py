"""`recurrency show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from recurrency.cli import completing
from recurrency.cli.common import checkpoint as checkpoint_option
from recurrency.cli.common import dimensions as dimension_options
from recurrency.cli.common import echo
from recurrency.cli.common import without as without_option
from recurrency.graph.roots import FINAL, GRADIENT, LOSS, OUTPUT, in_any

if TYPE_CHECKING:
    from recurrency.inspection.report import Entry, Report
    from recurrency.model.model import Model
    from recurrency.model.spec import Spec

POSITIVE = click.IntRange(min=1)
EPILOG = """\b
Examples:
  recurrency show LSTM
  recurrency show LSTM -D N=64 -D H=128
  recurrency show my.rnn:Cell --graph cell.svg
  recurrency show LSTM -D N=64 -D H=128 --steps 1000 --batch 32 --checkpoint "100 MB"
  recurrency show LSTM -D N=768 -D H=768 --batch 16 --backend cupy
  recurrency show LSTM --latex
  recurrency show LSTM -D N=3 -D H=4 --print-after pack --without cse

\b
--print-after: elaborate; the passes simplify, cse, reassociate, pack; then, with the gradients,
differentiate, keep (the two halves and the tape between them), and schedule (the program).
--without: simplify, cse, reassociate, pack, keep, and of the schedule fuse, sums, views,
in-place concat, in-place gradients, in place, reuse.
"""


@click.command("show", epilog=EPILOG)
@click.argument("spec", metavar="SPEC[:CELL]", shell_complete=completing.specs)
@dimension_options
@click.option("--latex", is_flag=True, help="Print the equations in LaTeX instead.")
@click.option("--graph", metavar="FILE", help="Draw the cell to a .svg, .png, .pdf or .dot file.")
@click.option(
    "--steps", type=POSITIVE, default=100, show_default=True, help="Steps of the batch for the memory forecast."
)
@click.option("--batch", type=POSITIVE, default=16, show_default=True, help="Sequences of that batch.")
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Backend for the memory forecast; cupy adds the predicted time of each plan.",
)
@checkpoint_option
@click.option("--print-after", "stage", metavar="PASS", help="Print the graph or program after a pass instead.")
@without_option
def show(
    spec: str, dimensions: dict[str, Any], without: tuple[str, ...], steps: int, batch: int, **options: Any
) -> None:
    """Describe a cell: inputs, outputs, states, parameters, recurrences, flops and bytes per step, memory of training.

    The memory is that of one training batch in float32: forward and backward pass, and what the backend keeps for the
    next batch.
    """
    from recurrency.cli.common import find_spec
    from recurrency.inspection.report import report

    found = find_spec(spec)
    if options["graph"] is not None:
        _draw(found, dimensions, options["graph"])
    if options["latex"]:
        echo(found.latex())
    elif options["stage"] is not None:
        echo(staged(found, dimensions, options["stage"], without), nl=False)
    elif options["graph"] is None:
        facts = report(found, dimensions, without)
        _print(facts)
        if facts.training is not None:
            model = compiled(found, dimensions, options["backend"], without, options["checkpoint"])
            _print_memory(model, steps, batch)
            _print_times(model, batch)


def _draw(spec: Spec, dimensions: dict[str, Any], path: str) -> None:
    spec.save_picture(path, dimensions=dimensions)
    echo(f"wrote {path}")


def _print(report: Report) -> None:
    from recurrency.cli.common import show as out
    from recurrency.inspection.report import human

    dims = ", ".join(f"{n} = {v}" if n != v else n for n, v in report.dimensions.items())
    out(f"{report.name}[{dims}]", report.doc, "")
    for title, entries in (("Inputs", report.inputs), ("Outputs", report.outputs), ("States", report.states)):
        if entries:
            out(_table(title, entries), "")
    if report.parameters:
        out(_table(f"Parameters ({report.total})", report.parameters), "")
    for loop in report.recurrences or []:
        way = "forwards" if loop.direction > 0 else "backwards"
        out(f"recurrence over {loop.clock}, {way}, in {', '.join(loop.states)}: {loop.kind}")
    if not report.recurrences:
        out("no recurrence")
    for name, cost in (("forward", report.forward), ("forward and backward", report.training)):
        if cost is not None:
            out(f"{name}: {human(cost.flops)}flop and {human(cost.bytes)}B for each step and sequence (float32)")
    out(*report.notes)


def compiled(
    spec: Spec, dimensions: dict[str, Any], backend: str, without: tuple[str, ...], checkpoint: str | None
) -> Model:
    """The model for the memory forecast; its backend need not be able to run here."""
    from recurrency.backend import find
    from recurrency.model.model import Model

    chosen = find(backend, run=False)
    return Model(spec, spec.elaborate(**dimensions), chosen, without=without, checkpoint=checkpoint)


def _print_memory(model: Model, steps: int, batch: int) -> None:
    from recurrency.cli.common import show as out
    from recurrency.cli.common import table
    from recurrency.model.budget import in_words
    from recurrency.model.memory import UnknownMemoryError

    what = f"training on {batch} sequences of {steps} steps"
    try:
        found = model.memory(steps, batch)
    except UnknownMemoryError as error:
        out(f"memory of {what}: {error}")
        return
    chunk = model.checkpoint.steps(steps, batch) if model.checkpoint else steps
    chunks = f", in chunks of {chunk} steps" * (chunk < steps)
    rows = table("Memory", ">Size")
    for name in ("parameters", "gradients", "inputs", "tape", "workspace", "peak"):
        rows.add_row(name, in_words(getattr(found, name)))
    out("", f"memory of {what} ({model.backend}, {model.dtype}{chunks}):", "", rows)


def _print_times(model: Model, batch: int) -> None:
    """What a step of each loop over time takes, if the backend can predict it."""
    from recurrency.backend import find
    from recurrency.cli.common import show as out
    from recurrency.cli.common import table
    from recurrency.errors import UsageError
    from recurrency.model.export import module_text

    times = getattr(find(model.backend, run=False), "times", None)
    if times is None:
        return
    try:
        forecast = times(module_text(model), batch)
    except UsageError as error:
        out("", f"time of the loops over time: {error}")
        return
    rows = table(*forecast.head)
    for row in forecast.rows:
        rows.add_row(*row)
    out("", forecast.title, "", rows)


def _table(title: str, entries: list[Entry]) -> Any:
    from rich.text import Text

    from recurrency.cli.common import table

    counted = any(e.count for e in entries)
    out = table(title, "Shape", *([">Count"] if counted else []), "Drawn" if counted else "")
    for e in entries:
        out.add_row(*map(Text, [e.name, e.shape, *([e.count] if counted else []), e.note]))
    return out


def staged(spec: Spec, dimensions: dict[str, Any], stage: str, without: tuple[str, ...]) -> str:
    """The text of the graph after a pass, or of the program.

    Raises:
        UsageError: there is no such pass.
    """
    from recurrency.errors import UsageError
    from recurrency.graph.text import graph_text
    from recurrency.model.graphs import known_passes
    from recurrency.passes import PASSES, derivatives, finished, optimised
    from recurrency.passes.partition import partition
    from recurrency.program.schedule import PIECES, schedule

    known_passes([stage], ["elaborate", *PASSES, "differentiate", "keep", *PIECES, "schedule"])
    known_passes(without)
    found = spec.elaborate(**dimensions)
    graph = found.graph.select([r for r in found.graph.roots if in_any(r, OUTPUT, FINAL, LOSS) or r == "loss"])
    if stage == "elaborate":
        return graph_text(graph)
    seen: dict[str, Any] = {}
    graph = optimised(graph, without, lambda name, result: seen.__setitem__(name, result))
    if stage in without:
        raise UsageError(f"{stage} is switched off by --without")
    if stage in seen:
        return graph_text(seen[stage])
    both = derivatives.loss_gradients(graph) if "loss" in graph.roots else derivatives.backward(graph)
    both = finished(both, without, seen.setdefault)
    if stage in PASSES:
        return graph_text(seen[stage])
    if stage == "differentiate":
        return graph_text(both)
    if stage == "keep":
        first = [r for r in both.roots if not GRADIENT.has(r)]
        halves = partition(both, first, [r for r in both.roots if r not in first])
        return "\n".join(
            f"# {name}\n{graph_text(half)}" for name, half in zip(("forward", "backward"), halves, strict=True)
        )
    return schedule(both, None, frozenset(without)).text()
