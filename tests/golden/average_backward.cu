
extern "C" __global__ void __launch_bounds__(128, 4) backward_add(
    float* c_add, const float* __restrict__ d_y, const float* __restrict__ y, const float* __restrict__ d_final_c,
    int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float d_y_2 = d_y[tb * 3 + i0];  // average.rnn:7 y = tanh(c)
    const float y_2 = y[tb * 3 + i0];
    const float multiply = y_2 * y_2;
    const float subtract = 1.0f - multiply;
    const float multiply_2 = d_y_2 * subtract;
    const int at_2 = n_t[b] - 1;
    float chosen_2 = 0.0f;
    if (at_2 == t && t < n_t[b]) {
        const float input = d_final_c[(long long)b * 3 + i0];
        chosen_2 = input;
    }
    const float add = multiply_2 + chosen_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    c_add[tb * 3 + i0] = add;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_d_c_loop(
    const float* __restrict__ c_add, float* d_c, float* c_multiply, const float* __restrict__ f, int B, int T_t,
    const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    int t = T_t - 1;
    long long tb = (long long)t * B + b;
    float before_3 = c_multiply[(tb + B) * 3 + i0];
    for (; t >= 0; --t, tb -= B) {
        const float add = c_add[tb * 3 + i0];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
        const float d_c_2 = add + before_3;
        d_c[tb * 3 + i0] = d_c_2;
        const float f_2 = f[i0];  // average.rnn:5 f = sigmoid(p)
        const float multiply = d_c_2 * f_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
        const float valid = (t < n_t[b] ? multiply : 0.0f);  // average.rnn:5 f = sigmoid(p)
        c_multiply[tb * 3 + i0] = valid;
        before_3 = valid;
    }
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_d_c(
    const float* __restrict__ c_add, float* d_c, float* c_multiply, const float* __restrict__ f, int B,
    const int* n_t, int t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const long long tb = (long long)t * B + b;
    const float add = c_add[tb * 3 + i0];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float shift = c_multiply[(tb + B) * 3 + i0];
    const float d_c_2 = add + shift;
    d_c[tb * 3 + i0] = d_c_2;
    const float f_2 = f[i0];  // average.rnn:5 f = sigmoid(p)
    const float multiply = d_c_2 * f_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float valid = (t < n_t[b] ? multiply : 0.0f);  // average.rnn:5 f = sigmoid(p)
    c_multiply[tb * 3 + i0] = valid;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_add_2(
    const float* __restrict__ d_final_c, const float* __restrict__ c_multiply, float* c_add_2, int B,
    const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3;
    const float input = d_final_c[(long long)b * 3 + i0];  // average.rnn:7 y = tanh(c)
    const float if_length = (n_t[b] == 0 ? input : 0.0f);  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const int at_2 = 0;
    float chosen_2 = 0.0f;
    if (at_2 >= 0 && at_2 < n_t[b]) {
        const float multiply = c_multiply[((long long)at_2 * B + b) * 3 + i0];
        chosen_2 = multiply;
    }
    const float add = if_length + chosen_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    c_add_2[(long long)b * 3 + i0] = add;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_valid(
    const float* __restrict__ d_c, const float* __restrict__ f, float* d_x, int B, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i % 3;
    const int b = i / 3 % B;
    const int t = i / (B * 3);
    const long long tb = (long long)t * B + b;
    const float d_c_2 = d_c[tb * 3 + i0];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float f_2 = f[i0];  // average.rnn:5 f = sigmoid(p)
    const float subtract = 1.0f - f_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float d_x_2 = d_c_2 * subtract;
    const float valid = (t < n_t[b] ? d_x_2 : 0.0f);  // average.rnn:5 f = sigmoid(p)
    d_x[tb * 3 + i0] = valid;
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch_parts(
    const float* __restrict__ d_c, const float* __restrict__ tape_1, const float* __restrict__ x,
    float* sum_batch_parts, float* sum_batch_parts_2, int B, int T_t, const int* n_t, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i1 = i % 3;
    const int i0 = i / 3;
    float total_2 = 0.0f;
    for (int row_2 = i0; row_2 < T_t * B; row_2 += 128) {
        const int t_2 = row_2 / B;
        const int b_2 = row_2 % B;
        if (t_2 < n_t[b_2]) {
            const float d_c_2 = d_c[((long long)t_2 * B + b_2) * 3 + i1];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
            const float valid = (t_2 < n_t[b_2] ? d_c_2 : 0.0f);  // average.rnn:5 f = sigmoid(p)
            const float input = tape_1[((long long)t_2 * B + b_2) * 3 + i1];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
            const float multiply = valid * input;
            total_2 += multiply;
        }
    }
    sum_batch_parts[i0 * 3 + i1] = total_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    float total_3 = 0.0f;
    for (int row_3 = i0; row_3 < T_t * B; row_3 += 128) {
        const int t_3 = row_3 / B;
        const int b_3 = row_3 % B;
        if (t_3 < n_t[b_3]) {
            const float d_c_3 = d_c[((long long)t_3 * B + b_3) * 3 + i1];
            const float valid_2 = (t_3 < n_t[b_3] ? d_c_3 : 0.0f);  // average.rnn:5 f = sigmoid(p)
            const float x_2 = x[((long long)t_3 * B + b_3) * 3 + i1];  // average.rnn:2 cell Average[H](x: [H]) -> (y: [H]) {
            const float multiply_2 = valid_2 * x_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
            total_3 += multiply_2;
        }
    }
    sum_batch_parts_2[i0 * 3 + i1] = total_3;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_sum_batch(
    float* c_sum_batch, float* c_sum_batch_2, const float* __restrict__ sum_batch_parts,
    const float* __restrict__ sum_batch_parts_2, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i;
    float total_2 = 0.0f;
    #pragma unroll 16
    for (int part = 0; part < 128; ++part) {
        total_2 += sum_batch_parts[part * 3 + i0];
    }
    c_sum_batch[i0] = total_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    float total_3 = 0.0f;
    #pragma unroll 16
    for (int part_2 = 0; part_2 < 128; ++part_2) {
        total_3 += sum_batch_parts_2[part_2 * 3 + i0];
    }
    c_sum_batch_2[i0] = total_3;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
}

extern "C" __global__ void __launch_bounds__(128, 4) backward_multiply(
    float* gradient, const float* __restrict__ f, const float* __restrict__ c_sum_batch,
    const float* __restrict__ c_sum_batch_2, int n
) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const int i0 = i;
    const float sum_batch = c_sum_batch[i0];  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float sum_batch_2 = c_sum_batch_2[i0];
    const float d_f_2 = sum_batch - sum_batch_2;  // average.rnn:5 f = sigmoid(p)
    const float f_2 = f[i0];
    const float subtract = 1.0f - f_2;  // average.rnn:6 c = f * c[t-1] + (1 - f) * x
    const float multiply = f_2 * subtract;  // average.rnn:5 f = sigmoid(p)
    const float multiply_2 = d_f_2 * multiply;
    gradient[i0] = multiply_2;
}

