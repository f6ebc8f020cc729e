"""`recurrency list`."""

from __future__ import annotations

from pathlib import Path

import click

EPILOG = """\b
Examples:
  recurrency list
  recurrency show GRU
"""


@click.command("list", epilog=EPILOG)
def list_() -> None:
    """List the cells that are shipped, with the papers they come from."""
    from recurrency import library
    from recurrency.cli.common import show, table

    out = table("Cell", "Dimensions", "File", "What it is")
    for name in library.names():
        spec = library.spec(name)
        dimensions = ", ".join(d.name for d in spec.cell.dimensions)
        out.add_row(name, f"[{dimensions}]".replace("[", "\\["), Path(spec.source.name).name, spec.doc.split("\n")[0])
    show(out)
