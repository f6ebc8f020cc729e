
extern "C" __global__ void __launch_bounds__(128, 4) backward_add_(
    float* c_add_, const float* __restrict__ d_y_, const float* __restrict__ y_,
    const float* __restrict__ d_final_c_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float d_y_2_ = d_y_[tb * 3 + i0];  // average.rnn:7 y = tanh(c)
    const float y_2_ = y_[tb * 3 + i0];
    const float multiply_ = y_2_ * y_2_;
    const float subtract_ = 1.0f - multiply_;
    const float multiply_2_ = d_y_2_ * subtract_;
    const int at_ = n_t[b] - 1;
    float chosen_ = 0.0f;
    if (at_ == t && t < n_t[b]) {
        const float input_ = d_final_c_[(long long)b * 3 + i0];
        chosen_ = input_;
    }
    const float add_ = multiply_2_ + chosen_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    c_add_[tb * 3 + i0] = add_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_d_c_loop_(
    const float* __restrict__ c_add_, float* d_c_, float* c_multiply_, const float* __restrict__ f_, int B,
    int T_t, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    int t = T_t - 1;
    long long tb = (long long)t * B + b;
    float before_2_ = c_multiply_[(tb + B) * 3 + i0];
    for (; t >= 0; --t, tb -= B) {
        const float add_ = c_add_[tb * 3 + i0];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
        const float d_c_2_ = add_ + before_2_;
        d_c_[tb * 3 + i0] = d_c_2_;
        const float f_2_ = f_[i0];  // average.rnn:5 f = sigmoid(p)
        const float multiply_ = d_c_2_ * f_2_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
        const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);  // average.rnn:5 f = sigmoid(p)
        c_multiply_[tb * 3 + i0] = valid_;
        before_2_ = valid_;
    }
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_d_c_(
    const float* __restrict__ c_add_, float* d_c_, float* c_multiply_, const float* __restrict__ f_, int B,
    const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const long long tb = (long long)t * B + b;
    const float add_ = c_add_[tb * 3 + i0];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float shift_ = c_multiply_[(tb + B) * 3 + i0];
    const float d_c_2_ = add_ + shift_;
    d_c_[tb * 3 + i0] = d_c_2_;
    const float f_2_ = f_[i0];  // average.rnn:5 f = sigmoid(p)
    const float multiply_ = d_c_2_ * f_2_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float valid_ = (t < n_t[b] ? multiply_ : 0.0f);  // average.rnn:5 f = sigmoid(p)
    c_multiply_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_add_2_(
    const float* __restrict__ d_final_c_, const float* __restrict__ c_multiply_, float* c_add_2_, int B,
    const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const float input_ = d_final_c_[(long long)b * 3 + i0];  // average.rnn:7 y = tanh(c)
    const float if_length_ = (n_t[b] == 0 ? input_ : 0.0f);  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const int at_ = 0;
    float chosen_ = 0.0f;
    if (at_ >= 0 && at_ < n_t[b]) {
        const float multiply_ = c_multiply_[((long long)at_ * B + b) * 3 + i0];
        chosen_ = multiply_;
    }
    const float add_ = if_length_ + chosen_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    c_add_2_[(long long)b * 3 + i0] = add_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid_(
    const float* __restrict__ d_c_, const float* __restrict__ f_, float* d_x_, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float d_c_2_ = d_c_[tb * 3 + i0];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float f_2_ = f_[i0];  // average.rnn:5 f = sigmoid(p)
    const float subtract_ = 1.0f - f_2_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float d_x_2_ = d_c_2_ * subtract_;
    const float valid_ = (t < n_t[b] ? d_x_2_ : 0.0f);  // average.rnn:5 f = sigmoid(p)
    d_x_[tb * 3 + i0] = valid_;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_parts_(
    const float* __restrict__ d_c_, const float* __restrict__ tape_1_, const float* __restrict__ x_,
    float* sum_batch_parts_, float* sum_batch_parts_2_, int B, int T_t, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 3;
    const int i0 = i / 3;
    float total_ = 0.0f;
    for (int row_ = i0; row_ < T_t * B; row_ += 128) {
        const int t_ = row_ / B;
        const int b_ = row_ % B;
        if (t_ < n_t[b_]) {
            const float d_c_2_ = d_c_[((long long)t_ * B + b_) * 3 + i1];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
            const float valid_ = (t_ < n_t[b_] ? d_c_2_ : 0.0f);  // average.rnn:5 f = sigmoid(p)
            const float input_ = tape_1_[((long long)t_ * B + b_) * 3 + i1];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
            const float multiply_ = valid_ * input_;
            total_ += multiply_;
        }
    }
    sum_batch_parts_[i0 * 3 + i1] = total_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    float total_2_ = 0.0f;
    for (int row_2_ = i0; row_2_ < T_t * B; row_2_ += 128) {
        const int t_2_ = row_2_ / B;
        const int b_2_ = row_2_ % B;
        if (t_2_ < n_t[b_2_]) {
            const float d_c_3_ = d_c_[((long long)t_2_ * B + b_2_) * 3 + i1];
            const float valid_2_ = (t_2_ < n_t[b_2_] ? d_c_3_ : 0.0f);  // average.rnn:5 f = sigmoid(p)
            const float x_2_ = x_[((long long)t_2_ * B + b_2_) * 3 + i1];  // average.rnn:2 cell Average[H](x: [H]) -> (y: [H]) {
            const float multiply_2_ = valid_2_ * x_2_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
            total_2_ += multiply_2_;
        }
    }
    sum_batch_parts_2_[i0 * 3 + i1] = total_2_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_(
    float* c_sum_batch_, float* c_sum_batch_2_, const float* __restrict__ sum_batch_parts_,
    const float* __restrict__ sum_batch_parts_2_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i;
    float total_ = 0.0f;
    #pragma unroll 16
    for (int part_ = 0; part_ < 128; ++part_) {
        total_ += sum_batch_parts_[part_ * 3 + i0];
    }
    c_sum_batch_[i0] = total_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    float total_2_ = 0.0f;
    #pragma unroll 16
    for (int part_2_ = 0; part_2_ < 128; ++part_2_) {
        total_2_ += sum_batch_parts_2_[part_2_ * 3 + i0];
    }
    c_sum_batch_2_[i0] = total_2_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_multiply_(
    float* gradient, const float* __restrict__ f_, const float* __restrict__ c_sum_batch_,
    const float* __restrict__ c_sum_batch_2_, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i;
    const float sum_batch_ = c_sum_batch_[i0];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float sum_batch_2_ = c_sum_batch_2_[i0];
    const float d_f_2_ = sum_batch_ - sum_batch_2_;  // average.rnn:5 f = sigmoid(p)
    const float f_2_ = f_[i0];
    const float subtract_ = 1.0f - f_2_;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float multiply_ = f_2_ * subtract_;  // average.rnn:5 f = sigmoid(p)
    const float multiply_2_ = d_f_2_ * multiply_;
    gradient[i0] = multiply_2_;
}

