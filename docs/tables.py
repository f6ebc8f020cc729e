"""The tables of the documentation, written from the code: `python docs/tables.py`.

It replaces the text between `<!-- table: NAME -->` and `<!-- end of NAME -->`, so no page copies a table of the code
by hand.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from recurrency.errors import UsageError

DOCS = Path(__file__).resolve().parent
"""The folder of the pages."""
ROOT = DOCS.parent
"""The folder of the checkout."""

WIDTH = 118
"""Characters in a line of a page."""

MARKED = re.compile(r"(?P<start><!-- table: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end of (?P=name) -->)", re.DOTALL)

# ------------------------------------------------------------------------------------------------------------- layout


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Rows as a table of Markdown."""
    head = tuple(head)
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def filled(text: str) -> str:
    """A paragraph in lines of moderate length that break no piece of code."""
    held = re.sub(r"`[^`]+`", lambda m: m[0].replace(" ", "\0"), " ".join(text.split()))
    held = re.sub(r" (?=[-+*#] )", "\0", held)  # at the start of a line they would make a list or a heading
    return textwrap.fill(held, WIDTH, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


def first_line(thing: object) -> str:
    """The first sentence or line of a docstring, without its final point."""
    return (inspect.getdoc(thing) or "").split("\n")[0].rstrip(".")


# ------------------------------------------------------------------------------------------------------- the language


def functions() -> str:
    """The functions of the language, one table for each group."""
    from recurrency.language.vocabulary.table import FUNCTIONS

    out = []
    for group in dict.fromkeys(f.group for f in FUNCTIONS.values()):
        rows = ((code(f.signature), f.meaning) for f in FUNCTIONS.values() if f.group == group)
        out.append(f"#### {group[0].upper()}{group[1:]}\n\n{table(('function', 'meaning'), rows)}")
    return "\n".join(out)


def initialisers() -> str:
    """What may stand after `~`."""
    from recurrency.language.vocabulary.initialisers import INITIALISERS

    return table(("initialiser", "first value"), ((code(i.signature), i.meaning) for i in INITIALISERS.values()))


def diagnostics(part: str) -> str:
    """The diagnostics of one part (`SYNTAX`, `MEANING` or `LINTS`), a heading each so that they can be linked to."""
    from recurrency.language import diagnostics as module

    numbers: range = getattr(module, part)
    rows = ((code, text) for code, text in explained() if code.number in numbers)
    return "\n".join(f"### RNN{code.number:03d}: {code.title}\n\n{filled(text)}\n" for code, text in rows)


def explained() -> Iterator[tuple[Any, str]]:
    """Each code of a diagnostic with the sentences under its name in `recurrency.language.diagnostics`."""
    from recurrency.language import diagnostics as module

    for line, text in pairwise(ast.parse(inspect.getsource(module)).body):
        match line, text:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(sentences))):
                if isinstance(code := getattr(module, name), module.Code):
                    yield code, sentences


def words() -> str:
    """The reserved words, in one line."""
    from recurrency.language.reading.tree import RESERVED
    from recurrency.language.words import reserved, spellings

    own = {word for word in RESERVED if word != "sigmoid"} | {"σ"}
    return ", ".join(code(word) for word in sorted({spellings()[name] for name in reserved()} | own)) + "\n"


def bounds() -> str:
    """How large a spec may be."""
    from recurrency.graph import fixed
    from recurrency.language import words
    from recurrency.language.elaboration import binding, elaborate, subscripts, walk
    from recurrency.language.reading import parser, tree
    from recurrency.model import graphs
    from recurrency.pictures.sketching import reading

    rows = (
        ("characters in a text", parser.MAX_TEXT),
        ("words and signs in a text", words.MAX_WORDS),
        ("characters in a name", tree.MAX_NAME),
        ("digits of a whole number", tree.MAX_DIGITS),
        ("nesting of expressions and loops", tree.MAX_DEPTH),
        ("steps of a delay", subscripts.GREATEST_DELAY),
        ("a dimension", binding.GREATEST_DIMENSION),
        ("elements of a value, or of the history of the delays, for each sequence", elaborate.GREATEST_VALUE),
        ("elements of all fixed arrays of a cell", fixed.GREATEST_FIXED),
        ("operations that a spec expands to", walk.GREATEST_GRAPH),
        ("operations that all cells of a file expand to together", walk.GREATEST_FILE),
        ("operations of a cell that is compiled", graphs.GREATEST_PROGRAM),
        ("nodes of a picture", reading.LARGEST),
    )
    return table(("what", "at most"), ((what, f"{most:,}") for what, most in rows))


def cells() -> str:
    """The shipped cells."""
    from recurrency.inspection.catalogue import families

    rows = (
        (code(cell.name), code(family.file), ", ".join(cell.dimensions), cell.parameters, cell.kind, cell.doc)
        for family in families()
        for cell in family.cells
    )
    return table(("cell", "file", "dimensions", "parameters", "recurrence", "what it is"), rows)


def edges() -> str:
    """What functions give at their edges."""
    from recurrency.testing.edges import edges as blocks

    def shown(number: float, loose: bool = False) -> str:
        return f"{number:.4g}" + ("*" if loose else "")

    rows = (
        (code(block.call) if not k else "", shown(point.x), *map(shown, point.wanted, point.loose))
        for block in blocks()
        for k, point in enumerate(block.points)
    )
    return table(("call", "x", "value", "first derivative", "second derivative"), rows)


def no_edges() -> str:
    """The functions that have none."""
    from recurrency.testing.edges import PLAIN

    return table(("function", "why"), ((code(name), why) for name, why in PLAIN.items()))


# ------------------------------------------------------------------------------------------------------- the compiler


def promise(file: Path) -> str:
    """The first paragraph of a module's docstring, in one line."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def packages() -> str:
    """The packages in the order of their paths, and the modules at the top of `recurrency`."""
    folders = ((file.parent, file) for top in ("recurrency", "backends") for file in (ROOT / top).rglob("__init__.py"))
    modules = ((file, file) for file in (ROOT / "recurrency").glob("[a-z]*.py"))
    found = sorted((path.relative_to(ROOT).as_posix(), file) for path, file in (*folders, *modules))
    return table(("package", "what it is for"), ((code(path), promise(file)) for path, file in found))


def passes() -> str:
    """The passes in the order of their table."""
    from recurrency.passes import LAST_ORDER, PASSES

    places = {name: ", ".join(str(k) for k, n in enumerate(LAST_ORDER, 1) if n == name) for name in PASSES}
    rows = ((code(name), places[name], first_line(sys.modules[run.__module__])) for name, run in PASSES.items())
    return table(("pass", "its turns", "what it does"), rows)


def operations() -> str:
    """The ops of the stream graph by group."""
    from recurrency.graph.ops import OPS

    groups = dict.fromkeys(op.group for op in OPS.values())
    rows = ((group, ", ".join(code(op.name) for op in OPS.values() if op.group == group)) for group in groups)
    return table(("group", "operations"), rows)


# ----------------------------------------------------------------------------------------------------------- training


def optimisers() -> str:
    """The optimisers with their options and equations."""
    from recurrency.training.loop.optimisers import OPTIMISERS, options_of

    out = []
    for name, make in OPTIMISERS.items():
        made = make()
        options = ", ".join(f"{option} = {value:g}" for option, value in options_of(made).items())
        first, *rest = (inspect.getdoc(make) or "").split("\n\n")
        out.append(f"### {name}\n\nOptions: {code(options)}\n\n" + "\n\n".join(map(filled, [first, *rest])) + "\n")
    return "\n".join(out)


def experiments() -> str:
    """The shipped experiments."""
    from recurrency.training.runs.experiments import Experiment, named, shipped

    def options(experiment: Experiment) -> str:
        sizes = [f"-D {name}={value}" for name, value in experiment.dimensions.items()]
        sizes += [f"-T {name}={value}" for name, value in experiment.task_options.items()]
        sizes += [f"--init {name}={value}" for name, value in experiment.init.items()]
        sizes += [f"--{name} {value}" for name, value in experiment.training.items()]
        return " ".join([*sizes, *(f"-O {name}={value}" for name, value in experiment.optimiser.items())])

    rows = ((code(e.name), code(e.spec), e.about, code(options(e))) for e in map(named, shipped()))
    return table(("experiment", "cell", "what is learned", "recipe"), rows)


def tasks() -> str:
    """The tasks: what is learned, and what a batch holds."""
    from recurrency.training.tasks import TASKS

    def held(inputs: Mapping[str, str]) -> str:
        return "; ".join(f"{code(name)} {words}" for name, words in inputs.items())

    rows = ((code(k.name), k.meaning, held(k.inputs), k.source) for k in TASKS.values())
    return table(("task", "what is learned", "inputs", "source"), rows)


def task_options() -> str:
    """The options of each task, but those that all made-up ones have, and when it counts as solved."""
    from recurrency.training.tasks import TASKS
    from recurrency.training.tasks.kinds import ENOUGH, HELD, STEPS

    def described(option: Any) -> str:
        words = f", one of {', '.join(map(code, option.words))}" if option.words else ""
        return f"- {code(f'{option.name} = {option.default}')}: {option.meaning}{words}\n"

    def one(kind: Any) -> str:
        options = (
            "".join(described(option) for option in kind.options if option not in (STEPS, HELD, ENOUGH))
            or "It has no options.\n"
        )
        return f"### {kind.name}\n\n{options}" + (f"\n{filled(f'Solved: {kind.solved}.')}\n" if kind.solved else "")

    return "\n".join(map(one, TASKS.values()))


# ------------------------------------------------------------------------------------------------------------ studies


def studies() -> str:
    """The shipped studies, with their expected times."""
    from recurrency.reproducing.plan import expected
    from recurrency.reproducing.studies import find, shipped

    rows = []
    for study in map(find, shipped()):
        first, whole, _ = expected(study, "small")
        rows.append((code(study.name), study.paper, study.about, f"{first:.0f}", f"{whole:.0f}"))
    return table(("study", "paper", "claim", "first seed", "all seeds"), rows)


def values() -> str:
    """What tables of studies compare."""
    from recurrency.reproducing.values import VALUES

    rows = (
        (
            code(v.name),
            v.meaning,
            ", ".join(code(f"{k} = {d}") for k, d in v.options.items()),
            "less" if v.less else "more",
        )
        for v in VALUES.values()
    )
    return table(("value", "what it is", "options", "better"), rows)


def pictures() -> str:
    """The kinds of pictures of studies."""
    from recurrency.reproducing.pictures import PICTURES

    rows = (
        (code(p.kind), p.meaning, ", ".join(code(f"{k} = {d}") for k, d in p.options.items()))
        for p in PICTURES.values()
    )
    return table(("kind", "what it shows", "options"), rows)


# ----------------------------------------------------------------------------------------------------------- commands


def command(name: str) -> str:
    """A command as its help has it: what it does, how it is called, options, examples."""
    import click

    from recurrency.cli import cli

    context = click.Context(cli, info_name="recurrency", **cli.context_settings)
    found = cli.get_command(context, name)
    assert found is not None
    context = click.Context(found, context, info_name=name)
    usage = " ".join([context.command_path, *found.collect_usage_pieces(context)])
    paragraphs = [filled(part) for part in inspect.cleandoc(found.help or "").split("\n\n")]
    options_of = (option for option in found.params if isinstance(option, click.Option))
    rows = [record for option in options_of if (record := option.get_help_record(context))]
    options = table(("option", "meaning"), ((code(words), meaning) for words, meaning in rows)) if rows else ""
    epilog = (found.epilog or "").replace("\b\n", "").strip()
    parts = [f"```text\n{usage}\n```\n", *(f"{text}\n" for text in paragraphs), options]
    parts.append(f"```text\n{epilog}\n```\n" if epilog else "")
    return "\n".join(part for part in parts if part)


def commands() -> dict[str, Callable[[], str]]:
    """The text of each command."""
    from recurrency.cli import COMMANDS

    return {f"command-{name}": partial(command, name) for name in COMMANDS}


# ------------------------------------------------------------------------------------------------------------- pages

TABLES: Mapping[str, Callable[[], str]] = {
    "functions": functions,
    "initialisers": initialisers,
    "syntax-diagnostics": lambda: diagnostics("SYNTAX"),
    "meaning-diagnostics": lambda: diagnostics("MEANING"),
    "lints": lambda: diagnostics("LINTS"),
    "words": words,
    "bounds": bounds,
    "cells": cells,
    "edges": edges,
    "no-edges": no_edges,
    "packages": packages,
    "passes": passes,
    "operations": operations,
    "optimisers": optimisers,
    "experiments": experiments,
    "studies": studies,
    "values": values,
    "pictures": pictures,
    "tasks": tasks,
    "task-options": task_options,
}
"""The name that a page asks for, and what writes it."""


def renewed(page: str) -> str:
    """The text of a page with all its tables as the code has them now.

    Raises:
        UsageError: the page asks for a table that does not exist.
    """

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        tables = {**TABLES, **(commands() if name.startswith("command-") else {})}
        if name not in tables:
            raise UsageError(f"there is no table {name}; there are {', '.join(tables)}")
        return f"{match['start']}\n{tables[name]()}\n{match['end']}"

    return MARKED.sub(replace, page)


def highlighting() -> str:
    """The TextMate grammar of the extension for VS Code."""
    from recurrency.editor.textmate import text

    return text()


FILES = {DOCS / "editors" / "vscode" / "syntaxes" / "rnn.tmLanguage.json": highlighting}
"""Whole files that are written from the code."""


def main() -> None:
    """Renew the tables of all pages, and the files that are written from the code."""
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md")):
        old = path.read_text(encoding="utf-8")
        if (new := renewed(old)) != old:
            path.write_text(new, encoding="utf-8")
            print(f"{path.name} renewed")


if __name__ == "__main__":
    main()
