"""`recurrency compile`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recurrency.cli.common import dimensions as dimension_options
from recurrency.cli.common import without as without_option

if TYPE_CHECKING:
    from recurrency.backend import Backend

EPILOG = """\b
Examples:
  recurrency compile specs/lstm.rnn --backend numpy -D N=64 -D H=128 -o lstm_numpy.py
  recurrency compile my.rnn:Cell -D H=32 --dtype float64 -o cell.py
  recurrency compile GRU -D N=8 -D H=16
  recurrency compile LSTM --backend c -D N=64 -D H=128 -o lstm.c
  recurrency compile LSTM --backend cupy -D N=64 -D H=128 -o lstm_cupy.py --check
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
@click.option("--check", is_flag=True, help="Compile its CUDA kernels with NVRTC, which needs no GPU.")
@without_option
def compile(
    spec: str, backend: str, dimensions: dict[str, Any], dtype: str, output: str | None, check: bool,
    without: tuple[str, ...],
) -> None:  # fmt: skip
    """Write a cell as source code: forward, generated back-propagation through time, parameter layout.

    The source stands alone: it does not need recurrency. C comes with a header beside it, `lstm.h` for `lstm.c`.
    """
    from recurrency.backend import find
    from recurrency.cli.common import find_spec
    from recurrency.export import header_text, module_text
    from recurrency.files import write_whole
    from recurrency.model import Model

    chosen, found = find(backend, run=False), find_spec(spec)
    checker = _checker(chosen) if check else None
    model = Model(found, found.elaborate(**dimensions), chosen, dtype, without=without)
    sizes = " ".join(f"{k}={v}" for k, v in dimensions.items())
    text = module_text(model, sizes)
    if output is None:
        click.echo(text, nl=False)
    else:
        written = [output]
        write_whole(output, text)
        header = header_text(model, sizes) if Path(output).suffix == ".c" else None
        if header is not None:
            written.append(str(Path(output).with_suffix(".h")))
            write_whole(written[-1], header)
        click.echo(f"wrote {' and '.join(written)}: {model.size} parameters, backend {backend}, {dtype}", err=True)
    for line in checker(text) if checker else ():
        click.echo(line, err=True)


def _checker(backend: Backend) -> Callable[[str], list[str]]:
    """What a backend checks the modules with that it has written.

    Raises:
        UsageError: it has nothing of the kind.
    """
    from recurrency.errors import UsageError

    checker: Callable[[str], list[str]] | None = getattr(backend, "check", None)
    if checker is None:
        raise UsageError(f"the backend {backend.name} writes no CUDA kernels that --check could compile")
    return checker
