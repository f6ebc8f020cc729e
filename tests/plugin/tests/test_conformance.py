"""The whole test suite of a third party's backend."""

from __future__ import annotations

import recurrency_jax

from recurrency.testing.conformance import BackendConformance


class TestJax(BackendConformance):
    """Node by node, without compilation: that alone would take minutes."""

    backend = recurrency_jax.JaxBackend(jit=False)
    examples = 2


class TestCompiledJax(BackendConformance):
    """Compiled loops."""

    backend = recurrency_jax.backend
    dtypes = ("float32",)
    cells = ("delay lines",)
    examples = 1
