import threading
from sys import getrefcount

import numpy as np
from numpy import add, arange, asarray, divide, dot, empty, exp, full, multiply, negative, prod, subtract, zeros

real = np.float32
one = real(1.0)


def forward_kept(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (h_default_, product_, product_part_, z_, h_rows_, h_, c_, h_multiply_, h_before_, each_step_,
            final_) = cached(forward_kept_memory, T, B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    h_start_ = given.get('start:h')  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    h_start_ = h_default_ if h_start_ is None else asarray(h_start_, real)
    x_ = asarray(given['x'], real)  # diagonal.rnn:61 cell MinGRU[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_h_W_z_ = view(params[0:24], (8, 3))
    dot(x_.reshape((T * B, 3)), W_h_W_z_.T, view(product_, (T * B, 8)))  # diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    b_h_b_z_ = view(params[24:32], (8,))
    add(product_, b_h_b_z_, product_)
    if ragged:
        product_[padding] = 0
    negative(product_part_, z_)
    exp(z_, z_)
    add(z_, one, z_)
    divide(one, z_, z_)
    if ragged:
        z_[padding] = 0
    subtract(1.0, z_, h_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    multiply(z_, c_, h_multiply_)
    h_rows_[0] = h_start_
    for h_t_, h_before_t_, h_multiply_t_ in each_step_:
        multiply(h_t_, h_before_t_, h_t_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        add(h_t_, h_multiply_t_, h_t_)
    if ragged:
        h_[padding] = 0
    final(h_, (h_start_,), 0, n, ragged, final_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    return {
        'output:h': read_only(h_),
        'final:h': final_.copy(),
        'tape:0': z_.view(),
        'tape:1': c_.view(),
        'tape:2': h_before_.view(),
    }


def forward_kept_memory(T, B):
    """The buffers of `forward_kept` for these numbers of steps and sequences, and views of them."""
    tape = Arena(prod((T, B, 8)), prod((T, B, 4)))
    outputs = Arena(prod((T + 1, B, 4)))
    h_default_ = full((B, 4), 0, real)
    product_ = tape.array((T, B, 8))
    product_part_ = product_[:, :, 4:8]
    z_ = tape.array((T, B, 4))
    h_rows_ = outputs.array((T + 1, B, 4))
    h_ = h_rows_[1:1 + T]
    c_ = product_[:, :, 0:4]
    h_multiply_ = empty((T, B, 4), real)
    h_before_ = h_rows_[:T]
    each_step_ = step_views(h_, h_before_, h_multiply_)
    final_ = empty((B, 4), real)
    return (tape.memory, outputs.memory), (h_default_, product_, product_part_, z_, h_rows_, h_, c_, h_multiply_,
            h_before_, each_step_, final_)


def backward(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (if_length_, d_h_, h_subtract_, z_multiply_, each_step_, pick_, concat_, d_c_, d_z_, concat_part_, d_x_,
            ones_) = cached(backward_memory, T, B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    gradient = empty(32, real)
    d_final_h_ = asarray(given['d:final:h'], real)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    if_length_[...] = d_final_h_
    if_length_[n != 0] = 0
    d_output_h_ = asarray(given['d:output:h'], real)
    if ragged:
        d_output_h_ = fill_padding(d_output_h_, padding, 0)
    z_ = asarray(given['tape:0'], real)  # diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    c_ = asarray(given['tape:1'], real)  # diagonal.rnn:70 c = W_h @ x + b_h
    tape_2_ = asarray(given['tape:2'], real)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    x_ = asarray(given['x'], real)  # diagonal.rnn:61 cell MinGRU[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    place(d_final_h_, -1, n, d_h_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    add(d_output_h_, d_h_, d_h_)
    subtract(1.0, z_, h_subtract_)
    multiply(z_, h_subtract_, z_multiply_)  # diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    for (d_h_t_, h_subtract_after_t_, h_subtract_t_), padding_t_ in zip(each_step_,
            (padding if ragged else [None] * T)[::-1]):
        add(d_h_t_, h_subtract_after_t_, d_h_t_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        multiply(d_h_t_, h_subtract_t_, h_subtract_t_)
        if ragged:
            h_subtract_t_[padding_t_] = 0
    pick(h_subtract_, 1, n, ragged, 0, pick_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    add(if_length_, pick_, if_length_)
    multiply(d_h_, z_, d_c_)
    multiply(d_h_, c_, d_z_)
    multiply(d_h_, tape_2_, d_h_)
    subtract(d_z_, d_h_, d_z_)  # diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    multiply(d_z_, z_multiply_, concat_part_)
    if ragged:
        concat_[padding] = 0
    W_h_W_z_ = view(params[0:24], (8, 3))
    dot(view(concat_, (T * B, 8)), W_h_W_z_, view(d_x_, (T * B, 3)))
    if ragged:
        d_x_[padding] = 0
    d_b_h_b_z_ = view(gradient[24:32], (8,))
    dot(ones_, concat_.reshape(T * B, 8), d_b_h_b_z_)
    d_W_h_W_z_ = view(gradient[0:24], (8, 3))
    dot(view(concat_, (T * B, 8)).T, x_.reshape((T * B, 3)), d_W_h_W_z_)
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
    h_subtract_rows_ = zeros((T + 1, B, 4), real)
    h_subtract_ = h_subtract_rows_[:T]
    z_multiply_ = empty((T, B, 4), real)
    h_subtract_after_ = h_subtract_rows_[1:1 + T]
    each_step_ = step_views(d_h_[::-1], h_subtract_after_[::-1], h_subtract_[::-1])
    pick_ = empty((B, 4), real)
    concat_ = empty((T, B, 8), real)
    d_c_ = concat_[:, :, 0:4]
    d_z_ = empty((T, B, 4), real)
    concat_part_ = concat_[:, :, 4:8]
    d_x_ = outputs.array((T, B, 3))
    ones_ = full((T * B,), 1.0, real)
    return (outputs.memory,), (if_length_, d_h_, h_subtract_, z_multiply_, each_step_, pick_, concat_, d_c_, d_z_,
            concat_part_, d_x_, ones_)
