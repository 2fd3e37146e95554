/* timer.c: one-shot timers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/timer.h"
#include "support/on_worker.h"

#include <string.h>

#define MS RTC_US_PER_MS

typedef struct Fired {
  RtcTimer timer;
  int count;
  int64_t at_us;          /* of the last time */
  int64_t again_after_us; /* started again in fire; 0: not */
  bool finish;            /* in fire */
} Fired;

static void on_fire(void *arg) {
  Fired *fired = arg;

  fired->count++;
  fired->at_us = rtc_clock_now_us();
  assert_false(rtc_timer_running(&fired->timer));
  assert_null(rtc_coroutine_current(the_worker()));
  if (fired->again_after_us > 0 && fired->count < 3)
    rtc_timer_start(&fired->timer, fired->at_us + fired->again_after_us);
  if (fired->finish) {
    rtc_timer_finish(&fired->timer);
    memset(&fired->timer, 0x55, sizeof fired->timer); /* its owner may be gone now */
  }
}

static void init(Fired *fired) {
  memset(fired, 0, sizeof *fired);
  assert_int_equal(rtc_timer_init(&fired->timer, the_worker(), on_fire, fired), RTC_OK);
}

static void sleep_ms(int64_t ms) {
  assert_int_equal(rtc_coroutine_sleep(the_worker(), ms * MS), RTC_OK);
}

static RtcError fire_once(void *arg) {
  Fired fired;
  int64_t deadline_us = rtc_clock_now_us() + 10 * MS;

  (void)arg;
  init(&fired);
  assert_false(rtc_timer_running(&fired.timer));
  rtc_timer_start(&fired.timer, deadline_us);
  assert_true(rtc_timer_running(&fired.timer));
  sleep_ms(40);
  assert_int_equal(fired.count, 1);
  assert_true(fired.at_us >= deadline_us);
  rtc_timer_finish(&fired.timer);
  return RTC_OK;
}

/* A timer fires once, on the loop, not before its deadline. */
static void timer_fires_once(void **state) {
  (void)state;
  on_worker(fire_once, NULL);
}

static RtcError fire_for_the_past(void *arg) {
  Fired fired;

  (void)arg;
  init(&fired);
  rtc_timer_start(&fired.timer, rtc_clock_now_us() - 1000 * MS);
  assert_int_equal(fired.count, 0);
  sleep_ms(10);
  assert_int_equal(fired.count, 1);
  rtc_timer_finish(&fired.timer);
  return RTC_OK;
}

/* A deadline that has passed fires soon, but never inside start. */
static void passed_deadline_fires_in_a_later_turn(void **state) {
  (void)state;
  on_worker(fire_for_the_past, NULL);
}

typedef struct Restart {
  int64_t first_ms;
  int64_t second_ms;
} Restart;

static RtcError restart(void *arg) {
  const Restart *c = arg;
  Fired fired;
  int64_t begin_us = rtc_clock_now_us();

  init(&fired);
  rtc_timer_start(&fired.timer, begin_us + c->first_ms * MS);
  rtc_timer_start(&fired.timer, begin_us + c->second_ms * MS);
  sleep_ms((c->first_ms > c->second_ms ? c->first_ms : c->second_ms) + 20);
  assert_int_equal(fired.count, 1);
  assert_true(fired.at_us >= begin_us + c->second_ms * MS);
  if (c->second_ms < c->first_ms)
    assert_true(fired.at_us < begin_us + c->first_ms * MS);
  rtc_timer_finish(&fired.timer);
  return RTC_OK;
}

/* Started again, a timer fires once, at the later start's deadline, be that earlier or later. */
static void restart_replaces_the_deadline(void **state) {
  static Restart later = {.first_ms = 10, .second_ms = 60};
  static Restart earlier = {.first_ms = 400, .second_ms = 10};

  (void)state;
  on_worker(restart, &later);
  on_worker(restart, &earlier);
}

static RtcError push_away(void *arg) {
  Fired fired;

  (void)arg;
  init(&fired);
  for (int i = 0; i < 10; i++) {
    rtc_timer_start(&fired.timer, rtc_clock_now_us() + 100 * MS);
    sleep_ms(5);
  }
  assert_int_equal(fired.count, 0);
  int64_t last_us = rtc_clock_now_us() + 100 * MS;
  rtc_timer_start(&fired.timer, last_us);
  sleep_ms(150);
  assert_int_equal(fired.count, 1);
  assert_true(fired.at_us >= last_us);
  rtc_timer_finish(&fired.timer);
  return RTC_OK;
}

/* An idle timeout that every packet pushes away fires after the last. */
static void deadline_can_be_pushed_away(void **state) {
  (void)state;
  on_worker(push_away, NULL);
}

static RtcError stop_and_start(void *arg) {
  Fired fired;

  (void)arg;
  init(&fired);
  rtc_timer_stop(&fired.timer);
  rtc_timer_start(&fired.timer, rtc_clock_now_us() + 5 * MS);
  rtc_timer_stop(&fired.timer);
  assert_false(rtc_timer_running(&fired.timer));
  sleep_ms(20);
  assert_int_equal(fired.count, 0);

  rtc_timer_start(&fired.timer, RTC_NEVER);
  assert_false(rtc_timer_running(&fired.timer));
  rtc_timer_start(&fired.timer, rtc_clock_now_us() + 5 * MS);
  sleep_ms(20);
  assert_int_equal(fired.count, 1);
  rtc_timer_finish(&fired.timer);
  return RTC_OK;
}

/* A stopped timer does not fire, and starts again as a fresh one. */
static void stopped_timer_does_not_fire(void **state) {
  (void)state;
  on_worker(stop_and_start, NULL);
}

static RtcError start_inside_fire(void *arg) {
  Fired fired;
  int64_t begin_us = rtc_clock_now_us();

  (void)arg;
  init(&fired);
  fired.again_after_us = 5 * MS;
  rtc_timer_start(&fired.timer, begin_us + 5 * MS);
  sleep_ms(60);
  assert_int_equal(fired.count, 3);
  assert_true(fired.at_us >= begin_us + 15 * MS);
  rtc_timer_finish(&fired.timer);
  return RTC_OK;
}

/* Fire may start the timer again. */
static void timer_may_be_started_inside_fire(void **state) {
  (void)state;
  on_worker(start_inside_fire, NULL);
}

static RtcError finish_inside_fire(void *arg) {
  Fired fired;

  (void)arg;
  init(&fired);
  fired.finish = true;
  rtc_timer_start(&fired.timer, rtc_clock_now_us());
  sleep_ms(20);
  assert_int_equal(fired.count, 1);
  return RTC_OK;
}

/* Fire may finish the timer, and free its owner. */
static void timer_may_be_finished_inside_fire(void **state) {
  (void)state;
  on_worker(finish_inside_fire, NULL);
}

static RtcError finish_running(void *arg) {
  Fired fired;
  RtcTimer zeroed;

  (void)arg;
  memset(&zeroed, 0, sizeof zeroed);
  rtc_timer_finish(&zeroed);
  init(&fired);
  rtc_timer_start(&fired.timer, rtc_clock_now_us() + 5 * MS);
  rtc_timer_finish(&fired.timer);
  rtc_timer_finish(&fired.timer);
  memset(&fired.timer, 0x55, sizeof fired.timer);
  sleep_ms(20);
  assert_int_equal(fired.count, 0);
  return RTC_OK;
}

/* A finished timer does not fire and its memory is free at once; zeroed and twice is fine. */
static void finished_timer_is_gone(void **state) {
  (void)state;
  on_worker(finish_running, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timer_fires_once),
      cmocka_unit_test(passed_deadline_fires_in_a_later_turn),
      cmocka_unit_test(restart_replaces_the_deadline),
      cmocka_unit_test(deadline_can_be_pushed_away),
      cmocka_unit_test(stopped_timer_does_not_fire),
      cmocka_unit_test(timer_may_be_started_inside_fire),
      cmocka_unit_test(timer_may_be_finished_inside_fire),
      cmocka_unit_test(finished_timer_is_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
