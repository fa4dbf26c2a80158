/*
 * Loaded into the server (LD_PRELOAD): writes down what it does to the files below DISK_ROOT, in the order in which it may
 * rely on it, and lets it fail when it is told to. From the record disk.ts knows what a power cut would have left.
 *
 * DISK_LOG      where the record goes, outside of DISK_ROOT
 * DISK_CONTROL  a file with one `struct control`, which disk-faults.ts writes while the server runs
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, CLOSE, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, SYNC_FAILED, UNLINK, RENAME, MKDIR, RMDIR };

struct record {
  uint32_t magic;
  uint32_t what;
  int32_t pid;
  int32_t fd;
  int64_t at; /* offset, length of the file, flags of open, number of the sync */
  uint64_t bytes; /* that follow: what was written, or a path */
};

/* Kept the same in disk-faults.ts. */
struct control {
  volatile int32_t write_errno; /* of write, ftruncate, open for writing, mkdir, unlink; 0: none */
  volatile int32_t sync_errno;
  volatile int32_t failures; /* still to come; -1: until told otherwise */
  volatile int32_t failed; /* how often it was done */
  volatile int32_t delay_us; /* before each write and each sync */
  volatile int32_t clock_shift_s;
  volatile int32_t room_bytes; /* left on the disk; -1: enough */
};

#define MAGIC 0x57495431u
#define FDS_MAX 65536

static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;
static struct control none = { 0, 0, 0, 0, 0, 0, -1 };
static struct control *control = &none;
static unsigned char watched[FDS_MAX];
static int64_t syncs;

#define REAL(name) ({                                                \
    static __typeof__(&name) real;                                   \
    if (real == NULL) real = (__typeof__(&name)) dlsym(RTLD_NEXT, #name); \
    real;                                                            \
  })

__attribute__((constructor)) static void begin(void) {
  const char *root_name = getenv("DISK_ROOT"), *log_name = getenv("DISK_LOG"), *control_name = getenv("DISK_CONTROL");
  if (control_name != NULL) {
    int fd = syscall(SYS_openat, AT_FDCWD, control_name, O_RDWR | O_CLOEXEC);
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) abort();
    control = mapped;
  }
  if (root_name == NULL || log_name == NULL) return;
  snprintf(root, sizeof root, "%s", root_name);
  root_length = strlen(root);
  log_fd = syscall(SYS_openat, AT_FDCWD, log_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) abort();
}

/* One call of the kernel for a whole record: whoever is killed leaves it whole or cuts the last one off. */
static void note(uint32_t what, int fd, int64_t at, const struct iovec *data, int count, uint64_t bytes) {
  if (log_fd < 0) return;
  int before = errno;
  struct record head = { MAGIC, what, getpid(), fd, at, bytes };
  struct iovec all[IOV_MAX];
  all[0] = (struct iovec) { &head, sizeof head };
  int used = 1;
  for (uint64_t left = bytes; left > 0 && count > 0 && used < IOV_MAX; data++, count--, used++) {
    all[used] = *data;
    if (all[used].iov_len > left) all[used].iov_len = left;
    left -= all[used].iov_len;
  }
  if (syscall(SYS_writev, log_fd, all, used) != (ssize_t) (sizeof head + bytes)) abort();
  errno = before;
}

static void note_path(uint32_t what, int fd, int64_t at, const char *path) {
  struct iovec one = { (void *) path, strlen(path) };
  note(what, fd, at, &one, 1, one.iov_len);
}

static int below_root(const char *path) {
  return root_length > 0 && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static int is_watched(int fd) {
  return fd >= 0 && fd < FDS_MAX && watched[fd];
}

static int take_failure(int32_t code) {
  if (code == 0) return 0;
  int32_t left = control->failures;
  while (left > 0 && !__sync_bool_compare_and_swap(&control->failures, left, left - 1)) left = control->failures;
  if (left == 0) return 0;
  __sync_fetch_and_add(&control->failed, 1);
  errno = code;
  return 1;
}

static void be_slow(void) {
  if (control->delay_us > 0) usleep(control->delay_us);
}

/* How much of so much can be written: on a full disk less, at last nothing. */
static int64_t room_for(int64_t bytes) {
  int32_t room = control->room_bytes;
  if (room < 0) return bytes;
  int64_t fits = bytes < room ? bytes : room;
  __sync_fetch_and_sub(&control->room_bytes, (int32_t) fits);
  if (fits < bytes) __sync_fetch_and_add(&control->failed, 1);
  return fits;
}

static int opened(int fd, const char *path, int flags) {
  if (fd < 0 || fd >= FDS_MAX || !below_root(path)) return fd;
  watched[fd] = 1;
  note_path(OPEN, fd, flags, path);
  return fd;
}

static int may_open(const char *path, int flags) {
  return !below_root(path) || (flags & O_CREAT) == 0 || !take_failure(control->write_errno);
}

#define OPENS(name)                                                  \
  int name(const char *path, int flags, ...) {                       \
    va_list rest;                                                    \
    va_start(rest, flags);                                           \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                    \
    if (!may_open(path, flags)) return -1;                           \
    return opened(REAL(name)(path, flags, mode), path, flags);       \
  }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                               \
  int name(int folder, const char *path, int flags, ...) {           \
    va_list rest;                                                    \
    va_start(rest, flags);                                           \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                    \
    if (!may_open(path, flags)) return -1;                           \
    return opened(REAL(name)(folder, path, flags, mode), path, flags); \
  }
OPENS_AT(openat)
OPENS_AT(openat64)

/* Noted before it is done: from then on another thread may get the same number. */
static void closes(int fd) {
  if (!is_watched(fd)) return;
  watched[fd] = 0;
  note(CLOSE, fd, 0, NULL, 0, 0);
}

int close(int fd) {
  closes(fd);
  return REAL(close)(fd);
}

/* libuv closes files so. */
long syscall(long number, ...) {
  va_list rest;
  va_start(rest, number);
  long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
  long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_close) closes(a);
  return REAL(syscall)(number, a, b, c, d, e, f);
}

static ssize_t written(int fd, const struct iovec *data, int count, int64_t at, ssize_t (*write_now)(int, const struct iovec *, int, int64_t)) {
  if (!is_watched(fd)) return write_now(fd, data, count, at);
  be_slow();
  if (take_failure(control->write_errno)) return -1;
  int64_t wanted = 0;
  for (int i = 0; i < count; i++) wanted += data[i].iov_len;
  int64_t fits = room_for(wanted);
  struct iovec part[IOV_MAX];
  int parts = 0;
  for (int64_t left = fits; left > 0 && parts < count; parts++) {
    part[parts] = data[parts];
    if ((int64_t) part[parts].iov_len > left) part[parts].iov_len = left;
    left -= part[parts].iov_len;
  }
  if (fits == 0 && wanted > 0) {
    errno = ENOSPC;
    return -1;
  }
  ssize_t done = write_now(fd, part, parts, at);
  if (done > 0) note(WRITE, fd, at >= 0 ? at : lseek(fd, 0, SEEK_CUR) - done, part, parts, done);
  return done;
}

static ssize_t write_here(int fd, const struct iovec *data, int count, int64_t at) {
  (void) at;
  return syscall(SYS_writev, fd, data, count);
}

static ssize_t write_there(int fd, const struct iovec *data, int count, int64_t at) {
  return syscall(SYS_pwritev, fd, data, count, (unsigned long) at, 0ul);
}

ssize_t write(int fd, const void *data, size_t bytes) {
  if (!is_watched(fd)) return REAL(write)(fd, data, bytes);
  struct iovec one = { (void *) data, bytes };
  return written(fd, &one, 1, -1, write_here);
}

ssize_t writev(int fd, const struct iovec *data, int count) {
  return written(fd, data, count, -1, write_here);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at) {
  struct iovec one = { (void *) data, bytes };
  return written(fd, &one, 1, at, write_there);
}

ssize_t pwritev(int fd, const struct iovec *data, int count, off_t at) {
  return written(fd, data, count, at, write_there);
}

int ftruncate64(int fd, off64_t length) {
  if (!is_watched(fd)) return REAL(ftruncate64)(fd, length);
  if (take_failure(control->write_errno)) return -1;
  int result = REAL(ftruncate64)(fd, length);
  if (result == 0) note(TRUNCATE, fd, length, NULL, 0, 0);
  return result;
}

static int synced(int fd, int (*sync_now)(int)) {
  if (!is_watched(fd)) return sync_now(fd);
  int64_t number = __sync_add_and_fetch(&syncs, 1);
  be_slow();
  note(SYNC_BEGIN, fd, number, NULL, 0, 0);
  if (take_failure(control->sync_errno)) {
    int code = errno;
    note(SYNC_FAILED, fd, number, NULL, 0, 0);
    errno = code;
    return -1;
  }
  /* What is durable is what the record says: the machine's own disk need not be waited for. */
  note(SYNC_END, fd, number, NULL, 0, 0);
  return 0;
}

int fsync(int fd) {
  return synced(fd, REAL(fsync));
}

int fdatasync(int fd) {
  return synced(fd, REAL(fdatasync));
}

static int changed(int result, uint32_t what, const char *path) {
  if (result == 0 && below_root(path)) note_path(what, -1, 0, path);
  return result;
}

int unlink(const char *path) {
  if (below_root(path) && take_failure(control->write_errno)) return -1;
  return changed(REAL(unlink)(path), UNLINK, path);
}

int unlinkat(int folder, const char *path, int flags) {
  return changed(REAL(unlinkat)(folder, path, flags), flags & AT_REMOVEDIR ? RMDIR : UNLINK, path);
}

int rmdir(const char *path) {
  return changed(REAL(rmdir)(path), RMDIR, path);
}

int mkdir(const char *path, mode_t mode) {
  if (below_root(path) && take_failure(control->write_errno)) return -1;
  return changed(REAL(mkdir)(path, mode), MKDIR, path);
}

int rename(const char *from, const char *to) {
  int result = REAL(rename)(from, to);
  if (result == 0 && below_root(from)) {
    struct iovec both[3] = { { (void *) from, strlen(from) + 1 }, { (void *) to, strlen(to) } };
    note(RENAME, -1, 0, both, 2, both[0].iov_len + both[1].iov_len);
  }
  return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += control->clock_shift_s;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec precise;
  (void) zone;
  if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *where) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (where != NULL) *where = precise.tv_sec;
  return precise.tv_sec;
}
