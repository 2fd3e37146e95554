/* The seam: what the library, and what it is built on, asks of the allocator and of the system is
 * counted, and fails when a test wants it to.
 *
 * It lies in the linker's hands, not in the library: --wrap turns the calls of the program's own
 * objects here; libuv and OpenSSL have hooks for their allocators; what shared libraries ask of
 * malloc is caught by a malloc of the program itself. That last one is for plain builds only: a
 * sanitizer and Valgrind have their own, so that libsrtp2 and NSS are out of reach there.
 *
 * Thread: a plan is of the thread that arms it, and no other thread's calls are counted. */
#ifndef RTC_TEST_FAULTS_SEAM_H
#define RTC_TEST_FAULTS_SEAM_H

#include <stdbool.h>
#include <stddef.h>

#define FAULT_POINT_MAP(X)                                                                         \
  X(MEMORY, "allocations of the library")                                                          \
  X(MEMORY_LIBUV, "allocations of libuv")                                                          \
  X(MEMORY_OPENSSL, "allocations of OpenSSL")                                                      \
  X(MEMORY_LIBSRTP, "allocations of libsrtp2")                                                     \
  X(MEMORY_NSS, "allocations of NSS")                                                              \
  X(ACCEPT, "accept4")                                                                             \
  X(RECV, "recv")                                                                                  \
  X(SEND, "send")                                                                                  \
  X(SHUTDOWN, "shutdown")                                                                          \
  X(SETSOCKOPT, "setsockopt")                                                                      \
  X(SOCKET, "socket")                                                                              \
  X(BIND, "bind")                                                                                  \
  X(LISTEN, "listen")                                                                              \
  X(GETSOCKNAME, "getsockname")                                                                    \
  X(CLOSE, "close")                                                                                \
  X(MMAP, "mmap")                                                                                  \
  X(MPROTECT, "mprotect")                                                                          \
  X(MADVISE, "madvise")                                                                            \
  X(MINCORE, "mincore")                                                                            \
  X(GETRANDOM, "getrandom")                                                                        \
  X(PTHREAD_CREATE, "pthread_create")                                                              \
  X(EPOLL_CREATE, "epoll_create1")                                                                 \
  X(EPOLL_CTL, "epoll_ctl")                                                                        \
  X(EPOLL_WAIT, "epoll_wait")

typedef enum FaultPoint {
#define FAULT_POINT_ENUM(name, text) FAULT_##name,
  FAULT_POINT_MAP(FAULT_POINT_ENUM)
#undef FAULT_POINT_ENUM
      FAULT_POINT_COUNT
} FaultPoint;

#define FAULT_FOR_EVER ((size_t)-1)
/* Instead of an errno: the call does less than it was asked for. send takes one octet. */
#define FAULT_PARTIAL (-1)

typedef struct FaultPlan {
  FaultPoint point;
  size_t first; /* the first call that fails, counted from 1; 0: none, they are counted only */
  size_t times; /* so many calls fail, one after another; 0: as 1 */
  int error;    /* errno, or FAULT_PARTIAL; an allocation's is always ENOMEM */
} FaultPlan;

typedef struct FaultCount {
  size_t calls; /* while the plan was armed */
  size_t hits;  /* of these, that failed */
} FaultCount;

/* Calls of this thread are counted, and fail as planned, until it disarms. */
void faults_arm(const FaultPlan *plan);
FaultCount faults_disarm(void);
FaultCount faults_count(void); /* so far */

/* Can it be made to fail in this build? */
bool faults_reach(FaultPoint point);
const char *faults_name(FaultPoint point);

/* About how many times as long as in a plain build a life takes under this one's sanitizer or
 * Valgrind: a good stride for the calls of which there are thousands. */
size_t faults_slowness(void);

/* Blocks that the process has allocated and not freed. false: this build can't tell, but has a leak
 * check of its own at the end. */
bool faults_live_blocks(long *blocks);

/* -- For the seam's own files -- */

/* Is this thread's plan for this point? */
bool faults_watch(FaultPoint point);
/* Counts a call. returns errno if it is to fail, FAULT_PARTIAL, or 0. */
int faults_take(FaultPoint point);

#endif
