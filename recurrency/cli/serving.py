"""`recurrency lsp`."""

from __future__ import annotations

import click

EPILOG = """\b
Examples:
  recurrency lsp

\b
An editor starts it and talks to it on standard input and output; docs/editors.md has settings for several.
It needs the extra lsp (docs/install.md).
"""


@click.command("lsp", epilog=EPILOG)
@click.option("--stdio", is_flag=True, hidden=True, help="What editors pass; there is no other way.")
def lsp(stdio: bool) -> None:
    """Serve an editor, by the language server protocol.

    Mistakes and warnings as you type, with their numbers; what a name is, its shape and its recurrence; definitions,
    references, renaming; completion and signatures; formatting; fixes; shapes behind names; the outline of a file.
    """
    from recurrency.editor.server import serve

    serve()
