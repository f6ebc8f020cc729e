"""Mistakes in what the Python backends write: their tables of statements, helpers, and products."""

from __future__ import annotations

from dataclasses import replace

from tests.planted import CASE, FULL, LARGE, TRAINING, Plant

NUMPY = "recurrency.backends.numpy.ops:ELEMENTWISE"
HELPERS = "recurrency.backends.numpy.helpers:HELPERS"
TORCH = "recurrency.backends.torch.ops:"
SHARED = "recurrency.backends.python."

TWO = replace(CASE, steps={"t": 4, "s": 3}, lengths={"t": (4, 2), "s": (3, 1)})

ROWS = (
    Plant("another function", NUMPY + "[softplus]", "logaddexp({0}, 0.0", "logaddexp({0}, 1.0",
          "y = softplus(z)", "op softplus"),
    Plant("swapped operands", NUMPY + "[subtract]", "{0}, {1}", "{1}, {0}",
          "param b : [H] ~ ones\ny = z - b", "op subtract"),
    Plant("a statement too few", NUMPY + "[sigmoid]", "add({out}, one", "add({out}, 0.0",
          "y = sigmoid(z)", "op sigmoid"),
    Plant("an end that is off by one", HELPERS + "[reverse]", "lengths - 1 - np.arange", "lengths - np.arange",
          "y = z * reverse(z)", "op reverse"),
    Plant("sequences that count as full", HELPERS + "[pick]", "if not ragged and", "if True or",
          "y = z * last(z)", "op pick"),
    Plant("a missing first value", HELPERS + "[final]", "= first[at ==", "= 0.0 * first[at ==",
          "state h : [H] ~ ones\nh = sin(h[t-1]) + z\ny = h", "op final",
          case=replace(CASE, lengths={"t": (4, 0)})),
    Plant("a softmax that overflows", HELPERS + "[softmax]", "np.subtract(x, peak, out)", "out[...] = x",
          "y = softmax(40 * z)", "op softmax", case=LARGE),
    Plant("padding that counts in a softmax", HELPERS + "[softmax]", "np.where(padding, -np.inf, x)", "x",
          "y = attend(z, z2, z2)", "op softmax", case=TWO,
          head="cell Main[N, H](x: [N], z: [H], z2: [H] over s) -> (y: [H])"),
    Plant("a constant of the generator", HELPERS + "[random]", "0xD2511F53", "0xD2511F55",
          "y = dropout(z, 0.5)", "op random", case=TRAINING),
    Plant("the number of rounds of the generator", HELPERS + "[random]", "range(10)", "range(9)",
          "y = noise(z, 0.5)", "op random", case=TRAINING),
    Plant("no symbol that is symbol 0", HELPERS + "[take]", "if missing.any()", "if False",
          "param E : [N, H] ~ ones\ny = z * embed(E, w[t-1])", "op take", case=FULL,
          head="cell Main[N, H](x: [N], z: [H], w: index[N]) -> (y: [H])"),
    Plant("a sum into one row only", HELPERS + "[scatter_add]", "sums[1:] != sums[:-1]", "sums[1:] > sums[:-1] + 9",
          "param E : [N, H] ~ ones\ny = z * embed(E, w)", "(op sum_batch|schedule sums)", "backward", case=FULL,
          head="cell Main[N, H](x: [N], z: [H], w: index[N]) -> (y: [H])"),
    Plant("a matrix that is not turned around", SHARED + "products:Product._matrix", "rows)}.T", "rows)}",
          "param U : [H, H] ~ ones\ny = U @ z", "op product"),
    Plant("another function in torch", TORCH + "ELEMENTWISE[minimum]", "minimum", "maximum",
          "param b : [H] ~ ones\ny = min(z, b)", "op minimum", backend="torch"),
    Plant("a sign in torch", TORCH + "ELEMENTWISE[cos]", "cos(", "sin(", "y = cos(z)", "op cos", backend="torch"),
)  # fmt: skip
