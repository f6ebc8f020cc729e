"""The results of a compiled cell for a case: every kind of call as one table of arrays by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from recurrency.backend import infers_only
from recurrency.graph.op import Trait
from recurrency.graph.roots import FINAL, GRADIENT, INPUT, OUTPUT, PARAM, START, STREAM, TANGENT, Group
from recurrency.graph.types import Kind
from recurrency.model.damping import can_damp
from recurrency.passes.resets import obstacle as obstacle_to_resets
from recurrency.passes.stepwise import obstacle
from recurrency.testing import gaps
from recurrency.testing.case import Case, Data, data

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.model import Model
    from recurrency.model.results import Gradients, Run

MOST_DAMPED = 4
"""The number of streams that are damped at once."""

Results: TypeAlias = "dict[str, Array]"
"""Arrays by root: `output:y`, `stream:i`, `final:h`, `loss`, `gradient:W`, `gradient:input:x`, `tangent:output:y`."""


@dataclass(frozen=True)
class Call:
    """A model, a case, and its arrays in the form of the model; with `bare`, those without the gaps of a mask."""

    model: Model
    case: Case
    data: Data
    params: Array
    bare: bool = False

    @classmethod
    def of(cls, model: Model, case: Case, bare: bool = False) -> Call:
        """The call of a model for a case."""
        arrays, bare = data(model, case), bare and case.mask
        params = model.pack(arrays.params)
        return cls(model, case, gaps.data_without(model, case, arrays) if bare else arrays, params, bare)

    @property
    def options(self) -> dict[str, Any]:
        """The keywords that all calls take."""
        return {
            "state": self.data.state,
            "lengths": gaps.counts(self.case) if self.bare else self.case.ragged,
            "training": self.case.training,
            "seed": self.case.seed,
            **({"resets": self.resets} if self.resets is not None else {}),
            **({"mask": self.mask} if self.case.mask and not self.bare else {}),
        }

    @property
    def mask(self) -> dict[str, Array]:
        """The steps that are there, by clock; whether those after the end are said to be there does not matter."""
        clocks = sorted({str(port.clock) for port in self.model.inputs.values() if port.clock is not None})
        return {clock: self.case.there(clock) | ~self.case.valid(clock) for clock in clocks}

    @property
    def resets(self) -> dict[str, Array] | None:
        """The resets by clock; None where there are none."""
        clocks = clocks_of_resets(self.model) if self.case.resets else ()
        found = {clock: self.case.restarts(clock) for clock in clocks}
        return (gaps.flags_without(found, self.case) if self.bare else found) or None

    def seeds(self, group: Group) -> dict[str, Array]:
        """The adjoints of outputs or of final states."""
        return group.within(self.data.seeds)

    def direction(self, group: Group) -> dict[str, Array]:
        """Tangents of one group of sources."""
        return group.within(self.data.tangents)

    @property
    def along(self) -> Array:
        """The direction in the space of the parameters."""
        return self.model.pack(self.direction(PARAM))

    def by_name(self, flat: Array) -> Results:
        """A vector in the space of the parameters."""
        return {GRADIENT.of(n): np.array(v) for n, v in self.model.views(flat).items()}

    def gradients(self, found: Gradients) -> Results:
        """All gradients; those of initial states only if these were passed."""
        out = self.by_name(found.params)
        out |= {GRADIENT.of(INPUT.of(n)): a for n, a in found.inputs.items()}
        return out | ({GRADIENT.of(START.of(n)): a for n, a in found.state.items()} if self.case.state else {})


def clocks_of_resets(model: Model) -> tuple[str, ...]:
    """The clocks on which all streams of a cell can be reset together; empty if they can't, or have no past."""
    found = model.programs.elaborated
    clocks = tuple(sorted({str(t.clock) for t in found.inputs.values()}))
    streams = STREAM.within(found.graph.roots)
    return clocks if clocks and found.starts and not obstacle_to_resets(found.graph, clocks, streams) else ()


def _of_run(run: Run) -> Results:
    out = {OUTPUT.of(n): a for n, a in run.outputs.items()}
    out |= {STREAM.of(n): a for n, a in run.streams.items()}
    return out | {FINAL.of(n): a for n, a in run.state.items()}


# --------------------------------------------------------------------------------------------------- kinds of calls


def _forward(call: Call) -> Results:
    return _of_run(call.model.forward(call.params, call.data.inputs, keep=False, **call.options))


def _streams(call: Call) -> Results:
    names = list(call.model.streams)
    return _of_run(call.model.forward(call.params, call.data.inputs, streams=names, keep=False, **call.options))


def _backward(call: Call) -> Results:
    run = call.model.forward(call.params, call.data.inputs, **call.options)
    found = call.model.backward(run, call.seeds(OUTPUT), call.seeds(FINAL))
    return _of_run(run) | call.gradients(found)


def _vjp(call: Call) -> Results:
    found = call.model.vjp(call.params, call.data.inputs, call.seeds(OUTPUT), call.seeds(FINAL), **call.options)
    return call.gradients(found)


def _loss(call: Call) -> Results:
    return {"loss": np.array(call.model.loss(call.params, call.data.inputs, **call.options))}


def _loss_gradients(call: Call) -> Results:
    loss, found, state = call.model.loss_and_gradients(call.params, call.data.inputs, **call.options)
    return {"loss": np.array(loss)} | call.gradients(found) | {FINAL.of(n): a for n, a in state.items()}


def _jvp(call: Call) -> Results:
    outputs, state = call.model.jvp(
        call.params, call.data.inputs, call.along, call.direction(INPUT), call.direction(START), **call.options
    )
    return {TANGENT.of(OUTPUT.of(n)): a for n, a in outputs.items()} | {
        TANGENT.of(FINAL.of(n)): a for n, a in state.items()
    }


def _hvp(call: Call) -> Results:
    return call.by_name(call.model.hvp(call.params, call.data.inputs, call.along, **call.options))


def _gnvp(call: Call) -> Results:
    return call.by_name(call.model.gnvp(call.params, call.data.inputs, call.along, **call.options))


def _damped(call: Call) -> Results:
    """The Gauss-Newton product with structural damping of some streams, after a forward pass that is kept."""
    weights = {name: 0.5 + k for k, name in enumerate(_damped_streams(call.model))}
    found = call.model.curvature(call.params, call.data.inputs, damped=list(weights), **call.options)
    return call.by_name(found(call.along, weights))


def _damped_streams(model: Model) -> list[str]:
    """Up to four streams, evenly chosen."""
    able = [name for name, port in model.streams.items() if can_damp(port)]
    return able[:: -(-len(able) // MOST_DAMPED) or 1]


def _pieces(call: Call, ends: tuple[int, ...]) -> list[tuple[dict[str, Array], dict[str, Array] | None]]:
    """Inputs and lengths of each chunk; `ends` are the steps between the chunks."""
    total, clock = call.case.steps[call.model.clock], call.model.clock
    edges = [0, *(min(e, total) for e in sorted(ends)), total]
    out = []
    for start, stop in pairwise(edges):
        lengths = call.case.ragged
        left = None if lengths is None else {clock: np.clip(lengths[clock] - start, 0, stop - start)}
        out.append(({n: x[start:stop] for n, x in call.data.inputs.items()}, left))
    return out


def _joined(call: Call, parts: list[Mapping[str, Array]], ports: Mapping[str, Any]) -> Results:
    """The streams of several runs, concatenated; other values belong to no chunk."""
    timed = [n for n, p in ports.items() if p.kind is Kind.STREAM and all(n in part for part in parts)]
    return {n: np.concatenate([part[n] for part in parts]) for n in timed}


def _chunks(call: Call) -> Results:
    """A run in pieces, and its gradients through all of them."""
    model, options, runs = call.model, call.options, []
    pieces = _pieces(call, call.case.cuts)
    edges = np.cumsum([0, *(len(next(iter(i.values()))) for i, _ in pieces)])
    for k, (inputs, lengths) in enumerate(pieces):
        if call.resets is not None:
            options["resets"] = {clock: r[edges[k] : edges[k + 1]] for clock, r in call.resets.items()}
        runs.append(model.forward(call.params, inputs, **{**options, "lengths": lengths}))
        options["state"] = runs[-1].state
    parts: list[Gradients] = []
    later = call.seeds(FINAL)
    out = {OUTPUT.of(n): a for n, a in _joined(call, [r.outputs for r in runs], model.outputs).items()}
    out |= {FINAL.of(n): a for n, a in runs[-1].state.items()}
    if infers_only(model.programs.backend) or _clips_whole(model):
        return out
    for k in reversed(range(len(runs))):
        timed = {n: s for n, s in call.seeds(OUTPUT).items() if model.outputs[n].kind is Kind.STREAM}
        seeds = {n: s[edges[k] : edges[k + 1]] for n, s in timed.items()}
        seeds |= {n: s for n, s in call.seeds(OUTPUT).items() if n not in timed and k == 0}
        parts.insert(0, model.backward(runs[k], seeds, later))
        later = parts[0].state
    out |= call.by_name(np.sum([p.params for p in parts], axis=0))
    out |= {GRADIENT.of(INPUT.of(n)): a for n, a in _joined(call, [p.inputs for p in parts], model.inputs).items()}
    return out | ({GRADIENT.of(START.of(n)): a for n, a in later.items()} if call.case.state else {})


def _clips_whole(model: Model) -> bool:
    """Whether a gradient that all steps share is clipped: the sum of clipped parts is not the clipped sum."""
    graph = model.programs.elaborated.graph
    return any(Trait.CLIPS in graph[id].op.traits and graph[id].type.kind is not Kind.STREAM for id in graph)


def _steps(call: Call) -> Results:
    """A run in single steps."""
    model, options, outputs = call.model, call.options, []
    state, settings = options.pop("state"), {n: options[n] for n in ("training", "seed")}
    for t in range(call.case.steps[model.clock]):
        if call.resets is not None:
            settings["resets"] = call.resets[model.clock][t]
        one, state = model.step(call.params, {n: x[t] for n, x in call.data.inputs.items()}, state, **settings)
        outputs.append({n: a[None] for n, a in one.items()})
    out = {OUTPUT.of(n): a for n, a in _joined(call, list(outputs), model.outputs).items()}
    return out | {FINAL.of(n): a for n, a in (state or {}).items()}


KINDS: dict[str, Callable[[Call], Results]] = {
    "forward": _forward,
    "streams": _streams,
    "backward": _backward,
    "vjp": _vjp,
    "loss": _loss,
    "loss_gradients": _loss_gradients,
    "jvp": _jvp,
    "hvp": _hvp,
    "gnvp": _gnvp,
    "damped": _damped,
    "chunks": _chunks,
    "steps": _steps,
}
"""Kind of call -> how to make it."""

RUN, GRADIENTS = (OUTPUT.prefix, FINAL.prefix), (OUTPUT.prefix, FINAL.prefix, GRADIENT.prefix)
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "forward": (("streams",), RUN),
    "steps": (("streams",), RUN),
    "backward": (("streams", "vjp"), GRADIENTS),
    "chunks": (("streams", "vjp"), GRADIENTS),
    "loss": (("loss_gradients",), ("loss",)),
}
"""Kind of call -> the kinds, and their results, that it must repeat in one piece and without a tape."""

RESULTS_ONLY = ("forward", "streams", "loss", "chunks", "steps")
"""The kinds for backends that compute results only; of chunks, they compute no gradients."""

LOSSES = frozenset({"loss", "loss_gradients", "hvp", "gnvp", "damped"})
"""Kinds that need a loss."""


def _is_causal(model: Model) -> bool:
    """Whether a cell can be cut into chunks and stepped."""
    return len({p.clock for p in model.inputs.values()}) == 1 and not obstacle(model.programs.graph("forward", ()))


def possible(model: Model, case: Case) -> list[str]:
    """The kinds that a cell can be called in, for a case."""
    causal = _is_causal(model)
    able = {
        "chunks": causal and not case.mask and case.steps.get(model.clock, 0) > 0,
        "steps": causal and not case.mask and case.lengths is None and case.steps.get(model.clock, 0) > 0,
        "jvp": bool(model.outputs),
    }
    return [k for k in KINDS if able.get(k, model.has_loss or k not in LOSSES)]


def outcome(model: Model, case: Case, kind: str, bare: bool = False) -> Results:
    """The results of a model for a case; with `bare`, from a call without the gaps of a mask."""
    with np.errstate(all="ignore"):
        call = Call.of(model, case, bare)
        found = KINDS[kind](call)
        return gaps.results_with(model, case, found) if call.bare else found
