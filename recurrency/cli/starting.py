"""`recurrency new`."""

from __future__ import annotations

from pathlib import Path

import click

from recurrency.cli import completing

EPILOG = """\b
Examples:
  recurrency new MyLSTM --from LSTM
  recurrency new MyLSTM --from LSTM -o cells/memory.rnn
  recurrency new Mine --from my.rnn:Cell
  recurrency new Mine

\b
Then:
  recurrency check Mine.rnn
  recurrency show Mine.rnn -D N=64 -D H=128
"""


@click.command("new", epilog=EPILOG)
@click.argument("name")
@click.option(
    "--from",
    "origin",
    metavar="SPEC[:CELL]",
    shell_complete=completing.specs,
    help="The cell to copy; by default a small one.",
)
@click.option("-o", "--output", metavar="FILE", help="The file or folder to write to, instead of NAME.rnn.")
def new(name: str, origin: str | None, output: str | None) -> None:
    """Start NAME.rnn, a file with a cell NAME.

    It is a copy of any cell, with its comments and the functions and cells that it needs, or a small commented cell. It
    is checked before it is written; no file is overwritten.
    """
    from recurrency.cli.common import echo, find_spec
    from recurrency.disk.files import write_whole
    from recurrency.errors import UsageError
    from recurrency.inspection.scaffold import refuse_name, started

    refuse_name(name)
    path = _path(name, output)
    if path.exists():
        raise UsageError(f"{path} already exists; write to another file with -o")
    write_whole(path, started(name, path, find_spec(origin) if origin is not None else None))
    echo(f"wrote {path}")


def _path(name: str, output: str | None) -> Path:
    from recurrency.errors import UsageError

    path = Path(f"{name}.rnn" if output is None else output)
    if path.is_dir():
        path /= f"{name}.rnn"
    if path.suffix != ".rnn":
        raise UsageError(f"{path} must end in .rnn, as all files of specs do: -o {path.with_suffix('.rnn')}")
    return path
