"""Faults in passes."""

# ruff: noqa: E501 - a change is easiest to read in one line

from __future__ import annotations

from tests.mutants import Changes

PASSES = "tests/passes/test_passes.py tests/passes/test_reassociate.py"
LENGTHS = "tests/passes/test_lengths.py -k 'interpreter or numpy'"

CHANGES = (
    Changes(
        "recurrency/passes/cse.py", PASSES,
        (
            ("maximum commutes", "if Trait.COMMUTATIVE in node.op.traits:",
             "if node.op.traits & {Trait.COMMUTATIVE, Trait.CHOOSES}:"),
            ("clipped gradients are one", "if Trait.CLIPS in node.op.traits:", "if False:"),
            ("attributes do not count", "tuple(sorted(node.attrs.items()))", "()"),
            ("delays do not count", "(graph[id].delay, graph[id].type, len(graph[id].args))", "(graph[id].type, len(graph[id].args))"),
            ("first values do not count", "return tuple(numbers[a] for a in graph[id].args)", "return tuple(numbers[a] for a in graph[id].args[:1])"),
            ("what reads parts of a class is not looked at again", "dirty.update(dict.fromkeys(user for id in part for user in users.get(id, ())))", "pass"),
            ("what is left of a class", "smaller += [rest] if (rest := members[number] - ids) else []", "pass"),
        ),
    ),
    Changes(
        "recurrency/passes/__init__.py", "tests/passes/test_passes.py -k forgotten",
        (
            ("slopes are forgotten too early", 'ORDER = ("simplify"', 'ORDER = ("forget", "simplify"'),
            ("slopes are never forgotten", "return optimised(graph, without, watch, LAST_ORDER)", "return optimised(graph, without, watch, ORDER)"),
        ),
    ),
    Changes(
        "recurrency/passes/rules/elements.py", PASSES,
        (
            ("signs that meet", "return result if all(found) else -result", "return -result"),
            ("minus minus", "return a + graph.value(n.args[0])\n    return filled", "return a - graph.value(n.args[0])\n    return filled"),
            ("x + x", "return a * 2.0 if a == b else None", "return a if a == b else None"),
            ("0 - x", "if number(graph, a.id) == 0:\n        return -b", "if number(graph, a.id) == 0:\n        return b"),
            ("x cubed", "3.0: lambda x: x * x * x", "3.0: lambda x: x * x"),
            ("x to the -1/2", '-0.5: lambda x: _inverse(x.apply("sqrt"))', '-0.5: lambda x: x.apply("sqrt")'),
            ("a choice that is made", "node.args[1 if choice else 2]", "node.args[2 if choice else 1]"),
            ("constants of a sum", "constants(lambda a, b: a + b)", "constants(lambda a, b: a)"),
            ("-(x - y)", "a, b = pair(graph, inner)\n        return b - a", "a, b = pair(graph, inner)\n        return a - b"),
            ("x + -y", 'return a - graph.value(n.args[0])\n    return b', 'return a + graph.value(n.args[0])\n    return b'),
        ),
    ),
    Changes(
        "recurrency/passes/rules/shapes.py", PASSES,
        (
            ("a piece of a piece ends elsewhere", 'start + node.attrs["stop"])', 'node.attrs["stop"])'),
            ("zeros around zeros", 'node.attrs["start"] + inner.attrs["start"], node.attrs["size"]', 'inner.attrs["start"], node.attrs["size"]'),
            ("a sum over a repetition", "if Trait.LINEAR in node.op.traits:\n        value = _times(",
             "if Trait.LINEAR not in node.op.traits:\n        value = _times("),
            ("where the parts of a concat begin", "start = out[-1][1] if out else 0", "start = out[-1][0] if out else 0"),
        ),
    ),
    Changes(
        "recurrency/passes/rules/time.py", PASSES,
        (
            ("equal terms of a batch", 'return value * graph.add("batch")', "return value"),
            ("what is divided by", "1 - k in linear and", "k in linear and"),
            ("the same backwards", 'if made_by(graph, node.args[0], "spread") else None', 'if made_by(graph, node.args[0], "valid") else None',
             "", "a missing simplification: slower, and equal"),
        ),
    ),
    Changes(
        "recurrency/passes/reassociate.py", PASSES,
        (
            ("signs of a chain", "Term(a, term.negative != sign)", "Term(a, sign)"),
            ("a negative term", "value = value - other if term.negative else value + other", "value = value + other"),
        ),
    ),
    Changes(
        "recurrency/passes/simplify.py", PASSES,
        (
            ("a delayed zero with first values", "== 0 and all(number(graph, first) == 0 for first in node.args[1:])", "== 0"),
        ),
    ),
    Changes(
        "recurrency/passes/pack.py", PASSES,
        (
            ("pieces of another place", "graph.value(second).slice(a + offset, b + offset)", "graph.value(second).slice(a, b)"),
            ("matrices in another order", "[_as_matrix(graph, graph[id].args[0]).id for id in ids]",
             "[_as_matrix(graph, graph[id].args[0]).id for id in reversed(ids)]"),
            ("gates of another depth", "look.depth[id], mixing[id]", "0, mixing[id]"),
        ),
    ),
    Changes(
        "recurrency/passes/partition.py", "tests/passes/test_partition.py tests/passes/test_lengths.py -k 'partition or (lengths and numpy)'",
        (
            ("a delayed stream of the tape looks clean", 'late = {"delayed": 1} if node.delay > 0 else {}', "late = {}"),
            ("products are computed again", 'op.group == "layout" or (op.elementwise', 'op.group in ("layout", "product") or (op.elementwise'),
        ),
    ),
    Changes(
        "recurrency/passes/lengths.py", LENGTHS,
        (
            ("what is read later need not be zero", "self.args[id] = (self.clean(node.args[0], True), *node.args[1:])",
             "self.args[id] = (self.clean(node.args[0], False), *node.args[1:])"),
            ("what is read later is left alone", "elif node.delay < 0:", "elif node.delay < -10**6:"),
            ("no factor of a sum is zero", "args[k] = self.clean(args[k], k == exact)", "args[k] = self.clean(args[k], False)"),
            ("the other factor may be anything", "args[k] = self.clean(args[k], k == exact)",
             "args[k] = self.clean(args[k], True) if k == exact else args[k]"),
            ("results are left alone", "roots = {name: self.clean(id, not self._late(name, id))", "roots = {name: id if name.startswith('output:') else self.clean(id, not self._late(name, id))"),
            ("sums over time read padding", "if Trait.ALL_STEPS in node.op.traits:", "if Trait.GATHERS in node.op.traits:"),
            ("frames read padding", "if Trait.ALL_STEPS in node.op.traits:", "if Trait.ACCUMULATES in node.op.traits:"),
            ("all of the tape looks clean", 'return not exact or "delayed" not in node.attrs', "return True"),
            ("put reads padding", "if Trait.INSERTS in node.op.traits and", "if False and",
             "", "what is put is then cleaned as a whole: slower, and equal"),
        ),
    ),
)  # fmt: skip
