/* Maps, guards, measures and pools the stacks of coroutines. */
#include "runtime/stack.h"

#include "runtime/sanitizer.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL /* Linux 6.13; Debian 12's headers are older */
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

enum {
  /* Instrumented frames are several times larger. */
  STACK_SIZE_DEFAULT = RTC_ASAN || RTC_TSAN ? 256 * 1024 : 64 * 1024,
  STACK_SIZE_MIN = 16 * 1024,
  /* The next coroutine needs the top of the stack at once: a pooled stack keeps that much. */
  KEPT_SIZE = 8 * 1024,
  /* 1 MiB of kept pages a worker. */
  POOLED_MAX = 128,
  SLAB_STACKS = 16,    /* mapped with one call: 1 MiB of addresses, no memory */
  RESIDENT_BATCH = 64, /* pages asked for with one call */
};

static size_t round_up(size_t size, size_t unit) {
  return (size + unit - 1) / unit * unit;
}

void rtc_stack_pool_init(RtcStackPool *pool, size_t stack_size) {
  size_t page_size = (size_t)sysconf(_SC_PAGESIZE);

  if (stack_size == 0)
    stack_size = STACK_SIZE_DEFAULT;
  if (stack_size < STACK_SIZE_MIN)
    stack_size = STACK_SIZE_MIN;
  *pool = (RtcStackPool){
      .page_size = page_size,
      .mapping_size = round_up(stack_size, page_size),
      .cheap_guards = true,
  };
}

static size_t kept_size(const RtcStackPool *pool) {
  return round_up(KEPT_SIZE, pool->page_size);
}

/* Of a stack, with its guard [octets] */
static size_t size_of(const RtcStackPool *pool) {
  return pool->page_size + pool->mapping_size;
}

/* A stack, its guard included, begins here. */
static char *base_of(const RtcStackPool *pool, const RtcStack *stack) {
  return (char *)stack->low - pool->page_size;
}

/* A guard by mprotect splits the mapping in two, and a process may have some 65,000 mappings; one
 * by MADV_GUARD_INSTALL is a mark in the page table, and costs none. */
static int install_guard(RtcStackPool *pool, void *base) {
  if (pool->cheap_guards && madvise(base, pool->page_size, MADV_GUARD_INSTALL) == 0)
    return 0;
  pool->cheap_guards = false;
  return mprotect(base, pool->page_size, PROT_NONE);
}

/* Room for several stacks: a system call each would be as dear as the rest of a coroutine. */
static bool map_slab(RtcStackPool *pool) {
  size_t size = SLAB_STACKS * size_of(pool);
  char *slab = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

  if (slab == MAP_FAILED)
    return false;
  /* One touched page of a stack must not become a huge one. A kernel without huge pages refuses,
   * which is as good. */
  (void)madvise(slab, size, MADV_NOHUGEPAGE);
  pool->unused = slab;
  pool->unused_size = size;
  return true;
}

static void unmap_unused(RtcStackPool *pool) {
  if (pool->unused)
    munmap(pool->unused, pool->unused_size);
  pool->unused = NULL;
  pool->unused_size = 0;
}

static RtcStack *new_stack(RtcStackPool *pool) {
  if (!pool->unused && !map_slab(pool))
    return NULL;
  char *base = pool->unused;
  size_t total = size_of(pool);
  if (install_guard(pool, base) != 0)
    return NULL;
  pool->unused_size -= total;
  pool->unused = pool->unused_size > 0 ? base + total : NULL;

  /* One call instead of a fault for each page, of which a virtual machine makes much. An old kernel
   * refuses, and they come when they are touched. */
  size_t kept = kept_size(pool);
  (void)madvise(base + total - kept, kept, MADV_POPULATE_WRITE);

  size_t size = pool->mapping_size - round_up(sizeof(RtcStack), 64);
  RtcStack *stack = (RtcStack *)(void *)(base + pool->page_size + size);
  stack->low = base + pool->page_size;
  stack->size = size;
  stack->sanitizer_id = rtc_sanitizer_stack_mapped(stack->low, size, pool->page_size);
  return stack;
}

static void unmap_stack(RtcStackPool *pool, RtcStack *stack) {
  rtc_sanitizer_stack_unmapped(stack->sanitizer_id);
  munmap(base_of(pool, stack), size_of(pool));
}

void rtc_stack_pool_finish(RtcStackPool *pool) {
  while (pool->first) {
    RtcStack *stack = pool->first;
    pool->first = stack->next;
    unmap_stack(pool, stack);
  }
  pool->pooled = 0;
  unmap_unused(pool);
}

RtcError rtc_stack_pool_take(RtcStackPool *pool, RtcStack **stack) {
  RtcStack *taken = pool->first;

  if (taken) {
    pool->first = taken->next;
    pool->pooled--;
  } else {
    taken = new_stack(pool);
    if (!taken)
      return RTC_ERROR_NO_MEMORY;
  }
  taken->next = NULL;
  rtc_sanitizer_stack_taken(taken->low, taken->size);
  *stack = taken;
  return RTC_OK;
}

/* The lowest page that is in memory: those below were never touched, or were given back. */
static char *lowest_resident_page(const RtcStackPool *pool, const RtcStack *stack) {
  char *end = (char *)stack->low + pool->mapping_size;
  unsigned char resident[RESIDENT_BATCH];

  for (char *at = stack->low; at < end; at += RESIDENT_BATCH * pool->page_size) {
    size_t left = (size_t)(end - at) / pool->page_size;
    size_t pages = left < RESIDENT_BATCH ? left : RESIDENT_BATCH;
    if (mincore(at, pages * pool->page_size, resident) != 0)
      break;
    for (size_t i = 0; i < pages; i++) {
      if (resident[i] & 1)
        return at + i * pool->page_size;
    }
  }
  return end - pool->page_size; /* the one with our RtcStack */
}

/* How deep the stack was used: pages come zeroed, so the lowest octet that is not zero tells. */
static size_t depth_of(const RtcStack *stack, const char *lowest_page) {
  const char *top = (const char *)stack->low + stack->size;
  const uint64_t *word = (const uint64_t *)(const void *)lowest_page;

  while ((const char *)word < top && *word == 0)
    word++;
  return (size_t)(top - (const char *)word);
}

void rtc_stack_pool_give(RtcStackPool *pool, RtcStack *stack) {
  rtc_sanitizer_stack_given(stack->low, stack->size);
  char *lowest = lowest_resident_page(pool, stack);
  size_t depth = depth_of(stack, lowest);
  if (depth > pool->high_water)
    pool->high_water = depth;
  if (pool->pooled >= POOLED_MAX) {
    unmap_stack(pool, stack);
    return;
  }

  size_t kept = kept_size(pool);
  char *keep_from = (char *)stack->low + pool->mapping_size - kept;
  if (kept < pool->mapping_size && lowest < keep_from)
    (void)madvise(stack->low, (size_t)(keep_from - (char *)stack->low), MADV_DONTNEED);
  stack->next = pool->first;
  pool->first = stack;
  pool->pooled++;
}
