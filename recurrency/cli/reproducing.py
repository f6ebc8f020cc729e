"""`recurrency reproduce`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recurrency.cli import completing
from recurrency.cli.common import echo, show, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recurrency.reproducing.studies import Study

EPILOG = """\b
Examples:
  recurrency reproduce --list
  recurrency reproduce readme-sample
  recurrency reproduce --all --budget 60m --scale small
  recurrency reproduce --all --scale paper --keep docs/papers
  recurrency reproduce le-2015/adding-150/IRNN
  recurrency reproduce my-study.toml --processes 1 --out results

\b
The report is FOLDER/report.md and FOLDER/report.html; runs are in FOLDER/runs. Ctrl-C, and the end of
the budget, stop all runs after a checkpoint; the same command goes on from there, and repeats nothing
that is done.
"""


@click.command("reproduce", epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completing.studies)
@click.option("--all", "everything", is_flag=True, help="All shipped studies.")
@click.option("--budget", metavar="TIME", help="Stop after this time, such as 60m, 2h or 90s.")
@click.option(
    "--scale",
    type=click.Choice(["paper", "small", "tiny"]),
    default="small",
    show_default=True,
    help="Size of the runs: hours, minutes, or seconds (to try it out).",
)
@click.option("--out", metavar="FOLDER", default="reproduced", show_default=True, help="Folder of runs and report.")
@click.option("--processes", type=click.IntRange(min=1), help="Runs at the same time.  [default: number of cores]")
@click.option("--keep", metavar="FOLDER", help="Keep done runs here as text, and write a page of them: FOLDER.md.")
@click.option("--report", is_flag=True, help="Run nothing; write the report of what is there.")
@click.option("--list", "listed", is_flag=True, help="List the studies with their expected times.")
def reproduce(
    names: tuple[str, ...],
    everything: bool,
    budget: str | None,
    scale: str,
    out: str,
    processes: int | None,
    keep: str | None,
    report: bool,
    listed: bool,
) -> None:
    """Run the experiments of papers, and write a report with measured and published numbers side by side.

    NAME is a shipped study or a file of your own (.toml). NAME/TABLE is one of its tables, and NAME/TABLE/RUN one run
    of a table.
    """
    from recurrency.reproducing.command import Request, seconds_of
    from recurrency.reproducing.command import reproduce as run
    from recurrency.reproducing.studies import find, shipped

    if listed:
        _list([find(name) for name in names or shipped()], scale)
        return
    seconds = None if budget is None else seconds_of(budget)
    request = Request(names, everything, scale, seconds, out, keep, processes, report)
    if run(request, echo):
        raise SystemExit(130)


def _list(studies: Sequence[Study], scale: str) -> None:
    from recurrency.reproducing.plan import cases, expected

    out = table("study", "paper", ">tables", ">runs", ">minutes of one core", ">with all seeds")
    for study in studies:
        first, whole, runs = expected(study, scale)
        tables = len({case.table.name for case in cases([study], scale)})
        out.add_row(study.name, study.paper, str(tables), str(runs), f"{first:.0f}", f"{whole:.0f}")
    show(out)
