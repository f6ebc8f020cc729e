"""Faults in elaboration and in the vocabulary."""

# ruff: noqa: E501 - a change is easiest to read in one line

from __future__ import annotations

from tests.mutants import Changes

WORDS = "tests/language/test_vocabulary.py"
USES = "tests/language/test_uses.py"
SAMPLES = "tests/language/test_samples.py -k 'not c and not emulated and not torch'"
DERIVATIVES = "tests/language/test_own_derivatives.py -k 'function_has or numpy'"
FIXED = "tests/language/test_fixed_arrays.py"
PASTS = "tests/language/test_pasts.py -k 'not backend_computes'"

CHANGES = (
    Changes(
        "recurrency/language/elaboration/instance.py", USES,
        (("an instance has the name of the call", "Shared(cell, self.home + label(key))", "Shared(cell, self.prefix + label(key))"),),
    ),
    Changes(
        "recurrency/language/elaboration/initial_values.py", USES,
        (("parameters have the name of the call", "full, known = scope.home + name", "full, known = scope.prefix + name"),),
    ),
    Changes(
        "recurrency/language/elaboration/constants.py", FIXED,
        (
            ("indices begin at 0", "np.indices(sizes)[axis] + 1.0", "np.indices(sizes)[axis] + 0.0"),
            ("all constants have the seed 0", "generator(scope.work.handed.seed, full)", "generator(0, full)"),
            ("unknown arrays are known by the function alone", "{meaning(graph, *arguments)}", ""),
        ),
    ),
    Changes(
        "recurrency/language/vocabulary/matrix_functions.py", FIXED,
        (("expm squares once too little", "range(squarings)", "range(squarings - 1)"),),
    ),
    Changes(
        "recurrency/language/elaboration/uses.py", USES,
        (
            ("each call has parameters of its own", 'home = f"{callee.name}." if isinstance(callee, Shared) else', 'home = f"{callee.name}." if False else'),
            ("entries in another order", "dict(zip(order, cell.positional, strict=False))", "dict(zip(order[::-1], cell.positional, strict=False))"),
            ("all inputs run over t", 'inner.clock, inner.clocks = clocks.get(own_clock(inner.cell), evaluator.scope.clock), clocks',
             'inner.clock, inner.clocks = "t", clocks', USES + " tests/language/test_composition.py"),
            ("written dimensions lose against those of inputs", "and expression.name not in bound:", ":"),
            ("uses that are evaluated once more count from the beginning", "            evaluator.counts.update(known.counts)", "            pass", PASTS),
            ("two uses of one name are one", "if direct or known.call is call:", "if True:", PASTS),
        ),
    ),
    Changes(
        "recurrency/language/elaboration/subscripts.py", PASTS,
        (("a use reads its own past", "return past(evaluator, expression, base, delay)", "return base.at(delay)"),),
    ),
    Changes(
        "recurrency/language/vocabulary/pieces.py", WORDS,
        (
            ("the k-th part", "piece(x, axis, size * (which - 1), size * which)", "piece(x, axis, size * 0, size)"),
            ("slice includes its end", "piece(x, axis, first - 1, last)", "piece(x, axis, first, last)"),
        ),
    ),
    Changes(
        "recurrency/language/vocabulary/vectors.py", WORDS,
        (
            ("var is not centred", "    centred = _centred(x, axes)", "    centred = x"),
            ("layer_norm without its 1e-5", "(_var(x, (axis,)) + 1e-5)", "(_var(x, (axis,)) + 1e-15)", "tests/graph/test_edges.py -k interpreter_agrees"),
            ("norm overflows", 'most.apply("less", 1e38)).where(most, 1.0)', 'most.apply("less", 1e38)).where(1.0, 1.0)', "tests/graph/test_edges.py -k '(agrees and numpy) or not_chosen'"),
        ),
    ),
    Changes(
        "recurrency/language/vocabulary/elementwise.py", WORDS,
        (
            ("the smallest element", 'else -(-x).reduce("peak", axes)', 'else x.reduce("peak", axes)'),
            ("gelu of another form", "0.044715", "0.04715"),
            ("hard_sigmoid is steeper", "+ 2.5) * 0.2)", "+ 2.5) * 0.25)"),
            ("clip: bounds the wrong way round", 'apply("maximum", a.value(1)).apply("minimum", a.value(2))', 'apply("maximum", a.value(2)).apply("minimum", a.value(1))'),
        ),
    ),
    Changes(
        "recurrency/language/vocabulary/randomness.py", WORDS,
        (
            ("zoneout the wrong way round", "keep * old + (1.0 - keep) * new", "keep * new + (1.0 - keep) * old"),
            ("noise multiplies", 'return x + _random(a, x.type, "normal"', 'return x * _random(a, x.type, "normal"', SAMPLES),
            ("the deviation is not learned", "return x + std * _random(", 'return x + std.apply("stop_grad") * _random(', SAMPLES),
            ("draws of a sequence at each step", "type_ = Type(Kind.SEQUENCE, like.shape)", "pass", "", "the numbers of a sequence do not depend on the step: drawn more often, and equal"),
            ("samples are noise", "_normal(None)", "_normal(0.0)", SAMPLES),
            ("a draw without its gradient", '.with_slope(x.apply("softmax"), 1.0)', "", SAMPLES),
        ),
    ),
    Changes(
        "recurrency/language/vocabulary/special.py", WORDS,
        (
            ("ceil is floor", '-(-a.value(0)).apply("floor")', 'a.value(0).apply("floor")'),
            ("roll the other way", "cut = size - by if by > 0 else -by", "cut = by if by > 0 else size + by"),
            ("the greatest over time of no steps", "return steps.where(", "return (steps + 1.0).where(", "tests/language/test_samples.py -k no_steps"),
            ("heaviside without its derivative", '.with_slope(v, a.value(1)) if len(a) > 1', ' if len(a) > 1', DERIVATIVES),
        ),
    ),
    Changes(
        "recurrency/language/elaboration/slopes.py", DERIVATIVES,
        (
            ("the value keeps its gradient", 'y = y.apply("stop_grad")', "y = y * 1.0"),
            ("derivatives in another order", "slope = inner.plain(fn.slopes[k])", "slope = inner.plain(fn.slopes[0])"),
        ),
    ),
    Changes(
        "recurrency/language/vocabulary/streams.py", WORDS,
        (
            ("probabilities without a bound", "LEAST_LOG = -100.0", "LEAST_LOG = -1000.0", "tests/graph/test_edges.py -k interpreter_agrees"),
            ("the mean over time of no steps", '.apply("maximum", 1.0)\n    return x.sum_time() / steps', '\n    return x.sum_time() / steps', WORDS + " tests/passes/test_lengths.py -k 'interpreter or numpy'"),
            ("the window is wider", 'beta, places) * off * off', 'beta, places) * off', ""),
            ("attention looks at values", 'keys.frames().product(query, "sd,d->s")', 'values.frames().product(query, "sd,d->s")'),
            ("cross-entropy of no chance", "never.where(0.0, scores).product", "scores.product", "tests/graph/test_edges.py -k 'interpreter_agrees or not_chosen'"),
            ("the rest of a probability", '(-p).apply("log1p")', '(1.0 - p).apply("log")', "tests/graph/test_edges.py -k interpreter_agrees"),
        ),
    ),
)  # fmt: skip
