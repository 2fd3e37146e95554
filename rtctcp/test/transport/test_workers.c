/* A server of several workers: a socket finds its session from whichever worker has accepted it,
 * and what is under way between two workers is given back when one of them, or the server, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/farm.h"
#include "support/rtp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define UFRAG_NUMBER 3 /* characters of a ufrag that name its worker */

/* -- The way to the session -- */

/* Whoever accepts a socket, its session gets it, on two workers and on four. */
static void sessions_are_found_from_every_worker(void **state) {
  (void)state;
  static const size_t counts[] = {2, 4};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    Farm farm;
    farm_start(&farm, counts[i]);
    for (size_t n = 0; n < FARM_SESSIONS_MAX; n++) {
      FarmSession *session = farm_open(&farm, n % counts[i]);
      farm_connect(session);
      assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
      farm_handshake(session);
      farm_assert_packet_comes(session);
    }
    /* One in 2^24 runs accepts every socket where its session is. */
    uint64_t handed = FARM_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]);
    assert_true(handed > 0);
    assert_int_equal(FARM_SUM(&farm, tcp_conns.live), FARM_SESSIONS_MAX);
    assert_int_equal(FARM_SUM(&farm, tcp_conns.total), FARM_SESSIONS_MAX + handed);
    assert_int_equal(FARM_SUM(&farm, unauthenticated), 0);
    farm_end(&farm);
  }
}

/* The first frame may be cut anywhere; all of it goes along. */
static void cut_first_frames_are_handed_over_whole(void **state) {
  (void)state;
  Farm farm;
  farm_start(&farm, 2);
  for (size_t n = 0; n < FARM_SESSIONS_MAX; n++) {
    FarmSession *session = farm_open(&farm, n % 2);
    uint8_t frame[2 + PEER_STUN_MAX];
    farm_connect(session);
    int len = peer_make_request(session->peer, 0, PEER_USE_CANDIDATE, frame + 2);
    assert_true(len > 0);
    rtp_write16(frame, (uint16_t)len);
    size_t cut = 1 + n * (size_t)len / FARM_SESSIONS_MAX;
    assert_int_equal(peer_send_raw(session->peer, 0, frame, cut), PEER_OK);
    usleep(3000);
    assert_int_equal(peer_send_raw(session->peer, 0, frame + cut, 2 + (size_t)len - cut), PEER_OK);
    assert_int_equal(peer_await_response(session->peer, 0, PEER_TIMEOUT_MS), PEER_OK);
    farm_handshake(session);
  }
  assert_true(FARM_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  farm_end(&farm);
}

static void set_cork(const FarmSession *session, int on) {
  assert_int_equal(setsockopt(peer_fd(session->peer, 0), IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
}

/* DTLS right behind the first frame, in the same segment and cut by its end, is handed over too. */
static void frames_behind_the_first_are_handed_over(void **state) {
  (void)state;
  Farm farm;
  farm_start(&farm, 2);
  for (size_t n = 0; n < FARM_SESSIONS_MAX; n++) {
    FarmSession *session = farm_open(&farm, n % 2);
    farm_connect(session);
    set_cork(session, 1);
    assert_int_equal(peer_send_request(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
    set_cork(session, 0);
    assert_int_equal(peer_await_response(session->peer, 0, PEER_TIMEOUT_MS), PEER_OK);
    farm_handshake(session);
    farm_assert_packet_comes(session);
  }
  assert_true(FARM_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  farm_end(&farm);
}

/* A ufrag of no worker, or of no session of the worker that it names, ends the socket once. */
static void ufrags_of_nobody_are_refused(void **state) {
  (void)state;
  static const char *const numbers[] = {"fff", "002", "000", "001", "00A", "-01"};
  Farm farm;
  farm_start(&farm, 2);
  uint64_t refused = 0;
  for (size_t n = 0; n < sizeof numbers / sizeof *numbers * 3; n++) {
    RtcPeer *peer = peer_new(NULL);
    RtcSdpTransport answer;
    FarmSession *model = farm.session_count ? &farm.sessions[0] : farm_open(&farm, 0);
    answer = model->answer;
    memcpy(answer.ufrag, numbers[n / 3], UFRAG_NUMBER);
    answer.ufrag[UFRAG_NUMBER] ^= 1;
    assert_int_equal(peer_set_remote(peer, &answer), PEER_OK);
    assert_int_equal(peer_connect(peer, "127.0.0.1", farm.port), PEER_OK);
    assert_int_not_equal(peer_bind(peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_wait_closed(peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
    peer_destroy(peer);
    FARM_AWAIT_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_NO_SUCH_SESSION], ++refused);
  }
  assert_int_equal(atomic_load(&farm.sessions[0].state), RTC_CONNECTION_STATE_NEW);
  farm_end(&farm);
}

/* A conn's requests may name sessions of both workers in turn, and prove their passwords: it is
 * handed over once, and its deadline and its number of tries end it all the same. */
static void socket_is_handed_over_once(void **state) {
  enum { ROUNDS = 12 };
  (void)state;
  Farm farm;
  farm_start(&farm, 2);
  for (size_t n = 0; n < 4; n++) {
    FarmSession *pair[2] = {farm_open(&farm, 0), farm_open(&farm, 1)};
    uint64_t before = FARM_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]);
    int round = 0;
    farm_connect(pair[0]);
    int fd = dup(peer_fd(pair[0]->peer, 0));
    assert_int_equal(peer_adopt(pair[1]->peer, 0, fd), PEER_OK);
    while (round < ROUNDS) {
      FarmSession *session = pair[round % 2];
      if (peer_bind(session->peer, 0, PEER_CONTROLLED) != 487)
        break;
      round++;
    }
    assert_in_range(round, 1, 3);
    assert_in_range(FARM_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) - before, 0, 1);
  }
  farm_end(&farm);
}

/* Four times at least, and until a socket was accepted where its session is not: one in 2^24 runs
 * waits for that in vain. */
static bool is_enough(Farm *farm, int times) {
  return times >= 24 || (times >= 4 && FARM_SUM(farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
}

/* A session that has lost its TCP conn comes back through whichever worker accepts it. */
static void sessions_come_back_through_every_worker(void **state) {
  (void)state;
  Farm farm;
  farm_start(&farm, 2);
  FarmSession *session = farm_open(&farm, 1);
  farm_connect(session);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  farm_handshake(session);
  for (int i = 0; !is_enough(&farm, i); i++) {
    peer_rst(session->peer, 0);
    farm_await_state(session, RTC_CONNECTION_STATE_DISCONNECTED);
    assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    farm_await_state(session, RTC_CONNECTION_STATE_CONNECTED);
    farm_assert_packet_comes(session);
  }
  assert_true(FARM_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  assert_int_equal(FARM_SUM(&farm, handshakes), 1);
  FARM_AWAIT_SUM(&farm, tcp_conns.live, 1);
  farm_end(&farm);
}

static void restart_ice(void *arg) {
  FarmSession *session = arg;
  RtcSdpTransport offer;
  peer_local_transport(session->peer, &offer);
  assert_int_equal(rtc_connection_restart_ice(session->connection, &offer), RTC_OK);
  rtc_connection_local_transport(session->connection, &session->answer);
}

/* The credentials of an ICE restart name the same worker, and lead to it from every one; the old
 * ones lead nowhere any more. */
static void restarted_sessions_are_found_from_every_worker(void **state) {
  (void)state;
  Farm farm;
  farm_start(&farm, 2);
  FarmSession *session = farm_open(&farm, 0);
  farm_connect(session);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  farm_handshake(session);
  int times = 0;
  while (!is_enough(&farm, times)) {
    peer_restart_ice(session->peer);
    farm_run_on(farm.workers[0], restart_ice, session);
    assert_int_equal(peer_set_remote(session->peer, &session->answer), PEER_OK);
    int conn = ++times % 2;
    assert_int_equal(peer_connect_conn(session->peer, conn, "127.0.0.1", farm.port), PEER_OK);
    assert_int_equal(peer_bind(session->peer, conn, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_wait_closed(session->peer, 1 - conn, PEER_TIMEOUT_MS), PEER_EOF);
    farm_assert_packet_comes(session);
  }
  assert_true(FARM_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  FARM_AWAIT_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_ICE_RESTART], (uint64_t)times);
  assert_int_equal(FARM_SUM(&farm, handshakes), 1);
  assert_int_equal(atomic_load(&session->state), RTC_CONNECTION_STATE_CONNECTED);
  farm_end(&farm);
}

/* -- Ends while sockets are on their way -- */

static void open_sessions(Farm *farm, size_t worker, size_t count) {
  for (size_t n = 0; n < count; n++)
    farm_open(farm, worker);
}

/* Sockets for sessions of worker 1, which is busy: those that worker 0 has accepted wait for it. */
static void connect_all(Farm *farm) {
  for (size_t n = 0; n < farm->session_count; n++) {
    farm_connect(&farm->sessions[n]);
    assert_int_equal(peer_send_request(farm->sessions[n].peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  }
  /* The free worker has handed over what it has accepted. */
  for (int turn = 0, same = 0; turn < FARM_DEADLINE_MS / 10 && same < 10; turn++) {
    uint64_t before = farm_figure(farm, 0, offsetof(RtcServerStats, tcp_conns.total));
    usleep(10 * 1000);
    bool settled = farm_figure(farm, 0, offsetof(RtcServerStats, tcp_conns.total)) == before &&
                   farm_figure(farm, 0, offsetof(RtcServerStats, tcp_conns.live)) == 0;
    same = settled ? same + 1 : 0;
  }
  assert_true(
      farm_figure(farm, 0, offsetof(RtcServerStats, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER])) > 0);
}

static void give_handles_back(Farm *farm) {
  for (size_t i = 0; i < farm->session_count; i++)
    farm_run_on(farm->workers[farm->sessions[i].worker], farm_unref_handle, &farm->sessions[i]);
}

/* When farm_on_closed is called the sockets on their way are closed, as everything of the server
 * is: also those that come to a share which closes for its worker's sake. */
static void server_closes_with_sockets_on_their_way(void **state) {
  (void)state;
  for (int worker_stops = 0; worker_stops < 2; worker_stops++) {
    Farm farm;
    FarmGate gate;
    farm_start(&farm, 2);
    size_t idle = descriptors_open() - 2; /* without the listeners */
    open_sessions(&farm, 1, 16);
    give_handles_back(&farm);
    farm_close_gate(&gate, farm.workers[1]);
    if (worker_stops)
      rtc_worker_stop(farm.workers[1]);
    connect_all(&farm);
    rtc_server_close(farm.server, farm_on_closed, &farm);
    farm_open_gate(&gate);
    farm_await_closed(&farm);
    /* No more is open than the peers' sockets; the stopped worker may have closed its own. */
    assert_true(atomic_load(&farm.on_closed_left) <= idle + farm.session_count);
    farm_end(&farm);
  }
}

/* A worker that stops closes what is handed to it; the other one serves on. */
static void worker_stops_with_sockets_on_their_way(void **state) {
  (void)state;
  Farm farm;
  FarmGate gate;
  farm_start(&farm, 2);
  open_sessions(&farm, 1, 16);
  give_handles_back(&farm);
  farm_close_gate(&gate, farm.workers[1]);
  connect_all(&farm);
  rtc_worker_stop(farm.workers[1]);
  farm_open_gate(&gate);
  rtc_worker_join(farm.workers[1]);
  for (size_t i = 0; i < farm.session_count; i++) {
    farm_await_state(&farm.sessions[i], RTC_CONNECTION_STATE_CLOSED);
    int end = peer_wait_closed(farm.sessions[i].peer, 0, PEER_TIMEOUT_MS);
    assert_true(end == PEER_EOF || end == PEER_RESET);
  }
  /* Its ufrags lead nowhere from now on: the socket is closed, not left waiting. */
  FarmSession *late = &farm.sessions[0];
  farm_connect(late);
  assert_int_not_equal(peer_bind(late->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  FarmSession *alive = farm_open(&farm, 0);
  farm_connect(alive);
  assert_int_equal(peer_bind(alive->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  farm_handshake(alive);
  farm_run_on(farm.workers[0], farm_drop_handle, alive);
  rtc_server_close(farm.server, farm_on_closed, &farm);
  farm_await_closed(&farm);
  farm_end(&farm);
}

static void nothing(void *arg) {
  (void)arg;
}

static void drain(Farm *farm) {
  rtc_server_drain(farm->server, 2 * FARM_DEADLINE_MS, farm_on_closed, farm);
  for (size_t i = 0; i < farm->worker_count; i++)
    farm_run_on(farm->workers[i], nothing, NULL); /* it has heard of it */
}

/* A worker without sessions serves the port on while another one drains: what has come to its
 * socket meanwhile, and what comes later, finds its session. */
static void drained_worker_takes_sockets_on(void **state) {
  (void)state;
  Farm farm;
  FarmGate gate;
  farm_start(&farm, 2);
  for (size_t n = 0; n < 16; n++) {
    FarmSession *session = farm_open(&farm, 0);
    farm_connect(session);
    assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  }
  farm_close_gate(&gate, farm.workers[1]);
  for (size_t n = 0; n < farm.session_count; n++)
    assert_int_equal(peer_connect_conn(farm.sessions[n].peer, 1, "127.0.0.1", farm.port), PEER_OK);
  rtc_server_drain(farm.server, 2 * FARM_DEADLINE_MS, farm_on_closed, &farm);
  farm_open_gate(&gate);
  farm_run_on(farm.workers[1], nothing, NULL);
  for (size_t n = 0; n < farm.session_count; n++) {
    RtcPeer *peer = farm.sessions[n].peer;
    assert_int_equal(peer_bind(peer, 1, 0), PEER_OK);
    assert_int_equal(peer_connect_conn(peer, 2, "127.0.0.1", farm.port), PEER_OK);
    assert_int_equal(peer_bind(peer, 2, 0), PEER_OK);
  }
  assert_true(FARM_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  for (size_t n = 0; n < farm.session_count; n++)
    farm_run_on(farm.workers[0], farm_drop_handle, &farm.sessions[n]);
  farm_await_closed(&farm); /* long before the deadline */
  farm_end(&farm);
}

/* The share of a worker that stops during a drain is not waited for, whoever was drained first. */
static void drain_does_not_wait_for_a_stopped_worker(void **state) {
  (void)state;
  for (size_t stopped = 0; stopped < 2; stopped++) {
    Farm farm;
    farm_start(&farm, 2);
    for (size_t n = 0; n < 2; n++) {
      FarmSession *session = farm_open(&farm, n);
      farm_connect(session);
      assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    }
    drain(&farm);
    farm_run_on(farm.workers[stopped], farm_unref_handle, &farm.sessions[stopped]);
    if (stopped)
      farm_run_on(farm.workers[0], farm_drop_handle, &farm.sessions[0]);
    rtc_worker_stop(farm.workers[stopped]);
    rtc_worker_join(farm.workers[stopped]);
    if (!stopped)
      farm_run_on(farm.workers[1], farm_drop_handle, &farm.sessions[1]);
    farm_await_closed(&farm);
    farm_end(&farm);
  }
}

/* A worker that had stopped before the server was made takes no socket from those that serve. */
static void worker_that_does_not_serve_takes_no_sockets(void **state) {
  (void)state;
  const char *listen = "127.0.0.1:0";
  RtcServerConfig config;
  Farm farm = {.worker_count = 2};
  sem_init(&farm.closed, 0, 0);
  farm.descriptors_before = descriptors_open();
  for (size_t i = 0; i < 2; i++) {
    const RtcWorkerConfig worker = {.name = "farm"};
    assert_int_equal(rtc_worker_new(&farm.workers[i], &worker), RTC_OK);
  }
  rtc_worker_stop(farm.workers[1]);
  rtc_worker_join(farm.workers[1]);
  rtc_server_config_init(&config);
  config.workers = farm.workers;
  config.worker_count = 2;
  config.listen = &listen;
  config.listen_count = 1;
  assert_int_equal(rtc_server_new(&farm.server, &config, NULL), RTC_OK);
  farm.port = rtc_server_port(farm.server, 0);
  for (size_t n = 0; n < 8; n++) {
    FarmSession *session = farm_open(&farm, 0);
    farm_connect(session);
    assert_int_equal(peer_send_request(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_await_response(session->peer, 0, 5000), PEER_OK);
    farm_run_on(farm.workers[0], farm_drop_handle, session);
  }
  /* Without sessions it is over at once, also for who has never served. */
  rtc_server_drain(farm.server, 2 * FARM_DEADLINE_MS, farm_on_closed, &farm);
  farm_await_closed(&farm);
  farm_end(&farm);
}

int main(void) {
#define CASE(function) cmocka_unit_test_setup_teardown(function, farm_setup, NULL)
  const struct CMUnitTest tests[] = {
      CASE(sessions_are_found_from_every_worker),
      CASE(cut_first_frames_are_handed_over_whole),
      CASE(frames_behind_the_first_are_handed_over),
      CASE(ufrags_of_nobody_are_refused),
      CASE(socket_is_handed_over_once),
      CASE(sessions_come_back_through_every_worker),
      CASE(restarted_sessions_are_found_from_every_worker),
      CASE(server_closes_with_sockets_on_their_way),
      CASE(worker_stops_with_sockets_on_their_way),
      CASE(drained_worker_takes_sockets_on),
      CASE(drain_does_not_wait_for_a_stopped_worker),
      CASE(worker_that_does_not_serve_takes_no_sockets),
  };
  return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
