/* A system that has no SO_REUSEPORT, or a sandbox that refuses it: all workers accept from one
 * socket, and none needs the others for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/seam.h"
#include "support/farm.h"

#include <errno.h>
#include <unistd.h>

/* What each listening socket is set: TCP_NODELAY, TCP_NOTSENT_LOWAT, SO_REUSEADDR. */
#define OPTIONS 3
/* After those of the socket that is bound alone: the first setsockopt of one that is to share its
 * port. */
#define REUSE_PORT_CALL (OPTIONS + 1)

/* A farm whose first worker's socket, or whose second one's, is refused the option. */
static FaultCount start_refused(Farm *farm, size_t call, int error) {
  const FaultPlan plan = {.point = FAULT_SETSOCKOPT, .first = call, .error = error};
  faults_arm(&plan);
  farm_start(farm, 2);
  return faults_disarm();
}

static void serve(Farm *farm, size_t worker) {
  FarmSession *session = farm_open(farm, worker);
  farm_connect(session);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  farm_handshake(session);
  farm_assert_packet_comes(session);
}

/* Sessions of both workers are reached; the option is not asked for again. */
static void refused_option_is_done_without(void **state) {
  static const int errors[] = {ENOPROTOOPT, EINVAL, EPERM};
  (void)state;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    Farm farm;
    FaultCount count = start_refused(&farm, REUSE_PORT_CALL, errors[i]);
    assert_int_equal(count.hits, 1);
    assert_int_equal(count.calls, 2 * OPTIONS + 1); /* the one socket was bound twice */
    for (size_t n = 0; n < 8; n++)
      serve(&farm, n % 2);
    farm_end(&farm);
  }
}

/* The same for a worker that is refused what the first one was granted. */
static void late_refusal_is_done_without(void **state) {
  Farm farm;
  (void)state;
  FaultCount count = start_refused(&farm, REUSE_PORT_CALL + OPTIONS + 1, EPERM);
  assert_int_equal(count.hits, 1);
  for (size_t n = 0; n < 8; n++)
    serve(&farm, n % 2);
  farm_end(&farm);
}

/* Whichever worker ends, the other one accepts. */
static void each_worker_accepts_alone(void **state) {
  (void)state;
  for (size_t ends = 0; ends < 2; ends++) {
    Farm farm;
    start_refused(&farm, REUSE_PORT_CALL, ENOPROTOOPT);
    rtc_worker_stop(farm.workers[ends]);
    rtc_worker_join(farm.workers[ends]);
    for (size_t n = 0; n < 4; n++)
      serve(&farm, 1 - ends);
    for (size_t n = 0; n < 4; n++)
      farm_run_on(farm.workers[1 - ends], farm_drop_handle, &farm.sessions[n]);
    rtc_server_close(farm.server, farm_on_closed, &farm);
    farm_await_closed(&farm);
    farm_end(&farm);
  }
}

int main(void) {
#define CASE(function) cmocka_unit_test_setup_teardown(function, farm_setup, NULL)
  const struct CMUnitTest tests[] = {
      CASE(refused_option_is_done_without),
      CASE(late_refusal_is_done_without),
      CASE(each_worker_accepts_alone),
  };
  return cmocka_run_group_tests_name("reuse port", tests, NULL, NULL);
}
