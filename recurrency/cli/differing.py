"""`recurrency diff`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from recurrency.cli import completing
from recurrency.cli.common import dimensions as dimension_options
from recurrency.cli.common import echo
from recurrency.errors import visible

if TYPE_CHECKING:
    from recurrency.comparing import Comparison
    from recurrency.comparing.parameters import Pair
    from recurrency.model.spec import Spec

EPILOG = """\b
Examples:
  recurrency diff GRU GRUAfter
  recurrency diff LSTM my.rnn
  recurrency diff my.rnn:Before my.rnn:After
  recurrency diff Elman IRNN -D squash=relu
  recurrency diff LSTM CIFG --json

\b
Exit code: 0 if they are the same, 1 if they differ, 2 for a wrong call (as diff has it).
"""

STYLES: dict[str, dict[str, Any]] = {
    "--- ": {"bold": True},
    "+++ ": {"bold": True},
    "- ": {"fg": "red"},
    "+ ": {"fg": "green"},
}
"""The start of a line -> its style."""


@click.command("diff", epilog=EPILOG)
@click.argument("a", metavar="A", shell_complete=completing.specs)
@click.argument("b", metavar="B", shell_complete=completing.specs)
@dimension_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(a: str, b: str, dimensions: dict[str, Any], as_json: bool) -> None:
    """Compare two cells: dimensions, inputs, outputs, states, parameters, recurrence, equations.

    A and B are .rnn files, FILE.rnn:Cell, or names of shipped cells. Names make no difference, nor does the order of
    equations, terms and factors. The output describes B relative to A: lines of A begin with -, lines of B with +.

    Dimensions stay symbolic; functions and cells among them are the defaults, or those of -D for both.
    """
    from recurrency.cli.common import complain, find_spec
    from recurrency.comparing import compare
    from recurrency.errors import RecurrencyError

    try:
        found = compare(find_spec(a), find_spec(b), dimensions)
    except (RecurrencyError, OSError) as error:
        complain(error)
        sys.exit(2)
    if as_json:
        import json

        echo(json.dumps(data(found), indent=2, ensure_ascii=False))
    else:
        for line in lines(found):
            click.echo(coloured(visible(line)))
    sys.exit(0 if found.same else 1)


def coloured(line: str) -> str:
    """A line for a terminal: heads bold, lines of one cell in its colour."""
    for start, style in STYLES.items():
        if line.startswith(start):
            return click.style(line, **style)
    return line


def lines(found: Comparison) -> list[str]:
    """What is printed."""
    if found.same:
        names = ", ".join(f"{a} is {b}" for a, b in found.names.items())
        return ["the same" + (f", but for names: {names}" if names else ""), *([found.note] if found.note else [])]
    out = [f"{sign} {_title(spec)}" for sign, spec in (("---", found.ours), ("+++", found.theirs))]
    out += [f"{found.theirs.name}: {found.summary}"] * bool(found.summary) + [found.note] * bool(found.note)
    for section in found.sections:
        if not section.same:
            out += [
                "",
                section.name,
                *_lines("-", [", ".join(section.ours)]),
                *_lines("+", [", ".join(section.theirs)]),
            ]
    if not all(pair.same for pair in found.parameters):
        counts = " and ".join(dict.fromkeys(found.counts))
        out += [
            "",
            f"parameters ({'both ' * (found.counts[0] == found.counts[1])}{counts})",
            *_parameters(found.parameters),
        ]
    if found.equations:
        out += ["", "equations"]
        for ours, theirs in found.equations:
            out += _lines("-", ours) + _lines("+", theirs)
    same = _same(found)
    return out + (["", f"the same: {', '.join(same)}"] if same else [])


def _same(found: Comparison) -> list[str]:
    """The parts that do not differ."""
    same = [section.name for section in found.sections if section.same and section.ours]
    same += [f"parameters ({found.counts[0]})"] if found.parameters and all(p.same for p in found.parameters) else []
    return same + ([] if found.equations else ["equations"])


def _title(spec: Spec) -> str:
    return f"{spec.name} ({spec.source.name})"


def _lines(sign: str, texts: Iterable[str]) -> list[str]:
    return [f"{sign} {text}" for text in texts]


def _parameters(pairs: Sequence[Pair]) -> list[str]:
    """The declarations of the parameters that differ; equal differences share a line."""
    groups: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for pair in pairs:
        if not pair.same:
            sides = [(p.name, f"{p.shape} ~ {p.first}") if p else ("", "") for p in (pair.ours, pair.theirs)]
            lists = groups.setdefault((sides[0][1], sides[1][1]), ([], []))
            for found, (name, _) in zip(lists, sides, strict=True):
                found.append(re.sub(r"\[.*\]", "[...]", name))
    out: list[str] = []
    for declared, names in groups.items():
        for sign, several, text in zip("-+", names, declared, strict=True):
            out += _lines(sign, [f"{', '.join(dict.fromkeys(several))} : {text}"] if text else [])
    return out


def data(found: Comparison) -> dict[str, Any]:
    """What `--json` prints."""
    cells = {
        side: {"cell": spec.name, "file": spec.source.name, "parameters": count}
        for side, spec, count in zip("ab", (found.ours, found.theirs), found.counts, strict=True)
    }
    return {
        "same": found.same,
        "summary": found.summary or None,
        "note": found.note or None,
        **cells,
        **{part.name: {"a": part.ours, "b": part.theirs, "same": part.same} for part in found.sections},
        "parameters": [_pair(pair) for pair in found.parameters],
        "equations": [{"a": ours, "b": theirs} for ours, theirs in found.equations],
        "names": found.names,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    sides = {"a": asdict(pair.ours) if pair.ours else None, "b": asdict(pair.theirs) if pair.theirs else None}
    return sides | {"same_shape": pair.same_shape, "same_first": pair.same_first}
