"""Whether some order of the steps computes each recurrence."""

from __future__ import annotations

from recurrency.graph.components import is_cycle, strong
from recurrency.graph.graph import PENDING, Graph, Node
from recurrency.graph.op import Trait
from recurrency.language.diagnostics import NOT_CAUSAL, WHOLE_STREAM_CYCLE, say
from recurrency.language.elaboration.walk import Elaboration

PHRASES = {
    "pick": "first or last",
    "reverse": "reverse",
    "sum_time": "a sum over time",
    "frames": "attend or window",
    "spread": "a value of the whole stream",
}


def check_causality(work: Elaboration) -> None:
    """Report recurrences that run in both directions, or that need a whole stream which they compute."""
    graph = work.graph
    reads = {id: [arg for arg in graph[id].args if arg != PENDING] for id in graph}
    for component in strong(reads):
        if is_cycle(component, reads):
            _check_one(work, graph, sorted(component))


def _check_one(work: Elaboration, graph: Graph, component: list[int]) -> None:
    nodes = [graph[i] for i in component]
    named = [n for n in nodes if n.name and Trait.FIRST not in n.op.traits]
    names = _listed(sorted({n.name for n in named}))
    span = min((n.span for n in named if n.span), key=lambda s: s.start, default=None)
    whole = next((n for n in nodes if _needs_all(n)), None)
    if whole is not None:
        what = PHRASES.get(whole.op.name, whole.op.name)
        title = f"{names}: {what} needs all steps of the recurrence that it is part of"
        work.report(
            say(
                WHOLE_STREAM_CYCLE,
                title,
                whole.span or span,
                help="apply it to another stream, or read an earlier step such as x[t-1]",
            )
        )
        return
    delays = [n.delay for n in nodes]
    if min(delays) < 0 < max(delays):
        title = f"{names}: this recurrence reads both earlier and later steps of itself"
        work.report(say(NOT_CAUSAL, title, span, help="split it into two recurrences, one for each direction"))


def _needs_all(node: Node) -> bool:
    stepwise = node.op.traits & {Trait.DELAYS, Trait.SAME, Trait.FIRST}
    return node.op.group in ("time", "boundary") and not stepwise


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
