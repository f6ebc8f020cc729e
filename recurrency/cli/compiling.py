"""`recurrency compile`."""

from __future__ import annotations

from typing import Any

import click

from recurrency.cli.common import dimensions as dimension_options
from recurrency.cli.common import without as without_option

EPILOG = """\b
Examples:
  recurrency compile specs/lstm.rnn --backend numpy -D N=64 -D H=128 -o lstm_numpy.py
  recurrency compile my.rnn:Cell -D H=32 --dtype float64 -o cell.py
  recurrency compile GRU -D N=8 -D H=16
"""


@click.command("compile", epilog=EPILOG)
@click.argument("spec", metavar="SPEC[:CELL]")
@click.option(
    "--backend",
    default="numpy",
    show_default=True,
    metavar="NAME",
    help="What to compile to; see `recurrency backends`.",
)
@dimension_options
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Type of all numbers.",
)
@click.option("-o", "--output", metavar="FILE", help="Write the source here.  [default: standard output]")
@without_option
def compile(
    spec: str, backend: str, dimensions: dict[str, Any], dtype: str, output: str | None, without: tuple[str, ...]
) -> None:
    """Write a cell as source code: forward, generated back-propagation through time, parameter layout.

    The source stands alone: it does not need recurrency.
    """
    from recurrency.cli.common import find_spec
    from recurrency.export import module_text
    from recurrency.files import write_whole

    found = find_spec(spec)
    model = found.compile(backend=backend, dtype=dtype, without=without, **dimensions)
    text = module_text(model, " ".join(f"{k}={v}" for k, v in dimensions.items()))
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
        click.echo(f"wrote {output}: {model.size} parameters, backend {backend}, {dtype}", err=True)
