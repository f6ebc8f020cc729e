"""`recurrency fmt`."""

from __future__ import annotations

import sys

import click

from recurrency.cli import completing

EPILOG = """\b
Examples:
  recurrency fmt my.rnn
  recurrency fmt --check specs/*.rnn
  recurrency fmt - < my.rnn

\b
Exit code: 0; 1 if a file is malformed, or with --check if one would change.
"""


@click.command("fmt", epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=completing.files)
@click.option("--check", is_flag=True, help="Change nothing; list the files that would change.")
def fmt(files: tuple[str, ...], check: bool) -> None:
    """Format specs in place; the meaning stays the same. `-` reads standard input."""
    from recurrency.cli.common import STANDARD_INPUT, complain, echo, standard_input
    from recurrency.disk.files import write_whole
    from recurrency.errors import RecurrencyError
    from recurrency.language.sources import read_source
    from recurrency.language.writing.format import format_file

    code = 0
    for name in files:
        try:
            text = (standard_input() if name == STANDARD_INPUT else read_source(name)).text
            formatted = format_file(text, name)
        except RecurrencyError as error:
            complain(error)
            code = 1
            continue
        if name == "-":
            echo(formatted, nl=False)
        elif formatted != text:
            code = code or int(check)
            echo(f"{name} {'would change' if check else 'changed'}", err=check)
            if not check:
                write_whole(name, formatted)
    sys.exit(code)
