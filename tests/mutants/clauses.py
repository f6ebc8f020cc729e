"""Faults in resets, masks, losses of some steps, tensors, and arrays that are fixed."""

# ruff: noqa: E501 - a change is easiest to read in one line

from __future__ import annotations

from tests.mutants import Changes

RESETS = "tests/model/test_resets.py -k 'numpy and (cut or long_delays)'"
CLAUSES = "tests/language/test_clauses.py"
HELD = "tests/language/test_clauses.py tests/language/test_held_cells.py"
GAPS = "tests/model/test_gaps.py"
EXPORTED = "tests/backends/c/test_flags.py"
WEIGHTS = "tests/model/test_loss_weights.py"
TENSORS = "tests/language/test_tensors.py"
HEADS = "tests/backends/c/test_heads.py"

CHANGES = (
    Changes(
        "recurrency/graph/restarts.py", RESETS,
        (
            ("a reset forgets a delay line", "mask = reset if node.delay == 1 else self._crossed(reset, node.delay)", "mask = reset"),
            ("every step begins again", 'count.shift(delay).apply("less", count)', 'count.shift(delay).apply("less_equal", count)'),
            ("resets before the first one", "earlier + reset.where(1.0, 0.0)", "earlier * 0.0 + reset.where(1.0, 0.0)"),
            ("rows are compared with the oldest", "last = counts.slice(rows - 1, rows)", "last = counts.slice(0, 1)"),
            ("a state begins with zero", "self._choose(id, mask.like(self.graph.value(id)), self._declared(node))", "self._choose(id, mask.like(self.graph.value(id)), None)"),
            ("a gradient goes through a reset", "        self.instead[id] = found.id",
             '        left = self.graph.value(old)\n        self.instead[id] = (found if left.type.index is not None else found + (left - left.apply("stop_grad"))).id'),
            ("no gradient of what a reset brings back", "[mask.id, first.id, old]", '[mask.id, first.apply("stop_grad").id if first.type.index is None else first.id, old]'),
        ),
    ),
    Changes(
        "recurrency/passes/resets.py", RESETS,
        (
            ("what a call passes on is not reset", "elif clock in given and Trait.KEEPS_ROWS in node.op.traits:", "elif False:"),
            ("later steps are no obstacle", "if node.delay < 0:", "if False:", "tests/model/test_resets.py -k 'later_steps_says'"),
            ("whole streams are no obstacle", "if Trait.WHOLE in node.op.traits:", "if False:", "tests/model/test_resets.py -k 'what_cannot or whole_sequences or loss_at_the_end'"),
        ),
    ),
    Changes(
        "recurrency/graph/holds.py", HELD,
        (
            ("longer delays take what is new", "taken = [new, *before[:-1]]", "taken = [new for _ in before]"),
            ("masks choose", "return mask * new + (1.0 - mask) * old", "return mask.where(new, old)"),
            ("a mask has no gradient", "return mask * new + (1.0 - mask) * old", 'mask = mask.apply("stop_grad")\n    return mask * new + (1.0 - mask) * old'),
            ("no gradient of what is kept", "return mask * new + (1.0 - mask) * old", 'return mask * new + (1.0 - mask) * old.apply("stop_grad")'),
        ),
    ),
    Changes(
        "recurrency/language/elaboration/clauses.py", HELD,
        (
            ("a mask lets one state move", 'for stream, mask in _changed(scopes, "masks"):', 'for stream, mask in list(_changed(scopes, "masks"))[:-1]:'),
            ("the mask around a use is forgotten", "own if outer is None else outer * own", "own"),
            ("the reset around a use is forgotten", "own if outer is None else outer.where(1.0, own)", "own"),
            ("the use around a reset keeps its past", "for id in delays[stream]:", "for id in _delays(stream):"),
            ("what a call passes on has moved", "holds.instead[stream.last.id] = last[0].id", "pass"),
            ("registers in another order", "lines = [value.reshape(1, *start.type.shape).id for value in reversed(last)]", "lines = [value.reshape(1, *start.type.shape).id for value in last]"),
        ),
    ),
    Changes(
        "recurrency/language/elaboration/streams.py", CLAUSES,
        (("a step has two nodes", "self._find_type()  # which may read the same step: each step has one node", "self._find_type()\n            self.shifts[delay] = self._shifted(delay)"),),
    ),
    Changes(
        "recurrency/model/gaps.py", GAPS,
        (
            ("a reset in a gap is lost", "return after_gaps(flags, self.together)", "return self.together(flags != 0)"),
            ("a reset in the last gap is lost", "& ~self.there).any(0))", "& ~self.there).any(0) & False)"),
            ("the gap before the first step", "        out[self._empty] = nothing\n        return", "        return"),
            ("adjoints of gaps are lost", "t, b = np.nonzero(~self._empty)", "t, b = np.nonzero(self.there)"),
            ("gaps reach beyond the end", "(np.arange(len(self.there))[:, None] >= self.ends)", "False"),
            ("another order of steps", 'np.argsort(~self.there, 0, kind="stable")', 'np.argsort(self.there, 0, kind="stable")'),
        ),
    ),
    Changes(
        "recurrency/model/checkpoint.py", GAPS,
        (("each chunk begins its states again", "a if stop == call.steps[clock] else np.zeros_like(a)", "a"),),
    ),
    Changes(
        "backends/c/gaps.py", EXPORTED,
        (
            ("a reset holds for good", "                waiting = 0;\n", ""),
            ("a reset in the last gap is lost in C", "last[b] = (REAL)(waiting ||", "last[b] = (REAL)(0 ||"),
            ("gaps of adjoints are steps", "k += mask[t * batch + b] != 0;\n            for", "k += 1;\n            for"),
            ("outputs are empty in gaps", "if (k >= 0 && (there || repeats))", "if (k >= 0 && there)"),
        ),
    ),
    Changes(
        "backends/c/step.py", EXPORTED,
        (
            ("a reset of a step that is not there is lost", "call.{after} = there ? NULL : {inputs[n]};", "call.{after} = NULL;"),
            ("all sequences begin again", "if (!chosen || chosen[b] != 0)", "if (chosen || !chosen)"),
        ),
    ),
    Changes(
        "backends/python/flags.py", "tests/model/test_export_flags.py -k 'numbers and numpy'",
        (("adjoints of gaps replace one another", "np.add.at(out, (self.at[t, b], b), array[t, b])", "out[self.at[t, b], b] = array[t, b]"),),
    ),
    Changes(
        "recurrency/language/elaboration/losses.py", WEIGHTS,
        (
            ("steps that do not count are counted", "value = each.where(each * value, 0.0)", "pass"),
            ("the mean is over all steps", 'value = value.reduced_to(Kind.STATIC) / total.apply("equal", 0.0).where(1.0, total)',
             'value = value.reduced_to(Kind.STATIC) / self.graph.add("length", [], {"clock": each.type.clock}).sum_batch()'),
            ("no step counts", 'total.apply("equal", 0.0).where(1.0, total)', "total"),
            ("weights are yes or no", "each.where(each * value, 0.0)", "each.where(value, 0.0)"),
            ("targets that are no symbol count", "factors = [w for w in [weight, *map(self._counts, sorted(targets))] if w is not None]",
             "factors = [w for w in [weight] if w is not None]", "tests/model/test_ignored_targets.py"),
        ),
    ),
    Changes(
        "recurrency/language/vocabulary/contraction.py", TENSORS,
        (
            ("einsum: axes in another order", "return found.value.transpose(tuple(found.letters.index(c) for c in out))", "return found.value"),
            ("einsum: a letter is summed too early", "set(out).union(*(g.letters for g in factors if g is not f))", "set(out)"),
            ("einsum: numbers stand at other axes", 'ordered = "".join(c for c in like.letters if c in f.letters)', "ordered = f.letters"),
            ("einsum: the order of multiplications", "min(found, key=lambda pair: pair[0])", "max(found, key=lambda pair: pair[0])"),
        ),
    ),
    Changes(
        "backends/c/products.py", HEADS,
        (
            ("one head for all", "sides = f\"{b} + g * {b_g}, {b_k}, {b_n}\"", "sides = f\"{b}, {b_k}, {b_n}\""),
            ("heads overwrite one another", "+ g * {c_g}\"", "+ 0 * {c_g}\""),
        ),
    ),
    Changes(
        "backends/kernels/products.py", HEADS,
        (
            ("pieces of vectors are no factors", "elif ops and set(ops) != {\"reshape\"}:", "elif ops and (set(ops) != {\"reshape\"} or sliced):"),
            ("elements apart are neighbours", "    return group in letters and (group == lead or not set(group) & set(\"TB\"))", "    return True"),
        ),
    ),
    Changes(
        "recurrency/passes/pack.py", "tests/passes/test_reassociate.py",
        (("rows of one axis alone", "len(vector) == 1 <= len(out)", "len(vector) == 1 == len(out)"),),
    ),
    Changes(
        "recurrency/language/elaboration/constants.py", "tests/language/test_fixed_arrays.py",
        (
            ("a fixed array is transposed", "np.indices(sizes)[axis] + 1.0", "np.indices(sizes)[len(sizes) - 1 - axis] + 1.0"),
        ),
    ),
    Changes(
        "backends/kernels/fixed.py", "tests/backends/test_fixed_arrays.py -k 'interpreter and not numpy and not torch and not emulated'",
        (("a fixed array is transposed in C", "array.array.astype(dtype).ravel()", "array.array.T.astype(dtype).ravel()"),),
    ),
    Changes(
        "recurrency/language/elaboration/slopes.py", "tests/language/test_own_derivatives.py -k 'function_has or numpy'",
        (
            ("a derivative is ignored", "return y.with_slope(x, s)", "return y"),
            ("a derivative has no derivative", "return y.with_slope(x, s)", 'return y.with_slope(x, s.apply("stop_grad"))'),
            ("a number has no derivative", "elif slope == 0:", "else:"),
        ),
    ),
)  # fmt: skip
