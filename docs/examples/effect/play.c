/* An effect learned from examples, run as a plug-in would run it: blocks of 64 samples, 48,000 samples a second.

       play [SECONDS [FILE]]

   It tells how much faster than real time it is, step by step and a block at a time, how long the worst block took, and
   how far the cell is from the effect itself. FILE gets what went in and came out, as pairs of floats. */

#define _POSIX_C_SOURCE 199309L /* clock_gettime */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "effect.h"

enum { RATE = 48000, BLOCK = 64, LINE = 64, WORK = 1 << 16 };

static const double TURN = 6.283185307179586;
static const double GAIN = 4.0, CUT = 3000.0; /* as in effect.py */

/* Memory to work in, of which the part that is used begins at a multiple of LINE bytes. */
static unsigned char room[WORK + LINE];

static void *work(void) { return room + (LINE - (uintptr_t)room % LINE) % LINE; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Three tones that come and go. */
static void play(long start, float *x) {
    for (long i = 0; i < BLOCK; ++i) {
        const double t = (double)(start + i) / RATE;
        const double tones = sin(TURN * 110 * t) + 0.5 * sin(TURN * 277 * t) + 0.25 * sin(TURN * 1320 * t);
        x[i] = (float)(0.4 * tones * sin(TURN * t) * sin(TURN * t));
    }
}

/* What the cell has learned: a soft clipper before a filter with one pole. */
static double effect(double *last, double x) {
    const double pole = exp(-TURN * CUT / RATE);
    return *last = pole * *last + (1 - pole) * tanh(GAIN * x);
}

static int steps(struct effect_state *state, const float *x, float *y) {
    int wrong = 0;
    for (int i = 0; i < BLOCK && !wrong; ++i) wrong = effect_step(effect_weights, state, x + i, y + i, work(), WORK);
    return wrong;
}

static int whole(struct effect_state *state, const float *x, float *y) {
    const struct effect_infer_call none = {0};
    struct effect_infer_call call = none;
    struct effect_state next;
    call.params = effect_weights;
    call.x_ = x;
    call.y_ = y;
    call.h_h_start_ = state->h_h_;
    call.given_h_h_ = 1;
    call.h_final_ = next.h_h_;
    call.T_t = BLOCK;
    call.B = 1;
    call.work = work();
    call.bytes = WORK;
    const int wrong = effect_infer(&call);
    *state = next;
    return wrong;
}

/* Runs blocks in one of the two ways; what went in and came out goes to the file, if there is one. */
static int run(const char *name, int (*block)(struct effect_state *, const float *, float *), long blocks, FILE *file) {
    struct effect_state state;
    float x[BLOCK], y[BLOCK];
    double all = 0, worst = 0, last = 0, error = 0, power = 0;
    int wrong = effect_first(effect_weights, &state, work(), WORK);
    for (long k = 0; k < blocks && !wrong; ++k) {
        play(k * BLOCK, x);
        const double start = now();
        wrong = block(&state, x, y);
        const double took = now() - start;
        all += took;
        worst = took > worst ? took : worst;
        for (int i = 0; i < BLOCK; ++i) {
            const double target = effect(&last, x[i]), apart = y[i] - target;
            error += apart * apart;
            power += target * target;
            const float pair[2] = {x[i], y[i]};
            if (file && fwrite(pair, sizeof pair, 1, file) != 1) return -1;
        }
    }
    const double audio = (double)(blocks * BLOCK) / RATE;
    printf("%s: %.1f times real time, worst block %.3f of %.3f ms, error %.2f dB\n", name, audio / all, 1e3 * worst,
           1e3 * BLOCK / RATE, 10 * log10(error / power));
    return wrong;
}

int main(int count, char **words) {
    const double seconds = count > 1 ? atof(words[1]) : 10;
    const long blocks = (long)ceil(seconds * RATE / BLOCK);
    FILE *file = count > 2 ? fopen(words[2], "wb") : NULL;
    if (count > 2 && !file) return 2;
    int wrong = run("step by step", steps, blocks, file);
    if (!wrong) wrong = run("a block at a time", whole, blocks, file);
    if (file && fclose(file)) wrong = -1;
    if (wrong) fprintf(stderr, "it failed: %d\n", wrong);
    return wrong != 0;
}
