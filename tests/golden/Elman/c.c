static void forward_kept_firsts_(const struct forward_kept_memory *w, long long b0, long long b1) {
    const float *restrict const h_start_ = w->h_start_;
    float *restrict const h_ = w->h_;
    long long B = w->B;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const float start_ = h_start_[(long long)b * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            h_[((long long)0 * B + b) * 4 + i0] = start_;
        }
    }
}

static void forward_kept_h_(const struct forward_kept_memory *w, long long t, long long b0, long long b1, long long first) {
    const float *restrict const params = w->params;
    const float *restrict const h_product_ = w->h_product_;
    const float *restrict const h_product_2_ = w->h_product_2_;
    float *restrict const h_ = w->h_;
    long long B = w->B;
    for (long long rec_b = b0; rec_b < b1; rec_b += 64) {
        const long long rec_end = REC_MIN(b1, rec_b + 64), rec_n = (rec_end - rec_b) * 4;
        REC_ALIGNED float rec_row_add_2_[272];
        REC_ALIGNED float rec_row_h_2_[272];
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long cb = (t - first) * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float param_ = params[i0];  // simple.rnn:56 param b : [H] ~ zeros
                const float product_ = h_product_[cb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
                const float add_ = param_ + product_;
                const float product_2_ = h_product_2_[(long long)b * 4 + i0];
                const float add_2_ = add_ + product_2_;
                rec_row_add_2_[(b - rec_b) * 4 + i0] = add_2_;
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
            REC_VECTOR_LOOP(i0, 4) {
                const float h_2_ = rec_row_h_2_[(b - rec_b) * 4 + i0];
                h_[(rec_tb + B) * 4 + i0] = h_2_;
            }
        }
    }
}

static void forward_kept_valid_(const struct forward_kept_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const h_ = w->h_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 4; ++i0) {
                const float h_2_ = h_[(tb + B) * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
                const float valid_ = (t < n_t[b] ? h_2_ : 0.0f);
                h_[(tb + B) * 4 + i0] = valid_;
            }
        }
    }
}

static void forward_kept_final_(const struct forward_kept_memory *w, long long b0, long long b1) {
    const float *restrict const h_start_ = w->h_start_;
    const float *restrict const h_ = w->h_;
    float *restrict const h_final_ = w->h_final_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const long long at_ = n_t[b] - 1;
            float chosen_;
            if (at_ >= 0) {
                const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
                chosen_ = h_2_;
            }
            else {
                const float start_ = h_start_[(long long)b * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
                chosen_ = start_;
            }
            h_final_[(long long)b * 4 + i0] = chosen_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        }
    }
}

static void forward_kept_run(const struct forward_kept_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    forward_kept_firsts_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 3, 4, w->params + 4, 1, 3, w->packed_, id, count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 4, 4, w->params + 16, 1, 4, w->packed_2_, id, count);
    REC_BARRIER;
    {
        const long long ways = B < 4 * count && B * 32 >= 250000 ? count : 1, way = ways > 1 ? id : 0;
        const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;
        const long long chunk = rec_chunk_steps(T_t, B * 4), all = b1 - b0 == B;
        long long first = 0, end = first;
        for (long long t = 0; t < T_t; ++t) {
            if (t >= end) {
                first = t;
                end = first + chunk < T_t ? first + chunk : T_t;
                const long long rows = all ? end - first : 1;
                for (long long t = first; t < end; t += rows) {
                    rec_multiply_part(T_t * B, rows * (b1 - b0), 4, 3, w->x_ + (t * B + b0) * 3, 3, w->params + 4, 1, 3, w->packed_, w->h_product_ + ((t - first) * B + b0) * 4, 4, 0, way, ways);  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
                }
                REC_STEP_BARRIER;
            }
            rec_multiply_part(T_t * B, (b1 - b0), 4, 4, w->h_ + (t * B + b0) * 4, 4, w->params + 16, 1, 4, w->packed_2_, w->h_product_2_ + b0 * 4, 4, t, way, ways);  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            REC_STEP_BARRIER;
            forward_kept_h_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways, first);
            REC_STEP_BARRIER;
        }
    }
    REC_BARRIER;
    if (w->ragged) forward_kept_valid_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    forward_kept_final_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
}

static void backward_d_h_(const struct backward_memory *w, long long t, long long b0, long long b1) {
    const float *restrict const h_product_ = w->h_product_;
    float *restrict const h_multiply_2_ = w->h_multiply_2_;
    float *restrict const d_h_ = w->d_h_;
    const float *restrict const d_output_h_ = w->d_output_h_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    const float *restrict const h_ = w->h_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_VECTOR_LOOP(i0, 4) {
            const float input_ = d_output_h_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            const long long at_ = n_t[b] - 1;
            float chosen_ = 0.0f;
            if (at_ == t && t < n_t[b]) {
                const float input_2_ = d_final_h_[(long long)b * 4 + i0];
                chosen_ = input_2_;
            }
            const float add_ = input_ + chosen_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            const float shift_ = h_product_[(tb + B) * 4 + i0];
            const float d_h_2_ = add_ + shift_;
            d_h_[tb * 4 + i0] = d_h_2_;
            const float h_2_ = h_[tb * 4 + i0];
            const float multiply_ = h_2_ * h_2_;
            const float subtract_ = 1.0f - multiply_;
            const float multiply_2_ = d_h_2_ * subtract_;
            h_multiply_2_[tb * 4 + i0] = multiply_2_;
        }
    }
}

static void backward_valid_(const struct backward_memory *w, long long t, long long b0, long long b1) {
    float *restrict const h_product_ = w->h_product_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_INDEPENDENT
        for (long long i0 = 0; i0 < 4; ++i0) {
            const float product_ = h_product_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            const float valid_ = (t < n_t[b] ? product_ : 0.0f);
            h_product_[tb * 4 + i0] = valid_;
        }
    }
}

static void backward_add_(const struct backward_memory *w, long long b0, long long b1) {
    const float *restrict const h_product_ = w->h_product_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    float *restrict const h_add_2_ = w->h_add_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const float input_ = d_final_h_[(long long)b * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);
            const long long at_ = 0;
            float chosen_ = 0.0f;
            if (at_ >= 0 && at_ < n_t[b]) {
                const float product_ = h_product_[((long long)at_ * B + b) * 4 + i0];
                chosen_ = product_;
            }
            const float add_ = if_length_ + chosen_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            h_add_2_[(long long)b * 4 + i0] = add_;
        }
    }
}

static void backward_valid_2_(const struct backward_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const h_multiply_2_ = w->h_multiply_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 4; ++i0) {
                const float multiply_ = h_multiply_2_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
                const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);
                h_multiply_2_[tb * 4 + i0] = valid_;
            }
        }
    }
}

static void backward_valid_3_(const struct backward_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const d_x_ = w->d_x_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 3; ++i0) {
                const float d_x_2_ = d_x_[tb * 3 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
                const float valid_ = (t < n_t[b] ? d_x_2_ : 0.0f);
                d_x_[tb * 3 + i0] = valid_;
            }
        }
    }
}

static void backward_sums_(const struct backward_memory *w, long long id, long long count) {
    float *restrict const gradient = w->gradient;
    const float *restrict const d_h_ = w->d_h_;
    const float *restrict const h_ = w->h_;
    long long B = w->B;
    long long T_t = w->T_t;
    const long long *const n_t = w->n_t;
    REC_INDEPENDENT
    for (long long i0 = 4 * id / count; i0 < 4 * (id + 1) / count; ++i0) {
        gradient[i0] = 0.0f;
    }
    for (long long t = 0; t < T_t; ++t) {
        for (long long b = 0; b < B; ++b) {
            if (t >= n_t[b]) continue;
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 4 * id / count; i0 < 4 * (id + 1) / count; ++i0) {
                const float d_h_2_ = d_h_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
                const float valid_ = (t < n_t[b] ? d_h_2_ : 0.0f);
                const float h_2_ = h_[tb * 4 + i0];
                const float multiply_ = h_2_ * h_2_;
                const float subtract_ = 1.0f - multiply_;
                const float valid_2_ = (t < n_t[b] ? subtract_ : 0.0f);
                const float multiply_2_ = valid_ * valid_2_;
                gradient[i0] += multiply_2_;
            }
        }
    }
}

static void backward_run(const struct backward_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    rec_pack_part(T_t * B, 4, 4, w->params + 16, 4, 1, w->packed_, id, count);
    REC_BARRIER;
    {
        const long long ways = B < 4 * count && B * 32 >= 250000 ? count : 1, way = ways > 1 ? id : 0;
        const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;
        for (long long t = T_t - 1; t >= 0; --t) {
            backward_d_h_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
            rec_multiply_part(T_t * B, (b1 - b0), 4, 4, w->h_multiply_2_ + (t * B + b0) * 4, 4, w->params + 16, 4, 1, w->packed_, w->h_product_ + (t * B + b0) * 4, 4, t, way, ways);  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            REC_STEP_BARRIER;
            if (w->ragged) backward_valid_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
        }
    }
    REC_BARRIER;
    backward_add_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 4, 3, w->params + 4, 3, 1, w->packed_2_, id, count);
    REC_BARRIER;
    rec_multiply_part(T_t * B, T_t * B, 3, 4, w->h_multiply_2_, 4, w->params + 4, 3, 1, w->packed_2_, w->d_x_, 3, 0, id, count);  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    REC_BARRIER;
    if (w->ragged) backward_valid_2_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    if (w->ragged) backward_valid_3_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    rec_product_part(4, 4, T_t * B, w->h_multiply_2_, 1, 4, w->tape_0_, 4, 1, w->gradient + 16, 4, w->work, w->room, id, count);  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    REC_BARRIER;
    rec_product_part(4, 3, T_t * B, w->h_multiply_2_, 1, 4, w->x_, 3, 1, w->gradient + 4, 3, w->work, w->room, id, count);  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    REC_BARRIER;
    backward_sums_(w, id, count);
    REC_BARRIER;
}
