import threading
from sys import getrefcount

import numpy as np
from numpy import add, arange, asarray, divide, dot, empty, exp, full, multiply, negative, prod, subtract, tanh, zeros

real = np.float32
one = real(1.0)


def forward_kept(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (h_default_, product_, h_rows_, h_before_, product_2_, z_r_, c_multiply_, h_subtract_, product_3_, c_, h_multiply_,
            h_, each_step_, final_) = cached(forward_kept_memory, T, B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    h_start_ = given.get('start:h')  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    h_start_ = h_default_ if h_start_ is None else asarray(h_start_, real)
    x_ = asarray(given['x'], real)  # gru.rnn:52 cell GRU[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_z_W_r_W_c_ = view(params[0:36], (12, 3))
    dot(x_.reshape((T * B, 3)), W_z_W_r_W_c_.T, view(product_, (T * B, 12)))  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    b_z_b_r_b_c_ = view(params[36:48], (12,))
    add(product_, b_z_b_r_b_c_, product_)
    h_rows_[0] = h_start_
    U_z_U_r_ = view(params[48:80], (8, 4))
    U_z_U_r_T_ = U_z_U_r_.T
    U_c_ = view(params[80:96], (4, 4))
    U_c_T_ = U_c_.T
    for (h_before_t_, product_part_t_, z_r_t_, r_t_, c_multiply_t_, z_t_, product_part_2_t_, c_t_, h_t_) in each_step_:
        dot(h_before_t_, U_z_U_r_T_, product_2_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        add(product_part_t_, product_2_, product_2_)
        negative(product_2_, z_r_t_)
        exp(z_r_t_, z_r_t_)
        add(z_r_t_, one, z_r_t_)
        divide(one, z_r_t_, z_r_t_)
        multiply(r_t_, h_before_t_, c_multiply_t_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        subtract(1.0, z_t_, h_subtract_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
        multiply(h_subtract_, h_before_t_, h_subtract_)
        dot(c_multiply_t_, U_c_T_, product_3_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        add(product_part_2_t_, product_3_, product_3_)
        tanh(product_3_, c_t_)
        multiply(z_t_, c_t_, h_multiply_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
        add(h_subtract_, h_multiply_, h_t_)
    if ragged:
        c_[padding] = 0
        c_multiply_[padding] = 0
        z_r_[padding] = 0
        h_[padding] = 0
    final(h_, (h_start_,), 0, n, ragged, final_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    return {
        'output:h': read_only(h_),
        'final:h': final_.copy(),
        'tape:0': h_before_.view(),
        'tape:1': z_r_.view(),
        'tape:2': c_multiply_.view(),
        'tape:3': c_.view(),
    }


def forward_kept_memory(T, B):
    """The buffers of `forward_kept` for these numbers of steps and sequences, and views of them."""
    tape = Arena(prod((T, B, 8)), prod((T, B, 4)), prod((T, B, 4)))
    outputs = Arena(prod((T + 1, B, 4)))
    h_default_ = full((B, 4), 0, real)
    product_ = empty((T, B, 12), real)
    h_rows_ = outputs.array((T + 1, B, 4))
    h_before_ = h_rows_[:T]
    product_2_ = empty((B, 8), real)
    product_part_ = product_[:, :, 0:8]
    z_r_ = tape.array((T, B, 8))
    r_ = z_r_[:, :, 4:8]
    c_multiply_ = tape.array((T, B, 4))
    z_ = z_r_[:, :, 0:4]
    h_subtract_ = empty((B, 4), real)
    product_3_ = empty((B, 4), real)
    product_part_2_ = product_[:, :, 8:12]
    c_ = tape.array((T, B, 4))
    h_multiply_ = product_3_
    h_ = h_rows_[1:1 + T]
    each_step_ = step_views(h_before_, product_part_, z_r_, r_, c_multiply_, z_, product_part_2_, c_, h_)
    final_ = empty((B, 4), real)
    return (tape.memory, outputs.memory), (h_default_, product_, h_rows_, h_before_, product_2_, z_r_, c_multiply_,
            h_subtract_, product_3_, c_, h_multiply_, h_, each_step_, final_)


def backward(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (if_length_, c_multiply_, h_subtract_, d_h_, z_subtract_, concat_, concat_part_, h_multiply_, concat_2_, d_z_,
            product_, c_multiply_2_, d_r_, concat_part_2_, product_2_, z_add_, each_step_, pick_, d_x_,
            ones_) = cached(backward_memory, T, B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    gradient = empty(96, real)
    d_final_h_ = asarray(given['d:final:h'], real)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    if_length_[...] = d_final_h_
    if_length_[n != 0] = 0
    z_r_ = asarray(given['tape:1'], real)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    c_ = asarray(given['tape:3'], real)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    d_output_h_ = asarray(given['d:output:h'], real)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    if ragged:
        d_output_h_ = fill_padding(d_output_h_, padding, 0)
    tape_0_ = asarray(given['tape:0'], real)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    tape_2_ = asarray(given['tape:2'], real)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    x_ = asarray(given['x'], real)  # gru.rnn:52 cell GRU[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    multiply(c_, c_, c_multiply_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    subtract(1.0, c_multiply_, c_multiply_)
    z_ = z_r_[:, :, 0:4]
    multiply(z_, c_multiply_, c_multiply_)
    subtract(1.0, z_, h_subtract_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    place(d_final_h_, -1, n, d_h_)
    add(d_output_h_, d_h_, d_h_)
    subtract(1.0, z_r_, z_subtract_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    multiply(z_r_, z_subtract_, z_subtract_)
    U_c_ = view(params[80:96], (4, 4))
    r_ = z_r_[:, :, 4:8]
    U_z_U_r_ = view(params[48:80], (8, 4))
    for ((d_h_t_, z_add_after_t_, c_multiply_t_, concat_part_t_, h_subtract_t_, z_subtract_t_, concat_part_2_t_,
            z_add_t_), c_t_, tape_0_t_, r_t_, padding_t_) in zip(each_step_, c_[::-1], tape_0_[::-1], r_[::-1],
            (padding if ragged else [None] * T)[::-1]):
        add(d_h_t_, z_add_after_t_, d_h_t_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
        multiply(c_multiply_t_, d_h_t_, concat_part_t_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        multiply(d_h_t_, h_subtract_t_, h_subtract_t_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
        multiply(d_h_t_, c_t_, h_multiply_)
        multiply(d_h_t_, tape_0_t_, d_h_t_)
        subtract(h_multiply_, d_h_t_, d_z_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        dot(concat_part_t_, U_c_, product_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        multiply(product_, r_t_, c_multiply_2_)
        add(c_multiply_2_, h_subtract_t_, c_multiply_2_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        multiply(product_, tape_0_t_, d_r_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        multiply(z_subtract_t_, concat_2_, concat_part_2_t_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        dot(concat_part_2_t_, U_z_U_r_, product_2_)
        add(c_multiply_2_, product_2_, z_add_t_)
        if ragged:
            z_add_t_[padding_t_] = 0
    pick(z_add_, 1, n, ragged, 0, pick_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    add(if_length_, pick_, if_length_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    if ragged:
        concat_part_[padding] = 0
        concat_part_2_[padding] = 0
        concat_[padding] = 0
    W_z_W_r_W_c_ = view(params[0:36], (12, 3))
    dot(view(concat_, (T * B, 12)), W_z_W_r_W_c_, view(d_x_, (T * B, 3)))  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    if ragged:
        d_x_[padding] = 0
    d_U_c_ = view(gradient[80:96], (4, 4))
    dot(view(concat_part_, (T * B, 4)).T, tape_2_.reshape((T * B, 4)), d_U_c_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    d_U_z_U_r_ = view(gradient[48:80], (8, 4))
    dot(view(concat_part_2_, (T * B, 8)).T, tape_0_.reshape((T * B, 4)), d_U_z_U_r_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    d_b_z_b_r_b_c_ = view(gradient[36:48], (12,))
    dot(ones_, concat_.reshape(T * B, 12), d_b_z_b_r_b_c_)
    d_W_z_W_r_W_c_ = view(gradient[0:36], (12, 3))
    dot(view(concat_, (T * B, 12)).T, x_.reshape((T * B, 3)), d_W_z_W_r_W_c_)
    return {
        'gradient': gradient,
        'gradient:input:x': d_x_.view(),
        'gradient:start:h': if_length_.copy(),
    }


def backward_memory(T, B):
    """The buffers of `backward` for these numbers of steps and sequences, and views of them."""
    outputs = Arena(prod((T, B, 3)))
    if_length_ = empty((B, 4), real)
    c_multiply_ = empty((T, B, 4), real)
    h_subtract_ = empty((T, B, 4), real)
    d_h_ = empty((T, B, 4), real)
    z_subtract_ = empty((T, B, 8), real)
    z_add_rows_ = zeros((T + 1, B, 4), real)
    z_add_after_ = z_add_rows_[1:1 + T]
    concat_ = empty((T, B, 12), real)
    concat_part_ = concat_[:, :, 8:12]
    h_multiply_ = empty((B, 4), real)
    concat_2_ = empty((B, 8), real)
    d_z_ = concat_2_[:, 0:4]
    product_ = h_multiply_
    c_multiply_2_ = empty((B, 4), real)
    d_r_ = concat_2_[:, 4:8]
    concat_part_2_ = concat_[:, :, 0:8]
    product_2_ = h_multiply_
    z_add_ = z_add_rows_[:T]
    each_step_ = step_views(d_h_[::-1], z_add_after_[::-1], c_multiply_[::-1], concat_part_[::-1], h_subtract_[::-1],
            z_subtract_[::-1], concat_part_2_[::-1], z_add_[::-1])
    pick_ = empty((B, 4), real)
    d_x_ = outputs.array((T, B, 3))
    ones_ = full((T * B,), 1.0, real)
    return (outputs.memory,), (if_length_, c_multiply_, h_subtract_, d_h_, z_subtract_, concat_, concat_part_,
            h_multiply_, concat_2_, d_z_, product_, c_multiply_2_, d_r_, concat_part_2_, product_2_, z_add_, each_step_,
            pick_, d_x_, ones_)
