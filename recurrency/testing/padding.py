"""Arbitrary content in the padding of what a backend gets; it must make no difference.

`Model` clears padding before a program sees it, and programs may rely on that (`recurrency.backend.Runner`). The
programs of a backend that writes stand-alone modules may not, because these get the arrays of the caller.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.backend import Backend, Call, Runner
from recurrency.errors import RecurrencyError
from recurrency.graph.graph import Graph
from recurrency.graph.roots import TAPE
from recurrency.graph.types import Kind, Type

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.program.layout import Layout

ANYTHING = (np.nan, np.nan, 1e30, -1e30, 1.0)
"""Numbers that spread, or are conspicuous."""


class PaddingError(RecurrencyError):
    """Padding that a program may rely on is not clear."""


def anything(rng: np.random.Generator, shape: tuple[int, ...], index: int | None) -> Array:
    """Numbers for padding; with an `index`, symbols or none."""
    return rng.integers(-1, index, shape) if index is not None else rng.choice(ANYTHING, shape)


@dataclass
class Spoilt:
    """A backend whose programs get arbitrary content in the padding of inputs, adjoints and tangents.

    If it writes no modules, nothing stands there, as it may expect; that `Model` sees to this is checked in any case.
    """

    inner: Backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Runner:
        """See `recurrency.backend.Backend`."""
        runner = self.inner.build(graph, layout, dtype, name, without)
        types = {n: graph[i].type for n, i in graph.sources("input").items() if not TAPE.has(n)}
        streams = {n: t for n, t in types.items() if t.kind is Kind.STREAM}
        spoils = hasattr(self.inner, "module") or hasattr(self.inner, "files")

        def run(call: Call) -> dict[str, Array]:
            ends = call.lengths
            cleaned = {} if ends is None else {n: call.given[n] for n in streams if n in call.given}
            for n, array in cleaned.items():
                padding = np.arange(len(array))[:, None] >= (ends or {})[str(streams[n].clock)]
                _check(n, array[padding], streams[n])
                if spoils:
                    cleaned[n] = _spoilt(n, array, padding, streams[n])
            return runner(call.plus(cleaned))

        return run


def _check(name: str, padding: Array, type_: Type) -> None:
    if (padding != (0 if type_.index is None else -1)).any():
        raise PaddingError(f"{name} comes to the backend with something after the end of a sequence")


def _spoilt(name: str, array: Array, padding: Array, type_: Type) -> Array:
    rng = np.random.default_rng((zlib.crc32(name.encode()), zlib.crc32(array.tobytes())))
    index = None if type_.index is None else int(str(type_.index))
    out = array.copy()
    out[padding] = anything(rng, out[padding].shape, index)
    return out
