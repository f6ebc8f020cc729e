"""Rows shorter than a vector: the units of several sequences, one after the other, are computed in one loop.

With 10 units and vectors of 16, a loop over the units of one sequence is mostly its remainder. So what it reads is
copied to arrays in the first cache, where row follows row; whole vectors of these are computed; and what is stored is
copied from such arrays to its places. (Gates and states of an LSTM, 10 sequences of 10 units: 15 us in 30 steps in
loops over the units, 7 us so.)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from .fission import GREATEST, LONG, parted
from .sizes import LINE

LONGEST = 64
"""From so many elements on, rows are computed one by one."""
ROWS = 256
"""The most elements of the rows that are computed at a time."""

SEQUENCES = "for (long long b = b0; b < b1; ++b) {"
STEP = "const long long tb = "
AXIS = re.compile(r"for \(long long (\w+) = 0; \1 < (\d+); \+\+\1\) \{")
TILE = re.compile(r"REC_VECTOR_LOOP\((\w+), (\d+)\) \{")
DEFINITION = re.compile(r"const (float|double) (\w+) = ([^;{}\[\]]*);")
FIXED = re.compile(r"const (float|double|long long) (\w+) = [^;{}]*;")
VARIABLE = re.compile(r"(float|double|long long) (\w+)(?: = [^;{}]*)?;")
STORE = re.compile(r"\w+\[[^;{}]*\] = (\w+);")
PUT = re.compile(r"\] [+*-]?= ")
SET = re.compile(r"(\w+) [+*-]?= ")
SETS = re.compile(r"\b(\w+) [+*-]?= ")
CALLED = re.compile(r"\w+(?=\()")
NUMBER = re.compile(r"\b\d(?:[\w.]|(?<=[eEpP])[-+])*")
AT_STEP = re.compile(r"\w\[\(*tb\b")
LEAVES = re.compile(r"\b(?:continue|break|return|goto)\b")

READ, COMPUTED, STORED = range(3)
"""Where a statement goes: to the copies before, the vectors, or the copies after."""


@dataclass
class Statement:
    """Some lines: what they define, by name with the type; what they read of that; who reads it."""

    lines: list[str]
    defines: dict[str, str]
    reads: frozenset[str] = frozenset()
    plain: bool = False
    """Whether it is a definition from real numbers alone."""
    stores: bool = False
    users: list[Statement] = field(default_factory=list)
    place: int = READ

    @property
    def long(self) -> bool:
        """Whether it calls a function that takes many cycles."""
        return any(LONG.search(line) for line in self.lines)


def flattened(lines: Sequence[str], real: str) -> list[str] | None:
    """The lines of a kernel with its rows in one loop, or None where this is not possible or not worth it.

    The body must not read what it writes.
    """
    nest = _Nest.of(lines, real)
    statements = None if nest is None else _statements(nest.body)
    if nest is None or statements is None or not _placed(statements):
        return None
    before = _passed(statements, READ, (COMPUTED, STORED))
    after = _passed(statements, COMPUTED, (STORED,))
    nest.rows = min(ROWS, GREATEST // 2 // max(1, len(before | after)) - nest.vector) // nest.size
    return list(nest.written(statements, before, after)) if nest.rows * nest.size >= nest.vector else None


@dataclass
class _Nest:
    """The loops of a kernel: the lines before that over sequences, those within it, the axes of a row, and the body."""

    outer: list[str]
    steps: list[str]
    axes: list[tuple[str, int]]
    heads: list[str]
    body: list[str]
    real: str
    rows: int = 1
    """How many rows are computed at a time."""

    @classmethod
    def of(cls, lines: Sequence[str], real: str) -> _Nest | None:
        """The loops of these lines, if there is one over sequences, and rows are short, or one number."""
        if SEQUENCES not in lines:
            return None
        first = lines.index(SEQUENCES)
        k = first + 1
        while k < len(lines) and lines[k].startswith(STEP):
            k += 1
        inner = k
        while k < len(lines) and AXIS.fullmatch(lines[k]):
            k += 1
        outer, sums = list(lines[:first]), any(line.startswith("for (") for line in lines[k:])
        if k < len(lines) and TILE.fullmatch(lines[k]):
            heads, k = list(lines[inner : k + 1]), k + 1
        elif k == inner and sums and outer[-1:] == ["REC_INDEPENDENT"]:  # sums of the units of each sequence
            heads = ["{"]
            outer.pop()
        else:
            return None
        axes = [(m[1], int(m[2])) for line in heads for m in [AXIS.fullmatch(line) or TILE.fullmatch(line)] if m]
        own = cls(outer, list(lines[first + 1 : inner]), axes, heads, list(lines[k:]), real)
        short = own.size < LONGEST and own.size % own.vector
        return own if short and not any(line.startswith("REC_VECTOR_LOOP") for line in own.body) else None

    @property
    def vector(self) -> int:
        """The elements of the widest vector."""
        return LINE // (4 if self.real == "float" else 8)

    @property
    def size(self) -> int:
        """The elements of a row."""
        return prod(size for _, size in self.axes)

    def room(self) -> int:
        """The elements of the rows that are computed at a time, with those of their last vector."""
        return self.rows * self.size + self.vector

    def place(self) -> str:
        """The place of an element within these rows."""
        text = "(b - rec_b)"
        for name, size in self.axes:
            text = f"({text} * {size} + {name})"
        return text[1:-1]

    def written(self, statements: Sequence[Statement], before: set[str], after: set[str]) -> Iterator[str]:
        """The lines that replace the loops."""
        kinds = {name: kind for s in statements for name, kind in s.defines.items()}
        yield from self.outer
        yield f"for (long long rec_b = b0; rec_b < b1; rec_b += {self.rows}) {{"
        yield f"const long long rec_end = REC_MIN(b1, rec_b + {self.rows}), rec_n = (rec_end - rec_b) * {self.size};"
        for name in sorted(before | after):
            yield f"REC_ALIGNED {kinds[name]} rec_row_{name}[{self.room()}];"
        yield "for (long long b = rec_b; b < rec_end; ++b) {"
        yield from self.steps
        chosen = [s for s in statements if s.place == READ]
        for name in sorted(before):
            yield from self.heads
            yield from _needed(chosen, {name})
            yield f"rec_row_{name}[{self.place()}] = {name};"
            yield from "}" * len(self.heads)
        yield "}"
        yield from (f"REC_FILL(rec_row_{name} + rec_n, {self.vector}, 0);" for name in sorted(before))
        yield from self._vectors(statements, before, after)
        yield from self._copies(statements, before | after)

    def _vectors(self, statements: Sequence[Statement], before: set[str], after: set[str]) -> Iterator[str]:
        """The loops that compute."""
        kinds = {name: kind for s in statements for name, kind in s.defines.items()}
        chosen = [s for s in statements if s.place == COMPUTED]
        read = {name for s in chosen for name in s.reads}
        body = [f"const {kinds[n]} {n} = rec_row_{n}[rec_i];" for n in sorted(before & read)]
        for s in chosen:
            body += s.lines
            body += [f"rec_row_{name}[rec_i] = {name};" for name in s.defines if name in after]
        head = "REC_WHOLE_VECTORS(rec_i, rec_n) {"
        yield from parted(head, self.room(), "rec_i", body) or [head, *body]
        yield "}"

    def _copies(self, statements: Sequence[Statement], kept: Collection[str]) -> Iterator[str]:
        """The loops that store; `tb` has another name here, because definitions that nothing reads are removed."""
        kinds = {name: kind for s in statements for name, kind in s.defines.items()}
        chosen = [s for s in statements if s.place == STORED]
        yield "for (long long b = rec_b; b < rec_end; ++b) {"
        yield from (line.replace(STEP, "const long long rec_tb = ") for line in self.steps)
        for store in (s for s in chosen if s.stores):
            lines = [*_needed(chosen, store.reads), *store.lines]
            words = set(re.findall(r"\w+", "\n".join(map(_code, lines))))
            yield from self.heads
            yield from (
                f"const {kinds[n]} {n} = rec_row_{n}[{self.place()}];" for n in sorted(words.intersection(kept))
            )
            yield from (re.sub(r"\btb\b", "rec_tb", line) for line in lines)
            yield from "}" * len(self.heads)


def _statements(body: Sequence[str]) -> list[Statement] | None:
    """The statements of a body in order, or None for one that has an unknown form."""
    out: list[Statement] = []
    owner: dict[str, Statement] = {}
    reals: set[str] = set()
    ends = {match[1]: k for k, line in enumerate(body) for match in SETS.finditer(line.split("//")[0])}
    k = 0
    while k < len(body):
        found = None if LEAVES.search(_code(body[k])) else _statement(body, k, ends)
        if found is None:
            return None
        k += len(found.lines)
        words = set(re.findall(r"\w+", "\n".join(map(_code, found.lines))))
        found.reads = frozenset(words & owner.keys())
        if match := DEFINITION.fullmatch(_code(found.lines[0])):
            named = set(re.findall(r"\w+", NUMBER.sub(" ", match[3]))) - set(CALLED.findall(match[3]))
            found.plain = len(found.lines) == 1 and named <= reals and bool(named)
        for name in found.reads:
            owner[name].users.append(found)
        for name, kind in found.defines.items():
            owner[name] = found
            reals |= {name} if kind != "long long" else set()
        out.append(found)
    return out


def _statement(body: Sequence[str], k: int, ends: Mapping[str, int]) -> Statement | None:
    """The statement that begins with a line: a definition, a store, or a variable with all that sets it.

    `ends` has the last line that sets each name.
    """
    code = _code(body[k])
    if match := FIXED.fullmatch(code):
        return Statement([body[k]], {match[2]: match[1]})
    if STORE.fullmatch(code):
        return Statement([body[k]], {}, stores=True)
    match = VARIABLE.fullmatch(code)
    if not match:
        return None
    defines, depth, last, at = {match[2]: match[1]}, 0, k, k + 1
    for at in range(k + 1, len(body)):
        inner = _code(body[at])
        depth -= inner.startswith("}")
        if depth == 0 and not (inner.startswith(("}", "else", "if", "for", "REC_")) or SET.match(inner)):
            if ends.get(match[2], -1) < at:
                break
            fixed = FIXED.fullmatch(inner) or VARIABLE.fullmatch(inner)
            if not fixed:
                return None
            defines[fixed[2]] = fixed[1]
        depth += inner.endswith("{")
        last = at
    lines = list(body[k : last + 1])
    strange = any(LEAVES.search(_code(line)) or PUT.search(_code(line)) for line in lines)
    return None if depth or strange else Statement(lines, defines)


def _needed(statements: Sequence[Statement], names: Collection[str]) -> list[str]:
    """The lines of those statements that these names need."""
    wanted, lines = set(names), list[str]()
    for s in reversed(statements):
        if wanted & s.defines.keys():
            wanted |= s.reads
            lines = [*s.lines, *lines]
    return lines


def _code(line: str) -> str:
    return line.split("//")[0].strip()


def _placed(statements: Sequence[Statement]) -> bool:
    """Give each statement its place; returns whether there is a function to compute, and a place for everything."""
    of = {name: s for s in statements for name in s.defines}
    for s in statements:
        later = any(of[name].place == COMPUTED for name in s.reads)
        last = any(of[name].place == STORED for name in s.reads)
        if s.plain and not last and (later or not _read_with(s, of)):
            s.place = COMPUTED
        elif later or last or s.stores:
            s.place = STORED
    for s in statements:
        if s.place == STORED and (s.long or any(user.place != STORED for user in s.users)):
            return False
        if s.place == STORED and not s.stores and any(AT_STEP.search(_code(line)) for line in s.lines):
            return False  # it may be in a chunk of products, which is read where rows are copied
        if any(of[name].place > s.place for name in s.reads):
            return False
    integers = {n for s in statements if s.place == READ for n, kind in s.defines.items() if kind == "long long"}
    if any(name in integers for s in statements if s.place == STORED for name in s.reads):
        return False
    return any(s.long and s.place == COMPUTED for s in statements)


def _read_with(s: Statement, of: dict[str, Statement]) -> bool:
    """Whether a definition is made where its arguments are read: a sum of several that nothing else needs."""
    cheap = not any(CALLED.search(_code(line)) or "/" in _code(line) for line in s.lines)
    return cheap and len(s.reads) > 1 and all(len(of[name].users) == 1 for name in s.reads)


def _passed(statements: Sequence[Statement], one: int, others: Collection[int]) -> set[str]:
    """The names that statements at one place define, and others at other places read."""
    return {
        name
        for s in statements
        if s.place == one
        for name in s.defines
        if any(name in user.reads and user.place in others for user in s.users)
    }
