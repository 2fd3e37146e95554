/* The seam's allocators. See seam.h for which of them a build has. */
#include "faults/seam.h"

#include "runtime/sanitizer.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define EXPORTED      __attribute__((visibility("default")))
#define OWN_ALLOCATOR (!RTC_ASAN && !RTC_TSAN)

size_t faults_slowness(void) {
  if (RUNNING_ON_VALGRIND)
    return 40;
  return RTC_TSAN ? 10 : RTC_ASAN ? 4 : 1;
}

bool faults_reach(FaultPoint point) {
  bool foreign = point == FAULT_MEMORY_LIBSRTP || point == FAULT_MEMORY_NSS;
  return !foreign || faults_slowness() == 1;
}

#if OWN_ALLOCATOR

/* -- The program's malloc, which the shared libraries call too -- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static atomic_long live;

bool faults_live_blocks(long *blocks) {
  *blocks = atomic_load(&live);
  return !RUNNING_ON_VALGRIND; /* it puts its own malloc into the place of ours */
}

static void *counted(void *block) {
  if (block)
    atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
  return block;
}

static void *real_malloc(size_t size) {
  return counted(__libc_malloc(size));
}

static void *real_calloc(size_t count, size_t size) {
  return counted(__libc_calloc(count, size));
}

EXPORTED void free(void *block) {
  if (block)
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
  __libc_free(block);
}

static void *real_realloc(void *block, size_t size) {
  if (!block)
    return real_malloc(size);
  if (size > 0)
    return __libc_realloc(block, size);
  free(block);
  return NULL;
}

static bool begins_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/* libsrtp2 2.5's srtp_create calls srtp_dealloc when this one fails, which follows the list that
 * was not made. A host has no way round it but not to run out of memory just there. */
static const char *const crashes[] = {"srtp_stream_list_alloc"};

#define CALLERS_MAX 8

static bool is_crash(void) {
  void *callers[CALLERS_MAX];
  Dl_info info;
  int count = backtrace(callers, CALLERS_MAX);
  for (int i = 0; i < count; i++)
    for (size_t j = 0; j < sizeof crashes / sizeof *crashes; j++)
      if (dladdr(callers[i], &info) && info.dli_sname && strcmp(info.dli_sname, crashes[j]) == 0)
        return true;
  return false;
}

/* Only what was said to be swept fails: libc, the dynamic linker (which ends the process when it
 * can't have a thread's variables) and GLib (which does so on principle) get what they want. */
static bool fails_for(const void *caller) {
  Dl_info info;
  const char *name;
  if (!dladdr(caller, &info) || !info.dli_fname)
    return false;
  name = strrchr(info.dli_fname, '/');
  name = name ? name + 1 : info.dli_fname;
  if (begins_with(name, "libsrtp2"))
    return faults_watch(FAULT_MEMORY_LIBSRTP) && !is_crash() && faults_take(FAULT_MEMORY_LIBSRTP);
  if (begins_with(name, "libnss") || begins_with(name, "libnspr") ||
      begins_with(name, "libsoftokn") || begins_with(name, "libfreebl"))
    return faults_watch(FAULT_MEMORY_NSS) && faults_take(FAULT_MEMORY_NSS);
  return false;
}

/* A nested call, of dladdr's own, must not come back here. */
static bool foreign_fails(const void *caller) {
  static _Thread_local bool inside;
  if (inside || !(faults_watch(FAULT_MEMORY_LIBSRTP) || faults_watch(FAULT_MEMORY_NSS)))
    return false;
  inside = true;
  bool fails = fails_for(caller);
  inside = false;
  return fails;
}

static void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

EXPORTED void *malloc(size_t size) {
  return foreign_fails(__builtin_return_address(0)) ? no_memory() : real_malloc(size);
}

EXPORTED void *calloc(size_t count, size_t size) {
  return foreign_fails(__builtin_return_address(0)) ? no_memory() : real_calloc(count, size);
}

EXPORTED void *realloc(void *block, size_t size) {
  return foreign_fails(__builtin_return_address(0)) ? no_memory() : real_realloc(block, size);
}

EXPORTED void *memalign(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}

EXPORTED int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = counted(__libc_memalign(alignment, size));
  return *block ? 0 : ENOMEM;
}

#else

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);

#define real_malloc  __real_malloc
#define real_calloc  __real_calloc
#define real_realloc __real_realloc

bool faults_live_blocks(long *blocks) {
  *blocks = 0;
  return false;
}

static void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

#endif

/* -- The program's own objects: the library, and the tests on other threads -- */

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) {
  return faults_take(FAULT_MEMORY) ? no_memory() : real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return faults_take(FAULT_MEMORY) ? no_memory() : real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
  return faults_take(FAULT_MEMORY) ? no_memory() : real_realloc(block, size);
}

char *__wrap_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = __wrap_malloc(size);
  return copy ? memcpy(copy, text, size) : NULL;
}

/* -- libuv -- */

static void *libuv_malloc(size_t size) {
  return faults_take(FAULT_MEMORY_LIBUV) ? no_memory() : real_malloc(size);
}

static void *libuv_calloc(size_t count, size_t size) {
  return faults_take(FAULT_MEMORY_LIBUV) ? no_memory() : real_calloc(count, size);
}

/* libuv 1.44 asks for nothing by realloc but the table of a loop's descriptors, and aborts without:
 * no program that uses it can outlive that one, so it is not made to fail. */
static void *libuv_realloc(void *block, size_t size) {
  return real_realloc(block, size);
}

/* -- OpenSSL -- */

static void *openssl_malloc(size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  return faults_take(FAULT_MEMORY_OPENSSL) ? no_memory() : real_malloc(size);
}

static void *openssl_realloc(void *block, size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  return faults_take(FAULT_MEMORY_OPENSSL) ? no_memory() : real_realloc(block, size);
}

static void openssl_free(void *block, const char *file, int line) {
  (void)file;
  (void)line;
  free(block);
}

/* Before either has allocated anything. */
__attribute__((constructor)) static void take_hooks(void) {
  if (uv_replace_allocator(libuv_malloc, libuv_realloc, libuv_calloc, free) != 0 ||
      !CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
    abort();
}
