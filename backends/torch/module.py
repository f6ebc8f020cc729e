"""A compiled cell as an `nn.Module` in memory, and the tables that module files share with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recurrency.errors import RecurrencyError, UsageError, nearest
from recurrency.graph.graph import Graph
from recurrency.graph.roots import FINAL, OUTPUT, START, STREAM, TAPE
from recurrency.graph.text import graph_text
from recurrency.graph.types import Type
from recurrency.language import syntax
from recurrency.language.elaboration.meanings import dimension_text
from recurrency.language.vocabulary.initialisers import initial_values
from recurrency.passes.beyond import beyond

from . import module_kernels as kernels
from .curvature import Curvature
from .runtime.network import Network
from .runtime.program import INPUT, PROGRAMS, RESET, Port, Program

if TYPE_CHECKING:
    from recurrency.model.compiled import Compiled
    from recurrency.model.model import Model
    from recurrency.model.spec import Spec

GROUPS = ("params", "inputs", "state")

KINDS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "plain": ("results", ()),
    "kept": ("results_kept", ()),
    "back": ("pullback", (GROUPS,)),
    "back_params": ("pullback", (("params",),)),
    "second": ("second", ()),
}
"""Kind of function -> the kind of graph that it computes, and further options of the graph."""


class InMemory(Program):
    """The program of a compiled model; its functions are generated at their first call."""

    network: type[SpecNetwork] | None = None
    """The class of its networks; see `class_of`."""

    def __init__(self, model: Compiled, recipe: tuple[Any, ...], tables: Mapping[str, Any]) -> None:
        self.model, self.recipe = model, recipe
        self._functions: dict[Any, Callable[..., dict[str, Tensor]]] = {}
        self._tapes: dict[str, tuple[Port, ...]] = {}
        self._resetting: dict[tuple[str, ...], InMemory] = {}
        super().__init__(**tables)
        self.programs = model.programs.resetting(self.resets)

    def resetting(self, clocks: tuple[str, ...], mode: str) -> InMemory:
        """See `Program`."""
        if clocks == self.resets:
            return self
        self.model.allow_resets(clocks, ("loss",) if mode == "loss" else tuple(map(STREAM.of, self.streams)))
        if clocks not in self._resetting:
            self._resetting[clocks] = program_of(self.model, self.recipe[1], tuple(self.streams), clocks)
        return self._resetting[clocks]

    def function(self, kind: str, like: Tensor) -> Callable[..., dict[str, Tensor]]:
        """See `Program`."""
        key = (kind, like.device.type, like.dtype)
        if key not in self._functions:
            mode, _, rest = kind.partition("_")
            graph, options = KINDS[rest]
            later = partial(self._begin, mode, like) if rest == "kept" else None
            self._functions[key] = self._built(like, graph, (self.roots[mode], *options), later)
        return self._functions[key]

    def _begin(self, mode: str, like: Tensor) -> None:
        """Have the function compiled that the backward pass will call; mistakes in it are for that call."""
        with suppress(RecurrencyError):
            getattr(self.function(f"{mode}_{self.expected}", like), "begin", bool)()

    def products(
        self, kind: str, like: Tensor, damped: tuple[str, ...], matching: bool
    ) -> Callable[..., dict[str, Tensor]]:
        """The function of the kind `curved_kept` or `curved` (see `recurrency.model.graphs`)."""
        key = (kind, damped, matching, like.device.type, like.dtype)
        if key not in self._functions:
            self._functions[key] = self._built(like, kind, (damped, matching))
        return self._functions[key]

    def _built(
        self, like: Tensor, kind: str, options: tuple[Any, ...], later: Callable[[], None] | None = None
    ) -> Callable[..., dict[str, Tensor]]:
        function: Callable[..., dict[str, Tensor]]
        beyond(self.programs.graph(kind, *options), str(like.dtype)[6:], torch.finfo(like.dtype).max)
        if kernels.obstacle(like.device, like.dtype) is None:
            function = kernels.built(self.programs, like, kind, options, later)
        else:
            runner: Any = self.programs.runner(kind, *options)
            function = runner.function
        return function

    def path(self, device: torch.device, dtype: torch.dtype) -> str:
        """See `Program`."""
        reason = kernels.obstacle(device, dtype)
        if reason is None:
            return f"kernels of the backend {kernels.KERNELS[device.type]} on {device}"
        return f"generated torch code on {device}" + (f" ({reason})" if device.type in kernels.KERNELS else "")

    def tape(self, mode: str) -> tuple[Port, ...]:
        """See `Program`."""
        if mode not in self._tapes:
            self._tapes[mode] = tape(self.programs.graph("results_kept", self.roots[mode]))
        return self._tapes[mode]

    def initial(self, seed: int) -> dict[str, Tensor]:
        """See `Program`: the values of `Model.init`."""
        values = initial_values(self.model.parameters.values(), seed)
        return {name: torch.as_tensor(value, device="cpu") for name, value in values.items()}

    def __reduce__(self) -> Any:
        return rebuilt, self.recipe


class SpecNetwork(Network):
    """A network in memory, around a compiled model."""

    program: InMemory

    @property
    def model(self) -> Model:
        """The compiled model, which works on NumPy arrays; see `Spec.compile`."""
        from recurrency.model.model import Model

        assert isinstance(self.program.model, Model)
        return self.program.model

    def curvature(
        self,
        inputs: Any = None,
        state: Any = None,
        lengths: Any = None,
        *,
        seed: int | None = None,
        damped: Sequence[str] = (),
        distance: str = "matching",
        sequences: int = 0,
        resets: Any = None,
        is_init: Any = None,
        mask: Any = None,
        **named: Any,
    ) -> Curvature:
        """The Gauss-Newton matrix of the loss at these parameters, as a function that multiplies it with vectors.

        The arguments are those of `loss`, and the names and the `distance` of structural damping as in `Model.gnvp`.
        With `sequences`, so many sequences of the batch count, evenly chosen (0: all).

        Raises:
            UsageError: the cell has no loss line; a stream can't be damped, or reads inputs that the loss does not.
        """
        self.model.need_loss()
        flags = self._flags(resets, is_init, mask, named)
        call, params, _, tensors, *_ = self._gathered("loss", inputs, state, lengths, seed, named, flags)
        program: Any = call.program
        return Curvature(
            self.model, program.products, call, params.detach().clone(), tensors, damped, distance, sequences
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        """`pickle` can't find a class of `class_of` by its name: use `emptied`."""
        how = super().__reduce_ex__(protocol)
        return (emptied, (self.program,), *how[2:]) if type(self) is class_of(self.program) else how


OWN = ("forward", "loss", "loss_and_state")
"""The methods of a network that `torch.compile` compiles."""


def class_of(program: InMemory) -> type[SpecNetwork]:
    """The class of the networks of a program, whose methods are copies with their own code objects.

    `torch.compile` keeps its results by code object, and only a few for each.
    """
    if program.network is None:
        members = {name: _with_own_code(getattr(Network, name), program.key) for name in OWN}
        about = {"__module__": SpecNetwork.__module__, "__qualname__": SpecNetwork.__qualname__}
        program.network = type(SpecNetwork.__name__, (SpecNetwork,), {**members, **about})
    return program.network


def _with_own_code(function: Any, key: str) -> FunctionType:
    """The same function with its own code object and code name: PyTorch distinguishes functions by both."""
    code = function.__code__.replace(co_name=f"{function.__name__}_{key}")
    made = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    made.__dict__.update(function.__dict__)
    made.__kwdefaults__, made.__annotations__ = function.__kwdefaults__, function.__annotations__
    made.__doc__, made.__qualname__ = function.__doc__, function.__qualname__
    return made


def emptied(program: InMemory) -> SpecNetwork:
    """A network without attributes, for `pickle` and `copy`."""
    made = class_of(program)
    return made.__new__(made)


def rebuilt(
    spec: Spec,
    dimensions: Mapping[str, Any],
    streams: tuple[str, ...],
    without: Sequence[str],
    resets: tuple[str, ...] = (),
) -> InMemory:
    """The program of a specification, compiled for dimensions."""
    model = spec.compile(backend="torch", without=without, dimensions=dimensions)
    return program_of(model, dimensions, streams, resets)


def program_of(
    model: Compiled, dimensions: Mapping[str, Any], streams: Sequence[str] = (), resets: tuple[str, ...] = ()
) -> InMemory:
    """The program of a model: one object for equal programs. `resets` are the clocks that have resets.

    Raises:
        UsageError: the cell has no such inner stream.
    """
    streams = (streams,) if isinstance(streams, str) else tuple(streams)
    for name in streams:
        if name not in model.streams:
            near = nearest(name, model.streams)
            hint = f"; did you mean {near}?" if near else ""
            raise UsageError(f"{model.spec.name} has no stream {name}{hint}")
    found = tables(model, streams, resets)
    known = PROGRAMS.get(found["key"])
    if isinstance(known, InMemory):
        return known
    recipe = (model.spec, dict(dimensions), streams, tuple(sorted(model.programs.without)), resets)
    return InMemory(model, recipe, found)


def network(
    model: Model, dimensions: Mapping[str, Any], streams: Sequence[str] = (), dtype: Any = None, **options: Any
) -> SpecNetwork:
    """The module of a model; see `Spec.module`."""
    program = program_of(model, dimensions, streams)
    return class_of(program)(program, dtype=torch_dtype(dtype), **options)


def torch_dtype(dtype: Any) -> torch.dtype | None:
    """A dtype of torch, given as such or by name; None stays None, torch's default.

    Raises:
        UsageError: it is no dtype of real numbers.
    """
    if dtype is None:
        return None
    found = dtype if isinstance(dtype, torch.dtype) else getattr(torch, str(getattr(dtype, "__name__", dtype)), None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UsageError(f"dtype must be one of torch's real numbers, such as torch.float32, not {dtype}")
    return found


# ------------------------------------------------------------------------------------------------------------- tables


def tables(model: Compiled, streams: tuple[str, ...], resets: tuple[str, ...] = ()) -> dict[str, Any]:
    """The tables of `Program` for a compiled model with these inner streams among its results."""
    programs = model.programs.resetting(resets)
    results = tuple(f"{group}:{n}" for group, names in _results(model, streams).items() for n in names)
    modes = {"run": programs.graphs.rooted(results)}
    if model.has_loss:
        modes["loss"] = programs.graphs.rooted(("loss", *(FINAL.of(name) for name in model.states)))
    graph = modes["run"]
    ports = {root: port_of(graph[id].type) for root, id in graph.roots.items()}
    entries = programs.layout.entries
    sizes = ", ".join(f"{name}={dimension_text(value)}" for name, value in model.dimensions.items())
    more = [f"{RESET}{clock}" for clock in resets]
    return {
        "name": model.spec.name,
        "key": _key(model.spec.name, sizes, [*map(graph_text, modes.values()), repr(entries), _switches(model)]),
        "sizes": sizes,
        "equations": equations(model.spec.cell),
        "inputs": {name: Port(p.shape, p.clock, p.index, int(p.kind)) for name, p in model.inputs.items()},
        "outputs": {name: ports[OUTPUT.of(name)] for name in model.outputs},
        "streams": {name: ports[STREAM.of(name)] for name in streams},
        "states": {name: ports[FINAL.of(name)] for name in model.states},
        "parameters": {name: entries[name] for name in model.parameters},
        "size": model.size,
        "sources": {mode: (*_sources(graph, model), *more) for mode, graph in modes.items()},
        "random": model.random,
        "samples": model.samples,
        "clocks": tuple(model.clocks),
        "clock": model.clock,
        "resets": resets,
    }


def _results(model: Compiled, streams: tuple[str, ...]) -> dict[str, Sequence[str]]:
    return {"output": tuple(model.outputs), "final": tuple(model.states), "stream": streams}


def _switches(model: Compiled) -> str:
    return ",".join(sorted(model.programs.without))


def _key(name: str, sizes: str, contents: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join((name, sizes, *contents)).encode()).hexdigest()
    return f"{name}_{digest[:16]}"


def _sources(graph: Graph, model: Compiled) -> tuple[str, ...]:
    """The inputs and initial states that a graph reads."""
    starts = graph.sources("start")
    return (
        *(f"{INPUT}{n}" for n in model.interface.needed(graph)),
        *(START.of(n) for n in model.states if n in starts),
    )


def port_of(type_: Type) -> Port:
    """A type of the graph as a port of the runtime."""
    index = type_.index if isinstance(type_.index, int) else None
    return Port(type_.shape, type_.clock, index, int(type_.kind))


def tape(graph: Graph) -> tuple[Port, ...]:
    """The ports of the tape of a forward graph, in order."""
    count = sum(TAPE.has(root) for root in graph.roots)
    return tuple(port_of(graph[graph.roots[TAPE.of(k)]].type) for k in range(count))


def equations(cell: syntax.Cell) -> str:
    """The equations and loss lines of a cell, as in the specification."""
    wanted = (syntax.Equation, syntax.For, syntax.Loss)
    lines = []
    for statement in cell.body:
        if isinstance(statement, wanted):
            indent = " " * (statement.span.column - 1)
            lines += [line.removeprefix(indent) for line in statement.span.text.split("\n")]
    return "\n".join(lines)
