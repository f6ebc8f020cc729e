"""A network as one file that stands alone: generated functions, the runtime, tables, and a class."""

from __future__ import annotations

import builtins
import hashlib
import keyword
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurrency.backend import find

from ..names import ascii_name
from ..python.module import docstring, import_lines, joined, names_of, without_imports
from .module import KINDS, program_of

if TYPE_CHECKING:
    from recurrency.model.export import Export

RUNTIME = "program initial written ops autograd checks gaps arguments keys flat parameters network".split()
"""The files `runtime/NAME.py`; each needs only those before it."""

ERRORS = '''
class ShapeError(ValueError):
    """A tensor has another shape, dtype or content than the specification says."""


class UsageError(ValueError):
    """A call that can't be carried out."""
'''

GUIDE = """
The module is the class {name} at the end of this file; `Network` says how it is called. The equations are in the
functions that come first: `run_plain` (results), `run_kept` (results, and what the backward pass needs), `run_back` and
`run_back_params` (gradients), `run_second` (gradients of gradients).{losses} What comes after them is the same in the
modules of all cells, up to the tables and the class at the end.
"""

CLASS = '''
class {name}(Network):
    """{title}; see `Network`."""

    def __init__(self, batch_first=False, state="names", dtype=torch.{dtype}, device=None, seed=None, flat=False):
        super().__init__(PROGRAM, batch_first, state, dtype, device, seed, flat)
'''


def module_text(export: Export) -> str:
    """The source of a module that needs nothing but PyTorch; its class has the name of the cell."""
    program = program_of(export.model, {}, (), export.resets)
    graphs = {
        f"{mode}_{kind}": export.programs.graph(graph, program.roots[mode], *options)
        for mode in program.sources
        for kind, (graph, options) in KINDS.items()
    }
    backend: Any = find("torch")
    imports: dict[str, set[str]] = defaultdict(set)
    functions = backend.emit(list(graphs.items()), export.layout, "", export.without)
    folder = Path(__file__).parent / "runtime"
    runtime = [(folder / f"{name}.py").read_text(encoding="utf-8") for name in RUNTIME]
    parts = [without_imports(functions, imports), ERRORS, *(without_imports(text, imports) for text in runtime)]
    tables = {key: getattr(program, key) for key in TABLES}
    tables["tapes"] = {mode: program.tape(mode) for mode in program.sources}
    tables["initialisers"] = {name: p.initialiser for name, p in export.model.parameters.items()}
    parts.append(_program(tables, graphs))
    imported = import_lines(imports, "torch")
    name = _free_name(export, "\n".join([*parts, *imported, CLASS.format(name="", title="", dtype="")]))
    parts.append(_class(export, name))
    text = joined(parts)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    known = f'NAMESPACE = "recurrency_{ascii_name(export.name)}_{digest}"'
    losses = " `loss_plain` to `loss_second` are the same of the loss." if "loss" in program.sources else ""
    title = docstring(export.header + GUIDE.format(name=name, losses=losses))
    head = [title, "", "from __future__ import annotations", "", *imported, "", ""]
    return "\n".join(head) + text.replace('NAMESPACE = "recurrency"', known, 1)


TABLES = [
    *"name key sizes equations inputs outputs streams states parameters size sources".split(),
    *"random samples clocks clock resets".split(),
]
"""The tables of `Program`."""


def _program(tables: Mapping[str, Any], functions: Iterable[str]) -> str:
    """The statement that makes the program of tables and functions."""
    lines = ["PROGRAM = Written("]
    for key, value in tables.items():
        if isinstance(value, dict) and value:
            lines += [f"    {key}={{", *(f"        {name!a}: {row!a}," for name, row in value.items()), "    },"]
        else:
            lines.append(f"    {key}={value!a},")
    lines += ["    functions={", *(f"        {name!a}: {ascii_name(name)}," for name in functions), "    },", ")"]
    return "\n".join(lines)


def _free_name(export: Export, text: str) -> str:
    """The name of the class: the cell's, with a final `_` if Python or the rest of the file uses that name."""
    name = ascii_name(export.name)
    taken = names_of(text) | {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
    return f"{name}_" if name in taken else name


def _class(export: Export, name: str) -> str:
    """The class of which a user makes modules."""
    title = export.model.spec.doc.split("\n")[0].rstrip(".;") or export.name
    safe = docstring(title)[3:-3]
    return CLASS.format(name=name, title=safe, dtype=export.dtype)
