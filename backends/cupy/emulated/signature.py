"""Reads the signatures of kernels from CUDA C: names, parameters and their types."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .fibers import WAITS

TYPES = {
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "unsigned int": np.uint32,
    "unsigned": np.uint32,
    "long long": np.int64,
    "unsigned long long": np.uint64,
    "unsigned char": np.uint8,
}
"""C types of scalars, and of what pointers point to, with NumPy's."""

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
KERNEL = re.compile(
    r"__global__\s+(?:__launch_bounds__\s*\(\s*(?P<bound>\d+)[^)]*\)\s*)?void\s+"
    r"(?:__launch_bounds__\s*\(\s*(?P<after>\d+)[^)]*\)\s*)?(?P<name>\w+)\s*\((?P<parameters>[^)]*)\)"
)
WORDS_OF_PLACE = re.compile(r"\b(const|__restrict__|__restrict)\b")

REFUSED = {
    "atomic": "it has no atomic operations",
    "#include": "kernels have to do without headers",
}
"""Words that kernel texts must not contain here, and why."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: a scalar, or a pointer to elements of `dtype`, which may be constant."""

    name: str
    pointer: bool
    constant: bool
    dtype: np.dtype[np.generic]
    spelling: str
    """Its type in C."""


@dataclass(frozen=True)
class Signature:
    """A kernel's name and parameters; `bound` is the greatest number of threads of a block."""

    name: str
    parameters: tuple[Parameter, ...]
    bound: int = 1024
    waits: bool = False
    """Whether its threads wait for one another."""


def signatures(code: str) -> tuple[Signature, ...]:
    """The kernels of a text.

    Raises:
        NotImplementedError: it contains what cannot be emulated. TypeError: the type of a parameter is not in `TYPES`.
    """
    bare = COMMENT.sub(" ", code)
    for word, why in REFUSED.items():
        if re.search(
            rf"(?<!\w){word}(?!\w*(?<=[^_])_\b)", bare
        ):  # which no name of a specification begins or ends like
            raise NotImplementedError(f"the stand-in for cupy takes no kernels with {word}: {why}")
    found = list(KERNEL.finditer(bare))
    waits = re.compile("|".join([WAITS, *_waiting(bare)]))
    ends = [*(later.start() for later in found[1:]), len(bare)]
    return tuple(
        _signature(one, waits.search(bare[one.end() : end]) is not None) for one, end in zip(found, ends, strict=True)
    )


def _waiting(code: str) -> set[str]:
    """The names of functions in which threads wait for one another, before all kernels."""
    parts = re.split(r"__device__|__global__", code)
    waiting = [part for part in parts if re.search(WAITS, part)]
    return {found[1] for part in waiting if (found := re.match(r"\s*(?:inline )?\w+ (\w+)\(", part))}


def _signature(found: re.Match[str], waits: bool) -> Signature:
    name, bound = found["name"], found["bound"] or found["after"] or 1024
    texts = [text for text in found["parameters"].split(",") if text.strip()]
    parameters = tuple(_parameter(name, text) for text in texts)
    return Signature(name, parameters, int(bound), waits)


def _parameter(kernel: str, text: str) -> Parameter:
    words = WORDS_OF_PLACE.sub(" ", text).replace("*", " * ").split()
    *kind, name = words
    stars = kind.count("*")
    element = " ".join(word for word in kind if word != "*")
    if element not in TYPES or stars > 1:
        raise TypeError(
            f"kernel {kernel}, parameter {name}: the type of {text.strip()!r} is none of {', '.join(TYPES)}"
        )
    constant = "const" in text.split("*")[0].split()
    spelling = f"{'const ' if constant else ''}{element}{'*' * stars}"
    return Parameter(name, bool(stars), constant, np.dtype(TYPES[element]), spelling)
