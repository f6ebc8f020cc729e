import math
from sys import getrefcount

import torch
from torch import add, addcmul, addmm, arange, mm, mul, mv, sigmoid, sub

nan, inf = math.nan, math.inf


def forward_kept(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    key, kept = borrow(forward_kept_memory, params, T, B)
    (h_default_, addmm_, one_, h_multiply_, each_step_, final_) = kept.tensors
    lease, lent = borrow(forward_kept_results, params, T, B)
    (product_, product_part_, z_, h_rows_, h_, c_, h_before_, each_step_2_) = lent.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    h_start_ = given.get('start:h')  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    h_start_ = h_default_ if h_start_ is None else h_start_
    x_ = given['x']  # diagonal.rnn:61 cell MinGRU[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_h_W_z_ = params[0:24].view((8, 3))
    b_h_b_z_ = params[24:32].view((8,))
    addmm_(b_h_b_z_, x_.reshape((T * B, 3)), W_h_W_z_.T, out=product_.view((T * B, 8)))  # diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    if ragged:
        fill_where(product_, padding, 0)
    sigmoid(product_part_, out=z_)
    if ragged:
        fill_where(z_, padding, 0)
    sub(one_, z_, out=h_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    mul(z_, c_, out=h_multiply_)
    h_rows_[0].copy_(h_start_)
    for (h_multiply_t_,), (h_t_, h_before_t_) in zip(each_step_, each_step_2_):
        addcmul(h_multiply_t_, h_t_, h_before_t_, out=h_t_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    if ragged:
        fill_where(h_, padding, 0)
    final(h_, (h_start_,), 0, n, ragged, final_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    results = {
        'output:h': copy_of(h_),
        'final:h': copy_of(final_),
        'tape:1': copy_of(c_),
    }
    results.update(handed_out(forward_kept_results, lease, lent, {
        'tape:0': z_,
        'tape:2': h_before_,
    }))
    give_back(forward_kept_memory, key, kept)
    return results


def forward_kept_memory(like, T, B):
    """The buffers of `forward_kept` for these numbers of steps and sequences, and views of them."""
    h_default_ = like.new_full((B, 4), 0)
    addmm_ = best_product(like, addmm, large_addmm, T * B, 3, 8)
    one_ = like.new_full((), 1.0)
    h_multiply_ = like.new_empty((T, B, 4))
    each_step_ = step_views(1, h_multiply_)
    final_ = like.new_empty((B, 4))
    return Buffers((h_default_, one_, h_multiply_, final_), (h_default_, addmm_, one_, h_multiply_, each_step_, final_))


def forward_kept_results(like, T, B):
    """The memory of the results of `forward_kept`, and views of it."""
    product_ = lend(like, (T, B, 8), 0)
    product_part_ = product_[:, :, 4:8]
    z_ = lend(like, (T, B, 4), 0)
    h_rows_ = zero_rows(lend(like, (T + 1, B, 4), 1), 1, 0)
    h_ = h_rows_[1:1 + T]
    c_ = product_[:, :, 0:4]
    h_before_ = h_rows_[:T]
    each_step_2_ = step_views(1, h_, h_before_)
    return Buffers((product_, z_, h_rows_), (product_, product_part_, z_, h_rows_, h_, c_, h_before_, each_step_2_))


def backward(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    key, kept = borrow(backward_memory, params, T, B)
    (if_length_, d_h_, one_, h_subtract_, z_multiply_, each_step_, pick_, concat_, d_c_, d_z_, concat_part_, mm_, ones_,
            mm_2_) = kept.tensors
    lease, lent = borrow(backward_results, params, T, B)
    (d_x_,) = lent.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    gradient = lend(params, (32,))
    d_final_h_ = given['d:final:h']  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    if_length(d_final_h_, 0, n, ragged, T, if_length_)
    d_output_h_ = given['d:output:h']
    if ragged:
        d_output_h_ = fill_padding(d_output_h_, padding, 0)
    z_ = given['tape:0']  # diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    c_ = given['tape:1']  # diagonal.rnn:70 c = W_h @ x + b_h
    tape_2_ = given['tape:2']  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    x_ = given['x']  # diagonal.rnn:61 cell MinGRU[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    place(d_final_h_, -1, n, ragged, d_h_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    add(d_output_h_, d_h_, out=d_h_)
    sub(one_, z_, out=h_subtract_)
    mul(z_, h_subtract_, out=z_multiply_)  # diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    for (d_h_t_, h_subtract_after_t_, h_subtract_t_), padding_t_ in zip(each_step_,
            (padding.unbind(0) if ragged else [None] * T)[::-1]):
        add(d_h_t_, h_subtract_after_t_, out=d_h_t_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        mul(d_h_t_, h_subtract_t_, out=h_subtract_t_)
        if ragged:
            fill_where(h_subtract_t_, padding_t_, 0)
    pick(h_subtract_, 1, n, ragged, 0, pick_)  # diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    add(if_length_, pick_, out=if_length_)
    mul(d_h_, z_, out=d_c_)
    mul(d_h_, c_, out=d_z_)
    addcmul(d_z_, d_h_, tape_2_, value=-1, out=d_z_)  # diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    mul(d_z_, z_multiply_, out=concat_part_)
    if ragged:
        fill_where(concat_, padding, 0)
    W_h_W_z_ = params[0:24].view((8, 3))
    mm_(concat_.view((T * B, 8)), W_h_W_z_, out=d_x_.view((T * B, 3)))
    if ragged:
        fill_where(d_x_, padding, 0)
    d_b_h_b_z_ = gradient[24:32].view((8,))
    mv(concat_.reshape(T * B, 8).T, ones_, out=d_b_h_b_z_)
    d_W_h_W_z_ = gradient[0:24].view((8, 3))
    mm_2_(concat_.view((T * B, 8)).T, x_.reshape((T * B, 3)), out=d_W_h_W_z_)
    results = {
        'gradient': gradient,
        'gradient:start:h': copy_of(if_length_),
    }
    results.update(handed_out(backward_results, lease, lent, {
        'gradient:input:x': d_x_,
    }))
    give_back(backward_memory, key, kept)
    return results


def backward_memory(like, T, B):
    """The buffers of `backward` for these numbers of steps and sequences, and views of them."""
    if_length_ = like.new_empty((B, 4))
    d_h_ = like.new_empty((T, B, 4))
    one_ = like.new_full((), 1.0)
    h_subtract_rows_ = zero_rows(like.new_empty((T + 1, B, 4)), 0, 1)
    h_subtract_ = h_subtract_rows_[:T]
    z_multiply_ = like.new_empty((T, B, 4))
    h_subtract_after_ = h_subtract_rows_[1:1 + T]
    each_step_ = step_views(-1, d_h_, h_subtract_after_, h_subtract_)
    pick_ = like.new_empty((B, 4))
    concat_ = like.new_empty((T, B, 8))
    d_c_ = concat_[:, :, 0:4]
    d_z_ = like.new_empty((T, B, 4))
    concat_part_ = concat_[:, :, 4:8]
    mm_ = best_product(like, mm, large_mm, T * B, 8, 3)
    ones_ = like.new_full((T * B,), 1.0)
    mm_2_ = best_product(like, mm, large_mm, 8, T * B, 3)
    return Buffers((if_length_, d_h_, one_, h_subtract_rows_, z_multiply_, pick_, concat_, d_z_, ones_), (if_length_,
            d_h_, one_, h_subtract_, z_multiply_, each_step_, pick_, concat_, d_c_, d_z_, concat_part_, mm_, ones_,
            mm_2_))


def backward_results(like, T, B):
    """The memory of the results of `backward`, and views of it."""
    d_x_ = lend(like, (T, B, 3), 0)
    return Buffers((d_x_,), (d_x_,))
