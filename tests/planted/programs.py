"""Mistakes in what plans every program: sweeps, padding, memory, boundary rows. Most can't be switched off."""

from __future__ import annotations

from tests.planted import TRAINING, Plant

READERS = "recurrency.program.readers:Readers."
STORAGE = "recurrency.program.storage:Storage."
SHARED = "recurrency.backends.python."
SWEEP = "no rule of an operation: what puts them together"

SQUARE = "cell Main[N, H](x: [N, N]) -> (y: [N, N])"
DELAYED = """
    state h : [H] ~ ones
    h = tanh(z + 0.5 * h[t-1])
    y = h * z[t-2]
"""

ROWS = (
    Plant("memory taken over while it is still to be read", READERS + "_before", "<= self.position[id]",
          "<= self.position[id] + 2", "a = sin(z)\nb = cos(a)\ny = b * sin(b + a) - a", "schedule in place"),
    Plant("results whose memory is used again", "recurrency.program.reuse:_lives",
          "[END] if storage.readers.escapes(id)", "[at] if storage.readers.escapes(id)",
          "y = sin(z)\nw = sum_over_time(exp(y)) * z", "schedule reuse",
          head="cell Main[N, H](x: [N], z: [H]) -> (y: [H], w: [H])"),
    Plant("memory taken over that is read in another order", STORAGE + "_alone", "other == place or", "True or",
          "m = tanh(x)\ny = m + transpose(m)", "schedule in place", backend="torch", head=SQUARE),
    Plant("a new shape taken for a view", SHARED + "products:Operand.joins", "return all(", "return True or all(",
          "param C : [N, N] ~ orthogonal\nstate y : [N, N] = identity(N)\ny = x @ transpose(y[t-1] @ C)",
          "schedule views", "backward", head=SQUARE),
    Plant("a part that lies there a step before", SHARED + "writers:_in_place",
          "Trait.VIEW not in f.graph[arg].op.traits and",
          "f.graph[arg].op.name != 'slice' and f.program.places[arg].buffer == f.program.places[id].buffer or",
          "state h : [2 * H] ~ ones\nh = concat(stop_grad(slice(h[t-1], 1, H)), z * slice(h[t-1], 1, H))\n"
          "y = slice(h, 1, H)", "schedule views"),
    Plant("a transposed gradient taken for computed in its place", "recurrency.program.layout:computed_there",
          "return there and evenly(strides(buffer, place))", "return True",
          "param A, W : [N, N] ~ normal(0, 1)\ny = (A + transpose(W)) * x", "schedule in-place gradients", "backward",
          head=SQUARE),
    Plant("gradients where others lie", STORAGE + "_claim_gradients", "Claim(None, start)",
          "Claim(None, start // 2)", "param b, c : [H] ~ ones\ny = z * b + sin(z) * c",
          "schedule in-place gradients", "backward"),
    Plant("a row too few before the first step", "recurrency.program.before:wanted", "delay - node.delay + 1, delay",
          "delay - node.delay + 2, delay", "state h : [H] ~ ones\nh = tanh(z + 0.5 * h[t-2])\ny = h", "op shift"),
    Plant("no zeros behind the last step", STORAGE + "_shifted", "max(buffer.behind, -delay)", "buffer.behind",
          "a = sin(z)\ny = a[t+1]", "op shift"),
    Plant("first values in the wrong row", SHARED + "views:_write_rows", "buffer.front - rows.high",
          "buffer.front - rows.high + one", DELAYED, "op shift"),
    Plant("padding that is taken for clean", "recurrency.passes.lengths:_is_clean",
          "Trait.CLEANS in node.op.traits", 'node.op.name == "exp"', "y = z * sum_over_time(exp(z))", "op sum_time"),
    Plant("a step of padding that counts", SHARED + "function:Function._measures", ">= n{s}", "> n{s}", "y = exp(z)",
          "op valid"),
    Plant("a loop that runs the wrong way", "recurrency.passes.recurrence:_recurrence",
          "1 if first.delay > 0 else -1", "1", "h = sin(h[t+1]) + z\ny = h", "op sin"),
    Plant("random numbers that forget the steps before", SHARED + "writers:_random",
          "f.dialect.steps_before.format", "f.dialect.range.format", "y = dropout(z, 0.5)", "op random", "steps",
          TRAINING),
    Plant("parts copied to one place", SHARED + "writers:_concat", "start = stop", "pass",
          "y = slice(concat(z, z * 2), 2, H + 1)", "op concat"),
    Plant("a matrix of each step transposed", SHARED + "products:Product._many_products", "both + left + summed",
          "both + summed + left", "C = outer(z, sin(z))\ny = C @ z", "op product"),
    Plant("adjoints that travel a step too far", "recurrency.passes.differentiate:_Sweep._total", "-node.delay",
          "-node.delay - 1", DELAYED, "gradient rule of op shift"),
    Plant("a term dropped where adjoints meet", "recurrency.passes.differentiate:_Sweep._total", "terms[1:]",
          "terms[2:]", "y = sin(z) * cos(z)", SWEEP),
    Plant("a direction left out", "recurrency.passes.derivatives:jacobian_product", "in along.items()",
          "in list(along.items())[1:]", "param b : [H] ~ ones\ny = z * b", SWEEP),
    Plant("a row of the Hessian left out", "recurrency.passes.derivatives:hessian_product",
          "for root, id in gradients.items():", "for root, id in list(gradients.items())[1:]:",
          "param b, c : [H] ~ ones\ny = z * b\nloss sum(y * y * c * c)", SWEEP),
    Plant("a base without its gradient", "ops:power", "", "lambda g, y, a, b: (g * a.apply('power', b - 1.0), None)",
          "y = (2 + sin(z)) ** 3.5", "gradient rule of op power"),
)  # fmt: skip
