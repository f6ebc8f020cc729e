"""What several commands share: the SPEC argument, -D, tables."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from recurrency.errors import UsageError, visible

if TYPE_CHECKING:
    from rich.table import Table

    from recurrency.errors import Source
    from recurrency.model.spec import Spec

F = TypeVar("F", bound=Callable[..., Any])


def find_spec(text: str) -> Spec:
    """A path, `path:Cell`, the name of a shipped cell, or `-` for standard input, which uses files of this folder.

    Raises:
        UsageError: there is none such (with the nearest name). SpecError: the text is malformed.
    """
    from recurrency import library
    from recurrency.model.spec import from_source, load

    if not text.strip():
        raise UsageError("name a .rnn file or a shipped cell, and not nothing")
    if text == STANDARD_INPUT and not Path(text).exists():
        return from_source(standard_input(), Path.cwd() / "standard input", None)
    if "." in text or "/" in text or Path(text).exists():
        return load(text)
    if text not in library.names():
        near = library.near(text)
        hint = f"; did you mean {near}?" if near else "; `recurrency list` shows them"
        raise UsageError(f"{text} is neither a .rnn file nor a shipped cell{hint}")
    return library.spec(text)


STANDARD_INPUT = "-"


def standard_input() -> Source:
    """A text from standard input: UTF-8, as any spec, whatever the encoding of the terminal."""
    from recurrency.language.sources import MOST_BYTES, decoded

    return decoded(STANDARD_INPUT, sys.stdin.buffer.read(MOST_BYTES + 1))


def echo(text: str = "", nl: bool = True, err: bool = False) -> None:
    """Print a text to standard output, or to standard error; nothing in it controls the terminal."""
    click.echo(visible(text), nl=nl, err=err)


def complain(error: Exception) -> None:
    """Print an error on standard error; diagnostics already begin with `error[`."""
    text = str(error)
    report(text if text.startswith("error[") else f"error: {text}")


COLOURS: tuple[tuple[re.Pattern[str], dict[str, Any]], ...] = (
    (re.compile(r"^error(?=[:\[])", re.MULTILINE), {"fg": "red", "bold": True}),
    (re.compile(r"^warning(?=[:\[])", re.MULTILINE), {"fg": "yellow", "bold": True}),
    (re.compile(r"^ *-->|^ *\d* +\|", re.MULTILINE), {"fg": "blue"}),
    (re.compile(r"(?<=\|) +\^+", re.MULTILINE), {"fg": "red"}),
    (re.compile(r"(?<== )help(?=: )"), {"fg": "green", "bold": True}),
)
"""Parts of a printed diagnostic, and their colours on a terminal."""


def report(text: str) -> None:
    """Print diagnostics on standard error, in colours on a terminal unless the variable NO_COLOR is set."""
    text = visible(text)
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        for pattern, colour in COLOURS:
            text = pattern.sub(partial(_painted, colour), text)
    click.echo(text, err=True)


def _painted(colour: dict[str, Any], found: re.Match[str]) -> str:
    return click.style(found[0], **colour)


def _parsed(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for text in values:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE, such as H=128", context, option)
        if name in out:
            raise click.BadParameter(f"{name} is given twice", context, option)
        try:
            out[name] = int(value)
        except ValueError:
            out[name] = value
    return with_constants(context, out)


def dimensions(command: F) -> F:
    """The option -D NAME=VALUE: numbers for dimensions, names for functions and cells; and those of `constants`."""
    option = click.option(
        "-D",
        "dimensions",
        multiple=True,
        callback=_parsed,
        metavar="NAME=VALUE",
        help="A dimension, function or cell of the header.",
    )
    return constants(option(command))


GIVEN = "recurrency.given"
"""Where the context of a command keeps what `constants` have given until `-D` is read."""


def constants(command: F) -> F:
    """The options --const NAME=FILE.npy and --const-seed, whose values join those of -D (see `with_constants`)."""
    const = click.option(
        "--const",
        multiple=True,
        callback=_arrays,
        is_eager=True,
        expose_value=False,
        metavar="NAME=FILE.npy",
        help="The array of a constant that the spec declares as given.",
    )
    seed = click.option(
        "--const-seed",
        type=click.IntRange(min=0),
        callback=_seed,
        is_eager=True,
        expose_value=False,
        help="Seed of the constants that are drawn.  [default: 0]",
    )
    return const(seed(command))


def _arrays(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> None:
    given = context.meta.setdefault(GIVEN, {})
    for text in values:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value.endswith(".npy"):
            raise click.BadParameter(f"{text!r} is not of the form NAME=FILE.npy, such as M=mask.npy", context, option)
        if name in given:
            raise click.BadParameter(f"{name} is given twice", context, option)
        given[name] = value


def _seed(context: click.Context, option: click.Parameter, value: int | None) -> None:
    if value is not None:
        context.meta.setdefault(GIVEN, {})["const_seed"] = value


def with_constants(context: click.Context, values: dict[str, Any]) -> dict[str, Any]:
    """The values of -D, with the files and the seed of constants.

    Raises:
        click.BadParameter: one is given in both ways.
    """
    given = context.meta.get(GIVEN, {})
    both = sorted(values.keys() & given.keys())
    if both:
        raise click.BadParameter(f"{both[0]} is given twice, by -D and as a constant", context)
    return {**values, **given}


def _initialisers(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    out: dict[str, str] = {}
    for text in values:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise click.BadParameter(f"{text!r} is not of the form NAME=INITIALISER", context, option)
        out.pop(name, None)
        out[name] = value
    return out


def initialisers(command: F) -> F:
    """The option --init NAME=INITIALISER."""
    return click.option(
        "--init",
        multiple=True,
        callback=_initialisers,
        metavar="NAME=INITIALISER",
        help="Initialise parameters (a name, or a pattern such as U*) differently.",
    )(command)


def without(command: F) -> F:
    """The option --without PASS."""
    return click.option("--without", multiple=True, metavar="PASS", help="Switch a pass off (may be repeated).")(
        command
    )


def compute(command: F) -> F:
    """The option --compute."""
    return click.option(
        "--compute",
        type=click.Choice(["bf16"]),
        help="With --backend c: round operands of matrix products to bf16, where the processor has AVX512-BF16.",
    )(command)


def _optimised(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Let this command, and processes that it starts, compile at a tier."""
    from recurrency.backend import optimising

    if value is not None:
        context.with_resource(optimising(value))


def optimise(command: F) -> F:
    """The option --optimise TIER."""
    return click.option(
        "--optimise",
        type=click.Choice(["full", "quick"]),
        callback=_optimised,
        expose_value=False,
        help="Of the backend c: code that is fast, or that compiles three times as fast.  [default: full]",
    )(command)


def checkpoint(command: F) -> F:
    """The option --checkpoint."""
    return click.option(
        "--checkpoint",
        metavar="STEPS|BUDGET",
        help='Store states only at every k-th step, or within a budget ("512 MB"), and recompute the rest.',
    )(command)


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the common style; columns whose name begins with > are right-aligned."""
    from rich import box
    from rich.table import Table

    out = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    for number, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        out.add_column(column.lstrip(">"), justify=side, overflow="fold", no_wrap=number == 0)
    return out


def show(*things: Any) -> None:
    """Print tables and texts to standard output."""
    import io
    import os
    import sys

    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for people, not for programs
    console = Console(width=width, highlight=False)
    for thing in things:
        console.print(visible(thing), markup=False) if isinstance(thing, str) else console.print(thing)
