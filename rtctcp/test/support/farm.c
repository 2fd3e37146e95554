/* A server of several workers, and sessions on each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/farm.h"
#include "support/rtp.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

void farm_run_on(RtcWorker *worker, void (*fn)(void *arg), void *arg) {
  Call call = {.fn = fn, .arg = arg};
  sem_init(&call.done, 0, 0);
  assert_int_equal(rtc_worker_post(worker, run_call, &call), RTC_OK);
  wait_semaphore(&call.done);
  sem_destroy(&call.done);
}

static void pass_gate(void *arg) {
  FarmGate *gate = arg;
  sem_post(&gate->entered);
  wait_semaphore(&gate->open);
}

void farm_close_gate(FarmGate *gate, RtcWorker *worker) {
  sem_init(&gate->entered, 0, 0);
  sem_init(&gate->open, 0, 0);
  assert_int_equal(rtc_worker_post(worker, pass_gate, gate), RTC_OK);
  wait_semaphore(&gate->entered);
}

void farm_open_gate(FarmGate *gate) {
  sem_post(&gate->open);
}

void farm_end_worker(Farm *farm, size_t index) {
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

uint64_t farm_figure(Farm *farm, size_t worker, size_t offset) {
  Figures figures = {.farm = farm, .worker = farm->workers[worker]};
  uint64_t value;
  farm_run_on(farm->workers[worker], read_figures, &figures);
  memcpy(&value, (const uint8_t *)&figures.stats + offset, sizeof value);
  return value;
}

uint64_t farm_sum(Farm *farm, size_t offset) {
  uint64_t sum = 0;
  for (size_t i = 0; i < farm->worker_count; i++)
    sum += farm->workers[i] ? farm_figure(farm, i, offset) : 0;
  return sum;
}

void farm_await_sum(Farm *farm, size_t offset, uint64_t value) {
  uint64_t seen = 0;
  for (int turn = 0; turn < FARM_DEADLINE_MS / 2; turn++) {
    seen = farm_sum(farm, offset);
    if (seen == value)
      return;
    usleep(2000);
  }
  fail_msg("the figure at %zu is %llu, not %llu", offset, (unsigned long long)seen,
           (unsigned long long)value);
}

void farm_await_state(FarmSession *session, RtcConnectionState state) {
  for (int turn = 0; turn < FARM_DEADLINE_MS; turn++) {
    if (atomic_load(&session->state) == (int)state)
      return;
    usleep(1000);
  }
  fail_msg("the session is %s, not %s",
           rtc_connection_state_name((RtcConnectionState)atomic_load(&session->state)),
           rtc_connection_state_name(state));
}

/* -- The server -- */

void farm_on_closed(void *arg) {
  Farm *farm = arg;
  atomic_store(&farm->on_closed_left, descriptors_open());
  sem_post(&farm->closed);
}

void farm_start(Farm *farm, size_t worker_count) {
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

void farm_drop_handle(void *arg) {
  FarmSession *session = arg;
  if (session->connection)
    rtc_connection_close(session->connection);
  rtc_connection_unref(&session->connection);
}

void farm_unref_handle(void *arg) {
  rtc_connection_unref(&((FarmSession *)arg)->connection);
}

void farm_await_closed(Farm *farm) {
  struct timespec until;
  int result;
  clock_gettime(CLOCK_REALTIME, &until); /* ThreadSanitizer does not know sem_clockwait */
  until.tv_sec += FARM_DEADLINE_MS / 1000;
  do
    result = sem_timedwait(&farm->closed, &until);
  while (result != 0 && errno == EINTR);
  assert_int_equal(result, 0);
  rtc_server_destroy(farm->server);
  farm->server = NULL;
}

/* Ends what is left, and checks that nothing is. */
void farm_end(Farm *farm) {
  for (size_t i = 0; i < farm->session_count; i++) {
    FarmSession *session = &farm->sessions[i];
    if (session->connection)
      farm_run_on(farm->workers[session->worker], farm_drop_handle, session);
    peer_destroy(session->peer);
  }
  if (farm->server) {
    FARM_AWAIT_SUM(farm, connections.live, 0);
    FARM_AWAIT_SUM(farm, tcp_conns.live, 0);
    FARM_AWAIT_SUM(farm, unauthenticated, 0);
    rtc_server_close(farm->server, farm_on_closed, farm);
    farm_await_closed(farm);
  }
  for (size_t i = 0; i < farm->worker_count; i++)
    farm_end_worker(farm, i);
  sem_destroy(&farm->closed);
  assert_int_equal(descriptors_open(), farm->descriptors_before);
}

/* -- Sessions -- */

static void on_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  (void)connection;
  atomic_store(&((FarmSession *)arg)->state, state);
}

static void on_rtp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  (void)connection;
  (void)packet;
  (void)len;
  atomic_fetch_add(&((FarmSession *)arg)->packets, 1);
}

static void open_connection(void *arg) {
  FarmSession *session = arg;
  RtcSdpTransport offer;
  peer_local_transport(session->peer, &offer);
  const RtcConnectionConfig config = {
      .remote = &offer, .callbacks = {.on_state = on_state, .on_rtp = on_rtp}, .arg = session};
  assert_int_equal(rtc_connection_new(&session->connection, session->farm->server,
                                      session->farm->workers[session->worker], &config),
                   RTC_OK);
  rtc_connection_local_transport(session->connection, &session->answer);
}

FarmSession *farm_open(Farm *farm, size_t worker) {
  assert_true(farm->session_count < FARM_SESSIONS_MAX);
  FarmSession *session = &farm->sessions[farm->session_count++];
  session->farm = farm;
  session->worker = worker;
  /* Nothing is said twice: what got lost between the workers would be missed. */
  const PeerConfig config = {.retransmit_ms = 10 * PEER_TIMEOUT_MS};
  session->peer = peer_new(&config);
  assert_non_null(session->peer);
  farm_run_on(farm->workers[worker], open_connection, session);
  assert_int_equal(peer_set_remote(session->peer, &session->answer), PEER_OK);
  return session;
}

void farm_connect(FarmSession *session) {
  assert_int_equal(peer_connect(session->peer, "127.0.0.1", session->farm->port), PEER_OK);
}

void farm_send_packet(FarmSession *session) {
  uint8_t packet[256];
  const RtpHeader header = {.payload_type = 111,
                            .sequence = (uint16_t)(7 + atomic_load(&session->packets)),
                            .timestamp = 960,
                            .ssrc = 5};
  size_t len = rtp_write_opus(packet, &header, 80);
  assert_int_equal(peer_send_rtp(session->peer, packet, len), PEER_OK);
}

void farm_assert_packet_comes(FarmSession *session) {
  int before = atomic_load(&session->packets);
  farm_send_packet(session);
  for (int turn = 0; turn < FARM_DEADLINE_MS && atomic_load(&session->packets) == before; turn++)
    usleep(1000);
  assert_int_equal(atomic_load(&session->packets), before + 1);
}

void farm_handshake(FarmSession *session) {
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  farm_await_state(session, RTC_CONNECTION_STATE_CONNECTED);
}

int farm_setup(void **state) {
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
