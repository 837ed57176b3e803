/* Stands between the store and the system: writes to the store's file are delayed or refused while a page that is shared
   with the campaign says so. Only what writes to files at a place, or waits for the disk, is stood between; links and
   sockets are not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* delay in microseconds, whether to refuse, delays made, refusals made */
static volatile uint32_t *page;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TALLY_TEST_TORTURE_PAGE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *found = mmap(0, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (found != MAP_FAILED)
        page = found;
}

static int refused(void) {
    if (!page)
        return 0;
    if (page[0]) {
        struct timespec wait = {0, (long)page[0] * 1000};
        __atomic_fetch_add(&page[2], 1, __ATOMIC_RELAXED);
        nanosleep(&wait, 0);
    }
    if (!page[1])
        return 0;
    __atomic_fetch_add(&page[3], 1, __ATOMIC_RELAXED);
    errno = ENOSPC;
    return 1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (!next)
        next = dlsym(RTLD_NEXT, "pwrite64");
    return refused() ? -1 : next(fd, bytes, count, at);
}

int fdatasync(int fd) {
    static int (*next)(int);
    if (!next)
        next = dlsym(RTLD_NEXT, "fdatasync");
    return refused() ? -1 : next(fd);
}

int fsync(int fd) {
    static int (*next)(int);
    if (!next)
        next = dlsym(RTLD_NEXT, "fsync");
    return refused() ? -1 : next(fd);
}

int ftruncate64(int fd, off64_t length) {
    static int (*next)(int, off64_t);
    if (!next)
        next = dlsym(RTLD_NEXT, "ftruncate64");
    return refused() ? -1 : next(fd, length);
}
