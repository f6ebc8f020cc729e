"""The four specs of the language's own page, and ways to spoil them: texts that the tests of the language share."""

from __future__ import annotations

from hypothesis import strategies as st

from recurrency.language.words import lex

LSTM = '''\
cell LSTM[N, H](x: [N]) -> (h: [H]) {
    """Long short-term memory with diagonal peepholes (Sak et al. 2014, eq. 1-6)."""

    param W_i, W_f, W_g, W_o : [H, N]  ~ glorot_uniform
    param U_i, U_f, U_g, U_o : [H, H]  ~ orthogonal
    param p_i, p_f, p_o      : [H]     ~ zeros
    param b_i, b_g, b_o      : [H]     ~ zeros
    param b_f                : [H]     ~ ones

    state c : [H] = 0
    state h : [H] = 0

    i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    c = f * c[t-1] + i * g
    o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    h = o * tanh(c)
}
'''

GATED_FEEDBACK = '''\
cell GatedFeedback[N, H, L = 3](x: [N]) -> (y: [L * H]) {
    """Gated-feedback RNN with tanh units (Chung et al. 2015)."""
    param W[1] : [H, N] ~ glorot_uniform
    param W[2..L] : [H, H] ~ glorot_uniform
    param U[1..L, 1..L] : [H, H] ~ orthogonal
    param w[1, 1..L] : [N] ~ glorot_uniform
    param w[2..L, 1..L] : [H] ~ glorot_uniform
    param u[1..L, 1..L] : [L * H] ~ glorot_uniform
    state h[1..L] : [H] = 0

    y    = concat(h[i] for i in 1..L)
    past = concat(h[i][t-1] for i in 1..L)
    for j in 1..L {
        below[j] = x if j == 1 else h[j-1]
        for i in 1..L { g[i, j] = sigmoid(dot(w[j, i], below[j]) + dot(u[i, j], past)) }
        h[j] = tanh(W[j] @ below[j] + sum(g[i, j] * (U[i, j] @ h[i][t-1]) for i in 1..L))
    }
}
'''

TRANSLATE = '''\
cell Translate[V, K, N = 256, H = 512, L = 2](src: index[V] over s, tgt: index[K]) -> (logits: [K]) {
    """Sequence to sequence with a reversed source (Sutskever et al. 2014)."""
    param E : [V, N] ~ uniform(0.08)
    param F : [K, N] ~ uniform(0.08)
    for l in 1..L {
        enc[l] = LSTM[H](reverse(embed(E, src)) if l == 1 else enc[l-1])
        dec[l] = LSTM[H](embed(F, tgt[t-1]) if l == 1 else dec[l-1])
                 from (h = last(enc[l].h), c = last(enc[l].c))
    }
    logits = Linear[K](dec[L])
    loss cross_entropy(logits, tgt)
}
'''

FIRST_ELEMENT = '''\
cell FirstElement[H, Cell = Elman](x: [1]) -> (y: [1]) {
    """The toy task of the README: remember the first of a sequence of bits."""
    y = sigmoid(Linear[1](Cell[H](x)))
    loss binary_cross_entropy(last(y), first(x))
}
'''

PAGE = {"LSTM": LSTM, "GatedFeedback": GATED_FEEDBACK, "Translate": TRANSLATE, "FirstElement": FIRST_ELEMENT}

PLAIN = """\
cell Plain[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    state h : [H] = 0
    BODY
    h = tanh(W @ x + h[t-1])
}
"""

PIECES = [str(word) for text in PAGE.values() for word in lex(text)] + [
    *["()", "[]", "{}", "=", "==", "..", ",", ".", ":", "~", '"', "\n", "\t", "#", "\x00", "²", "σ", "⊙"],
    '"""',
    "1e999",
    "-" * 120,
    "(" * 200,
    "x[" * 150,
]


def plain(*lines: str) -> str:
    """A small cell with the given lines among its equations."""
    return PLAIN.replace("BODY", "\n    ".join(lines))


@st.composite
def spoilt_specs(draw: st.DrawFn) -> str:
    """A valid spec after a few deletions, insertions and repetitions."""
    text = draw(st.sampled_from(list(PAGE.values())))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 30))
        kind = draw(st.sampled_from(["delete", "insert", "repeat"]))
        if kind == "delete":
            text = text[:at] + text[at + length :]
        elif kind == "insert":
            text = f"{text[:at]} {draw(st.sampled_from(PIECES))} {text[at:]}"
        else:
            text = text[:at] + text[max(0, at - 5 * length) :]
    return text


@st.composite
def relaid_specs(draw: st.DrawFn) -> str:
    """A valid spec with other white space between its words, and with comments."""
    random = draw(st.randoms(use_true_random=False))
    out, row = "", 1
    for word in lex(draw(st.sampled_from(list(PAGE.values())))):
        if (word.line or 1) > row:
            out += random.choice(["\n", "\n", "\n\n\n", "  # note\n", "\n  # note\n"]) + " " * random.randrange(9)
        else:
            out += random.choice([" ", " ", " ", "   ", "\n", "\n      ", " # why\n "])
        out += word
        row = word.end_line or 1
    return out
