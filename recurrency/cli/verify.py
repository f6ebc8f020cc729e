"""`recurrency verify`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from recurrency.cli.common import dimensions as dimension_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from recurrency.spec import Spec
    from recurrency.testing.report import Report, Row

EPILOG = """\b
Examples:
  recurrency verify my.rnn
  recurrency verify my.rnn:Cell --backends numpy,torch --examples 200 -D L=2
  recurrency verify specs/*.rnn --json -

\b
Exit code: 0 if all agree, 1 if something differs, 2 for a wrong call (a malformed spec, a backend that
can't run here). A file recurrency-verify-SPEC-BACKEND.py, which shows it again, is written for each difference.
"""


def _names(context: click.Context, option: click.Parameter, value: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("name backends, such as numpy,torch, or all", context, option)
    return names


@click.command("verify", epilog=EPILOG)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--backends",
    default="all",
    show_default=True,
    callback=_names,
    metavar="all|A,B,C",
    help="What to compare with the interpreter.",
)
@click.option("--examples", type=click.IntRange(1), default=30, show_default=True, help="Cases for each spec.")
@click.option("--seed", type=int, default=0, show_default=True, help="Equal seeds draw equal cases.")
@dimension_options
@click.option("--json", "json_file", metavar="FILE", help="Write the result for machines, to - for standard output.")
@click.option(
    "--folder", default=".", show_default=True, metavar="FOLDER", help="Where files that show a difference are written."
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes for several specs.  [default: processors]")
def verify(
    specs: tuple[str, ...], backends: list[str], examples: int, seed: int, dimensions: dict[str, Any],
    json_file: str | None, folder: str, jobs: int | None,
) -> None:  # fmt: skip
    """Compare backends with the interpreter in float64: results, gradients, states, chunks, second-order products.

    Dimensions, lengths and numbers are drawn at random; dimensions are small, but for those that -D fixes. The
    interpreter's own gradients are compared with differences.
    """
    report = _checked(lambda: _run(specs, backends, examples, seed, dimensions, folder, jobs))
    text = json.dumps(report.as_json(), indent=2) + "\n"
    if json_file == "-":
        click.echo(text, nl=False)
    else:
        _print(report)
        if json_file is not None:
            from recurrency.files import write_whole

            write_whole(json_file, text)
    sys.exit(0 if report.ok else 1)


def _checked(run: Callable[[], Report]) -> Report:
    """Whatever keeps the comparison from being made is a wrong call."""
    from recurrency.errors import RecurrencyError

    try:
        return run()
    except RecurrencyError as error:
        from recurrency.cli.common import complain

        complain(error)
        sys.exit(2)


def _run(
    specs: tuple[str, ...], backends: list[str], examples: int, seed: int, dimensions: dict[str, Any], folder: str,
    jobs: int | None,
) -> Report:  # fmt: skip
    from recurrency.cli.common import find_spec
    from recurrency.testing import verify
    from recurrency.testing.verify_jobs import processors, verify_together

    found = [find_spec(text) for text in specs]
    for spec in found:
        spec.check(all_cells=False)
    _refuse_unknown(found, dimensions)
    jobs = min(jobs or processors(), len(specs))
    if jobs > 1:
        return verify_together(find_spec, specs, backends, examples, seed, dimensions, folder, jobs)
    return verify(found, backends, examples, seed, dimensions, folder, _say)


def _refuse_unknown(specs: list[Spec], dimensions: dict[str, Any]) -> None:
    """Several specs need not have the same dimensions, but one that none has is a slip."""
    from recurrency.errors import UsageError

    known = {d.name for spec in specs for d in spec.cell.dimensions}
    for name in dimensions:
        if name not in known:
            raise UsageError(f"-D {name}: none of {', '.join(s.name for s in specs)} has this dimension")


def _say(row: Row) -> None:
    """How far the work is, for who waits at a terminal."""
    if sys.stderr.isatty():
        click.echo(f"{row.spec}, {row.backend}: {row.verdict}", err=True)


def _print(report: Report) -> None:
    """The differences, the table, and what was left out."""
    from rich.text import Text

    from recurrency.cli.common import show, table

    for finding in report.findings:
        show(f"{finding}\n")
    out = table("Spec", "Backend", ">Examples", ">Numbers", ">Error / bound", "Verdict")
    for row in report.rows:
        style = "red" if row.finding else ""
        greatest = f"{row.greatest:.2g}" if row.examples else ""
        numbers = f"{row.compared:,}"
        out.add_row(row.spec, row.backend, str(row.examples), numbers, greatest, Text(row.verdict, style))
    show(out)
    for name, reason in report.skipped.items():
        show(f"{name} was left out: {reason}")
    count = len(report.findings)
    said = f"{count} difference{'s' * (count != 1)}" if count else "no difference"
    show(f"{said}, seed {report.seed}, {report.seconds:.0f} s")
