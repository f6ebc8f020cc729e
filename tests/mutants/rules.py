"""Faults in the table of operations and in what a gradient leaves out."""

# ruff: noqa: E501 - a change is easiest to read in one line

from __future__ import annotations

from tests.mutants import Changes

OPS = "tests/graph/test_ops.py"
EDGES = "tests/graph/test_edges.py -k 'interpreter_agrees or not_chosen'"
CHOSEN = "tests/graph/test_edges.py -k 'not_chosen or elsewhere'"
MEANING = "tests/graph/test_interpreter.py tests/program/test_delays.py"

CHANGES = (
    Changes(
        "recurrency/graph/ops/elementwise.py", EDGES,
        (
            ("minimum: the second gets a tie", '(unless(b.apply("less", a), g), chosen(b.apply("less", a), g)),\n    np.minimum',
             '(unless(b.apply("less_equal", a), g), chosen(b.apply("less_equal", a), g)),\n    np.minimum'),
            ("maximum: the second gets a tie", '(unless(a.apply("less", b), g), chosen(a.apply("less", b), g)),\n    np.maximum',
             '(unless(a.apply("less_equal", b), g), chosen(a.apply("less_equal", b), g)),\n    np.maximum'),
            ("power: the exponent at base 0", 'chosen(zero.apply("less", a), g * y', 'chosen(zero.apply("less_equal", a), g * y'),
            ("power: 0 ** 0", "slope = unless(nothing, g * b * a.apply(\"power\", b - 1.0))",
             "slope = g * b * a.apply(\"power\", b - 1.0)"),
            ("sigmoid: its tail", "np.where(x < 0, e, 1.0) / (1.0 + e)", "0.5 * np.tanh(0.5 * x) + 0.5"),
            ("expm1: the tail of its slope", 'g * x.apply("exp")', "g * (y + 1.0)"),
            ("abs: multiplied, not chosen", "(chosen(sign, g * sign),)", "(g * sign,)"),
            ("where: multiplied, not chosen", "(None, chosen(c, g), unless(c, g))", "(None, c * g, unless(c, g))"),
            ("where: branches the wrong way round", "(None, chosen(c, g), unless(c, g))", "(None, unless(c, g), chosen(c, g))"),
            ("mod: the quotient is not that of the remainder", '((a - y) / b).apply("round")', '(a / b).apply("floor") + 1.0'),
            ("erf: its slope", "2 / math.sqrt(math.pi)", "1 / math.sqrt(math.pi)"),
            ("relu: a slope at 0", 'like(x).apply("less", x), g)', 'like(x).apply("less_equal", x), g)'),
        ),
    ),
    Changes(
        "recurrency/graph/ops/structure.py", EDGES,
        (
            ("peak: ties are not shared", 'g / hit.reduce("sum", axes)', "g"),
            ("log_softmax: ties of the greatest", "(most.sum(-1, keepdims=True) - 1.0)", "most.sum(-1, keepdims=True)"),
            ("log_softmax: the tail of its slope", '-(g * y.apply("expm1")) - y.apply("exp") * others',
             'g - y.apply("exp") * (others + g)'),
        ),
    ),
    Changes(
        "recurrency/graph/ops/elementwise.py", OPS,
        (
            ("tanh: its slope", "g * (1.0 - y * y)", "g * (1.0 - y)"),
            ("divide: the divisor", "(g / b, -(g * y) / b)", "(g / b, -(g * y))"),
            ("sqrt: its slope", "(g / (y * 2.0),)", "(g / y,)"),
            ("softplus: its slope", 'lambda g, y, x: (g * x.apply("sigmoid"),)', 'lambda g, y, x: (g * x.apply("tanh"),)'),
            ("cos: a sign", '(-(g * x.apply("sin")),)', '(g * x.apply("sin"),)'),
        ),
    ),
    Changes(
        "recurrency/graph/ops/structure.py", OPS,
        (
            ("softmax: its slope", "y * (g - _spread_axes((g * y)", "y * (g - _spread_axes((g)"),
            ("product: factors the wrong way round", 'a.product(g, f"{first},{out}->{second}")',
             'g.product(a, f"{out},{first}->{second}") * 1.5'),
            ("concat: where parts begin", "stop = plus(start, part.type.shape[0])", "stop = part.type.shape[0]"),
            ("pad: where it begins", "(g.slice(start, start + x.type.shape[0]),)", "(g.slice(0, x.type.shape[0]),)"),
        ),
    ),
    Changes(
        "recurrency/graph/ops/time.py", OPS,
        (
            ("shift: all first values at step 1", "*(g.pick(step) for step in", "*(g.pick(1) for step in"),
            ("final: another slot", "(g.place(-1 - slot, clock), *", "(g.place(-1, clock), *"),
            ("final: first values of shorter sequences", "g.if_length(slot - k, clock)", "g.if_length(slot, clock)"),
        ),
    ),
    Changes(
        "recurrency/graph/ops/structure.py", MEANING,
        (
            ("take: the first row", "x[int(w)] if w >= 0 else", "x[int(w)] if w > 0 else", OPS + " tests/language/test_vocabulary.py"),
        ),
    ),
    Changes(
        "recurrency/graph/ops/time.py", MEANING,
        (
            ("final: another first value", "r.arg(0, step) if step >= 0 else r.arg(-step)",
             "r.arg(0, step) if step >= 0 else r.arg(1)"),
            ("pick: the last step but one", "found = step - 1 if step > 0 else length + step",
             "found = step - 1 if step > 0 else length + step - 1"),
            ("shift: a step beyond the end", "r.arg(0, step) if step < r.length(attrs[\"clock\"]) else r.zero()",
             "r.arg(0, min(step, r.length(attrs[\"clock\"]) - 1))"),
            ("reverse: off by one", 'r.length(a["clock"]) - 1 - r.step)', 'max(r.length(a["clock"]) - 2 - r.step, 0))', "tests/language/test_vocabulary.py"),
        ),
    ),
    Changes(
        "recurrency/graph/value.py", OPS,
        (
            ("clip: no lower bound", 'return self.apply("maximum", -limit).apply("minimum", limit)',
             'return self.apply("minimum", limit)'),
            ("spread: sums over sequences alone", "value = value.sum_time()", "value = value.pick(-1)"),
        ),
    ),
    Changes(
        "recurrency/passes/guards.py", CHOSEN,
        (
            ("a guard though something else reads it", "if not edges or None in edges:", "if not edges or edges == [None]:"),
            ("the other branch has the same mask", 'mask = condition.apply("equal", 0.0)\n        else:',
             "mask = condition\n        else:"),
            ("the inner guard alone", "mask = mask if guard is None else chosen(mask, guard())", "mask = mask"),
            ("delayed uses come first", "_users_last(graph, order) if self.singular else order", "order"),
            ("factors as they are", "if guard is None or Trait.MIXES not in node.op.traits:", "if True:"),
            ("a part is never risky", "or not self._is_risky(part.id):", "or True:"),
        ),
    ),
    Changes(
        "recurrency/graph/ops/structure.py", CHOSEN,
        (("peak leaves nothing out", "Trait.MIXES, Trait.CHOOSES", "Trait.MIXES"),),
    ),
    Changes(
        "recurrency/graph/ops/time.py", CHOSEN,
        (("pick leaves nothing out", "Trait.MOVES, Trait.CHOOSES, Trait.LINEAR", "Trait.MOVES, Trait.LINEAR"),),
    ),
    Changes(
        "recurrency/graph/ops/elementwise.py", "tests/passes/test_lengths.py -k keeps_them",
        (("sigmoid keeps zeros", "Trait.LOGISTIC, Trait", "Trait.LOGISTIC, Trait.KEEPS_ZERO, Trait"),),
    ),
    Changes(
        "recurrency/graph/ops/elementwise.py", CHOSEN,
        (("maximum leaves nothing out", "np.maximum,\n    traits={Trait.KINKED, Trait.INCREASING, Trait.CHOOSES},", "np.maximum,"),),
    ),
    Changes(
        "recurrency/passes/differentiate.py", "tests/passes/test_differentiate.py",
        (
            ("a delayed use counts twice", "parts = (None, *parts[1:])", "pass", "",
             "the adjoint of what is delayed is whole by then: what is sent to it late is not read"),
        ),
    ),
    Changes(
        "recurrency/passes/derivatives.py", "tests/passes/test_differentiate.py tests/model/test_products.py -k 'one_node or (gnvp and numpy)'",
        (
            ("two results that are one node", "seeds[id] = seeds[id] + value if id in seeds else value", "seeds[id] = value"),
        ),
    ),
    Changes(
        "recurrency/passes/gauss_newton.py", "tests/model/test_products.py tests/model/test_damping.py -k '(gnvp or regulariser or damping) and numpy'",
        (
            ("regularisers in Gauss-Newton", "(moved_back[id] + curved[id]).id", "moved_back[id].id"),
            ("damping of tanh", "id = node.args[0]", "pass"),
        ),
    ),
    Changes(
        "recurrency/passes/loss_lines.py", "tests/model/test_damping.py -k numpy",
        (("damping by steps", "if any(map(over_sequences, found)) or not means:", "if not means:"),),
    ),
    Changes(
        "recurrency/language/elaboration/losses.py", "tests/model/test_ignored_targets.py -k 'summand or computed'",
        (
            ("an ignored target counts", "if factors and", "if weight is not None and"),
            ("a part keeps its other summands", "constant(graph, 0.0).id if Trait.LINEAR in node.op.traits else arg", "arg"),
            ("a clipped sum is split", "moving and Trait.LINEAR in node.op.traits and not node.op.linear_in and Trait.CLIPS not in node.op.traits", "moving and Trait.LINEAR in node.op.traits and not node.op.linear_in"),
            ("a computed symbol may be missing", "if node.args and all(", "if not node.args and all("),
        ),
    ),
    Changes(
        "recurrency/training/loop/weighing.py", "tests/model/test_ignored_targets.py -k chunks",
        (("pieces without their past", "found, state = _counted(model, batch, ends, state)", "found, _ = _counted(model, batch, ends, None)"),),
    ),
    Changes(
        "recurrency/passes/convexity.py", "tests/passes/test_convexity.py",
        (
            ("the negative of a square", "if wanted != CONVEX:", "if False:"),
            ("functions of any convexity", "elif wanted and wanted == self._bend(id, node):", "elif wanted == self._bend(id, node):"),
            ("negative terms", "-wanted if k in falls else wanted", "wanted"),
        ),
    ),
)  # fmt: skip
