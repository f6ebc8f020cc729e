"""Faults in generated C, in the threads of its calls, in what NumPy runs, and in what is remembered."""

# ruff: noqa: E501 - a change is easiest to read in one line

from __future__ import annotations

from tests.mutants import Changes

MATH = "tests/backends/c/test_math.py"
GEMM = "tests/backends/c/test_gemm.py"
LENGTHS = "tests/passes/test_lengths.py -k numpy"
COMPILED = "tests/passes/test_lengths.py -k 'not numpy and not torch and not cupy and not interpreter'"

CHANGES = (
    Changes(
        "backends/kernels/scalars.py", "tests/backends/test_scalar_c.py",
        (
            ("minimum loses NaN", '"minimum": "({0} < {1} || {0} != {0} ? {0} : {1})"', '"minimum": "({0} < {1} ? {0} : {1})"'),
            ("sign of NaN", "{0} == 0.0{f} ? 0.0{f} : {0})\"", "0.0{f})\""),
            ("sigmoid loses its tail", "1.0{f} / (1.0{f} + exp{f}(-{0}))", "0.5{f} * tanh{f}(0.5{f} * {0}) + 0.5{f}"),
            ("softplus overflows", "({0} > 0.0{f} ? {0} + log1p{f}(exp{f}(-{0})) : log1p{f}(exp{f}({0})))", "log1p{f}(exp{f}({0}))"),
            ("where of NaN", "({0} != 0.0{f} ? {1} : {2})", "({0} > 0.0{f} || {0} < 0.0{f} ? {1} : {2})"),
        ),
    ),
    Changes(
        "backends/c/polynomials.py", MATH,
        (
            ("exp ends early", '"low": "-104.0f"', '"low": "-80.0f"'),
            ("exp never overflows", '"high": "89.0f"', '"high": "88.0f"'),
            ("tanh takes the polynomial too far", '"border": "0.6f"', '"border": "1.2f"'),
            ("the last bits of ln 2", '"ln2_low": "-2.12194440e-4f"', '"ln2_low": "-2.1e-4f"'),
        ),
    ),
    Changes(
        "backends/c/exponentials.py", MATH,
        (
            ("sigmoid to the left", "return (x < 0.0$f ? e : 1.0$f) / (1.0$f + e);", "return 1.0$f / (1.0$f + e);"),
            ("expm1 of next to nothing", "return fabs$f(x) < 1e-30$f ? x : y;", "return y;"),
        ),
    ),
    Changes(
        "backends/c/logarithms.py", MATH,
        (
            ("subnormal logarithms", "x < $least ? $raised : $bias", "$bias"),
            ("softplus to the right", "(x > 0.0$f ? x : 0.0$f) + rec_log1p_finite", "rec_log1p_finite"),
        ),
    ),
    Changes(
        "backends/c/angles.py", MATH,
        (
            ("the last part of pi", "n * 0x1.8a2e03707344ap-81 - (", "0.0 - ("),
            ("a far sine", "fabs$f(x) > $far ? sin$f(x) : ", ""),
            ("no second loop", "rec_any |= {far};", "rec_any &= {far};"),
            ("arctangent of a number between", "a > 0.41421357$f ? $quarter_rest : 0.0$f", "0.0$f"),
        ),
    ),
    Changes(
        "backends/c/erf.py", MATH,
        (
            ("the square's last bits", " - (a - high) * (a + high)", ""),
            ("erfc just below 1", "a < 0.5$f ? 1.0$f - near : y", "y"),
        ),
    ),
    Changes(
        "backends/c/powers.py", MATH,
        (
            ("powers of odd exponents", "(rec_to_bits$f(a) & odd)", "0u"),
            ("powers of 1", "(a == 1.0$f) | ", ""),
            ("powers of subnormal numbers", "x < 0x1p-1022 ? 1077.0 : 1023.0", "1023.0"),
            ("powers of broken exponents", "(a > -INFINITY) & ~whole", "(a > -INFINITY) & 0"),
        ),
    ),
    Changes(
        "backends/c/math.py", MATH,
        (
            ("NaN in maximum", '"maximum": "((({0} > {1}) | ({0} != {0})) ? {0} : {1})"', '"maximum": "(({0} > {1}) ? {0} : {1})"'),
        ),
    ),
    Changes(
        "backends/c/tiles.py", GEMM,
        (
            ("the remaining terms", "if (split > 1)\n        for (; k > 0; k--) {", "if (split > 1)\n        for (; k > 1; k--) {"),
            ("sums of a split", "REC_EACH(s, split - 1) REC_EACH(m, rows)", "REC_EACH(s, split - 2) REC_EACH(m, rows)"),
            ("a product is never added", "if (add) REC_EACH(m, rows) REC_EACH(v, vectors) sum[0][m][v] +=", "if (0 && add) REC_EACH(m, rows) REC_EACH(v, vectors) sum[0][m][v] +="),
        ),
    ),
    Changes(
        "backends/c/gemm.py", GEMM,
        (
            ("a strip too many", "(strip < m % strips)", "(strip <= m % strips)"),
            ("columns that are not there", "memset(packed + j, 0, REC_GRAIN * sizeof(REAL));", ";"),
            ("squares are not turned", "packed[i * REC_COLUMNS + j] = square[j][i];", "packed[i * REC_COLUMNS + j] = square[i][j];"),
        ),
    ),
    Changes(
        "backends/c/runtime/pool.py", "tests/backends/c/test_runtime.py -k 'part_that_fails'",
        (
            ("a part fails silently", "__atomic_store_n(&failed, 1, __ATOMIC_RELAXED);", "__atomic_store_n(&failed, 0, __ATOMIC_RELAXED);"),
            ("a failure stays", "    wanted = count;\n    failed = 0;", "    wanted = count;"),
            ("the caller's own part", "int wrong = work(call, 0, count), turns = 0;", "int wrong = (work(call, 0, count), 0), turns = 0;"),
        ),
    ),
    Changes(
        "backends/c/kernels.py", "tests/backends/c/test_runtime.py -k 'share_the_work or numbers'",
        (
            ("sums over sequences of one thread's part", 'f"{whole} * (id + 1) / count"', 'f"{whole} * id / count"'),
            ("padding is added up", 'lines.append(f"if (t >= {body.length(inner.clock, At(None, \'b\'))}) continue;")', "pass",
             COMPILED,
             "what is added up is zero in padding already, or finite times zero (lengths.py): more turns, and equal"),
        ),
    ),
    Changes(
        "backends/kernels/ops.py", COMPILED,
        (
            ("padding stays", 'text = f"({at.t} < {k.length(node.type.clock, at)} ? {inner} : {k.nothing(node)})"', "text = inner"),
            ("a step that is not there", 'inside = f"{step} >= 0 && {step} < {length}"', 'inside = f"{step} >= 0"'),
            ("first values of shorter sequences", 'lambda: _first(k, node, at, firsts, f"(-1 - {step})")', 'lambda: _first(k, node, at, firsts, "0")', "",
             "a state of a spec has one first value here: a delay of more steps is `history`"),
            ("the last step of the longest", 'step = k.declare("at", f"{length} - {1 +', 'step = k.declare("at", f"{k.steps(k.graph[x].type.clock)} - {1 +'),
            ("reverse from the end of the longest", 'there = f"({length} - 1 - {at.t})"', 'there = f"({k.steps(node.type.clock)} - 1 - {at.t})"'),
            ("first values of all lengths", "{k.length(node.attrs['clock'], at)} == {int(node.attrs['length'])}", "1"),
        ),
    ),
    Changes(
        "backends/kernels/values.py", COMPILED,
        (("all steps of another clock", "return self.length(dim, at) if isinstance(dim, str) else str(extent(dim))", "return str(extent(dim))"),),
    ),
    Changes(
        "backends/python/views.py", LENGTHS,
        (("padding stays", "target.append(f\"    {f.dialect.clear(out, padding, '0' if node.type.index is None else '-1')}\")", 'target.append("    pass")'),),
    ),
    Changes(
        "backends/numpy/helpers.py", LENGTHS,
        (
            ("a first value of another sequence", "out[at == -1 - before] = first[at == -1 - before]", "out[at == -1 - before] = first[:1]"),
            ("the last step of the longest", "at = np.full(lengths.shape, step - 1) if step > 0 else lengths + step\n    found = (at >= 0) & (at < lengths)\n    out[...] = fill",
             "at = np.full(lengths.shape, step - 1) if step > 0 else steps + step + 0 * lengths\n    found = (at >= 0) & (at < lengths)\n    out[...] = fill"),
            ("reverse from the end of the longest", "at = np.maximum(lengths - 1 - np.arange(steps)[:, None], 0)", "at = np.maximum(steps - 1 - np.arange(steps)[:, None], 0) + 0 * lengths"),
            ("log_softmax loses its tail", "np.subtract(out, np.log1p(rest, rest), out)", "np.subtract(out, np.log(np.exp(out).sum(-1, keepdims=True)), out)", "tests/graph/test_edges.py -k 'agrees and numpy'"),
            ("no symbol is the first row", "missing = at < 0", "missing = at < -1", "tests/backends/numpy/test_backend.py -k embedding"),
        ),
    ),
    Changes(
        "backends/python/masks.py", "tests/passes/test_lengths.py -k 'numpy or keeps_them'",
        (
            ("a product is clean", "if Trait.CONTRACTS not in node.op.traits or f.kind(id) is Kind.STATIC:\n        return False",
             "if Trait.CONTRACTS not in node.op.traits or f.kind(id) is Kind.STATIC:\n        return True"),
        ),
    ),
    Changes(
        "recurrency/graph/draws.py", "tests/graph/test_interpreter.py tests/model/test_model.py -k 'random or draw or philox or noise or dropout'",
        (
            ("nine rounds", "ROUNDS = 10", "ROUNDS = 9"),
            ("what is kept is not scaled", "1.0 / (1.0 - p) if p < 1 else 0.0", "1.0"),
            ("noise of twice the size", "return np.asarray(p * radius", "return np.asarray(2 * p * radius"),
        ),
    ),
    Changes(
        "recurrency/disk/records.py", "tests/disk/test_records.py -k another",
        (
            ("another Python", "[sys.version, np.__version__]", "[np.__version__]"),
            ("another NumPy", "[sys.version, np.__version__]", "[sys.version]"),
            ("another code", "state += sorted(_files(folder))", "state += []"),
        ),
    ),
)  # fmt: skip
