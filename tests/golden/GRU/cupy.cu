extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_firsts_(
    const float* __restrict__ h_start_, float* h_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const float start_ = h_start_[(long long)b * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    h_[((long long)0 * B + b) * 4 + i0] = start_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_matrix_turned_(
    const float* __restrict__ params, float* matrix_turned_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 8;
    const int i0 = i / 8;
    const float concat_ = params[48 + i1 * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    matrix_turned_[i0 * 8 + i1] = concat_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_matrix_turned_2_(
    const float* __restrict__ params, float* matrix_turned_2_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 4;
    const int i0 = i / 4;
    const float param_ = params[80 + i1 * 4 + i0];  // gru.rnn:56 param U_z, U_r, U_c : [H, H] ~ orthogonal
    matrix_turned_2_[i0 * 4 + i1] = param_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_multiply_(
    const float* __restrict__ params, const float* __restrict__ z_product_, const float* __restrict__ h_,
    float* z_sigmoid_, float* c_multiply_, const float* __restrict__ matrix_turned_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float product_ = z_product_[tb * 12 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float concat_ = params[36 + i0];
    const float add_ = product_ + concat_;
    float total_ = 0.0f;
    float total_2_ = 0.0f;
    for (int k_ = 0; k_ < 4; ++k_) {
        const float concat_2_ = matrix_turned_[k_ * 8 + i0];
        const float shift_ = h_[tb * 4 + k_];
        total_ += concat_2_ * shift_;
        const float concat_3_ = matrix_turned_[k_ * 8 + (i0 + 4)];
        total_2_ += concat_3_ * shift_;
    }
    const float add_2_ = add_ + total_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float sigmoid_ = 1.0f / (1.0f + expf(-add_2_));
    z_sigmoid_[tb * 8 + i0] = sigmoid_;
    const float product_2_ = z_product_[tb * 12 + (i0 + 4)];
    const float concat_4_ = params[36 + (i0 + 4)];
    const float add_3_ = product_2_ + concat_4_;
    const float add_4_ = add_3_ + total_2_;
    const float sigmoid_2_ = 1.0f / (1.0f + expf(-add_4_));
    z_sigmoid_[tb * 8 + (i0 + 4)] = sigmoid_2_;
    const float shift_2_ = h_[tb * 4 + i0];
    const float multiply_ = sigmoid_2_ * shift_2_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    c_multiply_[tb * 4 + i0] = multiply_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_(
    const float* __restrict__ params, const float* __restrict__ z_product_, float* h_,
    const float* __restrict__ z_sigmoid_, const float* __restrict__ c_multiply_, float* c_,
    const float* __restrict__ matrix_turned_2_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float product_ = z_product_[tb * 12 + (i0 + 8)];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float concat_ = params[36 + (i0 + 8)];
    const float add_ = product_ + concat_;
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 4; ++k_) {
        const float param_ = matrix_turned_2_[k_ * 4 + i0];  // gru.rnn:56 param U_z, U_r, U_c : [H, H] ~ orthogonal
        const float multiply_ = c_multiply_[tb * 4 + k_];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        total_ += param_ * multiply_;
    }
    const float add_2_ = add_ + total_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float c_2_ = tanhf(add_2_);
    c_[tb * 4 + i0] = c_2_;
    const float sigmoid_ = z_sigmoid_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float subtract_ = 1.0f - sigmoid_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float shift_ = h_[tb * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float multiply_2_ = subtract_ * shift_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float multiply_3_ = sigmoid_ * c_2_;
    const float h_2_ = multiply_2_ + multiply_3_;
    h_[(tb + B) * 4 + i0] = h_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_multiply_2_(
    const float* __restrict__ params, const float* __restrict__ z_product_, const float* __restrict__ z_product_2_,
    const float* __restrict__ h_, float* z_sigmoid_, float* c_multiply_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float product_ = z_product_[tb * 12 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float concat_ = params[36 + i0];
    const float add_ = product_ + concat_;
    const float product_2_ = z_product_2_[(long long)b * 8 + i0];
    const float add_2_ = add_ + product_2_;
    const float sigmoid_ = 1.0f / (1.0f + expf(-add_2_));
    z_sigmoid_[tb * 8 + i0] = sigmoid_;
    const float product_3_ = z_product_[tb * 12 + (i0 + 4)];
    const float concat_2_ = params[36 + (i0 + 4)];
    const float add_3_ = product_3_ + concat_2_;
    const float product_4_ = z_product_2_[(long long)b * 8 + (i0 + 4)];
    const float add_4_ = add_3_ + product_4_;
    const float sigmoid_2_ = 1.0f / (1.0f + expf(-add_4_));
    z_sigmoid_[tb * 8 + (i0 + 4)] = sigmoid_2_;
    const float shift_ = h_[tb * 4 + i0];
    const float multiply_ = sigmoid_2_ * shift_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    c_multiply_[tb * 4 + i0] = multiply_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_2_(
    const float* __restrict__ params, const float* __restrict__ z_product_, const float* __restrict__ c_product_,
    float* h_, const float* __restrict__ z_sigmoid_, float* c_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float product_ = z_product_[tb * 12 + (i0 + 8)];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float concat_ = params[36 + (i0 + 8)];
    const float add_ = product_ + concat_;
    const float product_2_ = c_product_[(long long)b * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float add_2_ = add_ + product_2_;
    const float c_2_ = tanhf(add_2_);
    c_[tb * 4 + i0] = c_2_;
    const float sigmoid_ = z_sigmoid_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float subtract_ = 1.0f - sigmoid_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float shift_ = h_[tb * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float multiply_ = subtract_ * shift_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float multiply_2_ = sigmoid_ * c_2_;
    const float h_2_ = multiply_ + multiply_2_;
    h_[(tb + B) * 4 + i0] = h_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_valid_(
    float* h_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float h_2_ = h_[(tb + B) * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float valid_ = (t < n_t[b] ? h_2_ : 0.0f);
    h_[(tb + B) * 4 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_valid_2_(
    float* c_multiply_, float* c_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float c_2_ = c_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float valid_ = (t < n_t[b] ? c_2_ : 0.0f);  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    c_[tb * 4 + i0] = valid_;
    const float multiply_ = c_multiply_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float valid_2_ = (t < n_t[b] ? multiply_ : 0.0f);  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    c_multiply_[tb * 4 + i0] = valid_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_valid_3_(
    float* z_sigmoid_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 8;
    const int b = i / 8 % B;
    const int t = i / (B * 8);
    const long long tb = (long long)t * B + b;
    const float sigmoid_ = z_sigmoid_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float valid_ = (t < n_t[b] ? sigmoid_ : 0.0f);  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    z_sigmoid_[tb * 8 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_final_(
    const float* __restrict__ h_start_, const float* __restrict__ h_, float* h_final_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const int at_ = n_t[b] - 1;
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

extern "C" __global__ void __launch_bounds__(128, 4) backward_multiply_(
    float* z_concat_, const float* __restrict__ tape_1_, const float* __restrict__ c_2_,
    const float* __restrict__ d_output_h_, const float* __restrict__ d_final_h_,
    const float* __restrict__ z_add_4_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float input_ = tape_1_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float c_3_ = c_2_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float multiply_ = c_3_ * c_3_;
    const float subtract_ = 1.0f - multiply_;
    const float multiply_2_ = input_ * subtract_;
    const float input_2_ = d_output_h_[tb * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_3_ = d_final_h_[(long long)b * 4 + i0];
        chosen_ = input_3_;
    }
    const float add_ = input_2_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float shift_ = z_add_4_[(tb + B) * 4 + i0];
    const float d_h_2_ = add_ + shift_;
    const float multiply_3_ = multiply_2_ * d_h_2_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    z_concat_[tb * 12 + (i0 + 8)] = multiply_3_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_multiply_2_(
    const float* __restrict__ params, float* c_product_2_, float* z_concat_, const float* __restrict__ tape_1_,
    const float* __restrict__ c_2_, const float* __restrict__ d_output_h_, const float* __restrict__ d_final_h_,
    const float* __restrict__ z_add_4_, const float* __restrict__ tape_0_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 4; ++k_) {
        const float param_ = params[80 + k_ * 4 + i0];  // gru.rnn:56 param U_z, U_r, U_c : [H, H] ~ orthogonal
        const float multiply_ = z_concat_[tb * 12 + (k_ + 8)];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
        total_ += param_ * multiply_;
    }
    c_product_2_[(long long)b * 4 + i0] = total_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float input_ = tape_1_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float subtract_ = 1.0f - input_;
    const float multiply_2_ = input_ * subtract_;
    const float input_2_ = d_output_h_[tb * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_3_ = d_final_h_[(long long)b * 4 + i0];
        chosen_ = input_3_;
    }
    const float add_ = input_2_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float shift_ = z_add_4_[(tb + B) * 4 + i0];
    const float d_h_2_ = add_ + shift_;
    const float c_3_ = c_2_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float multiply_3_ = d_h_2_ * c_3_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float input_4_ = tape_0_[tb * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float multiply_4_ = d_h_2_ * input_4_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float d_z_ = multiply_3_ - multiply_4_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float multiply_5_ = multiply_2_ * d_z_;
    z_concat_[tb * 12 + i0] = multiply_5_;
    const float input_5_ = tape_1_[tb * 8 + (i0 + 4)];
    const float subtract_2_ = 1.0f - input_5_;
    const float multiply_6_ = input_5_ * subtract_2_;
    const float d_r_ = total_ * input_4_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float multiply_7_ = multiply_6_ * d_r_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    z_concat_[tb * 12 + (i0 + 4)] = multiply_7_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_(
    const float* __restrict__ params, const float* __restrict__ c_product_2_, const float* __restrict__ z_concat_,
    const float* __restrict__ tape_1_, const float* __restrict__ d_output_h_, const float* __restrict__ d_final_h_,
    float* z_add_4_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float product_ = c_product_2_[(long long)b * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float input_ = tape_1_[tb * 8 + (i0 + 4)];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float multiply_ = product_ * input_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float input_2_ = d_output_h_[tb * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_3_ = d_final_h_[(long long)b * 4 + i0];
        chosen_ = input_3_;
    }
    const float add_ = input_2_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float shift_ = z_add_4_[(tb + B) * 4 + i0];
    const float d_h_2_ = add_ + shift_;
    const float input_4_ = tape_1_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float subtract_ = 1.0f - input_4_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float multiply_2_ = d_h_2_ * subtract_;
    const float add_2_ = multiply_ + multiply_2_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 8; ++k_) {
        const float concat_ = params[48 + k_ * 4 + i0];
        const float multiply_3_ = z_concat_[tb * 12 + k_];
        total_ += concat_ * multiply_3_;
    }
    const float add_3_ = add_2_ + total_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float valid_ = (t < n_t[b] ? add_3_ : 0.0f);
    z_add_4_[tb * 4 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_multiply_5_(
    const float* __restrict__ c_product_2_, float* z_concat_, const float* __restrict__ tape_1_,
    const float* __restrict__ c_2_, const float* __restrict__ d_output_h_, const float* __restrict__ d_final_h_,
    const float* __restrict__ z_add_4_, const float* __restrict__ tape_0_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float input_ = tape_1_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float subtract_ = 1.0f - input_;
    const float multiply_ = input_ * subtract_;
    const float input_2_ = d_output_h_[tb * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_3_ = d_final_h_[(long long)b * 4 + i0];
        chosen_ = input_3_;
    }
    const float add_ = input_2_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float shift_ = z_add_4_[(tb + B) * 4 + i0];
    const float d_h_2_ = add_ + shift_;
    const float c_3_ = c_2_[tb * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float multiply_2_ = d_h_2_ * c_3_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float input_4_ = tape_0_[tb * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float multiply_3_ = d_h_2_ * input_4_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float d_z_ = multiply_2_ - multiply_3_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float multiply_4_ = multiply_ * d_z_;
    z_concat_[tb * 12 + i0] = multiply_4_;
    const float input_5_ = tape_1_[tb * 8 + (i0 + 4)];
    const float subtract_2_ = 1.0f - input_5_;
    const float multiply_5_ = input_5_ * subtract_2_;
    const float product_ = c_product_2_[(long long)b * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float d_r_ = product_ * input_4_;
    const float multiply_6_ = multiply_5_ * d_r_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    z_concat_[tb * 12 + (i0 + 4)] = multiply_6_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_2_(
    const float* __restrict__ c_product_2_, const float* __restrict__ z_product_3_,
    const float* __restrict__ tape_1_, const float* __restrict__ d_output_h_, const float* __restrict__ d_final_h_,
    float* z_add_4_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float product_ = c_product_2_[(long long)b * 4 + i0];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float input_ = tape_1_[tb * 8 + (i0 + 4)];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float multiply_ = product_ * input_;  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float input_2_ = d_output_h_[tb * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_3_ = d_final_h_[(long long)b * 4 + i0];
        chosen_ = input_3_;
    }
    const float add_ = input_2_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float shift_ = z_add_4_[(tb + B) * 4 + i0];
    const float d_h_2_ = add_ + shift_;
    const float input_4_ = tape_1_[tb * 8 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float subtract_ = 1.0f - input_4_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float multiply_2_ = d_h_2_ * subtract_;
    const float add_2_ = multiply_ + multiply_2_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float product_2_ = z_product_3_[(long long)b * 4 + i0];
    const float add_3_ = add_2_ + product_2_;
    const float valid_ = (t < n_t[b] ? add_3_ : 0.0f);
    z_add_4_[tb * 4 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_add_(
    const float* __restrict__ d_final_h_, const float* __restrict__ z_add_4_, float* h_add_2_, int B,
    const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const float input_ = d_final_h_[(long long)b * 4 + i0];  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);
    const int at_ = 0;
    float chosen_ = 0.0f;
    if (at_ >= 0 && at_ < n_t[b]) {
        const float add_ = z_add_4_[((long long)at_ * B + b) * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
        chosen_ = add_;
    }
    const float add_2_ = if_length_ + chosen_;  // gru.rnn:64 h = (1 - z) * h[t-1] + z * c
    h_add_2_[(long long)b * 4 + i0] = add_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_3_(
    float* z_concat_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 8;
    const int b = i / 8 % B;
    const int t = i / (B * 8);
    const long long tb = (long long)t * B + b;
    const float multiply_ = z_concat_[tb * 12 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);
    z_concat_[tb * 12 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_4_(
    float* z_concat_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float multiply_ = z_concat_[tb * 12 + (i0 + 8)];  // gru.rnn:63 c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
    const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    z_concat_[tb * 12 + (i0 + 8)] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_7_(
    float* d_x_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float d_x_2_ = d_x_[tb * 3 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    const float valid_ = (t < n_t[b] ? d_x_2_ : 0.0f);
    d_x_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_parts_(
    const float* __restrict__ z_concat_, float* sum_batch_parts_, int B, int T_t, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 12;
    const int i0 = i / 12;
    float total_ = 0.0f;
    for (int row_ = i0; row_ < T_t * B; row_ += 128) {
        const int t_ = row_ / B;
        const int b_ = row_ % B;
        if (t_ < n_t[b_]) {
            const float valid_ = z_concat_[((long long)t_ * B + b_) * 12 + i1];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            total_ += valid_;
        }
    }
    sum_batch_parts_[i0 * 12 + i1] = total_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_(
    float* gradient, const float* __restrict__ sum_batch_parts_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i;
    float total_ = 0.0f;
    #pragma unroll 16
    for (int part_ = 0; part_ < 128; ++part_) {
        total_ += sum_batch_parts_[part_ * 12 + i0];
    }
    gradient[36 + i0] = total_;  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_multiply_packed_(
    const float* __restrict__ params, float* multiply_packed_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int place = i;
    const int lane = place / 4 % 32, round = place / 512 % 1;
    const int tile = place / 512, at = lane % 1 * 4 + place % 4;
    const int k = (round * 32 + lane / 1) * 4 + place / 128 % 4;
    const int column = at / 2, unit = tile % 2 * 2 + at % 2;
    float weight = 0.0f;
    if (k < 4 && unit < 4) {
        const int i0 = unit;
        if (column == 0) {
            const float concat_ = params[48 + i0 * 4 + k];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            weight = concat_;
        }
        if (column == 1) {
            const float concat_2_ = params[48 + (i0 + 4) * 4 + k];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            weight = concat_2_;
        }
    }
    multiply_packed_[place] = weight;
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
    const int column = at / 4, unit = tile % 1 * 4 + at % 4;
    float weight = 0.0f;
    if (k < 4 && unit < 4) {
        const int i0 = unit;
        if (column == 0) {
            const float param_ = params[80 + i0 * 4 + k];  // gru.rnn:56 param U_z, U_r, U_c : [H, H] ~ orthogonal
            weight = param_;
        }
    }
    h_packed_[place] = weight;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_multiply_packed_(
    const float* __restrict__ params, float* multiply_packed_2_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int place = i;
    const int lane = place / 4 % 32, round = place / 512 % 1;
    const int tile = place / 512, at = lane % 1 * 4 + place % 4;
    const int k = (round * 32 + lane / 1) * 4 + place / 128 % 4;
    const int column = at / 4, unit = tile % 1 * 4 + at % 4;
    float weight = 0.0f;
    if (k < 4 && unit < 4) {
        const int i0 = unit;
        if (column == 0) {
            const float param_ = params[80 + k * 4 + i0];  // gru.rnn:56 param U_z, U_r, U_c : [H, H] ~ orthogonal
            weight = param_;
        }
    }
    multiply_packed_2_[place] = weight;
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
    if (k < 8 && unit < 4) {
        const int i0 = unit;
        if (column == 0) {
            const float concat_ = params[48 + k * 4 + i0];  // gru.rnn:61 z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
            weight = concat_;
        }
    }
    valid_packed_[place] = weight;
}
