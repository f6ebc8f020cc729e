"""`recurrency check`."""

from __future__ import annotations

import sys

import click

EPILOG = """\b
Examples:
  recurrency check my.rnn
  recurrency check specs/*.rnn
  recurrency check LSTM

\b
Exit code: 0 if all is well, 1 if there are mistakes (told on standard error), 2 for a wrong call.
"""


@click.command("check", epilog=EPILOG)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
def check(specs: tuple[str, ...]) -> None:
    """Find every mistake in specs: names, shapes with dimensions as units, clocks, cycles.

    All cells of a file are checked, before any dimension has a number.
    """
    from recurrency.cli.common import complain, find_spec
    from recurrency.errors import RecurrencyError, SpecError

    mistakes = 0
    for text in specs:
        try:
            spec = find_spec(text)
            spec.check()
        except RecurrencyError as error:
            mistakes += len(error.diagnostics) if isinstance(error, SpecError) else 1
            complain(error)
            click.echo(err=True)
        else:
            cells = ", ".join(c.name for c in spec.file.cells)
            click.echo(f"{text}: {cells} well-formed")
    if mistakes:
        click.echo(f"{mistakes} mistake{'s' * (mistakes != 1)}", err=True)
        sys.exit(1)
