"""Mistakes in passes and in the schedule: each of them can be switched off, and so is named itself."""

from __future__ import annotations

from tests.planted import FULL, Plant

PASSES = "recurrency.passes."
RULES = PASSES + "rules."

RECURRENT = """
    param W, V : [H, N] ~ ones
    param U, A : [H, H] ~ ones
    state h : [H] = 0
    h = sigmoid(V @ x + A @ h[t-1]) * tanh(W @ x + U @ h[t-1])
    y = h
"""

ROWS = (
    Plant("a sign in a rule of subtraction", RULES + "elements:subtract_rules", "return -b", "return b",
          "y = 0 - tanh(z)", "pass simplify"),
    Plant("swapped operands in a rule of negation", RULES + "elements:negative_rules", "return b - a", "return a - b",
          "param b : [H] ~ ones\ny = -(z - b)", "pass simplify"),
    Plant("a wrong power", RULES + "elements:power", "filled(graph, 1.0", "filled(graph, 0.0",
          "y = z * (1.5 + sin(z)) ** 0", "pass simplify"),
    Plant("a constant added and not multiplied", RULES + "elements:minus_one", "return -a", "return a",
          "y = tanh(z) * -1", "pass simplify"),
    Plant("the wrong branch of a choice", RULES + "elements:where", "1 if choice else 2", "2 if choice else 1",
          "y = where(1, z, 2 * z)", "pass simplify"),
    Plant("the start of a piece forgotten", RULES + "shapes:slice_slice", "start + node.attrs", "node.attrs",
          "param b : [8] ~ ones\ny = z * sum(split(split(exp(b), 2, 2), 2, 1))", "pass simplify"),
    Plant("a sum of equal terms that is one of them", RULES + "time:sum_of_constant",
          'value.as_sequence() * graph.add("length", attrs={"clock": inner.type.clock})', "value.as_sequence()",
          "param b : [H] ~ ones\ny = z\nloss sum(z + 2 * b)",
          "pass simplify", "loss_gradients"),
    Plant("cse without attributes", PASSES + "cse:_key", "tuple(sorted(node.attrs.items()))", "()",
          "y = z * sum(slice(z, 1, 1)) - sum(slice(z, 2, 2))", "pass cse"),
    Plant("cse without delays", PASSES + "cse:_shift_classes", "(graph[id].delay, graph[id].type", "(graph[id].type",
          "y = z[t+1] - 0.5 * z[t+2]", "pass cse"),
    Plant("cse without the order of arguments", PASSES + "cse:_key", "if Trait.COMMUTATIVE in node.op.traits",
          "if args",
          "param b : [H] ~ ones\ny = (z - b) * (b - z) + z", "pass cse"),
    Plant("a lost sign while regrouping", PASSES + "reassociate:_Chains._terms", "term.negative != sign", "sign",
          """
          param b : [H] ~ ones
          param U, A : [H, H] ~ ones
          state h : [H] = 0
          h = tanh(0.5 * z - (U @ h[t-1] - (A @ h[t-1] - b * z)))
          y = h
          """, "pass reassociate"),
    Plant("factors taken for terms", PASSES + "reassociate:_Chains._continues",
          "CHAINS.get(self.graph[arg].op.name) == chain", "self.graph[arg].op.name in CHAINS",
          """
          param b : [H] ~ ones
          state h : [H] = 0
          h = tanh(b * h[t-1] + z - sin(h[t-1]))
          y = h
          """, "pass reassociate"),
    Plant("pieces of a packed product from the wrong place", PASSES + "pack:_sliced", "start = stop", "start = 0",
          "param W, V : [H, N] ~ ones\ny = tanh(W @ x) + sin(V @ x)", "pass pack"),
    Plant("packed in another order", PASSES + "pack:pack_products", "graph[id].args[0]).id for id in ids]",
          "graph[id].args[0]).id for id in ids[::-1]]", RECURRENT, "pass pack"),
    Plant("a packed gate of another kind", PASSES + "pack:pack_gates", "together.apply(str(op))",
          "together.apply('sigmoid')",
          """
          param W, V : [H, N] ~ ones
          param U, A : [H, H] ~ ones
          state h : [H] = 0
          h = tanh(V @ x + A @ h[t-1]) * tanh(W @ x + U @ h[t-1])
          y = h
          """, "pass pack"),
    Plant("another value on the tape", PASSES + "partition:partition", "return one, _second(",
          "tape = dict(zip(tape, kept[::-1])) if recompute else tape\n    return one, _second(",
          "param b : [H] ~ ones\ny = tanh(z) * sigmoid(z * b) * exp(-square(b * z))", "pass keep", "backward"),
    Plant("memory used again too early", "recurrency.program.reuse:Heap.taken", "self.busy[0][0] < first", "True",
          "y = tanh(z) * sin(z) + cos(z) * exp(-square(z)) * relu(z)", "schedule reuse", case=FULL),
    Plant("a factor dropped from a sum of products", "recurrency.program.schedule:_sums", "sums[id] = inner",
          'sums[id] = graph[inner].args[0] if graph[inner].op.name == "multiply" else inner',
          "y = z + sum_over_time(z * tanh(z))", "schedule sums"),
    Plant("a part of a concatenation in the wrong place", "recurrency.program.storage:Storage._claim_parts",
          "Claim(id, start)", "Claim(id, 0)",
          "param b : [H] ~ ones\ny = slice(tanh(concat(z * b, b - z)), 2, H + 1)", "schedule in-place concat"),
    Plant("a kernel that reads what is not there yet", "recurrency.program.regions:_grouped",
          "args = {a for a in _needs(graph, id, hidden) if a in rank and a != late}", "args = set()",
          RECURRENT, "schedule fuse"),
)  # fmt: skip
