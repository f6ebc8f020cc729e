"""How a user's file is read for a spec: what missing values become, and which inputs follow from other columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from recurrency.errors import UsageError, nearest_hint
from recurrency.training.data.sequences import Input, InputPort

REFUSE, ZERO, LAST = "refuse", "zero", "last"
MISSING = (REFUSE, ZERO, LAST)
"""What a missing value becomes: an error, 0 (no symbol: -1), or the value before it in its sequence (else 0)."""
NO_SYMBOL = "-1"
"""What stands for no symbol among texts."""
WAYS = "train with -T missing=zero to count it as 0, or with -T missing=last as the value before it"


@dataclass(frozen=True)
class Rules:
    """How the values of a file become the inputs of a model.

    `masks` names inputs that are 1 where a value of another input is there, else 0, with that input; `elapsed` inputs
    with the column of times whose differences they are. The inputs `targets` are read by the loss alone, and those of
    `whole` as one value for each sequence. `shared` says which inputs have the symbols of one vocabulary: those with
    the same word.
    """

    missing: str = REFUSE
    masks: Mapping[str, str] = field(default_factory=dict)
    elapsed: Mapping[str, str] = field(default_factory=dict)
    targets: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    shared: Mapping[str, str] = field(default_factory=dict)

    @property
    def derived(self) -> frozenset[str]:
        """The inputs that a file does not hold."""
        return frozenset([*self.masks, *self.elapsed])

    def without(self, given: Collection[str]) -> Rules:
        """The rules where these inputs are in the data, even if they are masks or elapsed times."""
        masks, elapsed = ({k: v for k, v in of.items() if k not in given} for of in (self.masks, self.elapsed))
        return replace(self, masks=masks, elapsed=elapsed)

    def asked(self, ports: Mapping[str, InputPort]) -> dict[str, InputPort]:
        """What a file has to hold for some inputs: those that aren't derived, and the columns of times."""
        found = {name: port for name, port in ports.items() if name not in self.derived}
        for name in self.elapsed:
            if name in ports:
                found.setdefault(self.elapsed[name], Input((), None, ports[name].clock or "t"))
        return found

    def needed(self, names: Collection[str]) -> list[str]:
        """Some inputs, and those that their masks are about."""
        sources = [self.masks[name] for name in names if name in self.masks]
        return list(dict.fromkeys([*names, *sources]))

    def allows(self, name: str, port: InputPort) -> bool:
        """Whether values of an input may be missing."""
        if name in self.masks.values():
            return True
        return self.missing != REFUSE and (port.index is not None or name not in self.targets)

    def why(self, name: str, port: InputPort) -> str:
        """What to do about a missing value of an input, as the end of a message."""
        if name in self.whole:
            return f"{name} is one value for each sequence; leave the sequence out"
        if port.index is not None:
            return "train with -T missing=zero to count it as no symbol, -1"
        if name in self.targets:
            return (
                f"the loss can leave it out: write `loss ... where m` with an input m in the spec, and -T mask=m={name}"
            )
        return WAYS


NONE = Rules()
"""Nothing may be missing."""


def pairs(text: str, option: str, form: str) -> dict[str, str]:
    """`m=x,n=y` as a dict.

    Raises:
        UsageError: it is not of this form, or has a name twice.
    """
    out: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, other = (word.strip() for word in part.partition("="))
        if not (name and equals and other):
            raise UsageError(f"the option {option} is of the form {form}, not {part!r}")
        if name in out:
            raise UsageError(f"the option {option} has {name} twice")
        out[name] = other
    return out


def check_rules(rules: Rules, ports: Mapping[str, InputPort], model: str) -> None:
    """Refuse rules that do not fit the inputs of a model.

    Raises:
        UsageError: there is no such input, or it has another shape or another clock.
    """
    for option, found in (("mask", rules.masks), ("elapsed", rules.elapsed)):
        _known(option, found, ports, model)
    _known("mask", rules.masks.values(), ports, model)
    for name, other in rules.masks.items():
        port, of = ports[name], ports[other]
        if name == other or other in rules.derived:
            raise UsageError(f"the option mask: {name} can't mark the values of {other}, which aren't in the data")
        if port.index is not None or tuple(port.shape) not in ((), (1,), tuple(of.shape)) or port.clock != of.clock:
            raise UsageError(
                f"the option mask: {name} must have real numbers, one for each step or as many as {other}, which is "
                f"{list(of.shape)}"
            )
    for name in rules.elapsed:
        if ports[name].index is not None or tuple(ports[name].shape) not in ((), (1,)):
            raise UsageError(f"the option elapsed: {name} must be one real number for each step")
    twice = sorted(rules.masks.keys() & rules.elapsed.keys())
    if twice:
        raise UsageError(f"the input {twice[0]} can't be a mask and an elapsed time; leave one of the options out")


def _known(option: str, names: Iterable[str], ports: Mapping[str, InputPort], model: str) -> None:
    for name in names:
        if name not in ports:
            hint = nearest_hint(name, list(ports))
            raise UsageError(f"the option {option}: {model} has no input {name}; it has {', '.join(ports)}{hint}")
