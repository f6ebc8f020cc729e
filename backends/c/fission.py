"""A loop with functions of functions as several loops, each of which computes what does not wait for long.

One turn of a loop such as `h = o * tanh(f * c + i * g)` is a chain: a sigmoid, then a tanh of what depends on it. A
processor looks ahead by little more than one turn, and so waits for the end of the chain. In one loop up to the
sigmoids and another from there on, several turns are under way at a time; what the second needs of the first lies in
the first cache meanwhile. (Gates and states of an LSTM: 17.1 us for 32 x 128 elements in one loop, 13.4 us in two.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .math import OWN

LONG = re.compile(rf"\brec_(?:{'|'.join(OWN)})f?\(")
"""A call that takes long."""
DEFINITION = re.compile(r"const (float|double|long long) (\w+) = ([^;{}]*);")
STORE = re.compile(r"(\w+)\[[^;{}]*\] = (\w+);")
LOAD = re.compile(r"\w+\[[^;{}]*\]|-?[\d.]\S*")
"""What is read again rather than kept."""

GREATEST = 8192
"""Elements that loops leave to the next ones at most: they lie on the stack, of which a thread may have 128 kB."""


@dataclass
class Line:
    """A statement of the loop's body: what it defines (a store nothing), of which type, and what it reads."""

    text: str
    name: str | None
    kind: str
    value: str
    reads: frozenset[str]
    users: list[Line] = field(default_factory=list)
    depth: int = 0
    group: int = 0


def parted(head: str, size: int, index: str, body: Sequence[str]) -> list[str] | None:
    """The loops in place of one with this head over `size` elements; None where there is no need.

    Nothing that the body reads may be what it writes.
    """
    lines = _parsed(body)
    if lines is None or _sorted(lines) < 2:
        return None
    last = max(line.group for line in lines)
    kept = {
        line.name: f"rec_of_{line.name}"
        for line in lines
        if line.name and not _is_read(line) and any(user.group != line.group for user in line.users)
    }
    if len(kept) * size > GREATEST:
        return None
    out = [f"{line.kind} {kept[line.name]}[{size}];" for line in lines if line.name in kept]
    for group in range(last + 1):
        out += [head, *_group(lines, group, kept, index), "}"]
    return out[:-1]  # the last loop is closed with all others around it


def _parsed(body: Sequence[str]) -> list[Line] | None:
    """The statements, if there are only definitions and stores."""
    known: dict[str, Line] = {}
    out = []
    for text in body:
        code = text.split("//")[0].strip()
        definition, store = DEFINITION.fullmatch(code), STORE.fullmatch(code)
        if not definition and not store:
            return None
        reads = frozenset(re.findall(r"\w+", definition[3] if definition else code)) & known.keys()
        if definition:
            line = Line(text, definition[2], definition[1], definition[3], reads)
            known[definition[2]] = line
        else:
            line = Line(text, None, "", "", reads)
        for name in reads:
            known[name].users.append(line)
        line.depth = max([known[name].depth for name in reads], default=0)
        line.depth += bool(definition and LONG.search(definition[3]))
        out.append(line)
    return out


def _sorted(lines: Sequence[Line]) -> int:
    """Put each statement into the last group in which it can stand; gives the number of groups."""
    for line in reversed(lines):
        own = max(line.depth - 1, 0)
        line.group = min([user.group for user in line.users], default=own)
    return max((line.group for line in lines), default=0) + 1


def _is_read(line: Line) -> bool:
    """Whether a value is as soon read again as kept."""
    return LOAD.fullmatch(line.value) is not None and not line.reads


def _group(lines: Sequence[Line], group: int, kept: dict[str, str], index: str) -> list[str]:
    """The body of one loop."""
    out = []
    for line in lines:
        here = any(user.group == group for user in line.users)
        if line.group == group:
            out.append(line.text)
            if line.name in kept:
                out.append(f"{kept[line.name]}[{index}] = {line.name};")
        elif line.group < group and here:
            again = line.value if _is_read(line) else f"{kept[str(line.name)]}[{index}]"
            out.append(f"const {line.kind} {line.name} = {again};")
    return out
