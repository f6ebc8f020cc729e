"""Networks of any cell, here of LSTMs."""

from __future__ import annotations

import numpy as np

from tests.transcriptions.case import Case
from tests.transcriptions.lstm import lstm, plain_lstm
from tests.transcriptions.trace import Array, Arrays, Trace, below, named


def bidirectional(p: Arrays, first: Arrays, x: Array) -> Trace:
    """One from the left, one from the right."""
    forwards = lstm(below(p, "fwd"), below(first, "fwd"), x)
    backwards = lstm(below(p, "bwd.Cell"), below(first, "bwd.Cell"), x[::-1])
    state = named("fwd", forwards.state) | named("bwd.Cell", backwards.state)
    return Trace({"y": np.hstack([forwards.outputs["h"], backwards.outputs["h"][::-1]])}, state)


def layers(p: Arrays) -> int:
    """How many layers have parameters."""
    return len({name.split("]")[0] for name in p if "[" in name})


def residual(p: Arrays, first: Arrays, x: Array) -> Trace:
    """y^l = y^{l-1} + LSTM(y^{l-1}), y^0 = x."""
    state: dict[str, Array] = {}
    for layer in range(1, 1 + layers(p)):
        name = f"out[{layer}].Cell"
        inner = lstm(below(p, name), below(first, name), x)
        x, state = x + inner.outputs["h"], state | named(name, inner.state)
    return Trace({"y": x}, state)


def stacked_skip(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Graves 2013: layer n reads x_t and h^{n-1}_t; above are all of them, here step by step, layer by layer."""
    state: dict[str, dict[str, Array]] = {f"h[{n}]": below(first, f"h[{n}]") for n in range(1, 1 + layers(p))}
    y = []
    for x_t in x:
        outputs: list[Array] = []
        for name in state:
            inner = lstm(below(p, name), state[name], np.concatenate([x_t, *outputs[-1:]])[None])
            state[name] = inner.state
            outputs.append(inner.outputs["h"][0])
        y.append(np.concatenate(outputs))
    return Trace({"y": np.array(y)}, {k: v for name, own in state.items() for k, v in named(name, own).items()})


def stacked(p: Arrays, first: Arrays, x: Array) -> Trace:
    """Layer n reads h^{n-1}_t."""
    state: dict[str, Array] = {}
    for layer in range(1, 1 + layers(p)):
        name = f"h[{layer}]"
        inner = lstm(below(p, name), below(first, name), x)
        x, state = inner.outputs["h"], state | named(name, inner.state)
    return Trace({"y": x}, state)


def fast_slow(p: Arrays, first: Arrays, x: Array) -> Trace:
    """h_F1 = f_F1(h_Fk[t-1], x), h_S = f_S(h_S[t-1], h_F1), h_F2 = f_F2(h_F1, h_S), h_Fi = f_Fi(h_Fi-1) for i > 2.

    f is an LSTM and h its state of two vectors, the output and the memory.
    """
    slow, units = below(first, "slow"), len(p["fast[1].b_i"])
    fast = {name: first.get(name, np.zeros(units)) for name in ("h", "c")}
    outputs = []
    for x_t in x:
        for i in range(1, 1 + layers(p)):
            read = x_t if i == 1 else slow["h"] if i == 2 else np.zeros(1)
            fast = plain_lstm(below(p, f"fast[{i}]"), fast, read[None]).state
            if i == 1:
                slow = plain_lstm(below(p, "slow"), slow, fast["h"][None]).state
        outputs.append(fast["h"])
    return Trace({"h": np.array(outputs)}, {**fast, **named("slow", slow)})


CASES = (
    Case("FSRNN", fast_slow, {"N": 4, "F": 3, "S": 2, "L": 3}),
    Case("Bidirectional", bidirectional, {"N": 4, "H": 3}, causal=False),
    Case("Residual", residual, {"N": 4, "L": 2}),
    Case("StackedSkip", stacked_skip, {"N": 4, "H": 3, "L": 3}),
    Case("Stacked", stacked, {"N": 4, "H": 5, "L": 2}),
)
