/* coroutine.c: spawn, park, sleep, interrupt, join, detach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/io.h"
#include "runtime/sanitizer.h"
#include "support/on_worker.h"

#include <string.h>
#include <unistd.h>

#define SOON_US (20 * RTC_US_PER_MS)

static RtcCoroutine *spawn(RtcCoroutineFn fn, void *arg) {
  RtcCoroutine *co;

  assert_int_equal(rtc_coroutine_spawn(&co, the_worker(), "test", fn, arg), RTC_OK);
  return co;
}

/* Joins, and gives the coroutine's own result. */
static RtcError result_of(RtcCoroutine *co) {
  RtcError result;

  assert_int_equal(rtc_coroutine_join(co, RTC_NEVER, &result), RTC_OK);
  return result;
}

static RtcError count_up(void *arg) {
  ++*(int *)arg;
  return RTC_ERROR_EOF;
}

static RtcError park_for_ever(void *arg) {
  (void)arg;
  return rtc_coroutine_park(the_worker(), RTC_NEVER);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static RtcError spawn_and_join(void *arg) {
  int count = 0;

  (void)arg;
  RtcCoroutine *co = spawn(count_up, &count);
  assert_int_equal(count, 0);
  assert_int_equal(result_of(co), RTC_ERROR_EOF);
  assert_int_equal(count, 1);
  return RTC_OK;
}

/* A coroutine begins in a later step, not in spawn, and join brings its result. */
static void join_brings_the_result(void **state) {
  (void)state;
  on_worker(spawn_and_join, NULL);
}

static RtcError join_ended(void *arg) {
  int count = 0;
  RtcCoroutine *co = spawn(count_up, &count);

  (void)arg;
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  assert_int_equal(count, 1);
  /* It would be CANCELED if it had to wait. */
  rtc_coroutine_interrupt(rtc_coroutine_current(the_worker()));
  assert_int_equal(result_of(co), RTC_ERROR_EOF);
  return RTC_OK;
}

/* The join of a coroutine that has ended does not yield, so an interrupt does not stop it. */
static void join_of_an_ended_one_returns_at_once(void **state) {
  (void)state;
  on_worker(join_ended, NULL);
}

static RtcError join_in_vain(void *arg) {
  RtcCoroutine *co = spawn(park_for_ever, NULL);
  RtcError result = RTC_ERROR_REPLAY;
  int64_t begin_us = rtc_clock_now_us();

  (void)arg;
  assert_int_equal(rtc_coroutine_join(co, begin_us + SOON_US, &result), RTC_ERROR_TIMEOUT);
  assert_true(rtc_clock_now_us() >= begin_us + SOON_US);
  assert_int_equal(result, RTC_ERROR_REPLAY);
  rtc_coroutine_ready(co);
  assert_int_equal(result_of(co), RTC_OK);
  return RTC_OK;
}

/* A join whose deadline passes leaves the coroutine as it was: it can be joined again. */
static void join_has_a_deadline(void **state) {
  (void)state;
  on_worker(join_in_vain, NULL);
}

typedef struct Tree {
  int depth;
  int *count;
} Tree;

static RtcError grow(void *arg) {
  const Tree *tree = arg;
  Tree below = {.depth = tree->depth - 1, .count = tree->count};

  ++*tree->count;
  if (tree->depth == 0)
    return RTC_OK;
  RtcCoroutine *left = spawn(grow, &below);
  RtcCoroutine *right = spawn(grow, &below);
  assert_int_equal(result_of(left), RTC_OK);
  return result_of(right);
}

/* Coroutines spawn coroutines, and join them. */
static void spawns_nest(void **state) {
  int count = 0;
  Tree tree = {.depth = 6, .count = &count};

  (void)state;
  on_worker(grow, &tree);
  assert_int_equal(count, 127);
}

static RtcError detach_three(void *arg) {
  int *count = arg;
  RtcCoroutine *ended = spawn(count_up, count);

  rtc_coroutine_detach(spawn(count_up, count)); /* before its first step */
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  rtc_coroutine_detach(ended);
  rtc_coroutine_detach(spawn(park_for_ever, NULL)); /* interrupted when the worker stops */
  return RTC_OK;
}

/* Detached before it begins, after it has ended, or never ending by itself: nothing is left. */
static void detached_one_frees_itself(void **state) {
  int count = 0;

  (void)state;
  on_worker(detach_three, &count);
  assert_int_equal(count, 2);
}

/* ---- Park and ready -------------------------------------------------------------------------- */

static RtcError ready_before_park(void *arg) {
  RtcCoroutine *me = rtc_coroutine_current(the_worker());
  int64_t soon_us = rtc_clock_now_us() + SOON_US;

  (void)arg;
  rtc_coroutine_ready(me);
  rtc_coroutine_ready(me); /* it is remembered, not counted */
  assert_int_equal(rtc_coroutine_park(the_worker(), soon_us), RTC_OK);
  assert_true(rtc_clock_now_us() < soon_us);
  assert_int_equal(rtc_coroutine_park(the_worker(), soon_us), RTC_ERROR_TIMEOUT);
  return RTC_OK;
}

/* A wake that comes before the park is not lost. */
static void ready_before_park_is_remembered(void **state) {
  (void)state;
  on_worker(ready_before_park, NULL);
}

static RtcError wake_the_other(void *arg) {
  rtc_coroutine_ready(arg);
  rtc_coroutine_ready(arg); /* the second finds it ready */
  return RTC_OK;
}

static RtcError park_twice(void *arg) {
  RtcCoroutine *waker = spawn(wake_the_other, rtc_coroutine_current(the_worker()));

  (void)arg;
  assert_int_equal(rtc_coroutine_park(the_worker(), RTC_NEVER), RTC_OK);
  assert_int_equal(rtc_coroutine_park(the_worker(), RTC_NEVER), RTC_OK);
  return result_of(waker);
}

/* A wake of one that is ready already is for its next park. */
static void ready_twice_wakes_twice(void **state) {
  (void)state;
  on_worker(park_twice, NULL);
}

static RtcError sleep_through(void *arg) {
  RtcCoroutine *waker = spawn(wake_the_other, rtc_coroutine_current(the_worker()));
  int64_t begin_us = rtc_clock_now_us();

  (void)arg;
  assert_int_equal(rtc_coroutine_sleep(the_worker(), SOON_US), RTC_OK);
  assert_true(rtc_clock_now_us() - begin_us >= SOON_US);
  assert_int_equal(rtc_coroutine_park(the_worker(), RTC_NEVER), RTC_OK);
  return result_of(waker);
}

/* A wake shortens no sleep; it is kept for the next park. */
static void ready_does_not_end_a_sleep(void **state) {
  (void)state;
  on_worker(sleep_through, NULL);
}

typedef struct Turns {
  char text[16];
  size_t len;
} Turns;

static RtcError note_wake_note(void *arg) {
  Turns *turns = arg;
  int count = 0;

  turns->text[turns->len++] = 'a';
  RtcCoroutine *co = spawn(count_up, &count);
  turns->text[turns->len++] = (char)('0' + count);
  result_of(co);
  turns->text[turns->len++] = (char)('0' + count);
  return RTC_OK;
}

/* What one makes ready runs after it has stopped, never inside its call. */
static void ready_one_runs_later(void **state) {
  Turns turns = {.len = 0};

  (void)state;
  on_worker(note_wake_note, &turns);
  assert_memory_equal(turns.text, "a01", 3);
}

static RtcError spin(void *arg) {
  const bool *over = arg;

  while (!*over) {
    if (rtc_coroutine_yield(the_worker()) != RTC_OK)
      return RTC_ERROR_CANCELED;
  }
  return RTC_OK;
}

static RtcError sleep_beside_a_spinner(void *arg) {
  bool over = false;
  RtcCoroutine *spinner = spawn(spin, &over);

  (void)arg;
  assert_int_equal(rtc_coroutine_sleep(the_worker(), SOON_US), RTC_OK);
  over = true;
  return result_of(spinner);
}

/* One that is always ready leaves the loop its turns: timers go on. */
static void yielding_one_does_not_starve_the_loop(void **state) {
  (void)state;
  on_worker(sleep_beside_a_spinner, NULL);
}

/* ---- Deadlines ------------------------------------------------------------------------------- */

typedef struct Sleeper {
  int64_t deadline_us;
  int *order;
  int rank; /* out: the how manieth to wake */
} Sleeper;

static RtcError park_and_rank(void *arg) {
  Sleeper *sleeper = arg;
  RtcError error = rtc_coroutine_park(the_worker(), sleeper->deadline_us);

  assert_true(rtc_clock_now_us() >= sleeper->deadline_us);
  sleeper->rank = ++*sleeper->order;
  return error;
}

static RtcError park_in_any_order(void *arg) {
  static const int64_t deadlines_ms[] = {140, 110, 130, 100, 120};
  static const int ranks[] = {5, 2, 4, 1, 3};
  int64_t begin_us = rtc_clock_now_us();
  Sleeper sleepers[5];
  RtcCoroutine *cos[5];
  int order = 0;

  (void)arg;
  for (size_t i = 0; i < 5; i++) {
    int64_t deadline_us = begin_us + deadlines_ms[i] * RTC_US_PER_MS;
    sleepers[i] = (Sleeper){.deadline_us = deadline_us, .order = &order};
    cos[i] = spawn(park_and_rank, &sleepers[i]);
  }
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(result_of(cos[i]), RTC_ERROR_TIMEOUT);
    assert_int_equal(sleepers[i].rank, ranks[i]);
  }
  return RTC_OK;
}

/* Waits end in the order of their deadlines, none of them early. */
static void deadlines_pass_in_order(void **state) {
  (void)state;
  on_worker(park_in_any_order, NULL);
}

static RtcError park_until_then_never(void *arg) {
  int64_t now_us = rtc_clock_now_us();

  (void)arg;
  assert_int_equal(rtc_coroutine_park(the_worker(), now_us + SOON_US), RTC_ERROR_TIMEOUT);
  assert_true(rtc_clock_now_us() >= now_us + SOON_US);
  assert_int_equal(rtc_coroutine_park(the_worker(), now_us), RTC_ERROR_TIMEOUT); /* passed */
  assert_int_equal(rtc_coroutine_park(the_worker(), INT64_MIN), RTC_ERROR_TIMEOUT);
  return RTC_OK;
}

/* A park ends at its deadline; one that has passed already counts as well. */
static void park_has_a_deadline(void **state) {
  (void)state;
  on_worker(park_until_then_never, NULL);
}

static RtcError wake_after_a_while(void *arg) {
  RtcError error = rtc_coroutine_sleep(the_worker(), 3 * SOON_US);

  rtc_coroutine_ready(arg);
  return error;
}

static RtcError forget_a_deadline(void *arg) {
  int64_t now_us = rtc_clock_now_us();
  RtcCoroutine *me = rtc_coroutine_current(the_worker());

  (void)arg;
  RtcCoroutine *waker = spawn(wake_the_other, me);
  assert_int_equal(rtc_coroutine_park(the_worker(), now_us + SOON_US), RTC_OK);
  assert_int_equal(result_of(waker), RTC_OK);
  assert_int_equal(rtc_coroutine_park(the_worker(), RTC_NEVER), RTC_OK); /* of the second wake */
  /* The first park's deadline is in here, and must not end this one. */
  waker = spawn(wake_after_a_while, me);
  assert_int_equal(rtc_coroutine_park(the_worker(), RTC_NEVER), RTC_OK);
  assert_true(rtc_clock_now_us() >= now_us + 3 * SOON_US);
  return result_of(waker);
}

/* The deadline of a wait that has ended does not end a later one. */
static void old_deadline_is_forgotten(void **state) {
  (void)state;
  on_worker(forget_a_deadline, NULL);
}

/* ---- Interrupt ------------------------------------------------------------------------------- */

static RtcError interrupt_unborn(void *arg) {
  int count = 0;
  RtcCoroutine *co = spawn(count_up, &count);

  (void)arg;
  assert_false(rtc_coroutine_interrupted(co));
  rtc_coroutine_interrupt(co);
  assert_true(rtc_coroutine_interrupted(co));
  assert_int_equal(result_of(co), RTC_ERROR_CANCELED);
  assert_int_equal(count, 0);
  return RTC_OK;
}

/* Interrupted before its first step, a coroutine never begins. */
static void interrupted_before_the_first_step_never_begins(void **state) {
  (void)state;
  on_worker(interrupt_unborn, NULL);
}

static RtcError wait_by_park(void *arg) {
  (void)arg;
  return rtc_coroutine_park(the_worker(), RTC_NEVER);
}

static RtcError wait_by_sleep(void *arg) {
  (void)arg;
  return rtc_coroutine_sleep(the_worker(), RTC_NEVER);
}

static RtcError wait_by_yield(void *arg) {
  bool never = false;

  (void)arg;
  return spin(&never);
}

static RtcError wait_by_join(void *arg) {
  RtcCoroutine *co = spawn(park_for_ever, NULL);
  RtcError result;
  RtcError error = rtc_coroutine_join(co, RTC_NEVER, &result);

  (void)arg;
  rtc_coroutine_interrupt(co);
  rtc_coroutine_detach(co);
  return error;
}

static RtcError wait_by_io(void *arg) {
  int fds[2];
  RtcIo io;
  unsigned events;

  (void)arg;
  assert_int_equal(pipe(fds), 0);
  assert_int_equal(rtc_io_init(&io, the_worker(), fds[0]), RTC_OK);
  rtc_io_set_interest(&io, RTC_IO_READABLE);
  RtcError error = rtc_io_wait(&io, RTC_NEVER, &events);
  rtc_io_finish(&io);
  close(fds[0]);
  close(fds[1]);
  return error;
}

typedef struct Wait {
  RtcCoroutineFn wait;
  RtcError first;
  RtcError second;
} Wait;

static RtcError wait_twice(void *arg) {
  Wait *wait = arg;

  wait->first = wait->wait(NULL);
  wait->second = wait->wait(NULL);
  return RTC_OK;
}

static RtcError interrupt_each_wait(void *arg) {
  static const RtcCoroutineFn waits[] = {wait_by_park, wait_by_sleep, wait_by_yield, wait_by_join,
                                         wait_by_io};

  (void)arg;
  for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
    Wait wait = {.wait = waits[i]};
    RtcCoroutine *co = spawn(wait_twice, &wait);
    assert_int_equal(rtc_coroutine_sleep(the_worker(), RTC_US_PER_MS), RTC_OK);
    rtc_coroutine_interrupt(co);
    assert_int_equal(result_of(co), RTC_OK);
    assert_int_equal(wait.first, RTC_ERROR_CANCELED);
    assert_int_equal(wait.second, RTC_ERROR_CANCELED);
  }
  return RTC_OK;
}

/* An interrupt ends every kind of wait, and is sticky: the next one ends at once. */
static void interrupt_is_sticky_in_every_wait(void **state) {
  (void)state;
  on_worker(interrupt_each_wait, NULL);
}

static RtcError interrupt_oneself(void *arg) {
  RtcCoroutine *me = rtc_coroutine_current(the_worker());

  (void)arg;
  rtc_coroutine_ready(me);
  rtc_coroutine_interrupt(me);
  assert_int_equal(rtc_coroutine_park(the_worker(), RTC_NEVER), RTC_ERROR_CANCELED);
  assert_int_equal(rtc_coroutine_sleep(the_worker(), 0), RTC_ERROR_CANCELED);
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_ERROR_CANCELED);
  return RTC_OK;
}

/* The current coroutine may be interrupted too: it goes on, and can't wait any more. */
static void current_one_can_be_interrupted(void **state) {
  (void)state;
  on_worker(interrupt_oneself, NULL);
}

static RtcError interrupt_a_joiner(void *arg) {
  RtcCoroutine *co = spawn(park_for_ever, NULL);
  RtcError result;

  rtc_coroutine_interrupt(rtc_coroutine_current(the_worker()));
  assert_int_equal(rtc_coroutine_join(co, RTC_NEVER, &result), RTC_ERROR_CANCELED);
  *(RtcCoroutine **)arg = co; /* for another to join */
  return RTC_OK;
}

static RtcError join_after_another(void *arg) {
  RtcCoroutine *co = NULL;

  (void)arg;
  assert_int_equal(result_of(spawn(interrupt_a_joiner, &co)), RTC_OK);
  rtc_coroutine_ready(co);
  return result_of(co);
}

/* A canceled join has not joined: someone else may. */
static void canceled_join_can_be_repeated(void **state) {
  (void)state;
  on_worker(join_after_another, NULL);
}

static RtcError park_until(void *arg) {
  return rtc_coroutine_park(the_worker(), *(const int64_t *)arg);
}

static RtcError hold_up_the_loop(void *arg) {
  (void)arg;
  usleep(30000);
  return RTC_OK;
}

static RtcError join_at_the_last_moment(void *arg) {
  int64_t end_us = rtc_clock_now_us() + 10 * RTC_US_PER_MS;
  RtcCoroutine *co = spawn(park_until, &end_us);
  RtcError result;

  (void)arg;
  /* Both deadlines have passed when the loop goes on: it ends first, then we wake. */
  rtc_coroutine_detach(spawn(hold_up_the_loop, NULL));
  assert_int_equal(rtc_coroutine_join(co, end_us + 2 * RTC_US_PER_MS, &result), RTC_OK);
  assert_int_equal(result, RTC_ERROR_TIMEOUT);
  return RTC_OK;
}

/* The end of the coroutine wins over a deadline that passes with it. */
static void end_wins_over_the_deadline(void **state) {
  (void)state;
  on_worker(join_at_the_last_moment, NULL);
}

/* ---- Many ------------------------------------------------------------------------------------ */

static RtcError use_stack_and_park(void *arg) {
  volatile char frame[12000];

  memset((void *)(uintptr_t)frame, 1, sizeof frame);
  ++*(int *)arg;
  RtcError error = rtc_coroutine_park(the_worker(), RTC_NEVER);
  assert_int_equal(frame[11999], 1);
  return error;
}

enum { MANY = RTC_TSAN ? 200 : 2000 }; /* TSan takes milliseconds to make a fiber */

static RtcError park_thousands(void *arg) {
  static RtcCoroutine *cos[MANY];
  RtcWorkerStats stats;
  int parked = 0;

  (void)arg;
  for (size_t i = 0; i < MANY; i++)
    cos[i] = spawn(use_stack_and_park, &parked);
  assert_int_equal(rtc_coroutine_yield(the_worker()), RTC_OK);
  assert_int_equal(parked, MANY);
  rtc_worker_stats(the_worker(), &stats);
  assert_int_equal(stats.coroutines_live, MANY + 1);
  for (size_t i = 0; i < MANY; i++) {
    rtc_coroutine_ready(cos[i]);
    assert_int_equal(result_of(cos[i]), RTC_OK);
  }
  rtc_worker_stats(the_worker(), &stats);
  assert_int_equal(stats.coroutines_live, 1);
  assert_int_equal(stats.coroutines_total, MANY + 1);
  assert_in_range(stats.stacks_pooled, 1, 200);
  assert_in_range(stats.stack_high_water, 12000, 60000);
  return RTC_OK;
}

/* Thousands live at once; afterwards a bounded pool of stacks is left, and their depth is known. */
static void thousands_live_at_once(void **state) {
  (void)state;
  on_worker(park_thousands, NULL);
}

static RtcError spawn_in_turn(void *arg) {
  int count = 0;

  (void)arg;
  for (int i = 0; i < MANY; i++)
    assert_int_equal(result_of(spawn(count_up, &count)), RTC_ERROR_EOF);
  RtcWorkerStats stats;
  rtc_worker_stats(the_worker(), &stats);
  assert_int_equal(count, MANY);
  assert_int_equal(stats.stacks_pooled, 1);
  return RTC_OK;
}

/* One after the other, they share one stack. */
static void stack_is_used_again(void **state) {
  (void)state;
  on_worker(spawn_in_turn, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(join_brings_the_result),
      cmocka_unit_test(join_of_an_ended_one_returns_at_once),
      cmocka_unit_test(join_has_a_deadline),
      cmocka_unit_test(spawns_nest),
      cmocka_unit_test(detached_one_frees_itself),
      cmocka_unit_test(ready_before_park_is_remembered),
      cmocka_unit_test(ready_twice_wakes_twice),
      cmocka_unit_test(ready_does_not_end_a_sleep),
      cmocka_unit_test(ready_one_runs_later),
      cmocka_unit_test(yielding_one_does_not_starve_the_loop),
      cmocka_unit_test(deadlines_pass_in_order),
      cmocka_unit_test(park_has_a_deadline),
      cmocka_unit_test(old_deadline_is_forgotten),
      cmocka_unit_test(interrupted_before_the_first_step_never_begins),
      cmocka_unit_test(interrupt_is_sticky_in_every_wait),
      cmocka_unit_test(current_one_can_be_interrupted),
      cmocka_unit_test(canceled_join_can_be_repeated),
      cmocka_unit_test(end_wins_over_the_deadline),
      cmocka_unit_test(thousands_live_at_once),
      cmocka_unit_test(stack_is_used_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
