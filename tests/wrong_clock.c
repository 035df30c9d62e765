/* Preloaded: the time of day is wrong by CLOCK_OFFSET seconds, and jumps to CLOCK_LATER seconds after CLOCK_READS readings.
   cc -shared -fPIC -O1 -o wrong_clock.so wrong_clock.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long offset(void) {
    static atomic_long reads;
    static long first, later, limit;
    if (atomic_fetch_add(&reads, 1) == 0) {
        const char *a = getenv("CLOCK_OFFSET"), *b = getenv("CLOCK_LATER"), *c = getenv("CLOCK_READS");
        first = a ? atol(a) : 0;
        later = b ? atol(b) : first;
        limit = c ? atol(c) : 1000;
    }
    return reads < limit ? first : later;
}

int clock_gettime(clockid_t clock, struct timespec *when) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, when);
    if (clock == CLOCK_REALTIME) when->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *restrict when, void *restrict zone) {
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    when->tv_sec = now.tv_sec;
    when->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *when) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (when) *when = now.tv_sec;
    return now.tv_sec;
}
