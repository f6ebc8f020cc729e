"""`recurrency backends`."""

from __future__ import annotations

import click

COMPUTES = "products in bf16, sums in float32"


@click.command("backends")
def backends() -> None:
    """List the backends: which can run here, and for the others why not and what to install.

    A C compiler is tested when it is first used on a processor: if its code crashes, does not end or gives a wrong
    number, `c` can't run here. Below the table, `c:bf16` is what --compute bf16 selects.

    The default is `c` if it can run here, else `numpy`. The environment variable RECURRENCY_BACKEND selects another.
    """
    from rich.text import Text

    from recurrency import backend
    from recurrency.cli.common import echo, show, table

    out = table("Backend", "Runs here", "Why not, and what to install")
    for name, reason in backend.describe().items():
        out.add_row(name, "no" if reason else "yes", Text(reason or ""))
    show(out)
    for name, reason in backend.computes().items():
        echo(f"{name} ({COMPUTES}): {'no, ' + reason if reason else 'yes'}")
    name, why = backend.automatic(quietly=True)
    echo(f"auto, the default, is {name}: {why}")
