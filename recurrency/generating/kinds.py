"""The kinds of output that can be generated: symbols, keys of a piano roll, steps of a pen, or of one with a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from recurrency.errors import UsageError
from recurrency.generating.choice import Choice, Dice, picked
from recurrency.generating.steps import Ahead, Array, Writer
from recurrency.graph.op import Fact, Trait
from recurrency.graph.roots import OUTPUT
from recurrency.training.tasks.measures import log_softmax

PEN = ("pi", "mu_1", "mu_2", "sigma_1", "sigma_2", "rho", "e")
"""The outputs of `MixtureDensity`."""

WINDOW = ("alpha", "beta", "kappa")
"""The outputs of a window on a text, behind those of the pen."""


@dataclass(frozen=True)
class Kind:
    """A kind of output: whether a model has it (`fits`), and how its next step is drawn.

    `draw(writer, outputs, choice, dice)` returns the steps [B, *shape] and their log-probabilities [B] under the model,
    at temperature 1. `over(ahead)` says which sequences [B] end before the next step.
    """

    name: str
    needs: str
    fits: Callable[[Writer], bool]
    draw: Callable[[Writer, Mapping[str, Array], Choice, Dice], tuple[Array, Array]]
    over: Callable[[Ahead], Array] | None = None


def _only(writer: Writer) -> tuple[str, tuple[int, ...]]:
    """The only output of a model and its shape; ("", (-1,)) if there are several."""
    (name, port), *more = writer.model.outputs.items()
    return (name, port.shape) if not more and port.index is None else ("", (-1,))


def _squashed(writer: Writer, by: Fact) -> bool:
    """Whether the output comes from an operation with this trait."""
    graph = writer.graph
    return by in graph[graph.roots[OUTPUT.of(_only(writer)[0])]].op.traits


def _number(array: Array) -> Array:
    return np.asarray(array, np.float64)


# -------------------------------------------------------------------------------------------------------------- symbols


def logits(writer: Writer, outputs: Mapping[str, Array], dtype: DTypeLike = np.float64) -> Array:
    """The logits [B, V] of the next symbol."""
    scores = np.asarray(outputs[_only(writer)[0]], dtype)
    if not _squashed(writer, Trait.DISTRIBUTION):
        return scores
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(scores))


def _symbols(writer: Writer, outputs: Mapping[str, Array], choice: Choice, dice: Dice) -> tuple[Array, Array]:
    scores = logits(writer, outputs)
    if choice.greedy:
        chosen = scores.argmax(1)
    else:
        chosen = picked(choice.log_probabilities(scores), dice.uniform(1)[:, 0])
    return chosen, log_softmax(scores)[np.arange(len(chosen)), chosen]


# ----------------------------------------------------------------------------------------------------------------- keys


def _keys(writer: Writer, outputs: Mapping[str, Array], choice: Choice, dice: Dice) -> tuple[Array, Array]:
    """Draws each key independently; a greedy choice takes the keys with a probability above 1/2."""
    p = _number(outputs[_only(writer)[0]])
    with np.errstate(divide="ignore"):
        scores = np.log(p) - np.log1p(-p)
    if choice.greedy:
        pressed = scores > 0
    else:
        pressed = dice.uniform(scores.shape[1]) < sigmoid(scores / choice.temperature)
    likely = -np.logaddexp(0, np.where(pressed, -scores, scores)).sum(1)
    return pressed.astype(writer.model.real), likely


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)), without overflow."""
    return np.asarray((1 + np.tanh(a / 2)) / 2)


# ------------------------------------------------------------------------------------------------------------------ pen


def _pen(writer: Writer, outputs: Mapping[str, Array], choice: Choice, dice: Dice) -> tuple[Array, Array]:
    """Draws a Gaussian, a point of it, and whether the pen is lifted there (Graves 2013, section 4.1).

    A temperature T divides the logits of the mixture and of the pen, and multiplies the variances (Ha & Eck 2017). A
    bias b multiplies the logits of the mixture by 1 + b, and the deviations by exp(-b) (Graves 2013, section 5.4).
    """
    with np.errstate(divide="ignore"):
        weights = np.log(_number(outputs["pi"]))
        lift = np.log(_number(outputs["e"])) - np.log1p(-_number(outputs["e"]))
    if choice.greedy:
        which, z, lifted = weights.argmax(1), np.zeros((dice.batch, 2)), lift > 0
    else:
        T, uniform = choice.temperature, dice.uniform(2)
        which = picked(log_softmax(weights * (1 + choice.bias) / T), uniform[:, 0])
        z = dice.normal(2) * np.sqrt(T) * np.exp(-choice.bias)
        lifted = uniform[:, 1:] < sigmoid(lift / T)
    rows = np.arange(dice.batch)
    mu_1, mu_2, sigma_1, sigma_2, rho = (_number(outputs[name])[rows, which] for name in PEN[1:6])
    first = mu_1 + sigma_1 * z[:, 0]
    second = mu_2 + sigma_2 * (rho * z[:, 0] + np.sqrt(1 - rho * rho) * z[:, 1])
    steps = np.stack([first, second, lifted[:, 0]], 1)
    return steps.astype(writer.model.real), np.full(dice.batch, np.nan)


def past(ahead: Ahead) -> Array:
    """Where the window is past the text: phi(U + 1) > phi(u) for all u from 1 to U (Graves 2013, section 5.3).

    phi(u) = sum_k alpha_k exp(-beta_k (kappa_k - u)^2), of the text `ahead.given` [U, B].
    """
    (text,) = ahead.given.values()
    alpha, beta, kappa = (_number(ahead.outputs[name])[:, None] for name in WINDOW)
    places = np.arange(1, len(text) + 2)[:, None]
    phi = (alpha * np.exp(-beta * np.square(kappa - places))).sum(2)
    return np.asarray((phi[:, -1:] > phi[:, :-1]).all(1))


# ---------------------------------------------------------------------------------------------------------------- table


def _is_pen(writer: Writer, more: tuple[str, ...] = ()) -> bool:
    shapes = [port.shape for port in writer.model.outputs.values()]
    if tuple(writer.model.outputs) != (*PEN, *more) or writer.port.shape != (3,):
        return False
    return shapes == [*shapes[:1] * 6, (1,), *shapes[7:8] * len(more)]


def _is_hand(writer: Writer) -> bool:
    return _is_pen(writer, WINDOW) and len(writer.sources) == 1


KINDS = (
    Kind(
        "symbols",
        "reads a symbol of V, index[V], and has one output [V]",
        lambda w: w.port.index is not None and _only(w)[1] == (w.port.index,),
        _symbols,
    ),
    Kind(
        "keys",
        "reads bits [N], and has one output [N], which is sigmoid(...)",
        lambda w: len(w.port.shape) == 1 and _only(w)[1] == w.port.shape and _squashed(w, Trait.LOGISTIC),
        _keys,
    ),
    Kind("pen", f"reads [3], and has the outputs of MixtureDensity ({', '.join(PEN)})", _is_pen, _pen),
    Kind(
        "hand",
        f"reads [3] and a text over another clock, and also has the outputs {', '.join(WINDOW)} of AttentionWindow",
        _is_hand,
        _pen,
        past,
    ),
)


def kind_of(writer: Writer) -> Kind:
    """The kind of output of a model.

    Raises:
        UsageError: it has no known kind; the message lists them.
    """
    for kind in KINDS:
        if kind.fits(writer):
            return kind
    known = "; ".join(f"{kind.name}: a spec that {kind.needs}" for kind in KINDS)
    raise UsageError(
        f"the output of {writer.model.spec.name} cannot be fed back as input. Kinds that can be generated: {known}"
    )


def require_symbols(kind: Kind, what: Any) -> None:
    """Check that a kind is symbols.

    Raises:
        UsageError: it is another one.
    """
    if kind.name != "symbols":
        raise UsageError(f"{what} is for models that generate symbols; this one generates {kind.name}")
