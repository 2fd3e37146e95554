/* Stacks of coroutines: mapped with a guard page below, and pooled. What a stack does not need any
 * more is given back to the system while it waits in the pool. */
#ifndef RTC_RUNTIME_STACK_H
#define RTC_RUNTIME_STACK_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>

/* Lives in the topmost octets of its own mapping, above what the coroutine may use. */
typedef struct RtcStack {
  void *low;             /* owned: the lowest usable octet; the guard page is below */
  size_t size;           /* usable, a multiple of 64 [octets] */
  struct RtcStack *next; /* of the pool */
  unsigned sanitizer_id;
} RtcStack;

typedef struct RtcStackPool {
  size_t page_size;    /* [octets] */
  size_t mapping_size; /* of a stack, without its guard [octets] */
  RtcStack *first;     /* owned: the last given is the first taken, it is warm */
  size_t pooled;       /* mapped stacks that wait */
  char *unused;        /* owned: the rest of the last mapping, never used yet; NULL: none */
  size_t unused_size;  /* a multiple of a stack's, with its guard [octets] */
  size_t high_water;   /* deepest use of a stack that was given [octets] */
  bool cheap_guards;   /* MADV_GUARD_INSTALL works, as far as is known */
} RtcStackPool;

/* stack_size  0: the default; else rounded up to whole pages, and to a minimum [octets] */
void rtc_stack_pool_init(RtcStackPool *pool, size_t stack_size);

/* Unmaps what is pooled, and what was never used; stacks still taken must have been given before.
 */
void rtc_stack_pool_finish(RtcStackPool *pool);

/* Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_stack_pool_take(RtcStackPool *pool, RtcStack **stack);

/* Measures the stack, then pools or unmaps it. Nobody may run on it. */
void rtc_stack_pool_give(RtcStackPool *pool, RtcStack *stack);

#endif
