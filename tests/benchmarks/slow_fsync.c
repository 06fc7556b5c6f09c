// SPDX-License-Identifier: Apache-2.0
// Preloaded under a database server, it makes a fast disk behave as one that is far away, or a
// primary that waits for its standby: SLOW_FSYNC_MICROSECONDS pass before each fsync and fdatasync.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

typedef int (*sync_call)(int);

static void wait_a_while(void) {
    static long microseconds = -1;
    if (microseconds < 0) {
        const char *given = getenv("SLOW_FSYNC_MICROSECONDS");
        microseconds = given ? atol(given) : 0;
    }
    if (microseconds > 0) usleep((useconds_t)microseconds);
}

int fsync(int file) {
    static sync_call real;
    if (!real) real = (sync_call)dlsym(RTLD_NEXT, "fsync");
    wait_a_while();
    return real(file);
}

int fdatasync(int file) {
    static sync_call real;
    if (!real) real = (sync_call)dlsym(RTLD_NEXT, "fdatasync");
    wait_a_while();
    return real(file);
}
