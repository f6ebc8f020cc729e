"""What a user of a generated module calls: functions with plain arguments around the generated passes."""

from __future__ import annotations

from recurrency.graph.types import Kind
from recurrency.model.call import FORWARD
from recurrency.model.export import ModuleRequest

COMMON = '''

# ------------------------------------------------------------------------------------------------------- interface

PARAMETERS = {{
{parameters}
}}
"""Parameter -> (offset in the flat vector, shape)."""

SIZE = {size}
INPUTS, OUTPUTS, STATES = {inputs}, {outputs}, {states}
NEEDED = {needed}
"""The inputs that `forward` reads; others may be left out of it."""


def views(params):
    """The parameters by name, as views of the flat vector [SIZE]."""
    return {{n: params[o : o + int(np.prod(s))].reshape(s) for n, (o, s) in PARAMETERS.items()}}


def pack(arrays):
    """The flat vector of parameters that are given by name."""
    params = np.empty(SIZE, real)
    for name, view in views(params).items():
        view[...] = arrays[name]
    return params


def _call(function, params, inputs, state, lengths, training, seed, more=(), needed=NEEDED):
    wrong = [f"no {{n}}" for n in needed if n not in inputs] + [f"an unknown {{n}}" for n in inputs if n not in INPUTS]
    if wrong:
        raise ValueError(f"the inputs are {{', '.join(INPUTS)}}; given are {{' and '.join(wrong)}}")
    given = {{n: np.asarray(inputs[n], dtype) for n, (_, dtype) in INPUTS.items() if n in inputs}}
    steps = {{clock: given[n].shape[0] for n, (clock, _) in INPUTS.items() if n in inputs}}
    batch = next(iter(given.values())).shape[1]
    state = dict(state or {{}})
    offset = state.pop("t", None)
    given.update({{f"start:{{n}}": np.asarray(a, STATES[n][1]) for n, a in state.items()}})
    given.update(more)
    if lengths is not None and not isinstance(lengths, dict):
        lengths = {{clock: np.asarray(lengths) for clock in steps}}
    if offset is not None:
        offset = {{clock: offset for clock in steps}}
    with np.errstate(all="ignore"):
        return function(np.asarray(params, real), given, lengths, steps, batch, training, seed, offset)


def _named(values, prefix, names):
    return {{n: values[prefix + n] for n in names if prefix + n in values}}


def forward(params, inputs, state=None, lengths=None, training=False, seed=0):
    """Outputs, states after the last step, and the tape for `backward`.

    `inputs` is a dict of arrays [T, B, ...]; `state` hands over first states [B, ...];
    `lengths` is [B], or such a list for each clock.
    """
    values = _call(forward_pass, params, inputs, state, lengths, training, seed)
    tape = {{n: a for n, a in values.items() if n.startswith("tape:")}}
    call = (params, inputs, state, lengths, training, seed, tape)
    return _named(values, "output:", OUTPUTS), _named(values, "final:", STATES), call


def backward(call, output_gradients, state_gradients=None):
    """Gradients of the parameters (one vector), of the inputs and of the first states, by name.

    `call` is the third result of `forward`; gradients of outputs and final states that are not given are zero.
    """
    *arguments, tape = call
    inputs, more = arguments[1], dict(tape)
    steps = {{clock: np.shape(inputs[n])[0] for n, (clock, _) in INPUTS.items() if n in inputs}}
    batch = np.shape(next(iter(inputs.values())))[1]
    seeds = (("output:", OUTPUTS, output_gradients), ("final:", STATES, state_gradients or {{}}))
    for prefix, ports, gradients in seeds:
        for name, (clock, kind, shape, axes) in ports.items():
            if kind is real:
                lead = [steps[clock] if axis == "T" else batch for axis in axes]
                given = gradients[name] if name in gradients else np.zeros((*lead, *shape))
                more["d:" + prefix + name] = np.asarray(given, real)
    values = _call(backward_pass, *arguments, more=more)
    gradient = values.get("gradient", np.zeros(SIZE, real))
    given = [n for n in INPUTS if n in inputs]
    return gradient, _named(values, "gradient:input:", given), _named(values, "gradient:start:", STATES)


'''

STEP = '''

def step(params, inputs, state=None):
    """Outputs and states after one more step; arrays have no time axis: [B, ...]."""
    outputs, state, _ = forward(params, {n: np.asarray(a)[None] for n, a in inputs.items()}, state)
    return {n: a[0] if OUTPUTS[n][0] else a for n, a in outputs.items()}, state
'''

NO_STEP = '''

def step(params, inputs, state=None):
    """This cell can't be computed step by step."""
    raise TypeError(REASON)
'''

LOSS = '''

def loss_and_gradients(params, inputs, state=None, lengths=None, training=False, seed=0):
    """The loss, the gradients of the parameters (one vector), and the final states."""
    values = _call(loss_pass, params, inputs, state, lengths, training, seed, (), INPUTS)
    return float(values["loss"]), values.get("gradient", np.zeros(SIZE, real)), _named(values, "final:", STATES)
'''


def interface_text(request: ModuleRequest) -> str:
    """The functions at the end of a generated module."""
    entries = sorted(request.layout.entries.items(), key=lambda item: item[1][0])
    parameters = "\n".join(f"    {n!a}: ({o}, {s!r})," for n, (o, s) in entries)
    inputs = {n: (p.clock, _Code("np.int64" if p.index is not None else "real")) for n, p in request.inputs.items()}
    text = COMMON.format(
        parameters=parameters,
        size=request.layout.size,
        inputs=ascii(inputs),
        needed=ascii(request.model.reads(*FORWARD)),
        outputs=_ports(request.outputs),
        states=_ports(request.states),
    )
    reason = f"{request.name} can't be stepped: {request.no_step}"
    text += NO_STEP.replace("REASON", ascii(reason)) if request.no_step else STEP
    return text + (LOSS if any(name == "loss_pass" for name, _ in request.functions) else "")


LEADS = {Kind.STREAM: "TB", Kind.SEQUENCE: "B", Kind.STATIC: ""}
"""The axes of time and sequences of a port."""


class _Code(str):
    """Text that stands in the source as it is."""

    def __repr__(self) -> str:
        return str(self)


def _ports(ports: object) -> str:
    rows = {}
    for name, port in ports.items():  # type: ignore[attr-defined]
        kind = _Code("real" if port.index is None else "np.int64")
        rows[name] = (port.clock, kind, port.shape, LEADS[port.kind])
    return ascii(rows)
