/* A pool of memory blocks for what lives for a turn or two: queues that fill and empty again, and
 * what a socket did not take. A steady load takes and gives the same blocks, and asks malloc for
 * nothing; who is idle holds none.
 *
 * Thread: its owner's. */
#ifndef RTC_RUNTIME_BLOCK_POOL_H
#define RTC_RUNTIME_BLOCK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lengths are rounded up to a power of two between these [octets]; what is longer is never kept. */
#define RTC_BLOCK_LEN_MIN ((size_t)256)
#define RTC_BLOCK_LEN_MAX ((size_t)64 * 1024)
#define RTC_BLOCK_CLASSES 9

typedef struct RtcBlockClass {
  struct RtcFreeBlock *free; /* owned: a list, the last one given first */
  size_t free_count;
  size_t idle_count; /* the least that free_count was since the last trim: so many nobody needed */
} RtcBlockClass;

typedef struct RtcBlockPool {
  RtcBlockClass classes[RTC_BLOCK_CLASSES];
  size_t lent_octets;
  size_t kept_octets; /* free, for the next one who takes */
  uint64_t made;      /* blocks that came from malloc */
  void (*on_kept)(void *arg);
  void *arg; /* borrowed: on_kept's */
} RtcBlockPool;

/* on_kept  the pool keeps something from here on, where it kept nothing: trim it in a while; may be
 *          NULL */
void rtc_block_pool_init(RtcBlockPool *pool, void (*on_kept)(void *arg), void *arg);
/* Frees what is kept; all that was taken must have been given back. Fine twice. */
void rtc_block_pool_finish(RtcBlockPool *pool);

/* A block of at least len octets, contents undefined. NULL: there is no memory. */
void *rtc_block_pool_take(RtcBlockPool *pool, size_t len);

/* Gives a block back. NULL is fine.
 * len  as it was taken with */
void rtc_block_pool_give(RtcBlockPool *pool, void *block, size_t len);

/* Frees what nobody needed since the last trim: the load has become less. Call it now and then.
 * returns  it still keeps something: call again; otherwise on_kept tells when to */
bool rtc_block_pool_trim(RtcBlockPool *pool);

#endif
