"""What a user of a generated CuPy module calls: functions with plain arguments around the generated classes."""

from __future__ import annotations

from recurrency.arrays import Port
from recurrency.export import ModuleRequest
from recurrency.graph.types import Kind

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
"""Name -> (clock, whether it holds real numbers, shape of one element)."""

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
        import cupy

        _made["xp"] = cupy
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
    function = _function(forward_pass)
    params = _xp().empty((SIZE,), function.real)
    for name, view in views(params).items():
        if name not in arrays:
            raise ValueError(f"no {{name}}: the parameters are {{', '.join(PARAMETERS)}}")
        array = function.device(arrays[name], function.real, name)
        if tuple(array.shape) != tuple(view.shape):
            raise ValueError(f"{{name}} is {{list(array.shape)}}; it must be {{list(view.shape)}}")
        function.copy(array, view)
    return params


def _sizes(inputs):
    """The number of steps of each clock, and of sequences."""
    if set(inputs) != set(INPUTS):
        raise ValueError(f"the inputs are {{', '.join(INPUTS)}}, not {{', '.join(inputs)}}")
    steps, batch = {{}}, 0
    for name, (clock, _, _) in INPUTS.items():
        shape = tuple(inputs[name].shape)
        steps[clock], batch = shape[0], shape[1]
    return steps, batch


def _call(cls, params, inputs, state, lengths, training, seed, more=()):
    steps, batch = _sizes(inputs)
    state = dict(state or {{}})
    offset = state.pop("t", None)
    given = {{**inputs, **{{f"start:{{n}}": a for n, a in state.items()}}, **dict(more)}}
    if lengths is not None and not isinstance(lengths, dict):
        lengths = dict.fromkeys(steps, lengths)
    if lengths is not None:
        lengths = {{clock: _host(n) for clock, n in lengths.items()}}
    if offset is not None:
        offset = dict.fromkeys(steps, _host(offset))
    return _function(cls)(params, given, lengths, steps, batch, training, seed, offset)


def _host(array):
    """An array on the host."""
    return _xp().asnumpy(array) if isinstance(array, _xp().ndarray) else np.asarray(array)


def _named(values, prefix, names):
    return {{n: values[prefix + n] for n in names if prefix + n in values}}


def forward(params, inputs, state=None, lengths=None, training=False, seed=0):
    """Outputs, states after the last step, and the tape for `backward`, all on the device.

    `inputs` is a dict of arrays [T, B, ...], `state` hands over first states [B, ...]: arrays of the device, of any
    library that knows DLPack, or of NumPy; `lengths` is [B], or such a list for each clock.
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
    steps, batch = _sizes(arguments[1])
    more = dict(tape)
    seeds = (("output:", OUTPUTS, output_gradients), ("final:", STATES, state_gradients or {{}}))
    for prefix, ports, gradients in seeds:
        for name, (clock, is_real, shape) in ports.items():
            if is_real and name in gradients:
                more["d:" + prefix + name] = gradients[name]
            elif is_real:
                lead = (steps[clock],) if clock else ()
                more["d:" + prefix + name] = _xp().zeros((*lead, batch, *shape), np.dtype(REAL))
    values = _call(backward_pass, *arguments, more=more)
    return _gradient(values), _named(values, "gradient:input:", INPUTS), _named(values, "gradient:start:", STATES)


def _gradient(values):
    return values["gradient"] if "gradient" in values else _xp().zeros((SIZE,), np.dtype(REAL))


def step(params, inputs, state=None):
    """Outputs and states after one more step; arrays have no time axis: [B, ...]."""
    outputs, state, _ = forward(params, {{n: a.reshape(1, *a.shape) for n, a in inputs.items()}}, state)
    return {{n: a[0] if OUTPUTS[n][0] else a for n, a in outputs.items()}}, state


def plan(T, B):
    """The plan of `forward` for T steps (a number, or one for each clock by name) and B sequences, made beforehand."""
    return _function(forward_pass).plan(_steps(T), B)


def _steps(T):
    return T if isinstance(T, dict) else {{clock: T for clock, _, _ in INPUTS.values()}}


def explain(T, B):
    """How the loops over time of every function run for these sizes, and why."""
    lines = []
    for cls in FUNCTIONS:
        ways = _function(cls).ways(B)
        lines += [f"{{cls.__name__}}: {{states}}: {{way}}: {{why}}" for _, states, way, why in ways]
    return "\\n".join(lines) or "no loop over time"


FUNCTIONS = ({functions},)
'''

LOSS = '''

def loss_and_gradients(params, inputs, state=None, lengths=None, training=False, seed=0):
    """The loss, the gradients of the parameters (one vector), and the final states."""
    values = _call(loss_pass, params, inputs, state, lengths, training, seed)
    return float(_host(values["loss"])), _gradient(values), _named(values, "final:", STATES)
'''


def interface_text(request: ModuleRequest) -> str:
    """The functions at the end of a generated module."""
    entries = sorted(request.layout.entries.items(), key=lambda item: item[1][0])
    text = COMMON.format(
        parameters="\n".join(f"    {n!a}: ({o}, {s!r})," for n, (o, s) in entries),
        size=request.layout.size,
        inputs=_ports(request.inputs),
        outputs=_ports(request.outputs),
        states=_ports(request.states),
        functions=", ".join(name for name, _ in request.functions),
    )
    return text + (LOSS if any(name == "loss_pass" for name, _ in request.functions) else "")


def _ports(ports: dict[str, Port]) -> str:
    """Ports as the text of a table."""
    return ascii({n: (p.clock if p.kind is Kind.STREAM else None, p.index is None, p.shape) for n, p in ports.items()})
