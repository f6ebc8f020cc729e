"""Mistakes in what is done to every program, and can't be switched off: sweeps, masks, places, boundary rows."""

from __future__ import annotations

from dataclasses import replace

from tests.planted import CASE, FULL, TRAINING, Plant

STORAGE = "recurrency.program.storage:Storage."
SHARED = "recurrency.backends._python_"
SWEEP = "no rule of an operation: what puts them together"

RECURRENT = """
    param U : [H, H] ~ ones
    state h : [H] ~ ones
    h = tanh(z + U @ h[t-1])
    y = h * z[t-2]
"""

ROWS = (
    Plant("memory taken over while a later step reads it", "recurrency.program.readers:Readers._before",
          "if read.displaced", "if False", "a = sin(z)\ny = cos(a) + a[t-1]", "schedule reuse"),
    Plant("memory taken over while it is still to be read", "recurrency.program.readers:Readers._before",
          "<= self.position[id]", "<= self.position[id] + 2", "a = sin(z)\nb = cos(a)\ny = b * sin(b + a) - a", "schedule reuse"),
    Plant("results that are overwritten", "recurrency.program.reuse:_lives",
          "[END] if storage.readers.escapes(id)", "[at] if storage.readers.escapes(id)",
          "param b : [H] ~ ones\nk = sin(b)\ny = k * z", "schedule reuse", "backward"),
    Plant("padding that is taken for clean", "recurrency.passes.lengths:_is_clean",
          'node.op.name == "valid" or', 'node.op.name == "exp" or', "y = z * sum_over_time(exp(z))", "op sum_time"),
    Plant("padding that is taken for zero", SHARED + "masks:clean", "node.op.name in KEEPS_ZERO", "node.op.elementwise",
          "y = z * last(sum_over_time(z)) ", "?"),
    Plant("a step of padding that counts", SHARED + "function:Function._measures", ">= n{s}", "> n{s}",
          "y = exp(z)", "?"),
    Plant("a row too few before the first step", STORAGE + "_firsts", "delay - step, columns", "max(delay - step, 2), columns",
          RECURRENT, "op shift"),
    Plant("no zeros behind the last step", STORAGE + "_shifted", "max(buffer.behind, -delay)", "buffer.behind",
          "y = sin(z)[t+1]", "?"),
    Plant("first values in the wrong row", SHARED + "aliases:write_firsts", "buffer.front - row]", "buffer.front - row - 1]",
          RECURRENT, "op shift"),
    Plant("gradients a place too early", STORAGE + "_claim_gradients", "start = min(offsets)", "start = max(0, min(offsets) - 1)",
          "param W, V : [H, N] ~ ones\nparam b : [H] ~ ones\ny = tanh(W @ x + b) * sin(V @ x)", "?", "backward"),
    Plant("a loop that runs the wrong way", "recurrency.passes.recurrence:_recurrence", "1 if first.delay > 0 else -1", "1",
          "h = sin(h[t+1]) + z\ny = h", "?"),
    Plant("a delayed piece of the tape without its mark", "recurrency.passes.keep:_second", '{"delayed": 1} if', "{} if",
          RECURRENT, "?", "backward"),
    Plant("random numbers that forget the steps before", SHARED + "writers:_random", "f.dialect.steps_before.format", "f.dialect.range.format",
          "y = dropout(z, 0.5)", "op random", "steps", replace(TRAINING, batch=1)),
    Plant("parts copied to the start", SHARED + "writers:_concat", "start = stop", "pass",
          "y = slice(concat(z, z * 2), 2, H + 1)", "?"),
    Plant("a factor with its axes swapped", SHARED + "products:Product._many_products", "both + left + summed", "both + summed + left",
          "param A : [H, H, H] ~ ones\ny = z", "?"),
    Plant("adjoints that travel a step too far", "recurrency.passes.differentiate:_Sweep._total", "-node.delay", "-node.delay - 1",
          RECURRENT, SWEEP, backend="rules"),
    Plant("a term of a sum of adjoints dropped", "recurrency.passes.differentiate:_Sweep._total", "for term in terms[1:]", "for term in terms[2:]",
          "y = sin(z) * z", SWEEP, backend="rules"),
    Plant("a sum over sequences forgotten", "recurrency.passes.differentiate:_Sweep._send", "part.reduced_to(type_.kind)", "part",
          "param b : [H] ~ ones\ny = z * b", SWEEP, backend="rules"),
    Plant("a direction left out", "recurrency.derivatives:jacobian_product", "for id, direction in along.items()", "for id, direction in list(along.items())[1:]",
          "param b : [H] ~ ones\ny = z * b", SWEEP, backend="rules"),
    Plant("a part of the Hessian left out", "recurrency.derivatives:hessian_product", "for root, id in gradients.items():", "for root, id in list(gradients.items())[1:]:",
          "param b : [H] ~ ones\nparam c : [H] ~ ones\ny = z * b\nloss sum(y * y * c * c)", SWEEP, backend="rules"),
    Plant("the rule of a power", "ops:power", "", "lambda g, y, a, b: (g * a.apply('power', b - 1.0), None)", "y = (2 + sin(z)) ** 3.5", "gradient rule of op power", backend="rules"),
)  # fmt: skip
