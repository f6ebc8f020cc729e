static void loss_gradients_multiply_(const struct loss_gradients_memory *w) {
    float *restrict const multiply_ = w->multiply_;
    long long B = w->B;
    const float batch_2_ = (float)B;  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    const float maximum_2_ = (((batch_2_ > 1.0f) | (batch_2_ != batch_2_)) ? batch_2_ : 1.0f);
    const float divide_3_ = 1.0f / maximum_2_;
    const float multiply_6_ = divide_3_ * 0.5f;
    multiply_[0] = multiply_6_;
}

static void loss_gradients_firsts_(const struct loss_gradients_memory *w, long long b0, long long b1) {
    const float *restrict const h_start_ = w->h_start_;
    float *restrict const h_ = w->h_;
    long long B = w->B;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 3) {
            const float start_ = h_start_[(long long)b * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
            h_[((long long)0 * B + b) * 3 + i0] = start_;
        }
    }
}

static void loss_gradients_h_(const struct loss_gradients_memory *w, long long t, long long b0, long long b1, long long first) {
    const float *restrict const h_product_ = w->h_product_;
    const float *restrict const h_product_2_ = w->h_product_2_;
    float *restrict const h_ = w->h_;
    long long B = w->B;
    for (long long rec_b = b0; rec_b < b1; rec_b += 85) {
        const long long rec_end = REC_MIN(b1, rec_b + 85), rec_n = (rec_end - rec_b) * 3;
        REC_ALIGNED float rec_row_add_2_[271];
        REC_ALIGNED float rec_row_h_2_[271];
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long cb = (t - first) * B + b;
            REC_VECTOR_LOOP(i0, 3) {
                const float product_ = h_product_[cb * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
                const float product_2_ = h_product_2_[(long long)b * 3 + i0];
                const float add_2_ = product_ + product_2_;
                rec_row_add_2_[(b - rec_b) * 3 + i0] = add_2_;
            }
        }
        REC_FILL(rec_row_add_2_ + rec_n, 16, 0);
        REC_WHOLE_VECTORS(rec_i, rec_n) {
            const float add_2_ = rec_row_add_2_[rec_i];
            const float h_2_ = rec_tanhf(add_2_);
            rec_row_h_2_[rec_i] = h_2_;
        }
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long rec_tb = t * B + b;
            REC_VECTOR_LOOP(i0, 3) {
                const float h_2_ = rec_row_h_2_[(b - rec_b) * 3 + i0];
                h_[(rec_tb + B) * 3 + i0] = h_2_;
            }
        }
    }
}

static void loss_gradients_subtract_(const struct loss_gradients_memory *w, long long b0, long long b1) {
    const float *restrict const multiply_ = w->multiply_;
    const float *restrict const h_ = w->h_;
    float *restrict const y_subtract_ = w->y_subtract_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long rec_b = b0; rec_b < b1; rec_b += 85) {
        const long long rec_end = REC_MIN(b1, rec_b + 85), rec_n = (rec_end - rec_b) * 3;
        REC_ALIGNED float rec_row_chosen_[271];
        REC_ALIGNED float rec_row_multiply_6_[271];
        REC_ALIGNED float rec_row_subtract_[271];
        for (long long b = rec_b; b < rec_end; ++b) {
            REC_VECTOR_LOOP(i0, 3) {
                const long long at_ = n_t[b] - 1;
                float chosen_ = 0.0f;
                if (at_ >= 0 && at_ < n_t[b]) {
                    const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
                    chosen_ = h_2_;
                }
                rec_row_chosen_[(b - rec_b) * 3 + i0] = chosen_;
            }
            REC_VECTOR_LOOP(i0, 3) {
                const float multiply_6_ = multiply_[0];  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
                rec_row_multiply_6_[(b - rec_b) * 3 + i0] = multiply_6_;
            }
        }
        REC_FILL(rec_row_chosen_ + rec_n, 16, 0);
        REC_FILL(rec_row_multiply_6_ + rec_n, 16, 0);
        REC_WHOLE_VECTORS(rec_i, rec_n) {
            const float chosen_ = rec_row_chosen_[rec_i];
            const float multiply_6_ = rec_row_multiply_6_[rec_i];
            const float sigmoid_3_ = rec_sigmoidf(chosen_);  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
            const float multiply_7_ = multiply_6_ * sigmoid_3_;
            const float negative_2_ = -chosen_;
            const float sigmoid_4_ = rec_sigmoidf(negative_2_);
            const float multiply_8_ = multiply_6_ * sigmoid_4_;
            const float subtract_ = multiply_7_ - multiply_8_;  // small.rnn:7 y = sigmoid(last(h))
            rec_row_subtract_[rec_i] = subtract_;
        }
        for (long long b = rec_b; b < rec_end; ++b) {
            REC_VECTOR_LOOP(i0, 3) {
                const float subtract_ = rec_row_subtract_[(b - rec_b) * 3 + i0];
                y_subtract_[(long long)b * 3 + i0] = subtract_;
            }
        }
    }
}

static void loss_gradients_sum_(const struct loss_gradients_memory *w, long long b0, long long b1) {
    const float *restrict const h_ = w->h_;
    float *restrict const sum_ = w->sum_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    REC_INDEPENDENT
    for (long long b = b0; b < b1; ++b) {
        float total_ = 0.0f;
        REC_REDUCTION(total_)
        for (long long k_ = 0; k_ < 3; ++k_) {
            const long long at_ = n_t[b] - 1;
            float chosen_ = 0.0f;
            if (at_ >= 0 && at_ < n_t[b]) {
                const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 3 + k_];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
                chosen_ = h_2_;
            }
            const float negative_2_ = -chosen_;  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
            const float softplus_3_ = rec_softplusf(negative_2_);
            const float multiply_6_ = 0.5f * softplus_3_;
            const float softplus_4_ = rec_softplusf(chosen_);
            const float multiply_7_ = 0.5f * softplus_4_;
            const float add_2_ = multiply_6_ + multiply_7_;
            total_ += add_2_;
        }
        sum_[(long long)b] = total_;  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    }
}

static void loss_gradients_sums_(const struct loss_gradients_memory *w) {
    const float *restrict const sum_ = w->sum_;
    float *restrict const sum_batch_ = w->sum_batch_;
    long long B = w->B;
    sum_batch_[0] = 0.0f;
    for (long long b = 0; b < B; ++b) {
        const float sum_2_ = sum_[(long long)b];  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
        sum_batch_[0] += sum_2_;
    }
}

static void loss_gradients_final_(const struct loss_gradients_memory *w, long long b0, long long b1) {
    const float *restrict const h_start_ = w->h_start_;
    const float *restrict const h_ = w->h_;
    float *restrict const h_final_ = w->h_final_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 3) {
            const long long at_ = n_t[b] - 1;
            float chosen_;
            if (at_ >= 0) {
                const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
                chosen_ = h_2_;
            }
            else {
                const float start_ = h_start_[(long long)b * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
                chosen_ = start_;
            }
            h_final_[(long long)b * 3 + i0] = chosen_;  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
        }
    }
}

static void loss_gradients_divide_(const struct loss_gradients_memory *w) {
    const float *restrict const sum_batch_ = w->sum_batch_;
    float *restrict const divide_2_ = w->divide_2_;
    long long B = w->B;
    const float sum_batch_2_ = sum_batch_[0];  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    const float batch_2_ = (float)B;
    const float maximum_2_ = (((batch_2_ > 1.0f) | (batch_2_ != batch_2_)) ? batch_2_ : 1.0f);
    const float divide_3_ = sum_batch_2_ / maximum_2_;
    divide_2_[0] = divide_3_;
}

static void loss_gradients_valid_(const struct loss_gradients_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const h_ = w->h_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 3; ++i0) {
                const float h_2_ = h_[(tb + B) * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
                const float valid_ = (t < n_t[b] ? h_2_ : 0.0f);
                h_[(tb + B) * 3 + i0] = valid_;
            }
        }
    }
}

static void loss_gradients_multiply_2_(const struct loss_gradients_memory *w, long long t, long long b0, long long b1) {
    const float *restrict const h_product_3_ = w->h_product_3_;
    const float *restrict const h_ = w->h_;
    const float *restrict const y_subtract_ = w->y_subtract_;
    float *restrict const h_multiply_2_ = w->h_multiply_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_VECTOR_LOOP(i0, 3) {
            const long long at_ = n_t[b] - 1;
            float chosen_ = 0.0f;
            if (at_ == t && t < n_t[b]) {
                const float subtract_ = y_subtract_[(long long)b * 3 + i0];  // small.rnn:7 y = sigmoid(last(h))
                chosen_ = subtract_;
            }
            const float shift_ = h_product_3_[(tb + B) * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
            const float d_h_2_ = chosen_ + shift_;
            const float h_2_ = h_[(tb + B) * 3 + i0];
            const float multiply_6_ = h_2_ * h_2_;
            const float subtract_2_ = 1.0f - multiply_6_;
            const float multiply_7_ = d_h_2_ * subtract_2_;
            h_multiply_2_[tb * 3 + i0] = multiply_7_;
        }
    }
}

static void loss_gradients_valid_2_(const struct loss_gradients_memory *w, long long t, long long b0, long long b1) {
    float *restrict const h_product_3_ = w->h_product_3_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_INDEPENDENT
        for (long long i0 = 0; i0 < 3; ++i0) {
            const float product_ = h_product_3_[tb * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
            const float valid_ = (t < n_t[b] ? product_ : 0.0f);
            h_product_3_[tb * 3 + i0] = valid_;
        }
    }
}

static void loss_gradients_valid_3_(const struct loss_gradients_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const h_multiply_2_ = w->h_multiply_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 3; ++i0) {
                const float multiply_6_ = h_multiply_2_[tb * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
                const float valid_ = (t < n_t[b] ? multiply_6_ : 0.0f);
                h_multiply_2_[tb * 3 + i0] = valid_;
            }
        }
    }
}

static void loss_gradients_run(const struct loss_gradients_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    if (id == 0) loss_gradients_multiply_(w);
    REC_BARRIER;
    loss_gradients_firsts_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 2, 3, w->params, 1, 2, w->packed_, id, count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 3, 3, w->params + 6, 1, 3, w->packed_2_, id, count);
    REC_BARRIER;
    {
        const long long ways = B < 4 * count && B * 18 >= 250000 ? count : 1, way = ways > 1 ? id : 0;
        const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;
        const long long chunk = rec_chunk_steps(T_t, B * 3), all = b1 - b0 == B;
        long long first = 0, end = first;
        for (long long t = 0; t < T_t; ++t) {
            if (t >= end) {
                first = t;
                end = first + chunk < T_t ? first + chunk : T_t;
                const long long rows = all ? end - first : 1;
                for (long long t = first; t < end; t += rows) {
                    rec_multiply_part(T_t * B, rows * (b1 - b0), 3, 2, w->x_ + (t * B + b0) * 2, 2, w->params, 1, 2, w->packed_, w->h_product_ + ((t - first) * B + b0) * 3, 3, 0, way, ways);  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
                }
                REC_STEP_BARRIER;
            }
            rec_multiply_part(T_t * B, (b1 - b0), 3, 3, w->h_ + (t * B + b0) * 3, 3, w->params + 6, 1, 3, w->packed_2_, w->h_product_2_ + b0 * 3, 3, t, way, ways);  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
            REC_STEP_BARRIER;
            loss_gradients_h_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways, first);
            REC_STEP_BARRIER;
        }
    }
    REC_BARRIER;
    loss_gradients_subtract_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    loss_gradients_sum_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    if (id == 0) loss_gradients_sums_(w);
    REC_BARRIER;
    loss_gradients_final_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    if (id == 0) loss_gradients_divide_(w);
    REC_BARRIER;
    if (w->ragged) loss_gradients_valid_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    rec_pack_part(T_t * B, 3, 3, w->params + 6, 3, 1, w->packed_3_, id, count);
    REC_BARRIER;
    {
        const long long ways = B < 4 * count && B * 18 >= 250000 ? count : 1, way = ways > 1 ? id : 0;
        const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;
        for (long long t = T_t - 1; t >= 0; --t) {
            loss_gradients_multiply_2_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
            rec_multiply_part(T_t * B, (b1 - b0), 3, 3, w->h_multiply_2_ + (t * B + b0) * 3, 3, w->params + 6, 3, 1, w->packed_3_, w->h_product_3_ + (t * B + b0) * 3, 3, t, way, ways);  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
            REC_STEP_BARRIER;
            if (w->ragged) loss_gradients_valid_2_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
        }
    }
    REC_BARRIER;
    if (w->ragged) loss_gradients_valid_3_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    rec_product_part(3, 3, T_t * B, w->h_multiply_2_, 1, 3, w->h_, 3, 1, w->gradient + 6, 3, w->work, w->room, id, count);  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    REC_BARRIER;
    rec_product_part(3, 2, T_t * B, w->h_multiply_2_, 1, 3, w->x_, 2, 1, w->gradient, 2, w->work, w->room, id, count);  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    REC_BARRIER;
}
