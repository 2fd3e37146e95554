/* A server's own beginning and end: what it refuses, and that on_closed comes once, when nothing of
 * the server is touched any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/peer.h"

#include <rtctcp/rtctcp.h>

#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* -- Helpers -- */

static RtcWorker *start_worker(void) {
  RtcWorker *worker;
  const RtcWorkerConfig config = {.name = "test"};
  assert_int_equal(rtc_worker_new(&worker, &config), RTC_OK);
  return worker;
}

static void end_worker(RtcWorker *worker) {
  rtc_worker_stop(worker);
  rtc_worker_join(worker);
  rtc_worker_destroy(worker);
}

static RtcError make_server(RtcServer **server, RtcWorker *const *workers, size_t worker_count,
                            const char *listen, size_t *failed) {
  RtcServerConfig config;
  rtc_server_config_init(&config);
  config.workers = workers;
  config.worker_count = worker_count;
  config.listen = &listen;
  config.listen_count = listen ? 1 : 0;
  return rtc_server_new(server, &config, failed);
}

static RtcServer *start_server(RtcWorker *const *workers, size_t worker_count) {
  RtcServer *server;
  assert_int_equal(make_server(&server, workers, worker_count, "127.0.0.1:0", NULL), RTC_OK);
  return server;
}

static void post_semaphore(void *arg) {
  sem_post(arg);
}

static void wait_semaphore(void *arg) {
  while (sem_wait(arg) != 0)
    ;
}

/* Until the worker has run what was posted before. */
static void settle(RtcWorker *worker) {
  sem_t done;
  sem_init(&done, 0, 0);
  assert_int_equal(rtc_worker_post(worker, post_semaphore, &done), RTC_OK);
  wait_semaphore(&done);
  sem_destroy(&done);
}

static void end_server(RtcServer *server) {
  sem_t closed;
  int left;
  sem_init(&closed, 0, 0);
  rtc_server_close(server, post_semaphore, &closed);
  wait_semaphore(&closed);
  rtc_server_destroy(server);
  sem_getvalue(&closed, &left);
  assert_int_equal(left, 0);
  sem_destroy(&closed);
}

static int setup(void **state) {
  static size_t before;
  end_worker(start_worker()); /* libuv keeps a pipe from the first loop on */
  before = descriptors_open();
  *state = &before;
  return 0;
}

static int teardown(void **state) {
  assert_int_equal(descriptors_open(), *(size_t *)*state);
  return 0;
}

/* -- Cases -- */

/* What can't be listened on is told, and says which text it was. */
static void unusable_addresses_are_refused(void **state) {
  (void)state;
  RtcWorker *worker = start_worker();
  RtcServer *server = start_server(&worker, 1), *second = NULL;
  char taken[32];
  snprintf(taken, sizeof taken, "127.0.0.1:%u", rtc_server_port(server, 0));
  const struct {
    const char *listen;
    RtcError error;
  } cases[] = {{taken, RTC_ERROR_ADDRESS_IN_USE},
               {"127.0.0.1:65536", RTC_ERROR_INVALID_ARGUMENT},
               {"127.0.0.1", RTC_ERROR_INVALID_ARGUMENT},
               {"localhost.invalid:80", RTC_ERROR_INVALID_ARGUMENT},
               {"[::1:80", RTC_ERROR_INVALID_ARGUMENT},
               {"", RTC_ERROR_INVALID_ARGUMENT}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    size_t failed = 99;
    RtcError error = make_server(&second, &worker, 1, cases[i].listen, &failed);
    if (error != cases[i].error)
      fail_msg("%s: %s", cases[i].listen, rtc_error_name(error));
    assert_null(second);
    assert_int_equal(failed, 0);
  }
  assert_int_equal(make_server(&second, NULL, 0, "127.0.0.1:0", NULL), RTC_ERROR_INVALID_ARGUMENT);
  end_server(server);
  end_worker(worker);
}

/* The workers of one server share its port; two servers never do, be they of the same user. */
static void servers_of_several_workers_do_not_share_a_port(void **state) {
  (void)state;
  RtcWorker *workers[2] = {start_worker(), start_worker()};
  RtcServer *server = start_server(workers, 2), *second = NULL;
  char taken[32];
  snprintf(taken, sizeof taken, "127.0.0.1:%u", rtc_server_port(server, 0));
  assert_int_equal(make_server(&second, workers, 2, taken, NULL), RTC_ERROR_ADDRESS_IN_USE);
  assert_int_equal(make_server(&second, workers, 1, taken, NULL), RTC_ERROR_ADDRESS_IN_USE);
  end_server(server);
  for (size_t i = 0; i < COUNT_OF(workers); i++)
    end_worker(workers[i]);
}

/* A server may be closed before its workers have heard of it. */
static void server_may_be_closed_at_once(void **state) {
  (void)state;
  RtcWorker *workers[2] = {start_worker(), start_worker()};
  for (size_t count = 1; count <= COUNT_OF(workers); count++)
    end_server(start_server(workers, count));
  for (size_t i = 0; i < COUNT_OF(workers); i++)
    end_worker(workers[i]);
}

/* Once every worker has stopped, the close is over before rtc_server_close returns. */
static void server_may_be_closed_after_its_workers(void **state) {
  (void)state;
  RtcWorker *worker = start_worker();
  RtcServer *server = start_server(&worker, 1);
  rtc_worker_stop(worker);
  rtc_worker_join(worker);
  end_server(server);
  rtc_worker_destroy(worker);
}

static void open_session(RtcConnection **connection, RtcServer *server, RtcWorker *worker) {
  RtcSdpTransport offer;
  RtcPeer *peer = peer_new(NULL);
  peer_local_transport(peer, &offer);
  peer_destroy(peer);
  const RtcConnectionConfig config = {.remote = &offer};
  assert_int_equal(rtc_connection_new(connection, server, worker, &config), RTC_OK);
}

typedef struct Held {
  RtcServer *server;
  RtcWorker *worker;
  RtcConnection *connection; /* owned: a handle */
  sem_t done;
} Held;

static void hold(void *arg) {
  Held *held = arg;
  open_session(&held->connection, held->server, held->worker);
  sem_post(&held->done);
}

static void let_go(void *arg) {
  Held *held = arg;
  rtc_connection_unref(&held->connection);
  sem_post(&held->done);
}

/* A close that meets a worker in the middle of its stop: on_closed has come, so the server may be
 * destroyed, and nothing that waits in the worker's mailbox may touch it. A second server, whose
 * session a host still holds, keeps the worker from leaving meanwhile. */
static void closed_server_is_not_touched_by_a_stopping_worker(void **state) {
  (void)state;
  RtcWorker *worker = start_worker();
  RtcServer *server = start_server(&worker, 1);
  Held held = {.server = start_server(&worker, 1), .worker = worker};
  sem_t gate;
  sem_init(&gate, 0, 0);
  sem_init(&held.done, 0, 0);
  assert_int_equal(rtc_worker_post(worker, hold, &held), RTC_OK);
  wait_semaphore(&held.done);
  rtc_worker_stop(worker);
  for (int turn = 0; turn < 20; turn++) { /* the first server's share closes meanwhile */
    settle(worker);
    usleep(1000);
  }
  assert_int_equal(rtc_worker_post(worker, wait_semaphore, &gate), RTC_OK);
  sem_t closed;
  sem_init(&closed, 0, 0);
  rtc_server_close(server, post_semaphore, &closed);
  bool at_once = sem_trywait(&closed) == 0;
  if (at_once)
    rtc_server_destroy(server);
  sem_post(&gate);
  if (!at_once) {
    wait_semaphore(&closed);
    rtc_server_destroy(server);
  }
  assert_int_equal(rtc_worker_post(worker, let_go, &held), RTC_OK);
  wait_semaphore(&held.done);
  rtc_worker_join(worker);
  end_server(held.server);
  rtc_worker_destroy(worker);
  sem_destroy(&gate);
  sem_destroy(&closed);
  sem_destroy(&held.done);
}

int main(void) {
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(unusable_addresses_are_refused),
      CASE(server_may_be_closed_at_once),
      CASE(servers_of_several_workers_do_not_share_a_port),
      CASE(server_may_be_closed_after_its_workers),
      CASE(closed_server_is_not_touched_by_a_stopping_worker),
  };
  return cmocka_run_group_tests_name("servers", tests, NULL, NULL);
}
