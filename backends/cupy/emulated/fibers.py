"""The C++ that runs the threads of a block together: each one to where it waits, in turns, on one thread of the CPU."""

from __future__ import annotations

WAITS = r"__syncthreads|__syncwarp|__shfl"
"""What begins the names by which threads wait for one another."""

INCLUDED = """#include <stdlib.h>
#include <ucontext.h>
"""

TOGETHER = """
// Threads that wait: each has a stack, and gives way to the others at a barrier until all of them have come to it.
enum { MOST_THREADS = 1024, LANES = 32, STACK = 1 << 16, POISON = 0xFF };
struct meeting { unsigned int came, turn; };
static struct {
    ucontext_t scheduler, threads[MOST_THREADS];
    bool done[MOST_THREADS];
    meeting block, warps[MOST_THREADS / LANES];
    unsigned long long given[2][MOST_THREADS];
    bool second[MOST_THREADS];
    unsigned int me, moves;
    void (*thread)(values);
    values arguments;
} fibers;

static void meet(meeting& at, unsigned int expected) {
    const unsigned int turn = at.turn;
    if (++at.came == expected) {
        at.came = 0;
        at.turn++;
        fibers.moves++;
        return;
    }
    while (at.turn == turn) swapcontext(&fibers.threads[fibers.me], &fibers.scheduler);
}
static void __syncthreads() { meet(fibers.block, (unsigned int)count(blockDim)); }
static inline void __syncwarp(unsigned int mask = ~0u) { meet(fibers.warps[fibers.me / LANES], LANES); }
template <class T> static T exchanged(T value, unsigned int other) {
    const unsigned int me = fibers.me;
    const bool second = fibers.second[me];
    fibers.second[me] = !second;  // who is a turn ahead writes elsewhere
    __builtin_memcpy(&fibers.given[second][me], &value, sizeof value);
    __syncwarp();
    __builtin_memcpy(&value, &fibers.given[second][other], sizeof value);
    return value;
}
template <class T> static T __shfl_xor_sync(unsigned int, T value, int by) { return exchanged(value, fibers.me ^ by); }
static void whole_thread() {
    fibers.thread(fibers.arguments);
    fibers.done[fibers.me] = true;
    fibers.moves++;
    setcontext(&fibers.scheduler);
}
extern char __start_of_block[] __attribute__((weak, visibility("hidden")));
extern char __stop_of_block[] __attribute__((weak, visibility("hidden")));

// All threads of one block; false where some wait for what never happens.
static bool block_together(char* stacks, int order) {
    const unsigned int n = (unsigned int)count(blockDim);
    fibers.block = {0, 0};
    for (unsigned int w = 0; w < MOST_THREADS / LANES; w++) fibers.warps[w] = {0, 0};
    for (unsigned int t = 0; t < n; t++) {
        fibers.done[t] = fibers.second[t] = false;
        getcontext(&fibers.threads[t]);
        fibers.threads[t].uc_stack.ss_sp = stacks + (unsigned long long)t * STACK;
        fibers.threads[t].uc_stack.ss_size = STACK;
        makecontext(&fibers.threads[t], whole_thread, 0);
    }
    for (char* c = __start_of_block; c < __stop_of_block; c++) *c = (char)POISON;
    for (bool left = true; left;) {
        const unsigned int before = fibers.moves;
        left = false;
        for (unsigned int i = 0; i < n; i++) {
            const unsigned int t = (unsigned int)turn(i, n, order);
            if (fibers.done[t]) continue;
            fibers.me = t;
            threadIdx = at(t, blockDim);
            swapcontext(&fibers.scheduler, &fibers.threads[t]);
            left |= !fibers.done[t];
        }
        if (left && before == fibers.moves) return false;
    }
    return true;
}
static int run_together(void (*thread)(values), const unsigned int* shape, int order, values given, bool flush) {
    const unsigned int before = control();
    if (flush) control(before | FLUSH);
    gridDim = {shape[0], shape[1], shape[2]};
    blockDim = {shape[3], shape[4], shape[5]};
    fibers.thread = thread;
    fibers.arguments = given;
    char* stacks = (char*)malloc(count(blockDim) * STACK);
    bool whole = stacks != nullptr;
    for (unsigned long long b = 0; whole && b < count(gridDim); b++) {
        blockIdx = at(turn(b, count(gridDim), order), gridDim);
        whole = block_together(stacks, order);
    }
    free(stacks);
    control(before);
    return !whole;
}
"""
"""`run_together` is `run` of the shim for kernels with barriers and shuffles; shared memory begins as NaN."""
