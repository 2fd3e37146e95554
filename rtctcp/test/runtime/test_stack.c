/* stack.c: mapping, guard, pool, measure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/sanitizer.h"
#include "runtime/stack.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static RtcStack *take(RtcStackPool *pool) {
  RtcStack *stack;

  assert_int_equal(rtc_stack_pool_take(pool, &stack), RTC_OK);
  return stack;
}

/* Uses the stack down to a depth, as frames do: the lowest octet is not zero. */
static void use(RtcStack *stack, size_t depth) {
  memset((char *)stack->low + stack->size - depth, 0xa5, depth);
}

/* The signal that a child dies of when it writes there; 0: it lives. */
static int signal_of_write(volatile char *at) {
  pid_t child = fork();
  int status;

  assert_true(child >= 0);
  if (child == 0) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGSEGV, SIG_DFL); /* not the sanitizer's report */
    *at = 1;
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Below the stack there is a page that nobody can write, whichever way it is made. */
static void overflow_hits_the_guard(void **state) {
  static const bool ways[] = {true, false}; /* MADV_GUARD_INSTALL where there is one; mprotect */

  (void)state;
  for (size_t i = 0; i < 2; i++) {
    RtcStackPool pool;
    rtc_stack_pool_init(&pool, 0);
    pool.cheap_guards = ways[i];
    RtcStack *stack = take(&pool);
    char *low = stack->low;
    assert_int_equal(signal_of_write(low), 0);
    assert_int_equal(signal_of_write(low - 1), SIGSEGV);
    assert_int_equal(signal_of_write(low - pool.page_size), SIGSEGV);
    rtc_stack_pool_give(&pool, stack);
    rtc_stack_pool_finish(&pool);
  }
}

/* A pooled stack keeps its guard when its pages are given back. */
static void reused_stack_keeps_its_guard(void **state) {
  RtcStackPool pool;

  (void)state;
  rtc_stack_pool_init(&pool, 0);
  RtcStack *stack = take(&pool);
  use(stack, stack->size);
  rtc_stack_pool_give(&pool, stack);
  assert_ptr_equal(take(&pool), stack);
  assert_int_equal(signal_of_write((char *)stack->low - 1), SIGSEGV);
  rtc_stack_pool_give(&pool, stack);
  rtc_stack_pool_finish(&pool);
}

/* The last stack given is the next one taken, and the pool counts. */
static void stack_is_reused(void **state) {
  RtcStackPool pool;

  (void)state;
  rtc_stack_pool_init(&pool, 0);
  RtcStack *first = take(&pool);
  RtcStack *second = take(&pool);
  assert_ptr_not_equal(first, second);
  rtc_stack_pool_give(&pool, first);
  rtc_stack_pool_give(&pool, second);
  assert_int_equal(pool.pooled, 2);
  assert_ptr_equal(take(&pool), second);
  assert_ptr_equal(take(&pool), first);
  assert_int_equal(pool.pooled, 0);
  rtc_stack_pool_give(&pool, first);
  rtc_stack_pool_give(&pool, second);
  rtc_stack_pool_finish(&pool);
}

/* Many stacks given at once are unmapped, not all kept. */
static void pool_is_bounded(void **state) {
  enum { MANY = 400 };
  RtcStackPool pool;
  RtcStack *stacks[MANY];

  (void)state;
  rtc_stack_pool_init(&pool, 0);
  for (size_t i = 0; i < MANY; i++)
    stacks[i] = take(&pool);
  for (size_t i = 0; i < MANY; i++)
    rtc_stack_pool_give(&pool, stacks[i]);
  assert_in_range(pool.pooled, 1, 200);
  rtc_stack_pool_finish(&pool);
  assert_int_equal(pool.pooled, 0);
}

/* Stacks are mapped several at once; each has all of its own room, and its own guard. */
static void neighbours_do_not_meet(void **state) {
  enum { MANY = 40 };
  RtcStackPool pool;
  RtcStack *stacks[MANY];

  (void)state;
  rtc_stack_pool_init(&pool, 0);
  for (size_t i = 0; i < MANY; i++) {
    stacks[i] = take(&pool);
    memset(stacks[i]->low, (int)i + 1, stacks[i]->size);
  }
  for (size_t i = 0; i < MANY; i++) {
    const unsigned char *low = stacks[i]->low;
    assert_int_equal(low[0], i + 1);
    assert_int_equal(low[stacks[i]->size - 1], i + 1);
  }
  for (size_t i = 0; i < MANY; i += 13)
    assert_int_equal(signal_of_write((char *)stacks[i]->low - 1), SIGSEGV);
  for (size_t i = 0; i < MANY; i++)
    rtc_stack_pool_give(&pool, stacks[i]);
  rtc_stack_pool_finish(&pool);
}

/* What was mapped for the next stacks goes with the pool. */
static void unused_room_is_unmapped(void **state) {
  RtcStackPool pool;
  unsigned char resident;

  (void)state;
  rtc_stack_pool_init(&pool, 0);
  rtc_stack_pool_give(&pool, take(&pool));
  char *unused = pool.unused;
  assert_non_null(unused);
  assert_int_equal(mincore(unused, pool.page_size, &resident), 0);
  rtc_stack_pool_finish(&pool);
  assert_int_equal(mincore(unused, pool.page_size, &resident), -1);
  assert_int_equal(errno, ENOMEM);
}

static size_t resident_pages(const RtcStackPool *pool, const RtcStack *stack) {
  unsigned char resident[256];
  size_t pages = pool->mapping_size / pool->page_size;
  size_t count = 0;

  assert_true(pages <= sizeof resident);
  assert_int_equal(mincore(stack->low, pool->mapping_size, resident), 0);
  for (size_t i = 0; i < pages; i++)
    count += resident[i] & 1;
  return count;
}

/* A deeply used stack keeps only its topmost pages while it is pooled. */
static void pages_are_given_back(void **state) {
  RtcStackPool pool;

  (void)state;
  rtc_stack_pool_init(&pool, 0);
  RtcStack *stack = take(&pool);
  use(stack, stack->size);
  assert_int_equal(resident_pages(&pool, stack), pool.mapping_size / pool.page_size);
  rtc_stack_pool_give(&pool, stack);
  assert_true(resident_pages(&pool, stack) * pool.page_size <= 8192);
  rtc_stack_pool_finish(&pool);
}

/* The deepest use of any stack is measured to the word, whatever came before and after. */
static void high_water_mark_is_the_deepest_use(void **state) {
  static const struct {
    size_t depth;
    size_t high_water;
  } uses[] = {{64, 64}, {5000, 5000}, {4096, 5000}, {8192, 8192}, {40000, 40000}, {16, 40000}};
  RtcStackPool pool;

  (void)state;
  rtc_stack_pool_init(&pool, 0);
  assert_int_equal(pool.high_water, 0);
  for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
    RtcStack *stack = take(&pool);
    use(stack, uses[i].depth);
    rtc_stack_pool_give(&pool, stack);
    assert_int_equal(pool.high_water, uses[i].high_water);
  }
  rtc_stack_pool_finish(&pool);
}

/* A large frame of which only the lowest octets were written leaves a hole of untouched pages. */
static void high_water_mark_sees_past_holes(void **state) {
  RtcStackPool pool;

  (void)state;
  rtc_stack_pool_init(&pool, 0);
  RtcStack *stack = take(&pool);
  use(stack, 100);
  *((char *)stack->low + stack->size - 30000) = 1;
  rtc_stack_pool_give(&pool, stack);
  assert_int_equal(pool.high_water, 30000);
  rtc_stack_pool_finish(&pool);
}

/* Sizes are whole pages, never too small for a coroutine, and generous by default. */
static void size_is_rounded_up(void **state) {
  static const struct {
    size_t asked;
    size_t least;
  } sizes[] = {{0, 60 * 1024}, {1, 15 * 1024}, {100001, 100001}, {1024 * 1024, 1000 * 1024}};

  (void)state;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    RtcStackPool pool;
    rtc_stack_pool_init(&pool, sizes[i].asked);
    RtcStack *stack = take(&pool);
    assert_true(stack->size >= sizes[i].least);
    assert_int_equal(((uintptr_t)stack->low + stack->size) % 64, 0);
    use(stack, stack->size);
    rtc_stack_pool_give(&pool, stack);
    assert_int_equal(pool.high_water, stack->size);
    rtc_stack_pool_finish(&pool);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(overflow_hits_the_guard),
      cmocka_unit_test(reused_stack_keeps_its_guard),
      cmocka_unit_test(stack_is_reused),
      cmocka_unit_test(pool_is_bounded),
      cmocka_unit_test(neighbours_do_not_meet),
      cmocka_unit_test(unused_room_is_unmapped),
      cmocka_unit_test(pages_are_given_back),
      cmocka_unit_test(high_water_mark_is_the_deepest_use),
      cmocka_unit_test(high_water_mark_sees_past_holes),
      cmocka_unit_test(size_is_rounded_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
