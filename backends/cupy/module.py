"""What a user of a generated CuPy module calls, around the generated classes: `python.interface`, on a device."""

from __future__ import annotations

from recurrency.model.export import Export

from ..python.interface import calls, tables

DEVICE = '''

_made = {}


def use(xp=None, plan=None, memory=None):
    """Choose the array module `xp` (None: cupy) and how loops over time run (None: the best way for each size).

    `plan` is `loop`, `step`, `split` or `gemm`; see `explain`. All functions take arrays of the device, of any library
    with DLPack, or of NumPy; their results are on the device. `memory` is what the plans that are kept take at most on
    a device, such as "2G" (None: RECURRENCY_PLAN_MEMORY, or an eighth of the device's memory).
    """
    if plan is not None and plan not in PLANS:
        raise ValueError(f"plan is one of {', '.join(PLANS)}, not {plan}")
    shelf = Shelf(memory)
    _made.clear()
    _made["xp"], _made["plan"], _made["shelf"] = xp, plan, shelf


def release():
    """Drop all plans, and with them their memory; calls make new ones."""
    if "shelf" in _made:
        _made["shelf"].forget()


def _xp():
    if _made.get("xp") is None:
        _made["xp"] = installed()
    return _made["xp"]


def _function(cls):
    """A function on the current device, its kernels compiled when they are first needed there."""
    xp = _xp()
    device = xp.cuda.runtime.getDevice()
    if ("kernels", device) not in _made:
        _made["kernels", device] = Kernels(xp, SRC, SPLIT_SRC, _made.setdefault("shelf", Shelf()))
    if (cls.__name__, device) not in _made:
        _made[cls.__name__, device] = cls(xp, _made["kernels", device], REAL, _made.get("plan"))
    return _made[cls.__name__, device]


def pack(arrays):
    """The flat vector of parameters that are given by name, on the device."""
    _check_names("parameters", arrays, PARAMETERS, PARAMETERS)
    function = _function(forward_pass)
    params = function.zeros(SIZE)
    for name, view in views(params).items():
        array = function.device(arrays[name], name)
        function.fits(name, array, view.shape)
        function.copy(array, view)
    return params


def _host(array):
    """An array on the host."""
    xp = _xp()
    if not isinstance(array, xp.ndarray) and getattr(array, "__dlpack_device__", lambda: (HOST, 0))()[0] != HOST:
        array = xp.from_dlpack(array)
    return xp.asnumpy(array) if isinstance(array, xp.ndarray) else np.asarray(array)


def _array(array, name="params", symbols=None):
    """An array on the device; `symbols` is how many there are, if it holds symbols."""
    return _function(forward_pass).device(array, name, symbols)


def _zeros(*shape):
    return _function(forward_pass).zeros(*shape)


def _run(function, arguments):
    return _function(function)(**arguments)


def plan(T, B):
    """The plan of `forward` for T steps (a number, or one for each clock by name) and B sequences, made beforehand."""
    steps, function = _steps(T), _function(forward_pass)
    return function.roomy(lambda: function.plan(steps, B))


def _steps(T):
    """The number of steps of each clock."""
    clocks = {port[0] for port in INPUTS.values()}
    steps = T if isinstance(T, Mapping) else dict.fromkeys(clocks, T)
    _check_names("clocks", steps, clocks, clocks)
    return steps


def explain(T, B):
    """How the loops over time of every function run for these sizes, and why; this needs no device.

    For T see `plan`.
    """
    steps, lines = _steps(T), []
    for cls in FUNCTIONS:
        sizes = [steps[clock] for clock in cls.CLOCKS if clock in steps]
        ways = cls(None, None, REAL, _made.get("plan")).ways(sizes, B)
        lines += [f"{cls.__name__}: {states}: {way}: {why}" for _, states, way, why in ways]
    return "\\n".join(lines) or "no loop over time"
'''


def interface_text(export: Export) -> str:
    """The functions at the end of a generated module."""
    functions = ", ".join(name for name, _ in export.functions)
    return f"{tables(export)}\nFUNCTIONS = ({functions},)\n{calls(export, DEVICE)}"
