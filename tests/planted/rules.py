"""Mistakes in gradient rules, which all backends share: only differences tell, and the operation is named."""

from __future__ import annotations

from tests.planted import CASE, Plant

SAID = "gradient rule of op "


def _rule(name: str, op: str, new: str, cell: str) -> Plant:
    return Plant(name, f"ops:{op}", "", new, cell, f"{SAID}{op}", case=CASE)


ROWS = (
    _rule("a sign in a rule", "tanh", "lambda g, y, x: (g * (1.0 + y * y),)", "y = tanh(z)"),
    _rule("a wrong factor", "sigmoid", "lambda g, y, x: (g * (y * (2.0 - y)),)", "y = sigmoid(z)"),
    _rule("a lost sign", "divide", "lambda g, y, a, b: (g / b, g * y / b)", "y = z / (2 + sin(z))"),
    _rule("a function for its derivative", "cos", "lambda g, y, x: (g * x.apply('sin'),)", "y = cos(z)"),
    _rule("a factor without a gradient", "product",
          "lambda g, y, a, b, spec: (_product_gradient(g, y, a, b, spec=spec)[0], None)",
          "param W : [H, N] ~ ones\ny = W @ x"),
    _rule("swapped operands", "where", "lambda g, y, c, a, b: (None, c.where(g * 0.0, g), c.where(g, g * 0.0))",
          "y = where(z < 0.1, z, sin(z))"),
    _rule("swapped factors", "multiply", "lambda g, y, a, b: (g * a, g * b)", "y = z * sin(z)"),
    _rule("a dropped term", "softmax", "lambda g, y, x, **attrs: (y * g,)", "y = softmax(z)"),
    _rule("a dropped term of a logarithm", "log_softmax", "lambda g, y, x: (g,)", "y = log_softmax(z)"),
    _rule("a delay that is off by one", "shift",
          "lambda g, y, x, *first, delay: (g.shift(1 - delay if delay > 1 else -delay), *(None for f in first))",
          "y = z + z[t-2]"),
    _rule("a missing boundary value", "shift",
          "lambda g, y, x, *first, delay: (g.shift(-delay), *(None for f in first))",
          "state h : [H] ~ ones\nh = sin(h[t-1])\ny = h * z"),
    _rule("starts of parts forgotten", "concat",
          "lambda g, y, *parts: tuple(g.slice(0, p.type.shape[0]) for p in parts)",
          "y = split(concat(sin(z), cos(z)), 2, 1) * split(concat(z, z * z), 2, 2)"),
    _rule("a stream that is not turned around", "reverse", "lambda g, y, x: (g,)", "y = z * reverse(z)"),
    _rule("the wrong end of a sequence", "pick", "lambda g, y, x, *, step: (g.place(-step, x.type.clock),)",
          "y = z * last(sin(z))"),
    _rule("a repetition that is not summed", "expand",
          "lambda g, y, x, *, axes, sizes: (g.reduce('sum', axes) * 0.5,)", "param b : [] ~ ones\ny = z * sin(b)"),
)  # fmt: skip
