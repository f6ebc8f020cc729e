extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_firsts_(
    const float* __restrict__ h_start_, const float* __restrict__ c_start_, float* h_, float* c_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const float start_ = h_start_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
    h_[((long long)0 * B + b) * 4 + i0] = start_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    const float start_2_ = c_start_[(long long)b * 4 + i0];  // lstm.rnn:81 c = f * c[t-1] + i * g
    c_[((long long)0 * B + b) * 4 + i0] = start_2_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_matrix_turned_(
    const float* __restrict__ params, float* matrix_turned_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 16;
    const int i0 = i / 16;
    const float concat_ = params[64 + i1 * 4 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    matrix_turned_[i0 * 16 + i1] = concat_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_(
    const float* __restrict__ params, const float* __restrict__ f_product_, float* h_, float* c_, float* g_,
    float* f_sigmoid_, float* h_tanh_, float* o_, const float* __restrict__ matrix_turned_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float concat_ = params[48 + (i0 + 8)];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float product_ = f_product_[tb * 16 + (i0 + 8)];
    const float add_ = concat_ + product_;
    float total_ = 0.0f;
    float total_2_ = 0.0f;
    float total_3_ = 0.0f;
    float total_4_ = 0.0f;
    for (int k_ = 0; k_ < 4; ++k_) {
        const float concat_2_ = matrix_turned_[k_ * 16 + (i0 + 8)];
        const float shift_ = h_[tb * 4 + k_];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
        total_ += concat_2_ * shift_;
        const float concat_3_ = matrix_turned_[k_ * 16 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        total_2_ += concat_3_ * shift_;
        const float concat_4_ = matrix_turned_[k_ * 16 + (i0 + 4)];
        total_3_ += concat_4_ * shift_;
        const float concat_5_ = matrix_turned_[k_ * 16 + (i0 + 12)];
        total_4_ += concat_5_ * shift_;
    }
    const float add_2_ = add_ + total_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float g_2_ = tanhf(add_2_);  // lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    g_[tb * 4 + i0] = g_2_;
    const float concat_6_ = params[48 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float product_2_ = f_product_[tb * 16 + i0];
    const float add_3_ = concat_6_ + product_2_;
    const float add_4_ = add_3_ + total_2_;
    const float param_ = params[128 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
    const float shift_2_ = c_[tb * 4 + i0];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    const float multiply_ = param_ * shift_2_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float add_5_ = add_4_ + multiply_;
    const float sigmoid_ = 1.0f / (1.0f + expf(-add_5_));
    f_sigmoid_[tb * 8 + i0] = sigmoid_;
    const float concat_7_ = params[48 + (i0 + 4)];
    const float product_3_ = f_product_[tb * 16 + (i0 + 4)];
    const float add_6_ = concat_7_ + product_3_;
    const float add_7_ = add_6_ + total_3_;
    const float param_2_ = params[132 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
    const float multiply_2_ = param_2_ * shift_2_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    const float add_8_ = add_7_ + multiply_2_;
    const float sigmoid_2_ = 1.0f / (1.0f + expf(-add_8_));  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    f_sigmoid_[tb * 8 + (i0 + 4)] = sigmoid_2_;
    const float multiply_3_ = sigmoid_ * shift_2_;  // lstm.rnn:81 c = f * c[t-1] + i * g
    const float multiply_4_ = sigmoid_2_ * g_2_;
    const float c_2_ = multiply_3_ + multiply_4_;
    c_[(tb + B) * 4 + i0] = c_2_;
    const float tanh_ = tanhf(c_2_);  // lstm.rnn:83 h = o * tanh(c)
    h_tanh_[tb * 4 + i0] = tanh_;
    const float concat_8_ = params[48 + (i0 + 12)];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float product_4_ = f_product_[tb * 16 + (i0 + 12)];
    const float add_9_ = concat_8_ + product_4_;
    const float add_10_ = add_9_ + total_4_;
    const float param_3_ = params[136 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
    const float multiply_5_ = param_3_ * c_2_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    const float add_11_ = add_10_ + multiply_5_;
    const float o_2_ = 1.0f / (1.0f + expf(-add_11_));
    o_[tb * 4 + i0] = o_2_;
    const float h_2_ = tanh_ * o_2_;  // lstm.rnn:83 h = o * tanh(c)
    h_[(tb + B) * 4 + i0] = h_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_2_(
    const float* __restrict__ params, const float* __restrict__ f_product_, const float* __restrict__ f_product_2_,
    float* h_, float* c_, float* g_, float* f_sigmoid_, float* h_tanh_, float* o_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float concat_ = params[48 + (i0 + 8)];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float product_ = f_product_[tb * 16 + (i0 + 8)];
    const float add_ = concat_ + product_;
    const float product_2_ = f_product_2_[(long long)b * 16 + (i0 + 8)];
    const float add_2_ = add_ + product_2_;
    const float g_2_ = tanhf(add_2_);  // lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    g_[tb * 4 + i0] = g_2_;
    const float concat_2_ = params[48 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float product_3_ = f_product_[tb * 16 + i0];
    const float add_3_ = concat_2_ + product_3_;
    const float product_4_ = f_product_2_[(long long)b * 16 + i0];
    const float add_4_ = add_3_ + product_4_;
    const float param_ = params[128 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
    const float shift_ = c_[tb * 4 + i0];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    const float multiply_ = param_ * shift_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float add_5_ = add_4_ + multiply_;
    const float sigmoid_ = 1.0f / (1.0f + expf(-add_5_));
    f_sigmoid_[tb * 8 + i0] = sigmoid_;
    const float concat_3_ = params[48 + (i0 + 4)];
    const float product_5_ = f_product_[tb * 16 + (i0 + 4)];
    const float add_6_ = concat_3_ + product_5_;
    const float product_6_ = f_product_2_[(long long)b * 16 + (i0 + 4)];
    const float add_7_ = add_6_ + product_6_;
    const float param_2_ = params[132 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
    const float multiply_2_ = param_2_ * shift_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    const float add_8_ = add_7_ + multiply_2_;
    const float sigmoid_2_ = 1.0f / (1.0f + expf(-add_8_));  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    f_sigmoid_[tb * 8 + (i0 + 4)] = sigmoid_2_;
    const float multiply_3_ = sigmoid_ * shift_;  // lstm.rnn:81 c = f * c[t-1] + i * g
    const float multiply_4_ = sigmoid_2_ * g_2_;
    const float c_2_ = multiply_3_ + multiply_4_;
    c_[(tb + B) * 4 + i0] = c_2_;
    const float tanh_ = tanhf(c_2_);  // lstm.rnn:83 h = o * tanh(c)
    h_tanh_[tb * 4 + i0] = tanh_;
    const float concat_4_ = params[48 + (i0 + 12)];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float product_7_ = f_product_[tb * 16 + (i0 + 12)];
    const float add_9_ = concat_4_ + product_7_;
    const float product_8_ = f_product_2_[(long long)b * 16 + (i0 + 12)];
    const float add_10_ = add_9_ + product_8_;
    const float param_3_ = params[136 + i0];  // lstm.rnn:71 param p_i, p_f, p_o : [H] ~ zeros
    const float multiply_5_ = param_3_ * c_2_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    const float add_11_ = add_10_ + multiply_5_;
    const float o_2_ = 1.0f / (1.0f + expf(-add_11_));
    o_[tb * 4 + i0] = o_2_;
    const float h_2_ = tanh_ * o_2_;  // lstm.rnn:83 h = o * tanh(c)
    h_[(tb + B) * 4 + i0] = h_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_valid_(
    float* h_, float* c_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float h_2_ = h_[(tb + B) * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
    const float valid_ = (t < n_t[b] ? h_2_ : 0.0f);
    h_[(tb + B) * 4 + i0] = valid_;
    const float c_2_ = c_[(tb + B) * 4 + i0];  // lstm.rnn:81 c = f * c[t-1] + i * g
    const float valid_2_ = (t < n_t[b] ? c_2_ : 0.0f);  // lstm.rnn:83 h = o * tanh(c)
    c_[(tb + B) * 4 + i0] = valid_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_valid_2_(
    float* g_, float* h_tanh_, float* o_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
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

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_valid_3_(
    float* f_sigmoid_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 8;
    const int b = i / 8 % B;
    const int t = i / (B * 8);
    const long long tb = (long long)t * B + b;
    const float sigmoid_ = f_sigmoid_[tb * 8 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float valid_ = (t < n_t[b] ? sigmoid_ : 0.0f);  // lstm.rnn:83 h = o * tanh(c)
    f_sigmoid_[tb * 8 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_final_(
    const float* __restrict__ h_start_, const float* __restrict__ c_start_, const float* __restrict__ h_,
    const float* __restrict__ c_, float* c_final_, float* h_final_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const int at_ = n_t[b] - 1;
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
    const int at_2_ = n_t[b] - 1;
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

extern "C" __global__ void __launch_bounds__(128, 4) backward_concat_(
    const float* __restrict__ params, const float* __restrict__ f_product_3_, float* f_concat_2_, float* i_add_2_,
    const float* __restrict__ h_2_, const float* __restrict__ o_2_, const float* __restrict__ d_output_h_,
    const float* __restrict__ d_final_h_, const float* __restrict__ tape_2_, const float* __restrict__ d_final_c_,
    const float* __restrict__ tape_6_, const float* __restrict__ tape_1_, const float* __restrict__ g_2_, int B,
    const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float h_3_ = h_2_[tb * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
    const float o_3_ = o_2_[tb * 4 + i0];  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    const float subtract_ = 1.0f - o_3_;
    const float multiply_ = h_3_ * subtract_;
    const float input_ = d_output_h_[tb * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_2_ = d_final_h_[(long long)b * 4 + i0];
        chosen_ = input_2_;
    }
    const float add_ = input_ + chosen_;  // lstm.rnn:83 h = o * tanh(c)
    const float shift_ = f_product_3_[(tb + B) * 4 + i0];
    const float d_h_2_ = add_ + shift_;
    const float multiply_2_ = multiply_ * d_h_2_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    const float input_3_ = tape_2_[tb * 8 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float subtract_2_ = 1.0f - input_3_;
    const float multiply_3_ = input_3_ * subtract_2_;
    const int at_2_ = n_t[b] - 1;
    float chosen_2_ = 0.0f;
    if (at_2_ == t && t < n_t[b]) {
        const float input_4_ = d_final_c_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
        chosen_2_ = input_4_;
    }
    const float input_5_ = tape_6_[tb * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
    const float multiply_4_ = input_5_ * input_5_;
    const float subtract_3_ = 1.0f - multiply_4_;
    const float multiply_5_ = o_3_ * subtract_3_;
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
    const float g_3_ = g_2_[tb * 4 + i0];  // lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    const float d_i_ = d_c_2_ * g_3_;  // lstm.rnn:81 c = f * c[t-1] + i * g
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
    f_concat_2_[tb * 16 + i0] = multiply_8_;
    f_concat_2_[tb * 16 + (i0 + 4)] = multiply_10_;
    const float multiply_14_ = g_3_ * g_3_;  // lstm.rnn:80 g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
    const float subtract_5_ = 1.0f - multiply_14_;
    const float multiply_15_ = input_7_ * subtract_5_;
    const float multiply_16_ = multiply_15_ * d_c_2_;
    f_concat_2_[tb * 16 + (i0 + 8)] = multiply_16_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    f_concat_2_[tb * 16 + (i0 + 12)] = multiply_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_(
    const float* __restrict__ params, float* f_product_3_, const float* __restrict__ f_concat_2_, int B,
    const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 16; ++k_) {
        const float concat_ = params[64 + k_ * 4 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        const float concat_2_ = f_concat_2_[tb * 16 + k_];
        total_ += concat_ * concat_2_;
    }
    const float valid_ = (t < n_t[b] ? total_ : 0.0f);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    f_product_3_[tb * 4 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_2_(
    float* f_product_3_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float product_ = f_product_3_[tb * 4 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float valid_ = (t < n_t[b] ? product_ : 0.0f);
    f_product_3_[tb * 4 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_add_(
    const float* __restrict__ f_product_3_, const float* __restrict__ i_add_2_,
    const float* __restrict__ d_final_h_, const float* __restrict__ d_final_c_, float* c_add_3_, float* h_add_2_,
    int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const float input_ = d_final_c_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
    const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);  // lstm.rnn:81 c = f * c[t-1] + i * g
    const int at_ = 0;
    float chosen_ = 0.0f;
    if (at_ >= 0 && at_ < n_t[b]) {
        const float add_ = i_add_2_[((long long)at_ * B + b) * 4 + i0];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
        chosen_ = add_;
    }
    const float add_2_ = if_length_ + chosen_;  // lstm.rnn:81 c = f * c[t-1] + i * g
    c_add_3_[(long long)b * 4 + i0] = add_2_;
    const float input_2_ = d_final_h_[(long long)b * 4 + i0];  // lstm.rnn:83 h = o * tanh(c)
    const float if_length_2_ = (n_t[b] == 0 ? input_2_ : 0.0f);
    const int at_2_ = 0;
    float chosen_2_ = 0.0f;
    if (at_2_ >= 0 && at_2_ < n_t[b]) {
        const float product_ = f_product_3_[((long long)at_2_ * B + b) * 4 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
        chosen_2_ = product_;
    }
    const float add_3_ = if_length_2_ + chosen_2_;  // lstm.rnn:83 h = o * tanh(c)
    h_add_2_[(long long)b * 4 + i0] = add_3_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_3_(
    float* f_concat_2_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 16;
    const int b = i / 16 % B;
    const int t = i / (B * 16);
    const long long tb = (long long)t * B + b;
    const float concat_ = f_concat_2_[tb * 16 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float valid_ = (t < n_t[b] ? concat_ : 0.0f);
    f_concat_2_[tb * 16 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_4_(
    float* d_x_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float d_x_2_ = d_x_[tb * 3 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
    const float valid_ = (t < n_t[b] ? d_x_2_ : 0.0f);
    d_x_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_parts_(
    const float* __restrict__ f_concat_2_, const float* __restrict__ tape_1_, const float* __restrict__ c_2_,
    float* sum_batch_parts_, float* sum_batch_parts_2_, float* sum_batch_parts_3_, int B, int T_t, const int* n_t,
    int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 4;
    const int i0 = i / 4;
    float total_ = 0.0f;
    for (int row_ = i0; row_ < T_t * B; row_ += 128) {
        const int t_ = row_ / B;
        const int b_ = row_ % B;
        if (t_ < n_t[b_]) {
            const float multiply_ = f_concat_2_[((long long)t_ * B + b_) * 16 + (i1 + 12)];  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
            const float valid_ = (t_ < n_t[b_] ? multiply_ : 0.0f);  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float c_3_ = c_2_[((long long)t_ * B + b_) * 4 + i1];  // lstm.rnn:81 c = f * c[t-1] + i * g
            const float multiply_2_ = valid_ * c_3_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
            total_ += multiply_2_;
        }
    }
    sum_batch_parts_[i0 * 4 + i1] = total_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    float total_2_ = 0.0f;
    for (int row_2_ = i0; row_2_ < T_t * B; row_2_ += 128) {
        const int t_2_ = row_2_ / B;
        const int b_2_ = row_2_ % B;
        if (t_2_ < n_t[b_2_]) {
            const float multiply_3_ = f_concat_2_[((long long)t_2_ * B + b_2_) * 16 + (i1 + 4)];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float valid_2_ = (t_2_ < n_t[b_2_] ? multiply_3_ : 0.0f);
            const float input_ = tape_1_[((long long)t_2_ * B + b_2_) * 4 + i1];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
            const float multiply_4_ = valid_2_ * input_;
            total_2_ += multiply_4_;
        }
    }
    sum_batch_parts_2_[i0 * 4 + i1] = total_2_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    float total_3_ = 0.0f;
    for (int row_3_ = i0; row_3_ < T_t * B; row_3_ += 128) {
        const int t_3_ = row_3_ / B;
        const int b_3_ = row_3_ % B;
        if (t_3_ < n_t[b_3_]) {
            const float multiply_5_ = f_concat_2_[((long long)t_3_ * B + b_3_) * 16 + i1];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            const float valid_3_ = (t_3_ < n_t[b_3_] ? multiply_5_ : 0.0f);
            const float input_2_ = tape_1_[((long long)t_3_ * B + b_3_) * 4 + i1];  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
            const float multiply_6_ = valid_3_ * input_2_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            total_3_ += multiply_6_;
        }
    }
    sum_batch_parts_3_[i0 * 4 + i1] = total_3_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_parts_2_(
    const float* __restrict__ f_concat_2_, float* sum_batch_parts_4_, int B, int T_t, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 16;
    const int i0 = i / 16;
    float total_ = 0.0f;
    for (int row_ = i0; row_ < T_t * B; row_ += 128) {
        const int t_ = row_ / B;
        const int b_ = row_ % B;
        if (t_ < n_t[b_]) {
            const float valid_ = f_concat_2_[((long long)t_ * B + b_) * 16 + i1];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            total_ += valid_;
        }
    }
    sum_batch_parts_4_[i0 * 16 + i1] = total_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_(
    float* gradient, const float* __restrict__ sum_batch_parts_, const float* __restrict__ sum_batch_parts_2_,
    const float* __restrict__ sum_batch_parts_3_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i;
    float total_ = 0.0f;
    #pragma unroll 16
    for (int part_ = 0; part_ < 128; ++part_) {
        total_ += sum_batch_parts_[part_ * 4 + i0];
    }
    gradient[136 + i0] = total_;  // lstm.rnn:82 o = sigmoid(W_o @ x + U_o @ h[t-1] + p_o * c + b_o)
    float total_2_ = 0.0f;
    #pragma unroll 16
    for (int part_2_ = 0; part_2_ < 128; ++part_2_) {
        total_2_ += sum_batch_parts_2_[part_2_ * 4 + i0];
    }
    gradient[132 + i0] = total_2_;  // lstm.rnn:78 i = sigmoid(W_i @ x + U_i @ h[t-1] + p_i * c[t-1] + b_i)
    float total_3_ = 0.0f;
    #pragma unroll 16
    for (int part_3_ = 0; part_3_ < 128; ++part_3_) {
        total_3_ += sum_batch_parts_3_[part_3_ * 4 + i0];
    }
    gradient[128 + i0] = total_3_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_2_(
    float* gradient, const float* __restrict__ sum_batch_parts_4_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i;
    float total_ = 0.0f;
    #pragma unroll 16
    for (int part_ = 0; part_ < 128; ++part_) {
        total_ += sum_batch_parts_4_[part_ * 16 + i0];
    }
    gradient[48 + i0] = total_;  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_packed_(
    const float* __restrict__ params, float* h_packed_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int place = i;
    const int lane = place / 4 % 32, round = place / 512 % 1;
    const int tile = place / 512, at = lane % 1 * 4 + place % 4;
    const int k = (round * 32 + lane / 1) * 4 + place / 128 % 4;
    const int column = at / 1, unit = tile % 4 * 1 + at % 1;
    float weight = 0.0f;
    if (k < 4 && unit < 4) {
        const int i0 = unit;
        if (column == 0) {
            const float concat_ = params[64 + (i0 + 8) * 4 + k];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            weight = concat_;
        }
        if (column == 1) {
            const float concat_2_ = params[64 + i0 * 4 + k];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            weight = concat_2_;
        }
        if (column == 2) {
            const float concat_3_ = params[64 + (i0 + 4) * 4 + k];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            weight = concat_3_;
        }
        if (column == 3) {
            const float concat_4_ = params[64 + (i0 + 12) * 4 + k];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            weight = concat_4_;
        }
    }
    h_packed_[place] = weight;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_packed_(
    const float* __restrict__ params, float* valid_packed_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int place = i;
    const int lane = place / 4 % 32, round = place / 512 % 1;
    const int tile = place / 512, at = lane % 1 * 4 + place % 4;
    const int k = (round * 32 + lane / 1) * 4 + place / 128 % 4;
    const int column = at / 4, unit = tile % 1 * 4 + at % 4;
    float weight = 0.0f;
    if (k < 16 && unit < 4) {
        const int i0 = unit;
        if (column == 0) {
            const float concat_ = params[64 + k * 4 + i0];  // lstm.rnn:79 f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)
            weight = concat_;
        }
    }
    valid_packed_[place] = weight;
}
