"""The functions that draw random numbers: noise for training, and samples that belong to a model."""

from __future__ import annotations

from collections.abc import Callable

from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant
from recurrency.language.diagnostics import NO_FINITE_VALUE
from recurrency.language.vocabulary.signatures import RANDOM, SAMPLES, Arguments, row
from recurrency.language.vocabulary.vectors import vector


def _random(a: Arguments, like: Type, law: str, p: float, rest: float | None, per: str) -> Value:
    """Random numbers like a value; outside of training all are `rest`, or random all the same if there is none."""
    type_ = like.with_shape(*like.shape)
    if like.kind is not Kind.STREAM:
        per = "sequence"  # it has no steps, so that one draw serves all of them
    elif per == "sequence":
        type_ = Type(Kind.SEQUENCE, like.shape)
    outside = {"always": True} if rest is None else {"rest": rest}
    attrs = {"type": type_, "site": a.site(), "law": law, "p": p, "per": per, **outside}
    return a.graph.add("random", [], attrs)


def _per(a: Arguments) -> str:
    """Whether there is a draw for each step, or one for all steps of a sequence."""
    return a.word("per", "step", ("step", "sequence"))


def _probability(a: Arguments, position: int) -> float:
    p = a.number(position)
    if not 0 <= p < 1:
        a.fail(NO_FINITE_VALUE, f"a probability of {p:g} is not between 0 and 1", position=position)
    return p


def _dropout(a: Arguments) -> Value:
    x, p, per = a.value(0), _probability(a, 1), _per(a)
    return x * _random(a, x.type, "keep", p, 1.0, per)


def _zoneout(a: Arguments) -> Value:
    new, old, p, per = a.value(0), a.value(1), _probability(a, 2), _per(a)
    keep = _random(a, new.type, "bernoulli", p, p, per)
    return keep * old + (1.0 - keep) * new


def _normal(rest: float | None) -> Callable[[Arguments], Value]:
    """`mean + std * e`: the gradient flows into the mean and, unless it is a number, into the deviation."""

    def lower(a: Arguments) -> Value:
        x, per = a.value(0), _per(a)
        if a.known(1):
            return x + _random(a, x.type, "normal", a.number(1), rest, per)
        std = a.value(1)
        return x + std * _random(a, x.apply("add", std).type, "normal", 1.0, rest, per)

    return lower


def _gumbel(a: Arguments) -> Value:
    x = a.value(0)
    return x + _random(a, x.type, "gumbel", 1.0, None, _per(a))


def _categorical(a: Arguments) -> Value:
    """The place of the greatest of x + Gumbel noise follows softmax(x) (Maddison et al. 2017)."""
    x = vector(a)
    chosen = constant(a.graph, 1.0).put(_gumbel(a).apply("argmax"), x.type.shape[0])
    return chosen.apply("stop_grad").with_slope(x.apply("softmax"), 1.0)


PER = ("per",)
row(
    RANDOM,
    "dropout(x, p)",
    "each element 0 with probability p, else x / (1 - p); `per = sequence` keeps one mask for all steps",
    _dropout,
    2,
    keywords=PER,
)
row(
    RANDOM,
    "zoneout(new, old, p)",
    "each element old with probability p, else new; outside training their mean (Krueger et al. 2017)",
    _zoneout,
    3,
    keywords=PER,
)
row(
    RANDOM,
    "noise(x, std)",
    "x plus normal noise of this standard deviation, which may be learned",
    _normal(0.0),
    2,
    keywords=PER,
)
row(
    SAMPLES,
    "sample(mean, std)",
    "a draw from N(mean, std^2), as mean + std * N(0, 1): its gradient flows into both (Kingma & Welling 2014)",
    _normal(None),
    2,
    keywords=PER,
)
row(
    SAMPLES,
    "gumbel(x)",
    "x plus standard Gumbel noise; softmax(gumbel(x) / c) is a soft choice (Jang et al. 2017)",
    _gumbel,
    keywords=PER,
)
row(
    SAMPLES,
    "categorical(x)",
    "a draw from softmax(x) as a one-hot vector; its gradient is that of softmax(x) (Bengio et al. 2013)",
    _categorical,
    keywords=PER,
)
