extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_valid_(
    const float* __restrict__ params, const float* __restrict__ z_product_, float* z_add_, int B, const int* n_t,
    int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 8;
    const int b = i / 8 % B;
    const int t = i / (B * 8);
    const long long tb = (long long)t * B + b;
    const float product_ = z_product_[tb * 8 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    const float concat_ = params[24 + i0];
    const float add_ = product_ + concat_;
    const float valid_ = (t < n_t[b] ? add_ : 0.0f);  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    z_add_[tb * 8 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_multiply_(
    const float* __restrict__ params, const float* __restrict__ z_product_, float* z_, float* h_subtract_,
    float* h_multiply_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float product_ = z_product_[tb * 8 + (i0 + 4)];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    const float concat_ = params[24 + (i0 + 4)];
    const float add_ = product_ + concat_;
    const float z_2_ = 1.0f / (1.0f + expf(-add_));
    const float valid_ = (t < n_t[b] ? z_2_ : 0.0f);  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    z_[tb * 4 + i0] = valid_;
    const float subtract_ = 1.0f - z_2_;
    h_subtract_[tb * 4 + i0] = subtract_;
    const float product_2_ = z_product_[tb * 8 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    const float concat_2_ = params[24 + i0];
    const float add_2_ = product_2_ + concat_2_;
    const float multiply_ = z_2_ * add_2_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    h_multiply_[tb * 4 + i0] = multiply_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_firsts_(
    const float* __restrict__ h_start_, float* h_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const float start_ = h_start_[(long long)b * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    h_[((long long)0 * B + b) * 4 + i0] = start_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_loop_(
    const float* __restrict__ h_subtract_, const float* __restrict__ h_multiply_, float* h_, int B, int T_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    int t = 0;
    long long tb = (long long)t * B + b;
    float before_ = h_[tb * 4 + i0];
    for (; t < T_t; ++t, tb += B) {
        const float subtract_ = h_subtract_[tb * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        const float multiply_ = subtract_ * before_;
        const float multiply_2_ = h_multiply_[tb * 4 + i0];
        const float h_2_ = multiply_ + multiply_2_;
        h_[(tb + B) * 4 + i0] = h_2_;
        before_ = h_2_;
    }
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_(
    const float* __restrict__ h_subtract_, const float* __restrict__ h_multiply_, float* h_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float subtract_ = h_subtract_[tb * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float shift_ = h_[tb * 4 + i0];
    const float multiply_ = subtract_ * shift_;
    const float multiply_2_ = h_multiply_[tb * 4 + i0];
    const float h_2_ = multiply_ + multiply_2_;
    h_[(tb + B) * 4 + i0] = h_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_valid_2_(
    float* h_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float h_2_ = h_[(tb + B) * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float valid_ = (t < n_t[b] ? h_2_ : 0.0f);
    h_[(tb + B) * 4 + i0] = valid_;
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
        const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        chosen_ = h_2_;
    }
    else {
        const float start_ = h_start_[(long long)b * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        chosen_ = start_;
    }
    h_final_[(long long)b * 4 + i0] = chosen_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_results_(
    const float* __restrict__ z_add_, float* v1_result_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float valid_ = z_add_[tb * 8 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    v1_result_[tb * 4 + i0] = valid_;  // diagonal.rnn:70 c = W_h @ x + b_h
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_d_h_loop_(
    float* d_h_, float* h_multiply_3_, const float* __restrict__ d_output_h_, const float* __restrict__ d_final_h_,
    const float* __restrict__ z_2_, int B, int T_t, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    int t = T_t - 1;
    long long tb = (long long)t * B + b;
    float before_2_ = h_multiply_3_[(tb + B) * 4 + i0];
    for (; t >= 0; --t, tb -= B) {
        const float input_ = d_output_h_[tb * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        const int at_ = n_t[b] - 1;
        float chosen_ = 0.0f;
        if (at_ == t && t < n_t[b]) {
            const float input_2_ = d_final_h_[(long long)b * 4 + i0];
            chosen_ = input_2_;
        }
        const float add_ = input_ + chosen_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        const float d_h_2_ = add_ + before_2_;
        d_h_[tb * 4 + i0] = d_h_2_;
        const float z_3_ = z_2_[tb * 4 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
        const float subtract_ = 1.0f - z_3_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
        const float multiply_ = d_h_2_ * subtract_;
        const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
        h_multiply_3_[tb * 4 + i0] = valid_;
        before_2_ = valid_;
    }
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_d_h_(
    float* d_h_, float* h_multiply_3_, const float* __restrict__ d_output_h_, const float* __restrict__ d_final_h_,
    const float* __restrict__ z_2_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float input_ = d_output_h_[tb * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_2_ = d_final_h_[(long long)b * 4 + i0];
        chosen_ = input_2_;
    }
    const float add_ = input_ + chosen_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float shift_ = h_multiply_3_[(tb + B) * 4 + i0];
    const float d_h_2_ = add_ + shift_;
    d_h_[tb * 4 + i0] = d_h_2_;
    const float z_3_ = z_2_[tb * 4 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    const float subtract_ = 1.0f - z_3_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float multiply_ = d_h_2_ * subtract_;
    const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    h_multiply_3_[tb * 4 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_add_(
    const float* __restrict__ h_multiply_3_, const float* __restrict__ d_final_h_, float* h_add_2_, int B,
    const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const float input_ = d_final_h_[(long long)b * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);
    const int at_ = 0;
    float chosen_ = 0.0f;
    if (at_ >= 0 && at_ < n_t[b]) {
        const float multiply_ = h_multiply_3_[((long long)at_ * B + b) * 4 + i0];
        chosen_ = multiply_;
    }
    const float add_ = if_length_ + chosen_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    h_add_2_[(long long)b * 4 + i0] = add_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_(
    const float* __restrict__ d_h_, const float* __restrict__ z_2_, float* z_concat_, const float* __restrict__ c_,
    const float* __restrict__ tape_2_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float d_h_2_ = d_h_[tb * 4 + i0];  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float z_3_ = z_2_[tb * 4 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    const float d_c_ = d_h_2_ * z_3_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float c_2_ = c_[tb * 4 + i0];  // diagonal.rnn:70 c = W_h @ x + b_h
    const float multiply_ = d_h_2_ * c_2_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float input_ = tape_2_[tb * 4 + i0];
    const float multiply_2_ = d_h_2_ * input_;
    const float d_z_2_ = multiply_ - multiply_2_;  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    const float subtract_ = 1.0f - z_3_;  // diagonal.rnn:71 h = (1 - z) * h[t-1] + z * c
    const float multiply_3_ = z_3_ * subtract_;  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    const float multiply_4_ = d_z_2_ * multiply_3_;
    const float valid_ = (t < n_t[b] ? d_c_ : 0.0f);
    z_concat_[tb * 8 + i0] = valid_;
    const float valid_2_ = (t < n_t[b] ? multiply_4_ : 0.0f);
    z_concat_[tb * 8 + (i0 + 4)] = valid_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_2_(
    float* d_x_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float d_x_2_ = d_x_[tb * 3 + i0];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
    const float valid_ = (t < n_t[b] ? d_x_2_ : 0.0f);
    d_x_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_parts_(
    const float* __restrict__ z_concat_, float* sum_batch_parts_, int B, int T_t, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 8;
    const int i0 = i / 8;
    float total_ = 0.0f;
    for (int row_ = i0; row_ < T_t * B; row_ += 128) {
        const int t_ = row_ / B;
        const int b_ = row_ % B;
        if (t_ < n_t[b_]) {
            const float valid_ = z_concat_[((long long)t_ * B + b_) * 8 + i1];  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
            total_ += valid_;
        }
    }
    sum_batch_parts_[i0 * 8 + i1] = total_;  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
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
        total_ += sum_batch_parts_[part_ * 8 + i0];
    }
    gradient[24 + i0] = total_;  // diagonal.rnn:69 z = sigmoid(W_z @ x + b_z)
}
