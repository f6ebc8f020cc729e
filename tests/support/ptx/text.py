"""PTX, the assembly that NVIDIA's compiler makes of kernels, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass

ENTRY = re.compile(r"\.entry\s+(\w+)\s*\((.*?)\)[^{]*\{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
PARAMETER = re.compile(r"\.param\s+\.\w+(?:\s+\.ptr[^,%\n]*?)?\s+(\w+)")
CONSTANTS = re.compile(r"\.(?:global|const)\s+\.align\s+\d+\s+\.b8\s+(\w+)\[\d+\]\s*=\s*\{([^}]*)\}")
LOCAL = re.compile(r"\.local\s+\.align\s+\d+\s+\.b8\s+(\w+)\[(\d+)\]")
LABEL = re.compile(r"(\$?\w+):$")
INSTRUCTION = re.compile(r"(?:@(!?)(%\w+)\s+)?([a-z][\w.]*)\s*(.*?);$")
OPERANDS = re.compile(r",(?![^\[{(]*[\]})])")


@dataclass(frozen=True)
class Instruction:
    """One line: `@!%p bra` has the guard `%p`, negated; `mad.lo.s32` the words mad, lo, s32."""

    words: tuple[str, ...]
    operands: tuple[str, ...]
    guard: str = ""
    negated: bool = False

    @property
    def name(self) -> str:
        """How it is written."""
        return ".".join(self.words)


@dataclass(frozen=True)
class Entry:
    """A kernel: names of its parameters, instructions, where labels stand, and its own memory by name and size."""

    name: str
    parameters: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    labels: dict[str, int]
    local: dict[str, int]


@dataclass(frozen=True)
class Module:
    """All kernels of a text, and its constant tables."""

    entries: dict[str, Entry]
    constants: dict[str, bytes]


def parsed(text: str) -> Module:
    """The text of a module."""
    text = re.sub(r"//[^\n]*", "", text)
    entries = {found[1]: _entry(*found.groups()) for found in ENTRY.finditer(text)}
    tables = {found[1]: bytes(int(n) for n in found[2].split(",")) for found in CONSTANTS.finditer(text)}
    return Module(entries, tables)


def _entry(name: str, parameters: str, body: str) -> Entry:
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    for line in map(str.strip, body.split("\n")):
        if label := LABEL.match(line):
            labels[label[1]] = len(instructions)
        elif found := INSTRUCTION.match(line):
            negated, guard, words, operands = found.groups()
            parts = [part.strip() for part in OPERANDS.split(operands)] if operands else []
            instructions.append(Instruction(tuple(words.split(".")), tuple(parts), guard or "", bool(negated)))
    local = {found[1]: int(found[2]) for found in LOCAL.finditer(body)}
    return Entry(name, tuple(PARAMETER.findall(parameters)), tuple(instructions), labels, local)
