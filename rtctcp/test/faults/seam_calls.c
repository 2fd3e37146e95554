/* The seam's system calls. */
#include "faults/seam.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL /* Debian 12's headers are older */
#define MADV_GUARD_INSTALL 102
#endif

#define EXPORTED __attribute__((visibility("default")))

static bool fails(FaultPoint point) {
  int error = faults_take(point);
  if (error > 0)
    errno = error;
  return error > 0;
}

/* -- What the library asks itself: the linker's --wrap leads here -- */

/* A call that fails with -1 and errno. */
#define WRAP(point, name, parameters, ...)                                                         \
  int __real_##name parameters;                                                                    \
  int __wrap_##name parameters;                                                                    \
  int __wrap_##name parameters {                                                                   \
    return fails(FAULT_##point) ? -1 : __real_##name(__VA_ARGS__);                                 \
  }

WRAP(SHUTDOWN, shutdown, (int fd, int how), fd, how)
WRAP(SETSOCKOPT, setsockopt, (int fd, int level, int name, const void *value, socklen_t len), fd,
     level, name, value, len)
WRAP(SOCKET, socket, (int domain, int type, int protocol), domain, type, protocol)
WRAP(BIND, bind, (int fd, const struct sockaddr *address, socklen_t len), fd, address, len)
WRAP(LISTEN, listen, (int fd, int backlog), fd, backlog)
WRAP(GETSOCKNAME, getsockname, (int fd, struct sockaddr *address, socklen_t *len), fd, address, len)
WRAP(MPROTECT, mprotect, (void *at, size_t len, int protection), at, len, protection)
WRAP(MINCORE, mincore, (void *at, size_t len, unsigned char *resident), at, len, resident)

/* Where mprotect is to fail, the kernel is one before Linux 6.13, whose only guards are mprotect's.
 */
int __real_madvise(void *at, size_t len, int advice);
int __wrap_madvise(void *at, size_t len, int advice);
int __wrap_madvise(void *at, size_t len, int advice) {
  if (advice == MADV_GUARD_INSTALL && faults_watch(FAULT_MPROTECT)) {
    errno = EINVAL;
    return -1;
  }
  return fails(FAULT_MADVISE) ? -1 : __real_madvise(at, len, advice);
}

/* accept(2): an error of the new conn itself comes with the conn, and takes it away. */
static bool is_of_the_conn(int error) {
  return error == ECONNABORTED || error == EPERM || error == EPROTO;
}

int __real_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) {
  if (!fails(FAULT_ACCEPT))
    return __real_accept4(fd, address, len, flags);
  int error = errno;
  if (is_of_the_conn(error)) {
    int aborted = __real_accept4(fd, address, len, flags);
    if (aborted >= 0)
      close(aborted);
  }
  errno = error;
  return -1;
}

ssize_t __real_recv(int fd, void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t len, int flags) {
  int error = faults_take(FAULT_RECV);
  if (error == FAULT_PARTIAL)
    return __real_recv(fd, data, len > 0 ? 1 : 0, flags);
  errno = error;
  return error ? -1 : __real_recv(fd, data, len, flags);
}

ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags) {
  int error = faults_take(FAULT_SEND);
  if (error == FAULT_PARTIAL)
    return __real_send(fd, data, len > 0 ? 1 : 0, flags);
  errno = error;
  return error ? -1 : __real_send(fd, data, len, flags);
}

/* close(2): the descriptor is gone, whatever it says. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
  int result = __real_close(fd);
  return fails(FAULT_CLOSE) ? -1 : result;
}

void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset) {
  return fails(FAULT_MMAP) ? MAP_FAILED : __real_mmap(at, len, protection, flags, fd, offset);
}

ssize_t __real_getrandom(void *octets, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *octets, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *octets, size_t len, unsigned flags) {
  return fails(FAULT_GETRANDOM) ? -1 : __real_getrandom(octets, len, flags);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg) {
  int error = faults_take(FAULT_PTHREAD_CREATE);
  return error ? error : __real_pthread_create(thread, attributes, fn, arg);
}

/* -- What libuv asks: the program's functions come before libc's -- */

/* The next function of this name, looked up once; any thread may be the first. */
#define NEXT(name)                                                                                 \
  static __typeof__(&name) next;                                                                   \
  if (!__atomic_load_n(&next, __ATOMIC_ACQUIRE))                                                   \
  __atomic_store_n(&next, (__typeof__(&name))dlsym(RTLD_NEXT, #name), __ATOMIC_RELEASE)

EXPORTED int epoll_create1(int flags) {
  NEXT(epoll_create1);
  return fails(FAULT_EPOLL_CREATE) ? -1 : next(flags);
}

/* libuv takes a descriptor on trial when it is given one, and tells when the kernel refuses; what
 * it refuses later, as the loop goes to sleep, libuv aborts on. ENOSPC and ENOMEM of the kernel are
 * of the first kind in nearly all cases, and the trial (data.fd is -1) is what can be failed. */
EXPORTED int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  NEXT(epoll_ctl);
  bool trial = operation == EPOLL_CTL_ADD && event && event->data.fd == -1;
  return trial && fails(FAULT_EPOLL_CTL) ? -1 : next(epoll, operation, fd, event);
}

/* libuv aborts on any error but EINTR, as it should: the others tell of a bug. */
EXPORTED int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout) {
  NEXT(epoll_wait);
  return fails(FAULT_EPOLL_WAIT) ? -1 : next(epoll, events, max, timeout);
}

/* Also: write and read of libuv's eventfd are left alone. It aborts on what is neither EAGAIN nor
 * EINTR, and goes on with those by itself. */
