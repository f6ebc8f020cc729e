"""What a user of a generated module calls, in NumPy and in CuPy: functions with plain arguments around the passes.

A backend adds how it prepares arrays and calls a pass: `_array(array, name, symbols)`, `_host(array)`,
`_zeros(*shape)`, `_run(function, arguments)` and `pack`. For words with `$` and the marks `resets|`, `masks|` and
`plain|` see `flags.taken`.
"""

from __future__ import annotations

from collections.abc import Mapping

from recurrency.graph.types import Kind
from recurrency.model.arrays import Port
from recurrency.model.call import FORWARD
from recurrency.model.export import Export

from .flags import flags_text, taken

TABLES = '''
PARAMETERS = {{
{parameters}
}}
"""Parameter -> (offset in the flat vector, shape)."""

SIZE = {size}
INPUTS = {inputs}
OUTPUTS = {outputs}
STATES = {states}
"""Name -> (clock, number of symbols, or None for real numbers, shape of one element, axes before it)."""

NEEDED = {needed}
"""The inputs that `forward` reads; others may be left out of it."""
'''

CALLS = '''

# ------------------------------------------------------------------------------------------------------- interface


def forward(params, inputs, state=None, lengths=None, training=False, seed=0$parameters):
    """The outputs, the states after the last step, and the call, which `backward` takes.

    `params` is the vector [SIZE]; `inputs` a dict of arrays [T, B, ...]; `state` a dict of initial states [B, ...],
    where those that are missing have their declared values; `lengths` the number of steps of each sequence, [B], or
    such a list for each clock. With `training`, random numbers are drawn from `seed`, and `state["t"]` says how many
    steps came before.
resets|    `resets` [T, B], or a dict of them by clock, is 1 where a sequence begins again.
masks|    `mask` [T, B], or a dict of them by clock, is 0 at steps that are not there: outputs repeat their last value.
    """
    arguments$gaps = _arguments(params, inputs, state, lengths, training, seed, NEEDED$arguments)
    values = _run(forward_pass, arguments)
    tape = {n: a for n, a in values.items() if n.startswith("tape:")}
plain|    return _named(values, "output:", OUTPUTS), _named(values, "final:", STATES), (arguments, tape)
masks|    outputs = _repeated(_named(values, "output:", OUTPUTS), gaps)
masks|    return outputs, _named(values, "final:", STATES), (arguments, tape, gaps)


def backward(call, output_gradients, state_gradients=None):
    """The gradients of the parameters (one vector), of the inputs and of the initial states, by name.

    `call` is the third result of `forward`; gradients of outputs and final states that are missing are zero.
    """
    arguments, tape$gaps = call
    given = {**arguments["given"], **tape}
    given.update(_adjoints("outputs", "d:output:", OUTPUTS, output_gradients, arguments))
    given.update(_adjoints("states", "d:final:", STATES, state_gradients or {}, arguments))
masks|    given = _summed(given, gaps)
    values = _run(backward_pass, {**arguments, "given": given})
    inputs = [n for n in INPUTS if n in arguments["given"]]
plain|    return _gradient(values), _named(values, "gradient:input:", inputs), _named(values, "gradient:start:", STATES)
masks|    inputs = _apart(_named(values, "gradient:input:", inputs), gaps)
masks|    return _gradient(values), inputs, _named(values, "gradient:start:", STATES)
'''

STEP = '''

def step(params, inputs, state=None$of_step):
    """The outputs and the states after one more step; arrays have no time axis: [B, ...]."""
    _check_names("inputs", inputs, INPUTS, NEEDED)
    now = {n: a.reshape(1, *a.shape) for n, a in _arrays(INPUTS, inputs).items()}
    outputs, state, _ = forward(params, now, state$now)
    return {n: a[0] if OUTPUTS[n][0] else a for n, a in outputs.items()}, state
'''

NO_STEP = '''

def step(params, inputs, state=None):
    """This cell can't be computed step by step."""
    raise TypeError(REASON)
'''

LOSS = '''

def loss_and_gradients(params, inputs, state=None, lengths=None, training=False, seed=0$parameters):
    """The loss, its gradients by the parameters (one vector), and the final states; for the arguments see `forward`."""
    arguments$gaps = _arguments(params, inputs, state, lengths, training, seed, INPUTS$arguments)
    values = _run(loss_pass, arguments)
    return float(_host(values["loss"])), _gradient(values), _named(values, "final:", STATES)
'''

REST = '''

def views(params):
    """The parameters by name, as views of the flat vector [SIZE]."""
    return {n: params[o : o + int(np.prod(s, dtype=int))].reshape(s) for n, (o, s) in PARAMETERS.items()}


def _check_names(what, given, names, needed=()):
    """Refuse anything but a dict, unknown names, and a dict without a needed name."""
    if not isinstance(given, Mapping):
        raise TypeError(f"the {what} are a dict of {', '.join(names)}, not {type(given).__name__}")
    wrong, missing = [n for n in given if n not in names], [n for n in needed if n not in given]
    if wrong:
        raise ValueError(f"no {wrong[0]}: the {what} are {', '.join(names) or 'none'}")
    if missing:
        raise ValueError(f"{missing[0]} is missing: the {what} are {', '.join(names)}")


def _arguments(params, inputs, state, lengths, training, seed, needed$parameters):
    """The arguments of a pass."""
    if isinstance(params, Mapping):
        raise TypeError("params is one vector [SIZE]; pack(...) makes it of parameters by name")
    _check_names("inputs", inputs, INPUTS, needed)
    _check_names("states", state or {}, (*STATES, "t"))
    state = dict(state or {})
    offset = state.pop("t", None)
    given = _arrays(INPUTS, inputs)
    steps, batch = _sizes(given)
    if lengths is not None:
        lengths = _lengths(lengths, steps, batch)
masks|    gaps, lengths = _gaps(mask, lengths, steps, batch)
masks|    given = _together(given, gaps)
resets|    given.update(_resets(resets, steps, batch$gaps))
plain|    return {
masks|    arguments = {
        "params": _array(params), "given": {**given, **_arrays(STATES, state, "start:")}, "lengths": lengths,
        "steps": steps, "batch": batch, "training": training, "seed": seed,
        "offset": None if offset is None else dict.fromkeys(steps, _host(offset)),
    }
masks|    return arguments, gaps


def _lengths(lengths, steps, batch):
    """The number of steps of each sequence, [B], by clock."""
    lengths = lengths if isinstance(lengths, Mapping) else dict.fromkeys(steps, lengths)
    _check_names("clocks", lengths, steps)
    out = {clock: _host(n) for clock, n in lengths.items() if n is not None}
    for clock, n in out.items():
        if n.shape != (batch,) or (batch and (n.dtype.kind not in "iu" or n.min() < 0 or n.max() > steps[clock])):
            raise ValueError(f"lengths are {batch} whole numbers from 0 to {steps[clock]}, one for each sequence")
    return out


def _sizes(inputs):
    """The number of steps of each clock, and of sequences."""
    steps, batch = {}, 0
    for name, array in inputs.items():
        (clock, _, shape, _), found = INPUTS[name], array.shape
        if len(found) != 2 + len(shape):
            raise ValueError(f"{name} is {list(found)}; it must be [{', '.join(['T', 'B', *map(str, shape)])}]")
        steps[clock], batch = found[:2]
    return steps, batch


def _arrays(ports, values, prefix=""):
    """Arrays as the passes take them, under the names by which they know them."""
    return {prefix + n: _array(a, n, ports[n][1]) for n, a in values.items()}


def _adjoints(what, prefix, ports, gradients, arguments):
    """The gradients of all real results of one kind; those that are missing are zero."""
    ports = {n: port for n, port in ports.items() if port[1] is None}
    _check_names(f"{what} with gradients", gradients, ports)
    found = _arrays(ports, gradients, prefix)
    for name, (clock, _, shape, axes) in ports.items():
        if name not in gradients:
            lead = [arguments["steps"][clock] if axis == "T" else arguments["batch"] for axis in axes]
            found[prefix + name] = _zeros(*lead, *shape)
    return found


def _gradient(values):
    """The gradient of the parameters: zero where nothing depends on one."""
    return values["gradient"] if "gradient" in values else _zeros(SIZE)


def _named(values, prefix, names):
    """The results of one kind by name."""
    return {n: values[prefix + n] for n in names if prefix + n in values}
'''


def tables(export: Export) -> str:
    """The tables of a module: where each parameter is, and what goes in and comes out."""
    entries = sorted(export.layout.entries.items(), key=lambda item: item[1][0])
    return TABLES.format(
        parameters="\n".join(f"    {n!a}: ({o}, {s!r})," for n, (o, s) in entries),
        size=export.layout.size,
        inputs=_ports(export.inputs),
        needed=ascii(export.model.reads(*FORWARD)),
        outputs=_ports(export.outputs),
        states=_ports(export.states),
    )


def calls(export: Export, arrays: str) -> str:
    """The functions that a user calls; `arrays` is what the backend adds."""
    refusal = NO_STEP.replace("REASON", ascii(f"{export.name} can't be stepped: {export.no_step}"))
    loss = LOSS if any(name == "loss_pass" for name, _ in export.functions) else ""
    step = refusal if export.no_step else taken(STEP, export)
    return taken(CALLS, export) + step + taken(loss, export) + arrays + taken(REST, export) + flags_text(export)


def _ports(ports: Mapping[str, Port]) -> str:
    rows = {
        n: (p.clock if p.kind is Kind.STREAM else None, p.index, p.shape, "TB"[2 - p.kind :]) for n, p in ports.items()
    }
    return ascii(rows)
