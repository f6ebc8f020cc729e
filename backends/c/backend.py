"""The C backend: a program as one file of C, compiled by the system's compiler and kept in a cache."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recurrency.disk.libraries import CompileError

from .describe import signature
from .runtime import compiler, trust
from .runtime.runner import Built
from .signature import Signature

if TYPE_CHECKING:
    from recurrency.graph.graph import Graph
    from recurrency.model.export import Export
    from recurrency.program.layout import Layout

    from .function import CFunction
    from .module import Interface


COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


WATCHED = "#define REC_WATCHED\n"
"""The code for this process asks between steps whether it is to stop; what is written for others does not."""


class CBackend:
    """Native code by a C compiler."""

    name = "c"
    extension = ".c"
    """Of the files that it writes."""
    writes_steps = True
    """Modules have a function for one step."""

    def available(self) -> str | None:
        """Why this backend can not run here; None: it can."""
        reason: str | None = compiler.obstacle() or self.doubts()
        return reason

    def doubts(self) -> str | None:
        """Why there is a compiler, and yet it can't be used: what it makes was tried, and is wrong."""
        try:
            found: str | None = None if compiler.obstacle() else trust.doubts()
        except CompileError as error:
            return str(error)
        return found

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Built:
        """Compile one function, which computes the roots of a graph."""
        from ..names import ascii_name

        source, (function,) = self.emit([(ascii_name(name), graph)], layout, dtype, without)
        return Built(signature(function), WATCHED + source, dtype)

    record = tuple[Signature, str, str]
    """What `Built.kept` gives, for `recurrency.disk.records`."""

    def restored(self, kept: tuple[Signature, str, str]) -> Built:
        """A function that was compiled before, from what `Built.kept` gave: no graph is needed."""
        return Built(*kept)

    def module(self, export: Export) -> str:
        """The text of a file for other programs: whole sequences, steps, backward, loss.

        It is C99; -DREC_PORTABLE keeps it to that where a compiler knows vectors.
        """
        return self.module_with_header(export)[0]

    def module_with_header(self, export: Export) -> tuple[str, str]:
        """The same, and the header that belongs to it."""
        from .module import checked, commented
        from .weights import weights_text

        interface, written, parts = self._module(export)
        prefix = interface.prefix
        ends = [checked(f, prefix) for f in written]
        source = [commented(export.header), "", interface.text(), *parts, *ends, interface.step.text]
        return "\n".join(source) + weights_text(interface), interface.header()

    def _module(self, export: Export) -> tuple[Interface, list[CFunction], list[str]]:
        from .module import Interface, prefix_of

        prefix = prefix_of(export.name)
        graphs = [(f"{prefix}_{name.removesuffix('_pass')}", graph) for name, graph in export.functions]
        graphs.insert(0, (f"{prefix}_infer", export.model.programs.graph("forward", ())))
        text, written = self.emit(graphs, export.layout, export.dtype, export.without, structs=False)
        return Interface(export, written, prefix), written, [text]

    def emit(
        self, functions: Sequence[tuple[str, Graph]], layout: Layout, dtype: str, without: frozenset[str] = frozenset(),
        structs: bool = True,
    ) -> tuple[str, list[CFunction]]:  # fmt: skip
        """The text of a file with these functions, which needs nothing else; `structs`: with those of calls."""
        from ..names import Names
        from .function import CFunction
        from .function_text import function_text
        from .gemm import gemm_text
        from .math import text as math_text
        from .text import PARTS, PHILOX, common

        real = {"float32": "float", "float64": "double"}[dtype]
        written = [CFunction(name, graph, layout, dtype, without, Names()) for name, graph in functions]
        body = "\n".join(function_text(f, structs) for f in written)
        words = set(re.findall(r"\w+", COMMENT.sub(" ", body)))
        parts = [common(real), math_text(words, real)]
        parts += [PHILOX] if "philox" in words else []
        if words & {"rec_packed", "rec_product_part"}:
            parts += [gemm_text(real), PARTS.replace("REAL", real)]
        return "\n".join([*parts, body]).replace("??", "? ?"), written


backend = CBackend()
