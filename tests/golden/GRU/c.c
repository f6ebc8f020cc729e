static void forward_kept_firsts_(const struct forward_kept_memory *w, long long b0, long long b1) {
    const float *restrict const h_start_ = w->h_start_;
    float *restrict const h_ = w->h_;
    long long B = w->B;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const float start_ = h_start_[(long long)b * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            h_[((long long)0 * B + b) * 4 + i0] = start_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        }
    }
}

static void forward_kept_multiply_(const struct forward_kept_memory *w, long long t, long long b0, long long b1, long long first) {
    const float *restrict const params = w->params;
    const float *restrict const z_product_ = w->z_product_;
    const float *restrict const z_product_2_ = w->z_product_2_;
    const float *restrict const h_ = w->h_;
    float *restrict const z_sigmoid_ = w->z_sigmoid_;
    float *restrict const c_multiply_ = w->c_multiply_;
    long long B = w->B;
    for (long long rec_b = b0; rec_b < b1; rec_b += 64) {
        const long long rec_end = REC_MIN(b1, rec_b + 64), rec_n = (rec_end - rec_b) * 4;
        REC_ALIGNED float rec_row_add_2_[272];
        REC_ALIGNED float rec_row_add_4_[272];
        REC_ALIGNED float rec_row_multiply_[272];
        REC_ALIGNED float rec_row_shift_[272];
        REC_ALIGNED float rec_row_sigmoid_[272];
        REC_ALIGNED float rec_row_sigmoid_2_[272];
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long tb = t * B + b;
            const long long cb = (t - first) * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float product_ = z_product_[cb * 12 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                const float concat_ = params[36 + i0];
                const float add_ = product_ + concat_;
                const float product_2_ = z_product_2_[(long long)b * 8 + i0];
                const float add_2_ = add_ + product_2_;
                rec_row_add_2_[(b - rec_b) * 4 + i0] = add_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float product_3_ = z_product_[cb * 12 + (i0 + 4)];
                const float concat_2_ = params[36 + (i0 + 4)];
                const float add_3_ = product_3_ + concat_2_;
                const float product_4_ = z_product_2_[(long long)b * 8 + (i0 + 4)];
                const float add_4_ = add_3_ + product_4_;
                rec_row_add_4_[(b - rec_b) * 4 + i0] = add_4_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float shift_ = h_[tb * 4 + i0];
                rec_row_shift_[(b - rec_b) * 4 + i0] = shift_;
            }
        }
        REC_FILL(rec_row_add_2_ + rec_n, 16, 0);
        REC_FILL(rec_row_add_4_ + rec_n, 16, 0);
        REC_FILL(rec_row_shift_ + rec_n, 16, 0);
        REC_WHOLE_VECTORS(rec_i, rec_n) {
            const float add_2_ = rec_row_add_2_[rec_i];
            const float add_4_ = rec_row_add_4_[rec_i];
            const float shift_ = rec_row_shift_[rec_i];
            const float sigmoid_ = rec_sigmoidf(add_2_);
            rec_row_sigmoid_[rec_i] = sigmoid_;
            const float sigmoid_2_ = rec_sigmoidf(add_4_);
            rec_row_sigmoid_2_[rec_i] = sigmoid_2_;
            const float multiply_ = sigmoid_2_ * shift_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            rec_row_multiply_[rec_i] = multiply_;
        }
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long rec_tb = t * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float sigmoid_ = rec_row_sigmoid_[(b - rec_b) * 4 + i0];
                z_sigmoid_[rec_tb * 8 + i0] = sigmoid_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float sigmoid_2_ = rec_row_sigmoid_2_[(b - rec_b) * 4 + i0];
                z_sigmoid_[rec_tb * 8 + (i0 + 4)] = sigmoid_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float multiply_ = rec_row_multiply_[(b - rec_b) * 4 + i0];
                c_multiply_[rec_tb * 4 + i0] = multiply_;
            }
        }
    }
}

static void forward_kept_h_(const struct forward_kept_memory *w, long long t, long long b0, long long b1, long long first) {
    const float *restrict const params = w->params;
    const float *restrict const z_product_ = w->z_product_;
    const float *restrict const c_product_ = w->c_product_;
    float *restrict const h_ = w->h_;
    const float *restrict const z_sigmoid_ = w->z_sigmoid_;
    float *restrict const c_ = w->c_;
    long long B = w->B;
    for (long long rec_b = b0; rec_b < b1; rec_b += 64) {
        const long long rec_end = REC_MIN(b1, rec_b + 64), rec_n = (rec_end - rec_b) * 4;
        REC_ALIGNED float rec_row_add_2_[272];
        REC_ALIGNED float rec_row_c_2_[272];
        REC_ALIGNED float rec_row_h_2_[272];
        REC_ALIGNED float rec_row_shift_[272];
        REC_ALIGNED float rec_row_sigmoid_[272];
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long tb = t * B + b;
            const long long cb = (t - first) * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float product_ = z_product_[cb * 12 + (i0 + 8)];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                const float concat_ = params[36 + (i0 + 8)];
                const float add_ = product_ + concat_;
                const float product_2_ = c_product_[(long long)b * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
                const float add_2_ = add_ + product_2_;
                rec_row_add_2_[(b - rec_b) * 4 + i0] = add_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float shift_ = h_[tb * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                rec_row_shift_[(b - rec_b) * 4 + i0] = shift_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float sigmoid_ = z_sigmoid_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                rec_row_sigmoid_[(b - rec_b) * 4 + i0] = sigmoid_;
            }
        }
        REC_FILL(rec_row_add_2_ + rec_n, 16, 0);
        REC_FILL(rec_row_shift_ + rec_n, 16, 0);
        REC_FILL(rec_row_sigmoid_ + rec_n, 16, 0);
        REC_WHOLE_VECTORS(rec_i, rec_n) {
            const float add_2_ = rec_row_add_2_[rec_i];
            const float shift_ = rec_row_shift_[rec_i];
            const float sigmoid_ = rec_row_sigmoid_[rec_i];
            const float c_2_ = rec_tanhf(add_2_);
            rec_row_c_2_[rec_i] = c_2_;
            const float subtract_ = 1.0f - sigmoid_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float multiply_ = subtract_ * shift_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float multiply_2_ = sigmoid_ * c_2_;
            const float h_2_ = multiply_ + multiply_2_;
            rec_row_h_2_[rec_i] = h_2_;
        }
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long rec_tb = t * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float c_2_ = rec_row_c_2_[(b - rec_b) * 4 + i0];
                c_[rec_tb * 4 + i0] = c_2_;
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
                const float h_2_ = h_[(tb + B) * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
                const float valid_ = (t < n_t[b] ? h_2_ : 0.0f);
                h_[(tb + B) * 4 + i0] = valid_;
            }
        }
    }
}

static void forward_kept_valid_2_(const struct forward_kept_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const c_multiply_ = w->c_multiply_;
    float *restrict const c_ = w->c_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 4; ++i0) {
                const float c_2_ = c_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
                const float valid_ = (t < n_t[b] ? c_2_ : 0.0f);  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
                c_[tb * 4 + i0] = valid_;
                const float multiply_ = c_multiply_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
                const float valid_2_ = (t < n_t[b] ? multiply_ : 0.0f);  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
                c_multiply_[tb * 4 + i0] = valid_2_;
            }
        }
    }
}

static void forward_kept_valid_3_(const struct forward_kept_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const z_sigmoid_ = w->z_sigmoid_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 8; ++i0) {
                const float sigmoid_ = z_sigmoid_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                const float valid_ = (t < n_t[b] ? sigmoid_ : 0.0f);  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
                z_sigmoid_[tb * 8 + i0] = valid_;
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
                const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
                chosen_ = h_2_;
            }
            else {
                const float start_ = h_start_[(long long)b * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
                chosen_ = start_;
            }
            h_final_[(long long)b * 4 + i0] = chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
        }
    }
}

static void forward_kept_run(const struct forward_kept_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    forward_kept_firsts_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 3, 12, w->params, 1, 3, w->packed_, id, count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 4, 8, w->params + 48, 1, 4, w->packed_2_, id, count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 4, 4, w->params + 80, 1, 4, w->packed_3_, id, count);
    REC_BARRIER;
    {
        const long long ways = B < 4 * count && B * 96 >= 250000 ? count : 1, way = ways > 1 ? id : 0;
        const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;
        const long long chunk = rec_chunk_steps(T_t, B * 12), all = b1 - b0 == B;
        long long first = 0, end = first;
        for (long long t = 0; t < T_t; ++t) {
            if (t >= end) {
                first = t;
                end = first + chunk < T_t ? first + chunk : T_t;
                const long long rows = all ? end - first : 1;
                for (long long t = first; t < end; t += rows) {
                    rec_multiply_part(T_t * B, rows * (b1 - b0), 12, 3, w->x_ + (t * B + b0) * 3, 3, w->params, 1, 3, w->packed_, w->z_product_ + ((t - first) * B + b0) * 12, 12, 0, way, ways);  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                }
                REC_STEP_BARRIER;
            }
            rec_multiply_part(T_t * B, (b1 - b0), 8, 4, w->h_ + (t * B + b0) * 4, 4, w->params + 48, 1, 4, w->packed_2_, w->z_product_2_ + b0 * 8, 8, t, way, ways);  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            REC_STEP_BARRIER;
            forward_kept_multiply_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways, first);
            REC_STEP_BARRIER;
            rec_multiply_part(T_t * B, (b1 - b0), 4, 4, w->c_multiply_ + (t * B + b0) * 4, 4, w->params + 80, 1, 4, w->packed_3_, w->c_product_ + b0 * 4, 4, t, way, ways);  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            REC_STEP_BARRIER;
            forward_kept_h_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways, first);
            REC_STEP_BARRIER;
        }
    }
    REC_BARRIER;
    if (w->ragged) forward_kept_valid_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    if (w->ragged) forward_kept_valid_2_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    if (w->ragged) forward_kept_valid_3_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    forward_kept_final_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
}

static void backward_multiply_(const struct backward_memory *w, long long t, long long b0, long long b1) {
    float *restrict const z_concat_ = w->z_concat_;
    const float *restrict const tape_1_ = w->tape_1_;
    const float *restrict const c_ = w->c_;
    const float *restrict const d_output_h_ = w->d_output_h_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    const float *restrict const z_add_2_ = w->z_add_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_VECTOR_LOOP(i0, 4) {
            const float input_ = tape_1_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            const float c_2_ = c_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            const float multiply_ = c_2_ * c_2_;
            const float subtract_ = 1.0f - multiply_;
            const float multiply_2_ = input_ * subtract_;
            const float input_2_ = d_output_h_[tb * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const long long at_ = n_t[b] - 1;
            float chosen_ = 0.0f;
            if (at_ == t && t < n_t[b]) {
                const float input_3_ = d_final_h_[(long long)b * 4 + i0];
                chosen_ = input_3_;
            }
            const float add_ = input_2_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float shift_ = z_add_2_[(tb + B) * 4 + i0];
            const float d_h_2_ = add_ + shift_;
            const float multiply_3_ = multiply_2_ * d_h_2_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            z_concat_[tb * 12 + (i0 + 8)] = multiply_3_;
        }
    }
}

static void backward_multiply_2_(const struct backward_memory *w, long long t, long long b0, long long b1) {
    const float *restrict const c_product_ = w->c_product_;
    float *restrict const z_concat_ = w->z_concat_;
    const float *restrict const tape_1_ = w->tape_1_;
    const float *restrict const c_ = w->c_;
    const float *restrict const d_output_h_ = w->d_output_h_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    const float *restrict const z_add_2_ = w->z_add_2_;
    const float *restrict const tape_0_ = w->tape_0_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_VECTOR_LOOP(i0, 4) {
            const float input_ = tape_1_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            const float subtract_ = 1.0f - input_;
            const float multiply_ = input_ * subtract_;
            const float input_2_ = d_output_h_[tb * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const long long at_ = n_t[b] - 1;
            float chosen_ = 0.0f;
            if (at_ == t && t < n_t[b]) {
                const float input_3_ = d_final_h_[(long long)b * 4 + i0];
                chosen_ = input_3_;
            }
            const float add_ = input_2_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float shift_ = z_add_2_[(tb + B) * 4 + i0];
            const float d_h_2_ = add_ + shift_;
            const float c_2_ = c_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            const float multiply_2_ = d_h_2_ * c_2_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float input_4_ = tape_0_[tb * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            const float multiply_3_ = d_h_2_ * input_4_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float d_z_ = multiply_2_ - multiply_3_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            const float multiply_4_ = multiply_ * d_z_;
            z_concat_[tb * 12 + i0] = multiply_4_;
            const float input_5_ = tape_1_[tb * 8 + (i0 + 4)];
            const float subtract_2_ = 1.0f - input_5_;
            const float multiply_5_ = input_5_ * subtract_2_;
            const float product_ = c_product_[(long long)b * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            const float d_r_ = product_ * input_4_;
            const float multiply_6_ = multiply_5_ * d_r_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            z_concat_[tb * 12 + (i0 + 4)] = multiply_6_;
        }
    }
}

static void backward_valid_(const struct backward_memory *w, long long t, long long b0, long long b1) {
    const float *restrict const c_product_ = w->c_product_;
    const float *restrict const z_product_ = w->z_product_;
    const float *restrict const tape_1_ = w->tape_1_;
    const float *restrict const d_output_h_ = w->d_output_h_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    float *restrict const z_add_2_ = w->z_add_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_VECTOR_LOOP(i0, 4) {
            const float product_ = c_product_[(long long)b * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            const float input_ = tape_1_[tb * 8 + (i0 + 4)];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            const float multiply_ = product_ * input_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            const float input_2_ = d_output_h_[tb * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const long long at_ = n_t[b] - 1;
            float chosen_ = 0.0f;
            if (at_ == t && t < n_t[b]) {
                const float input_3_ = d_final_h_[(long long)b * 4 + i0];
                chosen_ = input_3_;
            }
            const float add_ = input_2_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float shift_ = z_add_2_[(tb + B) * 4 + i0];
            const float d_h_2_ = add_ + shift_;
            const float input_4_ = tape_1_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            const float subtract_ = 1.0f - input_4_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float multiply_2_ = d_h_2_ * subtract_;
            const float add_2_ = multiply_ + multiply_2_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            const float product_2_ = z_product_[(long long)b * 4 + i0];
            const float add_3_ = add_2_ + product_2_;
            const float valid_ = (t < n_t[b] ? add_3_ : 0.0f);
            z_add_2_[tb * 4 + i0] = valid_;
        }
    }
}

static void backward_add_(const struct backward_memory *w, long long b0, long long b1) {
    const float *restrict const d_final_h_ = w->d_final_h_;
    const float *restrict const z_add_2_ = w->z_add_2_;
    float *restrict const h_add_2_ = w->h_add_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const float input_ = d_final_h_[(long long)b * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);
            const long long at_ = 0;
            float chosen_ = 0.0f;
            if (at_ >= 0 && at_ < n_t[b]) {
                const float add_ = z_add_2_[((long long)at_ * B + b) * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                chosen_ = add_;
            }
            const float add_2_ = if_length_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
            h_add_2_[(long long)b * 4 + i0] = add_2_;
        }
    }
}

static void backward_valid_2_(const struct backward_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const z_concat_ = w->z_concat_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 8; ++i0) {
                const float multiply_ = z_concat_[tb * 12 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);
                z_concat_[tb * 12 + i0] = valid_;
            }
        }
    }
}

static void backward_valid_3_(const struct backward_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const z_concat_ = w->z_concat_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 4; ++i0) {
                const float multiply_ = z_concat_[tb * 12 + (i0 + 8)];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
                const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                z_concat_[tb * 12 + (i0 + 8)] = valid_;
            }
        }
    }
}

static void backward_valid_6_(const struct backward_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const d_x_ = w->d_x_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 3; ++i0) {
                const float d_x_2_ = d_x_[tb * 3 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
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
    for (long long i0 = 12 * id / count; i0 < 12 * (id + 1) / count; ++i0) {
        gradient[36 + i0] = 0.0f;
    }
    for (long long t = 0; t < T_t; ++t) {
        for (long long b = 0; b < B; ++b) {
            if (t >= n_t[b]) continue;
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 12 * id / count; i0 < 12 * (id + 1) / count; ++i0) {
                const float valid_ = z_concat_[tb * 12 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
                gradient[36 + i0] += valid_;
            }
        }
    }
}

static void backward_run(const struct backward_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    rec_pack_part(T_t * B, 4, 4, w->params + 80, 4, 1, w->packed_, id, count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 8, 4, w->params + 48, 4, 1, w->packed_2_, id, count);
    REC_BARRIER;
    {
        const long long ways = B < 4 * count && B * 96 >= 250000 ? count : 1, way = ways > 1 ? id : 0;
        const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;
        for (long long t = T_t - 1; t >= 0; --t) {
            backward_multiply_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
            rec_multiply_part(T_t * B, (b1 - b0), 4, 4, w->z_concat_ + (t * B + b0) * 12 + 8, 12, w->params + 80, 4, 1, w->packed_, w->c_product_ + b0 * 4, 4, t, way, ways);  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
            REC_STEP_BARRIER;
            backward_multiply_2_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
            rec_multiply_part(T_t * B, (b1 - b0), 4, 8, w->z_concat_ + (t * B + b0) * 12, 12, w->params + 48, 4, 1, w->packed_2_, w->z_product_ + b0 * 4, 4, t, way, ways);  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            REC_STEP_BARRIER;
            backward_valid_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
        }
    }
    REC_BARRIER;
    backward_add_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    if (w->ragged) backward_valid_2_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    if (w->ragged) backward_valid_3_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    rec_pack_part(T_t * B, 12, 3, w->params, 3, 1, w->packed_3_, id, count);
    REC_BARRIER;
    rec_multiply_part(T_t * B, T_t * B, 3, 12, w->z_concat_, 12, w->params, 3, 1, w->packed_3_, w->d_x_, 3, 0, id, count);  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    REC_BARRIER;
    if (w->ragged) backward_valid_3_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    if (w->ragged) backward_valid_2_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    if (w->ragged) backward_valid_6_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    rec_product_part(4, 4, T_t * B, w->z_concat_ + 8, 1, 12, w->tape_2_, 4, 1, w->gradient + 80, 4, w->work, w->room, id, count);  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    REC_BARRIER;
    rec_product_part(8, 4, T_t * B, w->z_concat_, 1, 12, w->tape_0_, 4, 1, w->gradient + 48, 4, w->work, w->room, id, count);  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    REC_BARRIER;
    rec_product_part(12, 3, T_t * B, w->z_concat_, 1, 12, w->x_, 3, 1, w->gradient, 3, w->work, w->room, id, count);  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    REC_BARRIER;
    backward_sums_(w, id, count);
    REC_BARRIER;
}
