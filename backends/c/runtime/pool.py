"""Threads for generated C: one pool for the process, written in C."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from recurrency.disk.libraries import Library, LockedLibrary
from recurrency.errors import UsageError

from . import compiler, objects

SOURCE = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

/* Workers that run the parts of a call. They wait for the next call awake for a while, then asleep. */

enum { MOST = 256, TURNS = 20000 };
typedef int (*part)(const void *call, long long id, long long count);

static pthread_mutex_t one_call = PTHREAD_MUTEX_INITIALIZER, door = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell = PTHREAD_COND_INITIALIZER;
static int workers, turn, left, failed, first_turn[MOST];
static long long wanted;
static part work;
static const void *argument;

/* A child of fork has no workers, and whatever another thread held is held by nobody there. */
static void in_child(void) {
    const pthread_mutex_t open = PTHREAD_MUTEX_INITIALIZER;
    const pthread_cond_t still = PTHREAD_COND_INITIALIZER;
    memcpy(&one_call, &open, sizeof open);
    memcpy(&door, &open, sizeof open);
    memcpy(&bell, &still, sizeof still);
    workers = left = failed = 0;
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

static void breathe(int turns) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
    if (turns % 1000 == 999) sched_yield();
}

static void *worker(void *number) {
    const long long id = (long long)(size_t)number;
    int seen = first_turn[id];
    for (;;) {
        int turns = 0, now = seen;
        while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) == seen && turns < TURNS) breathe(turns++);
        if (now == seen) {
            pthread_mutex_lock(&door);
            while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) == seen) pthread_cond_wait(&bell, &door);
            pthread_mutex_unlock(&door);
        }
        seen = now;
        if (id < wanted && work(argument, id, wanted)) __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&left, 1, __ATOMIC_ACQ_REL);
    }
    return NULL;
}

/* Called between turns: a new worker takes part from the next one on. */
static void hire(long long count) {
    while (workers < count - 1 && workers < MOST - 1) {
        pthread_t thread;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        first_turn[workers + 1] = turn;
        const int wrong = pthread_create(&thread, &attributes, worker, (void *)(size_t)(workers + 1));
        pthread_attr_destroy(&attributes);
        if (wrong) break;
        ++workers;
    }
}

__attribute__((visibility("default"))) int run(void *f, const void *call, long long count) {
    pthread_mutex_lock(&one_call);
    hire(count);
    if (workers < count - 1) {
        pthread_mutex_unlock(&one_call);
        return -1;
    }
    work = (part)f;
    argument = call;
    wanted = count;
    failed = 0;
    __atomic_store_n(&left, workers, __ATOMIC_RELEASE);
    pthread_mutex_lock(&door);
    __atomic_add_fetch(&turn, 1, __ATOMIC_ACQ_REL);
    pthread_cond_broadcast(&bell);
    pthread_mutex_unlock(&door);
    int wrong = work(call, 0, count), turns = 0;
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) breathe(turns++ % 1000000);
    wrong |= __atomic_load_n(&failed, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&one_call);
    return wrong;
}

/* Functions of Python's C API, and what they fill in: both are part of its stable ABI. */
struct view {
    void *memory, *object;
    ptrdiff_t size, item;
    int locked, axes;
    char *format;
    ptrdiff_t *shape, *strides, *jumps;
    void *internal;
};
struct python {
    void *(*item)(void *tuple, ptrdiff_t k);
    int (*get)(void *object, struct view *view, int wanted);
    void (*release)(struct view *view);
    void (*clear)(void);
    void *(*leave)(void);
    void (*back)(void *state);
};
enum { FORMAT = 4, C_CONTIGUOUS = 8 | 16 | 32 };

/* A long call by the main thread, to which Python gives Ctrl-C, returns between two steps when SIGINT comes, so that
   Python's own handler, which is called all the same, is heard. */
struct watch { const volatile int *flag; long long step, line; };
enum { STOPPED = 2 };
static volatile int asked;
static struct sigaction pythons;

static void hear(int number, siginfo_t *about, void *context) {
    asked = 1;
    if (pythons.sa_flags & SA_SIGINFO) pythons.sa_sigaction(number, about, context);
    else pythons.sa_handler(number);
}

static int in_main_thread(void) {
#if defined(__linux__)
    return syscall(SYS_gettid) == getpid();
#elif defined(__APPLE__)
    return pthread_main_np();
#else
    return 0;
#endif
}

static int listens(struct watch *watch) {
    if (!in_main_thread() || sigaction(SIGINT, NULL, &pythons)) return 0;
    const int informed = pythons.sa_flags & SA_SIGINFO;
    if (informed ? pythons.sa_sigaction == hear : pythons.sa_handler == SIG_DFL || pythons.sa_handler == SIG_IGN)
        return 0;
    struct sigaction ours = pythons;
    ours.sa_flags |= SA_SIGINFO;
    ours.sa_sigaction = hear;
    asked = 0;
    watch->flag = &asked;
    watch->step = watch->line = INT64_MAX;
    return sigaction(SIGINT, &ours, NULL) == 0;
}

/* One call from Python. Of the arrays that it reads, the items of a tuple, `wanted` says how large an element is, which
   letter stands for its type, and where the call has the address of its memory. */
struct request {
    part f;
    void *call;
    long long count;
    const struct python *python;
    struct watch *watch;
    long long watched, arrays;
    struct { void **place; long long item, letter; } want[];
};

static int computed(const struct request *r) {
    if (r->count > 1) {
        const int done = run((void *)r->f, r->call, r->count);
        if (done >= 0) return done;
    }
    return r->f(r->call, 0, 1); /* also where there are no more threads to be had */
}

/* The result is 0, what the code gives, or STOPPED. */
__attribute__((visibility("default"))) int compute(const struct request *r) {
    if (!r->watched || !listens(r->watch)) {
        r->watch->flag = NULL;
        return computed(r);
    }
    const int wrong = computed(r);
    sigaction(SIGINT, &pythons, NULL);
    return asked ? STOPPED : wrong;
}

/* Called with Python's lock, which is given back while it computes. The result is -1 - k if array k has to be converted
   first. The caller holds the arrays, and they their memory. */
__attribute__((visibility("default"))) int enter(const struct request *r, void *tuple) {
    for (long long k = 0; k < r->arrays; ++k) {
        struct view view;
        if (r->python->get(r->python->item(tuple, (ptrdiff_t)k), &view, FORMAT | C_CONTIGUOUS)) {
            r->python->clear();
            return -1 - (int)k;
        }
        const int fits = view.item == r->want[k].item && view.format && view.format[0] == (char)r->want[k].letter &&
                         !view.format[1] && (size_t)view.memory % (size_t)view.item == 0;
        *r->want[k].place = view.memory;
        r->python->release(&view);
        if (!fits) return -1 - (int)k;
    }
    void *state = r->python->leave();
    const int wrong = compute(r);
    r->python->back(state);
    return wrong;
}
"""


class Ceiling(threading.local):
    """The greatest number of threads for calls of this thread."""

    value = 256


ceiling = Ceiling()


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Calls within this context use at most so many threads."""
    before, ceiling.value = ceiling.value, count
    try:
        yield
    finally:
        ceiling.value = before


@cache
def threads() -> int:
    """The number of threads that a call may use: `RECURRENCY_THREADS`, or the processors of this process.

    The variable is read once.
    """
    text = os.environ.get("RECURRENCY_THREADS")
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 256:
        raise UsageError(f"RECURRENCY_THREADS is a whole number from 1 to 256, not {text!r}")
    return int(text)


@cache
def api() -> Any:
    """The functions of Python that `enter` calls (see `objects`), as long as the process lasts."""
    return objects.functions()


_loaded: list[Library] = []
"""The pool is never unloaded, because its threads wait in its code."""


def begin() -> None:
    """Compile `enter` in the background, if it is not there."""
    if not _loaded:
        compiler.begin(SOURCE, threads() + 1)


@cache
def enter() -> Any:
    """The function that runs a request: it takes the address of its 8-byte integers (`struct request`), and a tuple."""
    library = compiler.library(SOURCE, LockedLibrary if api() else Library)
    _loaded.append(library)
    found: Any = library["enter" if api() else "compute"]
    found.argtypes = (ctypes.c_void_p, ctypes.py_object) if api() else (ctypes.c_void_p,)
    return found if api() else objects.plain(found)
