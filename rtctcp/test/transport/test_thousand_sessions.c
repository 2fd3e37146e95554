/* A thousand sessions, opened and ended in turn in all ways: after them there is no more of
 * anything than after the first hundred. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/host.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Under Valgrind a session takes a hundred times as long; a leak it finds in fewer. */
#define WARM_UP  (RUNNING_ON_VALGRIND ? 20u : 100u)
#define SESSIONS (RUNNING_ON_VALGRIND ? 60u : 1000u)

/* Without its per-thread caches (see main) malloc gives out the same octets at both moments, but
 * for a table or two of the libraries that may have another size then. The smallest leak a session,
 * 32 octets as malloc counts them, comes to 28,800 over the 900 sessions between them. [octets] */
#define HEAP_TOLERANCE ((size_t)4 * 1024)

#define ALERT_INTERNAL_ERROR 80

/* -- Ways to end -- */

static void host_ends_it(Host *host) {
  HostSession *session = host_open_connected(host, NULL);
  host_assert_media_flows(session);
  host_close_connection(session);
  host_await_closed(session, RTC_CLOSE_HOST);
  assert_int_equal(peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
}

static void host_ends_its_tcp_conn(Host *host) {
  HostSession *session = host_open_connected(host, NULL);
  host_assert_media_flows(session);
  host_close_tcp_conn(session);
  host_await_closed(session, RTC_CLOSE_HOST);
}

static void host_ends_it_unjoined(Host *host) {
  HostSession *session = host_open(host, NULL);
  host_close_connection(session);
  host_await_closed(session, RTC_CLOSE_HOST);
}

static void peer_notifies(Host *host) {
  HostSession *session = host_open_connected(host, NULL);
  host_assert_media_flows(session);
  assert_int_equal(peer_close_notify(session->peer), PEER_OK);
  host_await_closed(session, RTC_CLOSE_PEER);
}

static void peer_alerts(Host *host) {
  HostSession *session = host_open_connected(host, NULL);
  assert_int_equal(peer_fatal_alert(session->peer, ALERT_INTERNAL_ERROR), PEER_OK);
  host_await_closed(session, RTC_CLOSE_PEER_ALERT);
}

static void peer_is_lost(Host *host) {
  HostSession *session = host_open_connected(host, NULL);
  host_assert_media_flows(session);
  peer_fin(session->peer, 0);
  host_await_closed(session, RTC_CLOSE_TCP_LOST);
}

static void peer_resets_in_the_handshake(Host *host) {
  HostSession *session = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  peer_rst(session->peer, 0);
  host_await_closed(session, RTC_CLOSE_TCP_LOST);
}

static void peer_changes_its_conn(Host *host) {
  HostSession *session = host_open_connected(host, NULL);
  RtcPeer *peer = session->peer;
  assert_int_equal(peer_connect_conn(peer, 1, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(peer, 1, PEER_USE_CANDIDATE), PEER_OK);
  peer_rst(peer, 0);
  host_assert_media_flows(session);
  assert_int_equal(peer_close_notify(peer), PEER_OK);
  host_await_closed(session, RTC_CLOSE_PEER);
}

static void peer_is_refused_at_the_door(Host *host) {
  HostSession *session = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(session->peer, 0, PEER_BAD_INTEGRITY), 401);
  assert_int_equal(peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  host_close_connection(session);
  host_await_closed(session, RTC_CLOSE_HOST);
}

static void peer_is_another(Host *host) {
  RtcSdpTransport offer;
  RtcPeer *peer = peer_new(NULL);
  assert_non_null(peer);
  peer_local_transport(peer, &offer);
  offer.fingerprints[0].value[7] ^= 1;
  HostSession *session = host_open_as(host, peer, &offer);
  assert_int_equal(peer_connect(peer, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake(peer, PEER_TIMEOUT_MS), PEER_ALERT);
  host_await_closed(session, RTC_CLOSE_FINGERPRINT);
}

/* Ten, so that both measurements fall on the same place of the round. */
static void (*const endings[])(Host *host) = {
    host_ends_it,
    host_ends_its_tcp_conn,
    host_ends_it_unjoined,
    peer_notifies,
    peer_alerts,
    peer_is_lost,
    peer_resets_in_the_handshake,
    peer_changes_its_conn,
    peer_is_refused_at_the_door,
    peer_is_another,
};

/* -- What there is -- */

typedef struct Holdings {
  size_t heap; /* that malloc has given out, of all arenas [octets] */
  size_t descriptors;
  uint64_t stacks; /* mapped, without a coroutine */
} Holdings;

typedef struct WorkerReading {
  Host *host;
  RtcWorkerStats stats;
} WorkerReading;

static void read_worker(void *arg) {
  WorkerReading *reading = arg;
  rtc_worker_stats(reading->host->worker, &reading->stats);
}

static Holdings measure(Host *host) {
  host_await_idle(host); /* live counts, coroutines and descriptors are asserted there */
  WorkerReading reading = {.host = host};
  host_run(host, read_worker, &reading);
  struct mallinfo2 info = mallinfo2();
  return (Holdings){.heap = info.uordblks + info.hblkhd,
                    .descriptors = descriptors_open(),
                    .stacks = reading.stats.stacks_pooled};
}

static void run_sessions(Host *host, unsigned from, unsigned to) {
  for (unsigned i = from; i < to; i++) {
    endings[i % COUNT_OF(endings)](host);
    host_forget(&host->sessions[0]);
  }
}

static void nothing_grows_over_a_thousand_sessions(void **state) {
  Host *host = *state;
  RtcServerStats stats;
  run_sessions(host, 0, WARM_UP);
  Holdings before = measure(host);
  run_sessions(host, WARM_UP, SESSIONS);
  Holdings after = measure(host);
  print_message("heap %zu, then %zu octets; %zu, then %zu descriptors; %u sessions\n", before.heap,
                after.heap, before.descriptors, after.descriptors, SESSIONS);
  assert_in_range(after.heap, 0, before.heap + HEAP_TOLERANCE);
  assert_int_equal(after.descriptors, before.descriptors);
  assert_in_range(after.stacks, 0, before.stacks);
  host_stats(host, &stats);
  assert_int_equal(stats.connections.total, SESSIONS);
  assert_int_equal(stats.closes[RTC_CLOSE_HOST], SESSIONS / 10 * 4);
  assert_int_equal(stats.closes[RTC_CLOSE_PEER], SESSIONS / 10 * 2);
  assert_int_equal(stats.closes[RTC_CLOSE_TCP_LOST], SESSIONS / 10 * 2);
  assert_int_equal(stats.closes[RTC_CLOSE_PEER_ALERT], SESSIONS / 10);
  assert_int_equal(stats.closes[RTC_CLOSE_FINGERPRINT], SESSIONS / 10);
}

/* Some hundred at once come and go, too. */
static void many_sessions_live_at_once(void **state) {
  Host *host = *state;
  HostSession *sessions[HOST_SESSIONS_MAX];
  size_t count = RUNNING_ON_VALGRIND ? 16 : HOST_SESSIONS_MAX;
  for (size_t i = 0; i < count; i++)
    sessions[i] = host_open_connected(host, NULL);
  for (size_t i = 0; i < count; i++)
    host_assert_media_flows(sessions[i]);
  HOST_AWAIT(host, connections.live, count);
  for (size_t i = 0; i < count; i++)
    host_close_connection(sessions[i]);
  for (size_t i = 0; i < count; i++)
    host_await_closed(sessions[i], RTC_CLOSE_HOST);
}

/* What malloc keeps in its per-thread caches counts as given out, and creeps up for thousands of
 * sessions: begin again without them. */
static void begin_without_malloc_caches(char **argv) {
  if (RUNNING_ON_VALGRIND || getenv("GLIBC_TUNABLES"))
    return;
  setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
  execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
  (void)argc;
  begin_without_malloc_caches(argv);
  static HostConfig short_grace = {.grace_ms = 10};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(nothing_grows_over_a_thousand_sessions, &short_grace),
      CASE(many_sessions_live_at_once, NULL),
  };
  return cmocka_run_group_tests_name("thousand sessions", tests, NULL, NULL);
}
