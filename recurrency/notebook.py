"""The cell magic `%%rnn` of notebooks: the equations in a notebook cell become a spec, and are drawn.

    %load_ext recurrency

    %%rnn
    cell Leaky[N, H](x: [N]) -> (h: [H]) {
        ...
    }

Every cell of the text is then a variable of its name; the last one is shown. Mistakes and warnings are printed as
`recurrency check` prints them. `%%rnn NAME` assigns the last cell to NAME too, `%%rnn --save FILE` writes the text to a
file. The text may use the library, and files relative to the current folder.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from recurrency.disk.files import write_whole
from recurrency.errors import RecurrencyError, Source, UsageError, render, visible
from recurrency.model.spec import Spec, from_source

USAGE = "%%rnn [NAME] [--save FILE]"


def specs(text: str) -> dict[str, Spec]:
    """The cells of a text by name, in its order; files that it uses are relative to the current folder.

    Raises:
        SpecError: the text is malformed.
    """
    place = Path("notebook.rnn").resolve()
    last = from_source(Source("<notebook>", text), place, None)
    last.check()
    own = (d for d in last.definition.module.cells.values() if d.module is last.definition.module)
    found = {d.cell.name: from_source(Source("<notebook>", text), place, d.cell.name) for d in own}
    return {**{name: spec for name, spec in found.items() if name != last.name}, last.name: last}


def arguments(line: str) -> tuple[str | None, str | None]:
    """The variable and the file that the line after `%%rnn` names.

    Raises:
        UsageError: it has other words.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%%rnn {line.strip()}: {error}") from None
    file = None
    if "--save" in words:
        at = words.index("--save")
        if at + 1 == len(words):
            raise UsageError(f"--save needs the name of a file: {USAGE}")
        file = words[at + 1]
        del words[at : at + 2]
    if len(words) > 1 or (words and not words[0].isidentifier()):
        raise UsageError(f"%%rnn {line.strip()}: expected at most one variable: {USAGE}")
    return (words[0] if words else None), file


def run(line: str, text: str) -> tuple[dict[str, Spec], Spec]:
    """The variables that a notebook cell defines, and what it shows. Warnings are printed on standard error.

    Raises:
        RecurrencyError: the text or the line is malformed, or the file can't be written.
    """
    name, file = arguments(line)
    found = specs(text)
    last = next(reversed(found.values()))
    for warning in last.lint():
        print(visible(render(warning)), file=sys.stderr)
    if file is not None:
        write_whole(file, text)
    return (found | {name: last} if name else found), last


def load_ipython_extension(shell: Any) -> None:
    """Register the magic; IPython calls this at `%load_ext recurrency`."""

    def rnn(line: str, text: str | None = None) -> Spec | None:
        """Define cells of a recurrent network by their equations: %%rnn [NAME] [--save FILE]."""
        try:
            if text is None:
                raise UsageError("write %%rnn, with two percent signs, in the first line of a notebook cell")
            variables, shown = run(line, text)
        except RecurrencyError as error:
            said = str(error)
            print(visible(said if said.startswith("error[") else f"error: {said}"), file=sys.stderr)
            return None
        shell.push(dict(variables))
        return shown

    shell.register_magic_function(rnn, magic_kind="line_cell", magic_name="rnn")
