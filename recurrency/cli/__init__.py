"""The command line. Each command is imported only when it is called, which keeps `--help` fast."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import warnings
from typing import Any, NoReturn

import click

from recurrency.errors import RecurrencyError, UsageError, visible
from recurrency.extras import install
from recurrency.version import VERSION

COMMANDS = {
    "check": ("checking:check", "Find every mistake in specs."),
    "fmt": ("formatting:fmt", "Format specs."),
    "list": ("listing:list_", "List the shipped cells by family: parameters, recurrence, source."),
    "new": ("starting:new", "Start a file with a copy of a cell, or with a small one."),
    "diff": ("differing:diff", "Compare two cells: parameters, recurrence, equations."),
    "show": ("showing:show", "Describe a cell: shapes, parameters, recurrences, cost, diagram."),
    "compile": ("compiling:compile", "Write a cell as source code with generated gradients."),
    "train": ("train:train", "Train a task, or a spec with a loss."),
    "curves": ("curves:curves", "Plot the losses of several runs."),
    "reproduce": ("reproducing:reproduce", "Run the experiments of papers, and report measured and published numbers."),
    "predict": ("predicting:predict", "Apply a trained model to data: outputs, probabilities, forecasts."),
    "evaluate": ("evaluating:evaluate", "Measure a trained model: loss, accuracy, confusion, errors."),
    "generate": ("generating:generate", "Generate text, music or handwriting with a trained model."),
    "probe": ("probing:probe", "Measure activations and gradients before training."),
    "convert": ("convert:convert", "Convert weights from PyTorch or Keras layers, and back."),
    "verify": ("verify:verify", "Compare backends with the interpreter on a spec, and its gradients with differences."),
    "lsp": ("serving:lsp", "Serve an editor: mistakes as you type, shapes, completion, renaming."),
    "backends": ("backing:backends", "List the backends, and why one can't run here."),
    "cache": ("caching:cache", "List or delete compiled files."),
}
"""Command -> its place in `recurrency.cli`, and what it does."""


BUILDING = frozenset("check fmt list new diff show compile".split())
"""Commands that build large things and end: Python's search for cycles would go through them time and again."""


OPTIONAL = {
    "torch": "torch",
    "cupy": "cupy-cuda13x",
    "cuda": "cuda-check",
    "hypothesis": "verify",
    "matplotlib": "plots",
    "pyarrow": "parquet",
    "lsprotocol": "lsp",
    "pygls": "lsp",
}
"""Package that a command may need -> the extra that brings it."""


class Commands(click.Group):
    """A group whose commands are imported on use; an unknown command gets a hint."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"recurrency.cli.{module}"), attribute)
        return command

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            context.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


EPILOG = """\b
Examples:
  recurrency check my.rnn
  recurrency show LSTM -D N=64 -D H=128
  recurrency compile my.rnn:Cell --backend numpy -D N=64 -D H=128 -o cell.py
  recurrency train first-element
"""


def _version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Print the version and, where a checkout runs, its commit; then end."""
    if not wanted or context.resilient_parsing:
        return
    from recurrency.reproducing.machine import source

    found = f"recurrency {VERSION}"
    commit = source()
    click.echo(found if commit == found else f"{found} (commit {commit})")
    context.exit()


def _install(context: click.Context, option: click.Parameter, shell: str | None) -> None:
    if shell is not None:
        from recurrency.cli.completing import install

        install(context, option, shell)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.option(
    "--install-completion",
    is_flag=False,
    flag_value="auto",
    is_eager=True,
    expose_value=False,
    callback=_install,
    metavar="[SHELL]",
    help="Complete commands, cells and experiments in bash, zsh or fish, by default in this shell.",
)
def cli() -> None:
    """From the equations of a recurrent cell to fast code with generated back-propagation through time.

    A SPEC is a .rnn file (its last cell), FILE.rnn:Cell, or the name of a shipped cell.
    """


def renamed(error: click.NoSuchOption) -> click.NoSuchOption:
    """An unknown option that other programs have: the same error with the name of the option here."""
    from recurrency.language.foreign_names import OPTIONS

    known = {name for option in error.ctx.command.params for name in option.opts} if error.ctx else set()
    meant = OPTIONS.get(error.option_name.lstrip("-").replace("_", "-").lower())
    if meant and (meant.split()[0].rstrip(",") in known or (" " in meant and "--epochs" in known)):
        text = f"No such option {error.option_name!r}. Write {meant}."
        return click.NoSuchOption(error.option_name, text, None, error.ctx)
    return error


def complain_of_encoding(error: UnicodeEncodeError) -> None:
    """Report that standard output cannot encode a letter."""
    from recurrency.cli.common import complain

    letter = error.object[error.start : error.start + 1]
    words = f"standard output is {error.encoding}, which has no {letter!r}; set PYTHONIOENCODING=utf-8, or use -o FILE"
    complain(UsageError(words))


def main() -> None:
    """The console script: exit code 0 for success, 1 for bad input, 2 for a wrong call, 130 for Ctrl-C."""
    if sys.argv[1:2] and sys.argv[1] in BUILDING:
        gc.freeze()
        gc.set_threshold(100_000, 10, 10)
    warnings.formatwarning = lambda message, *_, **__: visible(f"warning: {message}\n")
    try:
        _call()
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.NoSuchOption as error:
        renamed(error).show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except RecursionError:
        _complain(UsageError("too much is built on one another here; cut the cell in two, or leave a part out"))
    except UnicodeEncodeError as error:
        complain_of_encoding(error)
        sys.exit(1)
    except (RecurrencyError, OSError) as error:
        _complain(error)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in OPTIONAL:
            raise
        _complain(RecurrencyError(f"{package} is not installed: {install(OPTIONAL[package])}"))


def _call() -> None:
    """Run the command that was asked for.

    Raises:
        Abort: Ctrl-C, also where something made another error of it, as Python does in the middle of a class that it
            defines for an import.
    """
    try:
        cli(prog_name="recurrency", standalone_mode=False)
    except Exception as error:
        causes: list[BaseException] = [error]
        while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
            causes.append(cause)
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
            raise click.exceptions.Abort from error
        raise


def _complain(error: Exception) -> NoReturn:
    from recurrency.cli.common import complain

    complain(error)
    sys.exit(1)
