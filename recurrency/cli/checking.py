"""`recurrency check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from recurrency.cli.common import echo

if TYPE_CHECKING:
    from recurrency.errors import Diagnostic
    from recurrency.model.spec import Spec

EPILOG = """\b
Examples:
  recurrency check my.rnn
  recurrency check --strict specs/*.rnn
  recurrency check LSTM

\b
A warning (RNN101 and above) is silenced by a comment in its line, or alone in the line above:
  gate = sigmoid(V @ x)  # ok: RNN103

\b
Exit code: 0 if there are no mistakes (warnings are printed on standard error), 1 if there are, and with
--strict if there are warnings; 2 for a wrong call.
"""


@click.command("check", epilog=EPILOG)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option("--strict", is_flag=True, help="Treat warnings as mistakes.")
def check(specs: tuple[str, ...], strict: bool) -> None:
    """Find every mistake in specs: names, shapes with dimensions as units, clocks, cycles.

    All cells of a file are checked, before any dimension has a number. Code that is valid but probably not intended,
    such as a parameter that nothing reads, is a warning.
    """
    from recurrency.cli.common import complain, find_spec
    from recurrency.errors import RecurrencyError, SpecError

    mistakes = warnings = 0
    for text in specs:
        try:
            spec = find_spec(text)
            spec.check()
        except RecurrencyError as error:
            mistakes += len(error.diagnostics) if isinstance(error, SpecError) else 1
            complain(error)
            echo(err=True)
        else:
            found = spec.lint()
            _warn(found, strict)
            warnings += len(found)
            _praise(text, spec, strict and bool(found))
    _count(0 if strict else warnings, "warning")
    _count(mistakes + (warnings if strict else 0), "mistake")
    if mistakes or (strict and warnings):
        sys.exit(1)


def _warn(found: tuple[Diagnostic, ...], strict: bool) -> None:
    """Print the warnings about a text."""
    from dataclasses import replace

    from recurrency.errors import render

    for warning in found:
        echo(f"{render(replace(warning, warning=not strict))}\n", err=True)


def _praise(text: str, spec: Spec, refused: bool) -> None:
    if not refused:
        echo(f"{text}: {', '.join(c.name for c in spec.file.cells)} well-formed")


def _count(count: int, what: str) -> None:
    if count:
        echo(f"{count} {what}{'s' * (count != 1)}", err=True)
