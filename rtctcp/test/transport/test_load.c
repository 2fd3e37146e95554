/* What a worker weighs, and that new sessions go to the one that weighs least. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/farm.h"

#include "transport/load.h"

#include <unistd.h>

#define NOW_US (1000 * RTC_US_PER_S)

/* Sessions, promises and packets are summed. */
static void sessions_promises_and_packets_weigh(void **state) {
  RtcLoad load;
  (void)state;
  rtc_load_init(&load, NOW_US);
  assert_int_equal(rtc_load_weigh(&load, NOW_US), 0);
  rtc_load_set_sessions(&load, 3);
  assert_int_equal(rtc_load_weigh(&load, NOW_US), 3);
  rtc_load_promise(&load);
  rtc_load_promise(&load);
  assert_int_equal(rtc_load_weigh(&load, NOW_US), 5);
  rtc_load_set_sessions(&load, 4); /* one of them has come */
  assert_int_equal(rtc_load_weigh(&load, NOW_US), 4);
  int64_t later_us = NOW_US + RTC_LOAD_INTERVAL_US;
  rtc_load_packets(&load, 70, later_us - 1);
  assert_int_equal(rtc_load_weigh(&load, later_us), 4); /* not measured yet */
  rtc_load_packets(&load, 30, later_us);
  assert_int_equal(rtc_load_weigh(&load, later_us), 4 + 1000 / RTC_LOAD_PACKETS_PER_SESSION);
}

/* A worker whose packets have ceased measures nothing any more; they weigh nothing soon. */
static void packets_of_the_past_weigh_nothing(void **state) {
  RtcLoad load;
  (void)state;
  rtc_load_init(&load, NOW_US);
  int64_t measured_us = NOW_US + RTC_LOAD_INTERVAL_US;
  rtc_load_packets(&load, 10 * RTC_LOAD_PACKETS_PER_SESSION, measured_us);
  assert_true(rtc_load_weigh(&load, measured_us + RTC_LOAD_INTERVAL_US) > 0);
  assert_int_equal(rtc_load_weigh(&load, measured_us + 10 * RTC_LOAD_INTERVAL_US), 0);
}

/* One that takes no sessions is never the least. */
static void closed_one_is_out_of_the_question(void **state) {
  RtcLoad load;
  (void)state;
  rtc_load_init(&load, NOW_US);
  rtc_load_close(&load);
  assert_true(rtc_load_weigh(&load, NOW_US) == UINT64_MAX);
}

static size_t index_of(const Farm *farm, const RtcWorker *worker) {
  for (size_t i = 0; i < farm->worker_count; i++)
    if (farm->workers[i] == worker)
      return i;
  fail_msg("this is none of the farm's workers");
  return 0;
}

/* A burst is spread evenly, before any of its sessions has come. */
static void burst_is_spread(void **state) {
  Farm farm;
  size_t picked[FARM_WORKERS_MAX] = {0};
  (void)state;
  farm_start(&farm, 4);
  for (int i = 0; i < 40; i++)
    picked[index_of(&farm, rtc_server_pick_worker(farm.server))]++;
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(picked[i], 10);
  farm_end(&farm);
}

/* Who has sessions is passed over until the others have as many; who has lost them is the first
 * again. */
static void sessions_are_counted(void **state) {
  Farm farm;
  (void)state;
  farm_start(&farm, 2);
  for (int i = 0; i < 3; i++)
    farm_open(&farm, 0);
  for (int i = 0; i < 3; i++) {
    size_t picked = index_of(&farm, rtc_server_pick_worker(farm.server));
    assert_int_equal(picked, 1);
    farm_open(&farm, picked);
  }
  farm_run_on(farm.workers[1], farm_drop_handle, &farm.sessions[3]);
  farm_run_on(farm.workers[1], farm_drop_handle, &farm.sessions[4]);
  FARM_AWAIT_SUM(&farm, connections.live, 4);
  assert_int_equal(index_of(&farm, rtc_server_pick_worker(farm.server)), 1);
  farm_end(&farm);
}

/* A stopped worker is not picked, a server that drains picks nobody. */
static void who_takes_no_sessions_is_not_picked(void **state) {
  Farm farm;
  (void)state;
  farm_start(&farm, 2);
  rtc_worker_stop(farm.workers[0]);
  rtc_worker_join(farm.workers[0]);
  for (int i = 0; i < 4; i++)
    assert_ptr_equal(rtc_server_pick_worker(farm.server), farm.workers[1]);
  FarmSession *session = farm_open(&farm, 1);
  farm_connect(session); /* else the drain ends at once, and with it what is asked here */
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  rtc_server_drain(farm.server, 2 * FARM_DEADLINE_MS, farm_on_closed, &farm);
  for (int turn = 0; turn < FARM_DEADLINE_MS && rtc_server_pick_worker(farm.server); turn++)
    usleep(1000);
  assert_null(rtc_server_pick_worker(farm.server));
  farm_run_on(farm.workers[1], farm_drop_handle, session);
  farm_await_closed(&farm);
  farm_end(&farm);
}

int main(void) {
#define CASE(function) cmocka_unit_test_setup_teardown(function, farm_setup, NULL)
  const struct CMUnitTest tests[] = {
      CASE(sessions_promises_and_packets_weigh),
      CASE(packets_of_the_past_weigh_nothing),
      CASE(closed_one_is_out_of_the_question),
      CASE(burst_is_spread),
      CASE(sessions_are_counted),
      CASE(who_takes_no_sessions_is_not_picked),
  };
  return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
