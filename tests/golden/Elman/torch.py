import math
from sys import getrefcount

import torch
from torch import add, addcmul, addmm, arange, mm, mul, tanh

nan, inf = math.nan, math.inf


def forward_kept(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    key, kept = borrow(forward_kept_memory, params, T, B)
    (h_default_, addmm_, addmm_2_, final_) = kept.tensors
    lease, lent = borrow(forward_kept_results, params, T, B)
    (h_rows_, h_, h_before_, each_step_) = lent.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    h_start_ = given.get('start:h')  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    h_start_ = h_default_ if h_start_ is None else h_start_
    x_ = given['x']  # simple.rnn:51 cell Elman[N, H, squash = tanh](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_ = params[4:16].view((4, 3))
    b_ = params[0:4].view((4,))
    addmm_(b_, x_.reshape((T * B, 3)), W_.T, out=h_.view((T * B, 4)))  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    h_rows_[0].copy_(h_start_)
    U_ = params[16:32].view((4, 4))
    U_T_ = U_.T
    U_T_prepared_ = prepared(addmm_2_, U_T_, B, T)
    for h_before_t_, h_t_ in each_step_:
        addmm_2_(h_t_, h_before_t_, U_T_prepared_, out=h_t_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        tanh(h_t_, out=h_t_)
    if ragged:
        fill_where(h_, padding, 0)
    final(h_, (h_start_,), 0, n, ragged, final_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    results = {
        'output:h': copy_of(h_),
        'final:h': copy_of(final_),
    }
    results.update(handed_out(forward_kept_results, lease, lent, {
        'tape:0': h_before_,
        'tape:1': h_,
    }))
    give_back(forward_kept_memory, key, kept)
    return results


def forward_kept_memory(like, T, B):
    """The buffers of `forward_kept` for these numbers of steps and sequences, and views of them."""
    h_default_ = like.new_full((B, 4), 0)
    addmm_ = best_product(like, addmm, large_addmm, T * B, 3, 4)
    addmm_2_ = best_product(like, addmm, step_addmm, B, 4, 4)
    final_ = like.new_empty((B, 4))
    return Buffers((h_default_, final_), (h_default_, addmm_, addmm_2_, final_))


def forward_kept_results(like, T, B):
    """The memory of the results of `forward_kept`, and views of it."""
    h_rows_ = zero_rows(lend(like, (T + 1, B, 4), 1), 1, 0)
    h_ = h_rows_[1:1 + T]
    h_before_ = h_rows_[:T]
    each_step_ = step_views(1, h_before_, h_)
    return Buffers((h_rows_,), (h_rows_, h_, h_before_, each_step_))


def backward(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    key, kept = borrow(backward_memory, params, T, B)
    (if_length_, d_h_, one_, h_multiply_, h_multiply_2_, product_, mm_, each_step_, pick_, mm_2_, mm_3_,
            mm_4_) = kept.tensors
    lease, lent = borrow(backward_results, params, T, B)
    (d_x_,) = lent.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    gradient = lend(params, (32,))
    d_final_h_ = given['d:final:h']  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    if_length(d_final_h_, 0, n, ragged, T, if_length_)
    d_output_h_ = given['d:output:h']
    if ragged:
        d_output_h_ = fill_padding(d_output_h_, padding, 0)
    h_ = given['tape:1']
    tape_0_ = given['tape:0']
    x_ = given['x']  # simple.rnn:51 cell Elman[N, H, squash = tanh](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    place(d_final_h_, -1, n, ragged, d_h_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    add(d_output_h_, d_h_, out=d_h_)
    addcmul(one_, h_, h_, value=-1, out=h_multiply_)
    if ragged:
        fill_where(h_multiply_, padding, 0)
    U_ = params[16:32].view((4, 4))
    U_prepared_ = prepared(mm_, U_, B, T)
    for (d_h_t_, product_after_t_, h_multiply_t_, h_multiply_2_t_, product_t_), padding_t_ in zip(each_step_,
            (padding.unbind(0) if ragged else [None] * T)[::-1]):
        add(d_h_t_, product_after_t_, out=d_h_t_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        mul(d_h_t_, h_multiply_t_, out=h_multiply_2_t_)
        mm_(h_multiply_2_t_, U_prepared_, out=product_t_)
        if ragged:
            fill_where(product_t_, padding_t_, 0)
    pick(product_, 1, n, ragged, 0, pick_)  # simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    add(if_length_, pick_, out=if_length_)
    if ragged:
        fill_where(h_multiply_2_, padding, 0)
        fill_where(d_h_, padding, 0)
    W_ = params[4:16].view((4, 3))
    mm_2_(h_multiply_2_.view((T * B, 4)), W_, out=d_x_.view((T * B, 3)))
    if ragged:
        fill_where(d_x_, padding, 0)
    d_U_ = gradient[16:32].view((4, 4))
    mm_3_(h_multiply_2_.view((T * B, 4)).T, tape_0_.reshape((T * B, 4)), out=d_U_)
    d_W_ = gradient[4:16].view((4, 3))
    mm_4_(h_multiply_2_.view((T * B, 4)).T, x_.reshape((T * B, 3)), out=d_W_)
    d_b_ = gradient[0:4].view((4,))
    sum_products(d_h_, h_multiply_, (0, 1), d_b_)
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
    h_multiply_ = like.new_empty((T, B, 4))
    product_rows_ = zero_rows(like.new_empty((T + 1, B, 4)), 0, 1)
    product_after_ = product_rows_[1:1 + T]
    h_multiply_2_ = like.new_empty((T, B, 4))
    product_ = product_rows_[:T]
    mm_ = best_product(like, mm, step_mm, B, 4, 4)
    each_step_ = step_views(-1, d_h_, product_after_, h_multiply_, h_multiply_2_, product_)
    pick_ = like.new_empty((B, 4))
    mm_2_ = best_product(like, mm, large_mm, T * B, 4, 3)
    mm_3_ = best_product(like, mm, large_mm, 4, T * B, 4)
    mm_4_ = best_product(like, mm, large_mm, 4, T * B, 3)
    return Buffers((if_length_, d_h_, one_, h_multiply_, product_rows_, h_multiply_2_, pick_), (if_length_, d_h_, one_,
            h_multiply_, h_multiply_2_, product_, mm_, each_step_, pick_, mm_2_, mm_3_, mm_4_))


def backward_results(like, T, B):
    """The memory of the results of `backward`, and views of it."""
    d_x_ = lend(like, (T, B, 3), 0)
    return Buffers((d_x_,), (d_x_,))
