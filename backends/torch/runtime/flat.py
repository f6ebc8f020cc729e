"""The parameters of a network on a CPU as views of one vector, which a call reads where it lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.utils._python_dispatch import _get_current_dispatch_mode

from recurrency.errors import UsageError


class Place(NamedTuple):
    """Where a parameter is: in the vector, and in the modules (the path to its owner, and its name there)."""

    name: str
    offset: int
    numbers: int
    shape: tuple[int, ...]
    path: tuple[str, ...]
    leaf: str

    @property
    def key(self) -> str:
        """Its key in `state_dict`."""
        return ".".join((*self.path, self.leaf))


def places_of(
    parameters: Mapping[str, tuple[int, tuple[int, ...]]], keys: Mapping[str, str], order: Iterable[str]
) -> tuple[Place, ...]:
    """The places of all parameters, in the order of the vector."""
    out = []
    for name in order:
        offset, shape = parameters[name]
        *path, leaf = keys[name].split(".")
        out.append(Place(name, offset, prod(shape), tuple(shape), tuple(path), leaf))
    return tuple(out)


def ordinary(tensors: Sequence[Tensor]) -> bool:
    """Whether all are plain parameters on a CPU, with content, and nothing records or transforms what happens."""
    if not eager():
        return False
    return all(type(tensor) is Parameter and tensor.is_cpu for tensor in tensors)


def eager() -> bool:
    """Whether nothing records or transforms what happens."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return _get_current_dispatch_mode() is None


class Seen:
    """The vector that a module has found last, and where its parts were in it; copies of a module begin without."""

    def __init__(self) -> None:
        self.vector: Tensor | None = None
        self.parts: list[tuple[int, Any]] = []

    def __reduce__(self) -> Any:
        return Seen, ()

    def again(self, tensors: Sequence[Tensor]) -> Tensor | None:
        """The vector, if these are its parts still: as it is kept, nothing else can be where it is in memory."""
        vector = self.vector
        if vector is None or vector.data_ptr() == 0:
            return None
        start, dtype = vector.data_ptr(), vector.dtype
        same = [(tensor.data_ptr() - start, tensor.shape) for tensor in tensors] == self.parts
        if not same or not all(tensor.dtype is dtype and tensor.is_contiguous() for tensor in tensors):
            return None
        enough = (vector.storage_offset() + vector.numel()) * vector.itemsize
        return vector if vector.untyped_storage().nbytes() >= enough else None

    def note(self, vector: Tensor | None, tensors: Sequence[Tensor]) -> Tensor | None:
        """Keep this vector from now on, instead of another."""
        self.vector = vector
        if vector is not None:
            self.parts = [(tensor.data_ptr() - vector.data_ptr(), tensor.shape) for tensor in tensors]
        return vector


def lying_together(tensors: Sequence[Tensor], places: Sequence[Place], seen: Seen) -> Tensor | None:
    """The vector that these parameters are views of, without gradients; None if one of them lies elsewhere.

    A parameter may be replaced between two calls, or its `data`, so each call looks at all of them.
    """
    if not ordinary(tensors):
        return None
    found = seen.again(tensors)
    return seen.note(_together(tensors, places), tensors) if found is None else found


def _together(tensors: Sequence[Tensor], places: Sequence[Place]) -> Tensor | None:
    """The same by a look at each."""
    size = places[-1].offset + places[-1].numbers
    first = next((t for t, place in zip(tensors, places, strict=True) if place.numbers), None)
    if first is None:
        return None
    dtype, item, start = first.dtype, first.itemsize, first.data_ptr()
    for tensor, place in zip(tensors, places, strict=True):
        if tensor.dtype is not dtype or tensor.shape != place.shape or not tensor.is_contiguous():
            return None
        if place.numbers and tensor.data_ptr() != start + place.offset * item:
            return None
    if first.untyped_storage().nbytes() < (first.storage_offset() + size) * item:
        return None  # neighbours in memory by chance
    return first.detach().as_strided((size,), (1,))


def joined(tensors: Sequence[Tensor], places: Sequence[Place], cell: str) -> Tensor:
    """A new vector of parameters, or of what replaces them, as a function of them.

    Raises:
        UsageError: they differ in dtype or device, or a replaced parameter has another shape.
    """
    first = tensors[0]
    for place, tensor in zip(places, tensors, strict=True):
        if tensor.dtype is not first.dtype or tensor.device != first.device:
            raise UsageError(
                f"the parameter {place.name} is {tensor.dtype} on {tensor.device}, {places[0].name} is {first.dtype} "
                f"on {first.device}: convert the whole module"
            )
        if tensor.shape != place.shape:
            wanted = list(place.shape)
            raise UsageError(f"the parameter {place.name} is {list(tensor.shape)}; {cell} needs {wanted}")
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def lay_together(tensors: Sequence[Tensor], places: Sequence[Place]) -> None:
    """Make these parameters views of one vector, with the values that they have, unless others hold their memory."""
    if len(places) < 2 or not ordinary(tensors) or any(not _alone(tensor) for tensor in tensors):
        return
    if len({tensor.dtype for tensor in tensors}) > 1 or any(
        t.shape != p.shape for t, p in zip(tensors, places, strict=True)
    ):
        return
    with torch.no_grad():
        vector = torch.cat([tensor.reshape(-1) for tensor in tensors])
        for tensor, place in zip(tensors, places, strict=True):
            tensor.data = vector[place.offset : place.offset + place.numbers].view(place.shape)


def _alone(tensor: Tensor) -> bool:
    """Whether a tensor has memory of its own, which no other process and no other tensor uses, as far as one sees."""
    shared: Any = tensor.is_shared
    own = tensor.layout is torch.strided and tensor.untyped_storage().nbytes() == tensor.numel() * tensor.itemsize
    return own and not shared()


def new_parameters(places: Sequence[Place], dtype: torch.dtype | None, device: Any) -> dict[str, Parameter]:
    """New parameters by name, laid together where they can be; PyTorch counts the changes of each by itself."""
    made = [Parameter(torch.empty(place.shape, dtype=dtype, device=device)) for place in places]
    lay_together(made, places)
    return {place.name: parameter for place, parameter in zip(places, made, strict=True)}


class Joined(torch.autograd.Function):
    """The vector that parameters are views of, as a function of them; its gradient is taken apart into views."""

    @staticmethod
    def forward(ctx: Any, vector: Tensor, *parameters: Tensor) -> Tensor:
        """The vector itself; of the parameters only the shapes are read."""
        ctx.parameters = parameters
        return vector.view_as(vector)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The parts of the gradient."""
        return None, *parts_of(gradient, ctx.parameters)


def parts_of(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The parts of a vector in the shapes of other tensors, as views of it.

    Where nothing is recorded, PyTorch counts the changes of each by itself, as of gradients that are apart.
    """
    if not torch._C._are_functorch_transforms_active() and not torch._C._functorch.is_legacy_batchedtensor(vector):
        at_once: Any = torch._C._nn.unflatten_dense_tensors  # which has no rule for batches
        views: list[Tensor] = at_once(vector, like)
        return views if torch.is_grad_enabled() else [view.data for view in views]
    parts = vector.split_with_sizes([tensor.numel() for tensor in like])
    return [part if t.dim() == 1 else part.view(t.shape) for part, t in zip(parts, like, strict=True)]
