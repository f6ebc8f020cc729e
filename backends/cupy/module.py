"""What a user of a generated CuPy module calls: functions with plain arguments around the generated classes."""

from __future__ import annotations

from recurrency.graph.types import Kind
from recurrency.model.arrays import Port
from recurrency.model.call import FORWARD
from recurrency.model.export import ModuleRequest

from ..kernels.products import LEADS

COMMON = '''

# ------------------------------------------------------------------------------------------------------- interface

PARAMETERS = {{
{parameters}
}}
"""Parameter -> (offset in the flat vector, shape)."""

SIZE = {size}
INPUTS = {inputs}
OUTPUTS = {outputs}
STATES = {states}
"""Name -> (clock, number of symbols, or None where it holds real numbers, shape of one element, axes before that)."""

NEEDED = {needed}
"""The inputs that `forward` reads; others may be left out of it."""

_made = {{}}


def use(xp=None, plan=None):
    """Say which array module this one runs on (None: cupy), and how its loops run (None: as is best for each size).

    `plan` is `loop`, `step` or `gemm`; see `explain`.
    """
    if plan is not None and plan not in PLANS:
        raise ValueError(f"plan is one of {{', '.join(PLANS)}}, not {{plan}}")
    _made.clear()
    _made["xp"], _made["plan"] = xp, plan


def _xp():
    if _made.get("xp") is None:
        _made["xp"] = installed()
    return _made["xp"]


def _function(cls):
    """A function on the device, its kernels compiled when they are first needed."""
    xp = _xp()
    if "kernels" not in _made:
        _made["kernels"] = Kernels(xp, SRC)
    if cls.__name__ not in _made:
        _made[cls.__name__] = cls(xp, _made["kernels"], REAL, _made.get("plan"))
    return _made[cls.__name__]


def views(params):
    """The parameters by name, as views of the flat vector [SIZE]."""
    return {{n: params[o : o + int(np.prod(s, dtype=int))].reshape(s) for n, (o, s) in PARAMETERS.items()}}


def pack(arrays):
    """The flat vector of parameters that are given by name, on the device."""
    known("parameters", arrays, PARAMETERS, PARAMETERS)
    function = _function(forward_pass)
    params = function.zeros(SIZE)
    for name, view in views(params).items():
        array = function.device(arrays[name], name)
        function.fits(name, array, view.shape)
        function.copy(array, view)
    return params


def _placed(ports, values, prefix=""):
    """Arrays on the device, under the names by which the functions know them."""
    return {{prefix + n: _function(forward_pass).device(a, n, ports[n][1]) for n, a in values.items()}}


def _host(array):
    """An array on the host."""
    xp = _xp()
    if not isinstance(array, xp.ndarray) and getattr(array, "__dlpack_device__", lambda: (HOST, 0))()[0] != HOST:
        array = xp.from_dlpack(array)
    return xp.asnumpy(array) if isinstance(array, xp.ndarray) else np.asarray(array)


def _sizes(inputs):
    """The number of steps of each clock, and of sequences."""
    steps, batch = {{}}, 0
    for name, array in inputs.items():
        (clock, _, shape, _), found = INPUTS[name], array.shape
        if len(found) != 2 + len(shape):
            raise ValueError(f"{{name}} is {{list(found)}}; it must be [{{', '.join(['T', 'B', *map(str, shape)])}}]")
        steps[clock], batch = found[:2]
    return steps, batch


def _arguments(params, inputs, state, lengths, training, seed, needed):
    """What a function takes: arrays on the device, numbers on the host."""
    if isinstance(params, Mapping):
        raise TypeError("params is one vector [SIZE]; pack(...) makes it of parameters by name")
    known("inputs", inputs, INPUTS, needed)
    known("states", state or {{}}, (*STATES, "t"))
    state = dict(state or {{}})
    offset = state.pop("t", None)
    given = _placed(INPUTS, inputs)
    steps, batch = _sizes(given)
    if lengths is not None:
        lengths = lengths if isinstance(lengths, Mapping) else dict.fromkeys(steps, lengths)
        known("clocks", lengths, steps)
        lengths = {{clock: _host(n) for clock, n in lengths.items()}}
    if offset is not None:
        offset = dict.fromkeys(steps, _host(offset))
    return {{
        "params": _function(forward_pass).device(params), "given": {{**given, **_placed(STATES, state, "start:")}},
        "lengths": lengths, "steps": steps, "batch": batch, "training": training, "seed": seed, "offset": offset,
    }}


def _named(values, prefix, names):
    return {{n: values[prefix + n] for n in names if prefix + n in values}}


def forward(params, inputs, state=None, lengths=None, training=False, seed=0):
    """Outputs, states after the last step, and the call for `backward`, all on the device.

    `inputs` is a dict of arrays [T, B, ...], `state` hands over first states [B, ...]: arrays of the device, of any
    library that knows DLPack, or of NumPy; `lengths` is [B], or such a list for each clock. `state["t"]` is how many
    steps came before, where `training` draws random numbers.
    """
    arguments = _arguments(params, inputs, state, lengths, training, seed, NEEDED)
    values = _function(forward_pass)(**arguments)
    tape = {{n: a for n, a in values.items() if n.startswith("tape:")}}
    return _named(values, "output:", OUTPUTS), _named(values, "final:", STATES), (arguments, tape)


def backward(call, output_gradients, state_gradients=None):
    """Gradients of the parameters (one vector), of the inputs and of the first states, by name.

    `call` is the third result of `forward`; gradients of outputs and final states that are not given are zero.
    """
    arguments, tape = call
    steps, batch, given = arguments["steps"], arguments["batch"], {{**arguments["given"], **tape}}
    seeds = (("outputs", "output:", OUTPUTS, output_gradients), ("states", "final:", STATES, state_gradients or {{}}))
    for what, prefix, ports, gradients in seeds:
        ports = {{n: port for n, port in ports.items() if port[1] is None}}
        known(f"{{what}} with gradients", gradients, ports)
        given.update(_placed(ports, gradients, f"d:{{prefix}}"))
        for name, (clock, _, shape, axes) in ports.items():
            if name not in gradients:
                lead = [steps[clock] if axis == "T" else batch for axis in axes]
                given[f"d:{{prefix}}{{name}}"] = _function(backward_pass).zeros(*lead, *shape)
    values = _function(backward_pass)(**{{**arguments, "given": given}})
    inputs = [n for n in INPUTS if n in arguments["given"]]
    return _gradient(values), _named(values, "gradient:input:", inputs), _named(values, "gradient:start:", STATES)


def _gradient(values):
    return values["gradient"] if "gradient" in values else _function(backward_pass).zeros(SIZE)


def step(params, inputs, state=None):
    """Outputs and states after one more step; arrays have no time axis: [B, ...]."""
    known("inputs", inputs, INPUTS, NEEDED)
    now = {{n: a.reshape(1, *a.shape) for n, a in _placed(INPUTS, inputs).items()}}
    outputs, state, _ = forward(params, now, state)
    return {{n: a[0] if OUTPUTS[n][0] else a for n, a in outputs.items()}}, state


def plan(T, B):
    """The plan of `forward` for T steps (a number, or one for each clock by name) and B sequences, made beforehand."""
    clocks = {{port[0] for port in INPUTS.values()}}
    steps = T if isinstance(T, Mapping) else dict.fromkeys(clocks, T)
    known("clocks", steps, clocks, clocks)
    function = _function(forward_pass)
    return function.roomy(lambda: function.plan(steps, B))


def explain(T, B):
    """How the loops over time of every function run for these sizes, and why; this needs no device."""
    lines = []
    for cls in FUNCTIONS:
        ways = cls(None, None, REAL, _made.get("plan")).ways(B)
        lines += [f"{{cls.__name__}}: {{states}}: {{way}}: {{why}}" for _, states, way, why in ways]
    return "\\n".join(lines) or "no loop over time"


FUNCTIONS = ({functions},)
'''

LOSS = '''

def loss_and_gradients(params, inputs, state=None, lengths=None, training=False, seed=0):
    """The loss, the gradients of the parameters (one vector), and the final states."""
    values = _function(loss_pass)(**_arguments(params, inputs, state, lengths, training, seed, INPUTS))
    return float(_host(values["loss"])), _gradient(values), _named(values, "final:", STATES)
'''


def interface_text(request: ModuleRequest) -> str:
    """The functions at the end of a generated module."""
    entries = sorted(request.layout.entries.items(), key=lambda item: item[1][0])
    text = COMMON.format(
        parameters="\n".join(f"    {n!a}: ({o}, {s!r})," for n, (o, s) in entries),
        size=request.layout.size,
        inputs=_ports(request.inputs),
        needed=ascii(request.model.reads(*FORWARD)),
        outputs=_ports(request.outputs),
        states=_ports(request.states),
        functions=", ".join(name for name, _ in request.functions),
    )
    return text + (LOSS if any(name == "loss_pass" for name, _ in request.functions) else "")


def _ports(ports: dict[str, Port]) -> str:
    """Ports as the text of a table."""
    rows = {n: (p.clock if p.kind is Kind.STREAM else None, p.index, p.shape, LEADS[p.kind]) for n, p in ports.items()}
    return ascii(rows)
