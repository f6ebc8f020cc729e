"""`recurrency fmt`."""

from __future__ import annotations

import sys

import click

from recurrency.errors import Source

EPILOG = """\b
Examples:
  recurrency fmt my.rnn
  recurrency fmt --check specs/*.rnn
  recurrency fmt - < my.rnn

\b
Exit code: 0; 1 if a file is malformed, or with --check if one would change.
"""


@click.command("fmt", epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--check", is_flag=True, help="Change nothing; list the files that would change.")
def fmt(files: tuple[str, ...], check: bool) -> None:
    """Format specs in place; the meaning stays the same. `-` reads standard input."""
    from recurrency.cli.common import complain, echo
    from recurrency.disk.files import write_whole
    from recurrency.errors import RecurrencyError
    from recurrency.language.sources import read_source
    from recurrency.language.writing.format import format_file

    code = 0
    for name in files:
        try:
            text = (_standard_input() if name == "-" else read_source(name)).text
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


def _standard_input() -> Source:
    """A text from standard input: UTF-8, as any spec, whatever the encoding of the terminal."""
    from recurrency.language.sources import MOST_BYTES, decoded

    return decoded("-", sys.stdin.buffer.read(MOST_BYTES + 1))
