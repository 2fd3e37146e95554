/* A pool of memory blocks: a free list for each power of two. */
#include "runtime/block_pool.h"

#include "runtime/sanitizer.h"

#include <assert.h>
#include <stdlib.h>

typedef struct RtcFreeBlock {
  struct RtcFreeBlock *next; /* owned */
} RtcFreeBlock;

_Static_assert(RTC_BLOCK_LEN_MIN << (RTC_BLOCK_CLASSES - 1) == RTC_BLOCK_LEN_MAX,
               "a class for each power of two");

void rtc_block_pool_init(RtcBlockPool *pool, void (*on_kept)(void *arg), void *arg) {
  *pool = (RtcBlockPool){.on_kept = on_kept, .arg = arg};
}

static size_t len_of(size_t class) {
  return RTC_BLOCK_LEN_MIN << class;
}

static size_t class_of(size_t len) {
  size_t class = 0;
  while (len_of(class) < len)
    class ++;
  return class;
}

static void *pop(RtcBlockPool *pool, size_t class) {
  RtcBlockClass *blocks = &pool->classes[class];
  RtcFreeBlock *block = blocks->free;
  blocks->free = block->next;
  blocks->free_count--;
  if (blocks->free_count < blocks->idle_count)
    blocks->idle_count = blocks->free_count;
  pool->kept_octets -= len_of(class);
  rtc_sanitizer_block_lent(block + 1, len_of(class) - sizeof *block);
  return block;
}

void *rtc_block_pool_take(RtcBlockPool *pool, size_t len) {
  bool kept = len <= RTC_BLOCK_LEN_MAX;
  size_t class = kept ? class_of(len) : 0;
  size_t block_len = kept ? len_of(class) : len;
  void *block = NULL;
  if (kept && pool->classes[class].free) {
    block = pop(pool, class);
  } else {
    block = malloc(block_len);
    pool->made += block != NULL;
  }
  if (block)
    pool->lent_octets += block_len;
  return block;
}

void rtc_block_pool_give(RtcBlockPool *pool, void *given, size_t len) {
  if (!given)
    return;
  if (len > RTC_BLOCK_LEN_MAX) {
    pool->lent_octets -= len;
    free(given);
    return;
  }
  size_t class = class_of(len);
  RtcBlockClass *blocks = &pool->classes[class];
  RtcFreeBlock *block = given;
  block->next = blocks->free;
  rtc_sanitizer_block_kept(block + 1, len_of(class) - sizeof *block);
  blocks->free = block;
  blocks->free_count++;
  pool->lent_octets -= len_of(class);
  pool->kept_octets += len_of(class);
  if (pool->kept_octets == len_of(class) && pool->on_kept)
    pool->on_kept(pool->arg);
}

bool rtc_block_pool_trim(RtcBlockPool *pool) {
  for (size_t class = 0; class < RTC_BLOCK_CLASSES; class ++) {
    RtcBlockClass *blocks = &pool->classes[class];
    for (size_t surplus = blocks->idle_count; surplus > 0; surplus--)
      free(pop(pool, class));
    blocks->idle_count = blocks->free_count;
  }
  return pool->kept_octets > 0;
}

void rtc_block_pool_finish(RtcBlockPool *pool) {
  assert(pool->lent_octets == 0);
  for (size_t class = 0; class < RTC_BLOCK_CLASSES; class ++)
    while (pool->classes[class].free)
      free(pop(pool, class));
  rtc_block_pool_init(pool, pool->on_kept, pool->arg);
}
