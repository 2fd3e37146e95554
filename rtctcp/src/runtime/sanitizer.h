/* Tells ASan, LSan, TSan and Valgrind of stacks, of every switch between them, and of pools. A
 * build without them keeps Valgrind's requests only, which are a few instructions without effect.
 */
#ifndef RTC_RUNTIME_SANITIZER_H
#define RTC_RUNTIME_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

#ifndef __has_feature /* Clang has it, GCC 12 has macros of its own */
#define __has_feature(x) 0
#endif
#ifndef __has_include
#define __has_include(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define RTC_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#else
#define RTC_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define RTC_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define RTC_TSAN 0
#endif

#if __has_include(<valgrind/memcheck.h>)
#define RTC_VALGRIND 1
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#else
#define RTC_VALGRIND 0
#endif

/* ---- Stacks ---------------------------------------------------------------------------------- */

/* A fresh mapping: [low, low + size), with its guard below. Returns an id for unmapped. */
static inline unsigned rtc_sanitizer_stack_mapped(void *low, size_t size, size_t guard) {
  unsigned id = 0;
#if RTC_VALGRIND
  id = VALGRIND_STACK_REGISTER(low, (char *)low + size);
  VALGRIND_MAKE_MEM_NOACCESS((char *)low - guard, guard);
#endif
  (void)low, (void)size, (void)guard;
  return id;
}

static inline void rtc_sanitizer_stack_unmapped(unsigned id) {
#if RTC_VALGRIND
  VALGRIND_STACK_DEREGISTER(id);
#endif
  (void)id;
}

/* What a parked coroutine's stack points to is not leaked. */
static inline void rtc_sanitizer_stack_taken(void *low, size_t size) {
#if RTC_ASAN
  __lsan_register_root_region(low, size);
#endif
#if RTC_VALGRIND
  VALGRIND_MAKE_MEM_UNDEFINED(low, size);
#endif
  (void)low, (void)size;
}

/* Frames that were jumped away from for good leave their marks: wipe them, and let the stack be
 * read, for its high-water mark. */
static inline void rtc_sanitizer_stack_given(void *low, size_t size) {
#if RTC_ASAN
  __lsan_unregister_root_region(low, size);
  __asan_unpoison_memory_region(low, size);
#endif
#if RTC_VALGRIND
  VALGRIND_MAKE_MEM_DEFINED(low, size);
#endif
  (void)low, (void)size;
}

/* ---- Blocks of a pool --------------------------------------------------------------------------
 */

/* Nobody may touch a block that is kept for later, as if it were freed; then somebody has it. */
static inline void rtc_sanitizer_block_kept(void *block, size_t len) {
#if RTC_ASAN
  __asan_poison_memory_region(block, len);
#endif
#if RTC_VALGRIND
  VALGRIND_MAKE_MEM_NOACCESS(block, len);
#endif
  (void)block, (void)len;
}

static inline void rtc_sanitizer_block_lent(void *block, size_t len) {
#if RTC_ASAN
  __asan_unpoison_memory_region(block, len);
#endif
#if RTC_VALGRIND
  VALGRIND_MAKE_MEM_UNDEFINED(block, len);
#endif
  (void)block, (void)len;
}

/* ---- Switches -------------------------------------------------------------------------------- */

/* One flow of control, as the sanitizers know it. */
typedef struct RtcFiber {
  const void *low;  /* borrowed: ASan's idea of the stack */
  size_t size;      /* [octets] */
  void *fake_stack; /* ASan's, while the fiber is parked */
  void *tsan;       /* TSan's; owned when made by rtc_fiber_init */
} RtcFiber;

static inline void rtc_fiber_init(RtcFiber *fiber, void *low, size_t size) {
  *fiber = (RtcFiber){.low = low, .size = size};
#if RTC_TSAN
  fiber->tsan = __tsan_create_fiber(0);
#endif
}

static inline void rtc_fiber_finish(RtcFiber *fiber) {
#if RTC_TSAN
  __tsan_destroy_fiber(fiber->tsan);
#endif
  (void)fiber;
}

/* The flow that runs now, on a stack that is not ours. ASan tells its bounds at the first switch.
 */
static inline void rtc_fiber_adopt(RtcFiber *fiber) {
#if RTC_TSAN
  fiber->tsan = __tsan_get_current_fiber();
#endif
  (void)fiber;
}

/* Right before the jump. for_good: nobody will jump back to from. */
static inline __attribute__((always_inline)) void rtc_fiber_leave(RtcFiber *from, RtcFiber *to,
                                                                  bool for_good) {
#if RTC_ASAN
  __sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->low, to->size);
#endif
#if RTC_TSAN
  __tsan_switch_to_fiber(to->tsan, 0);
#endif
  (void)from, (void)to, (void)for_good;
}

/* Right after the jump, on the other side. */
static inline __attribute__((always_inline)) void rtc_fiber_arrive(RtcFiber *here,
                                                                   RtcFiber *previous) {
#if RTC_ASAN
  __sanitizer_finish_switch_fiber(here->fake_stack, &previous->low, &previous->size);
#endif
  (void)here, (void)previous;
}

#endif
