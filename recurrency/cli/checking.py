"""`recurrency check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from recurrency.cli import completing
from recurrency.cli.common import echo

if TYPE_CHECKING:
    from recurrency.errors import Diagnostic
    from recurrency.model.spec import Spec

EPILOG = """\b
Examples:
  recurrency check my.rnn
  recurrency check --strict specs/*.rnn
  recurrency check LSTM
  recurrency check - < my.rnn
  recurrency check --json my.rnn

\b
A warning (RNN101 and above) is silenced by a comment in its line, or alone in the line above:
  gate = sigmoid(V @ x)  # ok: RNN103

\b
Exit code: 0 if there are no mistakes (warnings are printed on standard error), 1 if there are, and with
--strict if there are warnings; 2 for a wrong call.
"""


@click.command("check", epilog=EPILOG)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...", shell_complete=completing.specs)
@click.option("--strict", is_flag=True, help="Treat warnings as mistakes.")
@click.option("--json", "as_json", is_flag=True, help="Print what is found as JSON, on standard output.")
def check(specs: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Find every mistake in specs: names, shapes with dimensions as units, clocks, cycles.

    All cells of a file are checked, before any dimension has a number. Code that is valid but probably not intended,
    such as a parameter that nothing reads, is a warning. `-` reads standard input.
    """
    from recurrency.cli.common import complain, find_spec
    from recurrency.errors import RecurrencyError, SpecError

    if as_json:
        sys.exit(_as_json(specs, strict))
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

    from recurrency.cli.common import report
    from recurrency.errors import render

    for warning in found:
        report(f"{render(replace(warning, warning=not strict))}\n")


def _praise(text: str, spec: Spec, refused: bool) -> None:
    if not refused:
        echo(f"{text}: {', '.join(c.name for c in spec.file.cells)} well-formed")


def _count(count: int, what: str) -> None:
    if count:
        echo(f"{count} {what}{'s' * (count != 1)}", err=True)


def _as_json(specs: tuple[str, ...], strict: bool) -> int:
    """Print what is found in specs as JSON: a list with an object for each; return the exit code."""
    import json

    found = [_found(text) for text in specs]
    echo(json.dumps(found, indent=2, ensure_ascii=False))
    kinds = {d["severity"] for one in found for d in one["diagnostics"]}
    return int("error" in kinds or (strict and "warning" in kinds))


def _found(text: str) -> dict[str, Any]:
    """The cells of a spec, and its diagnostics; a file that can't be read is an error without a code and a place."""
    from recurrency.cli.common import find_spec
    from recurrency.errors import RecurrencyError, SpecError

    cells: list[str] = []
    try:
        spec = find_spec(text)
        cells = [cell.name for cell in spec.file.cells]
        spec.check()
        found = [_record(warning) for warning in spec.lint()]
    except SpecError as error:
        found = [_record(diagnostic) for diagnostic in error.diagnostics]
    except RecurrencyError as error:
        found = [{"severity": "error", "code": None, "title": str(error), "place": None}]
    return {"spec": text, "cells": cells, "diagnostics": found}


def _record(diagnostic: Diagnostic) -> dict[str, Any]:
    span = diagnostic.span
    place = span and {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
    return {
        "severity": "warning" if diagnostic.warning else "error",
        "code": diagnostic.code,
        "title": diagnostic.title,
        "label": diagnostic.label,
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
        "place": place,
    }
