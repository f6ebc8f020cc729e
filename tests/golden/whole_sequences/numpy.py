import threading
from sys import getrefcount

import numpy as np
from numpy import (add, arange, asarray, divide, dot, empty, exp, full, logaddexp, maximum, multiply, negative,
        subtract, tanh, zeros)

real = np.float32
one = real(1.0)


def loss_gradients(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (batch_, divide_, h_default_, h_rows_, h_, h_before_, product_, each_step_, pick_, final_, sigmoid_, divide_part_,
            negative_, sigmoid_2_, sum_, sum_batch_, d_h_, h_multiply_, each_step_2_) = cached(loss_gradients_memory, T,
            B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    gradient = empty(15, real)
    batch_[...] = B  # small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    maximum(batch_, 1.0, out=batch_)
    divide(1.0, batch_, divide_)
    multiply(divide_, 0.5, divide_)
    h_start_ = given.get('start:h')  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    h_start_ = h_default_ if h_start_ is None else asarray(h_start_, real)
    x_ = asarray(given['x'], real)  # small.rnn:2 cell Whole[N, H](x: [N]) -> (y: [H], start: [N], mean: [H], z: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_ = view(params[0:6], (3, 2))
    dot(x_.reshape((T * B, 2)), W_.T, view(h_, (T * B, 3)))  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    h_rows_[0] = h_start_
    U_ = view(params[6:15], (3, 3))
    U_T_ = U_.T
    for h_before_t_, h_t_ in each_step_:
        dot(h_before_t_, U_T_, product_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
        add(h_t_, product_, h_t_)
        tanh(h_t_, h_t_)
    pick(h_, -1, n, ragged, 0, pick_)  # small.rnn:7 y = sigmoid(last(h))
    final(h_, (h_start_,), 0, n, ragged, final_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    negative(pick_, sigmoid_)  # small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    exp(sigmoid_, sigmoid_)
    add(sigmoid_, one, sigmoid_)
    divide(one, sigmoid_, sigmoid_)
    multiply(divide_part_, sigmoid_, sigmoid_)
    negative(pick_, negative_)
    negative(negative_, sigmoid_2_)
    exp(sigmoid_2_, sigmoid_2_)
    add(sigmoid_2_, one, sigmoid_2_)
    divide(one, sigmoid_2_, sigmoid_2_)
    multiply(divide_part_, sigmoid_2_, sigmoid_2_)
    subtract(sigmoid_, sigmoid_2_, sigmoid_)  # small.rnn:7 y = sigmoid(last(h))
    logaddexp(negative_, 0.0, negative_)  # small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    multiply(0.5, negative_, negative_)
    logaddexp(pick_, 0.0, pick_)
    multiply(0.5, pick_, pick_)
    add(negative_, pick_, negative_)
    add.reduce(negative_, (1,), None, sum_)
    add.reduce(sum_, 0, None, sum_batch_)
    divide(sum_batch_, batch_, sum_batch_)
    if ragged:
        h_[padding] = 0
    place(sigmoid_, -1, n, d_h_)  # small.rnn:7 y = sigmoid(last(h))
    multiply(h_, h_, h_multiply_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    subtract(1.0, h_multiply_, h_multiply_)
    for (d_h_t_, product_after_t_, h_multiply_t_, product_2_t_), padding_t_ in zip(each_step_2_,
            (padding if ragged else [None] * T)[::-1]):
        add(d_h_t_, product_after_t_, d_h_t_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
        multiply(d_h_t_, h_multiply_t_, d_h_t_)
        dot(d_h_t_, U_, product_2_t_)
        if ragged:
            product_2_t_[padding_t_] = 0
    if ragged:
        d_h_[padding] = 0
    d_U_ = view(gradient[6:15], (3, 3))
    dot(view(d_h_, (T * B, 3)).T, view(h_before_, (T * B, 3)), d_U_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    d_W_ = view(gradient[0:6], (3, 2))
    dot(view(d_h_, (T * B, 3)).T, x_.reshape((T * B, 2)), d_W_)
    return {
        'gradient': gradient,
        'final:h': final_.copy(),
        'loss': sum_batch_.copy(),
    }


def loss_gradients_memory(T, B):
    """The buffers of `loss_gradients` for these numbers of steps and sequences, and views of them."""
    batch_ = empty((), real)
    divide_ = empty((), real)
    h_default_ = full((B, 3), 0, real)
    h_rows_ = zeros((T + 1, B, 3), real)
    h_ = h_rows_[1:1 + T]
    h_before_ = h_rows_[:T]
    product_ = empty((B, 3), real)
    each_step_ = step_views(h_before_, h_)
    pick_ = empty((B, 3), real)
    final_ = empty((B, 3), real)
    sigmoid_ = empty((B, 3), real)
    divide_part_ = expand(divide_, 0, (0,), (3, ))
    negative_ = empty((B, 3), real)
    sigmoid_2_ = empty((B, 3), real)
    sum_ = empty((B,), real)
    sum_batch_ = divide_
    d_h_ = empty((T, B, 3), real)
    h_multiply_ = empty((T, B, 3), real)
    product_rows_ = zeros((T + 1, B, 3), real)
    product_after_ = product_rows_[1:1 + T]
    product_2_ = product_rows_[:T]
    each_step_2_ = step_views(d_h_[::-1], product_after_[::-1], h_multiply_[::-1], product_2_[::-1])
    return (), (batch_, divide_, h_default_, h_rows_, h_, h_before_, product_, each_step_, pick_, final_, sigmoid_,
            divide_part_, negative_, sigmoid_2_, sum_, sum_batch_, d_h_, h_multiply_, each_step_2_)
