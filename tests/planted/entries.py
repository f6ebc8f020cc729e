"""Mistakes in what takes in the arrays of a call: they show only where something stands after the end of sequences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recurrency.testing.verification.blame import ENTRY
from tests.planted import CASE, Plant

GATHER, FITTING, CLEAN = (
    f"recurrency.{name}" for name in ("model.call:gather", "model.adjoints:fitting", "model.arrays:without_padding")
)
REAL = "recurrency.model.arrays:real_steps"
OWN = "recurrency.backends.python.writers:_input"
HELPERS = "recurrency.backends.{}:HELPERS[fill_padding]"
DRIVER = "recurrency.backends.cupy.class_text:_inputs"
MEAN = "y = tanh(z) * mean_over_time(z)"
LATER = "y = z[t+1]"
WORDS = replace(CASE, dimensions={"V": 4, "H": 3})
SYMBOLS = "cell Main[V, H](w: index[V]) -> (y: [H])"


def _entry(name: str, where: str, old: str, new: str, cell: str = MEAN, kind: str = "forward", **more: Any) -> Plant:
    return Plant(name, where, old, new, cell, ENTRY, kind, **more)


ROWS = (
    _entry("inputs as they come", GATHER, "if valid is not None:", "if False:"),
    _entry("one step too many", REAL, "[:, None] < ends", "[:, None] <= ends"),
    _entry("only where all sequences are shorter", REAL, "(ends < count).any()", "(ends < count).all()"),
    _entry("nothing by multiplication", CLEAN, "array[~valid] = 0 if", "array[~valid] *= 0 if"),
    _entry("adjoints as they come", FITTING, "if valid is None", "if True", kind="backward"),
    _entry("adjoints as they come, in one call", FITTING, "if valid is None", "if True", kind="vjp"),
    _entry("tangents as they come", FITTING, "if valid is None", "if True", kind="jvp"),
    _entry("code that relies on others", OWN, "if node.type.kind is", "if not node.type.kind is"),
    _entry("code that relies on others for adjoints", OWN, 'not TAPE.has(node.attrs["name"])',
           'not node.attrs["name"].startswith(("tape:", "d:"))', kind="backward"),
    _entry("symbols that are not cleaned", OWN, "STREAM and", "STREAM and node.type.index is None and",
           "param E : [V, H] ~ ones\ny = embed(E, w[t+1])", head=SYMBOLS, case=WORDS),
    _entry("zeros by multiplication", HELPERS.format("numpy.helpers"), "= fill\n", "*= fill\n"),
    _entry("zeros by multiplication, in torch", HELPERS.format("torch.helpers"), "fill_where(x, padding, fill)",
           "x *= ~padding.reshape(*padding.shape, *[1] * (x.dim() - 2))", backend="torch"),
    _entry("a driver that relies on others", DRIVER, "clean = array", "clean = not array",
           LATER, backend="cupy-emulated"),
)  # fmt: skip
