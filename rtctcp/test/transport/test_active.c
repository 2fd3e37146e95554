/* The active side of a session, against the library's own passive side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/duo.h"

#include <netinet/in.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const DuoConfig one_worker = {0};
static const DuoConfig two_workers = {.two_workers = true};
static const DuoConfig ipv6 = {.listen = "[::1]:0"};

/* -- The way it should go -- */

/* Its offer leaves the choice: the passive side awaits the ClientHello. */
static void it_connects_and_media_flows_both_ways(void **state) {
  Duo *duo = *state;
  duo_open_connected(duo, RTC_SETUP_NONE);
  assert_int_equal(duo->active.local.setup, RTC_SETUP_ACTIVE);
  duo_assert_media_flows(duo);
}

static void it_is_the_dtls_server_where_its_offer_says_so(void **state) {
  Duo *duo = *state;
  duo_open_connected(duo, RTC_SETUP_PASSIVE);
  assert_int_equal(duo->active.local.setup, RTC_SETUP_PASSIVE);
  duo_assert_media_flows(duo);
}

/* DTLS and SRTP go on, on another TCP conn. */
static void a_lost_tcp_conn_is_opened_again(void **state) {
  Duo *duo = *state;
  duo_open_connected(duo, RTC_SETUP_NONE);
  duo_lose_tcp(&duo->active);
  duo_await_count(&duo->active, RTC_CONNECTION_STATE_CONNECTED, 2);
  duo_await_count(&duo->passive, RTC_CONNECTION_STATE_CONNECTED, 2);
  duo_assert_media_flows(duo);
  duo_lose_tcp(&duo->passive);
  duo_await_count(&duo->active, RTC_CONNECTION_STATE_CONNECTED, 3);
  duo_await_count(&duo->passive, RTC_CONNECTION_STATE_CONNECTED, 3);
  duo_assert_media_flows(duo);
}

/* -- What it tells, and what it is told -- */

static void it_offers_an_active_candidate(void **state) {
  Duo *duo = *state;
  duo_open_active(duo, RTC_SETUP_NONE);
  const RtcSdpTransport *local = &duo->active.local;
  assert_false(local->ice_lite);
  assert_int_equal(local->setup, RTC_SETUP_ACTPASS);
  assert_int_equal(local->fingerprint_count, 1);
  assert_int_equal(local->candidate_count, 1);
  assert_true(local->candidates[0].tcp);
  assert_int_equal(local->candidates[0].tcp_type, RTC_TCP_TYPE_ACTIVE);
  assert_int_equal(local->candidates[0].port, 9);

  char text[2048];
  size_t len;
  RtcCandidate read;
  assert_int_equal(rtc_sdp_transport_write(local, text, sizeof text, &len), RTC_OK);
  const char *line = strstr(text, "candidate:");
  assert_non_null(line);
  assert_int_equal(rtc_sdp_candidate_parse(&read, line, strcspn(line, "\r\n")), RTC_OK);
}

/* Each leaves it as it was: the right answer still connects it. */
static void what_it_can_not_connect_to_is_told(void **state) {
  Duo *duo = *state;
  duo_open_active(duo, RTC_SETUP_ACTIVE);
  duo_open_passive(duo, &duo->active.local);
  const RtcSdpTransport right = duo->passive.local;
  RtcSdpTransport wrong = right;
  wrong.setup = RTC_SETUP_ACTIVE;
  assert_int_equal(duo_connect(duo, &wrong), RTC_ERROR_INVALID_ARGUMENT);
  wrong = right;
  wrong.pwd[0] = '\0';
  assert_int_equal(duo_connect(duo, &wrong), RTC_ERROR_INVALID_ARGUMENT);
  wrong = right;
  wrong.fingerprint_count = 0;
  assert_int_equal(duo_connect(duo, &wrong), RTC_ERROR_INVALID_ARGUMENT);
  wrong = right;
  wrong.candidates[0].tcp_type = RTC_TCP_TYPE_ACTIVE;
  assert_int_equal(duo_connect(duo, &wrong), RTC_ERROR_NOT_FOUND);
  wrong = right;
  strcpy(wrong.candidates[0].address, "name.local");
  assert_int_equal(duo_connect(duo, &wrong), RTC_ERROR_NOT_FOUND);
  assert_int_equal(duo_connect(duo, &right), RTC_OK);
  assert_int_equal(duo_connect(duo, &right), RTC_ERROR_INVALID_STATE);
  duo_await_state(&duo->active, RTC_CONNECTION_STATE_CONNECTED);
  duo_close(&duo->active);
  assert_int_equal(duo_connect(duo, &right), RTC_ERROR_CLOSED);
}

static void add_and_remove_stream(void *arg) {
  DuoSide *side = arg;
  const RtcStreamConfig config = {.ssrc = 5, .payload_type = 96, .clock_rate = 90000};
  assert_int_equal(rtc_connection_add_stream(&side->stream, side->connection, &config), RTC_OK);
  rtc_connection_remove_stream(side->connection, &side->stream);
  assert_int_equal(rtc_connection_add_stream(&side->stream, side->connection, &config), RTC_OK);
  rtc_connection_remove_stream(side->connection, &side->stream);
}

/* There is no DTLS yet, and what looks for it must not mind. */
static void before_it_connects_it_may_be_used_and_closed(void **state) {
  Duo *duo = *state;
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_run(&duo->active, add_and_remove_stream, &duo->active);
  duo_close(&duo->active);
  duo_await_closed(&duo->active, RTC_CLOSE_HOST);
}

static void open_passive_here(void *arg) {
  DuoSide *side = arg;
  RtcConnection *connection;
  const RtcConnectionConfig config = {.remote = &side->local};
  assert_int_equal(rtc_connection_new(&connection, side->server, side->worker, &config),
                   RTC_ERROR_INVALID_STATE);
}

static void a_server_without_listener_has_no_passive_sessions(void **state) {
  Duo *duo = *state;
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_run(&duo->active, open_passive_here, &duo->active);
}

/* -- Candidates that fail -- */

/* A port of the loopback on which nothing listens, for as long as the socket is there; or one that
 * accepts, and never says anything. */
static int take_port(bool listens, int backlog, uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
  if (listens)
    assert_int_equal(listen(fd, backlog), 0);
  *port = ntohs(address.sin_port);
  return fd;
}

static RtcServerStats stats_of(DuoSide *side) {
  RtcServerStats stats;
  duo_stats(side, &stats);
  return stats;
}

static uint64_t closes_of(DuoSide *side, RtcTcpClose close) {
  return stats_of(side).tcp_closes[close];
}

/* The best candidate's port is one where nothing listens. */
static void the_next_candidate_is_tried(void **state) {
  Duo *duo = *state;
  uint16_t port;
  int fd = take_port(false, 0, &port);
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_open_passive(duo, &duo->active.local);
  RtcSdpTransport remote = duo->passive.local;
  remote.candidates[1] = remote.candidates[0];
  remote.candidates[1].priority++;
  remote.candidates[1].port = port;
  remote.candidate_count = 2;
  assert_int_equal(duo_connect(duo, &remote), RTC_OK);
  duo_await_state(&duo->active, RTC_CONNECTION_STATE_CONNECTED);
  duo_await_state(&duo->passive, RTC_CONNECTION_STATE_CONNECTED);
  duo_assert_media_flows(duo);
  assert_true(closes_of(&duo->active, RTC_TCP_CLOSE_CONNECT_FAILED) > 0);
  close(fd);
}

/* The best candidate's peer accepts, and says nothing: the next one's turn comes before that is
 * given up, and the first is let go as soon as the other is nominated. */
static void what_is_not_needed_is_let_go(void **state) {
  Duo *duo = *state;
  uint16_t port;
  int fd = take_port(true, 16, &port);
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_open_passive(duo, &duo->active.local);
  RtcSdpTransport remote = duo->passive.local;
  remote.candidates[1] = remote.candidates[0];
  remote.candidates[1].priority++;
  remote.candidates[1].port = port;
  remote.candidate_count = 2;
  assert_int_equal(duo_connect(duo, &remote), RTC_OK);
  duo_await_state(&duo->active, RTC_CONNECTION_STATE_CONNECTED);
  duo_await_stat(&duo->active,
                 offsetof(RtcServerStats, tcp_closes) + RTC_TCP_CLOSE_UNNEEDED * sizeof(uint64_t),
                 1);
  assert_int_equal(stats_of(&duo->active).tcp_conns.total, 2);
  close(fd);
}

/* More candidates than may be tried at once, and only the worst is good. */
static void every_candidate_has_its_turn(void **state) {
  Duo *duo = *state;
  uint16_t port;
  int fd = take_port(false, 0, &port);
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_open_passive(duo, &duo->active.local);
  RtcSdpTransport remote = duo->passive.local;
  for (size_t i = 1; i < 8; i++) {
    remote.candidates[i] = remote.candidates[0];
    remote.candidates[i].priority += (uint32_t)i;
    remote.candidates[i].port = port;
  }
  remote.candidate_count = 8;
  assert_int_equal(duo_connect(duo, &remote), RTC_OK);
  duo_await_state(&duo->active, RTC_CONNECTION_STATE_CONNECTED);
  close(fd);
}

/* Connects the active side alone to this port. */
static void connect_to(Duo *duo, uint16_t port) {
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_open_passive(duo, &duo->active.local);
  RtcSdpTransport remote = duo->passive.local;
  remote.candidates[0].port = port;
  assert_int_equal(duo_connect(duo, &remote), RTC_OK);
}

static const DuoConfig short_times = {.session_timeout_ms = 700, .connect_timeout_ms = 150};

static void a_refused_candidate_is_tried_again_until_the_timeout(void **state) {
  Duo *duo = *state;
  uint16_t port;
  int fd = take_port(false, 0, &port);
  connect_to(duo, port);
  duo_await_closed(&duo->active, RTC_CLOSE_NEVER_CONNECTED);
  duo_await_stat(
      &duo->active,
      offsetof(RtcServerStats, tcp_closes) + RTC_TCP_CLOSE_CONNECT_FAILED * sizeof(uint64_t), 2);
  close(fd);
}

/* Its backlog is full: the kernel drops what comes more. */
static void a_peer_that_does_not_accept_is_given_up(void **state) {
  Duo *duo = *state;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  uint16_t port;
  int fds[4] = {take_port(true, 0, &port)};
  address.sin_port = htons(port);
  for (size_t i = 1; i < 4; i++) {
    fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)connect(fds[i], (struct sockaddr *)&address, sizeof address);
  }
  connect_to(duo, port);
  duo_await_closed(&duo->active, RTC_CLOSE_NEVER_CONNECTED);
  assert_true(closes_of(&duo->active, RTC_TCP_CLOSE_CONNECT_FAILED) > 0);
  assert_int_equal(closes_of(&duo->active, RTC_TCP_CLOSE_CHECK_FAILED), 0);
  for (size_t i = 0; i < 4; i++)
    close(fds[i]);
}

static void a_peer_that_never_answers_is_given_up(void **state) {
  Duo *duo = *state;
  uint16_t port;
  int fd = take_port(true, 16, &port);
  connect_to(duo, port);
  duo_await_closed(&duo->active, RTC_CLOSE_NEVER_CONNECTED);
  assert_true(closes_of(&duo->active, RTC_TCP_CLOSE_CHECK_FAILED) > 0);
  close(fd);
}

static void a_wrong_password_never_connects(void **state) {
  Duo *duo = *state;
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_open_passive(duo, &duo->active.local);
  RtcSdpTransport remote = duo->passive.local;
  remote.pwd[0] ^= 1;
  assert_int_equal(duo_connect(duo, &remote), RTC_OK);
  duo_await_closed(&duo->active, RTC_CLOSE_NEVER_CONNECTED);
  assert_true(closes_of(&duo->active, RTC_TCP_CLOSE_CHECK_FAILED) > 0);
  assert_true(closes_of(&duo->passive, RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED) > 0);
  assert_int_equal(stats_of(&duo->passive).handshakes, 0);
}

static void a_wrong_fingerprint_ends_both(void **state) {
  Duo *duo = *state;
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_open_passive(duo, &duo->active.local);
  RtcSdpTransport remote = duo->passive.local;
  remote.fingerprints[0].value[0] ^= 1;
  assert_int_equal(duo_connect(duo, &remote), RTC_OK);
  duo_await_closed(&duo->active, RTC_CLOSE_FINGERPRINT);
  duo_await_closed(&duo->passive, RTC_CLOSE_PEER_ALERT);
}

/* -- Consent -- */

static const DuoConfig one_second = {
    .two_workers = true, .session_timeout_ms = 1000, .grace_ms = 500};

/* Without media only binding requests and their responses are heard, on either side. */
static void checks_keep_an_idle_session(void **state) {
  Duo *duo = *state;
  const struct timespec time = {.tv_sec = 2, .tv_nsec = 500000000};
  duo_open_connected(duo, RTC_SETUP_NONE);
  nanosleep(&time, NULL);
  assert_int_equal(duo_state(&duo->active), RTC_CONNECTION_STATE_CONNECTED);
  assert_int_equal(duo_state(&duo->passive), RTC_CONNECTION_STATE_CONNECTED);
  RtcServerStats stats = stats_of(&duo->active);
  assert_int_equal(stats.drops[RTC_DROP_STUN], 0);
  assert_int_equal(stats.tcp_conns.total, 1);
  duo_assert_media_flows(duo);
}

static void hold_worker(void *arg) {
  while (sem_wait(arg) != 0)
    ;
}

/* The peer's worker is held up: nothing is answered, and the TCP conn stays. */
static void a_silent_peer_ends_the_session(void **state) {
  Duo *duo = *state;
  sem_t go_on;
  duo_open_connected(duo, RTC_SETUP_NONE);
  sem_init(&go_on, 0, 0);
  assert_int_equal(rtc_worker_post(duo->passive.worker, hold_worker, &go_on), RTC_OK);
  duo_await_state(&duo->active, RTC_CONNECTION_STATE_CLOSED);
  sem_post(&go_on);
  duo_await_closed(&duo->active, RTC_CLOSE_TIMEOUT);
  duo_await_state(&duo->passive, RTC_CONNECTION_STATE_CLOSED);
  sem_destroy(&go_on);
}

/* -- Losing, and restarting -- */

static const DuoConfig no_grace = {.grace_ms = -1};

static void without_a_grace_a_lost_tcp_conn_is_the_end(void **state) {
  Duo *duo = *state;
  duo_open_connected(duo, RTC_SETUP_NONE);
  duo_lose_tcp(&duo->active);
  duo_await_closed(&duo->active, RTC_CLOSE_TCP_LOST);
  duo_await_closed(&duo->passive, RTC_CLOSE_TCP_LOST);
}

typedef struct Restart {
  DuoSide *side;
  const RtcSdpTransport *remote; /* NULL: the side's own part alone */
  RtcError error;
} Restart;

static void restart_ice(void *arg) {
  Restart *restart = arg;
  restart->error = rtc_connection_restart_ice(restart->side->connection, restart->remote);
  rtc_connection_local_transport(restart->side->connection, &restart->side->local);
}

static void do_restart(DuoSide *side, const RtcSdpTransport *remote) {
  Restart restart = {.side = side, .remote = remote};
  duo_run(side, restart_ice, &restart);
  assert_int_equal(restart.error, RTC_OK);
}

/* Offer, answer, and the session is on another TCP conn, with other credentials, and was never
 * disconnected. */
static void an_ice_restart_moves_the_session(void **state) {
  Duo *duo = *state;
  duo_open_connected(duo, RTC_SETUP_NONE);
  const RtcSdpTransport before = duo->active.local;
  do_restart(&duo->active, NULL);
  assert_string_not_equal(duo->active.local.ufrag, before.ufrag);
  do_restart(&duo->passive, &duo->active.local);
  do_restart(&duo->active, &duo->passive.local);
  duo_await_stat(
      &duo->active,
      offsetof(RtcServerStats, tcp_closes) + RTC_TCP_CLOSE_ICE_RESTART * sizeof(uint64_t), 1);
  duo_assert_media_flows(duo);
  duo_lose_tcp(&duo->active);
  duo_await_count(&duo->active, RTC_CONNECTION_STATE_CONNECTED, 2);
  duo_await_count(&duo->passive, RTC_CONNECTION_STATE_CONNECTED, 2);
  duo_assert_media_flows(duo);
}

/* -- Ends -- */

/* From its callback, either side closes in each state; nothing is left. */
static void either_side_may_close_in_each_state(void **state) {
  static const RtcConnectionState states[] = {RTC_CONNECTION_STATE_CONNECTING,
                                              RTC_CONNECTION_STATE_CONNECTED,
                                              RTC_CONNECTION_STATE_DISCONNECTED};
  Duo *duo = *state;
  for (size_t i = 0; i < 6; i++) {
    DuoSide *closer = i % 2 ? &duo->passive : &duo->active;
    DuoSide *other = i % 2 ? &duo->active : &duo->passive;
    closer->closes_in = true;
    closer->closes_at = states[i / 2];
    duo_open_active(duo, RTC_SETUP_NONE);
    duo_open_passive(duo, &duo->active.local);
    assert_int_equal(duo_connect(duo, &duo->passive.local), RTC_OK);
    if (closer->closes_at == RTC_CONNECTION_STATE_DISCONNECTED) {
      duo_await_state(other, RTC_CONNECTION_STATE_CONNECTED);
      duo_await_state(closer, RTC_CONNECTION_STATE_CONNECTED);
      duo_lose_tcp(closer);
    }
    duo_await_closed(closer, RTC_CLOSE_HOST);
    duo_forget(duo);
  }
}

/* Before its coroutine's first step, while it connects, and while it awaits a response. */
static void it_may_be_closed_before_it_is_connected(void **state) {
  Duo *duo = *state;
  uint16_t port;
  int fd = take_port(true, 16, &port);
  connect_to(duo, port);
  duo_close(&duo->active);
  duo_await_closed(&duo->active, RTC_CLOSE_HOST);
  close(fd);
  duo_forget(duo);

  fd = take_port(true, 16, &port);
  connect_to(duo, port);
  int peer = accept(fd, NULL, NULL);
  uint8_t first;
  assert_true(peer >= 0);
  assert_int_equal(recv(peer, &first, 1, 0), 1); /* its check has come */
  duo_close(&duo->active);
  close(peer);
  close(fd);
  duo_forget(duo);
}

static void connect_and_close(void *arg) {
  DuoSide *side = arg;
  assert_int_equal(rtc_connection_connect(side->connection, &side->duo->passive.local), RTC_OK);
  rtc_connection_close(side->connection);
}

static void it_may_be_closed_in_the_turn_it_connects(void **state) {
  Duo *duo = *state;
  duo_open_active(duo, RTC_SETUP_NONE);
  duo_open_passive(duo, &duo->active.local);
  duo_run(&duo->active, connect_and_close, &duo->active);
  duo_await_closed(&duo->active, RTC_CLOSE_HOST);
}

#define TEST(test, config)                                                                         \
  { #test " (" #config ")", test, duo_setup, duo_teardown, (void *)(uintptr_t) & (config) }

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(it_connects_and_media_flows_both_ways, one_worker),
      TEST(it_connects_and_media_flows_both_ways, two_workers),
      TEST(it_connects_and_media_flows_both_ways, ipv6),
      TEST(it_is_the_dtls_server_where_its_offer_says_so, one_worker),
      TEST(it_is_the_dtls_server_where_its_offer_says_so, two_workers),
      TEST(a_lost_tcp_conn_is_opened_again, one_worker),
      TEST(a_lost_tcp_conn_is_opened_again, two_workers),
      TEST(it_offers_an_active_candidate, one_worker),
      TEST(what_it_can_not_connect_to_is_told, one_worker),
      TEST(before_it_connects_it_may_be_used_and_closed, one_worker),
      TEST(a_server_without_listener_has_no_passive_sessions, one_worker),
      TEST(the_next_candidate_is_tried, one_worker),
      TEST(what_is_not_needed_is_let_go, one_worker),
      TEST(every_candidate_has_its_turn, one_worker),
      TEST(a_refused_candidate_is_tried_again_until_the_timeout, short_times),
      TEST(a_peer_that_does_not_accept_is_given_up, short_times),
      TEST(a_peer_that_never_answers_is_given_up, short_times),
      TEST(a_wrong_password_never_connects, short_times),
      TEST(a_wrong_fingerprint_ends_both, two_workers),
      TEST(checks_keep_an_idle_session, one_second),
      TEST(a_silent_peer_ends_the_session, one_second),
      TEST(without_a_grace_a_lost_tcp_conn_is_the_end, no_grace),
      TEST(an_ice_restart_moves_the_session, one_worker),
      TEST(an_ice_restart_moves_the_session, two_workers),
      TEST(either_side_may_close_in_each_state, one_worker),
      TEST(either_side_may_close_in_each_state, two_workers),
      TEST(it_may_be_closed_before_it_is_connected, one_worker),
      TEST(it_may_be_closed_in_the_turn_it_connects, one_worker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
