import math
from sys import getrefcount

import torch
from torch import add, addcmul, addmm, arange, mm, mul, mv, sigmoid, sub, tanh

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input
nan, inf = math.nan, math.inf


def forward_kept(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    key, kept = borrow(forward_kept_memory, params, T, B)
    (h_default_, product_, addmm_, product_2_, addmm_2_, one_, h_subtract_, product_3_, addmm_3_, each_step_,
            final_) = kept.tensors
    lease, lent = borrow(forward_kept_results, params, T, B)
    (h_rows_, h_before_, z_r_, c_multiply_, c_, h_, each_step_2_) = lent.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    h_start_ = given.get('start:h')  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    h_start_ = h_default_ if h_start_ is None else h_start_
    x_ = given['x']  # gru.rnn:52 cell GRU[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_z_W_r_W_c_ = params[0:36].view((12, 3))
    b_z_b_r_b_c_ = params[36:48].view((12,))
    addmm_(b_z_b_r_b_c_, x_.reshape((T * B, 3)), W_z_W_r_W_c_.T, out=product_.view((T * B, 12)))  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    h_rows_[0].copy_(h_start_)
    U_z_U_r_ = params[48:80].view((8, 4))
    U_z_U_r_T_ = U_z_U_r_.T
    U_z_U_r_T_prepared_ = prepared(addmm_2_, U_z_U_r_T_, B, T)
    U_c_ = params[80:96].view((4, 4))
    U_c_T_ = U_c_.T
    U_c_T_prepared_ = prepared(addmm_3_, U_c_T_, B, T)
    for ((product_part_t_, product_part_2_t_), (h_before_t_, z_r_t_, r_t_, c_multiply_t_, z_t_, c_t_,
            h_t_)) in zip(each_step_, each_step_2_):
        addmm_2_(product_part_t_, h_before_t_, U_z_U_r_T_prepared_, out=product_2_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        sigmoid(product_2_, out=z_r_t_)
        mul(r_t_, h_before_t_, out=c_multiply_t_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        sub(one_, z_t_, out=h_subtract_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
        mul(h_subtract_, h_before_t_, out=h_subtract_)
        addmm_3_(product_part_2_t_, c_multiply_t_, U_c_T_prepared_, out=product_3_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        tanh(product_3_, out=c_t_)
        addcmul(h_subtract_, z_t_, c_t_, out=h_t_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    if ragged:
        fill_where(c_, padding, 0)
        fill_where(c_multiply_, padding, 0)
        fill_where(z_r_, padding, 0)
        fill_where(h_, padding, 0)
    final(h_, (h_start_,), 0, n, ragged, final_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    results = {
        'output:h': copy_of(h_),
        'final:h': copy_of(final_),
    }
    results.update(handed_out(forward_kept_results, lease, lent, {
        'tape:0': h_before_,
        'tape:1': z_r_,
        'tape:2': c_multiply_,
        'tape:3': c_,
    }))
    give_back(forward_kept_memory, key, kept)
    return results


def forward_kept_memory(like, T, B):
    """The buffers of `forward_kept` for these numbers of steps and sequences, and views of them."""
    h_default_ = like.new_full((B, 4), 0)
    product_ = like.new_empty((T, B, 12))
    addmm_ = best_product(like, addmm, large_addmm, T * B, 3, 12)
    product_part_ = product_[:, :, 0:8]
    product_2_ = like.new_empty((B, 8))
    addmm_2_ = best_product(like, addmm, step_addmm, B, 4, 8)
    one_ = like.new_full((), 1.0)
    h_subtract_ = like.new_empty((B, 4))
    product_part_2_ = product_[:, :, 8:12]
    product_3_ = like.new_empty((B, 4))
    addmm_3_ = best_product(like, addmm, step_addmm, B, 4, 4)
    each_step_ = step_views(1, product_part_, product_part_2_)
    final_ = like.new_empty((B, 4))
    return Buffers((h_default_, product_, product_2_, one_, h_subtract_, product_3_, final_), (h_default_, product_,
            addmm_, product_2_, addmm_2_, one_, h_subtract_, product_3_, addmm_3_, each_step_, final_))


def forward_kept_results(like, T, B):
    """The memory of the results of `forward_kept`, and views of it."""
    h_rows_ = zero_rows(lend(like, (T + 1, B, 4), 1), 1, 0)
    h_before_ = h_rows_[:T]
    z_r_ = lend(like, (T, B, 8), 0)
    r_ = z_r_[:, :, 4:8]
    c_multiply_ = lend(like, (T, B, 4), 0)
    z_ = z_r_[:, :, 0:4]
    c_ = lend(like, (T, B, 4), 0)
    h_ = h_rows_[1:1 + T]
    each_step_2_ = step_views(1, h_before_, z_r_, r_, c_multiply_, z_, c_, h_)
    return Buffers((h_rows_, z_r_, c_multiply_, c_), (h_rows_, h_before_, z_r_, c_multiply_, c_, h_, each_step_2_))


def backward(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    key, kept = borrow(backward_memory, params, T, B)
    (if_length_, c_multiply_, one_, h_subtract_, d_h_, z_subtract_, concat_, concat_part_, h_multiply_, concat_2_, d_z_,
            product_, mm_, c_multiply_2_, d_r_, concat_part_2_, z_add_, addmm_, each_step_, pick_, mm_2_, mm_3_, mm_4_,
            ones_, mm_5_) = kept.tensors
    lease, lent = borrow(backward_results, params, T, B)
    (d_x_,) = lent.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    gradient = lend(params, (96,))
    d_final_h_ = given['d:final:h']  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    if_length(d_final_h_, 0, n, ragged, T, if_length_)
    z_r_ = given['tape:1']  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    c_ = given['tape:3']  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    d_output_h_ = given['d:output:h']  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    if ragged:
        d_output_h_ = fill_padding(d_output_h_, padding, 0)
    tape_0_ = given['tape:0']  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    tape_2_ = given['tape:2']  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    x_ = given['x']  # gru.rnn:52 cell GRU[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    z_ = z_r_[:, :, 0:4]
    tanh_backward(z_, c_, grad_input=c_multiply_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    sub(one_, z_, out=h_subtract_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    place(d_final_h_, -1, n, ragged, d_h_)
    add(d_output_h_, d_h_, out=d_h_)
    sigmoid_backward(one_, z_r_, grad_input=z_subtract_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    U_c_ = params[80:96].view((4, 4))
    U_c_prepared_ = prepared(mm_, U_c_, B, T)
    r_ = z_r_[:, :, 4:8]
    U_z_U_r_ = params[48:80].view((8, 4))
    U_z_U_r_prepared_ = prepared(addmm_, U_z_U_r_, B, T)
    for ((d_h_t_, z_add_after_t_, c_multiply_t_, concat_part_t_, h_subtract_t_, z_subtract_t_, concat_part_2_t_,
            z_add_t_), c_t_, tape_0_t_, r_t_, padding_t_) in zip(each_step_, c_.unbind(0)[::-1],
            tape_0_.unbind(0)[::-1], r_.unbind(0)[::-1], (padding.unbind(0) if ragged else [None] * T)[::-1]):
        add(d_h_t_, z_add_after_t_, out=d_h_t_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
        mul(c_multiply_t_, d_h_t_, out=concat_part_t_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        mul(d_h_t_, h_subtract_t_, out=h_subtract_t_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
        mul(d_h_t_, c_t_, out=h_multiply_)
        addcmul(h_multiply_, d_h_t_, tape_0_t_, value=-1, out=d_z_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        mm_(concat_part_t_, U_c_prepared_, out=product_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        addcmul(h_subtract_t_, product_, r_t_, out=c_multiply_2_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        mul(product_, tape_0_t_, out=d_r_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        mul(z_subtract_t_, concat_2_, out=concat_part_2_t_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        addmm_(c_multiply_2_, concat_part_2_t_, U_z_U_r_prepared_, out=z_add_t_)
        if ragged:
            fill_where(z_add_t_, padding_t_, 0)
    pick(z_add_, 1, n, ragged, 0, pick_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    add(if_length_, pick_, out=if_length_)  # gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    if ragged:
        fill_where(concat_part_, padding, 0)
        fill_where(concat_part_2_, padding, 0)
        fill_where(concat_, padding, 0)
    W_z_W_r_W_c_ = params[0:36].view((12, 3))
    mm_2_(concat_.view((T * B, 12)), W_z_W_r_W_c_, out=d_x_.view((T * B, 3)))  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    if ragged:
        fill_where(d_x_, padding, 0)
    d_U_c_ = gradient[80:96].view((4, 4))
    mm_3_(concat_part_.view((T * B, 4)).T, tape_2_.reshape((T * B, 4)), out=d_U_c_)  # gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    d_U_z_U_r_ = gradient[48:80].view((8, 4))
    mm_4_(concat_part_2_.view((T * B, 8)).T, tape_0_.reshape((T * B, 4)), out=d_U_z_U_r_)  # gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    d_b_z_b_r_b_c_ = gradient[36:48].view((12,))
    mv(concat_.reshape(T * B, 12).T, ones_, out=d_b_z_b_r_b_c_)
    d_W_z_W_r_W_c_ = gradient[0:36].view((12, 3))
    mm_5_(concat_.view((T * B, 12)).T, x_.reshape((T * B, 3)), out=d_W_z_W_r_W_c_)
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
    c_multiply_ = like.new_empty((T, B, 4))
    one_ = like.new_full((), 1.0)
    h_subtract_ = like.new_empty((T, B, 4))
    d_h_ = like.new_empty((T, B, 4))
    z_subtract_ = like.new_empty((T, B, 8))
    z_add_rows_ = zero_rows(like.new_empty((T + 1, B, 4)), 0, 1)
    z_add_after_ = z_add_rows_[1:1 + T]
    concat_ = like.new_empty((T, B, 12))
    concat_part_ = concat_[:, :, 8:12]
    h_multiply_ = like.new_empty((B, 4))
    concat_2_ = like.new_empty((B, 8))
    d_z_ = concat_2_[:, 0:4]
    product_ = h_multiply_
    mm_ = best_product(like, mm, step_mm, B, 4, 4)
    c_multiply_2_ = like.new_empty((B, 4))
    d_r_ = concat_2_[:, 4:8]
    concat_part_2_ = concat_[:, :, 0:8]
    z_add_ = z_add_rows_[:T]
    addmm_ = best_product(like, addmm, step_addmm, B, 8, 4)
    each_step_ = step_views(-1, d_h_, z_add_after_, c_multiply_, concat_part_, h_subtract_, z_subtract_, concat_part_2_,
            z_add_)
    pick_ = like.new_empty((B, 4))
    mm_2_ = best_product(like, mm, large_mm, T * B, 12, 3)
    mm_3_ = best_product(like, mm, large_mm, 4, T * B, 4)
    mm_4_ = best_product(like, mm, large_mm, 8, T * B, 4)
    ones_ = like.new_full((T * B,), 1.0)
    mm_5_ = best_product(like, mm, large_mm, 12, T * B, 3)
    return Buffers((if_length_, c_multiply_, one_, h_subtract_, d_h_, z_subtract_, z_add_rows_, concat_, h_multiply_,
            concat_2_, c_multiply_2_, pick_, ones_), (if_length_, c_multiply_, one_, h_subtract_, d_h_, z_subtract_,
            concat_, concat_part_, h_multiply_, concat_2_, d_z_, product_, mm_, c_multiply_2_, d_r_, concat_part_2_,
            z_add_, addmm_, each_step_, pick_, mm_2_, mm_3_, mm_4_, ones_, mm_5_))


def backward_results(like, T, B):
    """The memory of the results of `backward`, and views of it."""
    d_x_ = lend(like, (T, B, 3), 0)
    return Buffers((d_x_,), (d_x_,))
