/* Preloaded into a program: says at a socket what it is about to do to a file below a folder, and waits for the answer.
 *
 * WATCH_FOLDER is the folder, WATCH_SOCKET the path of the Unix socket. A process that gets no answer goes on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST_FILES 65536
static char watched[MOST_FILES];

static void report(const char *operation, const char *path) {
    const char *folder = getenv("WATCH_FOLDER"), *place = getenv("WATCH_SOCKET");
    if (!folder || !place || !path) return;
    if (strncmp(path, folder, strlen(folder)) != 0) return;
    int line = syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (line < 0) return;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, place, sizeof address.sun_path - 1);
    char text[PATH_MAX + 32], answer;
    int length = snprintf(text, sizeof text, "%s %s\n", operation, path);
    if (syscall(SYS_connect, line, &address, sizeof address) == 0 && syscall(SYS_write, line, text, length) == length)
        while (syscall(SYS_read, line, &answer, 1) < 0) continue;
    syscall(SYS_close, line);
}

static const char *whole(int at, const char *path, char *room) {
    char link[64];
    if (path[0] == '/' || at < 0) return path;
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t length = readlink(link, room, PATH_MAX - 1);
    if (length < 0) return path;
    snprintf(room + length, PATH_MAX - length, "/%s", path);
    return room;
}

static int is_inside(const char *path) {
    const char *folder = getenv("WATCH_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int opened(int file, const char *path, int flags) {
    if (file >= 0 && file < MOST_FILES) watched[file] = (flags & O_ACCMODE) != O_RDONLY && is_inside(path);
    return file;
}

#define OPEN(name)                                                                            \
    int name(const char *path, int flags, ...) {                                              \
        va_list rest;                                                                         \
        va_start(rest, flags);                                                                \
        int mode = va_arg(rest, int);                                                         \
        va_end(rest);                                                                         \
        if (flags & (O_CREAT | O_TRUNC)) report("create", path);                                \
        int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);                        \
        return opened(next(path, flags, mode), path, flags);                                  \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                          \
    int name(int at, const char *path, int flags, ...) {                                      \
        char room[PATH_MAX];                                                                  \
        va_list rest;                                                                         \
        va_start(rest, flags);                                                                \
        int mode = va_arg(rest, int);                                                         \
        va_end(rest);                                                                         \
        const char *full = whole(at, path, room);                                             \
        if (flags & (O_CREAT | O_TRUNC)) report("create", full);                                \
        int (*next)(int, const char *, int, ...) = dlsym(RTLD_NEXT, #name);                   \
        return opened(next(at, path, flags, mode), full, flags);                              \
    }
OPENAT(openat)
OPENAT(openat64)

static void writing(int file) {
    char link[64], path[PATH_MAX];
    if (file < 0 || file >= MOST_FILES || !watched[file]) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    report("write", path);
}

ssize_t write(int file, const void *content, size_t length) {
    writing(file);
    return syscall(SYS_write, file, content, length);
}
ssize_t pwrite64(int file, const void *content, size_t length, off64_t at) {
    writing(file);
    return syscall(SYS_pwrite64, file, content, length, at);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    writing(file);
    return syscall(SYS_writev, file, parts, count);
}
int close(int file) {
    if (file >= 0 && file < MOST_FILES) watched[file] = 0;
    return syscall(SYS_close, file) < 0 ? -1 : 0;
}

#define ONE_PATH(name, kinds, ...)                                                            \
    int name kinds {                                                                          \
        report(#name, path);                                                                    \
        int(*next) kinds = dlsym(RTLD_NEXT, #name);                                           \
        return next(__VA_ARGS__);                                                             \
    }
ONE_PATH(unlink, (const char *path), path)
ONE_PATH(rmdir, (const char *path), path)
ONE_PATH(mkdir, (const char *path, mode_t mode), path, mode)
ONE_PATH(rename, (const char *path, const char *onto), path, onto)
ONE_PATH(link, (const char *path, const char *onto), path, onto)
ONE_PATH(remove, (const char *path), path)

int unlinkat(int at, const char *path, int flags) {
    char room[PATH_MAX];
    report("unlink", whole(at, path, room));
    int (*next)(int, const char *, int) = dlsym(RTLD_NEXT, "unlinkat");
    return next(at, path, flags);
}
int renameat(int at, const char *path, int onto_at, const char *onto) {
    char room[PATH_MAX];
    report("rename", whole(at, path, room));
    int (*next)(int, const char *, int, const char *) = dlsym(RTLD_NEXT, "renameat");
    return next(at, path, onto_at, onto);
}
