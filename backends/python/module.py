"""What generated Python modules are made of: helpers that are used, imports, docstrings, lines of bounded length."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

WIDTH = 120
"""Characters on a line of generated Python."""


def title(text: str) -> str:
    """The line above a part of a module."""
    return f"# {f' {text}':->{WIDTH - 2}}"


HELPERS_TITLE = title("helpers")
"""The line above the helpers of a module."""

PIECES = re.compile(
    r"""
    [A-Za-z]{0,2}(?:\"{3}.*?\"{3} | '{3}.*?'{3})  # a string, which may be megabytes: repeated are runs, not characters
    | [A-Za-z]{0,2}(?:\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\" | '[^'\\\n]*(?:\\.[^'\\\n]*)*')
    | \#[^\n]*
    | (?<![.\w])([^\W\d]\w*)  # a name that is no attribute, the only piece that is found
    | \d[\w.]*
    """,
    re.DOTALL | re.VERBOSE,
)


def names_of(text: str) -> set[str]:
    """The names that occur in Python source outside of strings and comments."""
    return {piece[1] for piece in PIECES.finditer(text) if piece[1]}


names_of_helper = cache(names_of)
"""The same of a text that many modules contain: remembered."""


def assembled(preamble: Callable[[set[str]], str], own: Sequence[str], helpers: Mapping[str, str]) -> str:
    """A module: a preamble for the names that it uses, the cell's own parts, and the helpers that these need."""
    used = names_of("\n".join(own))
    needed = helpers_of(helpers, used)
    used = used.union(*map(names_of_helper, needed))
    return joined([preamble(used), *own, HELPERS_TITLE, *needed])


def helpers_of(table: Mapping[str, str], used: set[str]) -> list[str]:
    """The helpers of a table, in its order, that these names need, directly or through other helpers."""
    found: set[str] = set()
    wanted = used & table.keys()
    while wanted:
        found |= wanted
        named = set[str]().union(*(names_of_helper(table[name]) for name in wanted))
        wanted = (named & table.keys()) - found
    return [text for name, text in table.items() if name in found]


def executed(text: str, backend: str, name: str) -> dict[str, Any]:
    """The names of a module with this source; `name` is that of a function for which it was made."""
    module: dict[str, Any] = {"__name__": f"recurrency.generated.{name}"}
    exec(compile(text, f"<recurrency {backend} {name}>", "exec"), module)
    return module


def import_line(module: str, names: Iterable[str]) -> str:
    """The statement that imports these names."""
    listed = ", ".join(sorted(names))
    line = f"from {module} import {listed}"
    return line if len(line) <= WIDTH else "\n".join(folded(f"from {module} import ({listed})"))


def without_imports(text: str, imports: dict[str, set[str]]) -> str:
    """A file without its docstring and imports; `imports` collects those from outside this package.

    It maps a module to the names that are imported from it; the empty name means the module itself. Imports come before
    the first function or class: only that part is parsed, for the rest can be many megabytes.
    """
    lines = text.split("\n")
    end = next((number for number, line in enumerate(lines) if line.startswith(("def ", "class ", "@"))), len(lines))
    for number, node in enumerate(ast.parse("\n".join(lines[:end])).body):
        is_docstring = number == 0 and isinstance(node, ast.Expr)
        if isinstance(node, ast.Import):
            for alias in node.names:
                imports[ast.unparse(alias)].add("")
        elif isinstance(node, ast.ImportFrom):
            if node.module and not node.level and node.module.split(".")[0] not in ("recurrency", "__future__"):
                imports[node.module] |= {alias.name for alias in node.names}
        elif not is_docstring:
            continue
        lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "\n".join(lines).strip("\n")


def import_lines(found: Mapping[str, set[str]], library: str) -> list[str]:
    """The import statements: of Python, an empty line, and of the library; whole modules come first."""
    lines = [f"import {module}" for module in sorted(found) if "" in found[module]]
    lines += [import_line(module, found[module] - {""}) for module in sorted(found) if found[module] - {""}]
    theirs = [line for line in lines if line.split()[1].split(".")[0] == library]
    return [*(line for line in lines if line not in theirs), "", *theirs]


def folded(line: str) -> list[str]:
    """A statement on several lines where one is too long and commas between brackets allow it.

    Statements with a string or a comment stay as they are.
    """
    if len(line) <= WIDTH or re.search("[\"'#]", line):
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 8)
    lines, depth = [""], 0
    for piece in re.split("(?<=, )", line):
        if depth and len(lines[-1] + piece.rstrip()) > WIDTH:
            lines.append(indent)
        lines[-1] += piece
        depth += sum((c in "([{") - (c in ")]}") for c in piece)
    return [line.rstrip() for line in lines]


def joined(parts: Iterable[str]) -> str:
    """A module of these parts, two empty lines between them."""
    return "\n\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def docstring(text: str) -> str:
    """Any text as the source of a docstring: quotes, backslashes and control characters can't end it."""
    safe = "".join(c if c.isprintable() or c == "\n" else "?" for c in text).replace("\\", "\\\\")
    return '"""' + safe.replace('"""', "'''").replace('"', '\\"') + '"""'
