import math
from sys import getrefcount

import torch
from torch import add, addcmul, addmm, arange, div, maximum, mm, mul, neg, sigmoid, tanh

sum_over = torch.sum
nan, inf = math.nan, math.inf


def loss_gradients(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    key, kept = borrow(loss_gradients_memory, params, T, B)
    (batch_, one_, divide_, half_, h_default_, h_rows_, h_, mm_, h_before_, addmm_, each_step_, pick_, final_, sigmoid_,
            divide_part_, negative_, sigmoid_2_, sum_, sum_batch_, d_h_, h_multiply_, mm_2_, each_step_2_, mm_3_,
            mm_4_) = kept.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    gradient = lend(params, (15,))
    batch_.fill_(B)  # small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    maximum(batch_, one_, out=batch_)
    div(one_, batch_, out=divide_)
    mul(divide_, half_, out=divide_)
    h_start_ = given.get('start:h')  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    h_start_ = h_default_ if h_start_ is None else h_start_
    x_ = given['x']  # small.rnn:2 cell Whole[N, H](x: [N]) -> (y: [H], start: [N], mean: [H], z: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_ = params[0:6].view((3, 2))
    mm_(x_.reshape((T * B, 2)), W_.T, out=h_.view((T * B, 3)))  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    h_rows_[0].copy_(h_start_)
    U_ = params[6:15].view((3, 3))
    U_T_ = U_.T
    U_T_prepared_ = prepared(addmm_, U_T_, B, T)
    for h_before_t_, h_t_ in each_step_:
        addmm_(h_t_, h_before_t_, U_T_prepared_, out=h_t_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
        tanh(h_t_, out=h_t_)
    pick(h_, -1, n, ragged, 0, pick_)  # small.rnn:7 y = sigmoid(last(h))
    final(h_, (h_start_,), 0, n, ragged, final_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    sigmoid(pick_, out=sigmoid_)  # small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    mul(divide_part_, sigmoid_, out=sigmoid_)
    neg(pick_, out=negative_)
    sigmoid(negative_, out=sigmoid_2_)
    addcmul(sigmoid_, divide_part_, sigmoid_2_, value=-1, out=sigmoid_)  # small.rnn:7 y = sigmoid(last(h))
    softplus(negative_, negative_)  # small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    mul(half_, negative_, out=negative_)
    softplus(pick_, pick_)
    addcmul(negative_, half_, pick_, out=negative_)
    sum_over(negative_, (1,), out=sum_)
    sum_over(sum_, 0, out=sum_batch_)
    div(sum_batch_, batch_, out=sum_batch_)
    if ragged:
        fill_where(h_, padding, 0)
    place(sigmoid_, -1, n, ragged, d_h_)  # small.rnn:7 y = sigmoid(last(h))
    addcmul(one_, h_, h_, value=-1, out=h_multiply_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    U_prepared_ = prepared(mm_2_, U_, B, T)
    for (d_h_t_, product_after_t_, h_multiply_t_, product_t_), padding_t_ in zip(each_step_2_,
            (padding.unbind(0) if ragged else [None] * T)[::-1]):
        add(d_h_t_, product_after_t_, out=d_h_t_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
        mul(d_h_t_, h_multiply_t_, out=d_h_t_)
        mm_2_(d_h_t_, U_prepared_, out=product_t_)
        if ragged:
            fill_where(product_t_, padding_t_, 0)
    if ragged:
        fill_where(d_h_, padding, 0)
    d_U_ = gradient[6:15].view((3, 3))
    mm_3_(d_h_.view((T * B, 3)).T, h_before_.view((T * B, 3)), out=d_U_)  # small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    d_W_ = gradient[0:6].view((3, 2))
    mm_4_(d_h_.view((T * B, 3)).T, x_.reshape((T * B, 2)), out=d_W_)
    results = {
        'gradient': gradient,
        'final:h': copy_of(final_),
        'loss': copy_of(sum_batch_),
    }
    give_back(loss_gradients_memory, key, kept)
    return results


def loss_gradients_memory(like, T, B):
    """The buffers of `loss_gradients` for these numbers of steps and sequences, and views of them."""
    batch_ = like.new_empty(())
    one_ = like.new_full((), 1.0)
    divide_ = like.new_empty(())
    half_ = like.new_full((), 0.5)
    h_default_ = like.new_full((B, 3), 0)
    h_rows_ = zero_rows(like.new_empty((T + 1, B, 3)), 1, 0)
    h_ = h_rows_[1:1 + T]
    mm_ = best_product(like, mm, large_mm, T * B, 2, 3)
    h_before_ = h_rows_[:T]
    addmm_ = best_product(like, addmm, step_addmm, B, 3, 3)
    each_step_ = step_views(1, h_before_, h_)
    pick_ = like.new_empty((B, 3))
    final_ = like.new_empty((B, 3))
    sigmoid_ = like.new_empty((B, 3))
    divide_part_ = expand(divide_, 0, (0,), (3, ))
    negative_ = like.new_empty((B, 3))
    sigmoid_2_ = like.new_empty((B, 3))
    sum_ = like.new_empty((B,))
    sum_batch_ = divide_
    d_h_ = like.new_empty((T, B, 3))
    h_multiply_ = like.new_empty((T, B, 3))
    product_rows_ = zero_rows(like.new_empty((T + 1, B, 3)), 0, 1)
    product_after_ = product_rows_[1:1 + T]
    product_ = product_rows_[:T]
    mm_2_ = best_product(like, mm, step_mm, B, 3, 3)
    each_step_2_ = step_views(-1, d_h_, product_after_, h_multiply_, product_)
    mm_3_ = best_product(like, mm, large_mm, 3, T * B, 3)
    mm_4_ = best_product(like, mm, large_mm, 3, T * B, 2)
    return Buffers((batch_, one_, divide_, half_, h_default_, h_rows_, pick_, final_, sigmoid_, negative_, sigmoid_2_,
            sum_, d_h_, h_multiply_, product_rows_), (batch_, one_, divide_, half_, h_default_, h_rows_, h_, mm_,
            h_before_, addmm_, each_step_, pick_, final_, sigmoid_, divide_part_, negative_, sigmoid_2_, sum_,
            sum_batch_, d_h_, h_multiply_, mm_2_, each_step_2_, mm_3_, mm_4_))
