import threading
from sys import getrefcount

import numpy as np
from numpy import add, arange, asarray, dot, einsum, empty, full, multiply, prod, subtract, tanh, zeros

real = np.float32


def forward_kept(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (h_default_, h_rows_, h_, h_before_, product_, each_step_, final_) = cached(forward_kept_memory, T, B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    h_start_ = given.get('start:h')  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    h_start_ = h_default_ if h_start_ is None else asarray(h_start_, real)
    x_ = asarray(given['x'], real)  # simple.rnn:51 cell Elman[N, H, squash = tanh](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_ = view(params[4:16], (4, 3))
    dot(x_.reshape((T * B, 3)), W_.T, view(h_, (T * B, 4)))  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    b_ = view(params[0:4], (4,))
    add(b_, h_, h_)
    h_rows_[0] = h_start_
    U_ = view(params[16:32], (4, 4))
    U_T_ = U_.T
    for h_before_t_, h_t_ in each_step_:
        dot(h_before_t_, U_T_, product_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        add(h_t_, product_, h_t_)
        tanh(h_t_, h_t_)
    if ragged:
        h_[padding] = 0
    final(h_, (h_start_,), 0, n, ragged, final_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    return {
        'output:h': read_only(h_),
        'final:h': final_.copy(),
        'tape:0': h_before_.view(),
        'tape:1': h_.view(),
    }


def forward_kept_memory(T, B):
    """The buffers of `forward_kept` for these numbers of steps and sequences, and views of them."""
    outputs = Arena(prod((T + 1, B, 4)))
    h_default_ = full((B, 4), 0, real)
    h_rows_ = outputs.array((T + 1, B, 4))
    h_ = h_rows_[1:1 + T]
    h_before_ = h_rows_[:T]
    product_ = empty((B, 4), real)
    each_step_ = step_views(h_before_, h_)
    final_ = empty((B, 4), real)
    return (outputs.memory,), (h_default_, h_rows_, h_, h_before_, product_, each_step_, final_)


def backward(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (if_length_, d_h_, h_multiply_, h_multiply_2_, product_, each_step_, pick_, d_x_) = cached(backward_memory, T, B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    gradient = empty(32, real)
    d_final_h_ = asarray(given['d:final:h'], real)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    if_length_[...] = d_final_h_
    if_length_[n != 0] = 0
    d_output_h_ = asarray(given['d:output:h'], real)
    if ragged:
        d_output_h_ = fill_padding(d_output_h_, padding, 0)
    h_ = asarray(given['tape:1'], real)
    tape_0_ = asarray(given['tape:0'], real)
    x_ = asarray(given['x'], real)  # simple.rnn:51 cell Elman[N, H, squash = tanh](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    place(d_final_h_, -1, n, d_h_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    add(d_output_h_, d_h_, d_h_)
    multiply(h_, h_, h_multiply_)
    subtract(1.0, h_multiply_, h_multiply_)
    if ragged:
        h_multiply_[padding] = 0
    U_ = view(params[16:32], (4, 4))
    for (d_h_t_, product_after_t_, h_multiply_t_, h_multiply_2_t_, product_t_), padding_t_ in zip(each_step_,
            (padding if ragged else [None] * T)[::-1]):
        add(d_h_t_, product_after_t_, d_h_t_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        multiply(d_h_t_, h_multiply_t_, h_multiply_2_t_)
        dot(h_multiply_2_t_, U_, product_t_)
        if ragged:
            product_t_[padding_t_] = 0
    pick(product_, 1, n, ragged, 0, pick_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    add(if_length_, pick_, if_length_)
    if ragged:
        h_multiply_2_[padding] = 0
        d_h_[padding] = 0
    W_ = view(params[4:16], (4, 3))
    dot(view(h_multiply_2_, (T * B, 4)), W_, view(d_x_, (T * B, 3)))
    if ragged:
        d_x_[padding] = 0
    d_U_ = view(gradient[16:32], (4, 4))
    dot(view(h_multiply_2_, (T * B, 4)).T, tape_0_.reshape((T * B, 4)), d_U_)
    d_W_ = view(gradient[4:16], (4, 3))
    dot(view(h_multiply_2_, (T * B, 4)).T, x_.reshape((T * B, 3)), d_W_)
    d_b_ = view(gradient[0:4], (4,))
    einsum("TBa,TBa->a", d_h_, h_multiply_, out=d_b_)
    return {
        'gradient': gradient,
        'gradient:input:x': d_x_.view(),
        'gradient:start:h': if_length_.copy(),
    }


def backward_memory(T, B):
    """The buffers of `backward` for these numbers of steps and sequences, and views of them."""
    outputs = Arena(prod((T, B, 3)))
    if_length_ = empty((B, 4), real)
    d_h_ = empty((T, B, 4), real)
    h_multiply_ = empty((T, B, 4), real)
    product_rows_ = zeros((T + 1, B, 4), real)
    product_after_ = product_rows_[1:1 + T]
    h_multiply_2_ = empty((T, B, 4), real)
    product_ = product_rows_[:T]
    each_step_ = step_views(d_h_[::-1], product_after_[::-1], h_multiply_[::-1], h_multiply_2_[::-1], product_[::-1])
    pick_ = empty((B, 4), real)
    d_x_ = outputs.array((T, B, 3))
    return (outputs.memory,), (if_length_, d_h_, h_multiply_, h_multiply_2_, product_, each_step_, pick_, d_x_)
