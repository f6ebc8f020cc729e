"""`recurrency curves`."""

from __future__ import annotations

import click

from recurrency.cli.common import echo

EPILOG = """\b
Examples:
  recurrency curves runs/irnn runs/lstm -o curves.png
  recurrency curves runs/* --log -o curves.svg
"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--output", "-o", metavar="FILE", required=True, help="A .png, .svg or .pdf file.")
@click.option("--log", is_flag=True, help="Use a logarithmic scale.")
def curves(runs: tuple[str, ...], output: str, log: bool) -> None:
    """Plot the losses of several runs over the updates.

    RUN is a folder made by `recurrency train` with --run, even of a run that is still training. The plot shows the
    validation loss of each run (the training loss if there is no other), and for a single run both. The name of a
    folder is the label of its curve.
    """
    from pathlib import Path

    from recurrency.errors import UsageError
    from recurrency.training.runs.folders import METRICS, RunFolder
    from recurrency.training.runs.metrics import draw_losses, read_metrics

    found = {}
    for run in runs:
        folder = RunFolder(Path(run))
        if not folder.exists:
            raise UsageError(f"{run} holds no run; `recurrency train ... --run {run}` makes one")
        lines = read_metrics(folder / METRICS)
        if not any(line.get("event") == "epoch" for line in lines):
            raise UsageError(f"the run in {run} has ended no epoch yet, so there is nothing to draw")
        name = Path(run).resolve().name
        found[name if name not in found else run] = lines
    draw_losses(found, output, log)
    echo(f"wrote {output}")
