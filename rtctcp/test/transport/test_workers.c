/* A server of several workers: a socket finds its session from whichever worker has accepted it,
 * and what is under way between two workers is given back when one of them, or the server, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/peer.h"
#include "support/rtp.h"

#include <rtctcp/rtctcp.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX  4
#define SESSIONS_MAX 24
#define DEADLINE_MS  40000
#define UFRAG_NUMBER 3 /* characters of a ufrag that name its worker */

typedef struct Farm Farm;

typedef struct Session {
  Farm *farm;                /* back */
  size_t worker;             /* that it lives on */
  RtcConnection *connection; /* owned: a handle */
  RtcPeer *peer;             /* owned */
  RtcSdpTransport answer;
  atomic_int state; /* the last one reported */
  atomic_int packets;
} Session;

struct Farm {
  RtcWorker *workers[WORKERS_MAX]; /* owned */
  size_t worker_count;
  RtcServer *server; /* owned; NULL: destroyed */
  uint16_t port;
  Session sessions[SESSIONS_MAX];
  size_t session_count;
  size_t descriptors_before;
  sem_t closed;                 /* posted by on_closed */
  atomic_size_t on_closed_left; /* descriptors that were open then */
};

/* -- The workers' threads -- */

typedef struct Call {
  void (*fn)(void *arg);
  void *arg;
  sem_t done;
} Call;

static void wait_semaphore(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0)
    ;
}

static void run_call(void *arg) {
  Call *call = arg;
  call->fn(call->arg);
  sem_post(&call->done);
}

static void run_on(RtcWorker *worker, void (*fn)(void *arg), void *arg) {
  Call call = {.fn = fn, .arg = arg};
  sem_init(&call.done, 0, 0);
  assert_int_equal(rtc_worker_post(worker, run_call, &call), RTC_OK);
  wait_semaphore(&call.done);
  sem_destroy(&call.done);
}

/* Keeps a worker busy, so that what is sent to it has to wait. */
typedef struct Gate {
  sem_t entered, open;
} Gate;

static void pass_gate(void *arg) {
  Gate *gate = arg;
  sem_post(&gate->entered);
  wait_semaphore(&gate->open);
}

static void close_gate(Gate *gate, RtcWorker *worker) {
  sem_init(&gate->entered, 0, 0);
  sem_init(&gate->open, 0, 0);
  assert_int_equal(rtc_worker_post(worker, pass_gate, gate), RTC_OK);
  wait_semaphore(&gate->entered);
}

static void open_gate(Gate *gate) {
  sem_post(&gate->open);
}

static void end_worker(Farm *farm, size_t index) {
  if (!farm->workers[index])
    return;
  rtc_worker_stop(farm->workers[index]);
  rtc_worker_join(farm->workers[index]);
  rtc_worker_destroy(farm->workers[index]);
  farm->workers[index] = NULL;
}

/* -- Figures -- */

typedef struct Figures {
  Farm *farm;
  RtcWorker *worker;
  RtcServerStats stats;
} Figures;

static void read_figures(void *arg) {
  Figures *figures = arg;
  rtc_server_stats(figures->farm->server, figures->worker, &figures->stats);
}

static uint64_t figure_of(Farm *farm, size_t worker, size_t offset) {
  Figures figures = {.farm = farm, .worker = farm->workers[worker]};
  uint64_t value;
  run_on(farm->workers[worker], read_figures, &figures);
  memcpy(&value, (const uint8_t *)&figures.stats + offset, sizeof value);
  return value;
}

static uint64_t sum_of(Farm *farm, size_t offset) {
  uint64_t sum = 0;
  for (size_t i = 0; i < farm->worker_count; i++)
    sum += farm->workers[i] ? figure_of(farm, i, offset) : 0;
  return sum;
}

#define SUM(farm, member) sum_of((farm), offsetof(RtcServerStats, member))

static void await_sum(Farm *farm, size_t offset, uint64_t value) {
  uint64_t seen = 0;
  for (int turn = 0; turn < DEADLINE_MS / 2; turn++) {
    seen = sum_of(farm, offset);
    if (seen == value)
      return;
    usleep(2000);
  }
  fail_msg("the figure at %zu is %llu, not %llu", offset, (unsigned long long)seen,
           (unsigned long long)value);
}

#define AWAIT_SUM(farm, member, value) await_sum((farm), offsetof(RtcServerStats, member), (value))

static void await_state(Session *session, RtcConnectionState state) {
  for (int turn = 0; turn < DEADLINE_MS; turn++) {
    if (atomic_load(&session->state) == (int)state)
      return;
    usleep(1000);
  }
  fail_msg("the session is %s, not %s",
           rtc_connection_state_name((RtcConnectionState)atomic_load(&session->state)),
           rtc_connection_state_name(state));
}

/* -- The server -- */

static void on_closed(void *arg) {
  Farm *farm = arg;
  atomic_store(&farm->on_closed_left, descriptors_open());
  sem_post(&farm->closed);
}

static void start_farm(Farm *farm, size_t worker_count) {
  const char *listen = "127.0.0.1:0";
  RtcServerConfig config;
  memset(farm, 0, sizeof *farm);
  sem_init(&farm->closed, 0, 0);
  farm->descriptors_before = descriptors_open();
  farm->worker_count = worker_count;
  for (size_t i = 0; i < worker_count; i++) {
    const RtcWorkerConfig worker = {.name = "farm"};
    assert_int_equal(rtc_worker_new(&farm->workers[i], &worker), RTC_OK);
  }
  rtc_server_config_init(&config);
  config.workers = farm->workers;
  config.worker_count = worker_count;
  config.listen = &listen;
  config.listen_count = 1;
  assert_int_equal(rtc_server_new(&farm->server, &config, NULL), RTC_OK);
  farm->port = rtc_server_port(farm->server, 0);
}

static void drop_handle(void *arg) {
  Session *session = arg;
  if (session->connection)
    rtc_connection_close(session->connection);
  rtc_connection_unref(&session->connection);
}

static void unref_handle(void *arg) {
  rtc_connection_unref(&((Session *)arg)->connection);
}

static void await_closed(Farm *farm) {
  wait_semaphore(&farm->closed);
  rtc_server_destroy(farm->server);
  farm->server = NULL;
}

/* Ends what is left, and checks that nothing is. */
static void end_farm(Farm *farm) {
  for (size_t i = 0; i < farm->session_count; i++) {
    Session *session = &farm->sessions[i];
    if (session->connection)
      run_on(farm->workers[session->worker], drop_handle, session);
    peer_destroy(session->peer);
  }
  if (farm->server) {
    AWAIT_SUM(farm, connections.live, 0);
    AWAIT_SUM(farm, tcp_conns.live, 0);
    AWAIT_SUM(farm, unauthenticated, 0);
    rtc_server_close(farm->server, on_closed, farm);
    await_closed(farm);
  }
  for (size_t i = 0; i < farm->worker_count; i++)
    end_worker(farm, i);
  sem_destroy(&farm->closed);
  assert_int_equal(descriptors_open(), farm->descriptors_before);
}

/* -- Sessions -- */

static void on_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  (void)connection;
  atomic_store(&((Session *)arg)->state, state);
}

static void on_rtp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  (void)connection;
  (void)packet;
  (void)len;
  atomic_fetch_add(&((Session *)arg)->packets, 1);
}

static void open_connection(void *arg) {
  Session *session = arg;
  RtcSdpTransport offer;
  peer_local_transport(session->peer, &offer);
  const RtcConnectionConfig config = {
      .remote = &offer, .callbacks = {.on_state = on_state, .on_rtp = on_rtp}, .arg = session};
  assert_int_equal(rtc_connection_new(&session->connection, session->farm->server,
                                      session->farm->workers[session->worker], &config),
                   RTC_OK);
  rtc_connection_local_transport(session->connection, &session->answer);
}

static Session *open_session(Farm *farm, size_t worker) {
  assert_true(farm->session_count < SESSIONS_MAX);
  Session *session = &farm->sessions[farm->session_count++];
  session->farm = farm;
  session->worker = worker;
  /* Nothing is said twice: what got lost between the workers would be missed. */
  const PeerConfig config = {.retransmit_ms = 10 * PEER_TIMEOUT_MS};
  session->peer = peer_new(&config);
  assert_non_null(session->peer);
  run_on(farm->workers[worker], open_connection, session);
  assert_int_equal(peer_set_remote(session->peer, &session->answer), PEER_OK);
  return session;
}

static void connect_peer(Session *session) {
  assert_int_equal(peer_connect(session->peer, "127.0.0.1", session->farm->port), PEER_OK);
}

static void send_packet(Session *session) {
  uint8_t packet[256];
  const RtpHeader header = {.payload_type = 111,
                            .sequence = (uint16_t)(7 + atomic_load(&session->packets)),
                            .timestamp = 960,
                            .ssrc = 5};
  size_t len = rtp_write_opus(packet, &header, 80);
  assert_int_equal(peer_send_rtp(session->peer, packet, len), PEER_OK);
}

static void assert_packet_comes(Session *session) {
  int before = atomic_load(&session->packets);
  send_packet(session);
  for (int turn = 0; turn < DEADLINE_MS && atomic_load(&session->packets) == before; turn++)
    usleep(1000);
  assert_int_equal(atomic_load(&session->packets), before + 1);
}

static void finish_handshake(Session *session) {
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  await_state(session, RTC_CONNECTION_STATE_CONNECTED);
}

/* -- The way to the session -- */

/* Whoever accepts a socket, its session gets it, on two workers and on four. */
static void sessions_are_found_from_every_worker(void **state) {
  (void)state;
  static const size_t counts[] = {2, 4};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    Farm farm;
    start_farm(&farm, counts[i]);
    for (size_t n = 0; n < SESSIONS_MAX; n++) {
      Session *session = open_session(&farm, n % counts[i]);
      connect_peer(session);
      assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
      finish_handshake(session);
      assert_packet_comes(session);
    }
    /* One in 2^24 runs accepts every socket where its session is. */
    uint64_t handed = SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]);
    assert_true(handed > 0);
    assert_int_equal(SUM(&farm, tcp_conns.live), SESSIONS_MAX);
    assert_int_equal(SUM(&farm, tcp_conns.total), SESSIONS_MAX + handed);
    assert_int_equal(SUM(&farm, unauthenticated), 0);
    end_farm(&farm);
  }
}

/* The first frame may be cut anywhere; all of it goes along. */
static void cut_first_frames_are_handed_over_whole(void **state) {
  (void)state;
  Farm farm;
  start_farm(&farm, 2);
  for (size_t n = 0; n < SESSIONS_MAX; n++) {
    Session *session = open_session(&farm, n % 2);
    uint8_t frame[2 + PEER_STUN_MAX];
    connect_peer(session);
    int len = peer_make_request(session->peer, 0, PEER_USE_CANDIDATE, frame + 2);
    assert_true(len > 0);
    rtp_write16(frame, (uint16_t)len);
    size_t cut = 1 + n * (size_t)len / SESSIONS_MAX;
    assert_int_equal(peer_send_raw(session->peer, 0, frame, cut), PEER_OK);
    usleep(3000);
    assert_int_equal(peer_send_raw(session->peer, 0, frame + cut, 2 + (size_t)len - cut), PEER_OK);
    assert_int_equal(peer_await_response(session->peer, 0, PEER_TIMEOUT_MS), PEER_OK);
    finish_handshake(session);
  }
  assert_true(SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  end_farm(&farm);
}

static void set_cork(const Session *session, int on) {
  assert_int_equal(setsockopt(peer_fd(session->peer, 0), IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
}

/* DTLS right behind the first frame, in the same segment and cut by its end, is handed over too. */
static void frames_behind_the_first_are_handed_over(void **state) {
  (void)state;
  Farm farm;
  start_farm(&farm, 2);
  for (size_t n = 0; n < SESSIONS_MAX; n++) {
    Session *session = open_session(&farm, n % 2);
    connect_peer(session);
    set_cork(session, 1);
    assert_int_equal(peer_send_request(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
    set_cork(session, 0);
    assert_int_equal(peer_await_response(session->peer, 0, PEER_TIMEOUT_MS), PEER_OK);
    finish_handshake(session);
    assert_packet_comes(session);
  }
  assert_true(SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  end_farm(&farm);
}

/* A ufrag of no worker, or of no session of the worker that it names, ends the socket once. */
static void ufrags_of_nobody_are_refused(void **state) {
  (void)state;
  static const char *const numbers[] = {"fff", "002", "000", "001", "00A", "-01"};
  Farm farm;
  start_farm(&farm, 2);
  uint64_t refused = 0;
  for (size_t n = 0; n < sizeof numbers / sizeof *numbers * 3; n++) {
    RtcPeer *peer = peer_new(NULL);
    RtcSdpTransport answer;
    Session *model = farm.session_count ? &farm.sessions[0] : open_session(&farm, 0);
    answer = model->answer;
    memcpy(answer.ufrag, numbers[n / 3], UFRAG_NUMBER);
    answer.ufrag[UFRAG_NUMBER] ^= 1;
    assert_int_equal(peer_set_remote(peer, &answer), PEER_OK);
    assert_int_equal(peer_connect(peer, "127.0.0.1", farm.port), PEER_OK);
    assert_int_not_equal(peer_bind(peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_wait_closed(peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
    peer_destroy(peer);
    AWAIT_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_NO_SUCH_SESSION], ++refused);
  }
  assert_int_equal(atomic_load(&farm.sessions[0].state), RTC_CONNECTION_STATE_NEW);
  end_farm(&farm);
}

/* A conn's requests may name sessions of both workers in turn, and prove their passwords: it is
 * handed over once, and its deadline and its number of tries end it all the same. */
static void socket_is_handed_over_once(void **state) {
  enum { ROUNDS = 12 };
  (void)state;
  Farm farm;
  start_farm(&farm, 2);
  for (size_t n = 0; n < 4; n++) {
    Session *pair[2] = {open_session(&farm, 0), open_session(&farm, 1)};
    uint64_t before = SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]);
    int round = 0;
    connect_peer(pair[0]);
    int fd = dup(peer_fd(pair[0]->peer, 0));
    assert_int_equal(peer_adopt(pair[1]->peer, 0, fd), PEER_OK);
    while (round < ROUNDS) {
      Session *session = pair[round % 2];
      if (peer_bind(session->peer, 0, PEER_CONTROLLED) != 487)
        break;
      round++;
    }
    assert_in_range(round, 1, 3);
    assert_in_range(SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) - before, 0, 1);
  }
  end_farm(&farm);
}

/* Four times at least, and until a socket was accepted where its session is not: one in 2^24 runs
 * waits for that in vain. */
static bool is_enough(Farm *farm, int times) {
  return times >= 24 || (times >= 4 && SUM(farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
}

/* A session that has lost its TCP conn comes back through whichever worker accepts it. */
static void sessions_come_back_through_every_worker(void **state) {
  (void)state;
  Farm farm;
  start_farm(&farm, 2);
  Session *session = open_session(&farm, 1);
  connect_peer(session);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  finish_handshake(session);
  for (int i = 0; !is_enough(&farm, i); i++) {
    peer_rst(session->peer, 0);
    await_state(session, RTC_CONNECTION_STATE_DISCONNECTED);
    assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    await_state(session, RTC_CONNECTION_STATE_CONNECTED);
    assert_packet_comes(session);
  }
  assert_true(SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  assert_int_equal(SUM(&farm, handshakes), 1);
  AWAIT_SUM(&farm, tcp_conns.live, 1);
  end_farm(&farm);
}

static void restart_ice(void *arg) {
  Session *session = arg;
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
  start_farm(&farm, 2);
  Session *session = open_session(&farm, 0);
  connect_peer(session);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  finish_handshake(session);
  int times = 0;
  while (!is_enough(&farm, times)) {
    peer_restart_ice(session->peer);
    run_on(farm.workers[0], restart_ice, session);
    assert_int_equal(peer_set_remote(session->peer, &session->answer), PEER_OK);
    int conn = ++times % 2;
    assert_int_equal(peer_connect_conn(session->peer, conn, "127.0.0.1", farm.port), PEER_OK);
    assert_int_equal(peer_bind(session->peer, conn, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_wait_closed(session->peer, 1 - conn, PEER_TIMEOUT_MS), PEER_EOF);
    assert_packet_comes(session);
  }
  assert_true(SUM(&farm, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER]) > 0);
  AWAIT_SUM(&farm, tcp_closes[RTC_TCP_CLOSE_ICE_RESTART], (uint64_t)times);
  assert_int_equal(SUM(&farm, handshakes), 1);
  assert_int_equal(atomic_load(&session->state), RTC_CONNECTION_STATE_CONNECTED);
  end_farm(&farm);
}

/* -- Ends while sockets are on their way -- */

static void open_sessions(Farm *farm, size_t worker, size_t count) {
  for (size_t n = 0; n < count; n++)
    open_session(farm, worker);
}

/* Sockets for sessions of worker 1, which is busy: those that worker 0 has accepted wait for it. */
static void connect_all(Farm *farm) {
  for (size_t n = 0; n < farm->session_count; n++) {
    connect_peer(&farm->sessions[n]);
    assert_int_equal(peer_send_request(farm->sessions[n].peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  }
  /* The free worker has handed over what it has accepted. */
  for (int turn = 0, same = 0; turn < DEADLINE_MS / 10 && same < 10; turn++) {
    uint64_t before = figure_of(farm, 0, offsetof(RtcServerStats, tcp_conns.total));
    usleep(10 * 1000);
    bool settled = figure_of(farm, 0, offsetof(RtcServerStats, tcp_conns.total)) == before &&
                   figure_of(farm, 0, offsetof(RtcServerStats, tcp_conns.live)) == 0;
    same = settled ? same + 1 : 0;
  }
  assert_true(figure_of(farm, 0, offsetof(RtcServerStats, tcp_closes[RTC_TCP_CLOSE_HANDED_OVER])) >
              0);
}

static void give_handles_back(Farm *farm) {
  for (size_t i = 0; i < farm->session_count; i++)
    run_on(farm->workers[farm->sessions[i].worker], unref_handle, &farm->sessions[i]);
}

/* When on_closed is called the sockets on their way are closed, as everything of the server is:
 * also those that come to a share which closes for its worker's sake. */
static void server_closes_with_sockets_on_their_way(void **state) {
  (void)state;
  for (int worker_stops = 0; worker_stops < 2; worker_stops++) {
    Farm farm;
    Gate gate;
    start_farm(&farm, 2);
    size_t idle = descriptors_open() - 2; /* without the listeners */
    open_sessions(&farm, 1, 16);
    give_handles_back(&farm);
    close_gate(&gate, farm.workers[1]);
    if (worker_stops)
      rtc_worker_stop(farm.workers[1]);
    connect_all(&farm);
    rtc_server_close(farm.server, on_closed, &farm);
    open_gate(&gate);
    await_closed(&farm);
    /* No more is open than the peers' sockets; the stopped worker may have closed its own. */
    assert_true(atomic_load(&farm.on_closed_left) <= idle + farm.session_count);
    end_farm(&farm);
  }
}

/* A worker that stops closes what is handed to it; the other one serves on. */
static void worker_stops_with_sockets_on_their_way(void **state) {
  (void)state;
  Farm farm;
  Gate gate;
  start_farm(&farm, 2);
  open_sessions(&farm, 1, 16);
  give_handles_back(&farm);
  close_gate(&gate, farm.workers[1]);
  connect_all(&farm);
  rtc_worker_stop(farm.workers[1]);
  open_gate(&gate);
  rtc_worker_join(farm.workers[1]);
  for (size_t i = 0; i < farm.session_count; i++) {
    await_state(&farm.sessions[i], RTC_CONNECTION_STATE_CLOSED);
    int end = peer_wait_closed(farm.sessions[i].peer, 0, PEER_TIMEOUT_MS);
    assert_true(end == PEER_EOF || end == PEER_RESET);
  }
  /* Its ufrags lead nowhere from now on: the socket is closed, not left waiting. */
  Session *late = &farm.sessions[0];
  connect_peer(late);
  assert_int_not_equal(peer_bind(late->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  Session *alive = open_session(&farm, 0);
  connect_peer(alive);
  assert_int_equal(peer_bind(alive->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  finish_handshake(alive);
  run_on(farm.workers[0], drop_handle, alive);
  rtc_server_close(farm.server, on_closed, &farm);
  await_closed(&farm);
  end_farm(&farm);
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
    Session *session = open_session(&farm, 0);
    connect_peer(session);
    assert_int_equal(peer_send_request(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_await_response(session->peer, 0, 5000), PEER_OK);
    run_on(farm.workers[0], drop_handle, session);
  }
  rtc_server_close(farm.server, on_closed, &farm);
  await_closed(&farm);
  end_farm(&farm);
}

static int setup(void **state) {
  static bool done;
  RtcWorker *worker;
  const RtcWorkerConfig config = {0};
  (void)state;
  if (done)
    return 0;
  done = true; /* libuv keeps a pipe from the first loop on */
  assert_int_equal(rtc_worker_new(&worker, &config), RTC_OK);
  rtc_worker_stop(worker);
  rtc_worker_join(worker);
  rtc_worker_destroy(worker);
  return 0;
}

int main(void) {
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, NULL)
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
      CASE(worker_that_does_not_serve_takes_no_sockets),
  };
  return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
