"""Completion in shells: names of cells, experiments, studies and backends; and how it is installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from recurrency.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLE = "_RECURRENCY_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
SCRIPTS = {
    "bash": Path(".local/share/recurrency/completion.bash"),
    "zsh": Path(".local/share/recurrency/completion.zsh"),
    "fish": Path(".config/fish/completions/recurrency.fish"),
}
"""Where the script of a shell is written, in the home folder."""
STARTS = {"bash": Path(".bashrc"), "zsh": Path(".zshrc")}
"""The file that a shell reads when it starts; fish finds the script by itself."""


def _matching(names: Iterable[str], start: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.lower().startswith(start.lower())]


def _files(start: str, ends: tuple[str, ...]) -> list[CompletionItem]:
    """Files with one of some ends, and folders."""
    folder, _, name = start.rpartition("/")
    base = Path(folder or ("/" if start.startswith("/") else "."))
    found = sorted(base.iterdir()) if base.is_dir() else []
    lead = f"{folder}/" if "/" in start else ""
    kept = [p for p in found if p.name.startswith(name) and (p.name.endswith(ends) or p.is_dir()) and p.name[0] != "."]
    return [CompletionItem(f"{lead}{p.name}{'/' * p.is_dir()}") for p in kept]


def specs(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """What a SPEC may be: shipped cells, `.rnn` files, and the cells of a file after its colon."""
    from recurrency import library

    path, colon, cell = start.partition(".rnn:")
    if colon and Path(f"{path}.rnn").is_file():
        return [CompletionItem(f"{path}.rnn:{name}") for name in _cells(f"{path}.rnn") if name.startswith(cell)]
    return [*_matching(library.names(), start), *_files(start, (".rnn",))]


def _cells(path: str) -> list[str]:
    from recurrency.errors import RecurrencyError
    from recurrency.language.reading.parser import parse_partly
    from recurrency.language.sources import read_source

    try:
        file, _ = parse_partly(read_source(path))
    except RecurrencyError:
        return []
    return [cell.name for cell in file.cells] if file else []


def files(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """`.rnn` files."""
    return _files(start, (".rnn",))


def trainable(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """What `recurrency train` takes: shipped experiments, tasks, files of experiments and specs."""
    from recurrency.training.runs.experiments import shipped

    return [*_matching(shipped(), start), *_files(start, (".toml", ".rnn"))]


def studies(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """The shipped studies, and files of studies."""
    from recurrency.reproducing.studies import shipped

    return [*_matching(shipped(), start), *_files(start, (".toml",))]


def backends(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """The installed backends."""
    from recurrency.backend import names

    return _matching(["auto", *names()], start)


def install(context: click.Context, parameter: click.Parameter, shell: str | None) -> None:
    """The option --install-completion: write the script of a shell, and have the shell read it."""
    if shell is None or context.resilient_parsing:
        return
    if shell == "auto":
        shell = Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise UsageError(f"name the shell: --install-completion {', '.join(SHELLS)}; SHELL is {shell or 'not set'}")
    script, start = installed_in(Path.home(), shell)
    click.echo(f"wrote {script}" + (f", which {start} reads" if start else "") + "; open a new terminal to use it")
    context.exit()


def installed_in(home: Path, shell: str) -> tuple[Path, Path | None]:
    """Install completion in a home folder: the script, and the file of the shell that reads it.

    Raises:
        OSError: a file can't be written.
    """
    made = get_completion_class(shell)
    assert made is not None
    script = home / SCRIPTS[shell]
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(made(click.Group("recurrency"), {}, "recurrency", VARIABLE).source(), encoding="utf-8")
    if shell not in STARTS:
        return script, None
    start, line = home / STARTS[shell], f'. "{script}"  # completion of recurrency'
    before = start.read_text(encoding="utf-8") if start.is_file() else ""
    if line not in before:
        if shell == "zsh" and "compinit" not in before:
            line = f"autoload -Uz compinit && compinit\n{line}"
        gap = "" if not before or before.endswith("\n") else "\n"
        with start.open("a", encoding="utf-8") as file:
            file.write(f"{gap}{line}\n")
    return script, start
