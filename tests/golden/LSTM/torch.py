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
    (h_default_, c_default_, product_, addmm_, addmm_2_, concat_, concat_part_, concat_part_2_, c_multiply_,
            o_multiply_, each_step_, final_, final_2_) = kept.tensors
    lease, lent = borrow(forward_kept_results, params, T, B)
    (h_rows_, c_rows_, h_before_, c_before_, g_, f_i_, c_, h_tanh_, o_, h_, each_step_2_) = lent.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    h_start_ = given.get('start:h')  # lstm.rnn:83 h = o * tanh(c)
    h_start_ = h_default_ if h_start_ is None else h_start_
    c_start_ = given.get('start:c')  # lstm.rnn:81 c = f * c[t-1] + i * g
    c_start_ = c_default_ if c_start_ is None else c_start_
    x_ = given['x']  # lstm.rnn:66 cell LSTM[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    W_f_W_i_W_g_W_o_ = params[0:48].view((16, 3))
    b_f_b_i_b_g_b_o_ = params[48:64].view((16,))
    addmm_(b_f_b_i_b_g_b_o_, x_.reshape((T * B, 3)), W_f_W_i_W_g_W_o_.T, out=product_.view((T * B, 16)))  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    h_rows_[0].copy_(h_start_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    c_rows_[0].copy_(c_start_)
    U_f_U_i_U_g_U_o_ = params[64:128].view((16, 4))
    U_f_U_i_U_g_U_o_T_ = U_f_U_i_U_g_U_o_.T
    U_f_U_i_U_g_U_o_T_prepared_ = prepared(addmm_2_, U_f_U_i_U_g_U_o_T_, B, T)
    p_f_ = params[128:132].view((4,))
    p_i_ = params[132:136].view((4,))
    p_o_ = params[136:140].view((4,))
    for ((product_t_, product_part_t_, product_part_2_t_, product_part_3_t_, product_part_4_t_), (h_before_t_,
            c_before_t_, g_t_, f_i_t_, f_t_, i_t_, c_t_, h_tanh_t_, o_t_, h_t_)) in zip(each_step_, each_step_2_):
        addmm_2_(product_t_, h_before_t_, U_f_U_i_U_g_U_o_T_prepared_, out=product_t_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        addcmul(product_part_t_, p_f_, c_before_t_, out=concat_part_)
        addcmul(product_part_2_t_, p_i_, c_before_t_, out=concat_part_2_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
        tanh(product_part_3_t_, out=g_t_)  # lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
        sigmoid(concat_, out=f_i_t_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        mul(f_t_, c_before_t_, out=c_multiply_)  # lstm.rnn:81 c = f * c[t-1] + i * g
        addcmul(c_multiply_, i_t_, g_t_, out=c_t_)
        tanh(c_t_, out=h_tanh_t_)  # lstm.rnn:83 h = o * tanh(c)
        addcmul(product_part_4_t_, p_o_, c_t_, out=o_multiply_)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
        sigmoid(o_multiply_, out=o_t_)
        mul(h_tanh_t_, o_t_, out=h_t_)  # lstm.rnn:83 h = o * tanh(c)
    if ragged:
        fill_where(h_, padding, 0)
        fill_where(h_tanh_, padding, 0)
        fill_where(o_, padding, 0)
        fill_where(c_, padding, 0)
        fill_where(g_, padding, 0)
        fill_where(f_i_, padding, 0)
    final(c_, (c_start_,), 0, n, ragged, final_)  # lstm.rnn:81 c = f * c[t-1] + i * g
    final(h_, (h_start_,), 0, n, ragged, final_2_)  # lstm.rnn:83 h = o * tanh(c)
    results = {
        'output:h': copy_of(h_),
        'final:h': copy_of(final_2_),
        'final:c': copy_of(final_),
    }
    results.update(handed_out(forward_kept_results, lease, lent, {
        'tape:0': h_before_,
        'tape:1': c_before_,
        'tape:2': f_i_,
        'tape:3': g_,
        'tape:4': c_,
        'tape:5': o_,
        'tape:6': h_tanh_,
        'tape:7': h_,
    }))
    give_back(forward_kept_memory, key, kept)
    return results


def forward_kept_memory(like, T, B):
    """The buffers of `forward_kept` for these numbers of steps and sequences, and views of them."""
    h_default_ = like.new_full((B, 4), 0)
    c_default_ = like.new_full((B, 4), 0)
    product_ = like.new_empty((T, B, 16))
    addmm_ = best_product(like, addmm, large_addmm, T * B, 3, 16)
    addmm_2_ = best_product(like, addmm, step_addmm, B, 4, 16)
    product_part_ = product_[:, :, 0:4]
    concat_ = like.new_empty((B, 8))
    concat_part_ = concat_[:, 0:4]
    product_part_2_ = product_[:, :, 4:8]
    concat_part_2_ = concat_[:, 4:8]
    product_part_3_ = product_[:, :, 8:12]
    f_multiply_ = like.new_empty((B, 4))
    c_multiply_ = f_multiply_
    product_part_4_ = product_[:, :, 12:16]
    o_multiply_ = f_multiply_
    each_step_ = step_views(1, product_, product_part_, product_part_2_, product_part_3_, product_part_4_)
    final_ = like.new_empty((B, 4))
    final_2_ = like.new_empty((B, 4))
    return Buffers((h_default_, c_default_, product_, concat_, f_multiply_, final_, final_2_), (h_default_, c_default_,
            product_, addmm_, addmm_2_, concat_, concat_part_, concat_part_2_, c_multiply_, o_multiply_, each_step_,
            final_, final_2_))


def forward_kept_results(like, T, B):
    """The memory of the results of `forward_kept`, and views of it."""
    h_rows_ = zero_rows(lend(like, (T + 1, B, 4), 1), 1, 0)
    c_rows_ = zero_rows(lend(like, (T + 1, B, 4), 1), 1, 0)
    h_before_ = h_rows_[:T]
    c_before_ = c_rows_[:T]
    g_ = lend(like, (T, B, 4), 0)
    f_i_ = lend(like, (T, B, 8), 0)
    f_ = f_i_[:, :, 0:4]
    i_ = f_i_[:, :, 4:8]
    c_ = c_rows_[1:1 + T]
    h_tanh_ = lend(like, (T, B, 4), 0)
    o_ = lend(like, (T, B, 4), 0)
    h_ = h_rows_[1:1 + T]
    each_step_2_ = step_views(1, h_before_, c_before_, g_, f_i_, f_, i_, c_, h_tanh_, o_, h_)
    return Buffers((h_rows_, c_rows_, g_, f_i_, h_tanh_, o_), (h_rows_, c_rows_, h_before_, c_before_, g_, f_i_, c_,
            h_tanh_, o_, h_, each_step_2_))


def backward(params, given, lengths, steps, batch, training, seed, offset):
    T, B = int(steps['t']), int(batch)
    key, kept = borrow(backward_memory, params, T, B)
    (if_length_, if_length_2_, d_c_, d_h_, h_multiply_, one_, o_subtract_, g_multiply_, f_subtract_, concat_,
            concat_part_, c_multiply_, concat_2_, d_f_, d_i_, concat_part_3_, concat_part_4_, concat_part_5_, i_add_,
            product_, mm_, each_step_, pick_, pick_2_, mm_2_, mm_3_, ones_, mm_4_) = kept.tensors
    lease, lent = borrow(backward_results, params, T, B)
    (d_x_,) = lent.tensors
    n = None if lengths is None else lengths.get('t')
    ragged = n is not None and bool((n < T).any())
    padding = arange(T, device=params.device)[:, None] >= n if ragged else None
    n = params.new_full((B,), T, dtype=torch.int64) if n is None else n
    gradient = lend(params, (140,))
    d_final_c_ = given['d:final:c']  # lstm.rnn:83 h = o * tanh(c)
    d_final_h_ = given['d:final:h']
    if_length(d_final_c_, 0, n, ragged, T, if_length_)  # lstm.rnn:81 c = f * c[t-1] + i * g
    if_length(d_final_h_, 0, n, ragged, T, if_length_2_)  # lstm.rnn:83 h = o * tanh(c)
    o_ = given['tape:5']  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    tape_6_ = given['tape:6']  # lstm.rnn:83 h = o * tanh(c)
    d_output_h_ = given['d:output:h']
    if ragged:
        d_output_h_ = fill_padding(d_output_h_, padding, 0)
    h_ = given['tape:7']
    f_i_ = given['tape:2']  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    tape_1_ = given['tape:1']  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    g_ = given['tape:3']  # lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    c_ = given['tape:4']  # lstm.rnn:81 c = f * c[t-1] + i * g
    tape_0_ = given['tape:0']  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    x_ = given['x']  # lstm.rnn:66 cell LSTM[N, H](x: [N]) -> (h: [H]) {
    if ragged:
        x_ = fill_padding(x_, padding, 0)
    place(d_final_c_, -1, n, ragged, d_c_)  # lstm.rnn:81 c = f * c[t-1] + i * g
    place(d_final_h_, -1, n, ragged, d_h_)  # lstm.rnn:83 h = o * tanh(c)
    tanh_backward(o_, tape_6_, grad_input=h_multiply_)
    add(d_output_h_, d_h_, out=d_h_)
    sub(one_, o_, out=o_subtract_)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    mul(h_, o_subtract_, out=o_subtract_)
    i_ = f_i_[:, :, 4:8]
    tanh_backward(i_, g_, grad_input=g_multiply_)  # lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    sigmoid_backward(one_, f_i_, grad_input=f_subtract_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    p_o_ = params[136:140].view((4,))
    f_ = f_i_[:, :, 0:4]
    p_i_ = params[132:136].view((4,))
    p_f_ = params[128:132].view((4,))
    U_f_U_i_U_g_U_o_ = params[64:128].view((16, 4))
    U_f_U_i_U_g_U_o_prepared_ = prepared(mm_, U_f_U_i_U_g_U_o_, B, T)
    for ((d_h_t_, product_after_t_, d_c_t_, h_multiply_t_, o_subtract_t_, concat_part_t_, i_add_after_t_, g_multiply_t_,
            concat_part_2_t_, f_subtract_t_, concat_part_3_t_, concat_part_4_t_, concat_part_5_t_, i_add_t_, concat_t_,
            product_t_), f_t_, tape_1_t_, g_t_, padding_t_) in zip(each_step_, f_.unbind(0)[::-1],
            tape_1_.unbind(0)[::-1], g_.unbind(0)[::-1], (padding.unbind(0) if ragged else [None] * T)[::-1]):
        add(d_h_t_, product_after_t_, out=d_h_t_)  # lstm.rnn:83 h = o * tanh(c)
        addcmul(d_c_t_, h_multiply_t_, d_h_t_, out=d_c_t_)  # lstm.rnn:81 c = f * c[t-1] + i * g
        mul(o_subtract_t_, d_h_t_, out=concat_part_t_)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
        addcmul(d_c_t_, concat_part_t_, p_o_, out=d_c_t_)  # lstm.rnn:81 c = f * c[t-1] + i * g
        add(d_c_t_, i_add_after_t_, out=d_c_t_)
        mul(d_c_t_, f_t_, out=c_multiply_)
        mul(d_c_t_, tape_1_t_, out=d_f_)
        mul(d_c_t_, g_t_, out=d_i_)
        mul(g_multiply_t_, d_c_t_, out=concat_part_2_t_)  # lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
        mul(f_subtract_t_, concat_2_, out=concat_part_3_t_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        addcmul(c_multiply_, concat_part_4_t_, p_i_, out=c_multiply_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
        addcmul(c_multiply_, concat_part_5_t_, p_f_, out=i_add_t_)
        if ragged:
            fill_where(i_add_t_, padding_t_, 0)
        mm_(concat_t_, U_f_U_i_U_g_U_o_prepared_, out=product_t_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        if ragged:
            fill_where(product_t_, padding_t_, 0)
    pick(i_add_, 1, n, ragged, 0, pick_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    pick(product_, 1, n, ragged, 0, pick_2_)
    add(if_length_, pick_, out=if_length_)  # lstm.rnn:81 c = f * c[t-1] + i * g
    add(if_length_2_, pick_2_, out=if_length_2_)  # lstm.rnn:83 h = o * tanh(c)
    if ragged:
        fill_where(concat_part_, padding, 0)
        fill_where(concat_part_3_, padding, 0)
        fill_where(concat_, padding, 0)
    W_f_W_i_W_g_W_o_ = params[0:48].view((16, 3))
    mm_2_(concat_.view((T * B, 16)), W_f_W_i_W_g_W_o_, out=d_x_.view((T * B, 3)))  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    if ragged:
        fill_where(d_x_, padding, 0)
    d_p_o_ = gradient[136:140].view((4,))
    sum_products(concat_part_, c_, (0, 1), d_p_o_)  # lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    d_p_i_ = gradient[132:136].view((4,))
    sum_products(concat_part_4_, tape_1_, (0, 1), d_p_i_)  # lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    d_p_f_ = gradient[128:132].view((4,))
    sum_products(concat_part_5_, tape_1_, (0, 1), d_p_f_)  # lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    d_U_f_U_i_U_g_U_o_ = gradient[64:128].view((16, 4))
    mm_3_(concat_.view((T * B, 16)).T, tape_0_.reshape((T * B, 4)), out=d_U_f_U_i_U_g_U_o_)
    d_b_f_b_i_b_g_b_o_ = gradient[48:64].view((16,))
    mv(concat_.reshape(T * B, 16).T, ones_, out=d_b_f_b_i_b_g_b_o_)
    d_W_f_W_i_W_g_W_o_ = gradient[0:48].view((16, 3))
    mm_4_(concat_.view((T * B, 16)).T, x_.reshape((T * B, 3)), out=d_W_f_W_i_W_g_W_o_)
    results = {
        'gradient': gradient,
        'gradient:start:h': copy_of(if_length_2_),
        'gradient:start:c': copy_of(if_length_),
    }
    results.update(handed_out(backward_results, lease, lent, {
        'gradient:input:x': d_x_,
    }))
    give_back(backward_memory, key, kept)
    return results


def backward_memory(like, T, B):
    """The buffers of `backward` for these numbers of steps and sequences, and views of them."""
    if_length_ = like.new_empty((B, 4))
    if_length_2_ = like.new_empty((B, 4))
    d_c_ = like.new_empty((T, B, 4))
    d_h_ = like.new_empty((T, B, 4))
    h_multiply_ = like.new_empty((T, B, 4))
    one_ = like.new_full((), 1.0)
    o_subtract_ = like.new_empty((T, B, 4))
    g_multiply_ = like.new_empty((T, B, 4))
    f_subtract_ = like.new_empty((T, B, 8))
    product_rows_ = zero_rows(like.new_empty((T + 1, B, 4)), 0, 1)
    product_after_ = product_rows_[1:1 + T]
    concat_ = like.new_empty((T, B, 16))
    concat_part_ = concat_[:, :, 12:16]
    i_add_rows_ = zero_rows(like.new_empty((T + 1, B, 4)), 0, 1)
    i_add_after_ = i_add_rows_[1:1 + T]
    o_multiply_ = like.new_empty((B, 4))
    c_multiply_ = o_multiply_
    concat_2_ = like.new_empty((B, 8))
    d_f_ = concat_2_[:, 0:4]
    d_i_ = concat_2_[:, 4:8]
    concat_part_2_ = concat_[:, :, 8:12]
    concat_part_3_ = concat_[:, :, 0:8]
    concat_part_4_ = concat_[:, :, 4:8]
    concat_part_5_ = concat_[:, :, 0:4]
    i_add_ = i_add_rows_[:T]
    product_ = product_rows_[:T]
    mm_ = best_product(like, mm, step_mm, B, 16, 4)
    each_step_ = step_views(-1, d_h_, product_after_, d_c_, h_multiply_, o_subtract_, concat_part_, i_add_after_,
            g_multiply_, concat_part_2_, f_subtract_, concat_part_3_, concat_part_4_, concat_part_5_, i_add_, concat_,
            product_)
    pick_ = like.new_empty((B, 4))
    pick_2_ = like.new_empty((B, 4))
    mm_2_ = best_product(like, mm, large_mm, T * B, 16, 3)
    mm_3_ = best_product(like, mm, large_mm, 16, T * B, 4)
    ones_ = like.new_full((T * B,), 1.0)
    mm_4_ = best_product(like, mm, large_mm, 16, T * B, 3)
    return Buffers((if_length_, if_length_2_, d_c_, d_h_, h_multiply_, one_, o_subtract_, g_multiply_, f_subtract_,
            product_rows_, concat_, i_add_rows_, o_multiply_, concat_2_, pick_, pick_2_, ones_), (if_length_,
            if_length_2_, d_c_, d_h_, h_multiply_, one_, o_subtract_, g_multiply_, f_subtract_, concat_, concat_part_,
            c_multiply_, concat_2_, d_f_, d_i_, concat_part_3_, concat_part_4_, concat_part_5_, i_add_, product_, mm_,
            each_step_, pick_, pick_2_, mm_2_, mm_3_, ones_, mm_4_))


def backward_results(like, T, B):
    """The memory of the results of `backward`, and views of it."""
    d_x_ = lend(like, (T, B, 3), 0)
    return Buffers((d_x_,), (d_x_,))
