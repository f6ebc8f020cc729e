"""The C backend: a program as one file of C, compiled by the system's compiler and kept in a cache."""

from __future__ import annotations

import re
from collections.abc import Sequence

from recurrency.backends import _c_cache
from recurrency.backends._c_function import CFunction
from recurrency.backends._c_gemm import gemm_text
from recurrency.backends._c_math import text as math_text
from recurrency.backends._c_runtime import Built
from recurrency.backends._c_text import COMMON, PARTS, PHILOX
from recurrency.backends._python_names import Names, ascii_name

from recurrency.graph.graph import Graph
from recurrency.program.layout import Layout


class CBackend:
    """Native code by a C compiler."""

    name = "c"

    def available(self) -> str | None:
        """Why this backend can not run here; None: it can."""
        reason: str | None = _c_cache.obstacle()
        return reason

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Built:
        """Compile one function, which computes the roots of a graph."""
        source, (function,) = self.emit([(name, graph)], layout, dtype, without)
        return Built(function, source, dtype)

    def emit(
        self, functions: Sequence[tuple[str, Graph]], layout: Layout, dtype: str, without: frozenset[str] = frozenset()
    ) -> tuple[str, list[CFunction]]:
        """The text of a file with these functions, which needs nothing but a C compiler."""
        real = {"float32": "float", "float64": "double"}[dtype]
        gemm = gemm_text(real)
        taken = Names(re.findall(r"\b(?:rec|REC)_\w+", gemm + COMMON + PARTS + math_text(["rec_exp"], real)))
        written = [CFunction(ascii_name(name), graph, layout, dtype, without, taken) for name, graph in functions]
        body = "\n".join(f.text() for f in written)
        words = set(re.findall(r"\w+", body))
        parts = [COMMON, math_text(words, real)]
        parts += [PHILOX] if "philox" in words else []
        if words & {"rec_packed", "rec_product_part"}:
            parts += [gemm, PARTS.replace("REAL", real)]
        return "\n".join([*parts, body]).replace("??", "? ?"), written


backend = CBackend()
