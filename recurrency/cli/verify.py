"""`recurrency verify`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from recurrency.cli import completing
from recurrency.cli.common import dimensions as dimension_options
from recurrency.cli.common import echo, optimise
from recurrency.errors import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from recurrency.model.spec import Spec
    from recurrency.testing.verification.report import Report, Row

T = TypeVar("T")

EPILOG = """\b
Examples:
  recurrency verify my.rnn
  recurrency verify my.rnn:Cell --backends numpy,torch --examples 200 -D L=2
  recurrency verify specs/*.rnn --json -

\b
Exit code: 0 if all agree, 1 if something differs, 2 for a wrong call (a malformed spec, a backend that
can't run here). Each difference writes a script recurrency-verify-SPEC-BACKEND.py that reproduces it.
"""


def _names(context: click.Context, option: click.Parameter, value: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter("name backends, such as numpy,torch, or all", context, option)
    return names


@click.command("verify", epilog=EPILOG)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...", shell_complete=completing.specs)
@click.option(
    "--backends",
    default="all",
    show_default=True,
    callback=_names,
    metavar="all|A,B,C",
    help="The backends to compare with the interpreter.",
)
@click.option("--examples", type=click.IntRange(1), default=30, show_default=True, help="Cases for each spec.")
@click.option("--seed", type=int, default=0, show_default=True, help="Equal seeds draw equal cases.")
@dimension_options
@click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - is standard output.")
@click.option(
    "--folder", default=".", show_default=True, metavar="FOLDER", help="Folder of scripts that reproduce a difference."
)
@optimise
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes for several specs.  [default: processors]")
def verify(specs: tuple[str, ...], json_file: str | None, folder: str, jobs: int | None, **options: Any) -> None:
    """Compare backends with the interpreter in float64: results, gradients, states, chunks, second-order products.

    SPEC is a .rnn file (its last cell), file.rnn:Cell, or the name of a shipped cell.

    Dimensions, lengths and numbers are drawn at random; dimensions are small, except those that -D fixes. In every
    third case the interpreter's own gradients are compared with finite differences: the row `gradient rules`.
    """
    from recurrency.disk.files import write_whole

    _checked(lambda: _require_places(json_file, folder))
    report = _checked(lambda: _run(specs, jobs, folder=folder, **options))
    text = json.dumps(report.as_json(), indent=2) + "\n"
    if json_file == "-":
        echo(text, nl=False)
    else:
        _print(report)
        if json_file is not None:
            _checked(partial(write_whole, json_file, text))
    sys.exit(0 if report.ok else 1)


def _checked(run: Callable[[], T]) -> T:
    """Run a step; an error that prevents the comparison, or writing its result, ends the command with exit code 2."""
    from recurrency.errors import RecurrencyError

    try:
        return run()
    except RecurrencyError as error:
        from recurrency.cli.common import complain

        complain(error)
        sys.exit(2)


def _require_places(json_file: str | None, folder: str) -> None:
    """Fail before the comparison if its results could not be written."""
    from recurrency.disk.files import require_file, require_folder

    if json_file not in (None, "-"):
        require_file(str(json_file))
    require_folder(folder)


def _run(specs: tuple[str, ...], jobs: int | None, **options: Any) -> Report:
    from recurrency.cli.common import find_spec
    from recurrency.testing import verify
    from recurrency.testing.verification.jobs import processors, verify_together

    found = [find_spec(text) for text in specs]
    for spec in found:
        spec.check(all_cells=False)
    _refuse_unknown(found, options["dimensions"])
    jobs = min(jobs or processors(), len(specs))
    if jobs > 1:
        return verify_together(find_spec, specs, jobs=jobs, notify=_say, **options)
    with _progress(len(found) * options["examples"]) as (notify, progress):
        return verify(found, **options, notify=notify, progress=progress)


def _refuse_unknown(specs: list[Spec], dimensions: dict[str, Any]) -> None:
    """Refuse a dimension of -D that none of the specs has.

    Raises:
        UsageError: there is one.
    """
    from recurrency.errors import UsageError
    from recurrency.language.elaboration.handed import SEED

    known = dict.fromkeys(d.name for spec in specs for d in spec.cell.dimensions)
    constants = {SEED, *(name for spec in specs for name in spec.units().given)}
    for name in dimensions:
        if name not in known and name not in constants:
            names = [s.name for s in specs]
            lacking = f"{names[0]} has no" if len(specs) == 1 else f"none of {', '.join(names)} has the"
            raise UsageError(
                f"-D {name}: {lacking} dimension {name} ({'they have' if names[1:] else 'it has'} "
                f"{', '.join(known) or 'none'})"
            )


def _say(row: Row) -> None:
    """Print a finished row, if standard error is a terminal; each of several processes prints its own."""
    if sys.stderr.isatty():
        echo(f"{row.spec}, {row.backend}: {row.verdict}", err=True)


@contextmanager
def _progress(cases: int) -> Iterator[tuple[Callable[[Row], None] | None, Callable[[str, int, int], None] | None]]:
    """What is called with each finished row, and before each case: a bar and lines above it, if there is a terminal."""
    if not sys.stderr.isatty():
        yield None, None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr, highlight=False), transient=True) as bar:
        task = bar.add_task("", total=cases)
        before: dict[str, int] = {}

        def progress(spec: str, done: int, examples: int) -> None:
            first = before.setdefault(spec, len(before) * examples)
            bar.update(task, description=visible(spec), completed=first + min(done, examples))

        def notify(row: Row) -> None:
            bar.console.print(visible(f"{row.spec}, {row.backend}: {row.verdict}"), markup=False)

        yield notify, progress


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
    for name, missing in report.limited.items():
        show(f"{name} was compared in results only: {missing}")
    count = len(report.findings)
    said = f"{count} difference{'s' * (count != 1)}" if count else "no difference"
    show(f"{said}, seed {report.seed}, {report.seconds:.0f} s")
