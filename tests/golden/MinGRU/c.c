static void forward_kept_firsts_(const struct forward_kept_memory *w, long long b0, long long b1) {
    const float *restrict const h_start_ = w->h_start_;
    float *restrict const h_ = w->h_;
    long long B = w->B;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const float start_ = h_start_[(long long)b * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
            h_[((long long)0 * B + b) * 4 + i0] = start_;
        }
    }
}

static void forward_kept_h_(const struct forward_kept_memory *w, long long t, long long b0, long long b1, long long first) {
    const float *restrict const params = w->params;
    const float *restrict const z_product_ = w->z_product_;
    float *restrict const h_ = w->h_;
    float *restrict const z_ = w->z_;
    float *restrict const c_ = w->c_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long rec_b = b0; rec_b < b1; rec_b += 64) {
        const long long rec_end = REC_MIN(b1, rec_b + 64), rec_n = (rec_end - rec_b) * 4;
        REC_ALIGNED float rec_row_add_[272];
        REC_ALIGNED float rec_row_c_2_[272];
        REC_ALIGNED float rec_row_h_2_[272];
        REC_ALIGNED float rec_row_shift_[272];
        REC_ALIGNED float rec_row_valid_2_[272];
        REC_ALIGNED float rec_row_z_2_[272];
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long tb = t * B + b;
            const long long cb = (t - first) * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float product_ = z_product_[cb * 8 + (i0 + 4)];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
                const float concat_ = params[24 + (i0 + 4)];
                const float add_ = product_ + concat_;
                rec_row_add_[(b - rec_b) * 4 + i0] = add_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float product_2_ = z_product_[cb * 8 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
                const float concat_2_ = params[24 + i0];
                const float c_2_ = product_2_ + concat_2_;  // diagonal.rnn:70 c = W_h @ x + b_h
                rec_row_c_2_[(b - rec_b) * 4 + i0] = c_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float shift_ = h_[tb * 4 + i0];
                rec_row_shift_[(b - rec_b) * 4 + i0] = shift_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float product_2_ = z_product_[cb * 8 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
                const float concat_2_ = params[24 + i0];
                const float c_2_ = product_2_ + concat_2_;  // diagonal.rnn:70 c = W_h @ x + b_h
                const float valid_2_ = (t < n_t[b] ? c_2_ : 0.0f);  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
                rec_row_valid_2_[(b - rec_b) * 4 + i0] = valid_2_;
            }
        }
        REC_FILL(rec_row_add_ + rec_n, 16, 0);
        REC_FILL(rec_row_c_2_ + rec_n, 16, 0);
        REC_FILL(rec_row_shift_ + rec_n, 16, 0);
        REC_FILL(rec_row_valid_2_ + rec_n, 16, 0);
        REC_WHOLE_VECTORS(rec_i, rec_n) {
            const float add_ = rec_row_add_[rec_i];
            const float c_2_ = rec_row_c_2_[rec_i];
            const float shift_ = rec_row_shift_[rec_i];
            const float z_2_ = rec_sigmoidf(add_);
            rec_row_z_2_[rec_i] = z_2_;
            const float subtract_ = 1.0f - z_2_;
            const float multiply_ = subtract_ * shift_;
            const float multiply_2_ = z_2_ * c_2_;
            const float h_2_ = multiply_ + multiply_2_;
            rec_row_h_2_[rec_i] = h_2_;
        }
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long rec_tb = t * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float z_2_ = rec_row_z_2_[(b - rec_b) * 4 + i0];
                const float valid_ = (t < n_t[b] ? z_2_ : 0.0f);  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
                z_[rec_tb * 4 + i0] = valid_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float valid_2_ = rec_row_valid_2_[(b - rec_b) * 4 + i0];
                c_[rec_tb * 4 + i0] = valid_2_;
            }
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
                const float h_2_ = h_[(tb + B) * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
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
                const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
                chosen_ = h_2_;
            }
            else {
                const float start_ = h_start_[(long long)b * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
                chosen_ = start_;
            }
            h_final_[(long long)b * 4 + i0] = chosen_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        }
    }
}

static void forward_kept_run(const struct forward_kept_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    forward_kept_firsts_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 3, 8, w->params, 1, 3, w->packed_, id, count);
    REC_BARRIER;
    {
        const long long from = B * id / count, to = B * (id + 1) / count;
        const long long chunk = rec_chunk_steps(T_t, B * 8);
        for (long long first = 0; first < T_t; first += chunk) {
            const long long end = REC_MIN(T_t, first + chunk);
            {
                const long long t = first, rows = end - first, b0 = 0, b1 = B, way = id, ways = count;
                rec_multiply_part(T_t * B, rows * (b1 - b0), 8, 3, w->x_ + (t * B + b0) * 3, 3, w->params, 1, 3, w->packed_, w->z_product_ + ((t - first) * B + b0) * 8, 8, 0, way, ways);  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
            }
            rec_wait(w->barrier, count);
            for (long long t = first; t < end; ++t) {
                forward_kept_h_(w, t, from, to, first);
            }
            rec_wait(w->barrier, count);
        }
    }
    REC_BARRIER;
    if (w->ragged) forward_kept_valid_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    forward_kept_final_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
}

static void backward_concat_(const struct backward_memory *w, long long t, long long b0, long long b1) {
    float *restrict const z_concat_ = w->z_concat_;
    float *restrict const h_multiply_ = w->h_multiply_;
    const float *restrict const d_output_h_ = w->d_output_h_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    const float *restrict const z_ = w->z_;
    const float *restrict const c_ = w->c_;
    const float *restrict const tape_2_ = w->tape_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_INDEPENDENT
        for (long long i0 = 0; i0 < 4; ++i0) {
            const float input_ = d_output_h_[tb * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
            const long long at_ = n_t[b] - 1;
            float chosen_ = 0.0f;
            if (at_ == t && t < n_t[b]) {
                const float input_2_ = d_final_h_[(long long)b * 4 + i0];
                chosen_ = input_2_;
            }
            const float add_ = input_ + chosen_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
            const float shift_ = h_multiply_[(long long)b * 4 + i0];
            const float d_h_2_ = add_ + shift_;
            const float z_2_ = z_[tb * 4 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
            const float subtract_ = 1.0f - z_2_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
            const float multiply_ = d_h_2_ * subtract_;
            const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
            const float d_c_ = d_h_2_ * z_2_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
            z_concat_[tb * 8 + i0] = d_c_;  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
            const float c_2_ = c_[tb * 4 + i0];  // diagonal.rnn:70 c = W_h @ x + b_h
            const float multiply_2_ = d_h_2_ * c_2_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
            const float input_3_ = tape_2_[tb * 4 + i0];
            const float multiply_3_ = d_h_2_ * input_3_;
            const float d_z_2_ = multiply_2_ - multiply_3_;  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
            const float multiply_4_ = z_2_ * subtract_;
            const float multiply_5_ = d_z_2_ * multiply_4_;
            z_concat_[tb * 8 + (i0 + 4)] = multiply_5_;
            h_multiply_[(long long)b * 4 + i0] = valid_;
        }
    }
}

static void backward_add_(const struct backward_memory *w, long long b0, long long b1) {
    const float *restrict const h_multiply_ = w->h_multiply_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    float *restrict const h_add_2_ = w->h_add_2_;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const float input_ = d_final_h_[(long long)b * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
            const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);
            const long long at_ = 0;
            float chosen_ = 0.0f;
            if (at_ >= 0 && at_ < n_t[b]) {
                const float multiply_ = h_multiply_[(long long)b * 4 + i0];
                chosen_ = multiply_;
            }
            const float add_ = if_length_ + chosen_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
            h_add_2_[(long long)b * 4 + i0] = add_;
        }
    }
}

static void backward_valid_(const struct backward_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const z_concat_ = w->z_concat_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 8; ++i0) {
                const float concat_ = z_concat_[tb * 8 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
                const float valid_ = (t < n_t[b] ? concat_ : 0.0f);
                z_concat_[tb * 8 + i0] = valid_;
            }
        }
    }
}

static void backward_valid_2_(const struct backward_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const d_x_ = w->d_x_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 3; ++i0) {
                const float d_x_2_ = d_x_[tb * 3 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
                const float valid_ = (t < n_t[b] ? d_x_2_ : 0.0f);
                d_x_[tb * 3 + i0] = valid_;
            }
        }
    }
}

static void backward_sums_(const struct backward_memory *w, long long id, long long count) {
    float *restrict const gradient = w->gradient;
    const float *restrict const z_concat_ = w->z_concat_;
    long long B = w->B;
    long long T_t = w->T_t;
    const long long *const n_t = w->n_t;
    REC_INDEPENDENT
    for (long long i0 = 8 * id / count; i0 < 8 * (id + 1) / count; ++i0) {
        gradient[24 + i0] = 0.0f;
    }
    for (long long t = 0; t < T_t; ++t) {
        for (long long b = 0; b < B; ++b) {
            if (t >= n_t[b]) continue;
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 8 * id / count; i0 < 8 * (id + 1) / count; ++i0) {
                const float valid_ = z_concat_[tb * 8 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
                gradient[24 + i0] += valid_;
            }
        }
    }
}

static void backward_run(const struct backward_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    {
        const long long from = B * id / count, to = B * (id + 1) / count;
        for (long long t = T_t - 1; t >= 0; --t) {
            backward_concat_(w, t, from, to);
        }
    }
    REC_BARRIER;
    backward_add_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 8, 3, w->params, 3, 1, w->packed_, id, count);
    REC_BARRIER;
    rec_multiply_part(T_t * B, T_t * B, 3, 8, w->z_concat_, 8, w->params, 3, 1, w->packed_, w->d_x_, 3, 0, id, count);  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    REC_BARRIER;
    if (w->ragged) backward_valid_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    if (w->ragged) backward_valid_2_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    rec_product_part(8, 3, T_t * B, w->z_concat_, 1, 8, w->x_, 3, 1, w->gradient, 3, w->work, w->room, id, count);  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    REC_BARRIER;
    backward_sums_(w, id, count);
    REC_BARRIER;
}
