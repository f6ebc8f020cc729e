"""`recurrency probe`."""

from __future__ import annotations

import json
import math
from typing import Any

import click

from recurrency.cli import completing
from recurrency.cli.common import dimensions, echo, initialisers

EPILOG = """\b
Examples:
  recurrency probe LSTM -D N=10 -D H=50
  recurrency probe IRNN -D N=2 -D H=100 --steps 200 --picture irnn.png
  recurrency probe Elman -D N=10 -D H=50 --init "U=orthogonal(1.2)" --stream h
"""


@click.command(epilog=EPILOG)
@click.argument("spec", shell_complete=completing.specs)
@dimensions
@click.option("--steps", type=click.IntRange(min=1, max=100_000), default=100, show_default=True)
@click.option("--batch", type=click.IntRange(min=1, max=10_000), default=32, show_default=True, help="Sequences.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of weights and inputs.")
@click.option("--stream", "streams", multiple=True, metavar="NAME", help="Only this inner stream (may be repeated).")
@initialisers
@click.option("--picture", metavar="FILE", help="Plot both over time, as .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print all numbers as JSON.")
def probe(
    spec: str,
    dimensions: dict[str, Any],
    steps: int,
    batch: int,
    seed: int,
    streams: tuple[str, ...],
    init: dict[str, str],
    picture: str | None,
    as_json: bool,
) -> None:
    """Measure activations and gradients, over time and depth, before training.

    Inputs are standard normal numbers. Gradients are those of the cell's loss or, if it has none, of a random sum
    of its outputs at the last step. For each inner stream the table has the root mean square of its elements at the
    first and last step, that of its gradient, and the first gradient divided by the last: below 1 the gradient
    vanishes, above 1 it explodes.
    """
    from recurrency.cli.common import find_spec, show, table
    from recurrency.inspection.probe import draw, random_inputs
    from recurrency.inspection.probe import probe as probed
    from recurrency.model.initial import initialised

    model = find_spec(spec).compile(dtype="float64", dimensions=dimensions)
    params = initialised(model, seed, init)
    found = probed(model, params, random_inputs(model, steps, batch, seed), streams, seed)
    if picture:
        sizes = ", ".join(f"{n}={v}" for n, v in model.dimensions.items() if isinstance(v, int))
        draw(found, f"{model.spec.name} ({sizes}), as initialised", picture)
    if as_json:
        lists = ((s.name, s.activations.tolist(), s.gradients.tolist()) for s in found)
        echo(json.dumps([dict(zip(("stream", "activations", "gradients"), row, strict=True)) for row in lists]))
        return
    out = table("stream", ">activation 1", f">{steps}", ">gradient 1", f">{steps} ", ">gradient kept")
    for s in found:
        numbers = (s.activations[0], s.activations[-1], s.gradients[0], s.gradients[-1])
        out.add_row(s.name, *(f"{n:.3g}" for n in numbers), "" if math.isnan(s.kept) else f"{s.kept:.2g}")
    show(out)
