extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_multiply_(
    float* multiply_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float batch_2_ = (float)B;  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    const float maximum_2_ = (batch_2_ > 1.0f || batch_2_ != batch_2_ ? batch_2_ : 1.0f);
    const float divide_3_ = 1.0f / maximum_2_;
    const float multiply_6_ = divide_3_ * 0.5f;
    multiply_[0] = multiply_6_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_firsts_(
    const float* __restrict__ h_start_, float* h_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const float start_ = h_start_[(long long)b * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    h_[((long long)0 * B + b) * 3 + i0] = start_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_matrix_turned_(
    const float* __restrict__ params, float* matrix_turned_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 3;
    const int i0 = i / 3;
    const float param_ = params[6 + i1 * 3 + i0];  // small.rnn:4 param U : [H, H] ~ glorot_uniform
    matrix_turned_[i0 * 3 + i1] = param_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_h_(
    const float* __restrict__ h_product_, float* h_, const float* __restrict__ matrix_turned_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const long long tb = (long long)t * B + b;
    const float product_ = h_product_[tb * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 3; ++k_) {
        const float param_ = matrix_turned_[k_ * 3 + i0];  // small.rnn:4 param U : [H, H] ~ glorot_uniform
        const float shift_ = h_[tb * 3 + k_];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
        total_ += param_ * shift_;
    }
    const float add_2_ = product_ + total_;  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    const float h_2_ = tanhf(add_2_);
    h_[(tb + B) * 3 + i0] = h_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_h_2_(
    const float* __restrict__ h_product_, const float* __restrict__ h_product_2_, float* h_, int B, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const long long tb = (long long)t * B + b;
    const float product_ = h_product_[tb * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    const float product_2_ = h_product_2_[(long long)b * 3 + i0];
    const float add_2_ = product_ + product_2_;
    const float h_2_ = tanhf(add_2_);
    h_[(tb + B) * 3 + i0] = h_2_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_subtract_(
    const float* __restrict__ multiply_, const float* __restrict__ h_, float* y_subtract_, int B, const int* n_t,
    int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const float multiply_6_ = multiply_[0];  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ >= 0 && at_ < n_t[b]) {
        const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
        chosen_ = h_2_;
    }
    const float sigmoid_3_ = 1.0f / (1.0f + expf(-chosen_));  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    const float multiply_7_ = multiply_6_ * sigmoid_3_;
    const float negative_2_ = -chosen_;
    const float sigmoid_4_ = 1.0f / (1.0f + expf(-negative_2_));
    const float multiply_8_ = multiply_6_ * sigmoid_4_;
    const float subtract_ = multiply_7_ - multiply_8_;  // small.rnn:7 y = sigmoid(last(h))
    y_subtract_[(long long)b * 3 + i0] = subtract_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_sum_(
    const float* __restrict__ h_, float* sum_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int b = i;
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 3; ++k_) {
        const int at_ = n_t[b] - 1;
        float chosen_ = 0.0f;
        if (at_ >= 0 && at_ < n_t[b]) {
            const float h_2_ = h_[((long long)(at_ + 1) * B + b) * 3 + k_];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
            chosen_ = h_2_;
        }
        const float negative_2_ = -chosen_;  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
        const float softplus_3_ = (negative_2_ > 0.0f ? negative_2_ + log1pf(expf(-negative_2_)) : log1pf(expf(negative_2_)));
        const float multiply_6_ = 0.5f * softplus_3_;
        const float softplus_4_ = (chosen_ > 0.0f ? chosen_ + log1pf(expf(-chosen_)) : log1pf(expf(chosen_)));
        const float multiply_7_ = 0.5f * softplus_4_;
        const float add_2_ = multiply_6_ + multiply_7_;
        total_ += add_2_;
    }
    sum_[(long long)b] = total_;  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_sum_batch_parts_(
    const float* __restrict__ sum_, float* sum_batch_parts_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i;
    float total_ = 0.0f;
    for (int row_ = i0; row_ < B; row_ += 128) {
        const float sum_2_ = sum_[(long long)row_];  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
        total_ += sum_2_;
    }
    sum_batch_parts_[i0] = total_;  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_sum_batch_(
    float* sum_batch_, const float* __restrict__ sum_batch_parts_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float total_ = 0.0f;
    #pragma unroll 16
    for (int part_ = 0; part_ < 128; ++part_) {
        total_ += sum_batch_parts_[part_];
    }
    sum_batch_[0] = total_;  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_final_(
    const float* __restrict__ h_start_, const float* __restrict__ h_, float* h_final_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const int at_ = n_t[b] - 1;
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

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_divide_(
    const float* __restrict__ sum_batch_, float* divide_2_, int B, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float sum_batch_2_ = sum_batch_[0];  // small.rnn:11 loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
    const float batch_2_ = (float)B;
    const float maximum_2_ = (batch_2_ > 1.0f || batch_2_ != batch_2_ ? batch_2_ : 1.0f);
    const float divide_3_ = sum_batch_2_ / maximum_2_;
    divide_2_[0] = divide_3_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_valid_(
    float* h_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float h_2_ = h_[(tb + B) * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    const float valid_ = (t < n_t[b] ? h_2_ : 0.0f);
    h_[(tb + B) * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_multiply_2_(
    const float* __restrict__ h_product_3_, const float* __restrict__ h_, const float* __restrict__ y_subtract_,
    float* h_multiply_2_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const long long tb = (long long)t * B + b;
    const int at_ = n_t[b] - 1;
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

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_valid_2_(
    const float* __restrict__ params, float* h_product_3_, const float* __restrict__ h_multiply_2_, int B,
    const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const long long tb = (long long)t * B + b;
    float total_ = 0.0f;
    for (int k_ = 0; k_ < 3; ++k_) {
        const float param_ = params[6 + k_ * 3 + i0];  // small.rnn:4 param U : [H, H] ~ glorot_uniform
        const float multiply_6_ = h_multiply_2_[tb * 3 + k_];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
        total_ += param_ * multiply_6_;
    }
    const float valid_ = (t < n_t[b] ? total_ : 0.0f);  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    h_product_3_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_valid_3_(
    float* h_product_3_, int B, const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const long long tb = (long long)t * B + b;
    const float product_ = h_product_3_[tb * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    const float valid_ = (t < n_t[b] ? product_ : 0.0f);
    h_product_3_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_valid_4_(
    float* h_multiply_2_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float multiply_6_ = h_multiply_2_[tb * 3 + i0];  // small.rnn:6 h = tanh(W @ x + U @ h[t-1])
    const float valid_ = (t < n_t[b] ? multiply_6_ : 0.0f);
    h_multiply_2_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_h_packed_(
    const float* __restrict__ params, float* h_packed_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int place = i;
    const int lane = place / 4 % 32, round = place / 512 % 1;
    const int tile = place / 512, at = lane % 1 * 4 + place % 4;
    const int k = (round * 32 + lane / 1) * 4 + place / 128 % 4;
    const int column = at / 3, unit = tile % 1 * 3 + at % 3;
    float weight = 0.0f;
    if (k < 3 && unit < 3) {
        const int i0 = unit;
        if (column == 0) {
            const float param_ = params[6 + i0 * 3 + k];  // small.rnn:4 param U : [H, H] ~ glorot_uniform
            weight = param_;
        }
    }
    h_packed_[place] = weight;
}

extern "C" __global__ void __launch_bounds__(128, 4) loss_gradients_valid_packed_(
    const float* __restrict__ params, float* valid_packed_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int place = i;
    const int lane = place / 4 % 32, round = place / 512 % 1;
    const int tile = place / 512, at = lane % 1 * 4 + place % 4;
    const int k = (round * 32 + lane / 1) * 4 + place / 128 % 4;
    const int column = at / 3, unit = tile % 1 * 3 + at % 3;
    float weight = 0.0f;
    if (k < 3 && unit < 3) {
        const int i0 = unit;
        if (column == 0) {
            const float param_ = params[6 + k * 3 + i0];  // small.rnn:4 param U : [H, H] ~ glorot_uniform
            weight = param_;
        }
    }
    valid_packed_[place] = weight;
}
