"""The parser's tables, which are shipped: to make them from the grammar takes longer than to compile most cells.

The text is JSON, with one state of the parser a line. It depends on the grammar and on Lark's version alone: states and
words are numbered in an order of their own, because Lark's order differs between processes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Tables = dict[str, Any]
"""`data` and `memo` of `lark.Lark.memo_serialize`."""


def tables_text(tables: Tables, grammar: str, version: str) -> str:
    """Tables of a grammar, made by this version of Lark, as text."""
    data = tables["data"]
    table = data["parser"]["parser"]
    words = sorted(table["tokens"].values())
    rows = _in_order({s: _by_word(row, table["tokens"]) for s, row in table["states"].items()}, table["start_states"])
    place = {state: k for k, state in enumerate(rows)}
    ends = {key: {start: place[s] for start, s in sorted(table[key].items())} for key in ("start_states", "end_states")}
    states = [_written(row, {word: k for k, word in enumerate(words)}, place) for row in rows.values()]
    head = {
        "lark": version,
        "grammar": _digest(grammar),
        "data": {**data, "parser": {**data["parser"], "parser": ends}},
        "words": words,
    }
    memo = [tables["memo"][k] for k in range(len(tables["memo"]))]
    lists = (f'"{name}": [\n{_lines(items)}\n]' for name, items in (("memo", memo), ("states", states)))
    return "{\n" + ",\n".join([*(f'"{name}": {_line(item)}' for name, item in head.items()), *lists]) + "\n}\n"


def tables_of(text: str, grammar: str, version: str) -> Tables | None:
    """The tables in a text; None if they are of another grammar or version of Lark."""
    found = json.loads(text)
    if (found["lark"], found["grammar"]) != (version, _digest(grammar)):
        return None
    table = found["data"]["parser"]["parser"]
    table["tokens"] = dict(enumerate(found["words"]))
    table["states"] = {k: _read(row) for k, row in enumerate(found["states"])}
    return {"data": found["data"], "memo": dict(enumerate(found["memo"]))}


def _digest(grammar: str) -> str:
    return hashlib.sha256(grammar.encode()).hexdigest()


def _by_word(row: Mapping[int, Any], words: Mapping[int, str]) -> dict[str, Any]:
    """The actions of a state, sorted by word."""
    return dict(sorted((words[word], action) for word, action in row.items()))


def _in_order(rows: Mapping[int, dict[str, Any]], starts: Mapping[str, int]) -> dict[int, dict[str, Any]]:
    """The states in the order in which they are reached from the first ones."""
    order = [starts[name] for name in sorted(starts)]
    seen = set(order)
    for state in order:
        new = dict.fromkeys(arg for reduces, arg in rows[state].values() if not reduces and arg not in seen)
        seen.update(new)
        order += new
    return {state: rows[state] for state in order}


def _written(row: Mapping[str, Any], words: Mapping[str, int], place: Mapping[int, int]) -> list[int]:
    """A row as words and actions in turn. An action is 2 k + 1 to reduce by the rule k of the memo, 2 k to go to k."""
    pairs = ((words[word], 2 * arg["@"] + 1 if reduces else 2 * place[arg]) for word, (reduces, arg) in row.items())
    return [number for pair in pairs for number in pair]


def _read(row: list[int]) -> dict[int, Any]:
    """The row that `_written` wrote."""
    actions = ((1, {"@": action >> 1}) if action & 1 else (0, action >> 1) for action in row[1::2])
    return dict(zip(row[::2], actions, strict=True))


def _line(item: object) -> str:
    return json.dumps(item, separators=(",", ":"))


def _lines(items: list[Any]) -> str:
    return ",\n".join(map(_line, items))
