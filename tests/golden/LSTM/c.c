static void forward_kept_firsts_(const struct forward_kept_memory *w, long long b0, long long b1) {
    const float *restrict const h_start_ = w->h_start_;
    const float *restrict const c_start_ = w->c_start_;
    float *restrict const h_ = w->h_;
    float *restrict const c_ = w->c_;
    long long B = w->B;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const float start_ = h_start_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
            h_[((long long)0 * B + b) * 4 + i0] = start_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
            const float start_2_ = c_start_[(long long)b * 4 + i0];  // lstm.rnn:81 c = f * c[t-1] + i * g
            c_[((long long)0 * B + b) * 4 + i0] = start_2_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
        }
    }
}

static void forward_kept_h_(const struct forward_kept_memory *w, long long t, long long b0, long long b1, long long first) {
    const float *restrict const params = w->params;
    const float *restrict const f_product_ = w->f_product_;
    const float *restrict const f_product_2_ = w->f_product_2_;
    float *restrict const h_ = w->h_;
    float *restrict const c_ = w->c_;
    float *restrict const g_ = w->g_;
    float *restrict const f_sigmoid_ = w->f_sigmoid_;
    float *restrict const h_tanh_ = w->h_tanh_;
    float *restrict const o_ = w->o_;
    long long B = w->B;
    for (long long rec_b = b0; rec_b < b1; rec_b += 64) {
        const long long rec_end = REC_MIN(b1, rec_b + 64), rec_n = (rec_end - rec_b) * 4;
        REC_ALIGNED float rec_row_add_10_[272];
        REC_ALIGNED float rec_row_add_2_[272];
        REC_ALIGNED float rec_row_add_4_[272];
        REC_ALIGNED float rec_row_add_7_[272];
        REC_ALIGNED float rec_row_c_2_[272];
        REC_ALIGNED float rec_row_g_2_[272];
        REC_ALIGNED float rec_row_h_2_[272];
        REC_ALIGNED float rec_row_o_2_[272];
        REC_ALIGNED float rec_row_param_[272];
        REC_ALIGNED float rec_row_param_2_[272];
        REC_ALIGNED float rec_row_param_3_[272];
        REC_ALIGNED float rec_row_shift_[272];
        REC_ALIGNED float rec_row_sigmoid_[272];
        REC_ALIGNED float rec_row_sigmoid_2_[272];
        REC_ALIGNED float rec_row_tanh_[272];
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long tb = t * B + b;
            const long long cb = (t - first) * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float concat_4_ = params[48 + (i0 + 12)];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float product_7_ = f_product_[cb * 16 + (i0 + 12)];
                const float add_9_ = concat_4_ + product_7_;
                const float product_8_ = f_product_2_[(long long)b * 16 + (i0 + 12)];
                const float add_10_ = add_9_ + product_8_;
                rec_row_add_10_[(b - rec_b) * 4 + i0] = add_10_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float concat_ = params[48 + (i0 + 8)];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float product_ = f_product_[cb * 16 + (i0 + 8)];
                const float add_ = concat_ + product_;
                const float product_2_ = f_product_2_[(long long)b * 16 + (i0 + 8)];
                const float add_2_ = add_ + product_2_;
                rec_row_add_2_[(b - rec_b) * 4 + i0] = add_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float concat_2_ = params[48 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float product_3_ = f_product_[cb * 16 + i0];
                const float add_3_ = concat_2_ + product_3_;
                const float product_4_ = f_product_2_[(long long)b * 16 + i0];
                const float add_4_ = add_3_ + product_4_;
                rec_row_add_4_[(b - rec_b) * 4 + i0] = add_4_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float concat_3_ = params[48 + (i0 + 4)];
                const float product_5_ = f_product_[cb * 16 + (i0 + 4)];
                const float add_6_ = concat_3_ + product_5_;
                const float product_6_ = f_product_2_[(long long)b * 16 + (i0 + 4)];
                const float add_7_ = add_6_ + product_6_;
                rec_row_add_7_[(b - rec_b) * 4 + i0] = add_7_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float param_ = params[128 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
                rec_row_param_[(b - rec_b) * 4 + i0] = param_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float param_2_ = params[132 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
                rec_row_param_2_[(b - rec_b) * 4 + i0] = param_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float param_3_ = params[136 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
                rec_row_param_3_[(b - rec_b) * 4 + i0] = param_3_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float shift_ = c_[tb * 4 + i0];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
                rec_row_shift_[(b - rec_b) * 4 + i0] = shift_;
            }
        }
        REC_FILL(rec_row_add_10_ + rec_n, 16, 0);
        REC_FILL(rec_row_add_2_ + rec_n, 16, 0);
        REC_FILL(rec_row_add_4_ + rec_n, 16, 0);
        REC_FILL(rec_row_add_7_ + rec_n, 16, 0);
        REC_FILL(rec_row_param_ + rec_n, 16, 0);
        REC_FILL(rec_row_param_2_ + rec_n, 16, 0);
        REC_FILL(rec_row_param_3_ + rec_n, 16, 0);
        REC_FILL(rec_row_shift_ + rec_n, 16, 0);
        float rec_of_c_2_[272];
        REC_WHOLE_VECTORS(rec_i, rec_n) {
            const float add_2_ = rec_row_add_2_[rec_i];
            const float add_4_ = rec_row_add_4_[rec_i];
            const float add_7_ = rec_row_add_7_[rec_i];
            const float param_ = rec_row_param_[rec_i];
            const float param_2_ = rec_row_param_2_[rec_i];
            const float shift_ = rec_row_shift_[rec_i];
            const float g_2_ = rec_tanhf(add_2_);  // lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
            rec_row_g_2_[rec_i] = g_2_;
            const float multiply_ = param_ * shift_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float add_5_ = add_4_ + multiply_;
            const float sigmoid_ = rec_sigmoidf(add_5_);
            rec_row_sigmoid_[rec_i] = sigmoid_;
            const float multiply_2_ = param_2_ * shift_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
            const float add_8_ = add_7_ + multiply_2_;
            const float sigmoid_2_ = rec_sigmoidf(add_8_);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            rec_row_sigmoid_2_[rec_i] = sigmoid_2_;
            const float multiply_3_ = sigmoid_ * shift_;  // lstm.rnn:81 c = f * c[t-1] + i * g
            const float multiply_4_ = sigmoid_2_ * g_2_;
            const float c_2_ = multiply_3_ + multiply_4_;
            rec_of_c_2_[rec_i] = c_2_;
            rec_row_c_2_[rec_i] = c_2_;
        }
        REC_WHOLE_VECTORS(rec_i, rec_n) {
            const float add_10_ = rec_row_add_10_[rec_i];
            const float param_3_ = rec_row_param_3_[rec_i];
            const float c_2_ = rec_of_c_2_[rec_i];
            const float tanh_ = rec_tanhf(c_2_);  // lstm.rnn:83 h = o * tanh(c)
            rec_row_tanh_[rec_i] = tanh_;
            const float multiply_5_ = param_3_ * c_2_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
            const float add_11_ = add_10_ + multiply_5_;
            const float o_2_ = rec_sigmoidf(add_11_);
            rec_row_o_2_[rec_i] = o_2_;
            const float h_2_ = tanh_ * o_2_;  // lstm.rnn:83 h = o * tanh(c)
            rec_row_h_2_[rec_i] = h_2_;
        }
        for (long long b = rec_b; b < rec_end; ++b) {
            const long long rec_tb = t * B + b;
            REC_VECTOR_LOOP(i0, 4) {
                const float g_2_ = rec_row_g_2_[(b - rec_b) * 4 + i0];
                g_[rec_tb * 4 + i0] = g_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float sigmoid_ = rec_row_sigmoid_[(b - rec_b) * 4 + i0];
                f_sigmoid_[rec_tb * 8 + i0] = sigmoid_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float sigmoid_2_ = rec_row_sigmoid_2_[(b - rec_b) * 4 + i0];
                f_sigmoid_[rec_tb * 8 + (i0 + 4)] = sigmoid_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float c_2_ = rec_row_c_2_[(b - rec_b) * 4 + i0];
                c_[(rec_tb + B) * 4 + i0] = c_2_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float tanh_ = rec_row_tanh_[(b - rec_b) * 4 + i0];
                h_tanh_[rec_tb * 4 + i0] = tanh_;
            }
            REC_VECTOR_LOOP(i0, 4) {
                const float o_2_ = rec_row_o_2_[(b - rec_b) * 4 + i0];
                o_[rec_tb * 4 + i0] = o_2_;
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
    float *restrict const c_ = w->c_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 4; ++i0) {
                const float h_2_ = h_[(tb + B) * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
                const float valid_ = (t < n_t[b] ? h_2_ : 0.0f);
                h_[(tb + B) * 4 + i0] = valid_;
                const float c_2_ = c_[(tb + B) * 4 + i0];  // lstm.rnn:81 c = f * c[t-1] + i * g
                const float valid_2_ = (t < n_t[b] ? c_2_ : 0.0f);  // lstm.rnn:83 h = o * tanh(c)
                c_[(tb + B) * 4 + i0] = valid_2_;
            }
        }
    }
}

static void forward_kept_valid_2_(const struct forward_kept_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const g_ = w->g_;
    float *restrict const h_tanh_ = w->h_tanh_;
    float *restrict const o_ = w->o_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 4; ++i0) {
                const float tanh_ = h_tanh_[tb * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
                const float valid_ = (t < n_t[b] ? tanh_ : 0.0f);
                h_tanh_[tb * 4 + i0] = valid_;
                const float o_2_ = o_[tb * 4 + i0];  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
                const float valid_2_ = (t < n_t[b] ? o_2_ : 0.0f);  // lstm.rnn:83 h = o * tanh(c)
                o_[tb * 4 + i0] = valid_2_;
                const float g_2_ = g_[tb * 4 + i0];  // lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
                const float valid_3_ = (t < n_t[b] ? g_2_ : 0.0f);  // lstm.rnn:83 h = o * tanh(c)
                g_[tb * 4 + i0] = valid_3_;
            }
        }
    }
}

static void forward_kept_valid_3_(const struct forward_kept_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const f_sigmoid_ = w->f_sigmoid_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 8; ++i0) {
                const float sigmoid_ = f_sigmoid_[tb * 8 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float valid_ = (t < n_t[b] ? sigmoid_ : 0.0f);  // lstm.rnn:83 h = o * tanh(c)
                f_sigmoid_[tb * 8 + i0] = valid_;
            }
        }
    }
}

static void forward_kept_final_(const struct forward_kept_memory *w, long long b0, long long b1) {
    const float *restrict const h_start_ = w->h_start_;
    const float *restrict const c_start_ = w->c_start_;
    const float *restrict const h_ = w->h_;
    const float *restrict const c_ = w->c_;
    float *restrict const c_final_ = w->c_final_;
    float *restrict const h_final_ = w->h_final_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const long long at_ = n_t[b] - 1;
            float chosen_;
            if (at_ >= 0) {
                const float c_2_ = c_[((long long)(at_ + 1) * B + b) * 4 + i0];  // lstm.rnn:81 c = f * c[t-1] + i * g
                chosen_ = c_2_;
            }
            else {
                const float start_ = c_start_[(long long)b * 4 + i0];  // lstm.rnn:81 c = f * c[t-1] + i * g
                chosen_ = start_;
            }
            c_final_[(long long)b * 4 + i0] = chosen_;  // lstm.rnn:81 c = f * c[t-1] + i * g
            const long long at_2_ = n_t[b] - 1;
            float chosen_2_;
            if (at_2_ >= 0) {
                const float h_2_ = h_[((long long)(at_2_ + 1) * B + b) * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
                chosen_2_ = h_2_;
            }
            else {
                const float start_2_ = h_start_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
                chosen_2_ = start_2_;
            }
            h_final_[(long long)b * 4 + i0] = chosen_2_;  // lstm.rnn:83 h = o * tanh(c)
        }
    }
}

static void forward_kept_run(const struct forward_kept_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    forward_kept_firsts_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 3, 16, w->params, 1, 3, w->packed_, id, count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 4, 16, w->params + 64, 1, 4, w->packed_2_, id, count);
    REC_BARRIER;
    {
        const long long ways = B < 4 * count && B * 128 >= 250000 ? count : 1, way = ways > 1 ? id : 0;
        const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;
        const long long chunk = rec_chunk_steps(T_t, B * 16), all = b1 - b0 == B;
        long long first = 0, end = first;
        for (long long t = 0; t < T_t; ++t) {
            if (t >= end) {
                first = t;
                end = first + chunk < T_t ? first + chunk : T_t;
                const long long rows = all ? end - first : 1;
                for (long long t = first; t < end; t += rows) {
                    rec_multiply_part(T_t * B, rows * (b1 - b0), 16, 3, w->x_ + (t * B + b0) * 3, 3, w->params, 1, 3, w->packed_, w->f_product_ + ((t - first) * B + b0) * 16, 16, 0, way, ways);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                }
                REC_STEP_BARRIER;
            }
            rec_multiply_part(T_t * B, (b1 - b0), 16, 4, w->h_ + (t * B + b0) * 4, 4, w->params + 64, 1, 4, w->packed_2_, w->f_product_2_ + b0 * 16, 16, t, way, ways);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
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

static void backward_concat_(const struct backward_memory *w, long long t, long long b0, long long b1) {
    const float *restrict const params = w->params;
    const float *restrict const f_product_ = w->f_product_;
    float *restrict const f_concat_ = w->f_concat_;
    float *restrict const i_add_2_ = w->i_add_2_;
    const float *restrict const h_ = w->h_;
    const float *restrict const o_ = w->o_;
    const float *restrict const d_output_h_ = w->d_output_h_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    const float *restrict const tape_2_ = w->tape_2_;
    const float *restrict const d_final_c_ = w->d_final_c_;
    const float *restrict const tape_6_ = w->tape_6_;
    const float *restrict const tape_1_ = w->tape_1_;
    const float *restrict const g_ = w->g_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_VECTOR_LOOP(i0, 4) {
            const float h_2_ = h_[tb * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
            const float o_2_ = o_[tb * 4 + i0];  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
            const float subtract_ = 1.0f - o_2_;
            const float multiply_ = h_2_ * subtract_;
            const float input_ = d_output_h_[tb * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
            const long long at_ = n_t[b] - 1;
            float chosen_ = 0.0f;
            if (at_ == t && t < n_t[b]) {
                const float input_2_ = d_final_h_[(long long)b * 4 + i0];
                chosen_ = input_2_;
            }
            const float add_ = input_ + chosen_;  // lstm.rnn:83 h = o * tanh(c)
            const float shift_ = f_product_[(tb + B) * 4 + i0];
            const float d_h_2_ = add_ + shift_;
            const float multiply_2_ = multiply_ * d_h_2_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
            const float input_3_ = tape_2_[tb * 8 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float subtract_2_ = 1.0f - input_3_;
            const float multiply_3_ = input_3_ * subtract_2_;
            const long long at_2_ = n_t[b] - 1;
            float chosen_2_ = 0.0f;
            if (at_2_ == t && t < n_t[b]) {
                const float input_4_ = d_final_c_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
                chosen_2_ = input_4_;
            }
            const float input_5_ = tape_6_[tb * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
            const float multiply_4_ = input_5_ * input_5_;
            const float subtract_3_ = 1.0f - multiply_4_;
            const float multiply_5_ = o_2_ * subtract_3_;
            const float multiply_6_ = multiply_5_ * d_h_2_;
            const float add_2_ = chosen_2_ + multiply_6_;  // lstm.rnn:81 c = f * c[t-1] + i * g
            const float param_ = params[136 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
            const float multiply_7_ = multiply_2_ * param_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
            const float add_3_ = add_2_ + multiply_7_;  // lstm.rnn:81 c = f * c[t-1] + i * g
            const float shift_2_ = i_add_2_[(tb + B) * 4 + i0];
            const float d_c_2_ = add_3_ + shift_2_;
            const float input_6_ = tape_1_[tb * 4 + i0];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
            const float d_f_ = d_c_2_ * input_6_;  // lstm.rnn:81 c = f * c[t-1] + i * g
            const float multiply_8_ = multiply_3_ * d_f_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float input_7_ = tape_2_[tb * 8 + (i0 + 4)];
            const float subtract_4_ = 1.0f - input_7_;
            const float multiply_9_ = input_7_ * subtract_4_;
            const float g_2_ = g_[tb * 4 + i0];  // lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
            const float d_i_ = d_c_2_ * g_2_;  // lstm.rnn:81 c = f * c[t-1] + i * g
            const float multiply_10_ = multiply_9_ * d_i_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float multiply_11_ = d_c_2_ * input_3_;  // lstm.rnn:81 c = f * c[t-1] + i * g
            const float param_2_ = params[132 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
            const float multiply_12_ = multiply_10_ * param_2_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
            const float add_4_ = multiply_11_ + multiply_12_;
            const float param_3_ = params[128 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
            const float multiply_13_ = multiply_8_ * param_3_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float add_5_ = add_4_ + multiply_13_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
            const float valid_ = (t < n_t[b] ? add_5_ : 0.0f);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            i_add_2_[tb * 4 + i0] = valid_;
            f_concat_[tb * 16 + i0] = multiply_8_;
            f_concat_[tb * 16 + (i0 + 4)] = multiply_10_;
            const float multiply_14_ = g_2_ * g_2_;  // lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
            const float subtract_5_ = 1.0f - multiply_14_;
            const float multiply_15_ = input_7_ * subtract_5_;
            const float multiply_16_ = multiply_15_ * d_c_2_;
            f_concat_[tb * 16 + (i0 + 8)] = multiply_16_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            f_concat_[tb * 16 + (i0 + 12)] = multiply_2_;
        }
    }
}

static void backward_valid_(const struct backward_memory *w, long long t, long long b0, long long b1) {
    float *restrict const f_product_ = w->f_product_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        const long long tb = t * B + b;
        REC_INDEPENDENT
        for (long long i0 = 0; i0 < 4; ++i0) {
            const float product_ = f_product_[tb * 4 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float valid_ = (t < n_t[b] ? product_ : 0.0f);
            f_product_[tb * 4 + i0] = valid_;
        }
    }
}

static void backward_add_(const struct backward_memory *w, long long b0, long long b1) {
    const float *restrict const f_product_ = w->f_product_;
    const float *restrict const i_add_2_ = w->i_add_2_;
    const float *restrict const d_final_h_ = w->d_final_h_;
    const float *restrict const d_final_c_ = w->d_final_c_;
    float *restrict const c_add_3_ = w->c_add_3_;
    float *restrict const h_add_2_ = w->h_add_2_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long b = b0; b < b1; ++b) {
        REC_VECTOR_LOOP(i0, 4) {
            const float input_ = d_final_c_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
            const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);  // lstm.rnn:81 c = f * c[t-1] + i * g
            const long long at_ = 0;
            float chosen_ = 0.0f;
            if (at_ >= 0 && at_ < n_t[b]) {
                const float add_ = i_add_2_[((long long)at_ * B + b) * 4 + i0];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
                chosen_ = add_;
            }
            const float add_2_ = if_length_ + chosen_;  // lstm.rnn:81 c = f * c[t-1] + i * g
            c_add_3_[(long long)b * 4 + i0] = add_2_;
            const float input_2_ = d_final_h_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
            const float if_length_2_ = (n_t[b] == 0 ? input_2_ : 0.0f);
            const long long at_2_ = 0;
            float chosen_2_ = 0.0f;
            if (at_2_ >= 0 && at_2_ < n_t[b]) {
                const float product_ = f_product_[((long long)at_2_ * B + b) * 4 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                chosen_2_ = product_;
            }
            const float add_3_ = if_length_2_ + chosen_2_;  // lstm.rnn:83 h = o * tanh(c)
            h_add_2_[(long long)b * 4 + i0] = add_3_;
        }
    }
}

static void backward_valid_2_(const struct backward_memory *w, long long t0, long long t1, long long b0, long long b1) {
    float *restrict const f_concat_ = w->f_concat_;
    long long B = w->B;
    const long long *const n_t = w->n_t;
    for (long long t = t0; t < t1; ++t) {
        for (long long b = b0; b < b1; ++b) {
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 0; i0 < 16; ++i0) {
                const float concat_ = f_concat_[tb * 16 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float valid_ = (t < n_t[b] ? concat_ : 0.0f);
                f_concat_[tb * 16 + i0] = valid_;
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
                const float d_x_2_ = d_x_[tb * 3 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float valid_ = (t < n_t[b] ? d_x_2_ : 0.0f);
                d_x_[tb * 3 + i0] = valid_;
            }
        }
    }
}

static void backward_sums_(const struct backward_memory *w, long long id, long long count) {
    float *restrict const gradient = w->gradient;
    const float *restrict const f_concat_ = w->f_concat_;
    const float *restrict const tape_1_ = w->tape_1_;
    const float *restrict const c_ = w->c_;
    long long B = w->B;
    long long T_t = w->T_t;
    const long long *const n_t = w->n_t;
    REC_INDEPENDENT
    for (long long i0 = 4 * id / count; i0 < 4 * (id + 1) / count; ++i0) {
        gradient[136 + i0] = 0.0f;
        gradient[132 + i0] = 0.0f;
        gradient[128 + i0] = 0.0f;
    }
    for (long long t = 0; t < T_t; ++t) {
        for (long long b = 0; b < B; ++b) {
            if (t >= n_t[b]) continue;
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 4 * id / count; i0 < 4 * (id + 1) / count; ++i0) {
                const float multiply_ = f_concat_[tb * 16 + (i0 + 12)];  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
                const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float c_2_ = c_[tb * 4 + i0];  // lstm.rnn:81 c = f * c[t-1] + i * g
                const float multiply_2_ = valid_ * c_2_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
                gradient[136 + i0] += multiply_2_;
                const float multiply_3_ = f_concat_[tb * 16 + (i0 + 4)];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float valid_2_ = (t < n_t[b] ? multiply_3_ : 0.0f);
                const float input_ = tape_1_[tb * 4 + i0];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
                const float multiply_4_ = valid_2_ * input_;
                gradient[132 + i0] += multiply_4_;
                const float multiply_5_ = f_concat_[tb * 16 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                const float valid_3_ = (t < n_t[b] ? multiply_5_ : 0.0f);
                const float multiply_6_ = valid_3_ * input_;
                gradient[128 + i0] += multiply_6_;
            }
        }
    }
}

static void backward_sums_2_(const struct backward_memory *w, long long id, long long count) {
    float *restrict const gradient = w->gradient;
    const float *restrict const f_concat_ = w->f_concat_;
    long long B = w->B;
    long long T_t = w->T_t;
    const long long *const n_t = w->n_t;
    REC_INDEPENDENT
    for (long long i0 = 16 * id / count; i0 < 16 * (id + 1) / count; ++i0) {
        gradient[48 + i0] = 0.0f;
    }
    for (long long t = 0; t < T_t; ++t) {
        for (long long b = 0; b < B; ++b) {
            if (t >= n_t[b]) continue;
            const long long tb = t * B + b;
            REC_INDEPENDENT
            for (long long i0 = 16 * id / count; i0 < 16 * (id + 1) / count; ++i0) {
                const float valid_ = f_concat_[tb * 16 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
                gradient[48 + i0] += valid_;
            }
        }
    }
}

static void backward_run(const struct backward_memory *w, long long id, long long count) {
    const long long B = w->B;
    const long long T_t = w->T_t;
    rec_pack_part(T_t * B, 16, 4, w->params + 64, 4, 1, w->packed_, id, count);
    REC_BARRIER;
    {
        const long long ways = B < 4 * count && B * 128 >= 250000 ? count : 1, way = ways > 1 ? id : 0;
        const long long b0 = ways > 1 ? 0 : B * id / count, b1 = ways > 1 ? B : B * (id + 1) / count;
        for (long long t = T_t - 1; t >= 0; --t) {
            backward_concat_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
            rec_multiply_part(T_t * B, (b1 - b0), 4, 16, w->f_concat_ + (t * B + b0) * 16, 16, w->params + 64, 4, 1, w->packed_, w->f_product_ + (t * B + b0) * 4, 4, t, way, ways);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            REC_STEP_BARRIER;
            if (w->ragged) backward_valid_(w, t, b0 + (b1 - b0) * way / ways, b0 + (b1 - b0) * (way + 1) / ways);
            REC_STEP_BARRIER;
        }
    }
    REC_BARRIER;
    backward_add_(w, B * id / count, B * (id + 1) / count);
    REC_BARRIER;
    rec_pack_part(T_t * B, 16, 3, w->params, 3, 1, w->packed_2_, id, count);
    REC_BARRIER;
    rec_multiply_part(T_t * B, T_t * B, 3, 16, w->f_concat_, 16, w->params, 3, 1, w->packed_2_, w->d_x_, 3, 0, id, count);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    REC_BARRIER;
    if (w->ragged) backward_valid_2_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    if (w->ragged) backward_valid_3_(w, T_t * id / count, T_t * (id + 1) / count, 0, B);
    REC_BARRIER;
    rec_products_part(16, T_t * B, w->f_concat_, 1, 16, 2, (struct rec_side[]){{4, w->tape_0_, 4, 1, w->gradient + 64, 4}, {3, w->x_, 3, 1, w->gradient, 3}}, w->work, w->room, id, count);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    REC_BARRIER;
    backward_sums_(w, id, count);
    REC_BARRIER;
    backward_sums_2_(w, id, count);
    REC_BARRIER;
}
