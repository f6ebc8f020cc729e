"""The parameters of a network: one for each of the specification, or one vector for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from recurrency.errors import UsageError

from .checks import fresh_seed, whole_seed
from .flat import Place, Seen, joined, lay_together, lying_together, new_parameters, places_of
from .keys import FLAT, keys_of
from .program import Program


class Part(nn.Module):
    """The parameters of a cell within another cell; the outer one computes."""


class Parameters(nn.Module):
    """A module with the parameters of a program.

    With `flat`, its only parameter is the vector `flat_param`. `state_dict` has the names of the specification in both
    forms, and either loads what the other has saved.
    """

    def __init__(self, program: Program, dtype: torch.dtype | None, device: Any, flat: bool) -> None:
        super().__init__()
        self.program, self.flat, self._seen = program, False, Seen()
        self.keys = keys_of(program.parameters, dir(self), dir(Part()))
        self.flat = flat and program.size > 0
        made = new_parameters(self._places, dtype, device)
        places = {place.name: place for place in self._places}
        for name in (FLAT,) if self.flat else program.parameters:
            self._owner(places[name])._parameters[places[name].leaf] = made[name]

    def _owner(self, place: Place) -> nn.Module:
        """The module that a parameter belongs to, made if it is missing."""
        owner: nn.Module = self
        for part in place.path:
            children: Any = owner._modules
            owner = children.setdefault(part, Part())
        return owner

    @cached_property
    def _named(self) -> tuple[Place, ...]:
        """The parameters of the specification in the order of the vector."""
        return places_of(self.program.parameters, self.keys, self.program.order)

    @cached_property
    def _places(self) -> tuple[Place, ...]:
        """The parameters of the module in the order of the vector."""
        size = self.program.size
        return (Place(FLAT, 0, size, (size,), (), FLAT),) if self.flat else self._named

    def parameters_by_name(self) -> dict[str, Any]:
        """The parameters by their names in the specification; with `flat`, views of the vector."""
        tensors = self._tensors()
        if self.flat:
            (vector,) = tensors
            tensors = [vector[p.offset : p.offset + p.numbers].view(p.shape) for p in self._named]
        found = {place.name: tensor for place, tensor in zip(self._named, tensors, strict=True)}
        return {name: found[name] for name in self.program.parameters}

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse a new parameter in place of a part of the vector: nothing would read it.

        Raises:
            UsageError: the name is that of a parameter, and this module has one vector for all.
        """
        self._refuse_part(name)
        super().__setattr__(name, value)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        """See `__setattr__`."""
        self._refuse_part(name)
        super().register_parameter(name, param)

    def _refuse_part(self, name: str) -> None:
        if self.__dict__.get("flat") and name in {place.key.split(".")[0] for place in self._named}:
            raise UsageError(
                f"{name} is a part of {FLAT} in this module: change parameters_by_name()[...] in place, under "
                "torch.no_grad(), or make the module without flat=True"
            )

    # ------------------------------------------------------------------------------------------------- state_dict

    @property
    def _whole(self) -> bool:
        """Whether the vector is stored by its parts: not if it is parametrised, or sharded."""
        return self.flat and type(self._parameters.get(FLAT)) is nn.Parameter

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """The parameters under their keys, in both forms."""
        if self._whole:
            for name, view in self.parameters_by_name().items():
                destination[prefix + self.keys[name]] = view if keep_vars else view.detach()
        else:
            super()._save_to_state_dict(destination, prefix, keep_vars)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing: list[str], *more: Any
    ) -> None:
        """Accept parameters under their names in the specification too, where their keys differ."""
        for name, key in self.keys.items():
            if prefix + name in state_dict and prefix + key not in state_dict:
                state_dict[prefix + key] = state_dict.pop(prefix + name)
        if self._whole and prefix + FLAT not in state_dict:
            state_dict, lacking = self._gathered_from(state_dict, prefix, metadata, more[1])
            missing += lacking if strict else []
            found: list[str] = []
            super()._load_from_state_dict(state_dict, prefix, metadata, strict, found, *more)
        else:
            super()._load_from_state_dict(state_dict, prefix, metadata, strict, missing, *more)

    def _gathered_from(
        self, state_dict: Mapping[str, Any], prefix: str, metadata: Mapping[str, Any], wrong: list[str]
    ) -> tuple[dict[str, Any], list[str]]:
        """The same with the vector in place of its parts, and the keys that are missing.

        Parts that do not fit are noted in `wrong`; there is no vector then.
        """
        keys = [prefix + place.key for place in self._named]
        rest = {key: value for key, value in state_dict.items() if key not in keys}
        parts = [state_dict.get(key) for key in keys]
        lacking = [key for key, part in zip(keys, parts, strict=True) if part is None]
        misfits = (_misfit(key, part, place) for key, part, place in zip(keys, parts, self._named, strict=True))
        bad = [found for found in misfits if found]
        types = {str(part.dtype) for part in parts if isinstance(part, Tensor)}
        if len(types) > 1 and metadata.get("assign_to_params_buffers"):
            bad.append(f"{', '.join(sorted(types))} can't be parts of one vector: load without assign=True.")
        wrong += bad
        if not bad and len(lacking) < len(keys):
            now: Any = self._parameters[FLAT]
            held = [now.detach()[p.offset : p.offset + p.numbers] for p in self._named]
            both = [h if part is None else part.detach().reshape(-1) for h, part in zip(held, parts, strict=True)]
            if not any(tensor.is_meta for tensor in both) or not lacking:
                rest[prefix + FLAT] = torch.cat([tensor.to(both[0].device) for tensor in both])
        return rest, lacking

    # -------------------------------------------------------------------------------------------------- the vector

    def _tensors(self) -> list[Tensor]:
        """The parameters in the order of the vector, or what replaces them: a parametrisation, `functional_call`."""
        out = []
        for place in self._places:
            owner: Any = self
            for part in place.path:
                owner = owner._modules[part]
            found = owner._parameters.get(place.leaf)
            out.append(getattr(owner, place.leaf) if found is None else found)
        return out

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Convert all parameters, as any module does; those that got new memory become views of one vector again."""
        inherited: Any = super()._apply
        out = inherited(fn, recurse)
        self._seen.vector = None
        lay_together(self._tensors(), self._places)
        return out

    def __setstate__(self, state: Any) -> None:
        """The same for those of a copy."""
        inherited: Any = super().__setstate__
        inherited(state)
        lay_together(self._tensors(), self._places)

    def reset_parameters(self, seed: int | None = None) -> None:
        """Draw all parameters from the initialisers of the specification; the default seed is from torch's generator.

        Parameters without content (on `meta`, or in a `FakeTensorMode`) stay as they are.
        """
        if all(parameter.device.type == "meta" for parameter in self.parameters()) or _fake():
            return
        values = self.program.initial(int(fresh_seed(1 << 31)) if seed is None else whole_seed(seed))
        with torch.no_grad():
            for name, parameter in self.parameters_by_name().items():
                parameter.copy_(values[name])

    def _vector(self, inputs: Mapping[str, Any]) -> tuple[Tensor, list[Tensor]]:
        """All parameters as one vector [size], and the parameters that are views of it.

        There are none of these if the vector is a function of the parameters. Without parameters it is like the inputs.

        Raises:
            UsageError: they differ in dtype or device, or a replaced parameter has another shape.
        """
        places = self._places
        if not places:
            return _no_parameters(inputs), []
        tensors = self._tensors()
        together = lying_together(tensors, places, self._seen)
        return (joined(tensors, places, self.program.name), []) if together is None else (together, tensors)


def _no_parameters(arrays: Mapping[str, Any]) -> Tensor:
    """An empty vector on the device of the inputs, in their dtype."""
    tensors = [array if isinstance(array, Tensor) else getattr(array, "data", None) for array in arrays.values()]
    found = [tensor for tensor in tensors if isinstance(tensor, Tensor)]
    for tensor in found:
        if tensor.is_floating_point():
            return tensor.new_empty(0)
    return torch.empty(0, device=found[0].device if found else None)


def _fake() -> bool:
    """Whether new tensors have no content (`FakeTensorMode`)."""
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None


def _misfit(key: str, part: Any, place: Place) -> str:
    """Why a value of a `state_dict` can't be this parameter, or ""."""
    if part is None:
        return ""
    if not isinstance(part, Tensor):
        return f"{key} is a {type(part).__name__} in the checkpoint, and no tensor."
    if part.shape != place.shape:
        return f"size mismatch for {key}: the checkpoint has {list(part.shape)}, this model {list(place.shape)}."
    return ""
