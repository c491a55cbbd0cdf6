/* Lets writes or syncs of files below $FAULT_DIR fail with EIO while the file $FAULT_SWITCH is there: with "sync" in it,
 * syncs fail, and what they should have synced has been written; with "write", writes fail and write nothing; with "torn",
 * writes write their first half and fail. Loaded in front of the C library by LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the switch says: its first letter, or 0. Raw system calls, so that nothing here comes back here. */
static char fault(int fd) {
    const char *directory = getenv("FAULT_DIR"), *name = getenv("FAULT_SWITCH");
    char link[64], path[4096], letter = 0;
    if (!directory || !name) return 0;
    int switched = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (switched < 0) return 0;
    if (syscall(SYS_read, switched, &letter, 1) != 1) letter = 0;
    syscall(SYS_close, switched);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, directory, strlen(directory)) == 0 ? letter : 0;
}

static ssize_t fail(void) {
    errno = EIO;
    return -1;
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return fault(fd) == 's' ? (int)fail() : REAL(fsync)(fd); }
int fdatasync(int fd) { return fault(fd) == 's' ? (int)fail() : REAL(fdatasync)(fd); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    switch (fault(fd)) {
    case 't':
        REAL(pwrite64)(fd, bytes, count / 2, at);
        /* fall through */
    case 'w':
        return fail();
    }
    return REAL(pwrite64)(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }
