extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_firsts_(
    const float* __restrict__ h_start_, float* h_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const float start_ = h_start_[(long long)b * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    h_[((long long)0 * B + b) * 4 + i0] = start_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_matrix_turned_(
    const float* __restrict__ params, float* matrix_turned_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 4;
    const int i0 = i / 4;
    const float param_ = params[16 + i1 * 4 + i0];  // simple.rnn:55 param U : [H, H] ~ orthogonal
    matrix_turned_[i0 * 4 + i1] = param_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_(
    const float* __restrict__ params, const float* __restrict__ h_product_, float* h_,
    const float* __restrict__ matrix_turned_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float param_ = params[i0];  // simple.rnn:56 param b : [H] ~ zeros
    const float product_ = h_product_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const float add_ = param_ + product_;
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 4; ++k_) {
        const float param_2_ = matrix_turned_[k_ * 4 + i0];  // simple.rnn:55 param U : [H, H] ~ orthogonal
        const float shift_ = h_[tb * 4 + k_];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        total_ += param_2_ * shift_;
    }
    const float add_2_ = add_ + total_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const float h_2_ = tanhf(add_2_);
    h_[(tb + B) * 4 + i0] = h_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) forward_kept_h_2_(
    const float* __restrict__ params, const float* __restrict__ h_product_, const float* __restrict__ h_product_2_,
    float* h_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float param_ = params[i0];  // simple.rnn:56 param b : [H] ~ zeros
    const float product_ = h_product_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const float add_ = param_ + product_;
    const float product_2_ = h_product_2_[(long long)b * 4 + i0];
    const float add_2_ = add_ + product_2_;
    const float h_2_ = tanhf(add_2_);
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
    const float h_2_ = h_[(tb + B) * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
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
        const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        chosen_ = h_2_;
    }
    else {
        const float start_ = h_start_[(long long)b * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        chosen_ = start_;
    }
    h_final_[(long long)b * 4 + i0] = chosen_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_d_h_(
    const float* __restrict__ h_product_3_, float* d_h_, float* h_multiply_2_,
    const float* __restrict__ d_output_h_, const float* __restrict__ d_final_h_, const float* __restrict__ h_2_,
    int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float input_ = d_output_h_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_2_ = d_final_h_[(long long)b * 4 + i0];
        chosen_ = input_2_;
    }
    const float add_ = input_ + chosen_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const float shift_ = h_product_3_[(tb + B) * 4 + i0];
    const float d_h_2_ = add_ + shift_;
    d_h_[tb * 4 + i0] = d_h_2_;
    const float h_3_ = h_2_[tb * 4 + i0];
    const float multiply_ = h_3_ * h_3_;
    const float subtract_ = 1.0f - multiply_;
    const float multiply_2_ = d_h_2_ * subtract_;
    h_multiply_2_[tb * 4 + i0] = multiply_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_(
    const float* __restrict__ params, float* h_product_3_, const float* __restrict__ h_multiply_2_, int B,
    const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 4; ++k_) {
        const float param_ = params[16 + k_ * 4 + i0];  // simple.rnn:55 param U : [H, H] ~ orthogonal
        const float multiply_ = h_multiply_2_[tb * 4 + k_];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
        total_ += param_ * multiply_;
    }
    const float valid_ = (t < n_t[b] ? total_ : 0.0f);  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    h_product_3_[tb * 4 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_2_(
    float* h_product_3_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const long long tb = (long long)t * B + b;
    const float product_ = h_product_3_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const float valid_ = (t < n_t[b] ? product_ : 0.0f);
    h_product_3_[tb * 4 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_add_(
    const float* __restrict__ h_product_3_, const float* __restrict__ d_final_h_, float* h_add_4_, int B,
    const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4;
    const float input_ = d_final_h_[(long long)b * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);
    const int at_ = 0;
    float chosen_ = 0.0f;
    if (at_ >= 0 && at_ < n_t[b]) {
        const float product_ = h_product_3_[((long long)at_ * B + b) * 4 + i0];
        chosen_ = product_;
    }
    const float add_ = if_length_ + chosen_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    h_add_4_[(long long)b * 4 + i0] = add_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_3_(
    float* h_multiply_2_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 4;
    const int b = i / 4 % B;
    const int t = i / (B * 4);
    const long long tb = (long long)t * B + b;
    const float multiply_ = h_multiply_2_[tb * 4 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);
    h_multiply_2_[tb * 4 + i0] = valid_;
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
    const float d_x_2_ = d_x_[tb * 3 + i0];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
    const float valid_ = (t < n_t[b] ? d_x_2_ : 0.0f);
    d_x_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_parts_(
    const float* __restrict__ d_h_, const float* __restrict__ h_2_, float* sum_batch_parts_, int B, int T_t,
    const int* n_t, int n
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
            const float d_h_2_ = d_h_[((long long)t_ * B + b_) * 4 + i1];  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
            const float valid_ = (t_ < n_t[b_] ? d_h_2_ : 0.0f);
            const float h_3_ = h_2_[((long long)t_ * B + b_) * 4 + i1];
            const float multiply_ = h_3_ * h_3_;
            const float subtract_ = 1.0f - multiply_;
            const float valid_2_ = (t_ < n_t[b_] ? subtract_ : 0.0f);
            const float multiply_2_ = valid_ * valid_2_;
            total_ += multiply_2_;
        }
    }
    sum_batch_parts_[i0 * 4 + i1] = total_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
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
        total_ += sum_batch_parts_[part_ * 4 + i0];
    }
    gradient[i0] = total_;  // simple.rnn:60 h = squash(W @ x + U @ h[t-1] + b)
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
            const float param_ = params[16 + i0 * 4 + k];  // simple.rnn:55 param U : [H, H] ~ orthogonal
            weight = param_;
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
    if (k < 4 && unit < 4) {
        const int i0 = unit;
        if (column == 0) {
            const float param_ = params[16 + k * 4 + i0];  // simple.rnn:55 param U : [H, H] ~ orthogonal
            weight = param_;
        }
    }
    valid_packed_[place] = weight;
}
