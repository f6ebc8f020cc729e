import threading
from sys import getrefcount

import numpy as np
from numpy import (add, arange, asarray, divide, dot, einsum, empty, exp, full, multiply, negative, prod, subtract,
        tanh, zeros)

real = np.float32
one = real(1.0)


def forward_kept(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (h_default_, c_default_, product_, h_rows_, c_rows_, h_before_, product_2_, c_before_, f_multiply_, concat_,
            concat_part_, i_multiply_, concat_part_2_, g_, f_i_, c_multiply_, c_multiply_2_, c_, h_tanh_, o_multiply_,
            o_, h_, each_step_, final_, final_2_) = cached(forward_kept_memory, T, B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    h_start_ = given.get('start:h')  # lstm.rnn:83 h = o * tanh(c)
    h_start_ = h_default_ if h_start_ is None else asarray(h_start_, real)
    c_start_ = given.get('start:c')  # lstm.rnn:81 c = f * c[t-1] + i * g
    c_start_ = c_default_ if c_start_ is None else asarray(c_start_, real)
    x_ = asarray(given['x'], real)  # lstm.rnn:66 cell LSTM[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_f_W_i_W_g_W_o_ = view(params[0:48], (16, 3))
    dot(x_.reshape((T * B, 3)), W_f_W_i_W_g_W_o_.T, view(product_, (T * B, 16)))  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    b_f_b_i_b_g_b_o_ = view(params[48:64], (16,))
    add(b_f_b_i_b_g_b_o_, product_, product_)
    h_rows_[0] = h_start_  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    c_rows_[0] = c_start_
    U_f_U_i_U_g_U_o_ = view(params[64:128], (16, 4))
    U_f_U_i_U_g_U_o_T_ = U_f_U_i_U_g_U_o_.T
    p_f_ = view(params[128:132], (4,))
    p_i_ = view(params[132:136], (4,))
    p_o_ = view(params[136:140], (4,))
    for (h_before_t_, product_t_, c_before_t_, product_part_t_, product_part_2_t_, product_part_3_t_, g_t_, f_i_t_,
            f_t_, i_t_, c_t_, h_tanh_t_, product_part_4_t_, o_t_, h_t_) in each_step_:
        dot(h_before_t_, U_f_U_i_U_g_U_o_T_, product_2_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        add(product_t_, product_2_, product_t_)
        multiply(p_f_, c_before_t_, f_multiply_)
        add(product_part_t_, f_multiply_, concat_part_)
        multiply(p_i_, c_before_t_, i_multiply_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
        add(product_part_2_t_, i_multiply_, concat_part_2_)
        tanh(product_part_3_t_, g_t_)  # lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
        negative(concat_, f_i_t_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        exp(f_i_t_, f_i_t_)
        add(f_i_t_, one, f_i_t_)
        divide(one, f_i_t_, f_i_t_)
        multiply(f_t_, c_before_t_, c_multiply_)  # lstm.rnn:81 c = f * c[t-1] + i * g
        multiply(i_t_, g_t_, c_multiply_2_)
        add(c_multiply_, c_multiply_2_, c_t_)
        tanh(c_t_, h_tanh_t_)  # lstm.rnn:83 h = o * tanh(c)
        multiply(p_o_, c_t_, o_multiply_)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
        add(product_part_4_t_, o_multiply_, o_multiply_)
        negative(o_multiply_, o_t_)
        exp(o_t_, o_t_)
        add(o_t_, one, o_t_)
        divide(one, o_t_, o_t_)
        multiply(h_tanh_t_, o_t_, h_t_)  # lstm.rnn:83 h = o * tanh(c)
    if ragged:
        h_[padding] = 0
        h_tanh_[padding] = 0
        o_[padding] = 0
        c_[padding] = 0
        g_[padding] = 0
        f_i_[padding] = 0
    final(c_, (c_start_,), 0, n, ragged, final_)  # lstm.rnn:81 c = f * c[t-1] + i * g
    final(h_, (h_start_,), 0, n, ragged, final_2_)  # lstm.rnn:83 h = o * tanh(c)
    return {
        'output:h': read_only(h_),
        'final:h': final_2_.copy(),
        'final:c': final_.copy(),
        'tape:0': h_before_.view(),
        'tape:1': c_before_.view(),
        'tape:2': f_i_.view(),
        'tape:3': g_.view(),
        'tape:4': c_.view(),
        'tape:5': o_.view(),
        'tape:6': h_tanh_.view(),
        'tape:7': h_.view(),
    }


def forward_kept_memory(T, B):
    """The buffers of `forward_kept` for these numbers of steps and sequences, and views of them."""
    tape = Arena(prod((T + 1, B, 4)), prod((T, B, 4)), prod((T, B, 8)), prod((T, B, 4)), prod((T, B, 4)))
    outputs = Arena(prod((T + 1, B, 4)))
    h_default_ = full((B, 4), 0, real)
    c_default_ = full((B, 4), 0, real)
    product_ = empty((T, B, 16), real)
    h_rows_ = outputs.array((T + 1, B, 4))
    c_rows_ = tape.array((T + 1, B, 4))
    h_before_ = h_rows_[:T]
    product_2_ = empty((B, 16), real)
    c_before_ = c_rows_[:T]
    f_multiply_ = empty((B, 4), real)
    product_part_ = product_[:, :, 0:4]
    concat_ = empty((B, 8), real)
    concat_part_ = concat_[:, 0:4]
    i_multiply_ = f_multiply_
    product_part_2_ = product_[:, :, 4:8]
    concat_part_2_ = concat_[:, 4:8]
    product_part_3_ = product_[:, :, 8:12]
    g_ = tape.array((T, B, 4))
    f_i_ = tape.array((T, B, 8))
    f_ = f_i_[:, :, 0:4]
    c_multiply_ = f_multiply_
    i_ = f_i_[:, :, 4:8]
    c_multiply_2_ = empty((B, 4), real)
    c_ = c_rows_[1:1 + T]
    h_tanh_ = tape.array((T, B, 4))
    o_multiply_ = f_multiply_
    product_part_4_ = product_[:, :, 12:16]
    o_ = tape.array((T, B, 4))
    h_ = h_rows_[1:1 + T]
    each_step_ = step_views(h_before_, product_, c_before_, product_part_, product_part_2_, product_part_3_, g_, f_i_,
            f_, i_, c_, h_tanh_, product_part_4_, o_, h_)
    final_ = empty((B, 4), real)
    final_2_ = empty((B, 4), real)
    return (tape.memory, outputs.memory), (h_default_, c_default_, product_, h_rows_, c_rows_, h_before_, product_2_,
            c_before_, f_multiply_, concat_, concat_part_, i_multiply_, concat_part_2_, g_, f_i_, c_multiply_,
            c_multiply_2_, c_, h_tanh_, o_multiply_, o_, h_, each_step_, final_, final_2_)


def backward(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    (if_length_, if_length_2_, d_c_, d_h_, h_multiply_, o_subtract_, g_multiply_, f_subtract_, concat_, concat_part_,
            o_multiply_, c_multiply_, concat_2_, d_f_, d_i_, concat_part_3_, concat_part_4_, i_multiply_,
            concat_part_5_, f_multiply_, i_add_, product_, each_step_, pick_, pick_2_, d_x_,
            ones_) = cached(backward_memory, T, B)
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T)[:, None] >= n if ragged else None
    n = full(B, T) if n is None else n
    gradient = empty(140, real)
    d_final_c_ = asarray(given['d:final:c'], real)  # lstm.rnn:83 h = o * tanh(c)
    d_final_h_ = asarray(given['d:final:h'], real)
    if_length_[...] = d_final_c_  # lstm.rnn:81 c = f * c[t-1] + i * g
    if_length_[n != 0] = 0
    if_length_2_[...] = d_final_h_  # lstm.rnn:83 h = o * tanh(c)
    if_length_2_[n != 0] = 0
    o_ = asarray(given['tape:5'], real)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    tape_6_ = asarray(given['tape:6'], real)  # lstm.rnn:83 h = o * tanh(c)
    d_output_h_ = asarray(given['d:output:h'], real)
    if ragged:
        d_output_h_ = fill_padding(d_output_h_, padding, 0)
    h_ = asarray(given['tape:7'], real)
    f_i_ = asarray(given['tape:2'], real)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    tape_1_ = asarray(given['tape:1'], real)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    g_ = asarray(given['tape:3'], real)  # lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    c_ = asarray(given['tape:4'], real)  # lstm.rnn:81 c = f * c[t-1] + i * g
    tape_0_ = asarray(given['tape:0'], real)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    x_ = asarray(given['x'], real)  # lstm.rnn:66 cell LSTM[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    place(d_final_c_, -1, n, d_c_)  # lstm.rnn:81 c = f * c[t-1] + i * g
    place(d_final_h_, -1, n, d_h_)  # lstm.rnn:83 h = o * tanh(c)
    multiply(tape_6_, tape_6_, h_multiply_)
    subtract(1.0, h_multiply_, h_multiply_)
    multiply(o_, h_multiply_, h_multiply_)
    add(d_output_h_, d_h_, d_h_)
    subtract(1.0, o_, o_subtract_)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    multiply(h_, o_subtract_, o_subtract_)
    multiply(g_, g_, g_multiply_)  # lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    subtract(1.0, g_multiply_, g_multiply_)
    i_ = f_i_[:, :, 4:8]
    multiply(i_, g_multiply_, g_multiply_)
    subtract(1.0, f_i_, f_subtract_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    multiply(f_i_, f_subtract_, f_subtract_)
    p_o_ = view(params[136:140], (4,))
    f_ = f_i_[:, :, 0:4]
    p_i_ = view(params[132:136], (4,))
    p_f_ = view(params[128:132], (4,))
    U_f_U_i_U_g_U_o_ = view(params[64:128], (16, 4))
    for ((d_h_t_, product_after_t_, h_multiply_t_, d_c_t_, o_subtract_t_, concat_part_t_, i_add_after_t_, g_multiply_t_,
            concat_part_2_t_, f_subtract_t_, concat_part_3_t_, concat_part_4_t_, concat_part_5_t_, i_add_t_, concat_t_,
            product_t_), f_t_, tape_1_t_, g_t_, padding_t_) in zip(each_step_, f_[::-1], tape_1_[::-1], g_[::-1],
            (padding if ragged else [None] * T)[::-1]):
        add(d_h_t_, product_after_t_, d_h_t_)  # lstm.rnn:83 h = o * tanh(c)
        multiply(h_multiply_t_, d_h_t_, h_multiply_t_)
        add(d_c_t_, h_multiply_t_, d_c_t_)  # lstm.rnn:81 c = f * c[t-1] + i * g
        multiply(o_subtract_t_, d_h_t_, concat_part_t_)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
        multiply(concat_part_t_, p_o_, o_multiply_)
        add(d_c_t_, o_multiply_, d_c_t_)  # lstm.rnn:81 c = f * c[t-1] + i * g
        add(d_c_t_, i_add_after_t_, d_c_t_)
        multiply(d_c_t_, f_t_, c_multiply_)
        multiply(d_c_t_, tape_1_t_, d_f_)
        multiply(d_c_t_, g_t_, d_i_)
        multiply(g_multiply_t_, d_c_t_, concat_part_2_t_)  # lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
        multiply(f_subtract_t_, concat_2_, concat_part_3_t_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        multiply(concat_part_4_t_, p_i_, i_multiply_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
        add(c_multiply_, i_multiply_, c_multiply_)
        multiply(concat_part_5_t_, p_f_, f_multiply_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        add(c_multiply_, f_multiply_, i_add_t_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
        if ragged:
            i_add_t_[padding_t_] = 0
        dot(concat_t_, U_f_U_i_U_g_U_o_, product_t_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        if ragged:
            product_t_[padding_t_] = 0
    pick(i_add_, 1, n, ragged, 0, pick_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    pick(product_, 1, n, ragged, 0, pick_2_)
    add(if_length_, pick_, if_length_)  # lstm.rnn:81 c = f * c[t-1] + i * g
    add(if_length_2_, pick_2_, if_length_2_)  # lstm.rnn:83 h = o * tanh(c)
    if ragged:
        concat_part_[padding] = 0
        concat_part_3_[padding] = 0
        concat_[padding] = 0
    W_f_W_i_W_g_W_o_ = view(params[0:48], (16, 3))
    dot(view(concat_, (T * B, 16)), W_f_W_i_W_g_W_o_, view(d_x_, (T * B, 3)))  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    if ragged:
        d_x_[padding] = 0
    d_p_o_ = view(gradient[136:140], (4,))
    einsum("TBa,TBa->a", concat_part_, c_, out=d_p_o_)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    d_p_i_ = view(gradient[132:136], (4,))
    einsum("TBa,TBa->a", concat_part_4_, tape_1_, out=d_p_i_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    d_p_f_ = view(gradient[128:132], (4,))
    einsum("TBa,TBa->a", concat_part_5_, tape_1_, out=d_p_f_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    d_U_f_U_i_U_g_U_o_ = view(gradient[64:128], (16, 4))
    dot(view(concat_, (T * B, 16)).T, tape_0_.reshape((T * B, 4)), d_U_f_U_i_U_g_U_o_)
    d_b_f_b_i_b_g_b_o_ = view(gradient[48:64], (16,))
    dot(ones_, concat_.reshape(T * B, 16), d_b_f_b_i_b_g_b_o_)
    d_W_f_W_i_W_g_W_o_ = view(gradient[0:48], (16, 3))
    dot(view(concat_, (T * B, 16)).T, x_.reshape((T * B, 3)), d_W_f_W_i_W_g_W_o_)
    return {
        'gradient': gradient,
        'gradient:input:x': d_x_.view(),
        'gradient:start:h': if_length_2_.copy(),
        'gradient:start:c': if_length_.copy(),
    }


def backward_memory(T, B):
    """The buffers of `backward` for these numbers of steps and sequences, and views of them."""
    outputs = Arena(prod((T, B, 3)))
    if_length_ = empty((B, 4), real)
    if_length_2_ = empty((B, 4), real)
    d_c_ = empty((T, B, 4), real)
    d_h_ = empty((T, B, 4), real)
    h_multiply_ = empty((T, B, 4), real)
    o_subtract_ = empty((T, B, 4), real)
    g_multiply_ = empty((T, B, 4), real)
    f_subtract_ = empty((T, B, 8), real)
    product_rows_ = zeros((T + 1, B, 4), real)
    product_after_ = product_rows_[1:1 + T]
    concat_ = empty((T, B, 16), real)
    concat_part_ = concat_[:, :, 12:16]
    o_multiply_ = empty((B, 4), real)
    i_add_rows_ = zeros((T + 1, B, 4), real)
    i_add_after_ = i_add_rows_[1:1 + T]
    c_multiply_ = o_multiply_
    concat_2_ = empty((B, 8), real)
    d_f_ = concat_2_[:, 0:4]
    d_i_ = concat_2_[:, 4:8]
    concat_part_2_ = concat_[:, :, 8:12]
    concat_part_3_ = concat_[:, :, 0:8]
    concat_part_4_ = concat_[:, :, 4:8]
    i_multiply_ = empty((B, 4), real)
    concat_part_5_ = concat_[:, :, 0:4]
    f_multiply_ = i_multiply_
    i_add_ = i_add_rows_[:T]
    product_ = product_rows_[:T]
    each_step_ = step_views(d_h_[::-1], product_after_[::-1], h_multiply_[::-1], d_c_[::-1], o_subtract_[::-1],
            concat_part_[::-1], i_add_after_[::-1], g_multiply_[::-1], concat_part_2_[::-1], f_subtract_[::-1],
            concat_part_3_[::-1], concat_part_4_[::-1], concat_part_5_[::-1], i_add_[::-1], concat_[::-1],
            product_[::-1])
    pick_ = empty((B, 4), real)
    pick_2_ = empty((B, 4), real)
    d_x_ = outputs.array((T, B, 3))
    ones_ = full((T * B,), 1.0, real)
    return (outputs.memory,), (if_length_, if_length_2_, d_c_, d_h_, h_multiply_, o_subtract_, g_multiply_, f_subtract_,
            concat_, concat_part_, o_multiply_, c_multiply_, concat_2_, d_f_, d_i_, concat_part_3_, concat_part_4_,
            i_multiply_, concat_part_5_, f_multiply_, i_add_, product_, each_step_, pick_, pick_2_, d_x_, ones_)
